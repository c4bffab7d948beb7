/**
 * The whole pipeline on one page:
 *
 *   directory --io--> checked description, weights        + the load report: every choice and the file that made it
 *   text --text--> ids, specials in, truncated            [T]
 *   ids --bert--> token vectors of all texts, packed      [N, D]
 *   token vectors --pooling--> one vector per text        [B, D']
 */
import { fileURLToPath } from 'node:url';
import type { Observe, PackedIds } from './bert/bert.ts';
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
import { nameOf } from './options.ts';
import { pooledVectors } from './pooled.ts';
import { normalize } from './pooling/modules.ts';
import { similarity } from './pooling/similarity.ts';
import type { SimdKernels } from './tensor/simd/kernels.ts';
import { type Floats, type Tensor, zerosLike } from './tensor/tensor.ts';
import type { Encoding } from './text/tokenizer.ts';
import { openVerifiedFiles } from './trust/verified-files.ts';

/** A text, or a pair of texts that the model sees as one input. */
export type Input = string | readonly [string, string];

export interface EncodeOptions {
  /** One of the model's prompts, by name. Default: the model's default prompt. */
  readonly promptName?: string;
  /** A prompt as text; it wins over promptName. '' for none. */
  readonly prompt?: string;
  /** How many texts are computed at a time. It bounds memory and changes no bit of any vector. Default 32. */
  readonly batchSize?: number;
  /** Scale every vector to length 1, after truncation. Default false: what the model's own modules give. */
  readonly normalize?: boolean;
  /** Keep the first so many elements (Matryoshka models). */
  readonly truncateDim?: number;
  /** Sees every intermediate value of every batch. */
  readonly observe?: Observe;
}

const DEFAULT_BATCH_SIZE = 32; // that of sentence-transformers

/** Tokens of a thread's pass: enough for the products to be at full speed, few enough to be done evenly. */
const PASS_TOKENS = 512;

/** Fewer are computed where they are: a thread may have to be started first. */
const MIN_SHARED_TOKENS = 64;

/** Tokens, for each thread, that are tokenized before they are divided. */
const WINDOW_TOKENS = 4 * PASS_TOKENS;

/** Floats of the widest intermediate of a pass, 128 MB: a batch of many long texts is computed in several passes. */
const MAX_PASS_FLOATS = 2 ** 25;

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

/** An address of this disk, as `new URL('file:///models/mini')` or `pathToFileURL` give it. */
export interface FileUrl {
  readonly href: string;
  readonly protocol: string;
}

/** @typeParam Data - Float32Array; of the oracle, Float64Array */
export class SentenceEncoder<Data extends Floats = Float32Array> {
  /** What was loaded, and why. */
  readonly report: LoadReport;
  readonly #model: LoadedModel;

  private constructor(model: LoadedModel) {
    this.#model = model;
    this.report = model.report;
  }

  /**
   * Loads a model directory from this disk. Nothing outside it is read and no network is used.
   *
   * @param directory - of Sentence Transformers, or a bare Hugging Face one; default: the model that ships with the package
   * @throws GlassbertError with a code, the file and a hint, for whatever is wrong with the directory
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
    const { verify } = checked;
    const path = pathOf(directory);
    const files = await (verify === undefined ? openModelFiles(path) : openVerifiedFiles(path, verify));
    return new SentenceEncoder(await loadModel(files, checked));
  }

  /**
   * Ends the threads. A program that forgets it ends all the same; one that loads models again and again should not.
   */
  async dispose(): Promise<void> {
    await this.#model.threads?.dispose();
  }

  /** The width of the vectors. */
  get dimension(): number {
    return this.report.dimension;
  }

  /** The longest input in tokens, special ones included; the rest of a longer text is cut off. */
  get maxSeqLength(): number {
    return this.#model.settings.maxSeqLength.value;
  }

  /** The model's prompts by name. */
  get prompts(): Readonly<Record<string, string>> {
    return this.#model.settings.prompts.value;
  }

