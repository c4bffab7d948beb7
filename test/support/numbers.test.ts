import { expect, test } from 'vitest';
import { maxDifference, ulps } from './numbers.ts';

// A checker with a wrong tolerance passes everything, so the checkers are checked.

test('a difference is found wherever it is, and the largest one counts', () => {
  expect(maxDifference([1, 2, 3], [1, 2, 3])).toBe(0);
  expect(maxDifference([1, 2, 3], [1, 2.5, 2])).toBe(1);
  expect(maxDifference([0], [1e-300])).toBe(1e-300);
});

test('a NaN, an infinity or a missing element is never small', () => {
  expect(maxDifference([Number.NaN], [0])).toBe(Number.POSITIVE_INFINITY);
  expect(maxDifference([0, 5], [Number.NaN, 0])).toBe(Number.POSITIVE_INFINITY);
  expect(maxDifference([1], [Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
  expect(maxDifference([1, 2], [1])).toBe(Number.POSITIVE_INFINITY);
  expect(maxDifference([-Infinity], [-Infinity])).toBe(0);
});

test('neighbouring doubles are one unit apart', () => {
  expect(ulps(1 + Number.EPSILON, 1)).toBe(1);
  expect(ulps(1, 1)).toBe(0);
  expect(ulps(8 + 3 * 2 ** -49, 8)).toBe(3);
});
