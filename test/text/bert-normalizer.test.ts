import { describe, expect, it } from 'vitest';
import { type BertNormalizerOptions, canCut, normalizeBert, splitWords } from '../../src/text/bert-normalizer.ts';

const UNCASED: BertNormalizerOptions = {
  cleanText: true,
  handleChineseChars: true,
  stripAccents: null,
  lowercase: true,
};
const CASED: BertNormalizerOptions = { ...UNCASED, lowercase: false };
const NOTHING: BertNormalizerOptions = {
  cleanText: false,
  handleChineseChars: false,
  stripAccents: false,
  lowercase: false,
};

const uncased = (text: string) => normalizeBert(text, UNCASED);

describe('normalization', () => {
  it('of the example on the page is as it says', () => {
    expect(uncased('Café №5\u00a0北京!')).toBe('cafe №5  北  京 !');
    expect(splitWords(uncased('Café №5\u00a0北京!'))).toEqual(['cafe', '№5', '北', '京', '!']);
  });

  it('drops control characters, which do not part words, and keeps unassigned ones', () => {
    expect(uncased('a\0b\u200b\u00ad\ue000\ufffd\u000bc')).toBe('abc');
    expect(uncased('a\u0378b\u{1fae9}')).toBe('a\u0378b\u{1fae9}');
  });

  it('makes every white space a blank', () => {
    expect(uncased('a\tb\nc\rd\u2028e\u3000f')).toBe('a b c d e f');
    expect(uncased('É\tb')).toBe('e b');
  });

  it('puts blanks around the ideographs of Unicode 8 and leaves later ones', () => {
    expect(uncased('a𠀀b')).toBe('a 𠀀 b');
    expect(uncased('a\u{30000}b')).toBe('a\u{30000}b');
    expect(uncased('カタカナ한')).toBe('カタカナ한'.normalize('NFD').replace(/\p{Mn}/gu, ''));
  });

  it('lowers code point by code point, with no final sigma', () => {
    expect(uncased('ΟΔΟΣ İ ẞ')).toBe('οδοσ i ß');
  });

  it('does not lower what had no lower case in Unicode 16', () => {
    expect(uncased('\u{16ea0}É')).toBe('\u{16ea0}e');
  });

  it('keeps accents where strip_accents is false, and strips them from cased text where it is true', () => {
    expect(normalizeBert('Été', { ...UNCASED, stripAccents: false })).toBe('été');
    expect(normalizeBert('Été', { ...CASED, stripAccents: true })).toBe('Ete');
    expect(normalizeBert('Été', CASED)).toBe('Été');
  });

  it('changes nothing where nothing is asked', () => {
    expect(normalizeBert('É\t北\0Σ', NOTHING)).toBe('É\t北\0Σ');
  });

  it('can lower first, which keeps the dot of İ as a mark of its own', () => {
    expect(normalizeBert('İΣ', { ...CASED, lowercaseFirst: true })).toBe('i\u0307σ');
    expect(normalizeBert('ABC', { ...CASED, lowercaseFirst: true })).toBe('abc');
  });

  it('orders marks as NFD does, up to thirty in a row', () => {
    const later = '\u1df9'; // class 220, unknown to Unicode 8, so not dropped
    expect(uncased(`a\u302e${later}`)).toBe(`a${later}\u302e`);
    expect(uncased(`a${'\u0301'.repeat(40)}b`)).toBe('ab');
  });

  it('of ten megabytes of marks takes a moment and not days', { timeout: 40_000 }, () => {
    for (const marks of ['\u0301', '\u0301\u0323', '\u302e\u1df9']) {
      const start = performance.now();
      uncased(marks.repeat(10_000_000 / 2 / marks.length)); // 10 MB of UTF-8
      expect(performance.now() - start).toBeLessThan(10_000); // measured: 0.3 s
    }
  });
});

describe('words', () => {
  it('end at white space, and every punctuation character is one', () => {
    expect(splitWords('')).toEqual([]);
    expect(splitWords('  ')).toEqual([]);
    expect(splitWords("don't $5.00—ok")).toEqual(['don', "'", 't', '$', '5', '.', '00', '—', 'ok']);
    expect(splitWords('ab。c\u{12470}d')).toEqual(['ab', '。', 'c', '\u{12470}', 'd']);
  });

  it('end at white space alone by the other rule', () => {
    expect(splitWords(" don't\u3000$5.00—ok\n", 'WhitespaceSplit')).toEqual(["don't", '$5.00—ok']);
  });

  it('do not change when text is cut where it can be cut, after any character of Unicode', { timeout: 180_000 }, () => {
    let cuts = 0;
    const all = [UNCASED, CASED, { ...NOTHING, stripAccents: true }, { ...NOTHING, lowercaseFirst: true }] as const;
    for (const [options, rule] of [
      ...all.map(options => [options, 'BertPreTokenizer'] as const),
      [UNCASED, 'WhitespaceSplit'] as const,
    ]) {
      const words = (text: string, options: BertNormalizerOptions) => splitWords(normalizeBert(text, options), rule);
      for (let c = 0; c < 0x110000; c++) {
        const before = `a${String.fromCodePoint(c)}`;
        if (!before.isWellFormed() || !canCut(before, before.length, options, rule)) continue;
        cuts++;
        for (const after of ['\u0301b', '\u0323\u302ea', 'b', '中']) {
          const parts = [...words(before, options), ...words(after, options)];
          if (words(before + after, options).join('|') !== parts.join('|')) expect.fail(`cut after ${c.toString(16)}`);
        }
      }
    }
    expect(cuts).toBeGreaterThan(100_000);
  });
});
