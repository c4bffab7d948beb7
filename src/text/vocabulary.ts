/**
 * The vocabulary of tokenizer.json: `model.vocab` and `added_tokens`.
 *
 * A list of refusals: two tokens with one id would make ids depend on who reads the file.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, MAX_JSON_KEYS, quote } from '../io/json.ts';
import { asObject, type Fields, fields } from '../io/json-fields.ts';
import type { TokenFlags } from './added-vocabulary.ts';

/** The largest known, XLM-V, has 901,629. Holds for the ids too, so that gaps cannot make a table of gigabytes. */
export const MAX_VOCABULARY = MAX_JSON_KEYS;
/** UTF-16 units. The longest known tokens are rows of 128 blanks. */
export const MAX_TOKEN_LENGTH = 1024;
/** Gemma's file has 6,415, and models of one trade have more than ten thousand. */
const MAX_ADDED_TOKENS = 100_000;
/** UTF-16 units. Every place of a text may be compared with so many. */
const MAX_ADDED_TOKEN_LENGTH = 128;

/**
 * The id of every token that the model itself knows; added tokens only where they are among them. Of a list, as Unigram has
 * it, the places are the ids (tokenization_utils_tokenizers.py of transformers 5.18.0, convert_to_native_format).
 *
 * @param rows - of the embedding table, where it is known: a vocabulary that cannot fit is refused before it takes memory
 * @throws E_TOKENIZER, and E_CONFIG for missing and mistyped fields
 */
export function readVocabulary(
  tokenizerJson: JsonObject,
  file: string,
  rows: number = Number.POSITIVE_INFINITY,
): ReadonlyMap<string, number> {
  const vocab = asObject(tokenizerJson.model ?? null, file, 'model').vocab ?? null;
  const table = vocab instanceof Map ? vocab : Array.isArray(vocab) ? places(vocab, file) : entries(vocab, file);
  checkCount(table.size, rows, file);

  const taken = new Uint8Array(MAX_VOCABULARY);
  for (const [token, id] of table) {
    checkToken(token, file);
    if (!isId(id)) {
      const found = typeof id === 'number' ? `${id}` : typeof id;
      throw refuse(file, `the id of ${quote(token)} is out of range`, `0 to ${MAX_VOCABULARY - 1}`, found);
    }
    if (taken[id] === 1) {
      const both = [...table].filter(([, other]) => other === id).map(([other]) => quote(other));
      throw refuse(file, `two tokens have the id ${id}`, 'one token for an id', both.slice(0, 2).join(' and '));
    }
    taken[id] = 1;
  }
  return table as ReadonlyMap<string, number>; // as the loop has shown
}

/** The largest id + 1. */
export function sizeOfVocabulary(ids: ReadonlyMap<string, number>): number {
  let size = 0;
  for (const id of ids.values()) size = Math.max(size, id + 1);
  return size;
}

/** @throws E_TOKENIZER for more tokens than any model has, or than the embedding table has rows */
export function checkCount(count: number, rows: number, file: string): void {
  if (count <= Math.min(rows, MAX_VOCABULARY)) return;
  throw new GlassbertError('E_TOKENIZER', 'the vocabulary has more tokens than can be used', {
    file,
    expected: `at most ${rows < MAX_VOCABULARY ? `${rows}, the "vocab_size" of config.json` : MAX_VOCABULARY}`,
    found: `${count}`,
    hint: rows < count ? 'The tokenizer and the weights are of different models.' : undefined,
  });
}

function entries(vocab: Json, file: string): ReadonlyMap<string, Json> {
  return new Map(Object.entries(asObject(vocab, file, 'model.vocab')));
}

/** Of a piece that stands twice the last place counts, as in Python. */
function places(vocab: readonly Json[], file: string): ReadonlyMap<string, Json> {
  return new Map(
    vocab.map((entry, id): [string, number] => {
      const piece = Array.isArray(entry) ? entry[0] : entry;
      if (typeof piece === 'string') return [piece, id];
      throw refuse(file, `"model.vocab.${id}" is no piece`, '["piece", score]');
    }),
  );
}

/** `added_tokens` of tokenizer.json, in the order of the file. The ids are those that it states. */
export function readAddedTokens(value: Json, file: string): { readonly id: number; readonly token: TokenFlags }[] {
  if (!Array.isArray(value)) {
    throw refuse(file, '"added_tokens" cannot be used', `an array of at most ${MAX_ADDED_TOKENS}`, typeof value);
  }
  checkAddedCount(value.length, 'added_tokens', file);
  const seen = new Set<string>();
  return value.map((entry: Json, n) => {
    const token = fields(entry, file, `added_tokens[${n}]`);
    const flags = readToken(token, `added_tokens[${n}]`);
    if (flags.content === '' || seen.has(flags.content)) {
      throw refuse(file, `added_tokens[${n}] is empty or stands twice`, 'a token once', quote(flags.content));
    }
    seen.add(flags.content);
    return { id: token.integer('id', { min: 0, max: MAX_VOCABULARY - 1 }), token: flags };
  });
}

export function checkAddedCount(count: number, key: string, file: string): void {
  if (count <= MAX_ADDED_TOKENS) return;
  throw refuse(file, `${quote(key)} cannot be used`, `at most ${MAX_ADDED_TOKENS} tokens`, `${count}`);
}

/**
 * A token with its flags; what is left out is as in the constructor of AddedToken (tokenizers 0.23.2).
 *
 * @param where - the key that it stands at, for errors
 */
export function readToken(token: Fields, where: string): TokenFlags {
  const content = token.string('content');
  const special = token.boolean('special', { default: false });
  const flag = (key: string, fallback: boolean) => token.boolean(key, { default: fallback });
  return {
    content: checkAddedToken(content, where, token.file),
    singleWord: flag('single_word', false),
    lstrip: flag('lstrip', false),
    rstrip: flag('rstrip', false),
    normalized: flag('normalized', !special),
    normalizedByDefault: !token.has('normalized'),
    special,
  };
}

/** @throws E_TOKENIZER for a token that no text should be searched for */
export function checkAddedToken(content: string, where: string, file: string): string {
  if (content.length > MAX_ADDED_TOKEN_LENGTH) {
    const expected = `at most ${MAX_ADDED_TOKEN_LENGTH} characters`;
    throw refuse(
      file,
      `the added token ${quote(content)} of ${quote(where)} is too long`,
      expected,
      `${content.length}`,
    );
  }
  return content;
}

function checkToken(token: string, file: string): void {
  if (token.length <= MAX_TOKEN_LENGTH && token.isWellFormed()) return;
  const expected = `at most ${MAX_TOKEN_LENGTH} characters`;
  throw refuse(file, `the token ${quote(token)} is too long or not well-formed`, expected);
}

function isId(id: Json): id is number {
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < MAX_VOCABULARY;
}

function refuse(file: string, summary: string, expected: string, found?: string): GlassbertError {
  return new GlassbertError('E_TOKENIZER', summary, { file, expected, found });
}
