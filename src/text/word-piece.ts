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
  const long = new LongTokens(ids);
  const unknownWord: readonly Token[] = [{ id: ids.get(unknown) as number, token: unknown }];

  function longestAt(word: string, start: number): string | undefined {
    const before = start === 0 ? '' : prefix;
    const rest = word.length - start;
    const token = before.length + rest > SHORT ? long.longestAt(before, word, start) : undefined;
    if (token !== undefined) return token;
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
  private readonly tokens: string[] = [];

  constructor(ids: ReadonlyMap<string, number>) {
    for (const token of ids.keys()) {
      if (token.length > SHORT) this.tokens.push(token);
    }
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
        from++;
      }
      const within = depth < prefix.length;
      const unit = within ? prefix.charCodeAt(depth) : word.charCodeAt(start + depth - prefix.length); // NaN behind the end
      from = this.seek(from, to, depth, other => other >= unit);
      to = this.seek(from, to, depth, other => other !== unit);
    }
    return found;
  }

  /** The first place in a sorted row where the unit passes. It is mostly near the beginning or the end: steps double from there. */
  private seek(from: number, to: number, depth: number, passes: (unit: number) => boolean): number {
    const passesAt = (i: number): boolean => passes((this.tokens[i] as string).charCodeAt(depth));
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
