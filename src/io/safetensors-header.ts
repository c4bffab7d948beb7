/**
 * The header of a safetensors file: what it says, and the list of reasons to refuse it, in the order of the format.
 *
 *   8 bytes   N, the length of the header, little-endian
 *   N bytes   the header: {"name": {"dtype": "F32", "shape": [2, 384], "data_offsets": [0, 3072]}, ...,
 *             "__metadata__": {"format": "pt"}}, JSON in UTF-8, which white space may surround
 *   the rest  the elements of all tensors, little-endian, row-major; data_offsets count from here
 *
 * Format: https://github.com/huggingface/safetensors, README "Format". The tensors must cover the rest of the file without
 * a hole, an overlap or a byte left over, so that nothing can hide in it. Stricter than the Rust reader 0.8.0, which takes
 * the last of two tensors of one name, unknown fields, "dtype": {"F32": null}, positional arrays for a tensor's fields and
 * any rank: a file with two readings is refused here.
 */
import { GlassbertError } from '../errors.ts';
import { DTYPE_BITS, DTYPES, type Dtype, isDtype } from './dtypes.ts';
import { recognize } from './foreign.ts';
import { CUT_SHORT, type Json, type JsonObject, parseJson, quote } from './json.ts';

export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** The tensor is the bytes from `begin` to before `end`, counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

/** What the header says. */
export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order in which they lie in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** What the headers that belong together, those of all weights of a model, may still take. Each that is read takes its part. */
export interface HeaderBudget {
  bytes: number;
  /** JSON values. */
  values: number;
  tensors: number;
}

/**
 * Bytes: of the Rust reader (MAX_HEADER_SIZE): no genuine header comes near, and a forged length cannot ask for more memory.
 * Tensors: genuine models have a few thousand. Values: 100,000 tensors of up to 4 dimensions have as many; they take 0.9 s and
 * 200 MB at most (Node 24, x64).
 */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_HEADER_VALUES = 1_000_000;
export const MAX_TENSORS = 100_000;

export function headerBudget(): HeaderBudget {
  return { bytes: MAX_HEADER_BYTES, values: MAX_HEADER_VALUES, tensors: MAX_TENSORS };
}

/** What NumPy 1 can hold; models use 4 or 5. The format itself has no limit. */
const MAX_RANK = 32;

/** The header, a tensor, its shape. */
const HEADER_DEPTH = 3;

export const LENGTH_BYTES = 8;

// ---------------------------------------------------------------------------------------------------------------------

/**
 * @param start - the first RECOGNIZED_BYTES of the file, or all of it
 * @param size - of the whole file
 * @throws E_SAFETENSORS; E_WEIGHTS_PLACEHOLDER for a Git LFS pointer or a web page
 */
export function headerLength(
  start: Uint8Array,
  size: number,
  file: string | undefined,
  budget: HeaderBudget = headerBudget(),
): number {
  // In BigInt, since the length of a hostile file may be anything below 2^64.
  const length = size < LENGTH_BYTES ? undefined : new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const fits = length !== undefined && length <= budget.bytes && length <= size - LENGTH_BYTES;
  const foreign = fits && /[\s{]/.test(String.fromCharCode(start[LENGTH_BYTES])) ? undefined : recognize(start, size);
  if (foreign !== undefined) {
    const code = foreign.placeholder ? 'E_WEIGHTS_PLACEHOLDER' : 'E_SAFETENSORS';
    throw new GlassbertError(code, 'this is no safetensors file', { file, found: foreign.what, hint: foreign.hint });
  }
  if (fits && budget.values <= 0) {
    throw refuse(file, 'the headers of the weights hold more than those of any model', {
      expected: `at most ${MAX_TENSORS} tensors in all files`,
    });
  }
  if (fits) return Number(length);
  throw refuse(file, 'the length of the header is impossible', {
    expected: `8 bytes that give at most ${budget.bytes}, and as many bytes after them`,
    found: length === undefined ? `a file of ${size} bytes` : `${length} in a file of ${size} bytes`,
    hint: 'The file is cut short or is something else: copy or download it again.',
  });
}

/**
 * @param bytes - the N bytes of the header
 * @param size - of the whole file
 * @param budget - is reduced by what this header takes
 * @throws E_SAFETENSORS
 */
export function parseHeader(
  bytes: Uint8Array,
  size: number,
  file: string | undefined,
  budget: HeaderBudget = headerBudget(),
): SafetensorsHeader {
  // A header that is refused below may have cost as much as one that is not: its values are estimated, 8 bytes each.
  const { values } = budget;
  budget.bytes -= bytes.length;
  budget.values -= Math.ceil(bytes.length / 8);
  const header = parseHeaderJson(bytes, file, values);
  const dataBegin = LENGTH_BYTES + bytes.length;

  const metadata = new Map<string, string>();
  const entries: [string, TensorInfo][] = [];
  for (const name of Object.keys(header)) {
    const value = header[name] as Json;
    if (name === '__metadata__') parseMetadata(value, metadata, file);
    else entries.push([name, parseTensor(name, value, dataBegin, file)]);
  }
  if (entries.length > budget.tensors) {
    throw refuse(file, 'there are more tensors than any model has', {
      expected: `at most ${MAX_TENSORS} in all files`,
      found: `${entries.length} here, where ${budget.tensors} are left`,
    });
  }
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);

  // From the end of the header to the end of the file, each tensor begins where the one before it ends.
  let covered = dataBegin;
  for (const [name, { begin, end }] of entries) {
    if (begin !== covered) {
      throw refuse(file, `tensor ${quote(name)} leaves a hole or overlaps another`, {
        expected: `data_offsets to begin at ${covered - dataBegin}`,
        found: String(begin - dataBegin),
      });
    }
    covered = end;
  }
  if (covered !== size) {
    throw refuse(file, 'the tensors do not cover the file', {
      expected: `a file of ${covered} bytes`,
      found: `${size} bytes`,
      hint: covered > size ? CUT_SHORT : 'Something was added after the tensors.',
    });
  }
  budget.tensors -= entries.length;
  // The header, the metadata, and of a tensor itself, its dtype, its shape with the sizes, its place.
  budget.values = values - 2 - metadata.size;
  for (const [, { shape }] of entries) budget.values -= 6 + shape.length;
  return { metadata, tensors: new Map(entries) };
}

