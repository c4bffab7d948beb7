/**
 * Text to token ids, as Python's tokenizers give them: the same ids for every text, or an error.
 *
 *   "Hello [SEP]"  ->  hello, [SEP]  ->  [CLS] hello [SEP] [SEP]  ->  101 7592 102 102
 *
 *   class           which Python would make, and what it takes from where    tokenizer-classes.ts, assembly.ts
 *   added tokens    written out in the text, are cut out of it               added-vocabulary.ts, added-tokens.ts
 *   normalization   of what lies between, and words                          bert-normalizer.ts
 *   subwords        WordPiece (Schuster and Nakajima 2012)                   word-piece.ts
 *   truncation      before the special tokens come in, so that [SEP] stays   below
 *   template        [CLS] A [SEP]                                            template.ts
 *
 * Every BERT tokenizer runs this way (bert-pipeline.ts). Others are refused so far.
 */
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { checkArgument, integer } from '../options.ts';
import { assemble, listing, type TokenizerParts } from './assembly.ts';
import { type Tokenize, tokenizeBert } from './bert-pipeline.ts';
import { countSpecials, countTypes, type Slot } from './template.ts';
import type { Token } from './word-piece.ts';

export type { TokenizerParts } from './assembly.ts';

export interface Encoding {
  /** [T], special tokens included. */
  readonly ids: Int32Array;
  /** [T], 0 for the first text and, where the model makes the difference, 1 for the second. */
  readonly typeIds: Int32Array;
  /** [T], the tokens as they stand in the vocabulary. */
  readonly tokens: readonly string[];
  /** Whether tokens were left out because of the length. */
  readonly truncated: boolean;
}

export interface EncodeOptions {
  /** A second text, for models that judge pairs. */
  readonly pair?: string;
  /** Cut to the maximum length; default true. */
  readonly truncate?: boolean;
  /** Another maximum for this call, in tokens, special tokens included. */
  readonly maxLength?: number;
}

export interface Tokenizer {
  readonly kind: 'WordPiece';
  /** The class that transformers 5.18.0 makes of the directory, such as `BertTokenizer`. */
  readonly class: string;
  /** The largest id + 1, added tokens included. */
  readonly vocabSize: number;
  /**
   * So many rows the embedding table must have: as many as there are ids, but for special tokens that are added because they
   * have a name (`mask_token`) and that no template uses. In Python they stand behind the table as well, and fail where a text
   * holds them.
   */
  readonly neededRows: number;
  /** How many token types an encoding has, of one text and of a pair: so many rows the token type table must have. */
  readonly typeIdCount: { readonly single: number; readonly pair: number };
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** The id of a token as it stands in the vocabulary or was added to it. */
  idOf(token: string): number | undefined;
  /** Whether an id is that of a special token that the files or the class name, such as [SEP]. */
  isSpecial(id: number): boolean;
  /** What was decided while loading and might surprise, in sentences for the load report. */
  readonly notes: readonly string[];
  /**
   * Half surrogate pairs, which are no characters, count as U+FFFD.
   *
   * A longer text is cut to its first tokens, or to its last where the files say so. Of a pair, each text is read up to the
   * word with which it has as many tokens as the pair may have; then the longer one gives way until both are of one length,
   * then both do ("longest_first").
   *
   * @throws E_ARGUMENT for something else than a string, for options that are none, for a maximum length that the special
   *   tokens alone exceed, and for a pair where the files say nothing about pairs; E_TOKENIZER for a text that holds a token
   *   for which the embedding table has no row
   */
  encode(text: string, options?: EncodeOptions): Encoding;
}

/**
 * @throws E_TOKENIZER for a vocabulary that contradicts itself, for a class that is not made here, and for everything that is
 *   not BERT's WordPiece; E_CONFIG for missing and mistyped fields, and when maxLength has no room for the special tokens, which is
 *   E_ARGUMENT where the caller asked for it
 */
