/**
 * The model in the directory, by the loader's own functions: modules, configuration, settings, tokenizer, and the names,
 * shapes and dtypes of all tensors. What is wrong is written down and the rest is checked with what is left.
 *
 * Of the weights the headers alone are read, and nothing is allocated for them: a configuration cannot make this use memory,
 * and what only the numbers show (a NaN, a changed weight) is for loading and for checksums. Of a configuration file the
 * first problem is told.
 */
import { type BertConfig, parseBertConfig } from '../bert/config.ts';
import { loadBert } from '../bert/weights.ts';
import { GlassbertError } from '../errors.ts';
import type { ModelFiles } from '../io/files.ts';
import { parseJson } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import type { LoadReport, WeightsReport } from '../io/load-report.ts';
import {
  type ModelDirectory,
  type ModuleEntry,
  notAModel,
  readFields,
  readModules,
  readSentenceConfig,
  readTokenizer,
  readTokenizerConfig,
  readTransformerConfig,
  SAVED,
  type TransformerFiles,
  VOCAB_TXT,
} from '../io/model-directory.ts';
import { INDEX, openWeights, SINGLE, type Weights } from '../io/weights.ts';
import {
  checkTokenizer,
  hasWeights,
  loadWeightedModule,
  plainModule,
  projects,
  reportWeights,
  warnOfUnused,
} from '../load-model.ts';
import { parsePoolingConfig } from '../pooling/pooling.ts';
import { decideSettings, type Settings } from '../settings.ts';
import { type Kernels, referenceKernels } from '../tensor/kernels.ts';
import { tokenizerOf } from '../text/load-tokenizer.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Findings } from './findings.ts';

/** What could be made of the directory; null where it could not. */
export interface CheckedModel {
  readonly layout: LoadReport['layout'] | null;
  readonly config: BertConfig | null;
  /** With the files of its tokenizer. */
  readonly transformer: TransformerFiles | null;
  readonly settings: Settings | null;
  readonly tokenizer: Tokenizer | null;
  readonly weights: readonly WeightsReport[];
  /** The width of the vectors. */
  readonly dimension: number | null;
  readonly sentenceTransformers: Fields;
}

/** What a directory of Sentence Transformers has beside modules.json and a bare one has not. */
const SIGNS_OF_MODULES = ['1_Pooling', SAVED, 'sentence_bert_config.json'];

export async function checkModel(files: ModelFiles, findings: Findings): Promise<CheckedModel> {
  const { present, transformerPath, pooling, after, whole } = await checkModules(files, findings);
  const path = transformerPath ?? (await defaultPath(files, findings));
  const listed = present && transformerPath === undefined;
  const { transformer, hasConfig, hasTokenizer } = await readTransformerFiles(files, path, listed, findings);
  const config = hasConfig ? await findings.attempt(() => parseBertConfig(transformer.config)) : undefined;
  const saved = present ? await findings.attempt(() => readFields(files, SAVED)) : undefined;
  const sentenceTransformers = saved ?? fields({}, files.pathOf(SAVED));
  await noteAbsent(files, path, present, findings);

  const described = { files, modules: pooling, transformer, sentenceTransformers, unread: [] };
  const settings = await checkSettings(described, config, !present, findings);
  const tokenizer = hasTokenizer ? await checkTokenizerOf(transformer, config, settings, findings) : undefined;
  if (transformer.config.has('auto_map')) {
    const message = 'config.json names code that comes with the model. It is not run.';
    findings.warn('W_CODE_IGNORED', 'incomplete', nameOf(path, 'config.json'), message);
  }

  const weights: WeightsReport[] = [];
  const encoder = await checkEncoderWeights(files, path, config, findings);
  if (encoder !== undefined) weights.push(encoder.report);

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
    dimension: D,
    sentenceTransformers,
  };
}

// Modules ---------------------------------------------------------------------------------------------------------------

interface CheckedModules {
  /** Whether there is a modules.json. */
  readonly present: boolean;
  readonly transformerPath?: string | undefined;
  /** The transformer and the pooling; nothing unless both are there. */
  readonly pooling: readonly ModuleEntry[];
  readonly after: readonly ModuleEntry[];
  /** Whether every module that is listed is there, so that what one gives is what the next one takes. */
  readonly whole: boolean;
}

