/**
 * From a directory to a model that is ready to run: every file is described, every setting decided, every tensor checked
 * and read. After this, kernels trust what they are given.
 */

import { availableParallelism } from 'node:os';
import { type BertConfig, parseBertConfig, signOfClassifier } from './bert/config.ts';
import { isClassifierHead, isKnownUnused, type LoadedBert, loadBert } from './bert/weights.ts';
import { GlassbertError, printable } from './errors.ts';
import { isFloatDtype } from './io/dtypes.ts';
import type { ModelFiles } from './io/files.ts';
import { quote } from './io/json.ts';
import type { Fields } from './io/json-fields.ts';
import type { LoadReport, ModuleReport, TokenizerReport, Warning, WeightsReport } from './io/load-report.ts';
import {
  describeDirectory,
  type ModelDirectory,
  type ModuleEntry,
  warningOfChatTemplate,
} from './io/model-directory.ts';
import { openWeights, type Weights } from './io/weights.ts';
import { BOOLEAN, FUNCTION, integer, OBJECT, type Rules, readOptions, STRING } from './options.ts';
import type { Encoder } from './pooled.ts';
import {
  dropoutModule,
  loadDense,
  loadLayerNorm,
  MAX_FEATURES,
  normalizeModule,
  projectionModule,
  type VectorModule,
} from './pooling/modules.ts';
import { checkPrompts, decideDtype, decideSettings, type SettingOptions, type Settings } from './settings.ts';
import { type Kernels, oracleKernels, referenceKernels } from './tensor/kernels.ts';
import { hasSimd, type SimdKernels, simdKernels } from './tensor/simd/kernels.ts';
import { keepsBits, wideKernels } from './tensor/simd/wide.ts';
import { sizeOf } from './tensor/tensor.ts';
import { tokenizerOf } from './text/load-tokenizer.ts';
import type { Tokenizer } from './text/tokenizer.ts';
import { hasThreadScript, Threads } from './threads.ts';
import type { VerifyOptions } from './trust/verify.ts';

export interface LoadOptions extends SettingOptions {
  /**
   * What the directory must be, or nothing of it is used: as a signature or a list of checksums says, completely. It is
   * compared before a byte of configuration is parsed, and the bytes that were hashed are the bytes that are used.
   */
  readonly verify?: VerifyOptions;
  /**
   * Who computes: `reference`, plain TypeScript over Float32Array with f64 accumulation; `simd`, f32 in WebAssembly; `int8`,
   * the same with the weights of linear layers in 8 bits and their inputs in 7, which is an approximation; `auto` (default),
   * `simd` where the engine has it, else `reference`. One more, `oracle`, gives vectors of another type (OracleOptions).
   */
  readonly kernels?: 'auto' | 'simd' | 'int8' | 'reference';
  /**
   * SIMD vectors of 256 bits, by an experimental flag of V8 that holds for the whole process: 1.6 times as fast where it works. They
   * are compared with the oracle first; where that fails, or V8 makes none, the normal kernels run, and a warning says so. `auto`
   * takes them where every bit is what it is without them, and says nothing. Default false.
   */
  readonly wide?: boolean | 'auto';
  /** How many threads compute; default: as many as there are processors. More than one only with the fast kernels. */
  readonly threads?: number;
  /** Receives each warning; by default they go to process.emitWarning. All stand in `report.warnings` too. */
  readonly onWarning?: (warning: Warning) => void;
}

/** The code of `reference` over Float64Array: slow, and what the others are measured by. Its vectors are f64. */
export interface OracleOptions extends Omit<LoadOptions, 'kernels'> {
  readonly kernels: 'oracle';
}

export type AnyLoadOptions = LoadOptions | OracleOptions;

export interface LoadedModel {
  readonly kernels: Kernels;
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly settings: Settings;
  /** What follows the pooling. */
  readonly modules: readonly VectorModule[];
  /** Null where the caller's own thread computes alone. */
  readonly threads: Threads | null;
  readonly report: LoadReport;
}

/** Each needs scratch of its own in the 4 GiB that they share. */
const MAX_THREADS = 16;

const KERNELS: ReadonlyMap<string, () => Kernels> = new Map([
  ['auto', () => simdKernels()],
  ['simd', () => simdKernels()],
  ['int8', () => simdKernels({ int8: true })],
  ['reference', () => referenceKernels],
  ['oracle', () => oracleKernels],
]);

