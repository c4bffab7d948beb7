/**
 * The settings of a model, each with what decided it. A directory states some of them in several files, which often
 * disagree; the order of rank is that of sentence-transformers 6, with the caller's options before it.
 */
import { relative } from 'node:path';
import type { BertConfig } from './bert/config.ts';
import { GlassbertError } from './errors.ts';
import { quote } from './io/json.ts';
import { type Fields, fields } from './io/json-fields.ts';
import {
  type DtypeReport,
  decide,
  type LoadReport,
  type Setting,
  type Source,
  type Warning,
} from './io/load-report.ts';
import type { ModelDirectory } from './io/model-directory.ts';
import { areModes, POOLING_MODES, type PoolingMode, parsePoolingConfig } from './pooling/pooling.ts';
import { SIMILARITY_NAMES, type SimilarityName } from './pooling/similarity.ts';
import { decideMaxLength } from './text/max-length.ts';
import { OVERWRITTEN_ARGUMENTS } from './text/tokenizer-arguments.ts';

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
  // Python makes the modules anew on null as on another name, with the mean for a pooling.
  saved.neverNull(['model_type']);
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

/** What Python may be told in sentence_bert_config.json, and is the same here whatever it says: how the sum is computed, and where. */
const HARMLESS_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  model: ['dtype', 'torch_dtype', 'attn_implementation', 'low_cpu_mem_usage', 'device_map', 'add_pooling_layer'],
  config: ['attn_implementation', 'dtype', 'torch_dtype'],
};

/** All keys that sentence-transformers 6 takes; it fails on others. */
const SENTENCE_CONFIG_KEYS = [
  ...['max_seq_length', 'do_lower_case', 'transformer_task', 'modality_config', 'module_output_name', 'unpad_inputs'],
  ...['model_args', 'model_kwargs', 'tokenizer_args', 'processor_kwargs', 'config_args', 'config_kwargs'],
  ...['processing_kwargs', 'query_length', 'document_length', 'query_expansion', 'tokenizer_name_or_path'],
];

/**
 * sentence_bert_config.json may change what the transformer computes or returns. What is not supported is refused unless it
 * says what is done anyway. The arguments of the tokenizer are looked at where it is made (text/tokenizer-arguments.ts).
 */
function checkSentenceConfig(config: Fields): void {
  const refuse = (key: string, details: { expected?: string; found?: string } = {}): GlassbertError =>
    new GlassbertError('E_CONFIG', `"${key}" is not supported`, { file: config.file, ...details });
  const only = (fields: Fields, key: string, value: string): void => {
    fields.string(key, { oneOf: [value], default: value });
  };
  config.only(SENTENCE_CONFIG_KEYS);
  config.neverNull(['transformer_task']);
  only(config, 'transformer_task', 'feature-extraction');
  only(config, 'module_output_name', 'token_embeddings');
  if (config.has('modality_config')) {
    const modalities = config.object('modality_config');
    // With it Python puts every text into the chat template, as the message of a user.
    if (modalities.keys.includes('message')) throw refuse('modality_config', { found: '"message"' });
    const text = modalities.object('text');
    only(text, 'method', 'forward');
    only(text, 'method_output_name', 'last_hidden_state');
  }
  const inner: readonly [key: string, harmless: readonly string[]][] = [
    ['model_args', HARMLESS_ARGUMENTS.model],
    ['model_kwargs', HARMLESS_ARGUMENTS.model],
    ['config_args', HARMLESS_ARGUMENTS.config],
    ['config_kwargs', HARMLESS_ARGUMENTS.config],
    // Those of other kinds of input do not matter to texts.
    ['processing_kwargs', ['chat_template', 'audio', 'image', 'video']],
  ];
  for (const [key, harmless] of inner) {
    if (!config.has(key)) continue;
    const given = config.object(key);
    const changed = given.keys.filter(
      name => given.has(name) && !harmless.includes(name) && !OVERWRITTEN_ARGUMENTS.includes(name),
    );
    if (changed.length === 0) continue;
    throw refuse(key, { found: changed.slice(0, 5).map(quote).join(', ') });
  }
  // A length of 0 is one: Python then cuts every query to nothing.
  for (const key of ['query_length', 'document_length', 'query_expansion', 'tokenizer_name_or_path']) {
    if (config.has(key)) throw refuse(key, { expected: 'null' });
  }
}

/**
 * What attention costs to compute the tokens of a prompt, in scores: layers × heads × tokens². 2.5e8 take some 5 seconds by the
 * slowest loop (20 ns each, Node 24, x64). As many tokens as an ordinary text has are never too many.
 */
const MAX_PROMPT_SCORES = 2.5e8;
const ORDINARY_TOKENS = 512;

/**
 * The author of a model writes its prompts and says how long a text may be: a short text must not cost hours because of them.
 *
 * @param tokensOf - how many tokens a text has, special ones included, cut where the model cuts it
 * @throws E_CONFIG when a prompt is out of all proportion
 */
