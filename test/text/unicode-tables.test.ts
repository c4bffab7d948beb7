import { expect, it } from 'vitest';
import {
  IS_CASED,
  IS_CONTROL,
  IS_DECOMPOSABLE,
  IS_LATER_MARK,
  IS_MARK,
  IS_PUNCTUATION,
  IS_SPACE,
  is,
} from '../../src/text/character-classes.ts';
import { CONTROL, MARK, PUNCTUATION } from '../../src/text/unicode-tables.ts';

const scalars = Array.from({ length: 0x110000 }, (_, c) => c).filter(c => c < 0xd800 || c > 0xdfff);
const hex = (codePoints: number[]) => codePoints.map(c => c.toString(16)).join(' ');

function members(table: string): number[] {
  return table.split(' ').flatMap(range => {
    const [first, last = first] = range.split('-').map(number => Number.parseInt(number, 16)) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

/** Those of the code points that the running engine puts into another class. */
function strangers(codePoints: number[], category: RegExp): string {
  return hex(codePoints.filter(c => !category.test(String.fromCodePoint(c))));
}

it('the tables hold as many code points as Unicode 8.0 has in the categories', () => {
  expect([members(CONTROL).length, members(MARK).length, members(PUNCTUATION).length]).toEqual([137683, 1567, 717]);
});

it('what Unicode 8.0 called control, mark or punctuation still is, except for four code points', () => {
  expect(strangers(members(CONTROL), /[\p{Cc}\p{Cf}\p{Co}]/u)).toBe('');
  expect(strangers(members(MARK), /\p{Mn}/u)).toBe('1734 1171e'); // Mc since Unicode 14
  expect(strangers(members(PUNCTUATION), /\p{P}/u)).toBe('166d 111c9'); // So since 12.1, Mn since 11
});

it('white space is the White_Space of the engine', () => {
  expect(hex(scalars.filter(c => is(c, IS_SPACE)))).toBe(
    hex(scalars.filter(c => /\p{White_Space}/u.test(String.fromCodePoint(c)))),
  );
});

it('tab and newlines are white space and no control characters; U+FFFD is dropped like one', () => {
  for (const character of '\t\n\r') expect(is(character.charCodeAt(0), IS_CONTROL)).toBe(false);
  expect(is(0xfffd, IS_CONTROL)).toBe(true);
});

it('all of ASCII that is neither letter, digit nor blank is punctuation', () => {
  const ascii = scalars.filter(c => c >= 0x20 && c < 0x7f);
  expect(hex(ascii.filter(c => is(c, IS_PUNCTUATION)))).toBe(
    hex(ascii.filter(c => /[^0-9A-Za-z ]/.test(String.fromCharCode(c)))),
  );
});

// What the engine of Node 24 (Unicode 17) knows beyond the tables. An engine with a newer Unicode may add to these lists.
const DECOMPOSABLE_SINCE_14 =
  '897-89f 8ca-8d2 c3c 1715 1ac1-1add 1ae0-1aeb 1dfa 105c9 105e4 10d69-10d6d 10efa-10efb 10efd-10eff 10f82-10f85 ' +
  '11070 11383 11385 1138e 11391 113c5 113c7-113c8 113ce-113d0 11f41-11f42 16121-16128 1612f 16d68-16d6a 1e08f 1e2ae ' +
  '1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef 1e6f5';
const CASED_SINCE_17 = 'a7ce a7d2 a7d4 16ea0-16eb8';

it('NFD and lower case of the engine touch nothing without the flag but newer code points', () => {
  const isMoved = (text: string) => text.normalize('NFD') !== text;
  const isTouched = (text: string) => isMoved(text) || isMoved(`${text}\u0334`) || isMoved(`\u0345${text}`);
  const isLowered = (text: string) => text.toLowerCase() !== text;
  const without = (flag: number, test: (text: string) => boolean, newer: string) => {
    const known = new Set(members(newer));
    return hex(scalars.filter(c => !is(c, flag) && !known.has(c) && test(String.fromCodePoint(c))));
  };
  expect(without(IS_DECOMPOSABLE, isTouched, DECOMPOSABLE_SINCE_14)).toBe('');
  expect(without(IS_CASED, isLowered, CASED_SINCE_17)).toBe('');
});

it('the flags for NFD and lower case stand on no newer code point', () => {
  expect(hex(members(DECOMPOSABLE_SINCE_14).filter(c => is(c, IS_DECOMPOSABLE)))).toBe('');
  expect(hex(members(CASED_SINCE_17).filter(c => is(c, IS_CASED)))).toBe('');
});

it('every mark that NFD may move is known as a mark, so that rows of them can be counted', () => {
  const moves = scalars.filter(
    c => is(c, IS_DECOMPOSABLE) && `\u0345${String.fromCodePoint(c)}`.normalize('NFD')[0] !== '\u0345',
  );
  expect(hex(moves.filter(c => !is(c, IS_MARK | IS_LATER_MARK)))).toBe('');
});
