/**
 * The reference library's own numbers: sentence-transformers 6.0.1 (transformers 5.18, torch 2.13, tokenizers 0.23.2), in
 * float64 and float32, for small BERT directories with random weights, one per layout and module graph.
 *
 * For each directory: the token ids are equal; the reference kernels are at most 1.5 times as far from the float64 vectors
 * as PyTorch's own float32 ones, and nearer on geometric average; the oracle differs by at most 1e-12.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type EncodeOptions, type Floats, type PoolingMode, SentenceEncoder } from '../src/index.ts';
import { parseSafetensors } from '../src/io/safetensors.ts';
import { POOLING_MODES } from '../src/pooling/pooling.ts';
import { maxDifference } from './support/numbers.ts';

const ROOT = fileURLToPath(new URL('fixtures/conformance/', import.meta.url));
const names = readdirSync(ROOT).filter(name => /^(bert|dpr)-/.test(name));

const ORACLE_TOLERANCE = 1e-12;
const TIMES_PYTORCH = 1.5;

interface Expected {
  readonly texts: string[];
  readonly input_ids: number[][];
  readonly max_seq_length: number;
  readonly similarity_fn?: string;
  readonly encode_options?: { truncate_dim?: number; normalize_embeddings?: boolean };
  readonly prompts?: { tensor: string; prompt_name: string | null; prompt: string | null; texts: number }[];
  readonly layers_of_texts?: number[];
}

function read(name: string) {
  const json = readFileSync(`${ROOT}${name}/expected/expected.json`, 'utf8');
  const tensors = parseSafetensors(readFileSync(`${ROOT}${name}/expected/expected.safetensors`));
  const expected: Expected = JSON.parse(json);
  return { expected, tensors, numbers: (tensor: string) => tensors.readFloats(tensor, 'f64') };
}

function load(name: string, kernels: 'reference' | 'oracle', pooling?: PoolingMode): Promise<SentenceEncoder<Floats>> {
  return SentenceEncoder.load(ROOT + name, { kernels, ...(pooling ? { pooling } : {}), onWarning: () => {} });
}

/** The vectors of the texts, their reference, and PyTorch's float32 ones where they are recorded. */
interface Case {
  readonly what: string;
  readonly f64: string;
  readonly f32?: string;
  readonly pooling?: PoolingMode;
  readonly texts?: number;
  readonly options?: EncodeOptions;
}

function casesOf(name: string): Case[] {
  const { expected, tensors } = read(name);
  const { truncate_dim: truncateDim, normalize_embeddings: normalize } = expected.encode_options ?? {};
  const options = { ...(truncateDim ? { truncateDim } : {}), ...(normalize ? { normalize } : {}) };
  const cases: Case[] = [];
  if (tensors.tensors.has('embeddings.f64')) {
    cases.push({ what: name, f64: 'embeddings.f64', f32: 'embeddings.f32', options });
  }
  for (const { tensor, prompt_name, prompt, texts } of expected.prompts ?? []) {
    const named = prompt_name === null ? { prompt: prompt ?? '' } : { promptName: prompt_name };
    cases.push({
      what: `${name}, prompt ${prompt_name ?? JSON.stringify(prompt)}`,
      f64: tensor,
      texts,
      options: named,
    });
  }
  // DPR directories are bare: mean pooling is what a bare directory gets, cls is what DPR computes.
  if (name.endsWith('-encoder')) {
    cases.push(
      { what: `${name}, as it is`, f64: 'mean.f64' },
      { what: `${name}, cls`, f64: 'cls.f64', pooling: 'cls' },
    );
  }
  return cases;
}

const table: { case: string; reference: number; pytorch: number | null; oracle: number }[] = [];

