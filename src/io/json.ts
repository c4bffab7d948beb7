/**
 * A strict reader of JSON (RFC 8259) for files that somebody else wrote.
 *
 * JSON.parse lets pass what two readers may understand differently: of a key given twice it keeps the last, 9007199254740993
 * becomes 9007199254740992, and 1.0 cannot be told from 1. A file that one program checks and another one loads must not
 * have two meanings, so this reader refuses, with line and column: duplicate keys (also those hidden by escapes), a byte
 * order mark, UTF-16, invalid UTF-8, lone surrogates, integers that a JS number cannot hold, numbers beyond its range, and
 * everything else that RFC 8259 does not allow (comments, trailing commas, NaN, single quotes, text after the value).
 *
 * Objects have no prototype, so that "__proto__" and "constructor" are keys like any other. As everywhere in JavaScript,
 * keys that are array indices ("0", "17") come first when an object is enumerated; no meaning may hang on the order.
 */
import { GlassbertError } from '../errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject | JsonTable;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** An object with very many keys, in the order of the text. */
export type JsonTable = ReadonlyMap<string, Json>;

export interface JsonLimits {
  /** Levels of objects and arrays inside each other. The reader recurses: keep it below a thousand. */
  depth?: number;
  /** Values of any kind in the whole text. */
  values?: number;
  /**
   * - `exact` (default): an integer must be exactly representable, |n| < 2^53; fractions round as they do everywhere.
   * - `rounded`: integers beyond 2^53 round too. For tokenizer_config.json alone, where Hugging Face writes "no limit" as
   *   int(1e30): `model_max_length: 1000000000000000019884624838656`.
   * - `natural`: digits only. A sign, a fraction or an exponent is refused, so that -0, 1.0 and 1e0 are not taken for
   *   sizes. For the headers of safetensors.
   */
  numbers?: 'exact' | 'rounded' | 'natural';
  /**
   * The path of the object that becomes a JsonTable: `model.vocab`. For a vocabulary: 30,000 properties take 40 ms to enter and
   * 70 to list, in a Map together 10 (Node 24, x64).
   */
  table?: string;
  /** Where the text stands in the file, for errors. Default line 1, column 1. */
  start?: Position;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A number as it is written: 1580661436132757506 and 1.0 have no equal among the numbers of JavaScript. */
export class WrittenNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

/** The deepest genuine file known here, tokenizer.json, nests 5 levels. */
const MAX_JSON_DEPTH = 32;

/**
 * What a text may ask for, so that no file takes a multiple of its own size, or 300 MB (test/hostile/sizes.ts, Node 24, x64).
 *
 * Values: of the genuine files known, tokenizer.json of Gemma has most, 2 million; a safetensors header of 100,000 tensors has
 * 1 million. Objects take 250 bytes each, however little is in them; that header has 100,001, everything else far fewer. Keys
 * of one object: the largest vocabulary known, that of XLM-V, has 901,629. The length of a key in UTF-16 units, for it is hashed
 * and copied: tokens and names of tensors have a few hundred.
 */
const MAX_JSON_VALUES = 2_200_000;
const MAX_JSON_OBJECTS = 120_000;
export const MAX_JSON_KEYS = 1_000_000;
const MAX_JSON_KEY_LENGTH = 65_536;

/**
 * @param source - UTF-8 bytes, or text already decoded
 * @param file - named in errors
 * @throws E_JSON with line and column; columns count UTF-16 units, as editors do
 */
export function parseJson(source: Uint8Array | string, file?: string, limits: JsonLimits = {}): Json {
  return new Parser(typeof source === 'string' ? source : decode(source, file), file, limits).document();
}

/**
 * A text of which a few values matter, and those to the last digit: numbers stay as they are written, and where the text is an
 * object, only some of its keys are read. What stands under the others must be JSON and nothing more: it may hold
 * numbers of any size, keys given twice, any depth. It becomes null.
 *
 * @param keys - those that are read
 * @throws E_JSON with line and column
 */
export function parseRecord(
  source: string,
  keys: ReadonlySet<string>,
  limits: Pick<JsonLimits, 'start'> = {},
): Json | WrittenNumber {
  return new Parser(source, undefined, { ...limits, keys }).document();
}

/**
 * A string of unknown origin as it may stand in an error or on a terminal: in JSON notation, with invisible characters
 * (controls, terminal escapes, bidirectional overrides) as escapes, and cut after 80 characters.
 */
export function quote(text: string): string {
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return JSON.stringify(cut).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, c => `\\u{${(c.codePointAt(0) as number).toString(16)}}`);
}

