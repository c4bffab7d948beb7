/**
 * The int8 kernels: their integers and every bit of their results against plain loops, multiplied in each of the three ways, in
 * panels of 8 and of 16; and what they cost on the model of the package.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SentenceEncoder } from '../src/index.ts';
import { ACTIVATIONS, activate } from '../src/tensor/activations.ts';
import type { Linear } from '../src/tensor/kernels.ts';
import { assemble } from '../src/tensor/simd/assembler.ts';
import { geluOf, geluTanhOf, reluOf } from '../src/tensor/simd/elementary.ts';
import {
  fitsInt8,
  type InParts,
  type Int8Target,
  int8Bytes,
  int8Functions,
  int8Linear,
  packInt8,
} from '../src/tensor/simd/int8.ts';
import type { Floats } from '../src/tensor/tensor.ts';
import { maxDifference, randomFloats } from './support/numbers.ts';
import { random } from './support/random.ts';
import { TEXTS } from './support/texts.ts';

// biome-ignore lint/suspicious/noExplicitAny: TypeScript has the types of WebAssembly only among those of browsers.
const { WebAssembly } = globalThis as any;

const PAGES = 512;

/** An engine of its own: a memory of 32 MB, which `clear` makes empty again. */
function engine(target: Int8Target) {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const functions = new Map(int8Functions(target, { gelu: geluOf, geluTanh: geluTanhOf, relu: reluOf }));
  const module = new WebAssembly.Module(assemble(functions, { initial: 1, maximum: PAGES, shared: true }));
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports;
  let end = 64;
  const allocate = (bytes: number): number => {
    const address = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return address;
  };
  const floats = (values: Floats): Float32Array => {
    const copy = new Float32Array(memory.buffer, allocate(4 * values.length), values.length);
    copy.set(values);
    return copy;
  };
  let parts = 1;
  const inParts: InParts = (name, count, unit, operandsOf) => {
    const size = Math.ceil(count / parts / unit) * unit;
    for (let first = 0; first < count; first += size) wasm[name](...operandsOf(first, Math.min(size, count - first)));
  };
  const int8 = int8Linear(target, inParts, allocate);
  return {
    memory: memory.buffer as ArrayBufferLike,
    clear: () => {
      end = 64;
    },
    /** Products are from now on made in so many parts. */
    split: (count: number) => {
      parts = count;
    },
    floats,
    quantize: int8.quantize,
    pack(w: Linear): number {
      const panels = allocate(int8Bytes(w.outFeatures, w.inFeatures));
      packInt8(target, memory.buffer, panels, w);
      return panels;
    },
    /** [N, F], copied out. */
    linear(x: Floats, w: Linear, panels: number, N: number, activation?: string): Float32Array {
      const out = floats(new Float32Array((N + 5) * w.outFeatures));
      const bias = floats(w.bias ?? new Float32Array(w.outFeatures));
      const rows = int8.quantize(floats(x), N, w.inFeatures);
      int8.multiply(out, rows, panels, bias.byteOffset, w.outFeatures, activation);
      return out.slice(0, N * w.outFeatures);
    },
  };
}

const TARGETS: Int8Target[] = [
  { dot: 'bytes', columns: 8 },
  { dot: 'bytes', columns: 16 },
  { dot: 'pairs', columns: 8 },
  { dot: 'pairs', columns: 16 },
  { dot: 'words', columns: 8 },
  { dot: 'words', columns: 16 },
];
const ENGINES = TARGETS.map(target => ({ target, ...engine(target) }));

const { fround } = Math;

function roundToEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.floor(x + 0.5);
}

/** A row as the header of the kernels states it, rounding by rounding. */
function quantizeRow(x: Floats): { min: number; step: number; integers: number[] } {
  const min = Math.min(...x);
  const range = Math.max(fround(Math.max(...x) - min), fround(1e-36));
  const inverse = fround(127 / range);
  return {
    min,
    step: fround(range / 127),
    integers: Array.from(x, value => roundToEven(fround(fround(value - min) * inverse))),
  };
}

