/**
 * Text as BERT sees it: cleaned, ideographs apart, without accents, in lower case; then cut into words.
 *
 *   "Café №5\u00a0北京!"  ->  "cafe №5 北  京 !"  ->  cafe  №5  北  京  !
 *
 * Devlin et al. 2018, google-research/bert, tokenization.py (BasicTokenizer); what decides here is its twin in Rust, which
 * Python has run for years: huggingface/tokenizers 0.23.2, normalizers/bert.rs and pre_tokenizers/bert.rs. Where JavaScript
 * has a function of the same name, it does something else, and that is why this page exists:
 *
 *   \p{C}            holds unassigned code points, new emoji among them, which the reference keeps
 *   \s               holds \v and \f, which the reference drops, and U+FEFF, likewise
 *   toLowerCase()    turns the Σ of ΟΔΟΣ into ς, as it ends a word; the reference goes code point by code point: οδοσ
 *   normalize('NFD') decomposes code points that Unicode did not have when the reference was made
 */
import {
  codePointBefore,
  IS_CASED,
  IS_CONTROL,
  IS_DECOMPOSABLE,
  IS_IDEOGRAPH,
  IS_LATER_MARK,
  IS_MARK,
  IS_PUNCTUATION,
  IS_SPACE,
  is,
  width,
} from './character-classes.ts';

/** The fields of `normalizer` in tokenizer.json where its type is BertNormalizer. */
export interface BertNormalizerOptions {
  /** `clean_text`: drop control characters, NUL and U+FFFD; make every white space a blank. */
  readonly cleanText: boolean;
  /** `handle_chinese_chars`: a blank before and after every ideograph. */
  readonly handleChineseChars: boolean;
  /** `strip_accents`: decompose, and drop the marks; null does as `lowercase` says. */
  readonly stripAccents: boolean | null;
  /** `lowercase`: lower case, code point by code point. */
  readonly lowercase: boolean;
  /** Lower case before anything else: `do_lower_case` of sentence_bert_config.json, a `Lowercase` normalizer put in front. */
  readonly lowercaseFirst?: boolean;
}

/**
 * Applies the steps in the order of the reference. Takes time linear in the length of the text, whatever the text.
 *
 * @param text - well-formed (no lone surrogates)
 */
export function normalizeBert(text: string, options: BertNormalizerOptions): string {
  const { cleanText, handleChineseChars, lowercase, lowercaseFirst = false } = options;
  if (PLAIN_ASCII.test(text)) {
    const cleaned = cleanText ? text.replace(/[\t\n\r]/g, ' ') : text;
    return lowercase || lowercaseFirst ? cleaned.toLowerCase() : cleaned;
  }

  if (lowercaseFirst) text = toLowerCase(text);
  if (cleanText) text = clean(text);
  if (handleChineseChars) text = spaceIdeographs(text);
  if (options.stripAccents ?? lowercase) text = dropMarks(decompose(text));
  return lowercase ? toLowerCase(text) : text;
}

/** How normalized text is cut into words: as BertPreTokenizer does, or WhitespaceSplit. */
export type WordRule = 'BertPreTokenizer' | 'WhitespaceSplit';

/**
 * The words of normalized text: what stands between white space; by BERT's rule every punctuation character is a word of its
 * own. Offered any text, it cuts that text; nothing but white space is lost.
 */
export function splitWords(text: string, rule: WordRule = 'BertPreTokenizer'): string[] {
  const ends = endsOfWords(rule);
  const words: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; ) {
    const c = text.codePointAt(i) as number;
    const end = i + width(c);
    if (is(c, ends)) {
      if (start < i) words.push(text.slice(start, i));
      if (!is(c, IS_SPACE)) words.push(text.slice(i, end));
      start = end;
    }
    i = end;
  }
  if (start < text.length) words.push(text.slice(start));
  return words;
}

