/**
 * Texts from a file or stdin, one by one, so that an input of any size needs the memory of one text.
 *
 *   lines      one text a line, ended by \n or \r\n; an empty line is an empty text; the last line needs no end
 *   jsonl      one JSON object a line: "text", a string or a pair [string, string], and perhaps "id", a string or a number
 *   json       one array of such objects, or of strings
 *   csv, tsv   a header, then a row for each text: column "text", and perhaps "id"
 *
 * Other keys and columns are passed over, whatever is in them. Blank lines at the end are nothing, except in `lines`. An id
 * comes out as it came in, digit for digit.
 */
import { GlassbertError } from '../../errors.ts';
import { type Position, parseRecord, quote, WrittenNumber } from '../../io/json.ts';
import type { Input } from '../../sentence-encoder.ts';
import { warn } from '../terminal.ts';
import { checkClosed, type Record, readRecords } from './csv.ts';
import { guessFormat, type InputFormat, refuseBinary } from './format.ts';
import { readElements } from './json-array.ts';
import { AS_LINES, emptyLine, splitLines, withoutBlankEnd } from './lines.ts';
import { Source } from './source.ts';

export interface Entry {
  /** The one given, else the number of the text, from 0. */
  readonly id: Id;
  readonly text: Input;
}

export type Id = string | number | WrittenNumber;

export interface InputFlags {
  readonly inputFormat: 'auto' | InputFormat;
  readonly textField?: string;
  readonly idField?: string;
}

/** The texts of one input, once. */
export class TextInput {
  readonly source: Source;
  readonly #flags: InputFlags;
  /** Bytes whose texts have been given. */
  #consumed = 0;

  /** @param path - of a file; '-' is stdin */
  constructor(path: string, flags: InputFlags) {
    this.source = new Source(path);
    this.#flags = flags;
  }

  /** How much of the input has been given, from 0 to 1; undefined where its size is not known. */
  get fraction(): number | undefined {
    const size = this.source.stats?.size;
    return size === undefined || size === 0 ? undefined : Math.min(1, this.#consumed / size);
  }

  /** @throws E_INPUT with file and line, E_ARGUMENT for an option that the format has no use for */
  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, void> {
    try {
      await refuseBinary(this.source);
      const format = await this.#format();
      if (format === 'lines') yield* this.#lines();
      else if (format === 'jsonl') yield* this.#jsonLines();
      else if (format === 'json') yield* this.#jsonArray();
      else yield* this.#table(format);
    } finally {
      await this.source.close();
    }
  }

  async #format(): Promise<InputFormat> {
    const { inputFormat, textField, idField } = this.#flags;
    const { format, byContent } =
      inputFormat === 'auto' ? await guessFormat(this.source, textField) : { format: inputFormat, byContent: false };
    if (format === 'lines' && (textField ?? idField) !== undefined) {
      throw new GlassbertError('E_ARGUMENT', `${this.source.file} has lines of text, which have no fields`, {
        hint: 'Leave --text-field and --id-field away, or state the format with --input-format.',
      });
    }
    if (byContent) {
      warn({
        code: format === 'jsonl' ? 'W_READ_AS_JSONL' : format === 'json' ? 'W_READ_AS_JSON' : 'W_READ_AS_TABLE',
        message: `${this.source.file} is read as ${CALLED[format]}; --input-format lines reads it as text.`,
      });
    }
    return format;
  }

