import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/io/json.ts';
import { type BertNormalizerOptions, normalizeBert, splitWords } from '../../src/text/bert-normalizer.ts';
import { createTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts';
import { conformanceNames, json, MINILM, RANDOM, tokenizerOf, UNLIMITED, WORDPIECE } from './corpora.ts';

/** One line for the corpus, so that a run shows how much was compared and not only that nothing failed. */
function report(corpus: string, differing: readonly unknown[], total: number, name: string): void {
  // biome-ignore lint/suspicious/noConsole: the counts are part of the result
  console.log(`${corpus}: ${total - differing.length} of ${total} equal (${name})`);
  expect(differing).toEqual([]);
}

const ids = (tokenizer: Tokenizer, text: string) => [...tokenizer.encode(text).ids];

describe('the ids are those of the Rust tokenizers 0.23.2', () => {
  it.each(WORDPIECE)('for 600 random strings over 25 scripts, by %s', name => {
    const tokenizer = tokenizerOf(name);
    const expected = RANDOM.tokenizers[name] as number[][];
    const differing = RANDOM.texts.filter((text, n) => ids(tokenizer, text).join() !== expected[n]?.join());
    report('random strings', differing, RANDOM.texts.length, name);
  });

  it.each(WORDPIECE)('for every code point of Unicode, inside a word and alone, by %s', { timeout: 60_000 }, name => {
    const tokenizer = tokenizerOf(name);
    const expected = json<Record<string, string[]>>('tokenization/random-scalars.json')[name] as string[];
    const differing = expected.flatMap((hash, block) => (hashOfBlock(tokenizer, block) === hash ? [] : [block]));
    report('blocks of 4,096 code points', differing, expected.length, name);
  });

  it('for the texts of every conformance directory, cut at its max_seq_length', () => {
    const differing: string[] = [];
    let total = 0;
    for (const name of conformanceNames()) {
      const expected = json<{ texts: string[]; input_ids: number[][]; max_seq_length: number }>(
        `conformance/${name}/expected/expected.json`,
      );
      const tokenizer = tokenizerOf(name, { maxLength: expected.max_seq_length });
      for (const [n, text] of expected.texts.entries()) {
        total++;
        if (ids(tokenizer, text).join() !== expected.input_ids[n]?.join()) differing.push(`${name}: ${text}`);
      }
    }
    report('conformance texts', differing, total, `${conformanceNames().length} directories`);
  });
});

const LIBRARY = new URL('../../../shared/conformance/tokenization/', import.meta.url);

describe.skipIf(!existsSync(LIBRARY))(
  'tokenizers 0.23.2 by itself (not run where ../shared/conformance is not here)',
  () => {
    interface Expected {
      readonly ids: readonly number[][];
      readonly truncated_12_ids: readonly number[][];
      readonly pairs: readonly { readonly ids: readonly number[]; readonly type_ids: readonly number[] }[];
      readonly edge: { readonly ids: readonly number[][] };
    }

    it.each([
      'added-tokens',
      'mpnet',
      'wordpiece-cased',
      'wordpiece-uncased',
      'wordpiece-lower-keep-accents',
      'wordpiece-strip-accents-only',
    ])('gives the same ids, cut ones, and pairs, by %s', name => {
      const { texts, edge } = json<{ texts: string[]; edge: string[] }>(new URL('texts.json', LIBRARY));
      const expected = json<Expected>(new URL(`${name}/expected.json`, LIBRARY));
      const tokenizer = createTokenizer({
        tokenizerJson: json<JsonObject>(new URL(`${name}/tokenizer.json`, LIBRARY)),
        tokenizerConfig: { model_input_names: ['input_ids', 'token_type_ids'] },
        maxLength: UNLIMITED,
      });
      const differing: string[] = [];
      let total = 0;
      const compare = (what: string, ours: Int32Array, theirs: readonly number[] | undefined) => {
        total++;
        if (ours.join() !== theirs?.join()) differing.push(`${what}: ${ours} instead of ${theirs}`);
      };
      for (const [n, text] of texts.entries()) compare(text, tokenizer.encode(text).ids, expected.ids[n]);
      for (const [n, ids] of expected.truncated_12_ids.entries()) {
        compare(`12 of text ${n}`, tokenizer.encode(texts[n] as string, { maxLength: 12 }).ids, ids);
      }
      for (const [n, text] of edge.entries()) compare(text, tokenizer.encode(text).ids, expected.edge.ids[n]);
      for (const [n, { ids, type_ids }] of expected.pairs.entries()) {
        const encoding = tokenizer.encode(texts[n] as string, { pair: texts[n + 61] as string, maxLength: 20 });
        compare(`pair ${n}`, encoding.ids, ids);
        compare(`types of pair ${n}`, encoding.typeIds, type_ids);
      }
      report('texts, cut texts and pairs', differing, total, name);
    });
  },
);

it('normalization and words are those of the reference for 43 hard inputs', () => {
  const options: BertNormalizerOptions = {
    cleanText: true,
    handleChineseChars: true,
    stripAccents: null,
    lowercase: true,
  };
  const cases = Object.values(
    json<Record<string, { input: string; normalized: string; words: string[] }>>(
      'tokenization/bert-normalizer-edge.json',
    ),
  );
  const differing = cases.filter(({ input, normalized, words }) => {
    const ours = normalizeBert(input, options);
    return ours !== normalized || JSON.stringify(splitWords(ours)) !== JSON.stringify(words);
  });
  report('hard inputs', differing, cases.length, 'BertNormalizer and BertPreTokenizer');
});

it('the genuine all-MiniLM-L6-v2 gives the same ids by vocab.txt alone as by tokenizer.json', ({ skip }) => {
  if (!existsSync(MINILM)) skip('not run: ../shared/real-directory is not here');
  const tokenizerConfig = json<JsonObject>(new URL('tokenizer_config.json', MINILM));
  const tokenizerJson = json<JsonObject>(new URL('tokenizer.json', MINILM));
  const vocab = readFileSync(new URL('vocab.txt', MINILM), 'utf8');
  const modern = createTokenizer({ tokenizerJson, tokenizerConfig, maxLength: UNLIMITED });
  const old = createTokenizer({ vocab, tokenizerConfig, maxLength: UNLIMITED });

  expect([modern.vocabSize, old.vocabSize]).toEqual([30522, 30522]);
  expect(ids(modern, 'Hello [SEP]')).toEqual([101, 7592, 102, 102]);
  const differing = RANDOM.texts.filter(text => ids(modern, text).join() !== ids(old, text).join());
  report('random strings', differing, RANDOM.texts.length, 'all-MiniLM-L6-v2, vocab.txt and tokenizer.json');
});

/** SHA-256 over count and ids of "a" + c + "b " + c for the scalar values c of a block; its first 16 hex digits. */
function hashOfBlock(tokenizer: Tokenizer, block: number): string {
  const hash = createHash('sha256');
  for (let c = block * 4096; c < (block + 1) * 4096; c++) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    const character = String.fromCodePoint(c);
    const { ids } = tokenizer.encode(`a${character}b ${character}`);
    hash.update(new Uint8Array(Uint32Array.of(ids.length, ...ids).buffer));
  }
  return hash.digest('hex').slice(0, 16);
}