const MAX_QUOTED = 80;

// ---------------------------------------------------------------------------------------------------------------------

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

/** Elements that V8 reserves when the first one is pushed. */
const ROOM = 16;

/** Recursive descent, one method per rule of the grammar. */
class Parser {
  private readonly text: string;
  private readonly file: string | undefined;
  private readonly depth: number;
  private readonly numbers: 'exact' | 'rounded' | 'natural';
  private readonly values: number;
  private readonly tablePath: string | undefined;
  private readonly start: Position;
  /** Of parseRecord. */
  private readonly wanted: ReadonlySet<string> | undefined;
  /** The keys that lead to the value being read. */
  private readonly keys: string[] = [];
  /** How many values may still come, and of those, objects. */
  private left: number;
  private objectsLeft = MAX_JSON_OBJECTS;
  /** The index of the next character. */
  private at = 0;

  constructor(text: string, file: string | undefined, limits: JsonLimits & { keys?: ReadonlySet<string> }) {
    this.text = text;
    this.file = file;
    this.depth = limits.depth ?? MAX_JSON_DEPTH;
    this.values = limits.values ?? MAX_JSON_VALUES;
    this.left = this.values;
    this.numbers = limits.numbers ?? 'exact';
    this.tablePath = limits.table;
    this.start = limits.start ?? { line: 1, column: 1 };
    this.wanted = limits.keys;
  }

  document(): Json {
    if (this.text.startsWith('\ufeff')) {
      throw this.error('the file begins with a byte order mark', { hint: 'Save the file as UTF-8 without BOM.' });
    }
    const value = this.value(1);
    if (this.peek() !== undefined) throw this.unexpected(this.end);
    return value;
  }

