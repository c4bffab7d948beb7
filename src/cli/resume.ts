/**
 * Resuming an output that was interrupted.
 *
 * What is kept is compared with the input, row by row: the ids must be the same, and some of the vectors are computed again.
 * Since a text has the same bits in every batch, a vector that differs in a digit is of another model, another text or other
 * options. The vectors of the texts 0, 1, 3, 7, 15, ... and of the last one are computed: a change between two of these that
 * leaves the ids as they are is not noticed.
 */
import { createReadStream } from 'node:fs';
import { GlassbertError } from '../errors.ts';
import { readRecords } from './input/csv.ts';
import { splitLines } from './input/lines.ts';
import type { Entry } from './input/texts.ts';
import { realPath } from './output.ts';
import { csvHeader, csvRow, type FormatName, idJson, idText, type VectorFormat } from './vector-formats.ts';

/** Formats of one row a line, of which the complete lines can be told. */
export const RESUMABLE: readonly FormatName[] = ['jsonl', 'base64', 'csv'];

/** The file beside an output, or beside what a link there leads to, where an interrupted run leaves what it has. */
export function partialOf(output: string): string {
  return `${realPath(output)}.partial`;
}

interface KeptRow {
  /** As it is written in the format. */
  readonly id: string;
  /** Without its line end. */
  readonly row: string;
  /** From 1. */
  readonly line: number;
}

/**
 * The complete rows of a kept file, without line ends; a last row that was cut is left out.
 *
 * @param entries - of the input from the start on; those whose rows are kept are taken from it
 * @param compute - the row of a text as the format has it, with its line end
 * @throws E_OUTPUT for a row that is not the next of this input, model and options
 */
export async function* resume(
  path: string,
  entries: AsyncIterator<Entry>,
  { name: format, D }: Pick<VectorFormat, 'name' | 'D'>,
  compute: (entry: Entry) => Promise<string | Uint8Array>,
): AsyncGenerator<string, void, void> {
  const check = async (entry: Entry, { row, line }: KeptRow): Promise<void> => {
    if ((await compute(entry)) === `${row}\n`) return;
    throw refuse(path, line, 'the vector is not the one that this model gives for this text with these options');
  };
  let last: { entry: Entry; kept: KeptRow } | undefined;
  let index = 0;
  for await (const kept of readRows(path, format, D)) {
    const { value: entry, done } = await entries.next();
    if (done) throw refuse(path, kept.line, `the input has only ${index} texts`);
    const id = format === 'csv' ? idText(entry.id, false) : idJson(entry.id);
    if (id !== kept.id) {
      throw refuse(path, kept.line, 'the id is not that of the input', { expected: idJson(entry.id), found: kept.id });
    }
    if ((index & (index + 1)) === 0) await check(entry, kept);
    yield kept.row;
    last = { entry, kept };
    index++;
  }
  if (last !== undefined) await check(last.entry, last.kept);
}

/** @throws E_OUTPUT, whatever is wrong with the file: it is no input */
async function* readRows(path: string, format: FormatName, D: number): AsyncGenerator<KeptRow, void, void> {
  try {
    yield* parseRows(path, format, D);
  } catch (cause) {
    if (!(cause instanceof GlassbertError)) {
      const system = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new GlassbertError('E_OUTPUT', `what was kept cannot be read (${system})`, { file: path, cause });
    }
    throw cause.code === 'E_INPUT' ? new GlassbertError('E_OUTPUT', cause.message, { hint: GO_ON, cause }) : cause;
  }
}

async function* parseRows(path: string, format: FormatName, D: number): AsyncGenerator<KeptRow, void, void> {
  const lines = splitLines(createReadStream(path), path);
  if (format === 'csv') {
    let isHeader = true;
    for await (const { fields, line, ended, closed } of readRecords(lines, ',', path)) {
      if (!ended || !closed) return;
      const isRow = fields.length === D + 1;
      if (isHeader ? fields.join(',') !== csvHeader(D) : !isRow) {
        throw refuse(path, line, `this is no ${isHeader ? 'header' : 'row'} of vectors of ${D} elements`);
      }
      if (!isHeader) yield { id: fields[0], row: csvRow(fields[0], fields.slice(1)), line };
      isHeader = false;
    }
    return;
  }
  for await (const { text, number, end } of lines) {
    if (end !== '\n') return;
    const at = text.lastIndexOf(MIDDLE);
    if (!text.startsWith(START) || at < 0) throw refuse(path, number, 'this is no line that glassbert embed wrote');
    yield { id: text.slice(START.length, at), row: text, line: number };
  }
}

const GO_ON = 'Go on with the input, the model and the options it was made with, or remove it and start anew.';

const START = '{"id": ';
const MIDDLE = ', "embedding": ';

function refuse(
  path: string,
  line: number,
  summary: string,
  details: { expected?: string; found?: string } = {},
): GlassbertError {
  return new GlassbertError('E_OUTPUT', `line ${line}: ${summary}`, {
    file: path,
    ...details,
    hint: GO_ON,
  });
}
