/**
 * From a path to a checked description of the model directory: which layout it has, which modules in which order, the
 * configuration files of each, opened once through the door of files.ts and parsed strictly. No weights are read here.
 *
 * Layouts (research by tags of sentence-transformers, v0.3.9 to v6.0):
 *   v0.3.9 - v1.2   modules.json; the transformer in 0_Transformer/; the root config.json is only a version number
 *   v2.0 - v5.3     modules.json; the transformer in the root; type strings sentence_transformers.models.*
 *   v5.4 - v6       the same with type strings by package path and other keys
 *   none            a bare Hugging Face directory: config.json and weights, no modules.json
 */
import { GlassbertError, type Refuse, refuseFirst } from '../errors.ts';
import { findAdapter, refuseAdapter } from './adapters.ts';
import { type ModelFiles, nameIn, openModelFiles, plainName } from './files.ts';
import { type Json, type JsonLimits, type JsonObject, parseJson, quote } from './json.ts';
import { asObject, type Fields, fields } from './json-fields.ts';

const MODULE_KINDS = ['Transformer', 'Pooling', 'Dense', 'LayerNorm', 'Normalize', 'Dropout'] as const;

type ModuleKind = (typeof MODULE_KINDS)[number];

export interface ModuleEntry {
  readonly kind: ModuleKind;
  /** As in modules.json. */
  readonly type: string;
  /** Its directory inside the model's: '' for the root. */
  readonly path: string;
  /** Its config.json, without fields where the file is absent. */
  readonly config: Fields;
}

export interface ModelDirectory {
  readonly files: ModelFiles;
  /** In the order of execution, the transformer first; empty for a bare directory. */
  readonly modules: readonly ModuleEntry[];
  readonly transformer: TransformerFiles;
  /** config_sentence_transformers.json, without fields where the file is absent or not read. */
  readonly sentenceTransformers: Fields;
  /** Files that are there and, as in the reference library, not read. */
  readonly unread: readonly string[];
}

/** The files of the transformer module. */
export interface TransformerFiles {
  readonly path: string;
  readonly config: Fields;
  /** sentence_bert_config.json or one of its siblings; without fields where there is none. */
  readonly sentenceConfig: Fields;
  readonly tokenizerConfig: JsonObject;
  readonly tokenizerConfigName: string;
  readonly tokenizer: { readonly file: string } & (
    | { readonly json: JsonObject }
    | { readonly vocab: string; readonly addedTokens: JsonObject }
  );
}

/** Prompts and settings of the whole model. */
export const SAVED = 'config_sentence_transformers.json';

export const VOCAB_TXT = 'vocab.txt';

/**
 * Genuine files reach 4 MB: 60,000 labels in config.json, 8,000 added tokens in tokenizer_config.json. What a larger one could
 * hold is bounded by the reader of JSON.
 */
export const MAX_CONFIG_BYTES = 16 * 2 ** 20;

/** Values of a configuration file; 60,000 labels stand in it twice. */
const MAX_CONFIG_VALUES = 500_000;

/** modules.json and the configurations of modules have some hundred bytes; prompts have a few thousand. */
const MAX_MODULE_BYTES = 2 ** 20;
const MAX_TOKENIZER_BYTES = 64 * 2 ** 20; // the largest genuine tokenizer.json have 35 MB
const MAX_VOCAB_BYTES = 16 * 2 ** 20; // vocab.txt of multilingual BERT has 1 MB
const MAX_MODULES = 16;

/** The names sentence-transformers looks for, in its order; the class of 2019 named the file. */
const SENTENCE_CONFIGS = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  name => `sentence_${name}_config.json`,
);

/** Both generations of type strings: sentence_transformers.models.X, and the packages since 5.4. */
const MODULE_TYPE =
  /^sentence_transformers\.(?:models|(?:base|sentence_transformer)\.modules\.[a-z_]+)\.(?:[A-Za-z_]+\.)?([A-Za-z]+)$/;

