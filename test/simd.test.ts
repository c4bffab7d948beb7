/**
 * The fast kernels against the plain pages: each kernel on random shapes, edges among them, and every model of the
 * conformance set against the oracle.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { MINI_LM, randomIds, randomWeights } from '../bench/random-bert.ts';
import { forward } from '../src/bert/bert.ts';
import { SentenceEncoder, type Tensor } from '../src/index.ts';
import { ACTIVATIONS } from '../src/tensor/activations.ts';
import { type Kernels, oracleKernels, referenceKernels } from '../src/tensor/kernels.ts';
import { hasSimd, simdKernels } from '../src/tensor/simd/kernels.ts';
import type { Floats } from '../src/tensor/tensor.ts';
import { FIXTURES } from './support/model-copy.ts';
import { maxDifference, randomFloats } from './support/numbers.ts';
import { random } from './support/random.ts';
import { TEXTS } from './support/texts.ts';

test('this engine has WebAssembly SIMD', () => {
  expect(hasSimd()).toBe(true);
});

/** The same random matrix in the memory of each kernels. */
function same(kernels: readonly Kernels[], N: number, D: number, seed: number): Floats[] {
  const values = randomFloats(new Float32Array(N * D), seed);
  return kernels.map(k => {
    const x = k.floats(N, D);
    x.set(values);
    return x;
  });
}

describe.each([8, 16] as const)('each kernel, in panels of %i columns', columns => {
  const k = simdKernels({ columns });
  const both = [k, oracleKernels];
  const { integer } = random(5);
  const rows = [...Array.from({ length: 13 }, (_, i) => i + 1), 95, 96, 97, 200];
  const shapes = rows.map(N => [N, 1 + integer(70), 8 * (1 + integer(9))]);

  test.each([...shapes, [5, 33, 7], [9, 3, 20], [2, 384, 384], [7, 1536, 8]])('linear [%i, %i] -> %i', (N, D, F) => {
    const [x, y] = same(both, N, D, N);
    const [outs, weights, biases] = [same(both, N, F, 1), same(both, F, D, F), same(both, 1, F, 9)];
    for (const bias of [true, false]) {
      for (const [i, kernels] of both.entries()) {
        const w = { weight: kernels.floats(F, D), bias: bias ? biases[i] : null, inFeatures: D, outFeatures: F };
        w.weight.set(weights[i]);
        kernels.prepare(w);
        kernels.linear(outs[i], i === 0 ? x : y, w, N);
      }
      expect(maxDifference(outs[0], outs[1])).toBeLessThan(1e-6 * Math.sqrt(D));
    }
  });

  test.each([...ACTIVATIONS.keys()])('linearActivation, %s, watched or not', activation => {
    const [N, D, F] = [7, 16, 24];
    const results = both.map((kernels, i) => {
      const w = { weight: same(both, F, D, 2)[i], bias: same(both, 1, F, 3)[i], inFeatures: D, outFeatures: F };
      w.weight.forEach((value, n) => {
        w.weight[n] = 4 * value; // so that sums reach from -10 to 10
      });
      kernels.prepare(w);
      const [plain, watched] = [kernels.floats(N, F), kernels.floats(N, F)];
      const x = same(both, N, D, 4)[i];
      kernels.linearActivation(plain, x, w, activation, N);
      kernels.linearActivation(watched, x, w, activation, N, () => {});
      expect(watched).toEqual(plain);
      return plain;
    });
    expect(maxDifference(results[0], results[1])).toBeLessThan(activation === 'relu2' ? 3e-5 : 3e-6); // relu2 squares sums of up to 10
  });

  test('gelu is within 1e-6 of its page, far out too', () => {
    const w = { weight: k.floats(8, 1), bias: k.floats(8), inFeatures: 1, outFeatures: 8 };
    w.weight.fill(1);
    k.prepare(w);
    const x = k.floats(20000, 1);
    for (let i = 0; i < x.length; i++) x[i] = (i - 10000) / 1000;
    const out = k.floats(20000, 8);
    for (const [name, bound] of [
      ['gelu', 1e-6],
      ['gelu_new', 1e-6],
      ['relu', 0],
    ] as const) {
      // biome-ignore format: pairs
      k.linearActivation(out, x, w, name, x.length);
      const page = ACTIVATIONS.get(name) as (x: number) => number;
      const difference = maxDifference(
        Array.from(x, (_, i) => out[8 * i]),
        Array.from(x, value => Math.fround(page(value))),
      );
      expect(difference, name).toBeLessThanOrEqual(bound);
    }
  });

  test.each([
    [[1], 8, 1],
    [[1, 2, 3, 4, 5, 6, 7], 16, 2],
    [[12, 13, 1], 64, 2],
    [[33], 24, 1],
    [[5, 3], 24, 2], // heads of 12 columns: the plain page
    [[512], 32, 1],
    [[8, 16, 15, 17, 32, 31], 64, 2],
  ])('attention, texts of %j tokens, D %i, H %i', (lengths, D, H) => {
    const starts = Int32Array.from([0, ...lengths]);
    for (let b = 0; b < lengths.length; b++) starts[b + 1] += starts[b];
    const N = starts[lengths.length];
    const results = both.map((kernels, i) => {
      const [q, key, v] = [1, 2, 3].map(seed => same(both, N, D, seed)[i]);
      const [plain, watched] = [kernels.floats(N, D), kernels.floats(N, D)];
      kernels.attention(plain, q, key, v, starts, D, H);
      const probabilities: number[] = [];
      kernels.attention(watched, q, key, v, starts, D, H, (_, p) => {
        for (const value of p) probabilities.push(value);
      });
      expect(watched).toEqual(plain);
      return { plain, probabilities };
    });
    expect(maxDifference(results[0].plain, results[1].plain)).toBeLessThan(1e-6);
    expect(maxDifference(results[0].probabilities, results[1].probabilities)).toBeLessThan(1e-6);
  });

  test.each([
    [1, 4],
    [3, 32],
    [13, 384],
    [3, 10],
    [2, 22],
    [5, 7],
  ])('layerNorm [%i, %i], with a residual and without', (N, D) => {
    for (const residual of [true, false]) {
      const results = both.map((kernels, i) => {
        const [x, y] = [same(both, N, D, 1)[i], same(both, N, D, 2)[i]];
        const w = { weight: same(both, 1, D, 3)[i], bias: same(both, 1, D, 4)[i], epsilon: 1e-12 };
        kernels.layerNorm(x, x, residual ? y : null, w, N);
        return x;
      });
      expect(maxDifference(results[0], results[1])).toBeLessThan(1e-6);
    }
  });
});

