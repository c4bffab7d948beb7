import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { type WordPieceModel, wordPiece } from '../../src/text/word-piece.ts';
import { processorMs } from '../support/processor-time.ts';
import { random } from '../support/random.ts';

const model = (tokens: readonly string[], more: Partial<WordPieceModel> = {}): WordPieceModel => ({
  ids: new Map(['[UNK]', ...tokens].map((token, id) => [token, id])),
  unknown: '[UNK]',
  prefix: '##',
  maxChars: 100,
  ...more,
});

const shown = (words: ReturnType<typeof wordPiece>, word: string): string =>
  words(word)
    .map(({ token }) => token)
    .join(' ');

/** WordPiece of the package @huggingface/tokenizers, written by others for the same files. */
function others({ ids, unknown, prefix, maxChars }: WordPieceModel): (word: string) => string {
  const config = {
    type: 'WordPiece',
    unk_token: unknown,
    continuing_subword_prefix: prefix,
    max_input_chars_per_word: maxChars,
    vocab: {},
  };
  const parts = {
    normalizer: null,
    pre_tokenizer: null,
    added_tokens: [],
    model: config,
    post_processor: null,
    decoder: null,
  };
  const theirs = new Tokenizer(parts as never, {} as never).model as NonNullable<Tokenizer['model']>;
  theirs.tokens_to_ids = ids as Map<string, number>;
  return word => (theirs as unknown as (words: readonly string[]) => string[])([word]).join(' ');
}

describe('a word', () => {
  it('becomes the longest pieces there are, or is unknown as a whole', () => {
    const words = wordPiece(model(['un', 'want', '##want', '##ed', 'unwantedx', '##wan']));
    expect(shown(words, 'unwanted')).toBe('un ##want ##ed');
    expect(shown(words, 'unwantedy')).toBe('[UNK]');
    expect(shown(words, 'ed')).toBe('[UNK]');
    expect(words('unwanted').map(({ id }) => id)).toEqual([1, 3, 4]);
  });

  it('may begin with the prefix, and the prefix may be none', () => {
    expect(shown(wordPiece(model(['##a', '##b'])), '##a##b')).toBe('[UNK]');
    expect(shown(wordPiece(model(['##a', '##b'])), '##ab')).toBe('##a ##b');
    expect(shown(wordPiece(model(['a', 'ab', 'b'], { prefix: '' })), 'abba')).toBe('ab b a');
  });

  it('is unknown beyond the limit, counted in code points', () => {
    const words = wordPiece(model(['😀', '##😀', 'a', '##a'], { maxChars: 3 }));
    expect(shown(words, '😀😀😀')).toBe('😀 ##😀 ##😀');
    expect(shown(words, '😀😀😀😀')).toBe('[UNK]');
    expect(shown(words, 'aaaa')).toBe('[UNK]');
  });

  it('ends, whatever the prefix', () => {
    const long = 'x'.repeat(40);
    const words = wordPiece(model([long, 'a'], { prefix: `${long}y` }));
    expect(shown(words, `${long}a`)).toBe('[UNK]');
  });
});

it('agrees with the package @huggingface/tokenizers on 8,000 words over vocabularies of any length of piece', () => {
  const { real: next, integer: pick } = random(20261125);
  let known = 0;
  for (let round = 0; round < 40; round++) {
    const letters = ['ab', 'abc', 'a😀', 'ab#'][pick(4)] as string;
    const text = (length: number): string =>
      Array.from({ length }, () => [...letters][pick([...letters].length)]).join('');
    const longest = [3, 8, 40, 90][pick(4)] as number;
    const tokens = new Set(Array.from({ length: 60 }, () => (next() < 0.5 ? '##' : '') + text(1 + pick(longest))));
    // Most words can be spelled: what they are made of is in the vocabulary.
    for (const letter of letters) if (next() < 0.9) tokens.add(letter).add(`##${letter}`);
    const ours = wordPiece(model([...tokens]));
    const theirs = others(model([...tokens]));
    const pieces = [...tokens].map(token => token.replace(/^##/, ''));
    for (let n = 0; n < 200; n++) {
      const word = Array.from({ length: 1 + pick(4) }, () =>
        next() < 0.8 ? pieces[pick(pieces.length)] : text(3),
      ).join('');
      const tokens = shown(ours, word);
      expect(tokens).toBe(theirs(word));
      if (tokens !== '[UNK]') known++;
    }
  }
  expect(known).toBeGreaterThan(2000);
});

it('takes time linear in the word, whatever the pieces', () => {
  const rows = Array.from({ length: 300 }, (_, n) => 'a'.repeat(n));
  const vocabularies = {
    'one long piece that never ends': [`##${'a'.repeat(300)}b`],
    'one that ends at every length': rows.map(row => `##${row}b`),
    'and one that begins at every length': rows.map(row => `##${row}A`),
  };
  for (const [name, tokens] of Object.entries(vocabularies)) {
    const words = wordPiece(model(['a', '##a', ...tokens], { maxChars: 100_000 }));
    const time = (length: number): number => {
      const start = processorMs();
      expect(words('a'.repeat(length))).toHaveLength(length);
      return processorMs(start);
    };
    time(1000);
    const [short, long] = [Math.min(time(2000), time(2000), time(2000)), Math.min(time(16_000), time(16_000))];
    expect(long / short, `${name}: ${short} ms, ${long} ms`).toBeLessThan(32); // 8 times as long; a square would be 64
  }
});
