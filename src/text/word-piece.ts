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

/** UTF-16 units of a piece. BERT's longest has 18. */
const SHORT = 32;

/** @returns the tokens of a word */
export function wordPiece({ ids, unknown, prefix, maxChars }: WordPieceModel): (word: string) => readonly Token[] {
  const first = new Pieces(ids, '');
  const later = prefix === '' ? first : new Pieces(ids, prefix);
  const unknownWord: readonly Token[] = [{ id: ids.get(unknown) as number, token: unknown }];

  return word => {
    // Beyond maxChars code points a word is unknown, so certainly beyond twice as many units: megabytes need no counting.
    if (word.length > maxChars && (word.length > 2 * maxChars || [...word].length > maxChars)) return unknownWord;
    const tokens: Token[] = [];
    for (let start = 0; start < word.length; ) {
      const token = (start === 0 ? first : later).longestAt(word, start);
      if (token === undefined) return unknownWord;
      tokens.push(token);
      start += token.token.length - (start === 0 ? 0 : prefix.length);
    }
    return tokens;
  };
}

/** The tokens of a vocabulary that begin with a prefix, to be found by what follows it. */
class Pieces {
  private readonly ids: ReadonlyMap<string, number>;
  private readonly prefix: string;
  /** The longest of those with at most SHORT units. */
  private readonly longestShort: number;
  private readonly long: LongPieces;

  constructor(ids: ReadonlyMap<string, number>, prefix: string) {
    this.ids = ids;
    this.prefix = prefix;
    let longestShort = 0;
    const long: string[] = [];
    for (const token of ids.keys()) {
      if (!token.startsWith(prefix)) continue;
      const length = token.length - prefix.length;
      if (length > SHORT) long.push(token);
      else if (length > longestShort) longestShort = length;
    }
    this.longestShort = longestShort;
    this.long = new LongPieces(long, prefix.length);
  }

  longestAt(word: string, start: number): Token | undefined {
    const rest = word.length - start;
    if (rest > SHORT) {
      const token = this.long.longestAt(word, start);
      if (token !== undefined) return { id: this.ids.get(token) as number, token };
    }
    for (let length = Math.min(rest, this.longestShort); length > 0; length--) {
      const piece = word.slice(start, start + length);
      const token = this.prefix === '' ? piece : this.prefix + piece;
      const id = this.ids.get(token);
      if (id !== undefined) return { id, token };
    }
    return undefined;
  }
}

/** Tokens in the order of their units. Those that begin as a text does stand side by side, and every unit leaves fewer. */
class LongPieces {
  private readonly tokens: readonly string[];
  private readonly prefix: number;

  /** @param prefix - units that all of them begin with and that are not compared */
  constructor(tokens: readonly string[], prefix: number) {
    this.tokens = tokens.toSorted((a, b) => (a < b ? -1 : 1));
    this.prefix = prefix;
  }

  longestAt(word: string, start: number): string | undefined {
    let found: string | undefined;
    let [from, to] = [0, this.tokens.length];
    for (let depth = 0; from < to; depth++) {
      const token = this.tokens[from] as string;
      if (token.length === this.prefix + depth) {
        found = token;
        from++;
      }
      const unit = word.charCodeAt(start + depth); // NaN behind the end, which nothing equals
      from = this.seek(from, to, depth, other => other >= unit);
      to = this.seek(from, to, depth, other => other !== unit);
    }
    return found;
  }

  /** The first place in a sorted row where the unit passes. It is mostly near the beginning or the end: steps double from there. */
  private seek(from: number, to: number, depth: number, passes: (unit: number) => boolean): number {
    const passesAt = (i: number): boolean => passes((this.tokens[i] as string).charCodeAt(this.prefix + depth));
    if (from >= to || passesAt(from)) return from;
    if (!passesAt(to - 1)) return to;
    let [below, above] = [from, to - 1];
    for (let step = 1; above - below > 1; step *= 2) {
      const [early, late] = [Math.min(below + step, above - 1), Math.max(above - step, below + 1)];
      if (passesAt(early)) above = early;
      else below = early;
      if (late <= below || late >= above) continue;
      if (passesAt(late)) above = late;
      else below = late;
    }
    return above;
  }
}