describe.each(names)('%s', name => {
  const { expected, numbers } = read(name);

  test('gives the ids of tokenizers 0.23.2', async () => {
    const encoder = await load(name, 'reference');
    expect(encoder.maxSeqLength).toBe(expected.max_seq_length);
    for (const [i, text] of expected.texts.entries()) {
      expect([...encoder.tokenize(text).ids], JSON.stringify(text)).toEqual(expected.input_ids[i]);
    }
  });

  test.each(casesOf(name))('gives the vectors of sentence-transformers ($what)', async c => {
    const exact = numbers(c.f64);
    const texts = expected.texts.slice(0, c.texts);
    const reference = await (await load(name, 'reference', c.pooling)).encode(texts, c.options);
    const oracle = await (await load(name, 'oracle', c.pooling)).encode(texts, c.options);
    expect(reference.data).toBeInstanceOf(Float32Array);
    expect(oracle.data).toBeInstanceOf(Float64Array);

    const errors = {
      case: c.what,
      reference: maxDifference(reference.data, exact),
      pytorch: c.f32 === undefined ? null : maxDifference(numbers(c.f32), exact),
      oracle: maxDifference(oracle.data, exact),
    };
    table.push(errors);
    expect(errors.oracle).toBeLessThanOrEqual(ORACLE_TOLERANCE);
    // Where no float32 run is recorded: the largest of PyTorch's errors on vectors that are not normalized.
    expect(errors.reference).toBeLessThanOrEqual(TIMES_PYTORCH * (errors.pytorch ?? 1e-6));
  });
});

describe('bert-mean-normalize, inside', () => {
  const { expected, numbers } = read('bert-mean-normalize');

  test.each(POOLING_MODES)("every pooling is the reference library's: %s", async mode => {
    for (const [kernels, tolerance] of [
      ['oracle', ORACLE_TOLERANCE],
      ['reference', 3e-6],
    ] as const) {
      const encoder = await load('bert-mean-normalize', kernels, mode);
      const pooled: Float64Array[] = [];
      await encoder.encode(expected.texts, {
        batchSize: expected.texts.length,
        observe: (name, { data }) => name === 'pooling' && pooled.push(Float64Array.from(data)),
      });
      expect(maxDifference(pooled[0], numbers(`pooling.${mode}.f64`)), kernels).toBeLessThanOrEqual(tolerance);
    }
  });

  test("every hidden state and every attention probability is the reference library's", async () => {
    for (const [kernels, tolerance] of [
      ['oracle', ORACLE_TOLERANCE],
      ['reference', 3e-6],
    ] as const) {
      const encoder = await load('bert-mean-normalize', kernels);
      let compared = 0;
      for (const i of expected.layers_of_texts ?? []) {
        const seen = new Map<string, Float64Array>();
        await encoder.encode(expected.texts[i], {
          observe: (name, { data }) => seen.set(name, Float64Array.from(data)),
        });
        const pairs: [string, string][] = [
          [`hidden.${i}.0`, 'embeddings'],
          [`hidden.${i}.1`, 'encoder.layer.0.output'],
          [`hidden.${i}.2`, 'encoder.layer.1.output'],
          [`attention.${i}.0`, 'encoder.layer.0.attention.self.probs'],
          [`attention.${i}.1`, 'encoder.layer.1.attention.self.probs'],
        ];
        for (const [tensor, name] of pairs) {
          const difference = maxDifference(seen.get(name) ?? [], numbers(tensor));
          expect(difference, `${kernels}: ${tensor}`).toBeLessThanOrEqual(tolerance);
          compared++;
        }
      }
      expect(compared).toBe(15);
    }
  });
});

test('on geometric average the reference kernels are nearer to float64 than PyTorch float32', () => {
  const ratios = table.flatMap(({ reference, pytorch }) => (pytorch === null ? [] : [reference / pytorch]));
  expect(ratios.length).toBe(17);
  const average = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  expect(average).toBeLessThan(1);
});

afterAll(() => {
  const cell = (value: number | null): string => (value === null ? '      –' : value.toExponential(1)).padStart(9);
  const lines = table.map(({ case: name, reference, pytorch, oracle }) => {
    const ratio = pytorch === null ? '   –' : (reference / pytorch).toFixed(2);
    return `${name.padEnd(44)}${cell(reference)} ${cell(pytorch)} ${ratio}  ${cell(oracle)}`;
  });
  const ratios = table.flatMap(({ reference, pytorch }) => (pytorch === null ? [] : [Math.log(reference / pytorch)]));
  const average = Math.exp(ratios.reduce((a, b) => a + b, 0) / ratios.length);
  process.stdout.write(
    `\nLargest difference to sentence-transformers in float64\n${' '.repeat(44)}reference  PyTorch ratio   oracle\n` +
      `${lines.join('\n')}\ngeometric average of the ratio: ${average.toFixed(2)}\n\n`,
  );
});
