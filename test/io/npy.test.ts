import { expect, test } from 'vitest';
import { npyHeader, serializeNpy } from '../../src/io/npy.ts';
import { refusal } from '../support/refusal.ts';

// Written by numpy.lib.format.write_array_header_1_0, NumPy 2.4.6.
test.each([
  [[], '()'],
  [[3], '(3,)'],
  [[2, 384], '(2, 384)'],
  [[100000, 384], '(100000, 384)'],
])('the header of shape %j is the one that NumPy writes', (shape, tuple) => {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const expected = `\x93NUMPY\x01\x00v\x00${text.padEnd(117)}\n`;
  expect(String.fromCharCode(...npyHeader('f4', shape))).toBe(expected);
});

test('the header of a file that is still being written has the length of the final one', () => {
  const lengths = [0, 9, 10, 123456789, Number.MAX_SAFE_INTEGER].map(rows => npyHeader('f8', [rows, 384]).length);
  expect(new Set(lengths)).toEqual(new Set([128]));
});

test('the elements follow, little-endian, row by row', () => {
  const file = serializeNpy({ data: Float32Array.of(1, -2, 0.5, 0.25), shape: [2, 2] });
  expect(file.length).toBe(128 + 16);
  const elements = new DataView(file.buffer, 128);
  expect([0, 4, 8, 12].map(at => elements.getFloat32(at, true))).toEqual([1, -2, 0.5, 0.25]);

  const f64 = serializeNpy({ data: Float64Array.of(0.1), shape: [] });
  expect(String.fromCharCode(...f64.subarray(0, 40))).toContain("'<f8'");
  expect(new DataView(f64.buffer, 128).getFloat64(0, true)).toBe(0.1);
});

test('the header stays at a multiple of 64, whatever the shape', () => {
  for (let rank = 0; rank <= 40; rank++) expect(npyHeader('f4', Array(rank).fill(123)).length % 64).toBe(0);
});

test('a shape that is none is refused', async () => {
  await refusal('E_ARGUMENT', () => npyHeader('f4', [-1]));
  await refusal('E_ARGUMENT', () => npyHeader('f4', [1.5]));
  await refusal('E_ARGUMENT', () => npyHeader('f4', Array(40_000).fill(1)));
});