export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { doLowerCase = false, maxLength, rows = Number.POSITIVE_INFINITY } = parts;
  const file = parts.file ?? (parts.tokenizerJson === undefined ? 'vocab.txt' : 'tokenizer.json');
  const { name, pipeline, searched, template, special, spare, keepEnd, typed, ...assembled } = assemble(
    parts,
    rows,
    file,
  );
  const { single, pair: paired = [] } = template;
  checkRows(assembled.neededRows, searched, rows, file);
  if (roomFor(single, maxLength) === undefined) {
    const { isLengthWanted = false } = parts;
    const code = isLengthWanted ? 'E_ARGUMENT' : 'E_CONFIG';
    throw new GlassbertError(code, 'the maximum length has no room for the special tokens', {
      file: isLengthWanted ? undefined : file,
      ...lengths(single, maxLength),
    });
  }

  const lowercaseFirst = doLowerCase || pipeline.normalizer.lowercaseFirst === true;
  const tokenize = tokenizeBert({ ...pipeline, normalizer: { ...pipeline.normalizer, lowercaseFirst } }, searched);

  return {
    kind: 'WordPiece',
    class: name,
    vocabSize: assembled.vocabSize,
    neededRows: assembled.neededRows,
    typeIdCount: typed ? { single: countTypes(single), pair: countTypes(paired) } : { single: 1, pair: 1 },
    maxLength,
    idOf: assembled.idOf,
    isSpecial: id => special.has(id),
    notes: assembled.notes,
    encode(text, options = {}) {
      const { pair, truncate, length } = checkOptions(options, maxLength);
      const slots = pair === undefined ? single : template.pair;
      if (slots === undefined)
        throw new GlassbertError('E_ARGUMENT', 'the tokenizer has no template for pairs', { file });
      const target = truncate ? roomFor(slots, length) : Infinity;
      if (target === undefined) {
        throw new GlassbertError('E_ARGUMENT', 'maxLength has no room for the special tokens', lengths(slots, length));
      }
      const isPair = pair !== undefined;
      const read = (text: string) => {
        const source = tokenize(wellFormed(text));
        const wanted = isPair && truncate ? { most: length, byWords: true } : { most: target, byWords: false };
        return keepEnd ? readEnd(source, wanted.most) : readBeginning(source, wanted);
      };
      const a = read(text);
      const b = isPair ? read(pair) : undefined;
      const [keptA, keptB] = isPair ? longestFirst(a.count, b?.count ?? 0, target) : [Math.min(a.count, target), 0];
      const truncated = a.more || keptA < a.count || (b !== undefined && (b.more || keptB < b.count));
      const encoding = fill(slots, keep(a, keptA, keepEnd), b === undefined ? [] : keep(b, keptB, keepEnd), typed);
      if (spare.size > 0 && rows < Infinity) requireRows(encoding, rows, file);
      return { ...encoding, truncated };
    },
  };
}

function checkRows(
  needed: number,
  searched: readonly { id: number; content: string }[],
  rows: number,
  file: string,
): void {
  if (needed <= rows) return;
  const beyond = searched.filter(({ id }) => id >= rows).map(({ id, content }) => `${quote(content)} is ${id}`);
  throw new GlassbertError('E_TOKENIZER', 'the tokenizer has ids that the embedding table has no row for', {
    file,
    expected: `ids below ${rows}, the "vocab_size" of config.json`,
    found: beyond.length > 0 ? listing(beyond) : `an id of ${needed - 1}`,
    hint:
      beyond.length > 0
        ? 'The tokenizer and the weights are of different models; or special tokens have other names, which belong into tokenizer_config.json ("cls_token": …).'
        : 'The tokenizer and the weights are of different models.',
  });
}

function requireRows({ ids, tokens }: Pick<Encoding, 'ids' | 'tokens'>, rows: number, file: string): void {
  const beyond = ids.findIndex(id => id >= rows);
  if (beyond < 0) return;
  throw new GlassbertError('E_TOKENIZER', 'the text holds a token that the embedding table has no row for', {
    file,
    found: quote(tokens[beyond] as string),
    hint: 'It was added to the vocabulary because the class or the files name it. Python fails on such a text too.',
  });
}

// ---------------------------------------------------------------------------------------------------------------------

const OPTIONS = ['pair', 'truncate', 'maxLength'];

/** @throws E_ARGUMENT */
function checkOptions(
  options: EncodeOptions,
  maxLength: number,
): { readonly pair: string | undefined; readonly truncate: boolean; readonly length: number } {
  if (typeof options !== 'object' || options === null) {
    throw new GlassbertError('E_ARGUMENT', 'the options of encode are an object', { found: String(options) });
  }
  const unknown = Object.keys(options).find(name => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    const expected = OPTIONS.join(', ');
    throw new GlassbertError('E_ARGUMENT', 'there is no such option', { expected, found: quote(unknown) });
  }
  const { pair, truncate = true, maxLength: length = maxLength } = options;
  const wrong = (name: string, expected: string, value: unknown): GlassbertError =>
    new GlassbertError('E_ARGUMENT', `${name} has the wrong type`, {
      expected,
      found: value === null ? 'null' : typeof value,
    });
  if (pair !== undefined && typeof pair !== 'string') throw wrong('pair', 'a string', pair);
  if (typeof truncate !== 'boolean') throw wrong('truncate', 'true or false', truncate);
  if (options.maxLength !== undefined) checkArgument('the option maxLength of encode', length, integer(1));
  return { pair, truncate, length };
}

