/** Tensors as they come and go: plain arrays, JSON, rows and views, and what is no tensor. */
import { expect, test } from 'vitest';
import { rowOf, similarity, Tensor, type TensorLike, view } from '../../src/index.ts';
import { refusal } from '../support/refusal.ts';

const matrix = new Tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);

test('a tensor becomes arrays, one inside the other', () => {
  expect(matrix.toArray()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(new Tensor(Float32Array.of(1, 2), [2]).toArray()).toEqual([1, 2]);
  expect(new Tensor(Float64Array.of(7), []).toArray()).toBe(7);
  expect(new Tensor(matrix.data, [1, 3, 2]).toArray()).toEqual([
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  ]);
  expect(new Tensor(new Float32Array(0), [0, 3]).toArray()).toEqual([]);
  expect(new Tensor(new Float32Array(0), [2, 0]).toArray()).toEqual([[], []]);
});

test('JSON holds the same, and every number reads back to its bits', () => {
  expect(JSON.stringify({ matrix })).toBe('{"matrix":[[1,2,3],[4,5,6]]}');
  const odd = Float32Array.of(0.1, -1e-40, 16777217, Math.fround(1 / 3));
  expect(Float32Array.from(JSON.parse(JSON.stringify(new Tensor(odd, [4]))))).toEqual(odd);
});

test('any object of data and shape will do', () => {
  const plain: TensorLike<Float32Array> = { data: matrix.data, shape: [2, 3] };
  expect([...rowOf(plain, 1)]).toEqual([4, 5, 6]);
  expect(view(plain).get(1, 0)).toBe(4);
  const dots: Float32Array = similarity('dot', plain, { data: Float64Array.of(1, 0, 1), shape: [3] }).data;
  expect([...dots]).toEqual([4, 10]);
});

const notTensors: [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['an empty object', {}],
  ['an array', [1, 2]],
  ['a string', 'tensor'],
  ['no shape', { data: matrix.data }],
  ['a shape that is a string', { data: Float32Array.of(1), shape: '1' }],
  ['a shape that is a number', { data: Float32Array.of(1), shape: 1 }],
  ['a shape that does not fit', { data: matrix.data, shape: [2, 2] }],
  ['sizes below 0', { data: matrix.data, shape: [-2, -3] }],
  ['sizes that are no integers', { data: matrix.data, shape: [1.5, 4] }],
  ['sizes that are strings', { data: matrix.data, shape: ['2', '3'] }],
  ['data of another type', { data: Int32Array.of(1), shape: [1] }],
  ['data that is an array', { data: [1], shape: [1] }],
];

test.each(notTensors)('%s is no tensor, for anybody', async (_, wrong) => {
  const tensor = wrong as TensorLike;
  await refusal('E_ARGUMENT', () => view(tensor));
  await refusal('E_ARGUMENT', () => rowOf(tensor, 0));
  await refusal('E_ARGUMENT', () => similarity('cosine', tensor, matrix));
  await refusal('E_ARGUMENT', () => similarity('cosine', matrix, tensor));
});

test('more similarities than an array can hold are an error of memory', async () => {
  const empty = { data: new Float32Array(0), shape: [2 ** 32, 0] };
  await refusal('E_MEMORY', () => similarity('dot', empty, empty));
});

test('a row that is not there is refused', async () => {
  for (const n of [-1, 2, 5, 0.5, Number.NaN, '0', null]) {
    const error = await refusal('E_ARGUMENT', () => rowOf(matrix, n as number));
    expect(error.message).toMatch(/^a tensor \[2, 3\] has no such row: expected 0 to 1, found /);
  }
  await refusal('E_ARGUMENT', () => rowOf(new Tensor(new Float32Array(0), [0, 3]), 0));
  expect([...rowOf(new Tensor(Float32Array.of(1, 2), [2]), 0)]).toEqual([1, 2]);
});

test.each(['foo', 'toString', 'constructor', '', null, undefined, 5])('%j is no similarity function', async name => {
  const error = await refusal('E_ARGUMENT', () => similarity(name as 'dot', matrix, matrix));
  expect(error.expected).toBe('cosine, dot, euclidean, manhattan');
});
