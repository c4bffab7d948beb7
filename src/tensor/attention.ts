/**
 * Scaled dot-product attention of several heads, within each text.
 *
 *   context = softmax(Q Kᵀ / sqrt(K)) V        for each text and each head, K the width of a head
 *
 * Vaswani et al. 2017 (arXiv:1706.03762), equation 1 and section 3.2.2. Reference: BertSelfAttention of transformers.
 *
 * N rows of all texts stand under one another and `starts` says where each begins; a row attends to the rows of its own
 * text. So there is no padding and no mask: a softmax over real tokens only, where others add -10000 or -inf to the rest.
 *
 * Numerics. Both products are those of matmul.ts, over f64: scores are summed in column order and divided by sqrt(K) after
 * the sum, as BERT does; scores and probabilities stay f64; the context is summed over the tokens in order, rounded once.
 *
 * Legend: B texts, N tokens in all, T tokens of one text, D hidden size, H heads, K = D / H. Head h is columns
 * [h * K, (h + 1) * K) of query, key, value and context.
 */
import { linear } from './matmul.ts';
import { softmax } from './softmax.ts';
import { type Floats, zerosLike } from './tensor.ts';

/** Rows of scores at a time, so that memory grows with T and not with its square. */
const ROWS = 64;

/** Scratch of one head of one text. */
interface Head {
  readonly query: Float64Array; // [T, K]
  readonly key: Float64Array; // [T, K]
  readonly value: Float64Array; // [K, T], transposed
  readonly probabilities: Float64Array; // [ROWS, T]
  readonly context: Float64Array; // [ROWS, K]
}

/**
 * @param context - [N, D]
 * @param query - [N, D]
 * @param key - [N, D]
 * @param value - [N, D]
 * @param starts - [B + 1], text b is rows starts[b] .. starts[b + 1] - 1
 * @param seeProbabilities - shown the probabilities of each text, [H, T, T]; costs nothing where it is absent
 */
export function attention(
  context: Floats,
  query: Floats,
  key: Floats,
  value: Floats,
  starts: Int32Array,
  D: number,
  H: number,
  seeProbabilities?: (text: number, probabilities: Floats, T: number) => void,
): void {
  const K = D / H;
  for (let b = 0; b + 1 < starts.length; b++) {
    const T = starts[b + 1] - starts[b];
    const head = allocateHead(T, K);
    const seen = seeProbabilities && zerosLike(query, H * T * T);

    for (let h = 0; h < H; h++) {
      const first = starts[b] * D + h * K; // where this head's columns begin in the first row of the text
      for (let t = 0; t < T; t++) {
        for (let k = 0; k < K; k++) {
          head.query[t * K + k] = query[first + t * D + k];
          head.key[t * K + k] = key[first + t * D + k];
          head.value[k * T + t] = value[first + t * D + k];
        }
      }

      for (let from = 0; from < T; from += ROWS) {
        const rows = Math.min(ROWS, T - from);
        const queries = head.query.subarray(from * K);
        linear(head.probabilities, queries, head.key, null, rows, K, T); // Q Kᵀ: [rows, K] x [T, K] -> [rows, T]
        for (let i = 0; i < rows * T; i++) head.probabilities[i] /= Math.sqrt(K);
        for (let t = 0; t < rows; t++) softmax(head.probabilities, head.probabilities, t * T, T);
        seen?.set(head.probabilities.subarray(0, rows * T), (h * T + from) * T);
        linear(head.context, head.probabilities, head.value, null, rows, T, K); // P V: [rows, T] x [K, T] -> [rows, K]

        for (let t = 0; t < rows; t++) {
          for (let k = 0; k < K; k++) context[first + (from + t) * D + k] = head.context[t * K + k];
        }
      }
    }
    if (seen) seeProbabilities?.(b, seen, T);
  }
}

function allocateHead(T: number, K: number): Head {
  return {
    query: new Float64Array(T * K),
    key: new Float64Array(T * K),
    value: new Float64Array(K * T),
    probabilities: new Float64Array(ROWS * T),
    context: new Float64Array(ROWS * K),
  };
}
