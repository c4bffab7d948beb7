/**
 * The vocabulary of tokenizer.json: `model.vocab` and `added_tokens`, checked against each other.
 *
 * A list of refusals: two tokens with one id, or one token with two, would make ids depend on who reads the file.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, MAX_JSON_KEYS, quote } from '../io/json.ts';
import { asObject, fields } from '../io/json-fields.ts';
import type { AddedToken } from './added-tokens.ts';

/** The largest known, XLM-V, has 901,629. Holds for the ids too, so that gaps cannot make a table of gigabytes. */
const MAX_VOCABULARY = MAX_JSON_KEYS;
/** UTF-16 units. The longest known tokens are rows of 128 blanks. */
export const MAX_TOKEN_LENGTH = 1024;
/** Genuine files have up to about a thousand (`<extra_id_0>`, `[unused0]`). */
const MAX_ADDED_TOKENS = 10_000;
/** UTF-16 units. Every place of a text may be compared with so many. */
const MAX_ADDED_TOKEN_LENGTH = 128;

export interface Vocabulary {
  /** The id of every token that the model itself knows; added tokens only where they are among them. */
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly AddedToken[];
  /** The largest id + 1. */
  readonly size: number;
}

/**
 * @param rows - of the embedding table, where it is known: a vocabulary that cannot fit is refused before it takes memory
 * @throws E_TOKENIZER, and E_CONFIG for missing and mistyped fields
 */
export function readVocabulary(
  tokenizerJson: JsonObject,
  file: string,
  rows: number = Number.POSITIVE_INFINITY,
): Vocabulary {
  const vocab = asObject(tokenizerJson.model ?? null, file, 'model').vocab ?? null;
  const table = vocab instanceof Map ? new Map(vocab) : new Map(Object.entries(asObject(vocab, file, 'model.vocab')));
  checkCount(table.size, rows, file);
  const ids: ReadonlyMap<string, number> = table; // numbers: checked below
  const added = addedTokens(tokenizerJson.added_tokens ?? [], file);

  const tokenOf = new Map<number, string>();
  const enter = (token: string, id: Json) => {
    if (token.length > MAX_TOKEN_LENGTH || !token.isWellFormed()) {
      throw refuse(
        file,
        `the token ${quote(token)} is too long or not well-formed`,
        `at most ${MAX_TOKEN_LENGTH} characters`,
      );
    }
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_VOCABULARY) {
      throw refuse(file, `the id of ${quote(token)} is out of range`, `0 to ${MAX_VOCABULARY - 1}`, shown(id));
    }
    const other = tokenOf.get(id as number);
    if (other !== undefined && other !== token) {
      throw refuse(file, `two tokens have the id ${id}`, 'one token for an id', `${quote(other)} and ${quote(token)}`);
    }
    tokenOf.set(id as number, token);
  };
  for (const [token, id] of ids) enter(token, id);
  for (const { content, id } of added) {
    enter(content, id);
    const known = ids.get(content);
    if (known !== undefined && known !== id) {
      throw refuse(file, `the added token ${quote(content)} has two ids`, `${known}, as in model.vocab`, `${id}`);
    }
  }

  let size = 0;
  for (const id of tokenOf.keys()) size = Math.max(size, id + 1);
  if (size === 0) throw refuse(file, 'the vocabulary is empty', 'tokens');
  return { ids, added, size };
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

function addedTokens(value: Json, file: string): AddedToken[] {
  if (!Array.isArray(value) || value.length > MAX_ADDED_TOKENS) {
    const found = Array.isArray(value) ? `${value.length}` : typeof value;
    throw refuse(file, '"added_tokens" cannot be used', `an array of at most ${MAX_ADDED_TOKENS}`, found);
  }
  const seen = new Set<string>();
  return value.map((entry: Json, n) => {
    const token = fields(entry, file, `added_tokens[${n}]`);
    const content = token.string('content');
    if (content === '' || seen.has(content)) {
      throw refuse(file, `added_tokens[${n}] is empty or stands twice`, 'a token once', quote(content));
    }
    if (content.length > MAX_ADDED_TOKEN_LENGTH) {
      const expected = `at most ${MAX_ADDED_TOKEN_LENGTH} characters`;
      throw refuse(file, `the added token ${quote(content)} is too long`, expected, `${content.length}`);
    }
    seen.add(content);
    const special = token.boolean('special', { default: false });
    return {
      id: token.integer('id', { min: 0, max: MAX_VOCABULARY - 1 }),
      content,
      singleWord: token.boolean('single_word', { default: false }),
      lstrip: token.boolean('lstrip', { default: false }),
      rstrip: token.boolean('rstrip', { default: false }),
      normalized: token.boolean('normalized', { default: !special }),
      special,
    };
  });
}

function shown(value: Json): string {
  return typeof value === 'number' ? `${value}` : typeof value;
}

function refuse(file: string, summary: string, expected: string, found?: string): GlassbertError {
  return new GlassbertError('E_TOKENIZER', summary, { file, expected, found });
}
