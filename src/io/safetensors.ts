/**
 * safetensors: the file format of weights that holds numbers and nothing else. What a file looks like and why one is refused
 * stands in safetensors-header.ts.
 *
 * `parseSafetensors` and `serializeSafetensors` work on bytes, anywhere; `openSafetensors` on a file, in Node.
 */

import { GlassbertError } from '../errors.ts';
import { checkArgument, integer, OBJECT, oneOf, type Rule, readOptions, STRING } from '../options.ts';
import type { Floats } from '../tensor/tensor.ts';
import { DTYPE_BITS, DTYPES, type Dtype, dtypeOf, isFloatDtype, type Values, valuesOf, widen } from './dtypes.ts';
import { RECOGNIZED_BYTES } from './foreign.ts';
import { quote } from './json.ts';
import type { FileHandle } from './regular-file.ts';
import {
  byteLengthOf,
  type HeaderBudget,
  headerBudget,
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './safetensors-header.ts';

export type { Dtype, FloatDtype, Values } from './dtypes.ts';
export type { SafetensorsHeader, TensorInfo } from './safetensors-header.ts';

export interface Safetensors extends SafetensorsHeader {
  /** A copy of a tensor's elements: floats as floats (F16 and BF16 widened to f32), integers as integers; see Values. */
  read(name: string): Values;
  /**
   * A tensor's elements as floats of 32 or 64 bits, into an array of its size or a new one.
   *
   * @throws E_TENSOR_MISSING, E_TENSOR_DTYPE when it does not hold floats, E_ARGUMENT when `into` has another length
   */
  readFloats<Into extends Floats | 'f32' | 'f64'>(name: string, into: Into): FloatsFor<Into>;
}

export interface SafetensorsFile extends SafetensorsHeader {
  read(name: string): Promise<Values>;
  readFloats<Into extends Floats | 'f32' | 'f64'>(name: string, into: Into): Promise<FloatsFor<Into>>;
  /**
   * A tensor's elements as they lie in the file.
   *
   * @throws E_TENSOR_MISSING, E_ARGUMENT when `into` has another length
   */
  readInto(name: string, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type FloatsFor<Into> = Into extends 'f32' ? Float32Array : Into extends 'f64' ? Float64Array : Into;

/** A tensor to be written. `data` holds the little-endian elements; F16 and BF16 as a Uint16Array of their bits. */
export interface TensorToWrite {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

const BYTES: Rule = { expected: 'a Uint8Array', allows: value => value instanceof Uint8Array };

const FLOATS: Rule = {
  expected: "'f32', 'f64', a Float32Array or a Float64Array",
  allows: value => value === 'f32' || value === 'f64' || value instanceof Float32Array || value instanceof Float64Array,
};

/** By what it does, as programs may wrap it. */
const SOURCE: Rule = {
  expected: 'a path, or an open FileHandle',
  allows: value =>
    typeof value === 'string' ||
    (OBJECT.allows(value) && typeof (value as { close?: unknown }).close === 'function' && 'stat' in (value as object)),
};

const BUDGET: Rule = {
  expected: '{ bytes, values, tensors }, numbers',
  allows: value => {
    const { bytes, values, tensors } = Object(value ?? {});
    return [bytes, values, tensors].every(count => typeof count === 'number');
  },
};

const OPEN_OPTIONS = { file: STRING, budget: BUDGET };

/** What is converted from a file passes through a buffer of this size; a multiple of every element's. */
const CHUNK_BYTES = 2 ** 20;

// ---------------------------------------------------------------------------------------------------------------------
// Reading

/**
 * @param bytes - the whole file; kept, not copied
 * @param file - named in errors
 * @throws E_ARGUMENT, E_SAFETENSORS; E_WEIGHTS_PLACEHOLDER for a Git LFS pointer or a web page
 */
export function parseSafetensors(bytes: Uint8Array, file?: string): Safetensors {
  checkArgument('what parseSafetensors reads', bytes, BYTES);
  if (file !== undefined) checkArgument('the file name of parseSafetensors', file, STRING);
  const length = headerLength(bytes.subarray(0, RECOGNIZED_BYTES), bytes.length, file);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, file);
  const bytesOf = ({ begin, end }: TensorInfo): Uint8Array => bytes.subarray(begin, end);
  return {
    ...header,
    read: name => {
      const info = find(header, name, file);
      return valuesOf(new Uint8Array(bytesOf(info)), info.dtype);
    },
    readFloats: (name, into) => {
      const info = find(header, name, file);
      const { floats, dtype } = destination(info, name, into, file);
      widen(bytesOf(info), dtype, floats);
      return floats as FloatsFor<typeof into>;
    },
  };
}

/**
 * Reads the header and leaves the file open. Tensors are read one at a time at their positions, straight into their array
 * where the elements need no conversion: never is the whole file in memory.
 *
 * @param source - a path, or an open handle, which from now on belongs to the result: it is closed with it, or on failure
 * @param options.file - named in errors; by default the path
 * @param options.budget - what this header and others may take together; it is reduced
 * @throws E_FILE_MISSING, E_FILE_TYPE, E_FILE_READ, and as parseSafetensors
 */
export async function openSafetensors(
  source: string | FileHandle,
  options: { file?: string; budget?: HeaderBudget } = {},
): Promise<SafetensorsFile> {
  const { RegularFile } = await import('./regular-file.ts');
  checkArgument('what openSafetensors reads', source, SOURCE);
  const { budget = headerBudget(), file: given } = readOptions<typeof options>(
    'openSafetensors',
    options,
    OPEN_OPTIONS,
  );
  const name = given ?? (typeof source === 'string' ? source : 'safetensors');
  const file = await (typeof source === 'string' ? RegularFile.open(source, { name }) : RegularFile.of(source, name));
  const readBytes = async (begin: number, end: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(end - begin);
    await file.read(bytes, begin);
    return bytes;
  };

  let header: SafetensorsHeader;
  try {
    const length = headerLength(await readBytes(0, Math.min(RECOGNIZED_BYTES, file.size)), file.size, name, budget);
    header = parseHeader(await readBytes(LENGTH_BYTES, LENGTH_BYTES + length), file.size, name, budget);
  } catch (error) {
    await file.close();
    throw error;
  }

  return {
    ...header,
    read: async tensor => {
      const { begin, end, dtype } = find(header, tensor, name);
      return valuesOf(await readBytes(begin, end), dtype);
    },
    readFloats: async (tensor, into) => {
      const info = find(header, tensor, name);
      const { floats, dtype } = destination(info, tensor, into, name);
      if (dtype === dtypeOf(floats)) {
        await file.read(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), info.begin);
      } else {
        const width = DTYPE_BITS[dtype] / 8;
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, info.byteLength));
        for (let done = 0; done < info.byteLength; done += chunk.length) {
          const part = chunk.subarray(0, info.byteLength - done);
          await file.read(part, info.begin + done);
          widen(part, dtype, floats.subarray(done / width, (done + part.length) / width));
        }
      }
      return floats as FloatsFor<typeof into>;
    },
    readInto: async (tensor, into) => {
      const { begin, byteLength } = find(header, tensor, name);
      checkArgument(`the array for tensor ${quote(tensor)}`, into, BYTES);
      if (into.length !== byteLength) throw wrongLength(tensor, name, `${byteLength} bytes`, into.length);
      await file.read(into, begin);
    },
    close: () => file.close(),
  };
}

