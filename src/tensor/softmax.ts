/**
 * Softmax of one row.
 *
 *   p[t] = e^(x[t] - m) / sum over s of e^(x[s] - m)        m = the largest x
 *
 * Subtracting the maximum changes nothing mathematically and keeps every exponential in [0, 1]: no overflow, and at least
 * one term is 1, so the sum is never 0. Reference: torch.nn.functional.softmax.
 *
 * Numerics. f64 throughout, own exp; the sum runs in row order; each p is rounded to the element type of `out` once. A row
 * of one gives exactly 1, a row of equals equal shares. There is no mask: packed rows hold real tokens only.
 */
import { exp } from './elementary.ts';
import type { Floats } from './tensor.ts';

let exponentials: Float64Array = new Float64Array(0); // [T], one row

/**
 * @param out - receives out[start .. start + T - 1]; may be `x` itself
 * @param x - [T] values at x[start .. start + T - 1], T >= 1
 */
export function softmax(out: Floats, x: Floats, start: number, T: number): void {
  if (exponentials.length < T) exponentials = new Float64Array(T);

  let max = Number.NEGATIVE_INFINITY;
  for (let t = 0; t < T; t++) if (x[start + t] > max) max = x[start + t];

  let sum = 0;
  for (let t = 0; t < T; t++) {
    exponentials[t] = exp(x[start + t] - max);
    sum += exponentials[t];
  }
  for (let t = 0; t < T; t++) out[start + t] = exponentials[t] / sum;
}
