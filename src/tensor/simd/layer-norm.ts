/**
 * Layer normalization of the sum with a residual: the fast twin of ../layer-norm.ts, two elements at a time.
 *
 * In f64 like the page, from the sum with the residual to the last product, and rounded once: this kernel is a hundredth of a
 * forward pass, and of all of them the one whose rounding shows most in the result. Differs in that sums run in eight lanes:
 * in two, each addition would wait for the one before. The row of sums is kept in f64, as widening takes the most time.
 */
import { type Code, FunctionCode, f64, f64x2, i32, type Local, v128 } from './assembler.ts';

/** Pairs of columns that are unrolled, each with a sum of its own; what is left over joins the first. */
const UNROLL = 4;

/** Bytes of scratch. */
export function layerNormScratchBytes(D: number): number {
  return 8 * D;
}

/** layerNorm(out [N, D], x [N, D], residual [N, D] or 0, weight [D], bias [D], N, D, epsilon, scratch), D even. */
export function layerNormCode(): FunctionCode {
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f64', 'i32']);
  const [out, x, residual, weight, bias, N, D, epsilon, scratch] = f.parameters;
  const [n, d, rowBytes, wholeBytes] = f.localsOf('i32', 4);
  const [value, mean, scale] = f.localsOf('v128', 3);
  const sums = f.localsOf('v128', UNROLL);
  const at = (row: Local): Code => i32.add(f.get(row), f.get(d));
  const load = (row: Local, u: number): Code => f64x2.promoteLowF32x4(v128.load64Zero(at(row), 8 * u));
  const kept = (): Code => i32.add(f.get(scratch), i32.shl(f.get(d), i32.const(1)));
  /** For each pair of columns, the u-th of those unrolled. */
  const overRow = (pair: (u: number) => void): void => {
    f.for(d, i32.const(0), f.get(wholeBytes), 8 * UNROLL, () => {
      for (let u = 0; u < UNROLL; u++) pair(u);
    });
    f.for(d, f.get(wholeBytes), f.get(rowBytes), 8, () => pair(0));
  };
  /** The sum over the row of what `term` leaves in `value`, divided by D. */
  const average = (term: (u: number) => void): Code => {
    for (const sum of sums) f.set(sum, f64x2.splat(f64.const(0)));
    overRow(u => {
      term(u);
      f.set(sums[u], f64x2.add(f.get(sums[u]), f.get(value)));
    });
    const [a, b, c, e] = sums.map(sum => f.get(sum));
    f.set(sums[0], f64x2.add(f64x2.add(a, b), f64x2.add(c, e)));
    const [low, high] = [0, 1].map(lane => f64x2.extractLane(lane, f.get(sums[0])));
    return f64.div(f64.add(low, high), f64.convertI32S(f.get(D)));
  };

  f.set(rowBytes, i32.shl(f.get(D), i32.const(2)));
  f.set(wholeBytes, i32.and(f.get(rowBytes), i32.const(-8 * UNROLL)));
  f.for(n, i32.const(0), f.get(N), 1, () => {
    const rowMean = average(u => {
      f.set(value, load(x, u));
      f.if(f.get(residual), () => f.set(value, f64x2.add(f.get(value), load(residual, u))));
      f.emit(v128.store(kept(), 16 * u, f.get(value)));
    });
    f.set(mean, f64x2.splat(rowMean));
    const variance = average(u => {
      f.set(value, f64x2.sub(v128.load(kept(), 16 * u), f.get(mean)));
      f.set(value, f64x2.mul(f.get(value), f.get(value)));
    });
    f.set(scale, f64x2.splat(f64.div(f64.const(1), f64.sqrt(f64.add(variance, f.get(epsilon))))));

    overRow(u => {
      const normal = f64x2.mul(f64x2.sub(v128.load(kept(), 16 * u), f.get(mean)), f.get(scale));
      const result = f64x2.add(f64x2.mul(normal, load(weight, u)), load(bias, u));
      f.emit(v128.store64Low(at(out), f64x2.demoteZero(result), 8 * u));
    });
    for (const row of [out, x]) f.set(row, i32.add(f.get(row), f.get(rowBytes)));
    f.if(f.get(residual), () => f.set(residual, i32.add(f.get(residual), f.get(rowBytes))));
  });
  return f;
}
