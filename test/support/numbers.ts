import type { Floats } from '../../src/tensor/tensor.ts';
import { random } from './random.ts';

/** The largest absolute difference; different lengths and NaN on one side only count as infinite. */
export function maxDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let max = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= max)) max = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return max;
}

/** The distance of two doubles in units in the last place of the second. */
export function ulps(actual: number, expected: number): number {
  if (Object.is(actual, expected)) return 0;
  const magnitude = Math.abs(expected);
  const exponent = magnitude < 2 ** -1022 ? -1022 : Math.floor(Math.log2(magnitude));
  return Math.abs(actual - expected) / 2 ** (exponent - 52);
}

/** Values between -1 and 1. */
export function randomFloats<Data extends Floats>(into: Data, seed: number): Data {
  const { real } = random(seed);
  for (let i = 0; i < into.length; i++) into[i] = 2 * real() - 1;
  return into;
}