const OPTIONS = {
  verify: OBJECT,
  kernels: STRING, // chooseKernels knows the names
  wide: { expected: 'true, false or "auto"', allows: value => BOOLEAN.allows(value) || value === 'auto' },
  threads: integer(1, MAX_THREADS),
  pooling: { expected: 'a name or an array of names', allows: isNames },
  maxSeqLength: integer(1),
  onWarning: FUNCTION,
} satisfies Rules<AnyLoadOptions>;

function isNames(value: unknown): boolean {
  return [value].flat().every(name => typeof name === 'string');
}

/**
 * @returns the options, each read once; what `verify` and `pooling` hold is checked where it is used
 * @throws E_ARGUMENT
 */
export function checkLoadOptions(options: AnyLoadOptions): AnyLoadOptions {
  const checked = readOptions<AnyLoadOptions>('load', options, OPTIONS);
  if ('verify' in options && checked.verify === undefined) {
    // Whoever has computed what to verify by and got nothing must not load unverified.
    throw new GlassbertError('E_ARGUMENT', 'verify is given and undefined', {
      expected: 'an object, or no such option',
    });
  }
  return checked;
}

/**
 * @param files - of the model directory, verified or not
 * @throws GlassbertError, whatever is wrong with the directory or the options
 */
export async function loadModel(files: ModelFiles, options: AnyLoadOptions): Promise<LoadedModel> {
  const warnings: Warning[] = [...(files.verification?.warnings ?? [])];
  const warn = (warning: Warning): void => {
    warnings.push(warning);
  };
  const { described, config, settings } = await describeSettings(files, options, warn);
  const kernels = chooseKernels(options, widthsOf(described, config), warn);
  const threads = chooseThreads(options.threads, kernels, warn);
  const { bert, tokenizer, stored } = await loadEncoder(described, config, kernels, settings, warn);
  const modules = await loadModules(described, config, kernels, settings, bert);
  const encoder: Encoder = { config, weights: bert.weights, modes: settings.pooling.value };
  for (const warning of warnings) (options.onWarning ?? emitWarning)(warning);

  return {
    kernels,
    tokenizer,
    encoder,
    settings,
    modules: modules.map(({ module }) => module),
    threads: threads > 1 ? new Threads(encoder, (kernels as Required<SimdKernels>).share(threads)) : null,
    report: {
      ...reportFiles(described, config, settings, tokenizer),
      kernels: kernels.name,
      threads,
      modules: [
        ...reportStart(described, config, settings),
        ...modules.map(({ entry, module }) => reportModule(entry, module.summary)),
      ],
      dtype: decideDtype(described, stored, kernels.name === 'oracle' ? 'float64' : 'float32'),
      weights: [bert.report, ...modules.flatMap(({ report }) => report ?? [])],
      dimension: modules.at(-1)?.module.outFeatures ?? settings.pooling.value.length * config.hidden_size,
      warnings,
    },
  };
}

/** What a directory says without its weights. */
export type ModelDescription = Omit<LoadReport, 'kernels' | 'threads' | 'dtype' | 'weights' | 'dimension'> & {
  /** The width of the vectors, where the configurations tell. */
  readonly dimension: number | null;
};

/**
 * Everything of the load report that needs no weights: settings, modules, tokenizer.
 *
 * @throws GlassbertError, whatever else is wrong with the directory or the options
 */
export async function describeModel(files: ModelFiles, options: SettingOptions): Promise<ModelDescription> {
  const warnings: Warning[] = [...(files.verification?.warnings ?? [])];
  const warn = (warning: Warning): void => {
    warnings.push(warning);
  };
  const { described, config, settings } = await describeSettings(files, options, warn);
  const tokenizer = loadTokenizer(described, config, settings);
  const after = described.modules.slice(2);
  const dense = after.findLast(({ kind }) => kind === 'Dense')?.config;
  return {
    ...reportFiles(described, config, settings, tokenizer),
    modules: [
      ...reportStart(described, config, settings),
      ...after.map(entry => {
        const summary = hasWeights(entry)
          ? `${entry.kind}, not loaded`
          : plainModule(referenceKernels, entry, 0).summary;
        return reportModule(entry, summary);
      }),
    ],
    dimension: dense
      ? dense.integer('out_features', { min: 1, max: MAX_FEATURES })
      : settings.pooling.value.length * config.hidden_size,
    warnings,
  };
}