  /**
   * One text to a vector [D]; an array of texts, or of pairs of texts, to vectors [B, D] in the same order.
   *
   * @throws E_ARGUMENT, E_PROMPT_UNKNOWN, E_TENSOR_VALUE when a vector is not finite, E_MEMORY
   */
  async encode(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    const inputs = typeof input === 'string' ? [input] : checkInputs(input);
    checkOptions(options);
    const { batchSize = DEFAULT_BATCH_SIZE, truncateDim = this.#model.settings.truncateDim.value ?? undefined } =
      options;
    checkCount('batchSize', batchSize);
    if (truncateDim !== undefined) checkCount('truncateDim', truncateDim);

    const { kernels, encoder, threads } = this.#model;
    const prompt = this.#promptOf(options);
    const skip = this.#promptLength(prompt);
    const D = Math.min(truncateDim ?? this.dimension, this.dimension);
    const data = zerosLike(
      kernels.pass(() => kernels.floats(0)),
      inputs.length * D,
    );

    /** Vectors of the texts from `first` on, from what was pooled of them. */
    const finish = (pooled: Floats, first: number, B: number): void => {
      const vectors = this.#applyModules(pooled, B, options.observe);
      checkFinite(vectors, first, this.dimension);
      for (let b = 0; b < B; b++) {
        data.set(vectors.subarray(b * this.dimension, b * this.dimension + D), (first + b) * D);
      }
    };

    // Tokenizing goes on while threads compute, but not far ahead: memory holds a few passes, whatever the number of texts.
    const running = new Set<Promise<void>>();
    let first = 0;
    for (const pass of this.#passes(inputs, prompt, batchSize)) {
      const [begin, B] = [first, pass.length];
      first += B;
      if (threads === null || options.observe !== undefined || B === inputs.length) {
        const packed = pack(pass);
        const here = (): void => {
          kernels.pass(() => finish(pooledVectors(kernels, encoder, packed, skip, options.observe), begin, B));
        };
        // One pass alone: the threads do it together, if it is worth it.
        if (threads === null || options.observe !== undefined || packed.ids.length < MIN_SHARED_TOKENS) here();
        else await threads.withGang(gang => (gang === null ? here() : (kernels as SimdKernels).withGang(gang, here)));
        // Timers and sockets of the program get their turn between passes.
        if (first < inputs.length) await new Promise(resolve => setImmediate(resolve));
        continue;
      }
      const task = threads.run(pack(pass), skip).then(pooled => {
        kernels.pass(() => {
          const here = kernels.floats(B, pooled.length / B);
          here.set(pooled);
          finish(here, begin, B);
        });
        running.delete(task);
      });
      running.add(task);
      task.catch(() => {}); // told by the await below; of several that fail, one is enough
      if (running.size > 2 * threads.count) await Promise.race(running);
    }
    await Promise.all(running);
    if (options.normalize) normalize(data, inputs.length, D);
    return { data: data as Data, shape: typeof input === 'string' ? [D] : [inputs.length, D] };
  }

  /** `encode` with the prompt named "query", unless another is given. */
  encodeQuery(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    return this.encode(input, { ...options, promptName: options.promptName ?? 'query' });
  }

  /**
   * `encode` with the prompt named "document", unless another is given. As in sentence-transformers it is there, and empty,
   * where the model states none; a prompt named "passage" is asked for by `promptName`.
   */
  encodeDocument(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor<Data>> {
    return this.encode(input, { ...options, promptName: options.promptName ?? 'document' });
  }

  /**
   * How similar each vector of `a` [A, D] is to each of `b` [B, D], [A, B], by the model's similarity function: cosine, dot,
   * or the negative Euclidean or Manhattan distance. A single vector [D] counts as one row.
   *
   * @throws E_ARGUMENT when the widths differ
   */
  similarity(a: Tensor, b: Tensor): Tensor {
    return similarity(this.#model.settings.similarityFnName.value, a, b);
  }

  /**
   * The tokens of a text as the model sees it: specials in, truncated, without any prompt.
   *
   * @throws E_ARGUMENT
   */
  tokenize(input: Input, options: { truncate?: boolean } = {}): Encoding {
    return this.#encodeTokens(checkInputs([input])[0], options.truncate ?? true);
  }

  #encodeTokens(input: Input, truncate = true): Encoding {
    const { tokenizer, encoder } = this.#model;
    const { type_vocab_size } = encoder.config;
    if (typeof input === 'string') return tokenizer.encode(input, { truncate });
    if (tokenizer.typeIdCount.pair > type_vocab_size) {
      throw new GlassbertError('E_ARGUMENT', 'this model takes no pairs', {
        expected: `token types below ${type_vocab_size}, its "type_vocab_size"`,
        found: `${tokenizer.typeIdCount.pair - 1}`,
      });
    }
    return tokenizer.encode(input[0], { pair: input[1], truncate });
  }

  /**
   * The tokens of all texts in groups, each for one pass. Texts are tokenized a window ahead; the groups of a window have
   * about as many tokens each and are a multiple of the threads, so that these end together.
   */
  *#passes(inputs: readonly Input[], prompt: string, batchSize: number): Generator<readonly Encoding[]> {
    const { encoder, threads } = this.#model;
    const { hidden_size, intermediate_size } = encoder.config;
    const most = Math.floor(MAX_PASS_FLOATS / Math.max(hidden_size, intermediate_size));
    const count = threads?.count ?? 1;
    const windowTokens = threads === null ? most : Math.min(most, count * WINDOW_TOKENS);

    let window: Encoding[] = [];
    let tokens = 0;
    for (const [i, input] of inputs.entries()) {
      const encoding = this.#encodeTokens(withPrompt(prompt, input));
      window.push(encoding);
      tokens += encoding.ids.length;
      const full = tokens >= windowTokens || window.length >= count * batchSize;
      if (!full && i + 1 < inputs.length) continue;
      const alone = threads === null || tokens < MIN_SHARED_TOKENS;
      const groups = alone ? 1 : count * Math.ceil(tokens / (count * PASS_TOKENS));
      yield* split(window, tokens / groups, batchSize);
      window = [];
      tokens = 0;
    }
  }

  /** What follows the pooling: [B, modes * D] -> [B, dimension]. */
  #applyModules(pooled: Floats, B: number, observe?: Observe): Floats {
    let vectors = pooled;
    for (const [m, module] of this.#model.modules.entries()) {
      vectors = module.run(vectors, B); // [B, inFeatures] -> [B, outFeatures]
      observe?.(`modules.${m + 2}.${module.kind}`, { data: vectors, shape: [B, module.outFeatures] });
    }
    return vectors;
  }

