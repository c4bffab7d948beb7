/**
 * Texts from a file or stdin, one by one, so that an input of any size needs the memory of one line.
 *
 *   lines   one text a line, ended by \n or \r\n; an empty line is an empty text; the last line needs no end
 *   jsonl   one JSON object a line: "text", a string, and perhaps "id", a string or a number; other keys are ignored
 *
 * UTF-8 and nothing else: a byte that is none ends in an error, never in U+FFFD. A byte order mark at the very start is
 * dropped. Lines are cut as bytes, which is safe because in UTF-8 the byte 0x0A is never part of another character; thus
 * every error knows its line.
 */
import { createReadStream } from 'node:fs';
import { GlassbertError } from '../errors.ts';
import { type JsonObject, parseJson } from '../io/json.ts';
import { warn } from './terminal.ts';

export interface Entry {
  /** The one given, else the number of the text, from 0. */
  readonly id: string | number;
  readonly text: string;
}

export const INPUT_FORMATS = ['auto', 'lines', 'jsonl'] as const;

export type InputFormat = (typeof INPUT_FORMATS)[number];

const STDIN = '-';
const LF = 0x0a;
const CR = 0x0d;
/** ignoreBOM: a mark that is not at the start of the input is a character of its line. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** War and Peace has 3 MB. Without a limit, a file with no line feed would be read into memory as a whole. */
const MAX_LINE_BYTES = 16 * 2 ** 20;

/**
 * @param path - of a file; '-' is stdin
 * @param format - `auto`: jsonl for .jsonl and .ndjson, and wherever the first line is an object with a string "text", which
 *   is then said on stderr; lines otherwise
 * @throws E_INPUT with file and line
 */
export async function* readTexts(path: string, format: InputFormat): AsyncGenerator<Entry, void, void> {
  const file = path === STDIN ? 'stdin' : path;
  let isJsonl = format === 'jsonl' || (format === 'auto' && /\.(jsonl|ndjson)$/i.test(path));

  let index = 0;
  for await (const bytes of splitLines(readBytes(path, file), file)) {
    const where = `line ${index + 1}`;
    const line = decode(index === 0 ? withoutMark(bytes) : bytes, file, where);
    if (format === 'auto' && !isJsonl && index === 0 && isEntry(line, file)) {
      isJsonl = true;
      warn({
        code: 'W_READ_AS_JSONL',
        message: `${file} is read as JSON lines; --input-format lines reads it as text.`,
      });
    }
    yield isJsonl ? parseEntry(line, index, file, where) : { id: index, text: line };
    index++;
  }
}

export async function* batchesOf<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  size: number,
): AsyncGenerator<Item[], void, void> {
  let batch: Item[] = [];
  for await (const item of items) {
    if (batch.push(item) < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* readBytes(path: string, file: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* path === STDIN ? process.stdin : createReadStream(path);
  } catch (cause) {
    const system = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const summary = system === 'ENOENT' ? 'there is no such file' : `the input cannot be read (${system})`;
    throw new GlassbertError('E_INPUT', summary, { file, cause });
  }
}

/** The bytes of each line without its end. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array, void, void> {
  let begun: Uint8Array[] = []; // parts of a line whose end has not come yet
  let begunBytes = 0;
  let line = 1;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const bytes = Buffer.concat([...begun, chunk.subarray(start, end)]);
      yield bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes;
      begun = [];
      begunBytes = 0;
      start = end + 1;
      line++;
    }
    if (start === chunk.length) continue;
    begun.push(chunk.subarray(start));
    begunBytes += chunk.length - start;
    if (begunBytes > MAX_LINE_BYTES) {
      throw new GlassbertError('E_INPUT', `line ${line} is longer than ${MAX_LINE_BYTES} bytes`, { file });
    }
  }
  if (begunBytes > 0) yield Buffer.concat(begun);
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
}

function decode(bytes: Uint8Array, file: string, where: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new GlassbertError('E_INPUT', `${where}: the text is not valid UTF-8`, {
      file,
      hint: 'Save the file as UTF-8.',
      cause,
    });
  }
}

function parseEntry(line: string, index: number, file: string, where: string): Entry {
  const { id = index, text } = parseObject(line, file, where);
  if (typeof text !== 'string') {
    const found = text === undefined ? 'no "text"' : `"text": ${kindOf(text)}`;
    throw new GlassbertError('E_INPUT', `${where}: there is no text`, { file, expected: '"text", a string', found });
  }
  if (typeof id !== 'string' && typeof id !== 'number') {
    const found = kindOf(id);
    throw new GlassbertError('E_INPUT', `${where}: "id" is no id`, { file, expected: 'a string or a number', found });
  }
  return { id, text };
}

function parseObject(line: string, file: string, where: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (cause) {
    if (!(cause instanceof GlassbertError)) throw cause;
    // To the parser every line is line 1.
    const message = cause.message.replace(/^line 1\b/, where);
    throw new GlassbertError('E_INPUT', message, { file, hint: cause.hint, cause });
  }
  if (kindOf(value) === 'an object') return value as JsonObject;
  throw new GlassbertError('E_INPUT', `${where}: this is not a JSON object`, {
    file,
    expected: '{"text": "..."}',
    found: kindOf(value),
  });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function isEntry(line: string, file: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    return parseEntry(line, 0, file, '') !== undefined;
  } catch {
    return false;
  }
}
