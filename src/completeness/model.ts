/**
 * The model in the directory, by the loader's own functions: modules, configuration, settings, tokenizer, weights. What is
 * wrong is written down and the rest is checked with what is left. Of a configuration file the first problem is told.
 */
import { type BertConfig, parseBertConfig } from '../bert/config.ts';
import type { ErrorCode, GlassbertError } from '../errors.ts';
import { refuseAdapter } from '../io/adapters.ts';
import { readFields } from '../io/config-files.ts';
import { type ModelFiles, nameIn } from '../io/files.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import type { LoadReport, WeightsReport } from '../io/load-report.ts';
import {
  type ModelDirectory,
  readSentenceConfig,
  readTransformerConfig,
  SAVED,
  warningOfChatTemplate,
} from '../io/model-directory.ts';
import { readTokenizer, readTokenizerConfig, type TransformerFiles, VOCAB_TXT } from '../io/tokenizer-files.ts';
import { checkTokenizer, projects, warnOfClassifier, warnOfProjection } from '../load-model.ts';
import { checkPrompts, decideSettings, type Settings } from '../settings.ts';
import { tokenizerOf } from '../text/load-tokenizer.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Findings } from './findings.ts';
import { checkModule, checkModules } from './modules.ts';
import { areThere, checkEncoderWeights } from './weights.ts';

/** What could be made of the directory; null where it could not. */
export interface CheckedModel {
  readonly layout: LoadReport['layout'] | null;
  readonly config: BertConfig | null;
  /** With the files of its tokenizer. */
  readonly transformer: TransformerFiles | null;
  readonly settings: Settings | null;
  readonly tokenizer: Tokenizer | null;
  readonly weights: readonly WeightsReport[];
  /** What is wrong: with the description of the model, whether anything; with its weights, the first code, if any. */
  readonly wrong: { readonly description: boolean; readonly weights: ErrorCode | undefined };
  /** The width of the vectors. */
  readonly dimension: number | null;
  readonly sentenceTransformers: Fields;
  /** As in CheckedModules: an error of the directory, and none of loading. */
  readonly absent?: GlassbertError | undefined;
}

export async function checkModel(files: ModelFiles, findings: Findings): Promise<CheckedModel> {
  const before = findings.counts.error;
  await findings.attempt(() => refuseAdapter(files, ''));
  const isAdapter = findings.counts.error > before;
  const { present, absent, foreign, transformerPath, pooling, after, whole } = await checkModules(files, findings);
  if (foreign) {
    const message =
      'Only modules.json was checked: the files of a model that begins with another module are not known here.';
    findings.note('W_NOT_CHECKED', 'incomplete', '.', message);
    return { ...NOTHING_KNOWN, sentenceTransformers: fields({}, files.pathOf(SAVED)) };
  }
  const path = transformerPath ?? (await defaultPath(files, findings));
  const listed = present && transformerPath === undefined;
  const { transformer, hasConfig, hasTokenizer } = await readTransformerFiles(files, path, listed, findings);
  const config = hasConfig ? await findings.attempt(() => parseBertConfig(transformer.config)) : undefined;
  const saved = present ? await findings.attempt(() => readFields(files, SAVED)) : undefined;
  const sentenceTransformers = saved ?? fields({}, files.pathOf(SAVED));
  await noteAbsent(files, path, present, findings);

  const described = { files, modules: pooling, transformer, sentenceTransformers, unread: [] };
  const template = present ? undefined : await findings.attempt(() => warningOfChatTemplate(files, transformer));
  if (template !== undefined) findings.warnAsLoading(template);
  const settings = await checkSettings(described, config, !present, absent !== undefined, findings);
  const tokenizer = hasTokenizer ? await checkTokenizerOf(transformer, config, settings, findings) : undefined;
  if (transformer.config.has('auto_map')) {
    const message = 'config.json names code that comes with the model. It is not run.';
    findings.warn('W_CODE_IGNORED', 'incomplete', nameIn(path, 'config.json'), message);
  }

  const description = findings.counts.error > before;
  findings.first = undefined;
  const weights: WeightsReport[] = [];
  // Of an adapter alone the weights are not missing: it has none.
  const hasWeights = !isAdapter || (await findings.attempt(() => areThere(files, path)));
  const encoder = hasWeights ? await checkEncoderWeights(files, path, config, findings) : undefined;
  if (encoder !== undefined) {
    weights.push(encoder.report);
    if (settings !== undefined) warnOfProjection(encoder.projected, settings, findings.warnAsLoading);
    warnOfClassifier(transformer.config, encoder.report.unused, findings.warnAsLoading);
  }
  if (tokenizer && config && settings) {
    await findings.attempt(() => checkPrompts(settings, config, prompt => tokenizer.encode(prompt).ids.length));
  }

  let D: number | null = null;
  if (whole && config && settings) {
    D = settings.pooling.value.length * config.hidden_size;
    if (encoder?.projected && projects(settings)) D = config.projection_dim;
  }
  for (const entry of after) {
    const checked = await checkModule(files, entry, D, findings);
    D = checked.outFeatures;
    if (checked.report !== undefined) weights.push(checked.report);
  }
  return {
    layout: present ? 'Sentence Transformers' : hasConfig ? 'Hugging Face, without modules.json' : null,
    config: config ?? null,
    transformer: hasTokenizer ? transformer : null,
    settings: settings ?? null,
    tokenizer: tokenizer ?? null,
    weights,
    wrong: { description, weights: findings.first },
    dimension: D,
    sentenceTransformers,
    absent,
  };
}