function find(header: SafetensorsHeader, name: string, file: string | undefined): TensorInfo {
  checkArgument('the name of a tensor', name, STRING);
  const info = header.tensors.get(name);
  if (info === undefined) throw new GlassbertError('E_TENSOR_MISSING', `there is no tensor ${quote(name)}`, { file });
  return info;
}

/** The array that a tensor's floats go to, and the tensor's dtype, now known to be one of floats. */
function destination(info: TensorInfo, name: string, into: Floats | 'f32' | 'f64', file: string | undefined) {
  const { dtype, byteLength } = info;
  if (!isFloatDtype(dtype)) {
    const details = { file, expected: 'F32, F16, BF16 or F64', found: dtype };
    throw new GlassbertError('E_TENSOR_DTYPE', `tensor ${quote(name)} does not hold floats`, details);
  }
  checkArgument(`the array for tensor ${quote(name)}`, into, FLOATS);
  const size = (byteLength * 8) / DTYPE_BITS[dtype];
  const floats = into === 'f32' ? new Float32Array(size) : into === 'f64' ? new Float64Array(size) : into;
  if (floats.length !== size) throw wrongLength(name, file, `${size} elements`, floats.length);
  return { floats, dtype };
}

function wrongLength(name: string, file: string | undefined, expected: string, found: number): GlassbertError {
  const summary = `the array for tensor ${quote(name)} has the wrong length`;
  return new GlassbertError('E_ARGUMENT', summary, { file, expected, found: String(found) });
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing

const TENSORS: Rule = { expected: 'an object or a Map of tensors', allows: isPlain };

const METADATA: Rule = {
  expected: 'an object of strings',
  allows: value => isPlain(value) && Object.values(value).every(STRING.allows),
};

const TENSOR: Rule = {
  expected: '{ dtype, shape, data }, the data a typed array or a DataView',
  allows: value => OBJECT.allows(value) && ArrayBuffer.isView((value as { data?: unknown }).data),
};

const SHAPE: Rule = {
  expected: 'an array of integers from 0',
  allows: value => Array.isArray(value) && value.every(integer(0).allows),
};

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/**
 * A file with these tensors, byte for byte as the Rust writer lays it out: widest dtypes first, then by name, so that every
 * tensor is aligned; the header padded with spaces to a multiple of 8.
 *
 * @throws E_ARGUMENT when a tensor's data does not fit its dtype and shape, or a name cannot be written
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, TensorToWrite> | Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkArgument('what serializeSafetensors writes', tensors, TENSORS);
  checkArgument('the metadata of serializeSafetensors', metadata, METADATA);
  const entries = [...(tensors instanceof Map ? tensors : Object.entries(tensors))] as [string, TensorToWrite][];
  for (const [name, tensor] of entries) {
    checkArgument('the name of a tensor', name, STRING);
    checkArgument(`tensor ${quote(name)}`, tensor, TENSOR);
    checkArgument(`the dtype of tensor ${quote(name)}`, tensor.dtype, oneOf(DTYPES));
    checkArgument(`the shape of tensor ${quote(name)}`, tensor.shape, SHAPE);
  }
  entries.sort(([a, { dtype: A }], [b, { dtype: B }]) => DTYPES.indexOf(B) - DTYPES.indexOf(A) || byCodePoint(a, b));

  // Not one JSON.stringify, as an object would put names like "0" first.
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let length = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === '__metadata__' || !name.isWellFormed()) {
      throw new GlassbertError('E_ARGUMENT', `${quote(name)} cannot be the name of a tensor`);
    }
    if (byteLengthOf(dtype, shape) !== data.byteLength) {
      const summary = `the data of tensor ${quote(name)} is not ${dtype} [${shape.join(', ')}]`;
      throw new GlassbertError('E_ARGUMENT', summary, { found: `${data.byteLength} bytes` });
    }
    const info = { dtype, shape, data_offsets: [length, length + data.byteLength] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    length += data.byteLength;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;

  const file = new Uint8Array(LENGTH_BYTES + headerBytes + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + json.length, LENGTH_BYTES + headerBytes);
  let at = LENGTH_BYTES + headerBytes;
  for (const [, { data }] of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** The order of UTF-8 bytes, which differs from that of UTF-16 units beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  const [A, B] = [Array.from(a), Array.from(b)];
  const differs = A.findIndex((character, i) => character !== B[i]);
  if (differs === -1) return A.length - B.length;
  return (A[differs]?.codePointAt(0) ?? 0) - (B[differs]?.codePointAt(0) ?? -1);
}
