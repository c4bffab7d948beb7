/**
 * A tensor is numbers and a shape: `data` in row-major order (the last index runs fastest), `shape` the size of each
 * dimension. Nothing else: no strides, no device, no graph. Kernels take the `data`; shapes are for people and checks.
 */
import ndarray, { type NdArray } from 'ndarray';

/** The two element types of computation: f32, and f64 for the oracle. */
export type Floats = Float32Array | Float64Array;

export interface Tensor<Data extends Floats = Floats> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** How many elements a shape has; the empty shape is a scalar and has one. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

/** A new array of zeros of the same element type as `like`. */
export function zerosLike(like: Floats, length: number): Floats {
  return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
}

/** The shape as it is written everywhere here: `[2, 384]`. */
export function formatShape(shape: readonly (number | bigint | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/** Row `n` of a matrix [N, D], as a view of the same memory; a vector [D] is its own row 0. */
export function rowOf<Data extends Floats>(tensor: Tensor<Data>, n: number): Data {
  const D = tensor.shape.at(-1) as number;
  return tensor.data.subarray(n * D, (n + 1) * D) as Data;
}

/**
 * The tensor as an ndarray over the same memory, to slice, transpose and step through without copying.
 *
 * @example
 * view(vectors).pick(0)          // the first row
 * view(hidden).transpose(1, 0)   // [T, D] -> [D, T]
 */
export function view<Data extends Floats>(tensor: Tensor<Data>): NdArray<Data> {
  return ndarray(tensor.data, [...tensor.shape]);
}
