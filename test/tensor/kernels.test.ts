import { describe, expect, test } from 'vitest';
import { ACTIVATIONS, activate, TORCH_ACTIVATIONS } from '../../src/tensor/activations.ts';
import { attention } from '../../src/tensor/attention.ts';
import { log } from '../../src/tensor/elementary.ts';
import { layerNorm } from '../../src/tensor/layer-norm.ts';
import { linear, linearPlain } from '../../src/tensor/matmul.ts';
import { softmax } from '../../src/tensor/softmax.ts';
import { rowOf, view } from '../../src/tensor/tensor.ts';
import { maxDifference, randomFloats } from '../support/numbers.ts';
import { random } from '../support/random.ts';

const f32 = (length: number, seed: number): Float32Array<ArrayBuffer> => randomFloats(new Float32Array(length), seed);

describe('softmax', () => {
  test('the softmax of logarithms is their share of the sum', () => {
    const x = Float64Array.from([1, 2, 3, 4], log);
    softmax(x, x, 0, 4);
    expect(maxDifference(x, [1 / 10, 2 / 10, 3 / 10, 4 / 10])).toBeLessThan(1e-15);
  });

  test('a row of one is exactly 1, a row of equals equal shares', () => {
    const out = new Float32Array(5);
    softmax(out, Float32Array.of(-37, 9, 9, 9, 9), 0, 1);
    softmax(out, Float32Array.of(-37, 9, 9, 9, 9), 1, 4);
    expect([...out]).toEqual([1, 0.25, 0.25, 0.25, 0.25]);
  });

  test('large scores do not overflow', () => {
    const out = new Float32Array(2);
    softmax(out, Float32Array.of(3e38, -3e38), 0, 2);
    expect([...out]).toEqual([1, 0]);
  });
});

describe('layerNorm', () => {
  const ones = new Float32Array(4).fill(1);

  test('-1, 0, 1 become -sqrt(3/2), 0, sqrt(3/2): the variance is divided by D', () => {
    const out = new Float64Array(3);
    layerNorm(out, Float64Array.of(-1, 0, 1), null, ones, new Float32Array(3), 0, 1, 3);
    expect(maxDifference(out, [-Math.sqrt(1.5), 0, Math.sqrt(1.5)])).toBeLessThan(1e-15);
  });

  test('epsilon stands inside the root', () => {
    const out = new Float64Array(2);
    layerNorm(out, Float64Array.of(-1, 1), null, ones, new Float32Array(2), 3, 1, 2);
    expect([...out]).toEqual([-0.5, 0.5]);
  });

  test('a row of equal values gives the bias', () => {
    const out = new Float32Array(3);
    layerNorm(out, Float32Array.of(7, 7, 7), null, ones, Float32Array.of(1, 2, 3), 1e-12, 1, 3);
    expect([...out]).toEqual([1, 2, 3]);
  });

  test('a residual is added first, and the output may stand where the input stood', () => {
    const x = f32(12, 1);
    const residual = f32(12, 2);
    const expected = new Float64Array(12);
    layerNorm(
      expected,
      Float64Array.from(x, (value, i) => value + residual[i]),
      null,
      ones,
      ones,
      1e-12,
      3,
      4,
    );
    layerNorm(residual, x, residual, ones, ones, 1e-12, 3, 4);
    expect([...residual]).toEqual([...Float32Array.from(expected)]);
  });
});

describe('linear', () => {
  test('a row times the weights, plus the bias', () => {
    const out = new Float32Array(2);
    linear(out, Float32Array.of(1, 2), Float32Array.of(10, 1, 100, 0), Float32Array.of(0.5, -100), 1, 2, 2);
    expect([...out]).toEqual([12.5, 0]);
  });

  test('the tiled product has the bits of the plain one, for every shape', () => {
    const { integer } = random(11);
    const shapes = [1, 2, 3, 4, 5, 7, 63, 64, 65, 130].map(N => [N, 1 + integer(40), 1 + integer(40)]);
    for (const [N, D, F] of [...shapes, [3, 383, 9], [3, 384, 9], [3, 385, 9], [2, 1000, 5]]) {
      const [x, weight, bias] = [f32(N * D, N), f32(F * D, D), f32(F, F)];
      for (const b of [bias, null]) {
        const plain = new Float32Array(N * F);
        const tiled = new Float32Array(N * F);
        linearPlain(plain, x, weight, b, N, D, F);
        linear(tiled, x, weight, b, N, D, F);
        expect(tiled, `[${N}, ${D}] x [${F}, ${D}]`).toEqual(plain);
      }
    }
  });

  test('each f32 is the f64 sum rounded once', () => {
    const [x, weight] = [f32(6 * 500, 1), f32(5 * 500, 2)];
    const exact = new Float64Array(30);
    const rounded = new Float32Array(30);
    linear(exact, x, weight, null, 6, 500, 5);
    linear(rounded, x, weight, null, 6, 500, 5);
    expect(rounded).toEqual(Float32Array.from(exact));
  });
});