const NOTHING_KNOWN: Omit<CheckedModel, 'sentenceTransformers'> = {
  layout: 'Sentence Transformers',
  config: null,
  transformer: null,
  settings: null,
  tokenizer: null,
  weights: [],
  wrong: { description: true, weights: undefined },
  dimension: null,
};

/** Where the transformer lies when modules.json does not tell. */
async function defaultPath(files: ModelFiles, findings: Findings): Promise<string> {
  return (await findings.attempt(() => files.has('0_Transformer/config.json'))) ? '0_Transformer' : '';
}

/**
 * The files of the transformer, without content where they cannot be read.
 *
 * @param listed - whether modules.json lists another module in its place, which may need no configuration
 */
async function readTransformerFiles(
  files: ModelFiles,
  path: string,
  listed: boolean,
  findings: Findings,
): Promise<{ transformer: TransformerFiles; hasConfig: boolean; hasTokenizer: boolean }> {
  const config = await findings.attempt(async () => {
    if (listed && !(await files.has(nameIn(path, 'config.json')))) return undefined;
    return readTransformerConfig(files, path);
  });
  const sentenceConfig = await findings.attempt(() => readSentenceConfig(files, path));
  const tokenizerConfig = await findings.attempt(() => readTokenizerConfig(files, path));
  const tokenizer = await findings.attempt(() => readTokenizer(files, path));
  const none = (name: string): Fields => fields({}, files.pathOf(nameIn(path, name)));
  const transformer = {
    path,
    config: config ?? none('config.json'),
    sentenceConfig: sentenceConfig ?? none('sentence_bert_config.json'),
    tokenizerConfig: {},
    tokenizerConfigName: nameIn(path, 'tokenizer_config.json'),
    ...tokenizerConfig,
    tokenizer: tokenizer ?? { file: files.pathOf(nameIn(path, 'tokenizer.json')), json: {} },
  };
  return { transformer, hasConfig: config !== undefined, hasTokenizer: tokenizer !== undefined };
}