  /** @param level - 1 for the outermost value */
  private value(level: number): Json {
    if (this.left-- === 0) throw this.error(`there are more than ${this.values} values`);
    switch (this.peek()) {
      case '{':
        return this.isTable(level) ? this.table(level) : this.object(level);
      case '[':
        return this.array(level);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(level: number): JsonObject {
    const object: { [key: string]: Json } = Object.create(null);
    const wanted = (key: string): boolean => level > 1 || (this.wanted?.has(key) ?? true);
    this.members(
      level,
      key => key in object && wanted(key),
      key => {
        object[key] = wanted(key) ? this.value(level + 1) : this.skip();
      },
    );
    return object;
  }

  /** Within an array the level is deeper than the keys: no path leads there. */
  private isTable(level: number): boolean {
    return this.tablePath !== undefined && this.keys.length === level - 1 && this.keys.join('.') === this.tablePath;
  }

  private table(level: number): JsonTable {
    const table = new Map<string, Json>();
    this.members(
      level,
      key => table.has(key),
      key => table.set(key, this.value(level + 1)),
    );
    return table;
  }

  private members(level: number, has: (key: string) => boolean, add: (key: string) => void): void {
    this.enter(level);
    if (this.objectsLeft-- === 0) throw this.error(`there are more than ${MAX_JSON_OBJECTS} objects`);
    if (this.ends('}')) return;
    for (let keys = 1; ; keys++) {
      if (keys > MAX_JSON_KEYS) throw this.error(`an object has more than ${MAX_JSON_KEYS} keys`);
      if (this.peek() !== '"') throw this.unexpected('a key in double quotes');
      const keyAt = this.at;
      const key = this.string();
      if (key.length > MAX_JSON_KEY_LENGTH) {
        throw this.error(`a key is longer than ${MAX_JSON_KEY_LENGTH} characters`, { at: keyAt, found: quote(key) });
      }
      if (has(key)) {
        throw this.error(`the key ${quote(key)} stands twice in one object`, {
          at: keyAt,
          hint: 'Remove one of the two.',
        });
      }
      if (this.peek() !== ':') throw this.unexpected('":"');
      this.at++;
      this.keys.push(key);
      add(key);
      this.keys.pop();
      if (this.ends('}')) return;
      this.comma('}');
    }
  }

  private array(level: number): readonly Json[] {
    this.enter(level);
    const array: Json[] = [];
    if (this.ends(']')) return array;
    for (;;) {
      array.push(this.value(level + 1));
      // An array that grew has room to grow on, 16 elements at first: a copy has none.
      if (this.ends(']')) return array.length > ROOM ? array : array.slice();
      this.comma(']');
    }
  }

  private enter(level: number): void {
    if (level > this.depth) throw this.error(`objects and arrays are nested more than ${this.depth} levels deep`);
    this.at++;
  }

  private ends(bracket: '}' | ']'): boolean {
    if (this.peek() !== bracket) return false;
    this.at++;
    return true;
  }

  private comma(bracket: '}' | ']'): void {
    if (this.peek() !== ',') throw this.unexpected(`"," or "${bracket}"`);
    this.at++;
  }

  private word(word: string, value: Json): Json {
    if (!this.text.startsWith(word, this.at)) throw this.unexpected('a value');
    this.at += word.length;
    return value;
  }

  private number(): Json {
    const start = this.at;
    const token = this.digits();
    // Json has no word for it: parseRecord, which alone asks for it, tells its caller.
    if (this.wanted !== undefined) return new WrittenNumber(token) as unknown as Json;
    const value = Number(token);
    this.at = start; // for errors

    if (!Number.isFinite(value)) throw this.error(`the number ${quote(token)} is beyond the range of a double`);
    if (this.numbers === 'natural' && /[^0-9]/.test(token)) {
      throw this.error('only digits may make up a number here', { found: quote(token) });
    }
    if (this.numbers !== 'rounded' && !Number.isSafeInteger(value) && !/[.eE]/.test(token)) {
      throw this.error('an integer is too large to be read exactly', {
        expected: 'less than 2^53',
        found: quote(token),
      });
    }
    this.at += token.length;
    return value;
  }

  private digits(): string {
    NUMBER.lastIndex = this.at;
    if (!NUMBER.test(this.text)) throw this.unexpected('a value');
    const token = this.text.slice(this.at, NUMBER.lastIndex);
    this.at = NUMBER.lastIndex;
    if (/[0-9]/.test(this.text.charAt(this.at))) throw this.error('a number may not begin with 0');
    return token;
  }

  private string(): string {
    const start = this.at;
    const escaped = this.characters();
    // What was checked leaves JSON.parse no choice. It decodes in one go, where pieces of a string would cost many times it.
    const value: string = escaped
      ? JSON.parse(this.text.slice(start, this.at))
      : this.text.slice(start + 1, this.at - 1);
    if (!value.isWellFormed()) {
      throw this.error('a string holds half of a surrogate pair, which is no character', { at: start });
    }
    return value;
  }

  /** Passes over a string. @returns whether it has escapes */
  private characters(): boolean {
    this.at++;
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        this.escape();
        escaped = true;
      } else if (code >= FIRST_PRINTABLE) {
        this.at++;
      } else {
        throw this.unexpected('a character of a string (control characters must be escaped)');
      }
    }
    this.at++;
    return escaped;
  }

  /** Passes over a value of any depth, without recursion. */
  private skip(): null {
    const open: ('}' | ']')[] = [];
    do {
      const bracket = this.peek() === '{' ? '}' : this.peek() === '[' ? ']' : undefined;
      if (bracket === undefined) this.skipScalar();
      else {
        this.at++;
        if (!this.ends(bracket)) {
          open.push(bracket);
          if (bracket === '}') this.skipKey();
          continue;
        }
      }
      while (open.length > 0 && this.ends(open[open.length - 1])) open.pop();
      if (open.length === 0) break;
      this.comma(open[open.length - 1]);
      if (open.at(-1) === '}') this.skipKey();
    } while (open.length > 0);
    return null;
  }