/** The product, rounding by rounding. */
function linearInt8(x: Floats, w: Linear, N: number): Float32Array {
  const { inFeatures: D, outFeatures: F } = w;
  const out = new Float32Array(N * F);
  const weights = Array.from({ length: F }, (_, f) => {
    const row = w.weight.subarray(f * D, (f + 1) * D);
    const max = Math.max(...row.map(Math.abs));
    const integers = Array.from(row, value => (max === 0 ? 0 : Math.floor(value * (127 / max) + 0.5)));
    const scale = fround(max / 127);
    const shift = fround((max / 127) * integers.reduce((a, b) => a + b));
    return { integers, scale, shift };
  });
  for (let n = 0; n < N; n++) {
    const { min, step, integers } = quantizeRow(x.subarray(n * D, (n + 1) * D));
    for (const [f, { integers: row, scale, shift }] of weights.entries()) {
      const sum = integers.reduce((total, integer, d) => total + integer * row[d], 0);
      const scaled = fround(fround(sum) * fround(step * scale));
      out[n * F + f] = fround(scaled + fround(fround(min * shift) + (w.bias === null ? 0 : w.bias[f])));
    }
  }
  return out;
}

function randomLayer(D: number, F: number, seed: number, bias = true): Linear {
  return {
    weight: randomFloats(new Float32Array(F * D), seed),
    bias: bias ? randomFloats(new Float32Array(F), seed + 1) : null,
    inFeatures: D,
    outFeatures: F,
  };
}

describe.each(ENGINES)('products by $target.dot, panels of $target.columns', e => {
  const { target } = e;

  test.each([16, 20, 28, 32, 36, 384, 1536])('rows of %i become the integers, minimum and step of the page', D => {
    e.clear();
    const N = 7;
    const x = randomFloats(new Float32Array(N * D), D);
    for (let d = 0; d < D; d++) x[D + d] *= 1e-30;
    x.fill(-3.5, 2 * D, 3 * D);
    x.fill(0, 3 * D, 4 * D);
    for (let d = 0; d < D; d++) x[4 * D + d] = (d % 2) * 1e-44;
    x[5 * D] = 1e30;
    const { rows, ranges } = e.quantize(e.floats(x), N, D);
    const View = target.dot === 'words' ? Int16Array : Uint8Array;
    for (let n = 0; n < N; n++) {
      const { min, step, integers } = quantizeRow(x.subarray(n * D, (n + 1) * D));
      expect([...new Float32Array(e.memory, ranges + 8 * n, 2)]).toEqual([min, step]);
      expect([...new View(e.memory as ArrayBuffer, rows + n * D * View.BYTES_PER_ELEMENT, D)]).toEqual(integers);
    }
  });

  const { integer } = random(8);
  const rows = [...Array.from({ length: 13 }, (_, i) => i + 1), 95, 96, 97, 200];
  const shapes = rows.map(N => [N, 16 + 4 * integer(20), 16 * (1 + integer(5))]);

  test.each([...shapes, [2, 384, 384], [7, 1536, 16], [3, 512, 64]])('[%i, %i] -> %i, every bit', (N, D, F) => {
    const x = randomFloats(new Float32Array(N * D), N);
    for (const bias of [true, false]) {
      e.clear();
      const w = randomLayer(D, F, F, bias);
      expect(e.linear(x, w, e.pack(w), N)).toEqual(linearInt8(x, w, N));
    }
  });

  test('a row is the same among any others', () => {
    e.clear();
    const [N, D, F] = [100, 64, 48];
    const x = randomFloats(new Float32Array(N * D), 1);
    const w = randomLayer(D, F, 2);
    const panels = e.pack(w);
    const all = e.linear(x, w, panels, N, 'gelu');
    for (const n of [0, 1, 5, 6, 95, 96, 99]) {
      const alone = e.linear(x.subarray(n * D, (n + 1) * D), w, panels, 1, 'gelu');
      expect(alone).toEqual(all.subarray(n * F, (n + 1) * F));
    }
  });

  test('a product is the same in any parts', () => {
    const [N, D, F] = [23, 36, 32];
    const x = randomFloats(new Float32Array(N * D), 1);
    const w = randomLayer(D, F, 2);
    const [whole, ...split] = [1, 2, 3, 16].map(parts => {
      e.clear();
      e.split(parts);
      return e.linear(x, w, e.pack(w), N, 'gelu');
    });
    e.split(1);
    for (const out of split) expect(out).toEqual(whole);
  });

  test.each([
    ['gelu', 'gelu'],
    ['geluTanh', 'gelu_new'],
    ['relu', 'relu'],
  ])('%s follows the product', (name, page) => {
    e.clear();
    const [N, D, F] = [9, 32, 32];
    const x = randomFloats(new Float32Array(N * D), 3);
    const w = randomLayer(D, F, 4);
    const expected = linearInt8(x, w, N);
    activate(expected, ACTIVATIONS.get(page) as (x: number) => number, N * F);
    expect(maxDifference(e.linear(x, w, e.pack(w), N, name), expected)).toBeLessThan(2e-6);
  });

  test('a layer is packed over its own weight', () => {
    e.clear();
    const [N, D, F] = [4, 20, 48];
    const x = randomFloats(new Float32Array(N * D), 5);
    const w = randomLayer(D, F, 6);
    const there = { ...w, weight: e.floats(w.weight) };
    packInt8(target, e.memory, there.weight.byteOffset, there);
    expect(e.linear(x, w, there.weight.byteOffset, N)).toEqual(linearInt8(x, w, N));
    expect(int8Bytes(F, D)).toBeLessThan(4 * F * D);
  });

  test('an output without weights is its bias; what is not finite stays so', () => {
    e.clear();
    const [N, D, F] = [6, 16, 16];
    const x = randomFloats(new Float32Array(N * D), 7);
    x[D + 3] = NaN;
    x[3 * D + 15] = Infinity;
    x[4 * D] = -Infinity;
    const w = randomLayer(D, F, 8);
    w.weight.fill(0, 0, D);
    w.weight[D] = NaN;
    const out = e.linear(x, w, e.pack(w), N);
    for (let n = 0; n < N; n++) {
      const row = [...out.subarray(n * F, (n + 1) * F)];
      const finite = [0, 2, 5].includes(n);
      expect(row.map(Number.isFinite)).toEqual(row.map((_, f) => finite && f !== 1));
      if (finite) expect(row[0]).toBe(w.bias?.[0]);
    }
  });

  test('shapes', () => {
    expect(fitsInt8(target, 48, 16)).toBe(true);
    expect(fitsInt8(target, 40, 20)).toBe(target.columns === 8);
    expect(fitsInt8(target, 48, 12)).toBe(false);
    expect(fitsInt8(target, 48, 30)).toBe(false);
    expect(fitsInt8(target, 12, 32)).toBe(false);
  });
});

