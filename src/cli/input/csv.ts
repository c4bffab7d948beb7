/**
 * Records of a table in text, one by one.
 *
 *   id,text
 *   1,"Another, item, which ""spans""
 *   two lines"
 *
 * CSV as RFC 4180 has it: fields are parted by commas; one that begins with a quote ends with a quote, and in between a quote
 * is written twice and commas and line ends are text. Lines may end in \n as well. In TSV (text/tab-separated-values)
 * the fields are parted by tabs, and a quote within a field that does not begin with one is text.
 *
 * What readers understand differently is refused: a quote inside an unquoted field of CSV, text after a closing quote, a quote
 * that is never closed (checkClosed). Memory holds one record, of 16 MiB at most.
 */
import { GlassbertError } from '../../errors.ts';
import { type Line, MAX_TEXT_BYTES, tooLong } from './lines.ts';

export type Delimiter = ',' | '\t';

export interface Record {
  readonly fields: readonly string[];
  /** Of its first line, from 1. */
  readonly line: number;
  /** Whether its last line has an end, and every quote another: a file that was cut may not. */
  readonly ended: boolean;
  readonly closed: boolean;
  /** Its line ends included. */
  readonly bytes: number;
}

/** @throws E_INPUT with the line */
export async function* readRecords(
  lines: AsyncIterable<Line>,
  delimiter: Delimiter,
  file: string,
): AsyncGenerator<Record, void, void> {
  let fields: string[] = [];
  let quoted: string[] | undefined; // parts of a field whose closing quote has not come yet
  let [first, bytes] = [0, 0];

  for await (const { text, number, end, bytes: length } of lines) {
    if (quoted === undefined) [fields, first, bytes] = [[], number, 0];
    bytes += length;
    if (bytes > MAX_TEXT_BYTES) throw tooLong(`the record from line ${first} on`, file);

    for (let at = 0; at <= text.length; ) {
      if (quoted === undefined && text[at] === '"') {
        quoted = [];
        at++;
      }
      if (quoted === undefined) {
        const stop = endOfField(text, at, delimiter);
        const field = text.slice(at, stop);
        if (delimiter === ',' && field.includes('"')) throw malformed(QUOTE_INSIDE, number, file);
        if (field.includes('\r')) throw malformed(LONE_RETURN, number, file);
        fields.push(field);
        at = stop + 1;
        continue;
      }
      const quote = text.indexOf('"', at);
      if (quote < 0) {
        quoted.push(text.slice(at), end);
        break;
      }
      quoted.push(text.slice(at, quote));
      at = quote + 1;
      if (text[at] === '"') {
        quoted.push('"');
        at++;
        // What follows belongs to the same field, though it may begin with a quote.
        continue;
      }
      if (at < text.length && text[at] !== delimiter) throw malformed(TEXT_AFTER_QUOTE, number, file);
      fields.push(quoted.join(''));
      quoted = undefined;
      at++;
    }
    if (quoted === undefined) yield { fields, line: first, ended: end !== '', closed: true, bytes };
  }
  if (quoted !== undefined) yield { fields, line: first, ended: false, closed: false, bytes };
}

/** @throws E_INPUT for a record that ends within quotes */
export function checkClosed({ closed, line }: Record, file: string): void {
  if (!closed) throw malformed(NEVER_CLOSED, line, file);
}

function endOfField(text: string, at: number, delimiter: Delimiter): number {
  const stop = text.indexOf(delimiter, at);
  return stop < 0 ? text.length : stop;
}

const DOUBLED = 'A field with a quote is put in quotes, and the quote written twice: "5"" disk".';

const QUOTE_INSIDE = ['a quote stands inside a field that does not begin with one', DOUBLED] as const;

const NEVER_CLOSED = ['a quote is opened in this record and never closed', DOUBLED] as const;

const TEXT_AFTER_QUOTE = ['text follows the closing quote of a field', DOUBLED] as const;

const LONE_RETURN = [
  'a carriage return stands without a line feed',
  'Line ends are \\n or \\r\\n: tr "\\r" "\\n" < FILE',
] as const;

function malformed([summary, hint]: readonly [string, string], line: number, file: string): GlassbertError {
  return new GlassbertError('E_INPUT', `line ${line}: ${summary}`, { file, hint });
}