async function checkModules(files: ModelFiles, findings: Findings): Promise<CheckedModules> {
  const present = (await findings.attempt(() => files.has('modules.json'))) ?? true;
  if (!present) {
    await explainAbsentModules(files, findings);
    return { present, pooling: [], after: [], whole: true };
  }
  const before = findings.counts.error;
  const modules = (await findings.attempt(() => readModules(files, findings.refuse))) ?? [];
  await findings.attempt(() => checkNumbers(files, findings));
  const transformer = modules.find(({ kind }) => kind === 'Transformer');
  const pooling = modules.find(({ kind }) => kind === 'Pooling');
  if (pooling !== undefined) await findings.attempt(() => parsePoolingConfig(pooling.config));
  return {
    present,
    transformerPath: transformer?.path,
    pooling: transformer && pooling ? [transformer, pooling] : [],
    after: modules.filter(module => module !== transformer && module !== pooling),
    whole: findings.counts.error === before,
  };
}

/** `idx` counts the modules; the reference library keeps them in a dictionary by `name`, where a second one replaces a first. */
async function checkNumbers(files: ModelFiles, findings: Findings): Promise<void> {
  const file = files.pathOf('modules.json');
  const entries = parseJson(await files.read('modules.json', 2 ** 20), file);
  if (!Array.isArray(entries)) return;
  const names = new Set<unknown>();
  for (const [i, entry] of entries.entries()) {
    const module = fields(entry, file, `[${i}]`);
    if (module.has('idx') && module.raw('idx') !== i) {
      const message = `"[${i}].idx" is ${String(module.raw('idx')).slice(0, 20)}, expected ${i}: the order of the file counts.`;
      findings.warn('W_MODULE_NUMBER', 'incomplete', 'modules.json', message);
    }
    const name = module.raw('name');
    if (name !== undefined && names.has(name)) {
      const message = `"[${i}].name" is that of an earlier module, which Python would then leave out.`;
      findings.warn('W_MODULE_NUMBER', 'incomplete', 'modules.json', message);
    }
    names.add(name);
  }
}

async function explainAbsentModules(files: ModelFiles, findings: Findings): Promise<void> {
  const names = (await findings.attempt(() => files.list())) ?? [];
  const sign = SIGNS_OF_MODULES.find(name => names.includes(name));
  if (sign === undefined) {
    if (!names.includes('config.json')) findings.refuse(await notAModel(files));
    return;
  }
  findings.refuse(
    new GlassbertError('E_FILE_MISSING', `the list of modules is not there, though ${sign} is`, {
      file: files.pathOf('modules.json'),
      hint: 'Without it the directory is taken for a bare one: mean pooling, no prompts. Copy the whole model directory.',
    }),
  );
}

async function checkModule(
  files: ModelFiles,
  entry: ModuleEntry,
  D: number | null,
  findings: Findings,
): Promise<{ outFeatures: number | null; report?: WeightsReport }> {
  const own = (key: string): number | null => {
    const value = entry.config.raw(key);
    return typeof value === 'number' ? value : null;
  };
  if (!hasWeights(entry)) {
    if (D !== null) await findings.attempt(() => plainModule(NO_MEMORY, entry, D));
    return { outFeatures: D };
  }
  // A width that is not known is taken to be the right one.
  const width = D ?? own(entry.kind === 'Dense' ? 'in_features' : 'dimension') ?? 0;
  const stated = own(entry.kind === 'Dense' ? 'out_features' : 'dimension');
  const opened = await findings.attempt(() => openWeights(files, entry.path, findings.refuse));
  try {
    await checkSource(files, entry.path, opened, findings);
    const weights = headersOf(opened) ?? NO_WEIGHTS;
    const module = await findings.attempt(() => loadWeightedModule(NO_MEMORY, entry, weights, width));
    if (!module || !opened) return { outFeatures: stated };
    warnOfUnused(module.unused, findings.warnAsLoading);
    return { outFeatures: module.outFeatures, report: reportWeights(opened, '', module.unused) };
  } finally {
    await opened?.close();
  }
}