/** Dictionary glosses of WordNet, kept outside the repository. */
const GLOSSES = new URL('../../shared/text/glosses.txt', import.meta.url);

describe('glassbert-mini in int8 against f32', () => {
  /** Normalized vectors, and how similar each is to each. */
  async function embed(kernels: 'simd' | 'int8', texts: readonly string[]) {
    const encoder = await SentenceEncoder.load(undefined, { kernels });
    const vectors = await encoder.encode(texts, { normalize: true });
    await encoder.dispose();
    return { ...vectors, similarities: encoder.similarity(vectors, vectors).data };
  }

  async function compare(texts: readonly string[]) {
    const [exact, approximate] = [await embed('simd', texts), await embed('int8', texts)];
    const [B, D] = exact.shape;
    const cosines = texts.map((_, b) => {
      let sum = 0;
      for (let i = b * D; i < (b + 1) * D; i++) sum += exact.data[i] * approximate.data[i];
      return sum;
    });
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.9995);
    expect(cosines.reduce((a, b) => a + b) / B).toBeGreaterThanOrEqual(0.9998);
    return { exact, approximate, cosines };
  }

  test('every text stays within 0.9995, the mean within 0.9998', async () => {
    expect((await compare(TEXTS)).cosines.length).toBeGreaterThan(40);
  });

  test.skipIf(!existsSync(GLOSSES))('so do 1,500 glosses, and 98 % of their ten nearest neighbours stay', async () => {
    const texts = readFileSync(GLOSSES, 'utf8').trimEnd().split('\n');
    const B = texts.length;
    const { exact, approximate, cosines } = await compare(texts);
    const nearest = (similarities: Floats, b: number): number[] => {
      const row = similarities.subarray(b * B, (b + 1) * B);
      const others = [...row.keys()].filter(other => other !== b);
      return others.sort((i, j) => row[j] - row[i]).slice(0, 10);
    };
    const common = texts.flatMap((_, b) => {
      const kept = nearest(approximate.similarities, b);
      return nearest(exact.similarities, b).filter(other => kept.includes(other));
    });
    const share = common.length / (10 * B);
    process.stdout.write(
      `int8, ${B} glosses: cosine to f32 at least ${Math.min(...cosines).toFixed(5)}; ` +
        `${(100 * share).toFixed(2)} % of the ten nearest neighbours are the same\n`,
    );
    expect(share).toBeGreaterThanOrEqual(0.98);
  });

  if (!existsSync(GLOSSES)) process.stdout.write('not run: int8 on glosses, as the texts are not here\n');
});