/**
 * Whether text can be cut at `i` without changing its words: normalizing and splitting the two parts gives the words of
 * the whole. So it is after white space, punctuation, and an ideograph that will be followed by a blank. None of them is
 * lost or takes part in what NFD does to its successor, and a word never reaches across one.
 */
export function canCut(text: string, i: number, options: BertNormalizerOptions, rule: WordRule): boolean {
  const c = codePointBefore(text, i);
  if (is(c, IS_CONTROL)) return false;
  return is(c, endsOfWords(rule)) || (options.handleChineseChars && is(c, IS_IDEOGRAPH));
}

function endsOfWords(rule: WordRule): number {
  return rule === 'WhitespaceSplit' ? IS_SPACE : IS_SPACE | IS_PUNCTUATION;
}

// The steps -----------------------------------------------------------------------------------------------------------

// Most text: no step changes it but the blanks for \t, \n, \r and the lower case.
const PLAIN_ASCII = /^[\t\n\r -~]*$/;

function clean(text: string): string {
  return replace(text, IS_CONTROL | IS_SPACE, c => (is(c, IS_CONTROL) ? '' : ' '));
}

function spaceIdeographs(text: string): string {
  return replace(text, IS_IDEOGRAPH, c => ` ${String.fromCodePoint(c)} `);
}

/** Normalization form D of Unicode 13.0. */
function decompose(text: string): string {
  return mapRuns(text, IS_DECOMPOSABLE, run => run.normalize('NFD'), MAX_MARKS);
}

function dropMarks(text: string): string {
  return replace(text, IS_MARK, () => '');
}

/** In JavaScript only the Σ looks at its neighbours; once it is gone, the string is lowered code point by code point. */
function toLowerCase(text: string): string {
  return mapRuns(text.replaceAll('Σ', 'σ'), IS_CASED, run => run.toLowerCase());
}

// ---------------------------------------------------------------------------------------------------------------------

// A normalizer sorts the marks that follow a letter, engines by insertion: ten million of them would keep it for days. UAX
// #15, section 13 (Stream-Safe Text Format) finds no use for more than 30, so after 30 the sorting begins anew. This can
// show only where a longer row holds several IS_LATER_MARKs out of order, as the others are dropped next.
const MAX_MARKS = 30;

/** Replaces every code point that has one of the flags. */
function replace(text: string, flags: number, by: (c: number) => string): string {
  const out = new Pieces();
  let start = 0;
  for (let i = 0; i < text.length; ) {
    const c = text.codePointAt(i) as number;
    const end = i + width(c);
    if (is(c, flags)) {
      out.add(text.slice(start, i));
      out.add(by(c));
      start = end;
    }
    i = end;
  }
  return start === 0 ? text : out.add(text.slice(start)).join();
}

/** Maps every longest run of code points that have the flag, or what there is of it after so many marks in a row. */
function mapRuns(text: string, flag: number, map: (run: string) => string, maxMarks = Infinity): string {
  const out = new Pieces();
  let start = 0;
  let inRun = false;
  let marks = 0;
  const finish = (end: number) => {
    const run = text.slice(start, end);
    out.add(inRun ? map(run) : run);
    start = end;
  };
  for (let i = 0; i < text.length; ) {
    const c = text.codePointAt(i) as number;
    if (is(c, flag) !== inRun || marks === maxMarks) {
      finish(i);
      inRun = is(c, flag);
      marks = 0;
    }
    marks = is(c, IS_MARK | IS_LATER_MARK) ? marks + 1 : 0;
    i += width(c);
  }
  finish(text.length);
  return out.join();
}

/**
 * A string in the making. `+=` would chain the pieces, which for millions of them takes more memory than the text; so they
 * are joined by the thousand.
 */
class Pieces {
  private pieces: string[] = [];
  private text = '';

  add(piece: string): this {
    if (piece !== '' && this.pieces.push(piece) === 4096) this.join();
    return this;
  }

  join(): string {
    this.text += this.pieces.join('');
    this.pieces = [];
    return this.text;
  }
}
