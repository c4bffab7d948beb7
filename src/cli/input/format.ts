/**
 * Which format an input has, by its name and its first bytes.
 *
 * A JSON array or a table read as lines of text gives vectors of brackets and of columns, and nothing shows it. So what looks
 * like one of them is read as what it is, and said, or it is refused with the option that decides; `--input-format lines`
 * reads everything as text. What is compressed or binary is refused by name.
 */
import { GlassbertError } from '../../errors.ts';
import { quote } from '../../io/json.ts';
import type { Source } from './source.ts';

export const INPUT_FORMATS = ['auto', 'lines', 'jsonl', 'json', 'csv', 'tsv'] as const;

export type InputFormat = Exclude<(typeof INPUT_FORMATS)[number], 'auto'>;

export interface Guess {
  readonly format: InputFormat;
  /** Whether the content alone says so. */
  readonly byContent: boolean;
}

const BY_NAME: readonly (readonly [RegExp, InputFormat])[] = [
  [/\.(jsonl|ndjson)$/i, 'jsonl'],
  [/\.csv$/i, 'csv'],
  [/\.(tsv|tab)$/i, 'tsv'],
];

/**
 * @param textField - the key or column of the text, if the caller named it
 * @throws E_INPUT for what looks like a table and has no column of that name
 */
export async function guessFormat(source: Source, textField: string | undefined): Promise<Guess> {
  const byName = BY_NAME.find(([pattern]) => pattern.test(source.file));
  if (byName !== undefined) return { format: byName[1], byContent: false };

  const json = jsonFormat(textOf(await source.peek(hasFirstLine)));
  const isNamedJson = /\.json$/i.test(source.file);
  if (json !== undefined) return { format: json, byContent: json !== 'json' || !isNamedJson };
  if (isNamedJson) return { format: 'json', byContent: false };

  const table = await tableFormat(source, textField);
  if (table !== undefined) return { format: table, byContent: true };
  await refuseOddLines(source);
  return { format: 'lines', byContent: false };
}

function hasFirstLine(head: Uint8Array): boolean {
  return textOf(head).trimStart().includes('\n');
}

function hasSecondLine(head: Uint8Array): boolean {
  return /\n[^\n]*\n/.test(textOf(head));
}

/** To look at; what is read is decoded strictly. A byte order mark is dropped. */
function textOf(head: Uint8Array): string {
  return new TextDecoder().decode(head);
}

// JSON ------------------------------------------------------------------------------------------------------------------