async function describeSettings(files: ModelFiles, options: SettingOptions, warn: (warning: Warning) => void) {
  const described = await describeDirectory(files);
  if (described.unread.length > 0) {
    warn({
      code: 'W_FILE_IGNORED',
      message: `Without modules.json the reference library does not read ${described.unread.join(', ')}, and neither is it read here.`,
    });
  }
  if (described.modules.length === 0) {
    const template = await warningOfChatTemplate(files, described.transformer);
    if (template !== undefined) warn(template);
  }
  const config = parseBertConfig(described.transformer.config);
  const settings = decideSettings(described, config, options, warn);
  if (described.transformer.config.has('auto_map')) {
    warn({ code: 'W_CODE_IGNORED', message: 'config.json names code that comes with the model. It is not run.' });
  }
  return { described, config, settings };
}

/** The part of the report that files alone decide. */
function reportFiles(described: ModelDirectory, config: BertConfig, settings: Settings, tokenizer: Tokenizer) {
  const { files, modules } = described;
  return {
    directory: files.directory,
    verification: files.verification ?? null,
    layout: modules.length > 0 ? 'Sentence Transformers' : 'Hugging Face, without modules.json',
    architecture: architectureOf(config),
    settings: freeze(settings),
    tokenizer: reportTokenizer(tokenizer),
    savedBy: savedBy(described),
    files: files.opened,
  } as const;
}

function reportStart({ modules }: ModelDirectory, config: BertConfig, settings: Settings): ModuleReport[] {
  return [
    reportModule(modules[0], architectureOf(config)),
    reportModule(modules[1], `Pooling ${settings.pooling.value.join(' + ')}`),
  ];
}

/** The widths of the heads and of all layers, which kernels divide into tiles. */
function widthsOf({ modules }: ModelDirectory, config: BertConfig): number[] {
  const { hidden_size: D, num_attention_heads: H, intermediate_size: F, projection_dim } = config;
  const dense = modules.map(module => module.config.raw('out_features')).filter(width => typeof width === 'number');
  return [D / H, D, F, projection_dim, ...dense];
}

function chooseKernels(
  { kernels: name = 'auto', wide: wanted = false }: AnyLoadOptions,
  widths: readonly number[],
  warn: (warning: Warning) => void,
): Kernels {
  if (name === 'auto' && !hasSimd()) {
    warn({
      code: 'W_NO_SIMD',
      message:
        'This engine has no WebAssembly SIMD: the reference kernels run. Their vectors are right, and take much longer.',
    });
    return referenceKernels;
  }
  // By 'auto' the caller has not agreed to other bits.
  const wide = wanted === 'auto' ? widths.every(keepsBits) : wanted;
  if (wide) {
    const isFast = ['auto', 'simd', 'int8'].includes(name);
    const kernels = isFast ? wideKernels({ int8: name === 'int8' }) : null;
    if (kernels !== null) return kernels;
    if (wanted !== 'auto') {
      const why = isFast
        ? 'This engine makes no SIMD vectors of 256 bits, or they failed their check'
        : `The kernels ${quote(name)} use no SIMD vectors`;
      warn({ code: 'W_NOT_WIDE', message: `${why}: the kernels run as they would without "wide".` });
    }
  }
  const kernels = KERNELS.get(name);
  if (kernels !== undefined) return kernels();
  throw new GlassbertError('E_ARGUMENT', 'there are no kernels of this name', {
    expected: [...KERNELS.keys()].join(', '),
    found: String(name),
  });
}

/**
 * How many threads compute: one where the kernels cannot be shared, where Node was started without permission for threads
 * (--permission without --allow-worker), and in a program that was bundled without the script of the threads.
 */
function chooseThreads(
  wanted = Math.min(availableParallelism(), MAX_THREADS),
  kernels: Kernels,
  warn: (warning: Warning) => void,
): number {
  const allowed = globalThis.process?.permission?.has('worker') ?? true;
  if (wanted === 1 || !('share' in kernels) || !allowed) return 1;
  if (hasThreadScript()) return wanted;
  warn({
    code: 'W_NO_THREADS',
    message:
      'One thread computes: thread.js is not beside the program. Was it bundled? Leave glassbert external (--external:glassbert, serverExternalPackages), or pass threads: 1.',
  });
  return 1;
}

