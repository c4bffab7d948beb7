/**
 * The shortest decimal of a number, such that reading it back gives the same bits.
 *
 *   0.1 as f32 is 0.100000001490116...   String: 0.10000000149011612   here: 0.1
 *
 * For an f64, String does it. An f32 needs at most 9 digits, usually 8. The nearest decimal of 6, 7, 8, 9 digits is tried
 * in turn; a shorter one that fits is among those of 6 digits with zeros at its end, because an f32 is known to better than
 * 6 digits unless it is subnormal. (At powers of two, where the floats below lie closer, another decimal than the nearest
 * could at times be a digit shorter.)
 */
import type { Floats } from '../tensor/tensor.ts';

const SMALLEST_NORMAL = 2 ** -126;

/** The elements of one vector. Finite ones only: JSON has no word for the others. */
export function decimals(vector: Floats): string[] {
  return Array.from(vector, vector instanceof Float32Array ? shortestFloat32 : shortestFloat64);
}

export function shortestFloat32(x: number): string {
  if (x === 0) return shortestFloat64(x);
  for (let digits = Math.abs(x) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const decimal = Number(x.toPrecision(digits));
    if (Math.fround(decimal) === x) return String(decimal);
  }
  return String(Number(x.toPrecision(9)));
}

function shortestFloat64(x: number): string {
  // String(-0) is '0', and Python reads '-0' as the integer 0.
  return Object.is(x, -0) ? '-0.0' : String(x);
}
