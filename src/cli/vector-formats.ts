/**
 * Vectors as bytes, in parts: a header, then the rows of one batch after another.
 *
 *   jsonl   {"id": 0, "embedding": [0.1, -0.2]}
 *   csv     id,e0,e1 in the first line, then 0,0.1,-0.2; ids are quoted as RFC 4180 says, lines end in \n
 *   npy     a NumPy array [B, D]; it has no place for ids
 *
 * Decimals are the shortest that read back to the same bits.
 */
import { GlassbertError } from '../errors.ts';
import { npyHeader } from '../io/npy.ts';
import { rowOf, type TensorLike } from '../tensor/tensor.ts';
import { decimals } from './decimal.ts';
import { json } from './terminal.ts';
import type { Entry } from './texts.ts';

export const FORMATS = ['jsonl', 'npy', 'csv'] as const;

export type FormatName = (typeof FORMATS)[number];

export interface VectorFormat {
  /** What stands before the rows; it has the same length for any number of them. */
  header(rows: number): string | Uint8Array;
  /** Whether the header says how many rows there are. */
  readonly countsRows: boolean;
  /** @param vectors - [B, D], of the B entries */
  rows(entries: readonly Entry[], vectors: TensorLike): string | Uint8Array;
}

/** @param like - [0, D], tells the width and the type of the elements */
export function vectorFormat(name: FormatName, like: TensorLike): VectorFormat {
  const D = like.shape[1];
  switch (name) {
    case 'jsonl':
      return {
        header: () => '',
        countsRows: false,
        rows: (entries, vectors) =>
          lines(entries, vectors, (id, vector) => `{"id": ${json(id)}, "embedding": [${vector.join(', ')}]}`),
      };
    case 'csv':
      return {
        header: () => `id,${Array.from({ length: D }, (_, d) => `e${d}`).join(',')}\n`,
        countsRows: false,
        rows: (entries, vectors) =>
          lines(entries, vectors, (id, vector) => `${csvCell(String(id))},${vector.join(',')}`),
      };
    case 'npy': {
      const dtype = like.data instanceof Float64Array ? 'f8' : 'f4';
      return {
        header: rows => npyHeader(dtype, [rows, D]),
        countsRows: true,
        rows: (_, { data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      };
    }
  }
}

/** @throws E_TENSOR_VALUE for a vector with NaN or an infinity, which most readers would not notice */
export function checkFinite(entries: readonly Entry[], vectors: TensorLike): void {
  const at = vectors.data.findIndex(x => !Number.isFinite(x));
  if (at < 0) return;
  const { id } = entries[Math.floor(at / vectors.shape[1])];
  throw new GlassbertError('E_TENSOR_VALUE', `the vector of text ${json(id)} is not finite`, {
    found: `${vectors.data[at]} at ${at % vectors.shape[1]}`,
  });
}

function lines(
  entries: readonly Entry[],
  vectors: TensorLike,
  line: (id: string | number, vector: readonly string[]) => string,
): string {
  return entries.map(({ id }, b) => `${line(id, decimals(rowOf(vectors, b)))}\n`).join('');
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