function loadTokenizer({ transformer }: ModelDirectory, config: BertConfig, settings: Settings): Tokenizer {
  const { doLowerCase, maxSeqLength } = settings;
  const isLengthWanted = 'option' in maxSeqLength.from;
  const tokenizer = tokenizerOf(transformer, doLowerCase.value, maxSeqLength.value, config.vocab_size, isLengthWanted);
  checkTokenizer(tokenizer, config, transformer.tokenizer.file);
  checkPrompts(settings, config, prompt => tokenizer.encode(prompt).ids.length);
  return tokenizer;
}

/** @throws E_TOKENIZER when it gives an id or a type that the embedding tables have no row for */
export function checkTokenizer(tokenizer: Tokenizer, config: BertConfig, file: string): void {
  if (tokenizer.typeIdCount.single > config.type_vocab_size) {
    throw new GlassbertError('E_TOKENIZER', 'the tokenizer has token types that the model has no embedding for', {
      file,
      expected: `types below ${config.type_vocab_size}, the "type_vocab_size" of config.json`,
      found: `${tokenizer.typeIdCount.single - 1}`,
    });
  }
  if (tokenizer.neededRows <= config.vocab_size) return;
  throw new GlassbertError('E_TOKENIZER', 'the tokenizer has ids that the embedding table has no row for', {
    file,
    expected: `ids below ${config.vocab_size}, the "vocab_size" of config.json`,
    found: `an id of ${tokenizer.neededRows - 1}`,
    hint: 'The tokenizer and the weights are of different models.',
  });
}

type ReportedBert = LoadedBert & { readonly report: WeightsReport };

async function loadEncoder(
  described: ModelDirectory,
  config: BertConfig,
  kernels: Kernels,
  settings: Settings,
  warn: (warning: Warning) => void,
): Promise<{ bert: ReportedBert; tokenizer: Tokenizer; stored: string | undefined }> {
  const { encoder, tokenizer, stored } = await withWeights(described, described.transformer.path, async weights => {
    const loading = loadBert(weights, config, kernels);
    loading.catch(() => {}); // told when it is awaited; an error of the tokenizer comes first
    // While the first tensor, the largest, comes from the disk there is time for the vocabulary.
    const tokenizer = loadTokenizer(described, config, settings);
    const bert = await loading;
    const stored = [...weights.tensors.values()].find(({ dtype }) => isFloatDtype(dtype))?.dtype;
    return { tokenizer, stored, encoder: { ...bert, report: reportWeights(weights, bert.prefix, bert.unused) } };
  });
  warnOfProjection(encoder.weights.encode_proj !== null, settings, warn);
  warnOfUnused(encoder.unused, warn);
  warnOfClassifier(described.transformer.config, encoder.unused, warn);
  return { bert: encoder, tokenizer, stored };
}

/**
 * A model that judges texts or pairs of them is an encoder with a head. Without the head it gives vectors as any other does, in
 * Python too, but nobody trained them to be compared.
 *
 * @param unused - the tensors that the encoder does not use
 */
export function warnOfClassifier(config: Fields, unused: readonly string[], warn: (warning: Warning) => void): void {
  const head = unused.find(isClassifierHead);
  const sign = signOfClassifier(config) ?? (head === undefined ? null : `the weights hold ${head}`);
  if (sign === null) return;
  warn({
    code: 'W_CROSS_ENCODER',
    message:
      `This is a cross-encoder or a classifier: ${sign}. Its head is not used, and its pooled vectors were never trained to be ` +
      'compared; Python gives the same vectors.',
  });
}

/** @param projected - whether the weights hold DPR's projection */
export function warnOfProjection(projected: boolean, settings: Settings, warn: (warning: Warning) => void): void {
  if (!projected || projects(settings)) return;
  warn({
    code: 'W_PROJECTION_UNUSED',
    message: 'DPR projects its first token; the pooling is another, so the projection is not used.',
  });
}

