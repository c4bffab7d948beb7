/**
 * The operations a forward pass is made of. `src/bert` is written once against this interface; whoever implements it runs
 * the model: the reference kernels here, their oracle over f64, the fast twins of `simd/`.
 *
 * Every implementation gives the same bits for a row whatever the other rows are, and whatever their number: an output
 * row depends on its own input row (for attention: on the rows of its own text) and is summed in one fixed order.
 *
 * Legend: B texts, N tokens in all, D hidden size, F output width, H heads.
 */
import { ACTIVATIONS, activate } from './activations.ts';
import { attention } from './attention.ts';
import { layerNorm } from './layer-norm.ts';
import { linear } from './matmul.ts';
import type { Floats } from './tensor.ts';

/** A linear layer as in the checkpoint. */
export interface Linear {
  readonly weight: Floats; // [F, D]
  readonly bias: Floats | null; // [F]
  readonly inFeatures: number; // D
  readonly outFeatures: number; // F
  /** Set by `prepare` of kernels that have laid the weight out anew: it is no longer [F, D] to others. */
  packed?: 'f32' | 'int8';
}

/** A layer normalization as in the checkpoint. */
export interface LayerNorm {
  readonly weight: Floats; // [D], the scale gamma
  readonly bias: Floats; // [D], the shift beta
  readonly epsilon: number;
}

/** Floats of 16 bits as they lie in a file; a value is looked up when it is needed. */
export interface Halves {
  readonly codes: Uint16Array;
  /** What each of the 65,536 codes stands for. */
  readonly values: Float32Array;
}

/** The three tables that BERT adds up for each token. */
export interface EmbeddingTables {
  readonly word: Floats | Halves; // [V, D]
  readonly position: Floats; // [P, D]
  readonly tokenType: Floats; // [types, D]
}

export interface Kernels {
  readonly name: string;

  /**
   * A matrix [N, D], or without D a vector [N], in the memory these kernels compute in. It is there as long as the kernels
   * are; inside `pass`, until that ends.
   */
  floats(N: number, D?: number): Floats;

  /** Called once for each linear layer, when its weights have been read: kernels may lay them out anew, in place. */
  prepare(w: Linear): void;

  /** Gives back what `run` allocates when it ends. */
  pass<Result>(run: () => Result): Result;

  /** out[n] = word[ids[n]] + tokenType[typeIds[n]] + position[n's place in its text]; out [N, D]. */
  embed(
    out: Floats,
    ids: Int32Array,
    typeIds: Int32Array,
    starts: Int32Array,
    tables: EmbeddingTables,
    D: number,
  ): void;

  /** out [N, F] = x [N, D] weightᵀ + bias. */
  linear(out: Floats, x: Floats, w: Linear, N: number): void;

  /** `linear` of one x by several layers, each into its own out: the same bits as one by one, but x is prepared once. */
  linears(outs: readonly Floats[], x: Floats, ws: readonly Linear[], N: number): void;

  /**
   * `linear`, then the activation of that name (a key of ACTIVATIONS) on every element: the same bits as the two steps.
   * @param seeBefore - called between the two when somebody watches
   */
  linearActivation(out: Floats, x: Floats, w: Linear, activation: string, N: number, seeBefore?: () => void): void;

  /** context [N, D] = softmax(Q Kᵀ / sqrt(D / H)) V within each text; text b is rows starts[b] .. starts[b + 1] - 1. */
  attention(
    context: Floats,
    query: Floats,
    key: Floats,
    value: Floats,
    starts: Int32Array,
    D: number,
    H: number,
    seeProbabilities?: (text: number, probabilities: Floats, T: number) => void,
  ): void;

  /** out [N, D] = LayerNorm(x + residual); `out` may be either of them, residual may be null. */
  layerNorm(out: Floats, x: Floats, residual: Floats | null, w: LayerNorm, N: number): void;
}

/**
 * The plain pages of this folder. Over Float32Array they are the truth that the fast twins are compared with; over
 * Float64Array, unchanged, they are the oracle that the f32 reference is compared with.
 */
function plainKernels(name: string, floats: (length: number) => Floats): Kernels {
  return {
    name,
    floats: (N, D = 1) => floats(N * D),
    prepare: () => {},
    pass: run => run(), // the garbage collector gives it back
    embed,
    linear: (out, x, w, N) => linear(out, x, w.weight, w.bias, N, w.inFeatures, w.outFeatures),
    linears(outs, x, ws, N) {
      for (const [i, w] of ws.entries()) this.linear(outs[i], x, w, N);
    },
    linearActivation(out, x, w, activation, N, seeBefore) {
      linear(out, x, w.weight, w.bias, N, w.inFeatures, w.outFeatures);
      seeBefore?.();
      activate(out, ACTIVATIONS.get(activation) as (x: number) => number, N * w.outFeatures);
    },
    attention,
    layerNorm: (out, x, residual, w, N) => layerNorm(out, x, residual, w.weight, w.bias, w.epsilon, N, w.weight.length),
  };
}

export const referenceKernels: Kernels = plainKernels('reference', length => new Float32Array(length));
export const oracleKernels: Kernels = plainKernels('oracle', length => new Float64Array(length));

/** The sum of the three table rows, in f64, rounded once. Positions count from 0 in each text. */
function embed(
  out: Floats,
  ids: Int32Array,
  typeIds: Int32Array,
  starts: Int32Array,
  { word, position, tokenType }: EmbeddingTables,
  D: number,
): void {
  for (let b = 0; b + 1 < starts.length; b++) {
    for (let n = starts[b]; n < starts[b + 1]; n++) {
      const wordRow = ids[n] * D;
      const typeRow = typeIds[n] * D;
      const positionRow = (n - starts[b]) * D;
      if ('codes' in word) {
        const { codes, values } = word;
        for (let d = 0; d < D; d++)
          out[n * D + d] = values[codes[wordRow + d]] + tokenType[typeRow + d] + position[positionRow + d];
      } else {
        for (let d = 0; d < D; d++)
          out[n * D + d] = word[wordRow + d] + tokenType[typeRow + d] + position[positionRow + d];
      }
    }
  }
}