/** @throws E_FILE_MISSING, E_JSON, E_CONFIG, E_MODULE, E_PATH_UNSAFE and the errors of reading a file */
export async function describeDirectory(files: ModelFiles): Promise<ModelDirectory> {
  await refuseAdapter(files, '');
  const modules = (await files.has('modules.json')) ? await readModules(files) : [];
  if (modules.length === 0 && !(await files.has('config.json'))) throw await notAModel(files);
  const path = modules[0]?.path ?? '';
  const config = modules[0]?.config ?? (await readTransformerConfig(files, path));
  const transformer = await readTransformer(files, path, config);
  if (modules.length > 0) {
    return { files, modules, transformer, sentenceTransformers: await readFields(files, SAVED), unread: [] };
  }
  const unread: string[] = [];
  for (const name of [SAVED, ...SENTENCE_CONFIGS]) if (await files.has(name)) unread.push(name);
  return { files, modules, transformer, sentenceTransformers: fields({}, files.pathOf(SAVED)), unread };
}

/** The transformer module alone, which need not have a config.json: enough for its tokenizer. */
export async function describeTransformer(directory: string): Promise<Pick<ModelDirectory, 'files' | 'transformer'>> {
  const files = await openModelFiles(directory);
  const modules = (await files.has('modules.json')) ? await readModules(files) : [];
  return { files, transformer: await readTransformer(files, modules[0]?.path ?? '', modules[0]?.config) };
}

/**
 * @param refuse - takes what is wrong with single modules; the others are returned
 * @throws E_JSON, E_MODULE
 */
export async function readModules(files: ModelFiles, refuse: Refuse = refuseFirst): Promise<ModuleEntry[]> {
  const file = files.pathOf('modules.json');
  const entries = parseJson(await files.read('modules.json', MAX_MODULE_BYTES), file);
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > MAX_MODULES) {
    throw new GlassbertError('E_MODULE', 'the file does not list the modules of a model', {
      file,
      expected: `an array of 1 to ${MAX_MODULES} modules`,
      found: Array.isArray(entries) ? `${entries.length} entries` : 'no array',
    });
  }
  const modules: ModuleEntry[] = [];
  const names = new Set<Json>();
  for (const [i, entry] of entries.entries()) {
    const module = await readModule(files, entry, i, file, names).catch(refuse);
    if (module) modules.push(module);
  }
  if (entries.length < 2) {
    const expected = 'Transformer, Pooling';
    refuse(new GlassbertError('E_MODULE', 'there is no pooling among the modules', { file, expected }));
  }
  return modules;
}

/** @param names - of the modules before this one, to which it adds its own */
async function readModule(
  files: ModelFiles,
  entry: Json,
  i: number,
  file: string,
  names: Set<Json>,
): Promise<ModuleEntry> {
  const module = fields(entry, file, `[${i}]`);
  const name = module.raw('name');
  if (name !== undefined && names.has(name)) {
    throw new GlassbertError('E_MODULE', `"[${i}].name" is that of an earlier module, which Python would leave out`, {
      file,
      found: JSON.stringify(name).slice(0, 80),
      hint: 'Give each module a name of its own, or remove the one that is not wanted.',
    });
  }
  if (name !== undefined) names.add(name);
  const type = module.string('type');
  const kind = kindOf(type, file);
  if ((kind === 'Transformer') !== (i === 0) || (kind === 'Pooling') !== (i === 1)) {
    throw new GlassbertError('E_MODULE', 'the modules stand in an order that gives no sentence vectors', {
      file,
      expected: 'Transformer, Pooling, then any of Dense, LayerNorm, Normalize, Dropout',
      found: `${kind} in place ${i}`,
    });
  }
  const path = plainName(module.string('path'), file);
  if (i > 0 && path === '') {
    throw new GlassbertError('E_MODULE', `the module ${kind} has no directory of its own`, { file });
  }
  if (kind === 'Transformer') await refuseAdapter(files, path);
  // Normalize and Dropout need no configuration, and git does not keep the empty directory of Normalize.
  if (kind !== 'Normalize' && kind !== 'Dropout') {
    await require(files, path, 'config.json', `the configuration of the module ${kind} is not there`);
  }
  const config = await (kind === 'Transformer'
    ? readTransformerConfig(files, path)
    : readFields(files, nameIn(path, 'config.json'), MAX_MODULE_BYTES));
  return { kind, type, path, config };
}

