/**
 * A tensor is numbers and a shape: `data` in row-major order (the last index runs fastest), `shape` the size of each
 * dimension. Nothing else: no strides, no device, no graph. Kernels take the `data`; shapes are for people and checks.
 */
import ndarray, { type NdArray } from 'ndarray';
import { GlassbertError } from '../errors.ts';
import { integer, nameOf } from '../options.ts';

/** The two element types of computation: f32, and f64 for the oracle. */
export type Floats = Float32Array | Float64Array;

/** Numbers and their shape; what takes tensors takes any such object. */
export interface TensorLike<Data extends Floats = Floats> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** Numbers as plain arrays, one inside the other: a number for [], number[] for [D], number[][] for [N, D]. */
export type NestedArray = number | NestedArray[];

/** A tensor that a call returns or gives to an observer. */
export class Tensor<Data extends Floats = Floats> implements TensorLike<Data> {
  readonly data: Data;
  readonly shape: readonly number[];

  /** @throws E_ARGUMENT where the shape is not that of so many numbers */
  constructor(data: Data, shape: readonly number[]) {
    checkTensor('what a Tensor is made of', { data, shape });
    this.data = data;
    this.shape = shape;
  }

  /** A copy as plain arrays, nested by the shape, as Python's `tolist()`: [2, 3] gives two arrays of three numbers. */
  toArray(): NestedArray {
    return nested(this.data, this.shape);
  }

  /** What JSON.stringify writes: `toArray()`. Every number reads back to the same bits. */
  toJSON(): NestedArray {
    return this.toArray();
  }
}

function nested(data: Floats, shape: readonly number[]): NestedArray {
  const [count, ...rest] = shape;
  if (count === undefined) return data[0];
  if (rest.length === 0) return Array.from(data);
  const size = sizeOf(rest);
  return Array.from({ length: count }, (_, n) => nested(data.subarray(n * size, (n + 1) * size), rest));
}

/** How many elements a shape has; the empty shape is a scalar and has one. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

/**
 * A new array of zeros of the same element type as `like`.
 *
 * @throws E_MEMORY
 */
export function zerosLike(like: Floats, length: number): Floats {
  try {
    return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  } catch (cause) {
    throw new GlassbertError('E_MEMORY', 'there is no room for the results', {
      found: `${length} numbers`,
      hint: 'Take fewer rows at a time.',
      cause,
    });
  }
}

/** The shape as it is written everywhere here: `[2, 384]`. */
export function formatShape(shape: readonly (number | bigint | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * For what comes from outside: numbers of a type that tensors have, as many as the shape says.
 *
 * @param what - its name, for the error
 * @throws E_ARGUMENT
 */
export function checkTensor<Data extends Floats>(what: string, tensor: TensorLike<Data>): void {
  const { data, shape }: { data?: unknown; shape?: unknown } = tensor ?? {};
  const isData = data instanceof Float32Array || data instanceof Float64Array;
  const isShape = Array.isArray(shape) && shape.every(integer(0).allows);
  if (isData && isShape && data.length === sizeOf(shape)) return;
  let found = nameOf(tensor);
  if (isData) found = `${data.length} numbers and the shape ${isShape ? formatShape(shape) : nameOf(shape)}`;
  else if (typeof tensor === 'object' && tensor !== null) found = `${nameOf(data)} as data`;
  throw new GlassbertError('E_ARGUMENT', `${what} is no tensor`, {
    expected: '{ data, shape }, a Float32Array or Float64Array and the sizes whose product is its length',
    found,
  });
}

/**
 * Row `n` of a matrix [N, D], as a view of the same memory; a vector [D] is its own row 0.
 *
 * @throws E_ARGUMENT for something else than a tensor, and for a row that it does not have
 */
export function rowOf<Data extends Floats>(tensor: TensorLike<Data>, n: number): Data {
  checkTensor('the first argument of rowOf', tensor);
  const D = tensor.shape.at(-1) ?? 1;
  const rows = sizeOf(tensor.shape.slice(0, -1));
  if (integer(0, rows - 1).allows(n)) return tensor.data.subarray(n * D, (n + 1) * D) as Data;
  throw new GlassbertError('E_ARGUMENT', `a tensor ${formatShape(tensor.shape)} has no such row`, {
    expected: rows === 0 ? 'none, it is empty' : `0 to ${rows - 1}`,
    found: nameOf(n),
  });
}

/**
 * The tensor as an ndarray over the same memory, to slice, transpose and step through without copying.
 *
 * @throws E_ARGUMENT for something else than a tensor
 *
 * @example
 * view(vectors).pick(0)          // the first row
 * view(hidden).transpose(1, 0)   // [T, D] -> [D, T]
 */
export function view<Data extends Floats>(tensor: TensorLike<Data>): NdArray<Data> {
  checkTensor('the argument of view', tensor);
  return ndarray(tensor.data, [...tensor.shape]);
}