export function checkPrompts(
  { prompts }: Pick<Settings, 'prompts'>,
  { num_hidden_layers: L, num_attention_heads: H }: Pick<BertConfig, 'num_hidden_layers' | 'num_attention_heads'>,
  tokensOf: (text: string) => number,
): void {
  const most = Math.max(ORDINARY_TOKENS, Math.floor(Math.sqrt(MAX_PROMPT_SCORES / Math.max(1, L * H))));
  for (const [name, prompt] of Object.entries(prompts.value)) {
    if (prompt.length + 2 <= most) continue; // a token has a character at least
    const tokens = tokensOf(prompt);
    if (tokens <= most) continue;
    throw new GlassbertError('E_CONFIG', `the prompt ${quote(name)} is too long to be computed with every text`, {
      file: 'file' in prompts.from ? prompts.from.file : undefined,
      expected: `at most ${most} tokens, for ${L} layers of ${H} heads`,
      found: `${tokens}`,
    });
  }
}

/** What torch computes models in, by all of its names. */
const TORCH_NAMES: ReadonlyMap<string, string> = new Map([
  ...['float16', 'bfloat16', 'float32', 'float64'].map(name => [name, name] as const),
  ...([
    ['half', 'float16'],
    ['float', 'float32'],
    ['double', 'float64'],
  ] as const),
]);

const TORCH_DTYPE: Readonly<Record<string, string>> = {
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
  F64: 'float64',
};

/**
 * What Python computes in. Since transformers 5 that is the first that is stated of: the arguments in sentence_bert_config.json,
 * `dtype` of config.json, its older `torch_dtype`; and otherwise what the tensors are stored in. Here the kernels alone decide:
 * to widen the stored numbers to f32 is exact, and to round every intermediate value to 16 bits is no part of the model.
 *
 * @param stored - the dtype of the first tensor of floats
 */
export function decideDtype(
  { transformer, files }: Pick<ModelDirectory, 'transformer' | 'files'>,
  stored: string | undefined,
  here: DtypeReport['here'],
): DtypeReport {
  const { config, sentenceConfig, path } = transformer;
  const nameOf = (file: Fields): string => relative(files.directory, file.file);
  const stated = (file: Fields, key: string, where = key) => {
    const value = file.raw(key);
    const given = typeof value === 'string' && value !== 'auto' ? value : undefined;
    return { value: given, from: { file: nameOf(config), key: where } };
  };
  const args = ['model_kwargs', 'model_args']
    .filter(key => sentenceConfig.has(key))
    .flatMap(key =>
      ['dtype', 'torch_dtype'].map(name => ({
        ...stated(sentenceConfig.object(key), name),
        from: { file: nameOf(sentenceConfig), key: `${key}.${name}` },
      })),
    );
  const weights = TORCH_DTYPE[stored ?? ''] ?? 'float32';
  const { value: name, from } = decide([...args, stated(config, 'dtype'), stated(config, 'torch_dtype')], {
    value: weights,
    from: { default: `the weights${path === '' ? '' : ` in ${path}`} are ${stored ?? 'not known'}` },
  });
  const known = TORCH_NAMES.get(name);
  const python = known ?? name;
  if (known === undefined) {
    const note = `${quote(name)} is no dtype that torch computes a model in: Python fails on it. The numbers here are of ${here}.`;
    return { here, python, from, note };
  }
  const note =
    python === here
      ? null
      : `sentence-transformers computes this model in ${python}. For the numbers that are given here pass it ` +
        `model_kwargs={"dtype": torch.${here}}.`;
  return { here, python, from, note };
}

/** Since sentence-transformers 5.0 there are always a query and a document prompt, if only empty ones. */
function readPrompts(saved: Fields): Readonly<Record<string, string>> {
  const file = saved.object('prompts');
  const prompts: Record<string, string> = Object.assign(Object.create(null), { query: '', document: '' });
  for (const name of file.keys) prompts[name] = file.string(name, { default: '' });
  return prompts;
}

function decidePooling(
  { modules, files, transformer }: ModelDirectory,
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
  const entry = modules[1];
  const mode = entry === undefined ? bareMode(transformer.config) : 'mean';
  const byDefault = { value: [mode], from: { default: 'there is no modules.json' } };
  if (entry === undefined) {
    if (chosen === undefined) warn(bareDirectory(files.directory, config, mode));
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

/** Without modules.json the reference library takes the mean, and of a causal language model the last token. */
function bareMode(config: Fields): PoolingMode {
  const [architecture] = config.array('architectures', { default: [] });
  const causal = typeof architecture === 'string' && architecture.endsWith('ForCausalLM');
  // Null is false there; true is refused with the rest of config.json.
  return causal && !config.keys.includes('is_causal') ? 'lasttoken' : 'mean';
}

/** In the words of the reference library, then what they mean. */
function bareDirectory(directory: string, config: Pick<BertConfig, 'model_type'>, mode: PoolingMode): Warning {
  const dpr =
    ' DPR itself takes the first token: load with pooling "cls", which is what it computes, or use the converted model ' +
    '(published as sentence-transformers/facebook-dpr-*).';
  return {
    code: 'W_BARE_DIRECTORY',
    message:
      `No modules.json found for ${directory}, initializing a new SentenceTransformer model: with ${mode} pooling. ` +
      'If the model was trained with another pooling, its vectors are wrong and nothing else will show it: copy modules.json ' +
      `and 1_Pooling from where the model was published, or state the pooling.${config.model_type === 'dpr' ? dpr : ''}`,
  };
}
