// For programs whose own libraries do not have Symbol.asyncDispose:
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The whole pipeline on one page:
 *
 *   directory --io--> checked description, weights        + the load report: every choice and the file that made it
 *   text --text--> ids, specials in, truncated            [T]
 *   ids --bert--> token vectors of all texts, packed      [N, D]
 *   token vectors --pooling--> one vector per text        [B, D']
 */
import { fileURLToPath } from 'node:url';
import type { Progress, Signal } from './call.ts';
import { GlassbertError } from './errors.ts';
import { urlBeside } from './io/beside.ts';
import { openModelFiles } from './io/files.ts';
import { quote } from './io/json.ts';
import type { LoadReport } from './io/load-report.ts';
import {
  type AnyLoadOptions,
  checkLoadOptions,
  type LoadedModel,
  type LoadOptions,
  loadModel,
  type OracleOptions,
} from './load-model.ts';
import { BOOLEAN, FUNCTION, integer, nameOf, orNull, type Rules, readOptions, STRING } from './options.ts';
import { normalize } from './pooling/modules.ts';
import { type SimilarityName, similarity } from './pooling/similarity.ts';
import { Schedule } from './schedule.ts';
import { type Floats, Tensor, type TensorLike, zerosLike } from './tensor/tensor.ts';
import type { Encoding } from './text/tokenizer.ts';
import { disposed, type Threads } from './threads.ts';
import { openVerifiedFiles } from './trust/verified-files.ts';

/** A text, or a pair of texts that the model sees as one input. */
export type Input = string | readonly [string, string];

/**
 * Sees every intermediate value under its checkpoint-like name, in the order of computation. The tensor is the memory that
 * the pass goes on working in: copy what you keep (`tensor.data.slice()`, `tensor.toArray()`), write nothing. Attention
 * probabilities come once per text, with its number in the batch: `encoder.layer.3.attention.self.probs` [H, T, T]; all others
 * once for the whole batch, [N, ...].
 */
export type Observe = (name: string, tensor: Tensor, text?: number) => void;

export interface EncodeOptions {
  /** One of the model's prompts, by name. Default: the model's default prompt. */
  readonly promptName?: string;
  /** A prompt as text; it wins over promptName. '' for none. */
  readonly prompt?: string;
  /** At most so many texts of this call are in one pass; each thread may have a pass. It changes no bit. Default 32. */
  readonly batchSize?: number;
  /** Scale every vector to length 1, after truncation. Default false: what the model's own modules give. */
  readonly normalize?: boolean;
  /** Keep the first so many elements (Matryoshka models); at most the model's dimension. */
  readonly truncateDim?: number;
  /**
   * Sees every intermediate value of every batch. The call is then computed on the caller's thread, a whole batch in a turn of
   * the event loop. What it throws ends the call.
   */
  readonly observe?: Observe;
  /**
   * Ends the call, whether it waits or is under way: it rejects with `signal.reason`. Other calls go on. A pass that has begun
   * is computed to its end, for nobody.
   */
  readonly signal?: Signal;
  /**
   * Told after every pass how far the call is, and how many texts were cut to the maximum length. What it throws ends the call; a
   * promise that it returns is not awaited.
   */
  readonly onProgress?: (progress: Progress) => void;
}

const ENCODE_OPTIONS = {
  promptName: orNull(STRING),
  prompt: orNull(STRING),
  batchSize: integer(1),
  normalize: BOOLEAN,
  truncateDim: integer(1),
  observe: orNull(FUNCTION),
  signal: { expected: 'an AbortSignal', allows: isSignal },
  onProgress: FUNCTION,
} satisfies Rules<EncodeOptions>;

const TOKENIZE_OPTIONS = { truncate: BOOLEAN } satisfies Rules<{ truncate?: boolean }>;

const DEFAULT_BATCH_SIZE = 32; // that of sentence-transformers

/** An address of this disk, as `new URL('file:///models/mini')` or `pathToFileURL` give it. */
export interface FileUrl {
  readonly href: string;
  readonly protocol: string;
}

/**
 * The directory of the model that ships with this package.
 *
 * @throws E_DIRECTORY_MISSING in a bundled program that does not know where it lies
 */
export function defaultModel(): string {
  const url = urlBeside(import.meta.url, '../models/glassbert-mini');
  if (url !== null) return fileURLToPath(url);
  throw new GlassbertError('E_DIRECTORY_MISSING', 'the model that ships with glassbert is not beside the program', {
    hint: 'Give the path of a model directory, or leave glassbert out of the bundle (external).',
  });
}

/** Ends the threads of an encoder that the program can no longer reach: they alone would still hold its weights. */
const forgotten = new FinalizationRegistry<Threads>(threads => {
  void threads.dispose();
});

/**
 * A loaded model. Any number of calls may run at once; they share its threads. After `dispose` every call that needs the model
 * ends in E_DISPOSED; the report, the properties and `similarity`, which only compares what it is given, are left.
 *
 * @typeParam Data - Float32Array; of the oracle, Float64Array
 */
export class SentenceEncoder<Data extends Floats = Float32Array> {
  /** What was loaded, and why. */
  readonly report: LoadReport;
  #loaded: { readonly model: LoadedModel; readonly schedule: Schedule } | null;
  #disposal: Promise<void> | undefined;

  private constructor(model: LoadedModel) {
    this.#loaded = { model, schedule: new Schedule(model) };
    this.report = model.report;
    if (model.threads !== null) forgotten.register(this, model.threads, this);
  }

  /**
   * Loads a model directory from this disk. Nothing outside it is read and no network is used.
   *
   * @param directory - of Sentence Transformers, or a bare Hugging Face one; default: the model that ships with the package
   * @throws GlassbertError with a code, the file and a hint, for whatever is wrong with the directory; E_ARGUMENT
   *
   * @example
   * const encoder = await SentenceEncoder.load('models/all-MiniLM-L6-v2');
   * const vectors = await encoder.encode(['The weather is lovely today.', "It's so sunny outside!"]);
   * vectors.shape;                         // [2, 384]
   * encoder.similarity(vectors, vectors);  // { data: Float32Array [1, 0.66, 0.66, 1], shape: [2, 2] }
   */
  static load(directory: string | FileUrl | undefined, options: OracleOptions): Promise<SentenceEncoder<Float64Array>>;
  static load(directory?: string | FileUrl, options?: LoadOptions): Promise<SentenceEncoder>;
  static load(directory: string | FileUrl | undefined, options: AnyLoadOptions): Promise<SentenceEncoder<Floats>>;
  static async load(
    directory: string | FileUrl = defaultModel(),
    options: AnyLoadOptions = {},
  ): Promise<SentenceEncoder<Floats>> {
    const checked = checkLoadOptions(options);
    const path = pathOf(directory);
    const { verify } = checked;
    const files = await (verify === undefined ? openModelFiles(path) : openVerifiedFiles(path, verify));
    return new SentenceEncoder(await loadModel(files, checked));
  }

  /**
   * Ends the threads and lets go of the model. Calls that wait or are under way reject with E_DISPOSED, and so does every
   * later one but `similarity`. A second call does nothing more. An encoder that is never disposed of does not keep a program
   * from ending, and its threads end when it is garbage-collected.
   */
  dispose(): Promise<void> {
    const schedule = this.#loaded?.schedule;
    this.#loaded = null;
    forgotten.unregister(this); // it would hold the weights for as long as the program holds the report
    this.#disposal ??= schedule?.dispose() ?? Promise.resolve();
    return this.#disposal;
  }

  /** `await using encoder = await SentenceEncoder.load()` disposes of it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The width of the vectors. */
  get dimension(): number {
    return this.report.dimension;
  }

  /** The longest input in tokens, special ones included; the rest of a longer text is cut off. */
  get maxSeqLength(): number {
    return this.report.settings.maxSeqLength.value;
  }

  /** The model's prompts by name. */
  get prompts(): Readonly<Record<string, string>> {
    return this.report.settings.prompts.value;
  }

  /**
   * One text to a vector [D]; an array of texts, or of pairs of texts, to vectors [B, D] in the same order.
   *
   * @throws E_ARGUMENT, E_PROMPT_UNKNOWN, E_TENSOR_VALUE when a vector is not finite, E_MEMORY, E_THREAD, E_DISPOSED, and
   *   `signal.reason`
   */
  async encode(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    return this.#encode(input, readOptions<EncodeOptions>('encode', options, ENCODE_OPTIONS));
  }

  /** `encode` with the prompt named "query", unless another is given. */
  async encodeQuery(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    const checked = readOptions<EncodeOptions>('encodeQuery', options, ENCODE_OPTIONS);
    return this.#encode(input, { ...checked, promptName: checked.promptName ?? 'query' });
  }

  /**
   * `encode` with the prompt named "document", unless another is given. As in sentence-transformers it is there, and empty,
   * where the model states none; a prompt named "passage" is asked for by `promptName`.
   */
  async encodeDocument(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    const checked = readOptions<EncodeOptions>('encodeDocument', options, ENCODE_OPTIONS);
    return this.#encode(input, { ...checked, promptName: checked.promptName ?? 'document' });
  }

  /**
   * How similar each vector of `a` [A, D] is to each of `b` [B, D], [A, B], by the model's similarity function: cosine, dot,
   * or the negative Euclidean or Manhattan distance. A single vector [D] counts as one row.
   *
   * It needs nothing of the model but the function's name, and works after `dispose` too.
   *
   * @throws E_ARGUMENT for something else than tensors and when the widths differ
   */
  similarity<Other extends Floats>(a: TensorLike<Other>, b: TensorLike): Tensor<Other> {
    return similarity(this.report.settings.similarityFnName.value as SimilarityName, a, b);
  }

  /**
   * The tokens of a text as the model sees it: specials in, without any prompt.
   *
   * @param options.truncate - cut to the maximum length; default true
   * @throws E_ARGUMENT, E_DISPOSED
   */
  tokenize(input: Input, options: { truncate?: boolean } = {}): Encoding {
    const { model } = this.#live();
    const { truncate = true } = readOptions<{ truncate?: boolean }>('tokenize', options, TOKENIZE_OPTIONS);
    if (isInput(input)) return tokenizeInput(model, input, truncate);
    throw noText('the input', input);
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // Input, prompt, schedule, output

  async #encode(input: string | readonly Input[], options: EncodeOptions): Promise<Tensor<Data>> {
    const { model, schedule } = this.#live();
    const inputs = typeof input === 'string' ? [input] : copyInputs(input);
    const prompt = promptOf(model, options);
    const B = inputs.length;
    const D = this.#widthOf(model, options.truncateDim);
    const data = zerosLike(
      model.kernels.pass(() => model.kernels.floats(0)),
      B * D,
    );
    const { observe, signal, onProgress } = options;
    await schedule.run({
      total: B,
      tokenize: text => tokenizeInput(model, withPrompt(prompt, inputs[text])),
      skip: promptLength(model, prompt),
      batchSize: options.batchSize ?? DEFAULT_BATCH_SIZE,
      receive(text, vector) {
        checkFinite(vector, text);
        const row = data.subarray(text * D, (text + 1) * D);
        row.set(vector.subarray(0, D));
        if (options.normalize) normalize(row, 1, D);
      },
      observe: observe ? (name, { data, shape }, text) => observe(name, new Tensor(data, shape), text) : undefined,
      onProgress,
      signal,
    });
    return new Tensor(data as Data, typeof input === 'string' ? [D] : [B, D]);
  }

  #live(): { readonly model: LoadedModel; readonly schedule: Schedule } {
    if (this.#loaded === null) throw disposed();
    return this.#loaded;
  }

  /** The caller may not ask for more than there is; the model's own files may, as in Python. */
  #widthOf({ settings }: LoadedModel, truncateDim?: number): number {
    if (truncateDim === undefined) return Math.min(settings.truncateDim.value ?? this.dimension, this.dimension);
    if (truncateDim <= this.dimension) return truncateDim;
    throw new GlassbertError('E_ARGUMENT', 'truncateDim is more than the vectors have', {
      expected: `1 to ${this.dimension}`,
      found: `${truncateDim}`,
    });
  }
}