  private skipScalar(): void {
    const words: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
    const character = this.peek() ?? '';
    if (character === '"') this.characters();
    else if (character in words) this.word(words[character], null);
    else this.digits();
  }

  private skipKey(): void {
    if (this.peek() !== '"') throw this.unexpected('a key in double quotes');
    this.characters();
    if (this.peek() !== ':') throw this.unexpected('":"');
    this.at++;
  }

  private escape(): void {
    ESCAPE.lastIndex = this.at;
    if (!ESCAPE.test(this.text)) {
      throw this.error('unknown escape', { found: quote(this.text.slice(this.at, this.at + 6)) });
    }
    this.at = ESCAPE.lastIndex;
  }

  /** The next character that is not white space, without taking it. */
  private peek(): string | undefined {
    for (;;) {
      const character = this.text[this.at];
      if (character !== ' ' && character !== '\n' && character !== '\r' && character !== '\t') return character;
      this.at++;
    }
  }

  private get end(): string {
    return this.wanted === undefined ? 'the end of the file' : 'the end of the line';
  }

  private unexpected(expected: string): GlassbertError {
    const character = this.text.codePointAt(this.at);
    const found = character === undefined ? this.end : quote(String.fromCodePoint(character));
    const hint = /^-?(NaN|Infinity)/.test(this.text.slice(this.at, this.at + 9))
      ? 'NaN and Infinity are Python, not JSON: write null, or leave the key out. json.dumps(..., allow_nan=False) tells where they are.'
      : undefined;
    const rest = this.text.slice(this.at, this.at + 5);
    const ends = ['true', 'false', 'null'].some(word => word.startsWith(rest) && word !== rest); // '' is a part of each
    const cut = ends && this.wanted === undefined ? CUT_SHORT : undefined;
    return this.error('malformed JSON', { expected, found, hint: hint ?? cut });
  }

  private error(summary: string, details: Details = {}): GlassbertError {
    return jsonError(this.text, details.at ?? this.at, this.file, summary, details, this.start);
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** What a file says that ends too early, which is the ordinary fate of a copy. */
export const CUT_SHORT = 'The file is cut short: copy or download it again.';

interface Details {
  at?: number;
  expected?: string | undefined;
  found?: string | undefined;
  hint?: string | undefined;
}

/** @param at - the index of the fault, which gives line and column */
function jsonError(
  text: string,
  at: number,
  file: string | undefined,
  summary: string,
  details: Details,
  begin: Position = { line: 1, column: 1 },
): GlassbertError {
  let line = begin.line;
  let start = 1 - begin.column;
  for (let next = text.indexOf('\n') + 1; 0 < next && next <= at; next = text.indexOf('\n', next) + 1) {
    line++;
    start = next;
  }
  const column = at - start + 1;
  const { expected, found, hint } = details;
  return new GlassbertError('E_JSON', `line ${line}, column ${column}: ${summary}`, { file, expected, found, hint });
}

function decode(bytes: Uint8Array, file: string | undefined): string {
  // JSON begins with an ASCII character: a NUL or a mark among the first two bytes is UTF-16.
  const [first, second] = bytes;
  if (first === 0 || second === 0 || (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw jsonError('', 0, file, 'the text is UTF-16 or binary', {
      expected: 'UTF-8',
      hint: 'Save the file as UTF-8.',
    });
  }
  try {
    return utf8().decode(bytes);
  } catch {
    const valid = validPrefix(bytes);
    const found = valid < bytes.length ? `byte 0x${bytes[valid]?.toString(16)}` : 'the end of the file in a character';
    const text = utf8().decode(bytes.subarray(0, valid), { stream: true });
    throw jsonError(text, text.length, file, 'the text is not valid UTF-8', {
      found: `${found} at offset ${valid}`,
      hint: 'Save the file as UTF-8.',
    });
  }
}

/** ignoreBOM means: hand the mark on, so that it can be refused. */
function utf8() {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
}

/** How many bytes stand before the first that cannot continue a UTF-8 text: by bisection, as a decoder does not tell. */
function validPrefix(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length + 1;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >>> 1;
    try {
      utf8().decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}