test('a pass gives back what it took', () => {
  const k = simdKernels();
  const first = k.pass(() => k.floats(1000, 8).byteOffset);
  expect(k.pass(() => k.floats(10).byteOffset)).toBe(first);
  expect(() => k.pass(() => { throw new Error('stop'); })).toThrow('stop'); // biome-ignore format: one line
  expect(k.floats(10).byteOffset).toBe(first);
});

describe('at the widths of real models, with weights as BERT is initialized', () => {
  /** The root of the mean square of the differences. */
  const rms = (x: Floats, y: Floats): number =>
    Math.hypot(...Array.from(x, (value, i) => value - y[i])) / Math.sqrt(x.length);

  // A single sum of K products is 14 to 46 × from 384 to 4,096; sums of blocks do not become worse with K.
  test.each([
    [384, 384],
    [768, 3072],
    [1536, 384],
    [3072, 768],
    [4096, 64],
  ])('a product %i -> %i errs by at most 12 × what the reference rounds', (D, F) => {
    const N = 12;
    const [simd, reference, oracle] = [simdKernels(), referenceKernels, oracleKernels].map(kernels => {
      const [x, weight, bias] = [same([kernels], N, D, 1)[0], same([kernels], F, D, 2)[0], kernels.floats(F)];
      weight.forEach((value, i) => {
        weight[i] = Math.fround(0.04 * value);
      });
      const [w, out] = [{ weight, bias, inFeatures: D, outFeatures: F }, kernels.floats(N, F)];
      kernels.prepare(w);
      kernels.linear(out, x, w, N);
      return out;
    });
    expect(rms(simd, oracle) / rms(reference, oracle)).toBeLessThan(12);
  });

  test.each([
    [384, 1536],
    [768, 3072],
  ])('hidden states of a layer, D %i, F %i, err by at most 4 × as much as those of the reference', (D, F) => {
    const config = { ...MINI_LM, vocab_size: 100, num_hidden_layers: 1, hidden_size: D, intermediate_size: F };
    const ids = randomIds(config, 1, 12, 3);
    const [simd, reference, oracle] = [simdKernels(), referenceKernels, oracleKernels].map(kernels =>
      forward(kernels, config, randomWeights(kernels, config, 1), ids),
    );
    expect(rms(simd, oracle) / rms(reference, oracle)).toBeLessThan(4); // 1.7 and 2.8; a single sum 7 at D 768
    expect(maxDifference(simd, oracle) / maxDifference(reference, oracle)).toBeLessThan(4);
  });
});

const table: string[] = [];

describe('every model, of widths up to 192, simd against the oracle', () => {
  const names = readdirSync(FIXTURES).filter(name => /^(bert|dpr)-/.test(name));

  async function compare(directory: string | undefined, texts: readonly string[], name: string): Promise<void> {
    const run = async (kernels: 'simd' | 'reference' | 'oracle'): Promise<Tensor> => {
      const encoder = await SentenceEncoder.load(directory, { kernels, onWarning: () => {} });
      expect(encoder.report.kernels).toBe(kernels);
      return encoder.encode(texts);
    };
    const oracle = await run('oracle');
    const reference = maxDifference((await run('reference')).data, oracle.data);
    const simd = maxDifference((await run('simd')).data, oracle.data);
    table.push(
      `${name.padEnd(44)}${simd.toExponential(1)}  ${reference.toExponential(1)}  ${(simd / reference).toFixed(1)}`,
    );
    expect(simd).toBeLessThanOrEqual(Math.max(4 * reference, 1e-6));
  }

  test.each(names)('%s', async name => {
    const { texts } = JSON.parse(readFileSync(`${FIXTURES}${name}/expected/expected.json`, 'utf8'));
    await compare(FIXTURES + name, texts, name);
  });

  test('glassbert-mini', async () => {
    await compare(undefined, TEXTS, 'glassbert-mini');
  });
});

afterAll(() => {
  process.stdout.write(
    `\nLargest difference to the oracle${' '.repeat(12)}simd  reference  ratio\n${table.join('\n')}\n\n`,
  );
});

test('simd is what auto takes', async () => {
  expect((await SentenceEncoder.load()).report.kernels).toBe('simd');
});