/** The text put before each input: an explicit prompt, a named one, or the model's default. */
function promptOf({ settings }: LoadedModel, options: EncodeOptions): string {
  const promptName = options.promptName ?? settings.defaultPromptName.value;
  if (options.prompt != null) return options.prompt;
  if (promptName === null) return '';
  const prompts = settings.prompts.value;
  if (Object.hasOwn(prompts, promptName)) return prompts[promptName];
  throw new GlassbertError('E_PROMPT_UNKNOWN', `the model has no prompt named ${quote(promptName)}`, {
    expected: Object.keys(prompts).slice(0, 10).map(quote).join(', '),
    hint: 'Give the text itself as `prompt`.',
  });
}

/** How many tokens of each text the pooling leaves out: the prompt's own, without a closing special token. */
function promptLength({ settings, tokenizer }: LoadedModel, prompt: string): number {
  if (settings.includePrompt.value || prompt === '') return 0;
  const { ids } = tokenizer.encode(prompt);
  return ids.length - (tokenizer.isSpecial(ids[ids.length - 1]) ? 1 : 0);
}

function withPrompt(prompt: string, input: Input): Input {
  return typeof input === 'string' ? prompt + input : [prompt + input[0], input[1]];
}

function tokenizeInput({ tokenizer, encoder }: LoadedModel, input: Input, truncate = true): Encoding {
  if (typeof input === 'string') return tokenizer.encode(input, { truncate });
  const { type_vocab_size } = encoder.config;
  if (tokenizer.typeIdCount.pair > type_vocab_size) {
    throw new GlassbertError('E_ARGUMENT', 'this model takes no pairs', {
      expected: `token types below ${type_vocab_size}, its "type_vocab_size"`,
      found: `${tokenizer.typeIdCount.pair - 1}`,
    });
  }
  return tokenizer.encode(input[0], { pair: input[1], truncate });
}

