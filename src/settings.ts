/**
 * The settings of a model, each with what decided it. A directory states some of them in several files, which often
 * disagree; the order of rank is that of sentence-transformers 6, with the caller's options before it.
 */
import { relative } from 'node:path';
import type { BertConfig } from './bert/config.ts';
import { GlassbertError } from './errors.ts';
import { type Fields, fields } from './io/json-fields.ts';
import { decide, type LoadReport, type Setting, type Source, type Warning } from './io/load-report.ts';
import type { ModelDirectory } from './io/model-directory.ts';
import { areModes, POOLING_MODES, type PoolingMode, parsePoolingConfig } from './pooling/pooling.ts';
import { SIMILARITY_NAMES, type SimilarityName } from './pooling/similarity.ts';
import { decideMaxLength } from './text/max-length.ts';

/** What the caller may decide instead of the files. */
export interface SettingOptions {
  /** Overrides the pooling that the model's files state. */
  readonly pooling?: PoolingMode | readonly PoolingMode[];
  /** Overrides the longest input, in tokens, special ones included. */
  readonly maxSeqLength?: number;
}

/** The settings of the load report, with the types that only this rung knows. */
export type Settings = LoadReport['settings'] & {
  readonly pooling: Setting<readonly PoolingMode[]>;
  readonly similarityFnName: Setting<SimilarityName>;
};

/**
 * @param warn - receives what the caller should know
 * @throws E_CONFIG, E_MODULE, E_ARGUMENT
 */
export function decideSettings(
  directory: ModelDirectory,
  config: Pick<BertConfig, 'hidden_size' | 'model_type'>,
  options: SettingOptions,
  warn: (warning: Warning) => void,
): Settings {
  const { sentenceTransformers: saved, transformer, modules } = directory;
  checkSentenceConfig(transformer.sentenceConfig);
  // What is saved is a model of another class of the library where this says so.
  saved.string('model_type', { oneOf: ['SentenceTransformer'], default: 'SentenceTransformer' });
  const at = (file: Fields, key: string): Source => ({ file: relative(directory.files.directory, file.file), key });

  /** A setting that one file alone can state. */
  const single = <Value>(file: Fields, key: string, read: () => Value, fallback: Value): Setting<Value> =>
    decide([{ value: file.has(key) ? read() : undefined, from: at(file, key) }], {
      value: fallback,
      from: { default: 'no file states it' },
    });

  const prompts = single(saved, 'prompts', () => readPrompts(saved), { query: '', document: '' });
  const pooling = modules[1]?.config ?? fields({}, directory.files.pathOf('1_Pooling/config.json'));
  return {
    maxSeqLength: decideMaxLength(directory, options.maxSeqLength, warn),
    doLowerCase: single(
      transformer.sentenceConfig,
      'do_lower_case',
      () => transformer.sentenceConfig.boolean('do_lower_case'),
      false,
    ),
    pooling: decidePooling(directory, config, options, at, warn),
    includePrompt: single(pooling, 'include_prompt', () => pooling.boolean('include_prompt'), true),
    prompts,
    defaultPromptName: single(
      saved,
      'default_prompt_name',
      () => saved.string('default_prompt_name', { oneOf: Object.keys(prompts.value) }),
      null,
    ),
    similarityFnName: single(
      saved,
      'similarity_fn_name',
      () => saved.string('similarity_fn_name', { oneOf: SIMILARITY_NAMES }) as SimilarityName,
      'cosine',
    ),
    truncateDim: single(saved, 'truncate_dim', () => saved.integer('truncate_dim', { min: 1, max: 65536 }), null),
  };
}

/**
 * sentence_bert_config.json may change what the transformer computes or returns. What is not supported is refused unless it
 * says what is done anyway.
 */
function checkSentenceConfig(config: Fields): void {
  const only = (fields: Fields, key: string, value: string): void => {
    fields.string(key, { oneOf: [value], default: value });
  };
  only(config, 'transformer_task', 'feature-extraction');
  only(config, 'module_output_name', 'token_embeddings');
  if (config.has('modality_config')) {
    const text = config.object('modality_config').object('text');
    only(text, 'method', 'forward');
    only(text, 'method_output_name', 'last_hidden_state');
  }
  for (const key of ['config_args', 'config_kwargs', 'processing_kwargs']) {
    const changed = config.has(key) ? config.object(key).keys : [];
    if (changed.length === 0) continue;
    throw new GlassbertError('E_CONFIG', `"${key}" is not supported`, {
      file: config.file,
      found: changed.slice(0, 5).join(', '),
    });
  }
  for (const key of ['query_length', 'document_length', 'query_expansion']) {
    if (!config.raw(key)) continue;
    throw new GlassbertError('E_CONFIG', `"${key}" is not supported`, { file: config.file, expected: 'null' });
  }
}

/** Since sentence-transformers 5.0 there are always a query and a document prompt, if only empty ones. */
function readPrompts(saved: Fields): Readonly<Record<string, string>> {
  const file = saved.object('prompts');
  const prompts: Record<string, string> = Object.assign(Object.create(null), { query: '', document: '' });
  for (const name of file.keys) prompts[name] = file.string(name, { default: '' });
  return prompts;
}

function decidePooling(
  { modules, files }: ModelDirectory,
  config: Pick<BertConfig, 'hidden_size' | 'model_type'>,
  options: SettingOptions,
  at: (file: Fields, key: string) => Source,
  warn: (warning: Warning) => void,
): Setting<readonly PoolingMode[]> {
  const chosen = options.pooling === undefined ? undefined : [options.pooling].flat();
  if (chosen !== undefined && !areModes(chosen)) {
    throw new GlassbertError('E_ARGUMENT', 'pooling has an unknown value', {
      expected: POOLING_MODES.join(', '),
      found: String(options.pooling),
    });
  }
  const byOption = { value: chosen, from: { option: 'pooling' } };
  const byDefault = { value: ['mean'] as const, from: { default: 'there is no modules.json' } };
  const entry = modules[1];
  if (entry === undefined) {
    if (chosen === undefined) warn(bareDirectory(files.directory, config));
    return decide<readonly PoolingMode[]>([byOption], byDefault);
  }

  const saved = parsePoolingConfig(entry.config);
  if (saved.dimension !== null && saved.dimension !== config.hidden_size) {
    throw new GlassbertError('E_MODULE', 'the pooling is for token vectors of another width', {
      file: entry.config.file,
      expected: `${config.hidden_size}, the "hidden_size" of the transformer`,
      found: `${saved.dimension}`,
    });
  }
  return decide<readonly PoolingMode[]>(
    [byOption, { value: saved.modes, from: at(entry.config, saved.key) }],
    byDefault,
  );
}

/** In the words of the reference library, then what they mean. */
function bareDirectory(directory: string, config: Pick<BertConfig, 'model_type'>): Warning {
  const dpr =
    ' DPR itself takes the first token: load with pooling "cls", which is what it computes, or use the converted model ' +
    '(published as sentence-transformers/facebook-dpr-*).';
  return {
    code: 'W_BARE_DIRECTORY',
    message:
      `No sentence-transformers model found with name ${directory}. Creating a new one with mean pooling. ` +
      'If the model was trained with another pooling, its vectors are wrong and nothing else will show it: copy modules.json ' +
      `and 1_Pooling from where the model was published, or state the pooling.${config.model_type === 'dpr' ? dpr : ''}`,
  };
}
