/**
 * models/glassbert-mini against its published reference vectors: float64, written by an independent NumPy implementation
 * (test/fixtures/glassbert-mini; sentence-transformers in float64 agrees with them to 4e-16).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Floats, rowOf, SentenceEncoder } from '../src/index.ts';
import { parseSafetensors } from '../src/io/safetensors.ts';
import { POOLING_MODES, pool } from '../src/pooling/pooling.ts';
import { maxDifference } from './support/numbers.ts';

interface Item {
  readonly key: string;
  readonly text: string;
  readonly ids: number[];
  readonly tokens: string[];
  readonly detail?: boolean;
}

const file = (name: string): URL => new URL(`fixtures/glassbert-mini/${name}`, import.meta.url);
const { items }: { items: Item[] } = JSON.parse(readFileSync(file('reference.json'), 'utf8'));
const tensors = parseSafetensors(readFileSync(file('reference.safetensors')));
const numbers = (name: string): Float64Array => tensors.readFloats(name, 'f64');

test('every text has its published tokens', async () => {
  const encoder = await SentenceEncoder.load();
  for (const { text, ids, tokens } of items) {
    const encoding = encoder.tokenize(text);
    expect([...encoding.ids], text).toEqual(ids);
    expect(encoding.tokens, text).toEqual(tokens);
  }
});

// PyTorch in float32 is 1.5e-7 off on the embeddings.
describe.each([
  ['oracle', 1e-12, 1e-12],
  ['reference', 1.5e-7, 1e-5],
] as const)('the %s kernels', (kernels, embeddingTolerance, innerTolerance) => {
  let encoder: SentenceEncoder<Floats>;
  beforeAll(async () => {
    encoder = await SentenceEncoder.load(undefined, { kernels });
  });

  test('give the published embeddings', async () => {
    const { data, shape } = await encoder.encode(items.map(({ text }) => text));
    expect(shape).toEqual([52, 192]);
    for (const [i, { key }] of items.entries()) {
      const row = rowOf({ data, shape }, i);
      expect(maxDifference(row, numbers(`${key}/embedding`)), key).toBeLessThanOrEqual(embeddingTolerance);
    }
  });

  test('give all six poolings', async () => {
    for (const { key, text } of items) {
      await encoder.encode(text, {
        observe: (name, { data, shape: [T, D] }) => {
          if (name !== 'encoder.layer.3.output') return;
          for (const mode of POOLING_MODES) {
            const pooled = new Float64Array(D);
            pool(pooled, data, [mode], Int32Array.of(0, T), Int32Array.of(0), D);
            expect(maxDifference(pooled, numbers(`${key}/pool/${mode}`)), `${key} ${mode}`).toBeLessThanOrEqual(
              innerTolerance,
            );
          }
        },
      });
    }
  });

  test('give every hidden state and attention probability', async () => {
    const detailed = items.filter(({ detail }) => detail);
    expect(detailed.length).toBe(4);
    for (const { key, text } of detailed) {
      const seen = new Map<string, Float64Array>();
      await encoder.encode(text, { observe: (name, { data }) => seen.set(name, Float64Array.from(data)) });
      const difference = (name: string, tensor: string): number => maxDifference(seen.get(name) ?? [], numbers(tensor));
      expect(difference('embeddings', `${key}/hidden/0`)).toBeLessThanOrEqual(innerTolerance);
      for (let l = 0; l < 4; l++) {
        expect(difference(`encoder.layer.${l}.output`, `${key}/hidden/${l + 1}`)).toBeLessThanOrEqual(innerTolerance);
        const probs = difference(`encoder.layer.${l}.attention.self.probs`, `${key}/attention/${l}`);
        expect(probs).toBeLessThanOrEqual(innerTolerance);
      }
    }
  });
});

// What `npm run determinism` prints on every Node, engine and machine.
const SHA256 = '2dfb91b62462c3cd4ee511344d9cf438e35899739063eaee75ce0dd8aea80de9';

test('the reference kernels give the bits they give everywhere', async () => {
  const encoder = await SentenceEncoder.load(undefined, { kernels: 'reference' });
  const { data } = await encoder.encode(items.map(({ text }) => text));
  expect(createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex')).toBe(SHA256);
});

test('the three sentences of the README rank as a person would rank them', async () => {
  const encoder = await SentenceEncoder.load();
  const vectors = await encoder.encode([
    'The weather is lovely today.',
    "It's so sunny outside!",
    'He drove to the stadium.',
  ]);
  const { data } = encoder.similarity(vectors, vectors);
  const [weatherSunny, weatherStadium, sunnyStadium] = [data[1], data[2], data[5]];
  expect(weatherSunny).toBeGreaterThan(weatherStadium);
  expect(weatherSunny).toBeGreaterThan(sunnyStadium);
});