// -----------------------------------------------------------------------------------------------------------------------
// Arguments

/** A URL object counts as a path where it is one, as in Node. */
function pathOf(directory: string | FileUrl): string {
  if (typeof directory === 'string') return directory;
  const { protocol, href }: { protocol?: unknown; href?: unknown } = Object(directory ?? {});
  try {
    if (protocol === 'file:' && typeof href === 'string') return fileURLToPath(href);
  } catch {
    // of another machine, or with an escaped slash: as little a path as any other
  }
  throw new GlassbertError('E_ARGUMENT', 'the model directory is given as a path', {
    expected: 'a string, or a URL object with file:',
    found: nameOf(typeof href === 'string' ? href : directory),
  });
}

function isSignal(value: unknown): boolean {
  const { aborted, addEventListener, removeEventListener } = Object(value ?? {});
  const isTarget = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  return typeof aborted === 'boolean' && isTarget;
}

function isInput(input: unknown): input is Input {
  const isPair = Array.isArray(input) && input.length === 2;
  return typeof input === 'string' || (isPair && typeof input[0] === 'string' && typeof input[1] === 'string');
}

/** A copy, so that what was checked is what is encoded. */
function copyInputs(inputs: readonly Input[]): readonly Input[] {
  if (!Array.isArray(inputs)) throw noText('the input', inputs, 'a string or an array of texts');
  const copy: Input[] = Array.from(inputs, input => (Array.isArray(input) ? [...input] : input));
  const at = copy.findIndex(input => !isInput(input));
  if (at < 0) return copy;
  throw noText(`text ${at}`, copy[at]);
}

function noText(what: string, found: unknown, expected = 'a string, or a pair as an array of two strings') {
  return new GlassbertError('E_ARGUMENT', `${what} is no text`, { expected, found: nameOf(found) });
}

/** Weights may be finite and so large that what comes out is not. */
function checkFinite(vector: Floats, text: number): void {
  const at = vector.findIndex(value => !Number.isFinite(value));
  if (at < 0) return;
  throw new GlassbertError('E_TENSOR_VALUE', `the vector of text ${text} is not finite`, {
    found: `${vector[at]}`,
    hint: 'The weights are too large for f32, or a prompt left no token to pool.',
  });
}
