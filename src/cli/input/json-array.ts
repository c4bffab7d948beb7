/**
 * The elements of one JSON array, cut out one by one so that an array of any length needs the memory of one element. Only
 * what parts them is looked at here: brackets, strings and commas, all ASCII, and in UTF-8 no other character has their bytes.
 * What an element is, the parser of io/json.ts says.
 */
import { GlassbertError } from '../../errors.ts';
import type { Position } from '../../io/json.ts';
import { AS_LINES, decode, MAX_TEXT_BYTES, tooLong, withoutMark } from './lines.ts';

export interface Element {
  readonly text: string;
  readonly start: Position;
  /** Its comma and the white space before it included. */
  readonly bytes: number;
}

const [TAB, LF, CR, SPACE, QUOTE, COMMA, BACKSLASH] = [...'\t\n\r ",\\'].map(c => c.charCodeAt(0));
const [ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [...'[]{}'].map(c => c.charCodeAt(0));

/** @throws E_INPUT with line and column for what is no array or does not end, and for an element that is none */
export async function* readElements(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  file: string,
): AsyncGenerator<Element, void, void> {
  let [line, column] = [1, 0]; // of the byte looked at; columns count UTF-16 units, as editors do
  let depth = 0; // 1 between elements, deeper within one
  let inString = false;
  let escaped = false;
  let ended = false;
  let count = 0;
  let taken = 0;

  let begun: Uint8Array[] = []; // parts of an element from chunks before
  let begunBytes = 0;
  let start: Position | undefined; // of the element under way

  const malformed = (expected: string, byte?: number): GlassbertError => {
    const found = byte === undefined ? 'the end of the file' : JSON.stringify(String.fromCharCode(byte));
    const hint = byte === undefined ? 'The file was cut, or is still being written.' : AS_LINES;
    return new GlassbertError('E_INPUT', `line ${line}, column ${column}: malformed JSON`, {
      file,
      expected,
      found,
      hint,
    });
  };

  let isFirst = true;
  for await (const chunk of chunks) {
    const bytes = isFirst ? withoutMark(chunk) : chunk;
    isFirst = false;
    let from = 0; // where the element under way begins in this chunk
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      taken++;
      if (byte === LF) [line, column] = [line + 1, 0];
      // A character of four bytes is two units; continuation bytes are none.
      else if ((byte & 0xc0) !== 0x80) column += byte >= 0xf0 ? 2 : 1;

      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      const blank = byte === SPACE || byte === LF || byte === CR || byte === TAB;
      if (blank) continue;
      if (ended) throw malformed('nothing after the array', byte);
      if (depth === 0) {
        if (byte === OBJECT) throw notAnArray(file);
        if (byte !== ARRAY) throw malformed('"[", an array of texts', byte);
        depth = 1;
        continue;
      }
      const ends = depth === 1 && (byte === COMMA || byte === ARRAY_END);
      if (ends) {
        ended = byte === ARRAY_END;
        if (start === undefined) {
          if (ended && count === 0) continue;
          throw malformed('a text', byte);
        }
        const text = decode(Buffer.concat([...begun, bytes.subarray(from, i)]), file, `line ${start.line}`);
        yield { text, start, bytes: taken };
        count++;
        [begun, begunBytes, start, taken] = [[], 0, undefined, 0];
        continue;
      }
      if (start === undefined) {
        start = { line, column };
        from = i;
      }
      if (byte === QUOTE) inString = true;
      else if (byte === ARRAY || byte === OBJECT) depth++;
      else if (byte === ARRAY_END || byte === OBJECT_END) depth--;
      if (depth === 0) throw malformed('"," or "]"', byte);
    }
    if (start === undefined) continue;
    begun.push(bytes.subarray(from));
    begunBytes += bytes.length - from;
    if (begunBytes > MAX_TEXT_BYTES) throw tooLong(`the text at line ${start.line}, column ${start.column}`, file);
  }
  column++;
  if (!ended && depth > 0) throw malformed('"," or "]"');
}

function notAnArray(file: string): GlassbertError {
  return new GlassbertError('E_INPUT', 'this is a JSON object, not an array of texts', {
    file,
    hint:
      'An array inside it becomes JSON lines with jq -c ".KEY[]" FILE, objects of several lines with jq -c . FILE; ' +
      'those of one line each are read with --input-format jsonl.',
  });
}