describe('attention', () => {
  test('equal keys give the mean of the values, within each text', () => {
    const value = Float32Array.of(1, 2, 3, 4, 5, 6, 70, 80); // [4, 2]: a text of three tokens and a text of one
    const context = new Float32Array(8);
    attention(context, f32(8, 1), new Float32Array(8), value, Int32Array.of(0, 3, 4), 2, 1);
    expect([...context]).toEqual([3, 4, 3, 4, 3, 4, 70, 80]);
  });

  test('heads do not see one another', () => {
    const [D, H, T] = [12, 3, 5];
    const [query, key, value] = [f32(T * D, 1), f32(T * D, 2), f32(T * D, 3)];
    const all = new Float32Array(T * D);
    attention(all, query, key, value, Int32Array.of(0, T), D, H);
    const head = (x: Float32Array, h: number): Float32Array =>
      Float32Array.from({ length: T * 4 }, (_, i) => x[Math.floor(i / 4) * D + h * 4 + (i % 4)]);
    for (let h = 0; h < H; h++) {
      const one = new Float32Array(T * 4);
      attention(one, head(query, h), head(key, h), head(value, h), Int32Array.of(0, T), 4, 1);
      expect(one).toEqual(head(all, h));
    }
  });

  test('the probabilities that are shown sum to 1 and give the context', () => {
    const [D, T] = [8, 6];
    const [query, key, value] = [f32(T * D, 4), f32(T * D, 5), f32(T * D, 6)];
    const context = new Float32Array(T * D);
    const seen: { text: number; data: Float64Array }[] = [];
    const see = (text: number, data: ArrayLike<number>): number => seen.push({ text, data: Float64Array.from(data) });
    attention(context, query, key, value, Int32Array.of(0, 2, T), D, 1, see);
    expect(seen.map(({ text, data }) => [text, data.length])).toEqual([[0, 4], [1, 16]]); // biome-ignore format: pairs
    const sums = seen[1].data.subarray(0, 4);
    expect(sums.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    const first = Array.from({ length: D }, (_, d) => sums.reduce((sum, p, s) => sum + p * value[(2 + s) * D + d], 0));
    expect(maxDifference(context.subarray(2 * D, 3 * D), first)).toBeLessThan(1e-6);
  });
});

describe('activations', () => {
  const at = (name: string, x: number): number => (ACTIVATIONS.get(name) ?? TORCH_ACTIVATIONS.get(name))?.(x) as number;

  // The definitions of transformers and torch, evaluated to 60 digits.
  test.for([
    ['gelu', 1, 0.8413447460685429],
    ['gelu', -3, -0.0040496940948902835],
    ['gelu_new', 1, 0.8411919906082767],
    ['gelu_pytorch_tanh', -3, -0.003637392081773019],
    ['quick_gelu', 1, 0.8457957659328212],
    ['silu', -2, -0.23840584404423512],
    ['mish', 1, 0.8650983882673103],
    ['torch.nn.modules.activation.Softplus', 1, 1.3132616875182228],
    ['torch.nn.modules.activation.Softplus', 25, 25],
    ['torch.nn.modules.activation.ELU', -1, -0.6321205588285577],
    ['relu', -1, 0],
    ['relu6', 7, 6],
    ['leaky_relu', -2, -0.02],
    ['sigmoid', 0.5, 0.6224593312018546],
    ['tanh', 0.5, 0.46211715726000974],
    ['linear', -7, -7],
    ['torch.nn.modules.activation.Hardtanh', -7, -1],
    ['torch.nn.modules.activation.LogSigmoid', 0.5, -0.4740769841801067],
    ['torch.nn.modules.activation.SELU', -1, -1.1113307378125628],
    ['torch.nn.modules.activation.Tanhshrink', 0.5, 0.03788284273999024],
  ] as const)('%s(%d) is %d', ([name, x, y]) => {
    expect(Math.abs(at(name, x) - y)).toBeLessThan(2e-15);
  });

  test('every activation is finite far out, and 0 or its value at 0 at 0', () => {
    for (const [name, f] of [...ACTIVATIONS, ...TORCH_ACTIVATIONS]) {
      for (const x of [-1000, -30, 0, 30, 1000]) expect(f(x), `${name}(${x})`).toSatisfy(Number.isFinite);
    }
  });

  test('activate changes the first elements alone', () => {
    const x = Float32Array.of(-1, -1, -1);
    activate(x, value => value + 3, 2);
    expect([...x]).toEqual([2, 2, -1]);
  });
});

describe('views', () => {
  test('an ndarray view slices and transposes the same memory', () => {
    const tensor = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] };
    expect([...rowOf(tensor, 1)]).toEqual([4, 5, 6]);
    expect(view(tensor).transpose(1, 0).get(2, 1)).toBe(6);
    view(tensor).set(0, 0, 9);
    expect(tensor.data[0]).toBe(9);
  });
});
