import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { erf, exp, expm1, log, log1p, tanh } from '../../src/tensor/elementary.ts';
import { ulps } from '../support/numbers.ts';

// 1,000 points, the values rounded from 60 decimal digits (mpmath 1.3); the bounds are those the page states.
const golden: Record<string, [number, number][]> = JSON.parse(
  readFileSync(new URL('../fixtures/elementary.json', import.meta.url), 'utf8'),
);

test.for([
  ['exp', exp, 0.82],
  ['expm1', expm1, 2.8],
  ['log', log, 0.73],
  ['log1p', log1p, 1.8],
  ['erf', erf, 0.85],
  ['tanh', tanh, 2.5],
] as const)('%s is as exact as its page says', ([name, f, bound]) => {
  // The golden values are themselves rounded, by up to half a unit.
  for (const [x, y] of golden[name]) expect(ulps(f(x), y), `${name}(${x})`).toBeLessThanOrEqual(bound + 0.5);
});

test('the ends of the scale are exact', () => {
  const { POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf, NaN: nan } = Number;
  expect([exp(0), exp(minusInf), exp(inf), exp(-746), exp(710)]).toEqual([1, 0, inf, 0, inf]);
  expect([log(1), log(0), log(inf), log(-1)]).toEqual([0, minusInf, inf, nan]);
  expect([erf(0), erf(7), erf(-7), erf(inf)]).toEqual([0, 1, -1, 1]);
  expect([tanh(0), tanh(40), tanh(-40), tanh(minusInf)]).toEqual([0, 1, -1, -1]);
  for (const f of [exp, expm1, log, log1p, erf, tanh]) expect(f(nan)).toBeNaN();
});

test('exp reaches down through the subnormal numbers and is the inverse of log', () => {
  expect(ulps(exp(-745), 5e-324)).toBeLessThanOrEqual(1);
  expect(ulps(exp(-720), 2.0322308024e-313)).toBeLessThanOrEqual(1);
  for (let x = -700; x <= 700; x += 7.3) expect(Math.abs(log(exp(x)) - x)).toBeLessThan(3e-13);
});

test('erf and tanh are odd to the last bit', () => {
  for (let x = 0.001; x < 6; x += 0.037) {
    expect(erf(-x)).toBe(-erf(x));
    expect(tanh(-x)).toBe(-tanh(x));
  }
});
