/**
 * Writes NumPy's .npy format, version 1.0: what `numpy.load` reads, without a copy also with `mmap_mode`.
 *
 *   offset  bytes
 *   0       6      \x93NUMPY
 *   6       2      version 1, 0
 *   8       2      H, the length of the rest of the header, little-endian
 *   10      H      {'descr': '<f4', 'fortran_order': False, 'shape': (2, 384), }, spaces, a line feed
 *   10 + H         the elements, little-endian, in C order (row-major)
 *
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, "Format Version 1.0".
 */
import { GlassbertError } from '../errors.ts';
import type { TensorLike } from '../tensor/tensor.ts';

/** The elements begin at a multiple of this, so that they can be mapped into memory (ARRAY_ALIGN in NumPy). */
const ALIGNMENT = 64;

/**
 * Room for the digits of the first dimension, the length of 8 * 2^64 (GROWTH_AXIS_MAX_DIGITS in NumPy): the header has the
 * same length for any number of rows, so that a program that writes rows as they come can put the count in at the end.
 */
const FIRST_DIMENSION_DIGITS = 21;

const MAX_HEADER = 65535;

/**
 * The header of an array, byte for byte as NumPy writes it. Its length depends on the type and on all dimensions but the
 * first; to stream, write it with 0 rows, then the rows, then the header with their number at the same place.
 *
 * @param dtype - `f4` for 32-bit floats, `f8` for 64-bit
 * @throws E_ARGUMENT when the shape has something else than sizes, or the header would exceed 65,535 bytes
 */
export function npyHeader(dtype: 'f4' | 'f8', shape: readonly number[]): Uint8Array {
  if (!shape.every(size => Number.isSafeInteger(size) && size >= 0)) {
    throw new GlassbertError('E_ARGUMENT', 'a shape is made of sizes', { found: `[${shape.join(', ')}]` });
  }
  // A Python tuple: one element has a comma after it.
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const room = shape.length === 0 ? 0 : FIRST_DIMENSION_DIGITS - String(shape[0]).length;
  const description = `{'descr': '<${dtype}', 'fortran_order': False, 'shape': ${tuple}, }${' '.repeat(room)}`;

  const length = Math.ceil((10 + description.length + 1) / ALIGNMENT) * ALIGNMENT;
  if (length - 10 > MAX_HEADER)
    throw new GlassbertError('E_ARGUMENT', 'the shape has too many dimensions for .npy 1.0');

  const header = new Uint8Array(length);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(header.buffer).setUint16(8, length - 10, true);
  header.set(new TextEncoder().encode(`${description.padEnd(length - 11)}\n`), 10);
  return header;
}

/** A whole array as a .npy file. */
export function serializeNpy({ data, shape }: TensorLike): Uint8Array {
  const header = npyHeader(data instanceof Float64Array ? 'f8' : 'f4', shape);
  const file = new Uint8Array(header.length + data.byteLength);
  file.set(header);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}