  /** The text put before each input: an explicit prompt, a named one, or the model's default. */
  #promptOf(options: EncodeOptions): string {
    const promptName = options.promptName ?? this.#model.settings.defaultPromptName.value;
    if (options.prompt != null) return options.prompt;
    if (promptName === null) return '';
    if (Object.hasOwn(this.prompts, promptName)) return this.prompts[promptName];
    throw new GlassbertError('E_PROMPT_UNKNOWN', `the model has no prompt named ${quote(promptName)}`, {
      expected: Object.keys(this.prompts).slice(0, 10).map(quote).join(', '),
      hint: 'Give the text itself as `prompt`.',
    });
  }

  /** How many tokens of each text the pooling leaves out: the prompt's own, without a closing special token. */
  #promptLength(prompt: string): number {
    if (this.#model.settings.includePrompt.value || prompt === '') return 0;
    const { tokenizer } = this.#model;
    const { ids } = tokenizer.encode(prompt);
    return ids.length - (tokenizer.isSpecial(ids[ids.length - 1]) ? 1 : 0);
  }
}

/** A URL object counts as a path where it is one, as in Node. */
function pathOf(directory: string | FileUrl): string {
  if (typeof directory === 'string') return directory;
  const isFile = typeof directory === 'object' && directory?.protocol === 'file:' && typeof directory.href === 'string';
  try {
    if (isFile) return fileURLToPath(directory.href);
  } catch {
    // of another machine, or with an escaped slash: as little a path as any other
  }
  throw new GlassbertError('E_ARGUMENT', 'the model directory is given as a path', {
    expected: 'a string, or a URL object with file:',
    found: nameOf(typeof directory === 'object' && directory !== null ? (directory.href ?? directory) : directory),
  });
}

