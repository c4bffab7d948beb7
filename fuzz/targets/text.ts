/**
 * Texts, in any encoding that a string may hold: no text makes the tokenizer throw, and its ids are in the vocabulary, no
 * more than allowed, the same every time, the beginning of those of the whole text, and the ones that WordPiece gives as its
 * paper has it (Schuster and Nakajima 2012: from the left, the longest piece there is).
 */
import { readFileSync } from 'node:fs';
import { type JsonObject, parseJson } from '../../src/io/json.ts';
import { normalizeBert, splitWords } from '../../src/text/bert-normalizer.ts';
import { createTokenizer } from '../../src/text/tokenizer.ts';
import { claim, magnitude } from '../target.ts';

/** More than the 4,096 units that the tokenizer reads at a time. */
export const largest = 20_000;

// biome-ignore format: a table
export const dictionary = [
  '[CLS]', '[SEP]', '[MASK]', '[UNK]', '[PAD]', '[', ']', ' ', '\t', '\n', '\v', '\0', '\u0085', '\u00a0', '\u00ad', '\u0301', '\u0345', '\u0378', '\u200b', '\u200d', '\u2028',
  '\u3000', '\ufeff', '\uffff', '\ufffd', 'İ', 'ß', 'ẞ', 'Σ', 'ς', 'ﬁ', 'é', 'e\u0301', '각', '\u1100\u1161\u11a8', '北京', '\u{20000}', '\u{30000}', '豈', 'क्षि', '\u{1fae8}',
  '\u{e0001}', '\u{f0000}', '👩‍👩‍👧', '##', 'the', 'un', 'ing', '.', '。', '$', '\u0327\u0301', 'a'.repeat(101), '\u0301'.repeat(50), 'constructor',
];

const MAX_LENGTH = 16;

function model(name: string) {
  const json = parseJson(
    readFileSync(new URL(`../../test/fixtures/conformance/${name}/tokenizer.json`, import.meta.url)),
  ) as JsonObject;
  const normalizer = json.normalizer as JsonObject;
  return {
    tokenizer: createTokenizer({ tokenizerJson: json, maxLength: MAX_LENGTH }),
    vocab: new Map(Object.entries((json.model as JsonObject).vocab as JsonObject)),
    options: {
      cleanText: normalizer.clean_text === true,
      handleChineseChars: normalizer.handle_chinese_chars === true,
      stripAccents: normalizer.strip_accents as boolean | null,
      lowercase: normalizer.lowercase === true,
      lowercaseFirst: false,
    },
  };
}

const MODELS = [model('bert-mean-normalize'), model('bert-cased')];

/** Pairs are read up to a word; the last tokens of a text like the first. */
const LEFT = createTokenizer({
  tokenizerJson: parseJson(
    readFileSync(new URL('../../test/fixtures/conformance/bert-cased/tokenizer.json', import.meta.url)),
  ) as JsonObject,
  tokenizerConfig: { truncation_side: 'left' },
  maxLength: MAX_LENGTH,
});

export function fuzz(data: Uint8Array): string {
  const text = textOf(data);
  const shapes = MODELS.map(({ tokenizer, vocab, options }) => {
    const whole = tokenizer.encode(text, { truncate: false });
    const { ids, tokens, typeIds, truncated } = tokenizer.encode(text);
    claim(`${ids}` === `${tokenizer.encode(text).ids}`, 'two answers to one text');
    claim(ids.length <= MAX_LENGTH && typeIds.length === ids.length && tokens.length === ids.length, 'lengths');
    claim(
      whole.ids.every(id => id >= 0 && id < tokenizer.vocabSize),
      'an id of no row',
    );
    claim(truncated === whole.ids.length > MAX_LENGTH, 'truncated is wrong');
    claim(
      `${ids.slice(0, -1)}` === `${whole.ids.slice(0, ids.length - 1)}`,
      'cut, it is not the beginning of the whole',
    );

    // Added tokens are another page; a text that may hold one is left to it.
    if (!text.includes('[')) {
      const words = [...splitWords(normalizeBert(text.toWellFormed(), options))];
      const expected = words.flatMap(word => pieces(word, vocab)).join(' ');
      claim(whole.tokens.slice(1, -1).join(' ') === expected, `not the pieces of WordPiece: ${expected.slice(0, 200)}`);
    }
    return `${magnitude(whole.ids.length)} ${magnitude(new Set(whole.ids).size)}`;
  });
  checkEnd(text);
  checkPair(text);
  return `${shapes[0]} ${magnitude(text.length)} ${text.isWellFormed()}`;
}

/** Cut on the left, a text is the end of the whole. */
function checkEnd(text: string): void {
  const whole = LEFT.encode(text, { truncate: false });
  const { ids, truncated } = LEFT.encode(text);
  claim(truncated === whole.ids.length > MAX_LENGTH, 'truncated is wrong, on the left');
  claim(
    `${ids.slice(1)}` === `${whole.ids.slice(whole.ids.length - ids.length + 1)}`,
    'cut, it is not the end of the whole',
  );
}

/** Both texts of a pair are beginnings of theirs, and as long as the pair may be where they are cut. */
function checkPair(text: string): void {
  const half = text.slice(0, text.length / 2);
  const { tokenizer } = MODELS[0] as ReturnType<typeof model>;
  const [a, b] = [text, half].map(part => tokenizer.encode(part, { truncate: false }).ids.slice(1, -1)) as [
    Int32Array,
    Int32Array,
  ];
  const { ids, truncated } = tokenizer.encode(text, { pair: half });
  const room = MAX_LENGTH - 3;
  claim(truncated === a.length + b.length > room, 'truncated is wrong, of a pair');
  claim(ids.length === Math.min(a.length + b.length, room) + 3, 'a pair is not as long as it may be');
  const kept = [...a.keys(), a.length].find(
    n =>
      `${ids.slice(1, n + 1)}` === `${a.slice(0, n)}` &&
      `${ids.slice(n + 2, -1)}` === `${b.slice(0, ids.length - 3 - n)}`,
  );
  claim(kept !== undefined, 'a pair is not the beginnings of both texts');
}

/** UTF-8, or where the first byte is odd UTF-16, in which halves of pairs may stand alone. */
function textOf(data: Uint8Array): string {
  if ((data[0] ?? 0) % 2 === 0) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(data);
  return Buffer.from(data.subarray(1)).toString('utf16le');
}

function pieces(word: string, vocab: ReadonlyMap<string, unknown>): string[] {
  const characters = [...word];
  if (characters.length > 100) return ['[UNK]'];
  const found: string[] = [];
  for (let start = 0, end = characters.length; start < characters.length; start = end, end = characters.length) {
    const piece = () => (start === 0 ? '' : '##') + characters.slice(start, end).join('');
    while (end > start && !vocab.has(piece())) end--;
    if (end === start) return ['[UNK]'];
    found.push(piece());
  }
  return found;
}
