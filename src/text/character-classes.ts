/**
 * Which code points the reference tokenizer (the Rust crate `tokenizers`, 0.23.2) takes for control characters, white
 * space, punctuation, marks and ideographs: one byte of flags per code point.
 *
 * The reference draws on four Unicode versions at once, and so does this page:
 *
 *   categories     8.0   the crate `unicode_categories`. Shown by test/text/golden.test.ts: over all 1,112,064 scalar values
 *                        the ids agree with 8.0; with 7.0 or 9.0 they differ in five or six of the 272 blocks
 *   White_Space    any   the crate `core`; has not changed since 6.3
 *   normalization  13.0  the crate `unicode-normalization-alignments`; believed, as its version leaves no trace in those ids
 *   lower case     16.0  the crate `core` again, so that of the compiler; believed, likewise. 16.0 is what Node 22.18 has,
 *                        the oldest engine this library runs on
 *
 * A code point that was unassigned in the version in question is an ordinary character: it is kept, splits nothing, and
 * has neither decomposition nor lower case, whatever a newer engine thinks of it.
 */
import { CASED, CONTROL, DECOMPOSABLE, LATER_MARK, MARK, PUNCTUATION } from './unicode-tables.ts';

/** What clean_text drops: general categories Cc, Cf and Co except \t, \n and \r, which are white space; and U+FFFD. */
export const IS_CONTROL = 1;
/** Unicode's White_Space. */
export const IS_SPACE = 2;
/** General categories P* and everything in ASCII that is neither letter, digit, space nor control: $+<=>^`|~ too. */
export const IS_PUNCTUATION = 4;
/** General category Mn, the "accents" of strip_accents. */
export const IS_MARK = 8;
/** The eight ranges of ideographs that BERT writes between spaces. */
export const IS_IDEOGRAPH = 16;
/** Marks that NFD moves and IS_MARK does not know. */
export const IS_LATER_MARK = 32;
/** NFD may change or move it; where this flag is not set, it does not. */
export const IS_DECOMPOSABLE = 64;
/** It may have a lower case; where this flag is not set, it has none. */
export const IS_CASED = 128;

const WHITE_SPACE = '9-d 20 85 a0 1680 2000-200a 2028-2029 202f 205f 3000';

const ASCII_PUNCTUATION = '21-2f 3a-40 5b-60 7b-7e';

// CJK as of Unicode 8: extensions F and later are not among them. google-research/bert, tokenization.py, _is_chinese_char,
// except that Rust begins extension E at 2b920, where Python has 2b820 (the ids of block 2b show it).
const IDEOGRAPHS = '3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b73f 2b740-2b81f 2b920-2ceaf 2f800-2fa1f';

/** Whether the code point has any of the flags. */
export function is(c: number, flags: number): boolean {
  return ((FLAGS[c] as number) & flags) !== 0;
}

/** UTF-16 units of a code point. */
export function width(c: number): number {
  return c > 0xffff ? 2 : 1;
}

/** The code point that ends before `i`, in well-formed text; NaN at the beginning. */
export function codePointBefore(text: string, i: number): number {
  const last = text.charCodeAt(i - 1);
  return last >= 0xdc00 && last <= 0xdfff ? (text.codePointAt(i - 2) as number) : last;
}

// The flags of every code point: 1.1 MB, filled in about a millisecond when this module is loaded.
const FLAGS: Uint8Array = new Uint8Array(0x110000);

flag(CONTROL, IS_CONTROL);
flag(WHITE_SPACE, IS_SPACE);
flag(PUNCTUATION, IS_PUNCTUATION);
flag(ASCII_PUNCTUATION, IS_PUNCTUATION);
flag(MARK, IS_MARK);
flag(IDEOGRAPHS, IS_IDEOGRAPH);
flag(LATER_MARK, IS_LATER_MARK);
flag(DECOMPOSABLE, IS_DECOMPOSABLE);
flag(CASED, IS_CASED);
FLAGS[0xfffd] = (FLAGS[0xfffd] as number) | IS_CONTROL;
for (const c of [0x09, 0x0a, 0x0d]) FLAGS[c] = (FLAGS[c] as number) & ~IS_CONTROL;

function flag(table: string, bit: number): void {
  for (const range of table.split(' ')) {
    const [first, last = first] = range.split('-').map(hex => Number.parseInt(hex, 16)) as [number, number?];
    for (let c = first; c <= last; c++) FLAGS[c] = (FLAGS[c] as number) | bit;
  }
}
