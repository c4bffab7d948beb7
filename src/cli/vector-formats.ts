/**
 * Vectors as bytes, in parts: a header, the rows of one batch after another, a footer.
 *
 *   jsonl    {"id": 0, "embedding": [0.1, -0.2]}
 *   json     the same lines as one array
 *   base64   {"id": 0, "embedding": "zczMPc3MTL4="}: the floats as bytes, little-endian, as HTTP services of embeddings send them
 *   csv      id,e0,e1 in the first line, then 0,0.1,-0.2; ids are quoted as RFC 4180 says, lines end in \n
 *   npy      a NumPy array [B, D]; it has no place for ids
 *
 * Decimals are the shortest that read back to the same bits. Elements are f32, with the oracle f64.
 */
import { GlassbertError } from '../errors.ts';
import { WrittenNumber } from '../io/json.ts';
import { npyHeader } from '../io/npy.ts';
import { type Floats, rowOf, type TensorLike } from '../tensor/tensor.ts';
import { decimals } from './decimal.ts';
import type { Entry, Id } from './input/texts.ts';
import { json, visible } from './terminal.ts';

export const FORMATS = ['jsonl', 'json', 'base64', 'npy', 'csv'] as const;

export type FormatName = (typeof FORMATS)[number];

export interface VectorFormat {
  readonly name: FormatName;
  /** The width of the vectors. */
  readonly D: number;
  /** What stands before the rows; it has the same length for any number of them. */
  header(rows: number): string | Uint8Array;
  /** Whether the header says how many rows there are. */
  readonly countsRows: boolean;
  /**
   * @param vectors - [B, D], of the B entries
   * @param before - how many rows there are already
   */
  rows(entries: readonly Entry[], vectors: TensorLike, before: number): string | Uint8Array;
  readonly footer: string;
}

/**
 * @param like - [0, D], tells the width and the type of the elements
 * @param onTerminal - where somebody reads what would otherwise be read by a program
 */
export function vectorFormat(name: FormatName, like: TensorLike, onTerminal: boolean): VectorFormat {
  const D = like.shape[1];
  const plain = { name, D, header: () => '', countsRows: false, footer: '' };
  switch (name) {
    case 'jsonl':
      return { ...plain, rows: (entries, vectors) => lines(entries, vectors, jsonRow) };
    case 'json':
      return {
        ...plain,
        header: () => '[\n',
        rows: (entries, vectors, before) => {
          const rows = entries.map(({ id }, b) => jsonRow(id, rowOf(vectors, b)));
          return `${before > 0 ? ',\n' : ''}${rows.join(',\n')}`;
        },
        footer: '\n]\n',
      };
    case 'base64':
      return { ...plain, rows: (entries, vectors) => lines(entries, vectors, base64Row) };
    case 'csv':
      return {
        ...plain,
        header: () => `${csvHeader(D)}\n`,
        rows: (entries, vectors) =>
          lines(entries, vectors, (id, vector) => csvRow(idText(id, onTerminal), decimals(vector))),
      };
    case 'npy': {
      const dtype = like.data instanceof Float64Array ? 'f8' : 'f4';
      return {
        ...plain,
        header: rows => npyHeader(dtype, [rows, D]),
        countsRows: true,
        rows: (_, { data }) => bytesOf(data),
      };
    }
  }
}

/** The beginnings of what is written here, by which an earlier output is known. */
const BEGINNINGS: readonly RegExp[] = [
  /^(?:\[\n)?\{"id": (?:"(?:[^"\\]|\\.)*"|[-0-9.eE+]+), "embedding": ["[]/,
  /^\[\n*\]\n$/,
  /^id,e0[,\n]/,
  /^\x93NUMPY....\{'descr': '<f[48]', 'fortran_order': False, 'shape': \(\d+, \d+\)/s,
];

/** @param head - the first bytes of a file */
export function isVectorFile(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('latin1');
  return BEGINNINGS.some(pattern => pattern.test(text));
}

export function idJson(id: Id): string {
  return id instanceof WrittenNumber ? id.digits : json(id);
}

/** On a terminal with its controls as escapes; in a file as it came. */
export function idText(id: Id, onTerminal: boolean): string {
  const text = id instanceof WrittenNumber ? id.digits : String(id);
  return onTerminal ? visible(text) : text;
}

export function csvHeader(D: number): string {
  return `id,${Array.from({ length: D }, (_, d) => `e${d}`).join(',')}`;
}

export function csvRow(id: string, elements: readonly string[]): string {
  return `${csvCell(id)},${elements.join(',')}`;
}

/** Whether a spreadsheet that opens the CSV would take the id for a formula, and run it. */
export function isFormula(id: Id): boolean {
  return typeof id === 'string' && /^[=+\-@\t\r]/.test(id) && !/^[+-]?\d+(?:\.\d+)?$/.test(id);
}

/** @throws E_TENSOR_VALUE for a vector with NaN or an infinity, which most readers would not notice */
export function checkFinite(entries: readonly Entry[], vectors: TensorLike): void {
  const at = vectors.data.findIndex(x => !Number.isFinite(x));
  if (at < 0) return;
  const { id } = entries[Math.floor(at / vectors.shape[1])];
  throw new GlassbertError('E_TENSOR_VALUE', `the vector of text ${idJson(id)} is not finite`, {
    found: `${vectors.data[at]} at ${at % vectors.shape[1]}`,
  });
}

function lines(entries: readonly Entry[], vectors: TensorLike, row: (id: Id, vector: Floats) => string): string {
  return entries.map(({ id }, b) => `${row(id, rowOf(vectors, b))}\n`).join('');
}

function jsonRow(id: Id, vector: Floats): string {
  return `{"id": ${idJson(id)}, "embedding": [${decimals(vector).join(', ')}]}`;
}

function base64Row(id: Id, vector: Floats): string {
  return `{"id": ${idJson(id)}, "embedding": "${Buffer.from(bytesOf(vector)).toString('base64')}"}`;
}

/** Every processor that V8 runs on here is little-endian. */
function bytesOf({ buffer, byteOffset, byteLength }: Floats): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
