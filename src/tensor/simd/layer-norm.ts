/**
 * Layer normalization of the sum with a residual: the fast twin of ../layer-norm.ts, two elements at a time.
 *
 * In f64 like the page, from the sum with the residual to the last product, and rounded once: this kernel is a hundredth of a
 * forward pass, and of all of them the one whose rounding shows most in the result. Differs in that sums run in two lanes.
 */
import { type Code, FunctionCode, f64, f64x2, i32, type Local, v128 } from './assembler.ts';

/** layerNorm(out [N, D], x [N, D], residual [N, D] or 0, weight [D], bias [D], N, D, epsilon), D even. */
export function layerNormCode(): FunctionCode {
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f64']);
  const [out, x, residual, weight, bias, N, D, epsilon] = f.parameters;
  const [n, d, rowBytes] = f.localsOf('i32', 3);
  const [value, sum, mean, scale] = f.localsOf('v128', 4);
  const load = (row: Local): Code => f64x2.promoteLowF32x4(v128.load64Zero(i32.add(f.get(row), f.get(d))));
  /** value = x + residual, for each pair of columns. */
  const overRow = (body: () => void): void =>
    f.for(d, i32.const(0), f.get(rowBytes), 8, () => {
      f.set(value, load(x));
      f.if(f.get(residual), () => f.set(value, f64x2.add(f.get(value), load(residual))));
      body();
    });
  const sumPerColumn = (): Code => {
    const total = f64.add(f64x2.extractLane(0, f.get(sum)), f64x2.extractLane(1, f.get(sum)));
    return f64.div(total, f64.convertI32S(f.get(D)));
  };
  const zero = f64x2.splat(f64.const(0));

  f.set(rowBytes, i32.shl(f.get(D), i32.const(2)));
  f.for(n, i32.const(0), f.get(N), 1, () => {
    f.set(sum, zero);
    overRow(() => f.set(sum, f64x2.add(f.get(sum), f.get(value))));
    f.set(mean, f64x2.splat(sumPerColumn()));

    f.set(sum, zero);
    overRow(() => {
      f.set(value, f64x2.sub(f.get(value), f.get(mean)));
      f.set(sum, f64x2.add(f.get(sum), f64x2.mul(f.get(value), f.get(value))));
    });
    f.set(scale, f64x2.splat(f64.div(f64.const(1), f64.sqrt(f64.add(sumPerColumn(), f.get(epsilon))))));

    overRow(() => {
      f.set(value, f64x2.mul(f64x2.sub(f.get(value), f.get(mean)), f.get(scale)));
      const result = f64x2.add(f64x2.mul(f.get(value), load(weight)), load(bias));
      f.emit(v128.store64Low(i32.add(f.get(out), f.get(d)), f64x2.demoteZero(result)));
    });
    for (const row of [out, x]) f.set(row, i32.add(f.get(row), f.get(rowBytes)));
    f.if(f.get(residual), () => f.set(residual, i32.add(f.get(residual), f.get(rowBytes))));
  });
  return f;
}