function parseHeaderJson(bytes: Uint8Array, file: string | undefined, values: number): JsonObject {
  let header: Json;
  try {
    header = parseJson(bytes, undefined, { depth: HEADER_DEPTH, values, numbers: 'natural' });
  } catch (cause) {
    const { message, hint } = cause as GlassbertError;
    const padded =
      bytes.at(-1) === 0 ? 'Its writer padded the header with NUL; the format pads with spaces.' : undefined;
    throw refuse(file, `the header is not JSON as the format wants it: ${message}`, { hint: padded ?? hint, cause });
  }
  if (!isObject(header)) throw refuse(file, 'the header is not an object');
  return header;
}

function parseMetadata(value: Json, metadata: Map<string, string>, file: string | undefined): void {
  if (!isObject(value)) throw refuse(file, '"__metadata__" is not an object');
  for (const key of Object.keys(value)) {
    const text = value[key];
    if (typeof text !== 'string') throw refuse(file, `the value of ${quote(key)} in "__metadata__" is not a string`);
    metadata.set(key, text);
  }
}

function parseTensor(name: string, value: Json, dataBegin: number, file: string | undefined): TensorInfo {
  const fail = (problem: string, details: Details = {}) => refuse(file, `tensor ${quote(name)} ${problem}`, details);

  if (!isObject(value)) throw fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets, ...unknown } = value;
  for (const key of Object.keys(unknown)) throw fail(`has the unknown field ${quote(key)}`);

  if (!isDtype(dtype)) {
    throw fail('has an unknown dtype', {
      expected: `one of ${DTYPES.join(', ')}`,
      found: JSON.stringify(dtype)?.slice(0, 80),
    });
  }
  if (!isNumbers(shape)) throw fail('has no shape', { expected: 'an array of sizes' });
  if (shape.length > MAX_RANK) throw fail(`has ${shape.length} dimensions`, { expected: `at most ${MAX_RANK}` });
  if (!isNumbers(offsets) || offsets.length !== 2) throw fail('has no data_offsets', { expected: '[begin, end]' });

  const byteLength = byteLengthOf(dtype, shape);
  if (byteLength === undefined) throw fail(`cannot be that large: ${dtype} [${shape.join(', ')}]`);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== byteLength) {
    const expected = `${byteLength} bytes for ${dtype} [${shape.join(', ')}]`;
    throw fail('has data_offsets that do not fit its shape', { expected, found: String(end - begin) });
  }
  return { dtype, shape, byteLength, begin: dataBegin + begin, end: dataBegin + end };
}

/** The bytes of a tensor; undefined for a size beyond 2^53 bits or that does not fill whole bytes (F4, F6). */
export function byteLengthOf(dtype: Dtype, shape: readonly number[]): number | undefined {
  // A product beyond 2^53 never rounds to a safe integer. Every step is looked at: a 0 that comes later would hide it.
  let bits: number = DTYPE_BITS[dtype];
  for (const size of shape) {
    bits *= size;
    if (!(Number.isInteger(size) && size >= 0 && Number.isSafeInteger(bits))) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumbers(value: Json | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every(size => typeof size === 'number');
}

type Details = {
  expected?: string | undefined;
  found?: string | undefined;
  hint?: string | undefined;
  cause?: unknown;
};

function refuse(file: string | undefined, summary: string, details: Details = {}): GlassbertError {
  return new GlassbertError('E_SAFETENSORS', summary, { file, ...details });
}
