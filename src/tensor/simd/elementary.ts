/**
 * exp, gelu and tanh of four f32 at a time: the fast twins of ../elementary.ts and ../activations.ts.
 *
 * Each is a polynomial, or the quotient of two, fitted here by least squares with weights moved to the largest errors
 * (Lawson 1961) until they were even, and rounded to f32. The largest errors against the f64 pages, where multiply-adds are
 * fused (and where they are not), are stated at each function and held by test/simd-elementary.test.ts.
 */
import { type Code, FunctionCode, f32x4, i32, i32x4, type Local, v128 } from './assembler.ts';
import type { Madd } from './tile.ts';

/** c[0] + x (c[1] + x (c[2] + ...)) */
function polynomial(f: FunctionCode, madd: Madd, x: Local, c: readonly number[]): Code {
  return c
    .slice(0, -1)
    .reduceRight<Code>((sum, constant) => madd(f.get(x), sum, f.fourTimes(constant)), f.fourTimes(c[c.length - 1]));
}

/** e^r = 1 + r + r² P(r) for |r| <= ln(2) / 2, to 3e-9. */
// biome-ignore format: one power a number
const EXP = [1, 1, 0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710055947304, 0.0013814608100801706];

/**
 * Added to a small number it leaves no room for a fraction: the number is rounded, and stands in the lowest bits; with 127
 * more, the bias of an exponent.
 */
const ROUND = 1.5 * 2 ** 23 + 127;

/**
 * e^x for x <= 88, relative error at most 7.8e-8 (9.5e-8); below -87.3 it stays at the smallest normal number. x = k ln 2 + r as in
 * ../elementary.ts, with ln 2 in two parts of which the first has 9 bits, so that k times it is exact.
 */
export function expOf(f: FunctionCode, madd: Madd): (x: Code) => Code {
  const [x, shifted, k, r] = f.localsOf('v128', 4);
  return value => {
    f.set(x, f32x4.pmax(value, f.fourTimes(-87.33654)));
    f.set(shifted, madd(f.get(x), f.fourTimes(Math.LOG2E), f.fourTimes(ROUND)));
    f.set(k, f32x4.sub(f.get(shifted), f.fourTimes(ROUND)));
    f.set(r, madd(f.get(k), f.fourTimes(-0.693359375), f.get(x)));
    f.set(r, madd(f.get(k), f.fourTimes(2.1219444e-4), f.get(r)));
    // The lowest bits of `shifted` are k + 127, and the shift leaves only those: 2^k.
    const powerOfTwo = i32x4.shl(f.get(shifted), i32.const(23));
    return f32x4.mul(polynomial(f, madd, r, EXP), powerOfTwo);
  };
}

/** erf z = z P(z²) / Q(z²) for |z| <= 4, beyond which erf is 1 in f32; fitted to 2.5e-8. */
// biome-ignore format: one power a number
const ERF_P = [1.1283791065216064, 0.19353321194648743, 0.05309987813234329, 0.003882750403136015, 0.00028453898266889155, 1.9867013634211617e-06];
// biome-ignore format: one power a number
const ERF_Q = [1, 0.5048468708992004, 0.1153448298573494, 0.015206076204776764, 0.001185401575639844, 3.74179107893724e-05];

/** x Phi(x), absolute error for |x| <= 10 at most 9.6e-7 (1.2e-6), for |x| <= 3 at most 4.6e-7 (5.5e-7). */
export function geluOf(f: FunctionCode, madd: Madd): (x: Code) => Code {
  const [x, z, square] = f.localsOf('v128', 3);
  return value => {
    f.set(x, value);
    f.set(z, f32x4.pmax(f32x4.pmin(f32x4.mul(f.get(x), f.fourTimes(Math.SQRT1_2)), f.fourTimes(4)), f.fourTimes(-4)));
    f.set(square, f32x4.mul(f.get(z), f.get(z)));
    const numerator = f32x4.mul(f.get(z), polynomial(f, madd, square, ERF_P));
    const erf = f32x4.div(numerator, polynomial(f, madd, square, ERF_Q));
    return f32x4.mul(f32x4.mul(f.get(x), f.fourTimes(0.5)), f32x4.add(f.fourTimes(1), erf));
  };
}

/** The tanh form of gelu, 0.5 x (1 + tanh u) = x - x / (e^2u + 1), absolute error for |x| <= 10 at most 5.2e-7, for |x| <= 3 at most 3e-7. */
export function geluTanhOf(f: FunctionCode, madd: Madd): (x: Code) => Code {
  const [x, u] = f.localsOf('v128', 2);
  const exp = expOf(f, madd);
  return value => {
    f.set(x, value);
    const cube = f32x4.mul(f32x4.mul(f.get(x), f.get(x)), f.get(x));
    const sum = f32x4.add(f.get(x), f32x4.mul(cube, f.fourTimes(0.044715)));
    f.set(u, f32x4.pmin(f32x4.mul(sum, f.fourTimes(2 * 0.7978845608028654)), f.fourTimes(88)));
    const power = exp(f.get(u));
    return f32x4.sub(f.get(x), f32x4.div(f.get(x), f32x4.add(power, f.fourTimes(1))));
  };
}

export function reluOf(f: FunctionCode): (x: Code) => Code {
  return x => f32x4.pmax(x, f.fourTimes(0));
}

/** activate(x, N), N a multiple of 4: in place, the same bits as the same activation at the end of a product. */
export function activateCode(madd: Madd, activation: (f: FunctionCode, madd: Madd) => (x: Code) => Code): FunctionCode {
  const f = new FunctionCode(['i32', 'i32']);
  const [x, N] = f.parameters;
  const [at, bytes] = f.localsOf('i32', 2);
  const of = activation(f, madd);
  f.set(bytes, i32.shl(f.get(N), i32.const(2)));
  // From 0, as the loop compares signed numbers and an address may be beyond 2^31.
  f.for(at, i32.const(0), f.get(bytes), 16, () => {
    const address = i32.add(f.get(x), f.get(at));
    f.emit(v128.store(address, 0, of(v128.load(address))));
  });
  return f;
}