function kindOf(type: string, file: string): ModuleKind {
  const name = MODULE_TYPE.exec(type)?.[1];
  const kind = MODULE_KINDS.find(kind => kind === name);
  if (kind !== undefined) return kind;
  throw new GlassbertError('E_MODULE', 'a module of this type is not supported', {
    file,
    expected: MODULE_KINDS.join(', '),
    found: quote(type),
    hint:
      name === undefined
        ? 'It would run code that comes with the model; only modules of sentence-transformers itself are known.'
        : undefined,
  });
}

async function readTransformer(files: ModelFiles, path: string, config?: Fields): Promise<TransformerFiles> {
  return {
    path,
    config: config ?? (await readFields(files, nameIn(path, 'config.json'))),
    sentenceConfig: await readSentenceConfig(files, path),
    ...(await readTokenizerConfig(files, path)),
    tokenizer: await readTokenizer(files, path),
  };
}

/** @throws E_FILE_MISSING; E_MODULE where there is an adapter; E_CONFIG for the configuration of something else; as readFields */
export async function readTransformerConfig(files: ModelFiles, path: string): Promise<Fields> {
  await refuseAdapter(files, path);
  await require(files, path, 'config.json', 'the configuration of the transformer is not there');
  const config = await readFields(files, nameIn(path, 'config.json'));
  refuseOtherConfig(config);
  return config;
}

const mixedUp = (path: string): string =>
  `An upload that flattens directories, as GitHub's web page does, puts ${path}/config.json in its place: get config.json and ` +
  `${path}/config.json again. Or this is the directory of a module: give the one above it.`;

/** Configurations that were found in the place of the transformer's: a key that only they have, what they are, and what to do. */
const OTHER_CONFIGS: readonly [key: RegExp, what: string, hint: string][] = [
  [/^pooling_mode|^(word_)?embedding_dimension$/, 'a Pooling module', mixedUp('1_Pooling')],
  [/^(in_features|out_features)$/, 'a Dense module', mixedUp('2_Dense')],
  [/^dimension$/, 'a LayerNorm module', mixedUp('3_LayerNorm')],
  [/^(prompts|similarity_fn_name)$/, 'the whole model', `It belongs in ${SAVED}: get config.json again.`],
  [
    /^(max_seq_length|do_lower_case)$/,
    'a Transformer module',
    'It belongs in sentence_bert_config.json: get config.json again.',
  ],
  [
    /^(model_max_length|tokenizer_class|cls_token)$/,
    'a tokenizer',
    'It belongs in tokenizer_config.json: get config.json again.',
  ],
  [
    /^peft_type$/,
    'an adapter',
    'It belongs in adapter_config.json, and an adapter must be merged into its base model first.',
  ],
  [
    /^__version__$/,
    'a directory of sentence-transformers 0.2 to 1.2',
    'There the model lies in 0_Transformer/: copy modules.json and the subdirectories too.',
  ],
];

/** @throws E_CONFIG when the file is of something else than a transformer */
function refuseOtherConfig(config: Fields): void {
  if (['model_type', 'architectures', 'hidden_size'].some(config.has)) return;
  const other = OTHER_CONFIGS.find(([pattern]) => config.keys.some(key => pattern.test(key)));
  if (other === undefined) return;
  const [pattern, what, hint] = other;
  throw new GlassbertError('E_CONFIG', `this is the configuration of ${what}, not that of the transformer`, {
    file: config.file,
    expected: '"model_type", "hidden_size" and so on',
    found: config.keys
      .filter(key => pattern.test(key))
      .slice(0, 3)
      .map(quote)
      .join(', '),
    hint,
  });
}

/**
 * sentence_bert_config.json, or the first of its siblings that states anything. Without modules.json none is read:
 * sentence-transformers 6 then makes its modules anew.
 */
export async function readSentenceConfig(files: ModelFiles, path: string): Promise<Fields> {
  const none = fields({}, files.pathOf(nameIn(path, SENTENCE_CONFIGS[0])));
  if (!(await files.has('modules.json'))) return none;
  for (const name of SENTENCE_CONFIGS) {
    if (!(await files.has(nameIn(path, name)))) continue;
    const config = await readFields(files, nameIn(path, name), MAX_MODULE_BYTES);
    if (config.keys.length > 0) return config;
  }
  return none;
}