/** Of JSON and of what Python prints. */
const TOKEN =
  /[\s,:]+|[[\]{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity|None|True|False/y;

/** Brackets and then a string as JSON has it: enough, even where the line is malformed further on. */
const BEGINNING = /^[[{][\s[{]*"(?:[^"\\]|\\.)*"\s*[:,\]}]/;

/** Stands before each object of a JSON text sequence (RFC 7464). */
const RECORD_SEPARATOR = '\u001e';

function jsonFormat(head: string): 'json' | 'jsonl' | undefined {
  const text = head.trimStart().slice(head.trimStart().startsWith(RECORD_SEPARATOR) ? 1 : 0);
  if (!/^[[{]/.test(text)) return undefined;
  const end = text.indexOf('\n');
  const line = end < 0 ? text : text.slice(0, end);
  const { stop, depth } = scan(line);
  // Where the head ends within a line, it may end within a token too.
  const isJson = stop === line.length || (end < 0 && /^["'a-zN-]/.test(line.slice(stop))) || BEGINNING.test(text);
  if (!isJson) return undefined;
  if (text.startsWith('[')) return 'json';
  // An object that goes on in the next line is no line of JSON.
  return end >= 0 && stop === line.length && depth > 0 && /[[{:,]\s*$/.test(line) ? 'json' : 'jsonl';
}

/** @returns where the line ceases to be tokens, and how many brackets are open there */
function scan(line: string): { stop: number; depth: number } {
  let [stop, depth] = [0, 0];
  for (TOKEN.lastIndex = 0; TOKEN.test(line); stop = TOKEN.lastIndex) {
    if (/[[{]/.test(line[stop])) depth++;
    if (/[\]}]/.test(line[stop])) depth--;
  }
  return { stop, depth };
}

// Tables ----------------------------------------------------------------------------------------------------------------

const DELIMITERS = [
  [',', 'csv', 'commas'],
  ['\t', 'tsv', 'tabs'],
  [';', undefined, 'semicolons'],
  ['|', undefined, 'bars'],
] as const;

/** The first line of Excel that names the delimiter: no header, as the table's error then says. */
const SEPARATOR_LINE = /^sep=.$/i;

const NAME = /^[\p{L}_][\p{L}\p{N}_. -]{0,63}(?<! )$/u;
const WORD = /^[\p{L}_][\p{L}\p{N}_.-]{0,63}$/u;

/**
 * A table has a header with a column of the text's name. What looks like a table otherwise is refused: two lines with tabs,
 * names parted by commas above a line with commas, rows that are numbered or whose cells are in quotes.
 */
async function tableFormat(source: Source, textField: string | undefined): Promise<'csv' | 'tsv' | undefined> {
  const [first] = linesOf(await source.peek(hasFirstLine));
  if (SEPARATOR_LINE.test(first)) return 'csv';
  if (textField !== undefined && cellsOf(first, ',')[0] === textField) return first.includes('\t') ? 'tsv' : 'csv';

  for (const [delimiter, format, called] of DELIMITERS) {
    const header = cellsOf(first, delimiter);
    if (header.length < 2) continue;
    const isNamed = header.includes(textField ?? 'text');
    if (isNamed && format !== undefined) return format;
    if (!isNamed && !(await hasRow(source, first, delimiter, textField ?? 'text'))) continue;
    throw new GlassbertError('E_INPUT', `this looks like a table with ${called} between the columns`, {
      file: source.file,
      expected: `lines of text, or a column ${quote(textField ?? 'text')}`,
      found: header.slice(0, 10).map(quote).join(', '),
      hint:
        format === undefined
          ? 'Save it with commas or tabs between the columns; --input-format lines reads each line as a text.'
          : `--input-format ${format} --text-field NAME reads one column; --input-format lines reads each line as a text.`,
    });
  }
  return undefined;
}

/** Whether the first line may be one of a table, and the second confirms it, for which a pipe is then waited for. */
async function hasRow(source: Source, first: string, delimiter: string, textField: string): Promise<boolean> {
  const header = cellsOf(first, delimiter);
  const isQuoted = new RegExp(`^"(?:[^"]|"")*"[${delimiter}]`).test(first);
  const isNumbered = /^\d+$/.test(header[0]);
  const [areWords, areNames] = [WORD, NAME].map(pattern => header.every(cell => pattern.test(cell)));
  // With a blank behind each comma, as in prose: a table where one is the column, or numbers stand below the first.
  const areSpaced = !areNames && header.every(cell => NAME.test(cell.trim()));
  if (areSpaced) {
    const isColumn = header.some(cell => cell.trim() === textField);
    if (!isColumn && source.stats === undefined) return false; // for prose, a pipe is not waited for
    const [, second] = linesOf(await source.peek(hasSecondLine));
    const row = second === undefined ? [] : cellsOf(second, delimiter);
    return row.length === header.length && (isColumn || /^\d+$/.test(row[0]));
  }
  if (!(delimiter === '\t' || isQuoted || isNumbered || areWords || areNames)) return false;

  const [, second] = linesOf(await source.peek(hasSecondLine));
  const row = second === undefined ? [] : cellsOf(second, delimiter);
  if (row.length < 2) return false;
  return (
    delimiter === '\t' ||
    isQuoted ||
    areWords ||
    (areNames && row.length === header.length) ||
    (isNumbered && row[0] === String(Number(header[0]) + 1))
  );
}

/**
 * Lines that are read as texts though hardly meant so: a table of one column, strings in quotes as `jq .text` and spreadsheets
 * write them, and lines that end as they did on the first Macintosh.
 */
async function refuseOddLines(source: Source): Promise<void> {
  const head = textOf(await source.peek(hasFirstLine));
  const refuse = (summary: string, hint: string): GlassbertError =>
    new GlassbertError('E_INPUT', summary, {
      file: source.file,
      hint: `${hint}; --input-format lines reads each line as a text.`,
    });
  if (!head.includes('\n') && /\r[^\r]/.test(head)) {
    throw refuse('the lines end in carriage returns alone', 'Give them line feeds: tr "\\r" "\\n" < FILE');
  }
  const [first] = linesOf(await source.peek(hasFirstLine));
  if (!QUOTED.test(first) && first !== 'text') return;
  const [, second = ''] = linesOf(await source.peek(hasSecondLine));
  if (/^"?text"?$/.test(first) && second !== '' && second !== first) {
    throw refuse('this looks like a table with one column "text"', '--input-format csv reads it');
  }
  if (QUOTED.test(second)) {
    throw refuse('the lines are strings in quotes', 'jq -r writes them without, --input-format csv reads one column');
  }
}

/** As a whole, by the rules of JSON or of CSV. */
const QUOTED = /^"(?:[^"\\]|\\.|"")*"$/;

function linesOf(head: Uint8Array): string[] {
  return textOf(head).split(/\r?\n/, 2);
}

function cellsOf(line: string, delimiter: string): string[] {
  return line.split(delimiter).map(cell => cell.replace(/^"(.*)"$/, '$1'));
}

// What is no text -------------------------------------------------------------------------------------------------------

const ICONV = (from: string): string => `Save it as UTF-8: iconv -f ${from} -t UTF-8 FILE | glassbert embed`;

const UNPACK = (program: string): string =>
  `Unpack it: ${program} FILE | glassbert embed, with --input-format where the format is not plain lines.`;

const EXPORT = 'Write the texts from the program that reads it, as JSON lines {"text": ...} or as CSV.';

/** The first bytes, in hexadecimal, of formats that are met where texts are expected; no text in UTF-8 begins so. */
const BINARY: readonly (readonly [RegExp, string, string])[] = [
  [/^(fffe0000|0000feff)/, 'UTF-32', ICONV('UTF-32')],
  [/^(fffe|feff)/, 'UTF-16', ICONV('UTF-16')],
  [/^1f8b/, 'a gzip file', UNPACK('gunzip -c')],
  [/^28b52ffd/, 'a Zstandard file', UNPACK('zstd -dc')],
  [/^425a683.314159265359/, 'a bzip2 file', UNPACK('bunzip2 -c')],
  [/^fd377a585a00/, 'an xz file', UNPACK('xz -dc')],
  [/^504b0304/, 'a zip file, or one of Excel or Word', 'Unpack it, or save the table as CSV and the document as text.'],
  [
    /^504152(31|45)(?![2-7]|0[9ad])/,
    'a Parquet file',
    `${EXPORT} In pandas: to_json(FILE, orient="records", lines=True)`,
  ],
  [/^(4152524f573100|ffffffff)/, 'an Arrow file', EXPORT],
  [/^934e554d5059/, 'a NumPy array', 'Vectors need no embedding: glassbert embed reads texts.'],
  [/^800[2-5]/, 'a Python pickle', EXPORT],
  [/^89484446/, 'an HDF5 file', EXPORT],
  [/^53514c69746520666f726d6174203300/, 'an SQLite database', EXPORT],
  [/^255044462d3/, 'a PDF', 'Take the text out first: pdftotext FILE - | glassbert embed'],
  [/^.{8}000000007b22/, 'a safetensors file', 'It holds weights: a model directory is given with --model.'],
  [/^(89504e47|ffd8ff|474946383[79]61|7f454c46)/, 'an image or a program', EXPORT],
  [/^(?!00)..00(?!00)..00/, 'UTF-16 without a byte order mark', ICONV('UTF-16LE')],
  [/^00(?!00)..00(?!00)/, 'UTF-16 without a byte order mark', ICONV('UTF-16BE')],
];

/** @throws E_INPUT for what is no text in UTF-8 and says so in its first bytes */
export async function refuseBinary(source: Source): Promise<void> {
  const head = await source.peek(head => head.length >= 16 || head.includes(0x0a));
  const known = BINARY.find(([pattern]) => pattern.test(Buffer.from(head.subarray(0, 16)).toString('hex')));
  if (known === undefined) return;
  const [, name, hint] = known;
  throw new GlassbertError('E_INPUT', `this is ${name}, not text in UTF-8`, { file: source.file, hint });
}
