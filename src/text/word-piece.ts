/**
 * WordPiece: a word becomes the longest piece the vocabulary has, then the longest that goes on, and so forth; a word that
 * comes to no end this way is unknown as a whole.
 *
 *   unwanted  ->  un  ##want  ##ed
 *
 * Schuster and Nakajima 2012; what decides here is huggingface/tokenizers 0.23.2, models/wordpiece/mod.rs. There the time
 * grows with the square of the word's length and the pieces', or more. Here it is linear in the word, whatever the vocabulary:
 * at every place at most SHORT pieces are looked up, and longer ones are found among each other in one walk.
 */
export interface Token {
  readonly id: number;
  readonly token: string;
}

export interface WordPieceModel {
  /** The vocabulary. Its tokens are well-formed: none ends between the halves of a surrogate pair. */
  readonly ids: ReadonlyMap<string, number>;
  /** The token of unknown words. */
  readonly unknown: string;
  /** What pieces within a word begin with. */
  readonly prefix: string;
  /** In code points; a longer word is unknown. */
  readonly maxChars: number;
}

/** UTF-16 units of a token, prefix included. BERT's longest has 18. */
const SHORT = 32;

/** @returns the tokens of a word */
export function wordPiece({ ids, unknown, prefix, maxChars }: WordPieceModel): (word: string) => readonly Token[] {
  const first = longestShort(ids, '');
  const later = longestShort(ids, prefix);
  // Made for the first word that could hold one: of a vocabulary of a million it takes a second, and memory while the file that
  // it comes from is still there.
  let long: LongTokens | undefined;
  const unknownWord: readonly Token[] = [{ id: ids.get(unknown) as number, token: unknown }];

  function longestAt(word: string, start: number): string | undefined {
    const before = start === 0 ? '' : prefix;
    const rest = word.length - start;
    if (before.length + rest > SHORT) {
      long ??= new LongTokens(ids, prefix.length + 2 * maxChars);
      const token = long.longestAt(before, word, start);
      if (token !== undefined) return token;
    }
    for (let length = Math.min(rest, (start === 0 ? first : later) - before.length); length > 0; length--) {
      const piece = word.slice(start, start + length);
      const token = start === 0 ? piece : before + piece;
      if (ids.has(token)) return token;
    }
    return undefined;
  }

  return word => {
    // Beyond maxChars code points a word is unknown, so certainly beyond twice as many units: megabytes need no counting.
    if (word.length > maxChars && (word.length > 2 * maxChars || [...word].length > maxChars)) return unknownWord;
    const tokens: Token[] = [];
    for (let start = 0; start < word.length; ) {
      const token = longestAt(word, start);
      if (token === undefined) return unknownWord;
      tokens.push({ id: ids.get(token) as number, token });
      start += token.length - (start === 0 ? 0 : prefix.length);
    }
    return tokens;
  };
}

/** Units of the longest token that begins with the prefix, of those that are looked up. */
function longestShort(ids: ReadonlyMap<string, number>, prefix: string): number {
  let longest = 0;
  for (const token of ids.keys()) {
    if (token.length > longest && token.length <= SHORT && token.startsWith(prefix)) longest = token.length;
  }
  return longest;
}

/** The longer tokens in the order of their units. Those that begin alike stand side by side, and every unit leaves fewer. */
class LongTokens {
  private readonly tokens: string[];

  /** @param longest - units that a token of a word may have */
  constructor(ids: ReadonlyMap<string, number>, longest: number) {
    const isLong = ({ length }: string): boolean => SHORT < length && length <= longest;
    let count = 0;
    for (const token of ids.keys()) count += Number(isLong(token));
    this.tokens = new Array(count); // without room to grow
    count = 0;
    for (const token of ids.keys()) if (isLong(token)) this.tokens[count++] = token;
    this.tokens.sort();
  }

  /** The longest that is the prefix and goes on as the word does. */
  longestAt(prefix: string, word: string, start: number): string | undefined {
    let found: string | undefined;
    let [from, to] = [0, this.tokens.length];
    for (let depth = 0; from < to; depth++) {
      const token = this.tokens[from] as string;
      if (token.length === depth) {
        if (depth > prefix.length) found = token;
        if (++from === to) break;
      }
      const within = depth < prefix.length;
      const unit = within ? prefix.charCodeAt(depth) : word.charCodeAt(start + depth - prefix.length);
      from = this.firstNotBelow(unit, depth, from, to);
      if (from === to || this.unit(from, depth) !== unit) break; // so at the end of the word, which has no unit
      to = this.endOf(unit, depth, from, to);
    }
    return found;
  }

  private unit(place: number, depth: number): number {
    return (this.tokens[place] as string).charCodeAt(depth);
  }

  // Mostly few tokens are left out at once, so both look at the nearest first, then twice as far, and then between.

  private firstNotBelow(unit: number, depth: number, from: number, to: number): number {
    let step = 1;
    for (; from + step <= to && this.unit(from + step - 1, depth) < unit; step *= 2) from += step;
    let end = Math.min(from + step - 1, to);
    while (from < end) {
      const middle = (from + end) >>> 1;
      if (this.unit(middle, depth) < unit) from = middle + 1;
      else end = middle;
    }
    return from;
  }

  private endOf(unit: number, depth: number, from: number, to: number): number {
    let step = 1;
    for (; to - step >= from && this.unit(to - step, depth) > unit; step *= 2) to -= step;
    let begin = Math.max(to - step + 1, from);
    while (begin < to) {
      const middle = (begin + to) >>> 1;
      if (this.unit(middle, depth) > unit) to = middle;
      else begin = middle + 1;
    }
    return to;
  }
}
