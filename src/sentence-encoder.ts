/**
 * The whole pipeline on one page:
 *
 *   directory --io--> checked description, weights        + the load report: every choice and the file that made it
 *   text --text--> ids, specials in, truncated            [T]
 *   ids --bert--> token vectors of all texts, packed      [N, D]
 *   token vectors --pooling--> one vector per text        [B, D']
 */
import { fileURLToPath } from 'node:url';
import { forward, type Observe, type PackedIds } from './bert/bert.ts';
import { GlassbertError } from './errors.ts';
import type { LoadReport } from './io/load-report.ts';
import { type LoadedModel, type LoadOptions, loadModel } from './load-model.ts';
import { normalize } from './pooling/modules.ts';
import { pool } from './pooling/pooling.ts';
import { similarity } from './pooling/similarity.ts';
import { type Floats, type Tensor, zerosLike } from './tensor/tensor.ts';
import type { Encoding } from './text/tokenizer.ts';

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

/** The model that ships with this package. */
export const DEFAULT_MODEL: string = fileURLToPath(new URL('../models/glassbert-mini', import.meta.url));

export class SentenceEncoder {
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
  static async load(directory: string = DEFAULT_MODEL, options: LoadOptions = {}): Promise<SentenceEncoder> {
    return new SentenceEncoder(await loadModel(directory, options));
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

  /** One text to a vector [D]; an array of texts, or of pairs of texts, to vectors [B, D] in the same order. */
  async encode(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor> {
    const inputs = typeof input === 'string' ? [input] : checkInputs(input);
    const { batchSize = DEFAULT_BATCH_SIZE, truncateDim = this.#model.settings.truncateDim.value ?? undefined } =
      options;
    checkCount('batchSize', batchSize);
    if (truncateDim !== undefined) checkCount('truncateDim', truncateDim);

    const { kernels } = this.#model;
    const prompt = this.#promptOf(options);
    const skip = this.#promptLength(prompt);
    const D = Math.min(truncateDim ?? this.dimension, this.dimension);
    const data = zerosLike(kernels.floats(0), inputs.length * D);

    for (let first = 0; first < inputs.length; first += batchSize) {
      const batch = inputs.slice(first, first + batchSize);
      const vectors = this.#encodeBatch(batch, prompt, skip, options.observe);
      for (let b = 0; b < batch.length; b++) {
        const row = b * this.dimension;
        data.set(vectors.subarray(row, row + D), (first + b) * D);
      }
      // Timers and sockets of the program get their turn between batches.
      if (first + batchSize < inputs.length) await new Promise(resolve => setImmediate(resolve));
    }
    if (options.normalize) normalize(data, inputs.length, D);
    return { data, shape: typeof input === 'string' ? [D] : [inputs.length, D] };
  }

  /** `encode` with the prompt named "query". */
  encodeQuery(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor> {
    return this.encode(input, { promptName: 'query', ...options });
  }

  /** `encode` with the prompt named "document", "passage" or "corpus", the first that the model has. */
  encodeDocument(input: string | readonly Input[], options: EncodeOptions = {}): Promise<Tensor> {
    const promptName = ['document', 'passage', 'corpus'].find(name => Object.hasOwn(this.prompts, name));
    return this.encode(input, { ...(promptName === undefined ? {} : { promptName }), ...options });
  }

  /**
   * How similar each vector of `a` [A, D] is to each of `b` [B, D], [A, B], by the model's similarity function: cosine, dot,
   * or the negative Euclidean or Manhattan distance. A single vector [D] counts as one row.
   */
  similarity(a: Tensor, b: Tensor): Tensor {
    return similarity(this.#model.settings.similarityFnName.value, a, b);
  }

  /** The tokens of a text as the model sees it: specials in, truncated, without any prompt. */
  tokenize(input: Input, options: { truncate?: boolean } = {}): Encoding {
    const [text, pair] = typeof input === 'string' ? [input] : input;
    return this.#model.tokenizer.encode(text, { ...options, ...(pair === undefined ? {} : { pair }) });
  }

  /** The vectors of one batch, [B, dimension]. */
  #encodeBatch(batch: readonly Input[], prompt: string, skip: number, observe?: Observe): Floats {
    const { kernels, config, weights, settings, modules } = this.#model;
    const modes = settings.pooling.value;
    const B = batch.length;
    const D = config.hidden_size;

    const packed = pack(batch.map(input => this.tokenize(withPrompt(prompt, input))));
    const tokens = forward(kernels, config, weights, packed, observe); // [N, D]

    let vectors = kernels.floats(B * modes.length * D);
    pool(vectors, tokens, modes, packed.starts, new Int32Array(B).fill(skip), D); // [N, D] -> [B, modes * D]
    observe?.('pooling', { data: vectors, shape: [B, modes.length * D] });
    for (const [m, module] of modules.entries()) {
      vectors = module.run(vectors, B); // [B, inFeatures] -> [B, outFeatures]
      observe?.(`modules.${m + 2}.${module.kind}`, { data: vectors, shape: [B, module.outFeatures] });
    }
    return vectors;
  }

  /** The text put before each input: an explicit prompt, a named one, or the model's default. */
  #promptOf({ prompt, promptName = this.#model.settings.defaultPromptName.value ?? undefined }: EncodeOptions): string {
    if (prompt !== undefined) return prompt;
    if (promptName === undefined) return '';
    if (Object.hasOwn(this.prompts, promptName)) return this.prompts[promptName];
    throw new GlassbertError('E_PROMPT_UNKNOWN', `the model has no prompt named "${promptName}"`, {
      expected: Object.keys(this.prompts).join(', '),
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

function withPrompt(prompt: string, input: Input): Input {
  return typeof input === 'string' ? prompt + input : [prompt + input[0], input[1]];
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

function checkInputs(inputs: readonly Input[]): readonly Input[] {
  const isInput = (input: unknown): boolean =>
    typeof input === 'string' ||
    (Array.isArray(input) && input.length === 2 && input.every(text => typeof text === 'string'));
  const at = Array.isArray(inputs) ? inputs.findIndex(input => !isInput(input)) : 0;
  if (at < 0) return inputs;
  throw new GlassbertError('E_ARGUMENT', 'encode takes a string, or an array of strings and pairs of strings', {
    found: Array.isArray(inputs) ? `${typeof inputs[at]} at index ${at}` : typeof inputs,
  });
}

function checkCount(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new GlassbertError('E_ARGUMENT', `${name} is out of range`, {
    expected: 'an integer from 1',
    found: `${value}`,
  });
}
