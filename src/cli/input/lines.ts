/**
 * Bytes cut into lines. UTF-8 and nothing else: a byte that is none ends in an error, never in U+FFFD. Lines are cut as bytes,
 * which is safe because in UTF-8 the byte 0x0A is never part of another character; thus every error knows its line.
 */
import { GlassbertError } from '../../errors.ts';

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** '' for a last line without one. */
  readonly end: '\n' | '\r\n' | '';
  /** Its end included. */
  readonly bytes: number;
}

const LF = 0x0a;

/** War and Peace has 3 MB. Without a limit, a file with no line feed would be read into memory as a whole. */
export const MAX_TEXT_BYTES: number = 16 * 2 ** 20;

/** ignoreBOM: a mark that is not at the start of the input is a character of its line. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * The lines of an input, without a byte order mark at its start.
 *
 * @throws E_INPUT with file and line
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  file: string,
): AsyncGenerator<Line, void, void> {
  let begun: Uint8Array[] = []; // parts of a line whose end has not come yet
  let begunBytes = 0;
  let number = 1;

  const line = (last: Uint8Array, ended: boolean): Line => {
    const raw = Buffer.concat([...begun, last]);
    const bytes = raw.length + (ended ? 1 : 0);
    const text = decode(number === 1 ? withoutMark(raw) : raw, file, `line ${number}`);
    begun = [];
    begunBytes = 0;
    if (!ended) return { text, number, end: '', bytes };
    if (text.endsWith('\r')) return { text: text.slice(0, -1), number: number++, end: '\r\n', bytes };
    return { text, number: number++, end: '\n', bytes };
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      yield line(chunk.subarray(start, end), true);
      start = end + 1;
    }
    if (start === chunk.length) continue;
    begun.push(chunk.subarray(start));
    begunBytes += chunk.length - start;
    if (begunBytes > MAX_TEXT_BYTES) throw tooLong(`line ${number}`, file);
  }
  if (begunBytes === 0) return;
  const last = line(new Uint8Array(), false);
  if (last.text !== '') yield last; // nothing but a byte order mark is no line
}

/** The hint for what was taken for a format and breaks it. */
export const AS_LINES = 'Correct it there; --input-format lines reads each line as a text.';

export function tooLong(where: string, file: string): GlassbertError {
  return new GlassbertError('E_INPUT', `${where} is longer than ${MAX_TEXT_BYTES} bytes`, {
    file,
    hint: 'Models see the first few hundred tokens of a text: cut it into texts of a paragraph each.',
  });
}

export function withoutMark(bytes: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
}

/** @throws E_INPUT */
export function decode(bytes: Uint8Array, file: string, where: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new GlassbertError('E_INPUT', `${where}: the text is not valid UTF-8`, {
      file,
      hint: 'Save the file as UTF-8. From Latin-1: iconv -f ISO-8859-1 -t UTF-8 FILE',
      cause,
    });
  }
}

/** A line of white space has no value; at the end of a file it is nothing. @throws E_INPUT for one before others */
export async function* withoutBlankEnd(lines: AsyncIterable<Line>, file: string): AsyncGenerator<Line, void, void> {
  let blank = 0; // the number of the first of those that came last
  for await (const line of lines) {
    if (/^[ \t]*$/.test(line.text)) blank ||= line.number;
    else if (blank === 0) yield line;
    else throw emptyLine(blank, file);
  }
}

export function emptyLine(number: number, file: string): GlassbertError {
  return new GlassbertError('E_INPUT', `line ${number}, column 1: the line is empty`, {
    file,
    hint: 'Remove it: sed "/^[[:space:]]*$/d" FILE. An empty text is written {"text": ""}, in a table "".',
  });
}