/** Python writes "no limit" as 10^30, an integer no double holds. */
export async function readTokenizerConfig(
  files: ModelFiles,
  path: string,
): Promise<Pick<TransformerFiles, 'tokenizerConfig' | 'tokenizerConfigName'>> {
  const name = nameIn(path, 'tokenizer_config.json');
  const there = await files.has(name);
  const tokenizerConfig = there ? await readObject(files, name, MAX_CONFIG_BYTES, { numbers: 'rounded' }) : {};
  return { tokenizerConfig, tokenizerConfigName: name };
}

/** @throws E_FILE_MISSING, E_JSON, E_CONFIG, E_TOKENIZER */
export async function readTokenizer(files: ModelFiles, path: string): Promise<TransformerFiles['tokenizer']> {
  const jsonName = nameIn(path, 'tokenizer.json');
  if (await files.has(jsonName)) {
    return {
      file: files.pathOf(jsonName),
      json: await readObject(files, jsonName, MAX_TOKENIZER_BYTES, { table: 'model.vocab' }),
    };
  }
  if (await files.has(nameIn(path, VOCAB_TXT))) return readVocabTxt(files, path);
  throw new GlassbertError('E_FILE_MISSING', 'the tokenizer is not there', {
    file: files.pathOf(jsonName),
    expected: 'tokenizer.json, or vocab.txt',
    hint: 'Copy the whole model directory.',
  });
}

/** vocab.txt, and added_tokens.json with the tokens that it lacks. */
export async function readVocabTxt(
  files: ModelFiles,
  path: string,
): Promise<{ readonly file: string; readonly vocab: string; readonly addedTokens: JsonObject }> {
  const name = nameIn(path, VOCAB_TXT);
  const file = files.pathOf(name);
  const vocab = decodeText(await files.read(name, MAX_VOCAB_BYTES), file);
  const added = nameIn(path, 'added_tokens.json');
  const addedTokens = (await files.has(added)) ? await readObject(files, added) : {};
  return { file, vocab, addedTokens };
}

export async function readObject(
  files: ModelFiles,
  name: string,
  maxBytes: number = MAX_CONFIG_BYTES,
  limits: JsonLimits = {},
): Promise<JsonObject> {
  const file = files.pathOf(name);
  return asObject(parseJson(await files.read(name, maxBytes), file, limits), file);
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new GlassbertError('E_TOKENIZER', 'the vocabulary is not UTF-8', { file, cause });
  }
}

async function require(files: ModelFiles, path: string, name: string, summary: string): Promise<void> {
  if (await files.has(nameIn(path, name))) return;
  throw new GlassbertError('E_FILE_MISSING', summary, {
    file: files.pathOf(nameIn(path, name)),
    hint: 'Copy the whole model directory, with its subdirectories.',
  });
}

/** The fields of a configuration file; none where the file is absent. */
export async function readFields(
  files: ModelFiles,
  name: string,
  maxBytes: number = MAX_CONFIG_BYTES,
): Promise<Fields> {
  const file = files.pathOf(name);
  if (!(await files.has(name))) return fields({}, file);
  return fields(parseJson(await files.read(name, maxBytes), file, { values: MAX_CONFIG_VALUES }), file);
}

/** Why a directory without modules.json and config.json is none of a model. */
export async function notAModel(files: ModelFiles): Promise<GlassbertError> {
  const adapter = await findAdapter(files, '');
  if (adapter !== undefined) return adapter;
  const names = await files.list();
  const snapshots = names.includes('snapshots');
  return new GlassbertError('E_FILE_MISSING', 'this directory holds no model', {
    file: files.directory,
    expected: 'modules.json, or config.json',
    found: names.length === 0 ? 'nothing' : names.slice(0, 5).join(', ') + (names.length > 5 ? ', ...' : ''),
    hint: snapshots
      ? 'This is a cache of the Hugging Face hub: give a directory below its snapshots/.'
      : 'Give the directory in which modules.json lies.',
  });
}