function withPrompt(prompt: string, input: Input): Input {
  return typeof input === 'string' ? prompt + input : [prompt + input[0], input[1]];
}

/** Neighbours in groups of about so many tokens, and at most so many texts. */
function* split(encodings: readonly Encoding[], tokens: number, texts: number): Generator<readonly Encoding[]> {
  let group: Encoding[] = [];
  let [done, end] = [0, tokens];
  for (const encoding of encodings) {
    // A text belongs to the group that its middle falls into.
    const middle = done + encoding.ids.length / 2;
    if (group.length > 0 && (middle > end || group.length === texts)) {
      yield group;
      group = [];
      while (middle > end) end += tokens;
    }
    group.push(encoding);
    done += encoding.ids.length;
  }
  if (group.length > 0) yield group;
}

/** The ids of all texts under one another. */
function pack(encodings: readonly Encoding[]): PackedIds {
  const starts = new Int32Array(encodings.length + 1);
  for (const [b, { ids }] of encodings.entries()) starts[b + 1] = starts[b] + ids.length;
  const N = starts[encodings.length];
  const packed = { ids: new Int32Array(N), typeIds: new Int32Array(N), starts };
  for (const [b, { ids, typeIds }] of encodings.entries()) {
    packed.ids.set(ids, starts[b]);
    packed.typeIds.set(typeIds, starts[b]);
  }
  return packed;
}

/** A copy, so that what was checked is what is encoded. */
function checkInputs(inputs: readonly Input[]): readonly Input[] {
  const isInput = (input: unknown): boolean =>
    typeof input === 'string' ||
    (Array.isArray(input) && input.length === 2 && typeof input[0] === 'string' && typeof input[1] === 'string');
  const copy = Array.isArray(inputs) ? [...inputs] : [inputs];
  const at = Array.isArray(inputs) ? copy.findIndex(input => !isInput(input)) : 0;
  if (at < 0) return copy;
  throw new GlassbertError('E_ARGUMENT', 'a text is a string, a pair of texts an array of two strings', {
    found: Array.isArray(copy[at]) ? `an array of ${copy[at].length}` : copy[at] === null ? 'null' : typeof copy[at],
  });
}

/** The names as they are here: a misspelt option would otherwise be one that does nothing. */
const ENCODE_OPTIONS = ['promptName', 'prompt', 'batchSize', 'normalize', 'truncateDim', 'observe'];

function checkOptions(options: EncodeOptions): void {
  const refuse = (name: string, expected: string, found: unknown): GlassbertError =>
    new GlassbertError('E_ARGUMENT', `${name} cannot be used`, { expected, found: String(found) });
  if (typeof options !== 'object' || options === null) throw refuse('options', 'an object', typeof options);
  const { prompt, promptName, observe } = options;
  const unknown = Object.keys(options).find(name => !ENCODE_OPTIONS.includes(name));
  if (unknown !== undefined) throw refuse('an option', ENCODE_OPTIONS.join(', '), quote(unknown));
  if (prompt != null && typeof prompt !== 'string') throw refuse('prompt', 'a string', typeof prompt);
  if (promptName != null && typeof promptName !== 'string') throw refuse('promptName', 'a string', typeof promptName);
  if (observe != null && typeof observe !== 'function') throw refuse('observe', 'a function', typeof observe);
}

function checkCount(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new GlassbertError('E_ARGUMENT', `${name} is out of range`, {
    expected: 'an integer from 1',
    found: String(value),
  });
}

/** Weights may be finite and so large that what comes out is not. */
function checkFinite(vectors: Floats, first: number, D: number): void {
  const at = vectors.findIndex(value => !Number.isFinite(value));
  if (at < 0) return;
  throw new GlassbertError('E_TENSOR_VALUE', `the vector of text ${first + Math.floor(at / D)} is not finite`, {
    found: `${vectors[at]}`,
    hint: 'The weights are too large for f32, or a prompt left no token to pool.',
  });
}