  async *#lines(): AsyncGenerator<Entry, void, void> {
    let id = 0;
    for await (const { text, bytes } of splitLines(this.source.chunks(), this.source.file)) {
      this.#consumed += bytes;
      yield { id: id++, text };
    }
  }

  async *#jsonLines(): AsyncGenerator<Entry, void, void> {
    const { file } = this.source;
    let index = 0;
    for await (const { text, number, bytes } of withoutBlankEnd(splitLines(this.source.chunks(), file), file)) {
      if (index === 0 && /^\s*(\[|\{\s*$)/.test(text)) throw noJsonLines(text, number, file);
      const value = parse(text, this.#fields, { line: number, column: 1 }, file);
      this.#consumed += bytes;
      yield this.#entryOf(value, index++, `line ${number}`, false);
    }
  }

  async *#jsonArray(): AsyncGenerator<Entry, void, void> {
    const { file } = this.source;
    let index = 0;
    for await (const { text, start, bytes } of readElements(this.source.chunks(), file)) {
      const value = parse(text, this.#fields, start, file);
      this.#consumed += bytes;
      yield this.#entryOf(value, index++, `line ${start.line}, column ${start.column}`, true);
    }
  }

  async *#table(format: 'csv' | 'tsv'): AsyncGenerator<Entry, void, void> {
    const { file } = this.source;
    const lines = splitLines(this.source.chunks(), file);
    let columns: Columns | undefined;
    let index = 0;
    let blank = 0; // the number of the first of the blank lines that came last
    for await (const record of readRecords(lines, format === 'csv' ? ',' : '\t', file)) {
      const { fields, line, bytes } = record;
      checkClosed(record, file);
      if (bytes <= '\r\n'.length && fields[0] === '') {
        blank ||= line;
        continue;
      }
      if (blank > 0) throw emptyLine(blank, file);
      this.#consumed += bytes;
      if (columns === undefined) {
        columns = columnsOf(record, this.#flags, file);
        continue;
      }
      if (fields.length !== columns.count) {
        throw new GlassbertError('E_INPUT', `line ${line}: the row has another number of fields than the header`, {
          file,
          expected: `${columns.count}`,
          found: `${fields.length}`,
          hint:
            format === 'csv'
              ? 'A field with a comma in it is put in quotes.'
              : 'A field with a tab in it is put in quotes.',
        });
      }
      yield { id: columns.id < 0 ? index : fields[columns.id], text: fields[columns.text] };
      index++;
    }
  }

  get #fields(): { text: string; id: string } {
    return { text: this.#flags.textField ?? 'text', id: this.#flags.idField ?? 'id' };
  }

  /** @param alone - whether a string may stand for an object with nothing but a text */
  #entryOf(value: unknown, index: number, where: string, alone: boolean): Entry {
    const { file } = this.source;
    if (alone && typeof value === 'string' && this.#flags.idField === undefined) return { id: index, text: value };
    if (kindOf(value) !== 'an object') {
      throw new GlassbertError('E_INPUT', `${where}: this is not a JSON object`, {
        file,
        expected: alone ? '{"text": "..."} or "..."' : '{"text": "..."}',
        found: kindOf(value),
        hint: isInput(value) ? `A pair of texts is {"text": ["a", "b"]}. ${AS_LINES}` : AS_LINES,
      });
    }
    const keys = this.#fields;
    const object = value as { readonly [key: string]: unknown };
    const text = object[keys.text];
    if (!isInput(text)) throw noText(object, keys.text, where, file);
    const id = object[keys.id] === undefined && this.#flags.idField === undefined ? index : object[keys.id];
    if (typeof id === 'string' || typeof id === 'number' || id instanceof WrittenNumber) return { id, text };
    throw new GlassbertError('E_INPUT', `${where}: ${quote(keys.id)} is no id`, {
      file,
      expected: 'a string or a number',
      found: id === undefined ? `no ${quote(keys.id)}` : kindOf(id),
      hint: 'Write the id as a string, in quotes; leave it out and the text gets its number; or name another key with --id-field.',
    });
  }
}

const CALLED: { readonly [Format in InputFormat]: string } = {
  lines: 'lines of text',
  jsonl: 'JSON lines',
  json: 'a JSON array',
  csv: 'a table (CSV)',
  tsv: 'a table (TSV)',
};

const ONE_LINE = 'JSON lines have one object each: jq -c . FILE makes them.';

/** What was read before an error is given before it. */
export async function* batchesOf<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  size: number,
): AsyncGenerator<Item[], void, void> {
  let batch: Item[] = [];
  let failure: { error: unknown } | undefined;
  try {
    for await (const item of items) {
      if (batch.push(item) < size) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    failure = { error };
  }
  if (batch.length > 0) yield batch;
  if (failure !== undefined) throw failure.error;
}

function parse(text: string, { text: t, id }: { text: string; id: string }, start: Position, file: string): unknown {
  try {
    return parseRecord(text, new Set([t, id]), { start });
  } catch (cause) {
    if (!(cause instanceof GlassbertError)) throw cause;
    const hint = cause.hint ?? (cause.found === 'the end of the line' ? ONE_LINE : AS_LINES);
    throw new GlassbertError('E_INPUT', cause.message, { file, hint, cause });
  }
}

function isInput(value: unknown): value is Input {
  return (
    typeof value === 'string' ||
    (Array.isArray(value) && value.length === 2 && value.every(text => typeof text === 'string'))
  );
}

function noJsonLines(line: string, number: number, file: string): GlassbertError {
  return line.trimStart().startsWith('[')
    ? new GlassbertError('E_INPUT', `line ${number}: this is not a JSON object`, {
        file,
        expected: '{"text": "..."}',
        found: 'an array',
        hint: '--input-format json reads one array of texts.',
      })
    : new GlassbertError('E_INPUT', `line ${number}: the object does not end in its line`, {
        file,
        hint: ONE_LINE,
      });
}

function noText(object: object, key: string, where: string, file: string): GlassbertError {
  const others = Object.keys(object).filter(other => other !== key);
  const value = (object as { [key: string]: unknown })[key];
  const instead = others.length > 0 ? ` but ${others.slice(0, 10).map(quote).join(', ')}` : '';
  return new GlassbertError('E_INPUT', `${where}: there is no text`, {
    file,
    expected: `${quote(key)}, a string`,
    found: value === undefined ? `no ${quote(key)}${instead}` : `${quote(key)}: ${kindOf(value)}`,
    hint:
      value === undefined && others.length > 0
        ? 'Name the key of the text with --text-field; --input-format lines reads each line as a text.'
        : 'A text is a string; a pair of texts is an array of two.',
  });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof WrittenNumber) return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

interface Columns {
  readonly text: number;
  /** -1 where there is none. */
  readonly id: number;
  readonly count: number;
}

/** @throws E_INPUT where the header lacks a column, or has it twice */
function columnsOf({ fields, line }: Record, flags: InputFlags, file: string): Columns {
  const { textField = 'text', idField = 'id' } = flags;
  const find = (name: string, required: boolean): number => {
    const at = fields.indexOf(name);
    const twice = at >= 0 && fields.indexOf(name, at + 1) >= 0;
    if (!twice && (at >= 0 || !required)) return at;
    throw new GlassbertError(
      'E_INPUT',
      `line ${line}: the header has ${twice ? 'two columns' : 'no column'} ${quote(name)}`,
      {
        file,
        found: fields.slice(0, 10).map(quote).join(', '),
        hint: `${otherDelimiter(fields) ?? `Name the column with ${name === textField ? '--text-field' : '--id-field'}`}; --input-format lines reads each line as a text.`,
      },
    );
  };
  return { text: find(textField, true), id: find(idField, flags.idField !== undefined), count: fields.length };
}

/** What to do where the header is one field that others part: the table is of another kind. */
function otherDelimiter([header, ...others]: readonly string[]): string | undefined {
  if (others.length > 0) return undefined;
  if (header.includes('\t')) return 'Tabs are between the columns: --input-format tsv reads them';
  if (header.includes(',')) return 'Commas are between the columns: --input-format csv reads them';
  return /[;|]/.test(header) ? 'Save it with commas or tabs between the columns' : undefined;
}