/** Files that a model can do without, and what is taken instead of what they say. */
async function noteAbsent(files: ModelFiles, path: string, modules: boolean, findings: Findings): Promise<void> {
  const optional: [string, string][] = [
    [nameIn(path, 'tokenizer_config.json'), 'the longest input and the normalization come from the other files'],
  ];
  if (await findings.attempt(() => files.has(nameIn(path, VOCAB_TXT)))) {
    optional.push([nameIn(path, 'tokenizer.json'), `the tokenizer is made of ${VOCAB_TXT}`]);
  }
  if (modules) {
    optional.push(
      [nameIn(path, 'sentence_bert_config.json'), 'the longest input comes from the other files'],
      [SAVED, 'there are no prompts, and cosine is the similarity'],
    );
  }
  for (const [name, instead] of optional) {
    if (await findings.attempt(() => files.has(name))) continue;
    findings.note('W_FILE_ABSENT', 'incomplete', name, `It is not there, so ${instead}. Not every model has it.`);
  }
}

/**
 * The settings; and where a file keeps them from being decided, what is wrong with each of the files by itself.
 *
 * @param config - where it is unknown, the pooling is not compared with its width
 * @param bare - whether there is no modules.json
 * @param absent - whether modules.json is missing, which has been told already, and in more words than loading has
 */
async function checkSettings(
  described: ModelDirectory,
  config: BertConfig | undefined,
  bare: boolean,
  absent: boolean,
  findings: Findings,
): Promise<Settings | undefined> {
  const { modules, transformer, sentenceTransformers } = described;
  const decide = (directory: ModelDirectory): Settings => {
    const known = config === undefined ? { ...directory, modules: [] } : directory;
    return decideSettings(known, config ?? UNKNOWN, {}, warning => {
      const isNews = bare && config !== undefined && !absent;
      if (warning.code !== 'W_BARE_DIRECTORY' || isNews) findings.warnAsLoading(warning);
    });
  };
  const settings = await findings.attempt(() => decide(described));
  const decided = config !== undefined && (bare || modules.length > 0);
  if (settings !== undefined) return decided ? settings : undefined;

  const none = fields({}, described.files.directory);
  const blank: ModelDirectory = {
    ...described,
    modules: [],
    sentenceTransformers: none,
    transformer: { ...transformer, sentenceConfig: none, tokenizerConfig: {} },
  };
  for (const alone of [
    { ...blank, modules },
    { ...blank, sentenceTransformers },
    { ...blank, transformer: { ...blank.transformer, sentenceConfig: transformer.sentenceConfig } },
    { ...blank, transformer: { ...blank.transformer, tokenizerConfig: transformer.tokenizerConfig } },
  ]) {
    await findings.attempt(() => decide(alone));
  }
  return undefined;
}

const UNKNOWN = { model_type: 'bert', hidden_size: 0 } as const;

async function checkTokenizerOf(
  transformer: TransformerFiles,
  config: BertConfig | undefined,
  settings: Settings | undefined,
  findings: Findings,
): Promise<Tokenizer | undefined> {
  const lower = settings?.doLowerCase.value ?? false;
  const length = settings?.maxSeqLength.value ?? SOME_LENGTH;
  const tokenizer = await findings.attempt(() => tokenizerOf(transformer, lower, length, config?.vocab_size));
  for (const note of tokenizer?.notes ?? []) {
    findings.note('W_TOKENIZER_NOTE', 'incomplete', nameIn(transformer.path, tokenizerName(transformer)), note);
  }
  if (tokenizer === undefined || config === undefined) return tokenizer;
  const before = findings.counts.error;
  await findings.attempt(() => checkTokenizer(tokenizer, config, transformer.tokenizer.file));
  const spare = config.vocab_size - tokenizer.vocabSize;
  if (spare > 0 && findings.counts.error === before) {
    const message = `The embedding table has ${spare} more rows than the tokenizer has ids; they are never used.`;
    findings.note('W_VOCABULARY_PADDED', 'incomplete', nameIn(transformer.path, 'config.json'), message);
  }
  return tokenizer;
}

function tokenizerName({ tokenizer }: TransformerFiles): string {
  return 'json' in tokenizer ? 'tokenizer.json' : VOCAB_TXT;
}

/** To check a tokenizer whose length is not known: BERT's own. */
const SOME_LENGTH = 512;