export function warnOfUnused(unused: readonly string[], warn: (warning: Warning) => void): void {
  const strange = unused.filter(name => !isKnownUnused(name));
  if (strange.length === 0) return;
  const listed = strange.slice(0, 5).join(', ') + (strange.length > 5 ? ', ...' : '');
  warn({
    code: 'W_TENSORS_UNUSED',
    message: `${strange.length} tensors of the weights are not part of this architecture and are not used: ${listed}`,
  });
}

/** DPR's projection was trained for the first token, and follows it alone. */
export function projects({ pooling }: Settings): boolean {
  return pooling.value.length === 1 && pooling.value[0] === 'cls';
}

interface LoadedModule {
  readonly entry: ModuleEntry | undefined;
  readonly module: VectorModule;
  /** Where it has weights. */
  readonly report?: WeightsReport;
}

/** The modules after the pooling, each fitted to the width of the one before. */
async function loadModules(
  described: ModelDirectory,
  config: BertConfig,
  kernels: Kernels,
  settings: Settings,
  bert: LoadedBert,
): Promise<LoadedModule[]> {
  const modes = settings.pooling.value;
  const modules: LoadedModule[] = [];
  if (bert.weights.encode_proj !== null && projects(settings)) {
    modules.push({
      entry: undefined,
      module: projectionModule(kernels, bert.weights.encode_proj, 'encode_proj of DPR'),
    });
  }
  for (const entry of described.modules.slice(2)) {
    const D = modules.at(-1)?.module.outFeatures ?? modes.length * config.hidden_size;
    if (!hasWeights(entry)) modules.push({ entry, module: plainModule(kernels, entry, D) });
    else {
      modules.push(
        await withWeights(described, entry.path, async weights => {
          const module = await loadWeightedModule(kernels, entry, weights, D);
          return { entry, module, report: reportWeights(weights, '', []) };
        }),
      );
    }
  }
  return modules;
}

export function hasWeights({ kind }: ModuleEntry): boolean {
  return kind === 'Dense' || kind === 'LayerNorm';
}

/** @param D - the width of the vectors that arrive */
export function plainModule(kernels: Kernels, { kind, config }: ModuleEntry, D: number): VectorModule {
  return kind === 'Normalize' ? normalizeModule(kernels, config, D) : dropoutModule(D);
}

export function loadWeightedModule(
  kernels: Kernels,
  { kind, config }: ModuleEntry,
  weights: Weights,
  D: number,
): Promise<VectorModule> {
  return (kind === 'Dense' ? loadDense : loadLayerNorm)(kernels, config, weights, D);
}

async function withWeights<Result>(
  { files }: ModelDirectory,
  path: string,
  use: (weights: Weights) => Promise<Result>,
): Promise<Result> {
  const weights = await openWeights(files, path);
  try {
    return await use(weights);
  } finally {
    await weights.close();
  }
}

export function reportWeights({ files, tensors }: Weights, prefix: string, unused: readonly string[]): WeightsReport {
  const dtypes: Record<string, number> = {};
  let parameters = 0;
  for (const { dtype, shape } of tensors.values()) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
    parameters += sizeOf(shape);
  }
  return { files, prefix, tensors: tensors.size, parameters, dtypes, unused };
}

function reportTokenizer({ kind, class: name, vocabSize, notes }: Tokenizer): TokenizerReport {
  return { kind, class: name, vocabSize, notes };
}

function reportModule(entry: ModuleEntry | undefined, summary: string): ModuleReport {
  return { type: entry?.type ?? '(not in a file)', path: entry?.path ?? '', summary };
}

export function architectureOf(config: BertConfig): string {
  const { num_hidden_layers: L, hidden_size: D, num_attention_heads: H, intermediate_size: F } = config;
  return `${config.architecture || 'BertModel'}, L ${L}, D ${D}, H ${H}, F ${F}, ${config.hidden_act}`;
}

/** The version of sentence-transformers in config_sentence_transformers.json. */
export function savedBy({ sentenceTransformers: file }: Pick<ModelDirectory, 'sentenceTransformers'>): string | null {
  const version = file.raw('__version__');
  const saved =
    typeof version === 'object' && 'sentence_transformers' in version ? version.sentence_transformers : null;
  return typeof saved === 'string' ? saved : null;
}

function emitWarning({ code, message }: Warning): void {
  process.emitWarning(printable(message), { type: 'GlassbertWarning', code });
}

/** The report tells what was decided; writing to it must not look as if it decided anything. */
function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}
