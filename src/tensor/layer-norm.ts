/**
 * Layer normalization of each row, of the sum with a residual where there is one.
 *
 *   y = (x - mean) / sqrt(variance + epsilon) * weight + bias
 *
 * Ba, Kiros, Hinton 2016 (arXiv:1607.06450), equations 3 and 4. Reference: torch.nn.LayerNorm, which BERT applies after
 * every sub-layer to the sum of its input and output.
 *
 * Numerics. The sum with the residual is formed in f64 and not rounded. Mean and variance are summed in f64 in column
 * order, in two passes. The variance is biased (divided by D, not D - 1); epsilon stands inside the root; each y is
 * rounded to the element type once. A row of equal values gives `bias`.
 *
 * Legend: N rows, D hidden size.
 */
import type { Floats } from './tensor.ts';

let sums: Float64Array = new Float64Array(0); // [D], one row of x + residual

/**
 * @param out - [N, D], may be `x` or `residual` itself
 * @param x - [N, D]
 * @param residual - [N, D] added to x before the normalization, or null
 * @param weight - [D], the scale gamma
 * @param bias - [D], the shift beta
 */
export function layerNorm(
  out: Floats,
  x: Floats,
  residual: Floats | null,
  weight: Floats,
  bias: Floats,
  epsilon: number,
  N: number,
  D: number,
): void {
  if (sums.length < D) sums = new Float64Array(D);
  for (let n = 0; n < N; n++) {
    const row = n * D;

    let sum = 0;
    for (let d = 0; d < D; d++) {
      sums[d] = residual === null ? x[row + d] : x[row + d] + residual[row + d];
      sum += sums[d];
    }
    const mean = sum / D;

    let squares = 0;
    for (let d = 0; d < D; d++) {
      const deviation = sums[d] - mean;
      squares += deviation * deviation;
    }
    const scale = 1 / Math.sqrt(squares / D + epsilon);

    for (let d = 0; d < D; d++) out[row + d] = (sums[d] - mean) * scale * weight[d] + bias[d];
  }
}
