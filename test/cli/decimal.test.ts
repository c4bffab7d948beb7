import { expect, test } from 'vitest';
import { decimals, shortestFloat32 } from '../../src/cli/decimal.ts';
import { random } from '../support/random.ts';

test.each([
  [0.1, '0.1'],
  [-0.5, '-0.5'],
  [1, '1'],
  [0, '0'],
  [1 / 3, '0.33333334'],
  [16777217, '16777216'],
  [2 ** -149, '1e-45'], // the smallest of all
  [3.4028234663852886e38, '3.4028235e+38'], // the largest
])('the f32 next to %d is written %s', (x, decimal) => {
  expect(shortestFloat32(Math.fround(x))).toBe(decimal);
});

test('minus zero stays minus zero, in Python too, where -0 would be an integer', () => {
  expect(decimals(Float32Array.of(-0, 0))).toEqual(['-0.0', '0']);
  expect(decimals(Float64Array.of(-0, 0.1))).toEqual(['-0.0', '0.1']);
});

test('every f32 comes back with the same bits, and with one digit less it would not', () => {
  const { integer } = random(1);
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  for (let i = 0; i < 100_000; i++) {
    bits[0] = integer(2 ** 32);
    const [x] = floats;
    if (!Number.isFinite(x)) continue;
    const decimal = shortestFloat32(x);
    if (!Object.is(Math.fround(Number(decimal)), x)) expect.fail(`${x} became ${decimal}`);
    const digits = decimal.replace(/e.*|[-.]/g, '').replace(/^0+|0+$/g, '').length;
    if (digits > 1 && Math.fround(Number(x.toPrecision(digits - 1))) === x) expect.fail(`${decimal} is too long`);
  }
});

test('powers of two, whose neighbours are unequally far, come back too', () => {
  for (let exponent = -149; exponent <= 127; exponent++) {
    expect(Math.fround(Number(shortestFloat32(2 ** exponent)))).toBe(2 ** exponent);
  }
});
