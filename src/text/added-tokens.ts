/**
 * Added tokens: the tokens that are found in a text as they are written ("[SEP]", "<mask>"), before it is cut into words.
 *
 * The rules are those of huggingface/tokenizers 0.23.2, tokenizer/added_vocabulary.rs: at every place the longest token
 * wins, and the search goes on behind it. `lstrip` and `rstrip` take the white space around; `single_word` finds a token
 * only where no letter, digit, mark or underscore touches it.
 */
import { codePointBefore, IS_SPACE, is } from './character-classes.ts';

/** An entry of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Whether it is searched in the normalized text (and itself normalized), or in the text as it was given. */
  readonly normalized: boolean;
  /** Whether it marks a place rather than being text, as [SEP] does. */
  readonly special: boolean;
}

type Entry = readonly [written: string, token: AddedToken];

/** Finds a set of added tokens in texts, in time linear in the text and at worst in the longest token. */
export class AddedTokenFinder {
  /** Sorted by what is searched for, so that those with a common beginning stand together, the shortest first. */
  private readonly entries: readonly Entry[];
  /** Any first unit of any of them: most texts hold none, and one look tells. */
  private readonly first: RegExp;

  /** @param write - how a token is written in the texts */
  constructor(tokens: readonly AddedToken[], write: (content: string) => string = content => content) {
    this.entries = tokens
      .map(token => [write(token.content), token] as const)
      .filter(([written]) => written !== '')
      .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    const units = new Set(this.entries.map(([written]) => written.charCodeAt(0)));
    this.first = new RegExp(`[${[...units].map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}]`, 'g');
  }

  /** The text in order: what lies between the tokens as strings, never empty, and the tokens. */
  *split(text: string): Generator<string | AddedToken, void, void> {
    let given = 0;
    for (let i = this.candidate(text, 0); i < text.length; ) {
      const found = this.longestAt(text, i);
      if (found === undefined) {
        i = this.candidate(text, i + 1);
        continue;
      }
      const [written, token] = found;
      const end = i + written.length;
      if (!token.singleWord || !(isWord(codePointBefore(text, i)) || isWord(text.codePointAt(end)))) {
        const from = token.lstrip ? skipSpaceBack(text, i, given) : i;
        if (given < from) yield text.slice(given, from);
        yield token;
        given = token.rstrip ? skipSpace(text, end) : end;
      }
      i = this.candidate(text, end);
    }
    if (given < text.length) yield text.slice(given);
  }

  /** The next place from `i` on where a token may begin; the end of the text if there is none. */
  private candidate(text: string, i: number): number {
    this.first.lastIndex = i;
    return this.first.exec(text)?.index ?? text.length;
  }

  /** Narrows the entries, unit by unit, to those that the text goes along with. */
  private longestAt(text: string, i: number): Entry | undefined {
    let longest: Entry | undefined;
    let low = 0;
    let high = this.entries.length;
    for (let depth = 0; low < high; depth++) {
      // entries[low .. high) agree with the text in `depth` units; one that ends here is a match, and sorts first.
      while (low < high && this.entries[low]?.[0].length === depth) longest = this.entries[low++];
      const unit = text.charCodeAt(i + depth); // NaN behind the end, which no entry reaches
      low = this.firstFrom(unit, depth, low, high);
      high = this.firstFrom(unit + 1, depth, low, high);
    }
    return longest;
  }

  /** Among low … high - 1, the first entry whose unit at `depth` is at least this; `high` if there is none. */
  private firstFrom(unit: number, depth: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle] as Entry)[0].charCodeAt(depth) >= unit) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

// `\w` of the Rust crate `regex`. The one place here that follows the Unicode version of the engine.
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function isWord(c: number | undefined): boolean {
  return c !== undefined && !Number.isNaN(c) && WORD.test(String.fromCodePoint(c));
}

function skipSpace(text: string, i: number): number {
  while (i < text.length && is(text.charCodeAt(i), IS_SPACE)) i++;
  return i;
}

function skipSpaceBack(text: string, i: number, limit: number): number {
  while (i > limit && is(text.charCodeAt(i - 1), IS_SPACE)) i--;
  return i;
}