// The transformer -------------------------------------------------------------------------------------------------------

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
    if (listed && !(await files.has(nameOf(path, 'config.json')))) return undefined;
    return readTransformerConfig(files, path);
  });
  const sentenceConfig = await findings.attempt(() => readSentenceConfig(files, path));
  const tokenizerConfig = await findings.attempt(() => readTokenizerConfig(files, path));
  const tokenizer = await findings.attempt(() => readTokenizer(files, path));
  const none = (name: string): Fields => fields({}, files.pathOf(nameOf(path, name)));
  const transformer = {
    path,
    config: config ?? none('config.json'),
    sentenceConfig: sentenceConfig ?? none('sentence_bert_config.json'),
    tokenizerConfig: {},
    tokenizerConfigName: nameOf(path, 'tokenizer_config.json'),
    ...tokenizerConfig,
    tokenizer: tokenizer ?? { file: files.pathOf(nameOf(path, 'tokenizer.json')), json: {} },
  };
  return { transformer, hasConfig: config !== undefined, hasTokenizer: tokenizer !== undefined };
}

/** Files that a model can do without, and what is taken instead of what they say. */
async function noteAbsent(files: ModelFiles, path: string, modules: boolean, findings: Findings): Promise<void> {
  const optional: [string, string][] = [
    [nameOf(path, 'tokenizer_config.json'), 'the longest input and the normalization come from the other files'],
  ];
  if (await findings.attempt(() => files.has(nameOf(path, VOCAB_TXT)))) {
    optional.push([nameOf(path, 'tokenizer.json'), `the tokenizer is made of ${VOCAB_TXT}`]);
  }
  if (modules) {
    optional.push(
      [nameOf(path, 'sentence_bert_config.json'), 'the longest input comes from the other files'],
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
 */
async function checkSettings(
  described: ModelDirectory,
  config: BertConfig | undefined,
  bare: boolean,
  findings: Findings,
): Promise<Settings | undefined> {
  const { modules, transformer, sentenceTransformers } = described;
  // Said better where modules.json should be there, and no news where it is broken.
  const isBare = bare && config !== undefined && !findings.has('modules.json');
  const decide = (directory: ModelDirectory): Settings => {
    const known = config === undefined ? { ...directory, modules: [] } : directory;
    return decideSettings(known, config ?? UNKNOWN, {}, warning => {
      if (warning.code !== 'W_BARE_DIRECTORY' || isBare) findings.warnAsLoading(warning);
    });
  };
  const settings = await findings.attempt(() => decide(described));
  const decided = config !== undefined && (isBare || modules.length > 0);
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
  const tokenizer = await findings.attempt(() => tokenizerOf(transformer, lower, length));
  if (tokenizer === undefined || config === undefined) return tokenizer;
  const before = findings.counts.error;
  await findings.attempt(() => checkTokenizer(tokenizer, config, transformer.tokenizer.file));
  const spare = config.vocab_size - tokenizer.vocabSize;
  if (spare > 0 && findings.counts.error === before) {
    const message = `The embedding table has ${spare} more rows than the tokenizer has ids; they are never used.`;
    findings.note('W_VOCABULARY_PADDED', 'incomplete', nameOf(transformer.path, 'config.json'), message);
  }
  return tokenizer;
}

/** To check a tokenizer whose length is not known: BERT's own. */
const SOME_LENGTH = 512;

// Weights ---------------------------------------------------------------------------------------------------------------

async function checkEncoderWeights(
  files: ModelFiles,
  path: string,
  config: BertConfig | undefined,
  findings: Findings,
): Promise<{ report: WeightsReport; projected: boolean } | undefined> {
  const opened = await findings.attempt(() => openWeights(files, path, findings.refuse));
  try {
    const whole = await checkSource(files, path, opened, findings);
    const weights = whole ? headersOf(opened) : undefined;
    if (!weights || !config) {
      const why = weights ? 'the architecture is not known' : 'weights are missing or cannot be read';
      const message = `The tensors were not compared with the configuration, as ${why}.`;
      findings.note('W_NOT_CHECKED', 'incomplete', nameOf(path, SINGLE), message);
      if (config && !opened?.files.length) noteSize(path, config, findings);
      return weights && { report: reportWeights(weights, '', []), projected: false };
    }
    const bert = await findings.attempt(() => loadBert(weights, config, NO_MEMORY));
    if (bert === undefined) return { report: reportWeights(weights, '', []), projected: false };
    warnOfUnused(bert.unused, findings.warnAsLoading);
    const projected = bert.weights.encode_proj !== null;
    return { report: reportWeights(weights, bert.prefix, bert.unused), projected };
  } finally {
    await opened?.close();
  }
}

/** So that who looks for the file knows it when he sees it. */
function noteSize(path: string, config: BertConfig, findings: Findings): void {
  const parameters = parametersOf(config);
  const megabytes = (bytes: number): string => `${((parameters * bytes) / 1e6).toFixed(1)} MB`;
  const count = parameters.toLocaleString('en-US');
  const message = `The configuration is of an encoder with ${count} parameters: ${megabytes(4)} in F32, ${megabytes(2)} in F16 or BF16.`;
  findings.note('W_WEIGHTS_EXPECTED', 'incomplete', nameOf(path, SINGLE), message);
}

/** All that bert/weights.ts takes: three tables and a LayerNorm; per layer 4 + 2 linear layers with bias and 2 LayerNorms. */
export function parametersOf(config: BertConfig): number {
  const { hidden_size: D, intermediate_size: F, num_hidden_layers: L, projection_dim: P } = config;
  const tables = (config.vocab_size + config.max_position_embeddings + config.type_vocab_size) * D + 2 * D;
  const layer = 4 * (D * D + D) + (F * D + F) + (D * F + D) + 2 * 2 * D;
  return tables + L * layer + (config.model_type === 'dpr' && P > 0 ? P * D + P : 0);
}

/**
 * One source of weights, and an index that counts its bytes right.
 *
 * @returns whether every file of it could be opened
 */
async function checkSource(
  files: ModelFiles,
  path: string,
  weights: Weights | undefined,
  findings: Findings,
): Promise<boolean> {
  if (weights === undefined) return false;
  if (weights.index === undefined) {
    const index = nameOf(path, INDEX);
    if (await findings.attempt(() => files.has(index))) {
      const message = `It is ignored, as ${SINGLE} is there too and comes first, here as in transformers.`;
      findings.warn('W_WEIGHTS_TWICE', 'incomplete', index, message, 'Remove the one that is not wanted.');
    }
    return weights.files.length > 0;
  }
  const map = weights.index.object('weight_map');
  const listed = new Set(map.keys.map(tensor => map.string(tensor)));
  if (weights.files.length < listed.size) return false;

  // Old versions of transformers counted shared tensors twice, so a wrong sum is no proof of a wrong file.
  const metadata = weights.index.raw('metadata');
  const stated = typeof metadata === 'object' && 'total_size' in metadata ? metadata.total_size : undefined;
  let bytes = 0;
  for (const { byteLength } of weights.tensors.values()) bytes += byteLength;
  if (typeof stated === 'number' && stated !== bytes) {
    const message = `"metadata.total_size" is ${stated}, the tensors have ${bytes} bytes.`;
    findings.warn('W_TOTAL_SIZE', 'incomplete', nameOf(path, INDEX), message, 'Copy index and shards again, together.');
  }
  return true;
}

/** The tensors' names, shapes and dtypes; to read them gives nothing. */
function headersOf<Opened extends Weights | undefined>(weights: Opened): Opened {
  return weights && { ...weights, readFloats: async () => {} };
}

const NO_WEIGHTS: Weights = {
  files: [],
  file: '',
  tensors: new Map(),
  refuse: () => {}, // that they are missing has been said
  fileOf: () => '',
  readFloats: async () => {},
  close: async () => {},
};

const NOTHING = new Float32Array(0);

/** For plans that are made and not carried out. */
const NO_MEMORY: Kernels = { ...referenceKernels, name: 'none', floats: () => NOTHING };

function nameOf(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