/** How many tokens are left for the texts; undefined where not even the special tokens have room. */
function roomFor(slots: readonly Slot[], length: number): number | undefined {
  const left = length - countSpecials(slots);
  return Number.isInteger(length) && length > 0 && left >= 0 ? left : undefined;
}

function lengths(slots: readonly Slot[], found: number): { expected: string; found: string } {
  return { expected: `an integer from ${Math.max(1, countSpecials(slots))} on`, found: `${found}` };
}

/** A text as far as it counts. */
interface Reading {
  /** How many tokens count. */
  readonly count: number;
  /** Those of them that may be wanted: the first or the last. */
  readonly tokens: readonly Token[];
  /** Whether there are tokens that do not count. */
  readonly more: boolean;
}

/**
 * Reads until there are enough tokens. Of a pair, tokens beyond them count as well, as they decide which text is the longer
 * one: huggingface/tokenizers 0.23.2 reads up to the end of a word, and looks whether there are enough only behind words, not
 * behind added tokens (tokenizer/pre_tokenizer.rs, tokenize_with_limit).
 */
function readBeginning(
  source: ReturnType<Tokenize>,
  { most, byWords }: { readonly most: number; readonly byWords: boolean },
): Reading {
  const tokens: Token[] = [];
  let count = 0;
  let enough = most === 0 && !byWords;
  let next = source.next();
  for (; !next.done && !enough; next = source.next()) {
    const isWord = !('token' in next.value);
    const group = 'token' in next.value ? [next.value] : next.value;
    for (const token of group) if (tokens.length < most) tokens.push(token);
    count += group.length;
    enough = count >= most && (isWord || !byWords);
  }
  return { count, tokens, more: !next.done };
}

/** Tokens that may be in memory beyond those that are wanted. */
const STEP = 4096;

/** Reads to the end. The tokens count from the last word on with which there are enough. */
function readEnd(source: ReturnType<Tokenize>, most: number): Reading {
  let tokens: Token[] = [];
  let words: number[] = [];
  let [total, from, first] = [0, 0, 0];
  for (let next = source.next(); !next.done; next = source.next()) {
    const group = 'token' in next.value ? [next.value] : next.value;
    if (!('token' in next.value)) words.push(total);
    for (const token of group) tokens.push(token);
    total += group.length;
    while (first < words.length && total - (words[first] as number) >= most) from = words[first++] as number;
    if (first > STEP) [words, first] = [words.slice(first), 0];
    if (tokens.length > most + STEP) tokens = tokens.slice(-most || tokens.length);
  }
  return { count: total - from, tokens, more: from > 0 };
}

/** The first so many tokens of a text, or the last. */
function keep({ tokens }: Reading, count: number, keepEnd: boolean): readonly Token[] {
  return keepEnd ? tokens.slice(tokens.length - count) : tokens.slice(0, count);
}

/** Puts texts and special tokens in their places. */
function fill(
  slots: readonly Slot[],
  a: readonly Token[],
  b: readonly Token[],
  typed: boolean,
): Omit<Encoding, 'truncated'> {
  const length = countSpecials(slots) + a.length + b.length; // both stand there once, or b is empty
  const ids = new Int32Array(length);
  const typeIds = new Int32Array(length);
  const tokens: string[] = [];
  for (const slot of slots) {
    const start = tokens.length;
    for (const { id, token } of 'id' in slot ? [slot] : slot.sequence === 'A' ? a : b) {
      ids[tokens.length] = id;
      tokens.push(token);
    }
    if (typed) typeIds.fill(slot.typeId, start, tokens.length);
  }
  return { ids, typeIds, tokens };
}

/** How many tokens of each text are kept: huggingface/tokenizers 0.23.2, utils/truncation.rs, LongestFirst. */
function longestFirst(a: number, b: number, target: number): readonly [number, number] {
  if (a + b <= target) return [a, b];
  let shorter = Math.min(a, b);
  let longer = shorter > target ? shorter : Math.max(shorter, target - shorter);
  if (shorter + longer > target) {
    shorter = Math.floor(target / 2);
    longer = target - shorter;
  }
  return a <= b ? [shorter, longer] : [longer, shorter];
}

function wellFormed(text: string): string {
  if (typeof text === 'string') return text.toWellFormed();
  throw new GlassbertError('E_ARGUMENT', 'a text is not a string', { found: text === null ? 'null' : typeof text });
}
