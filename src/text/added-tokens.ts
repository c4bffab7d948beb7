/**
 * Added tokens: the tokens that are found in a text as they are written ("[SEP]", "<mask>"), before it is cut into words.
 *
 * The rules are those of huggingface/tokenizers 0.23.2, tokenizer/added_vocabulary.rs: at every place the longest token
 * wins, and the search goes on behind it. `lstrip` and `rstrip` take the white space around; `single_word` finds a token
 * only where no letter, digit, mark or underscore touches it.
 */
import { LongestSearch, LongestTable, MAX_NODES } from './added-token-table.ts';
import { codePointBefore, IS_SPACE, is } from './character-classes.ts';

/** A token that is looked for in texts. */
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
  /** Whether it is text where it stands, as a special token is where `split_special_tokens` says so. */
  readonly passedOver: boolean;
}

type Entry = readonly [written: string, token: AddedToken];

/** Some units that a text must go along with, and where it may go from there. */
interface Branch {
  readonly units: Uint16Array;
  /** What is found where they end. */
  readonly found: Entry | undefined;
  readonly next: ReadonlyMap<number, Branch>;
}

/**
 * Comparisons of units for every unit of a text before the other way to search is taken. Of ordinary texts most units are
 * not compared at all; of "aaaa…" and a token "aa…ab" of 128, each is so 128 times.
 */
const MAX_COMPARED = 8;
const FREE = 1 << 16;

/** Finds a set of added tokens in texts, in time linear in the text. */
export class AddedTokenFinder {
  private readonly root: Branch;
  /** Any first unit of any of them: most texts hold none, and one look tells. */
  private readonly first: RegExp;
  private readonly entries: readonly Entry[];
  /** Made for the first text that needs it. */
  private table: LongestTable | undefined;
  private compared = 0;

  /** @param write - how a token is written in the texts */
  constructor(tokens: readonly AddedToken[], write: (content: string) => string = content => content) {
    // Of several that normalization made one, the last counts.
    const written = new Map(tokens.map(token => [write(token.content), token]));
    const entries = [...written].filter(([written]) => written !== '').sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    this.entries = entries;
    this.root = { units: new Uint16Array(), found: undefined, next: branches(entries, 0) };
    const units = [...this.root.next.keys()];
    this.first = new RegExp(`[${units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}]`, 'g');
  }

  /** The text in order: what lies between the tokens as strings, never empty, and the tokens. */
  *split(text: string): Generator<string | AddedToken, void, void> {
    let given = 0;
    let units: Uint16Array | undefined;
    // As in the reference, `rstrip` does not move the search: a token that begins within the white space it took is found
    // as well. That white space ends in one place for all of them, so it is read once.
    let spaceEnd = 0;
    let search: LongestSearch | undefined;
    let compared = 0;
    for (let i = this.candidate(text, 0); i < text.length; ) {
      units ??= unitsOf(text);
      if (search === undefined && compared > FREE + MAX_COMPARED * i) {
        search = this.searchOf(units);
        compared = Number.NEGATIVE_INFINITY; // where there is none, not asked again
      }
      if (search !== undefined) {
        i = search.next(i);
        if (i === text.length) break;
      }
      this.compared = 0;
      const found = search === undefined ? this.longestAt(units, i) : this.entries[search.at(i)];
      compared += this.compared;
      if (found === undefined) {
        i = this.candidate(text, i + 1);
        continue;
      }
      const [written, token] = found;
      const end = i + written.length;
      const inWord = token.singleWord && (isWord(codePointBefore(text, i)) || isWord(text.codePointAt(end)));
      if (!inWord && !token.passedOver) {
        const from = token.lstrip ? skipSpaceBack(text, i, given) : i;
        if (given < from) yield text.slice(given, from);
        yield token;
        if (token.rstrip) spaceEnd = skipSpace(text, Math.max(end, spaceEnd));
        given = token.rstrip ? spaceEnd : end;
      }
      i = search === undefined ? this.candidate(text, end) : end;
    }
    if (given < text.length) yield text.slice(given);
  }

  /** Undefined where its table would be too large: then every unit of the text is compared at worst with the longest token. */
  private searchOf(text: Uint16Array): LongestSearch | undefined {
    const units = this.entries.reduce((sum, [written]) => sum + written.length, 0);
    if (units >= MAX_NODES) return undefined;
    this.table ??= new LongestTable(this.entries.map(([written]) => written));
    return new LongestSearch(this.table, text);
  }

  /** The next place from `i` on where a token may begin; the end of the text if there is none. */
  private candidate(text: string, i: number): number {
    this.first.lastIndex = i;
    return this.first.test(text) ? this.first.lastIndex - 1 : text.length;
  }

  private longestAt(text: Uint16Array, i: number): Entry | undefined {
    let longest: Entry | undefined;
    let branch: Branch | undefined = this.root;
    while (branch !== undefined) {
      const shared = sharedUnits(text, i, branch.units);
      this.compared += shared;
      if (shared < branch.units.length) break;
      i += shared;
      longest = branch.found ?? longest;
      branch = branch.next.get(text[i] ?? Number.NaN); // behind the end nothing begins
    }
    return longest;
  }
}

/** The units of a text: compared there, they take a fraction of the time of text.startsWith() (Node 24). */
function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length);
  for (let i = 0; i < units.length; i++) units[i] = text.charCodeAt(i);
  return units;
}

/** How many units the text has in common with these from there on. */
function sharedUnits(text: Uint16Array, i: number, units: Uint16Array): number {
  let k = 0;
  while (k < units.length && text[i + k] === units[k]) k++;
  return k;
}

/**
 * Where a text may go that agrees with these entries in `depth` units. Units that leave no choice are taken together, so
 * that they are compared at once.
 *
 * @param entries - sorted; all are longer
 */
function branches(entries: readonly Entry[], depth: number): Map<number, Branch> {
  const next = new Map<number, Branch>();
  for (let start = 0, end = 0; start < entries.length; start = end) {
    const entry = entries[start] as Entry;
    const unit = entry[0].charCodeAt(depth);
    while (end < entries.length && (entries[end] as Entry)[0].charCodeAt(depth) === unit) end++;
    const last = (entries[end - 1] as Entry)[0];
    let shared = depth + 1;
    while (shared < entry[0].length && entry[0][shared] === last[shared]) shared++;
    // Those that end here come first.
    let longer = start;
    while (longer < end && (entries[longer] as Entry)[0].length === shared) longer++;
    next.set(unit, {
      units: unitsOf(entry[0].slice(depth, shared)),
      found: longer > start ? entries[longer - 1] : undefined,
      next: branches(entries.slice(longer, end), shared),
    });
  }
  return next;
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
