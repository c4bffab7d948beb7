/**
 * vocab.txt, for directories from before tokenizer.json (2020 and earlier): one token a line; the number of the line, from 0,
 * is its id. As transformers 5.18.0 reads it, with tokenizers 0.23.2 (models/wordpiece/mod.rs, read_file): white space at the
 * end of a line is no part of the token, and of lines that are alike the last one counts.
 */
import { GlassbertError } from '../errors.ts';
import type { JsonObject } from '../io/json.ts';
import { quote } from '../io/json.ts';
import { IS_SPACE, is } from './character-classes.ts';
import { checkCount, MAX_TOKEN_LENGTH } from './vocabulary.ts';

/**
 * The tokenizer.json that would hold the same vocabulary.
 *
 * @param vocab - the text of vocab.txt
 * @param rows - of the embedding table, where it is known: so many tokens there can be
 * @param notes - takes what in the file might surprise
 * @throws E_TOKENIZER for too many and too long lines
 */
export function fromVocabTxt(
  vocab: string,
  file: string,
  rows: number = Number.POSITIVE_INFINITY,
  notes: string[] = [],
): JsonObject {
  return { model: { type: 'WordPiece', vocab: readLines(vocab, rows, file, notes) } };
}

/** Reads line by line, for a file of nothing but newlines would make an array of many times its size. */
function readLines(vocab: string, rows: number, file: string, notes: string[]): ReadonlyMap<string, number> {
  checkCount(countLines(vocab), rows, file);
  const ids = new Map<string, number>();
  const twice: string[] = [];
  let blanks = 0;
  let id = 0;
  for (let start = 0, end = 0; start < vocab.length; start = end + 1, id++) {
    end = vocab.indexOf('\n', start);
    if (end === -1) end = vocab.length;
    const line = end > start && vocab[end - 1] === '\r' ? end - 1 : end;
    let stop = line;
    while (stop > start && is(vocab.charCodeAt(stop - 1), IS_SPACE)) stop--;
    if (stop - start > MAX_TOKEN_LENGTH) {
      throw new GlassbertError('E_TOKENIZER', `line ${id + 1} is too long`, {
        file,
        expected: `at most ${MAX_TOKEN_LENGTH} characters`,
        found: `${stop - start}`,
      });
    }
    if (stop < line) blanks++;
    const token = vocab.slice(start, stop);
    if (ids.has(token) && twice.length < LISTED) twice.push(`${quote(token)} (the last is line ${id + 1})`);
    ids.set(token, id);
  }
  if (vocab.startsWith('\ufeff')) {
    notes.push(
      `vocab.txt: it begins with a byte order mark, which is part of the first token, as in Python. Save it without.`,
    );
  }
  if (ids.size < id) {
    notes.push(
      `${file}: ${id - ids.size} tokens stand in more than one line; as in Python the last counts: ${twice.join(', ')}.`,
    );
  }
  if (blanks > 0)
    notes.push(`vocab.txt: ${blanks} lines end in blanks, which are no part of their tokens, as in transformers 5.`);
  return ids;
}

/** How many of many surprises a note lists. */
const LISTED = 3;

/** Counted before a token is kept. */
function countLines(text: string): number {
  let lines = 0;
  for (let at = 0; at < text.length; lines++) at = text.indexOf('\n', at) + 1 || text.length;
  return lines;
}
