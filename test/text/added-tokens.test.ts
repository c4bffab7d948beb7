/** The search for added tokens: what is found, and how long it takes of hostile tokens. */
import { describe, expect, it } from 'vitest';
import { MAX_NODES } from '../../src/text/added-token-table.ts';
import { type AddedToken, AddedTokenFinder } from '../../src/text/added-tokens.ts';

const token = (content: string, id: number): AddedToken => ({
  id,
  content,
  singleWord: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: false,
  passedOver: false,
});

const split = (contents: readonly string[], text: string): string[] =>
  [...new AddedTokenFinder(contents.map(token)).split(text)].map(part =>
    typeof part === 'string' ? part : `<${part.content}>`,
  );

/** At every place the longest, tried one by one. */
function splitSlowly(contents: readonly string[], text: string): string[] {
  const longestFirst = contents.toSorted((a, b) => b.length - a.length);
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; ) {
    const found = longestFirst.find(content => text.startsWith(content, i));
    if (found === undefined) i++;
    else {
      if (start < i) parts.push(text.slice(start, i));
      parts.push(`<${found}>`);
      i += found.length;
      start = i;
    }
  }
  if (start < text.length) parts.push(text.slice(start));
  return parts;
}

/** A token that nearly stands at every place of a row of one letter, and so makes the search go the other way. */
const NEARLY = `${'a'.repeat(127)}b`;
const ROW = 'a'.repeat(70_000);

describe('of a text that nearly holds a token at every place', () => {
  it.each<[string, string[]]>([
    ['the token itself', [NEARLY]],
    ['one that ends earlier', [NEARLY, 'aab', 'ab']],
    ['one that begins earlier', [NEARLY, 'caaa', 'ca', 'aac']],
    ['one that lies within', [NEARLY, 'aaba', 'b', 'abac']],
    ['one unit', [NEARLY, 'a']],
    ['one that is no more than two', [NEARLY, 'aa', 'c']],
    ['halves of a surrogate pair', [NEARLY, '\u{1F600}', 'a\u{1F600}a']],
  ])('%s is found as by trying', (_, contents) => {
    const end = `${NEARLY}cab${'ac'.repeat(40)}aabaacabac\u{1F600}a`;
    const text = `${ROW}b${end}${ROW}${end.repeat(50)}${ROW}`;
    expect(split(contents, text)).toEqual(splitSlowly(contents, text));
  });

  it('and takes no longer than of a short one', () => {
    const text = 'a'.repeat(2_000_000);
    const time = (contents: string[]): number => {
      const times = [0, 1, 2].map(() => {
        const start = performance.now();
        split(contents, text);
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    // 128 comparisons for every unit took 50 times as long.
    expect(time([NEARLY])).toBeLessThan(12 * time(['ab']));
  });

  it('of so many tokens that their table would be too large, as before', () => {
    const many = Array.from({ length: Math.ceil(MAX_NODES / 100) }, (_, n) => `x${n}`.padEnd(100, 'y'));
    expect(split([NEARLY, ...many], `${ROW}${NEARLY}`)).toEqual([ROW, `<${NEARLY}>`]);
  });
});
