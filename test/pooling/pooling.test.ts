import { describe, expect, test } from 'vitest';
import { fields } from '../../src/io/json-fields.ts';
import { normalize } from '../../src/pooling/modules.ts';
import { areModes, type PoolingMode, parsePoolingConfig, pool } from '../../src/pooling/pooling.ts';
import { similarity } from '../../src/pooling/similarity.ts';
import { refusal } from '../support/refusal.ts';

/** Two texts: [1, 2], [3, 4], [5, 6] and [10, 20]. */
const x = Float64Array.of(1, 2, 3, 4, 5, 6, 10, 20);
const starts = Int32Array.of(0, 3, 4);

function pooled(modes: readonly PoolingMode[], skip = 0): number[] {
  const out = new Float64Array(2 * modes.length * 2);
  pool(out, x, modes, starts, Int32Array.of(skip, skip), 2);
  return [...out];
}

describe('pool', () => {
  test.each<[PoolingMode, number[]]>([
    ['cls', [1, 2, 10, 20]],
    ['max', [5, 6, 10, 20]],
    ['mean', [3, 4, 10, 20]],
    ['mean_sqrt_len_tokens', [9 / Math.sqrt(3), 12 / Math.sqrt(3), 10, 20]],
    ['weightedmean', [(1 + 6 + 15) / 6, (2 + 8 + 18) / 6, 10, 20]],
    ['lasttoken', [5, 6, 10, 20]],
  ])('%s', (mode, expected) => {
    expect(pooled([mode])).toEqual(expected);
  });

  test('a prompt of one token is left out; a text that is all prompt pools nothing', () => {
    expect(pooled(['cls'], 1)).toEqual([3, 4, 10, 20]);
    expect(pooled(['max'], 1)).toEqual([5, 6, -Infinity, -Infinity]);
    expect(pooled(['mean'], 1)).toEqual([4, 5, 0, 0]);
    expect(pooled(['weightedmean'], 1)).toEqual([(6 + 15) / 5, (8 + 18) / 5, 0, 0]);
    expect(pooled(['mean_sqrt_len_tokens'], 1)).toEqual([8 / Math.sqrt(2), 10 / Math.sqrt(2), 0, 0]);
    expect(pooled(['lasttoken'], 1)).toEqual([5, 6, 0, 0]);
  });

  test('several modes stand side by side, in the order given', () => {
    expect(pooled(['lasttoken', 'cls'])).toEqual([5, 6, 1, 2, 10, 20, 10, 20]);
  });
});

describe('1_Pooling/config.json', () => {
  const parse = (config: object) => parsePoolingConfig(fields(config as never, '1_Pooling/config.json'));

  test('one mode, or a list in its own order', () => {
    expect(parse({ pooling_mode: 'max', embedding_dimension: 8 })).toMatchObject({ modes: ['max'], dimension: 8 });
    expect(parse({ pooling_mode: ['mean', 'cls'] }).modes).toEqual(['mean', 'cls']);
  });

  test('booleans of the older generation, in the fixed order', () => {
    const config = { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true, word_embedding_dimension: 8 };
    expect(parse(config)).toMatchObject({ modes: ['cls', 'mean'], dimension: 8, includePrompt: true });
    expect(parse({ include_prompt: false })).toMatchObject({ modes: ['mean'], includePrompt: false });
  });

  test('what is no mode is refused', async () => {
    await refusal('E_CONFIG', () => parse({ pooling_mode: 'average' }));
    await refusal('E_CONFIG', () => parse({ pooling_mode: [] }));
    await refusal('E_CONFIG', () => parse({ pooling_mode: Array(7).fill('cls') }));
    expect(areModes(['cls', 5])).toBe(false);
  });
});

describe('similarity', () => {
  const a = { data: Float64Array.of(3, 4, 1, 0), shape: [2, 2] };
  const b = { data: Float64Array.of(0, 5), shape: [2] };

  test.each([
    ['cosine', [4 / 5, 0]],
    ['dot', [20, 0]],
    ['euclidean', [-Math.sqrt(10), -Math.sqrt(26)]],
    ['manhattan', [-4, -6]],
  ] as const)('%s', (name, expected) => {
    const { data, shape } = similarity(name, a, b);
    expect(shape).toEqual([2, 1]);
    expect([...data]).toEqual(expected);
  });

  test('what is no matrix, or does not fit, is refused', async () => {
    const refused: unknown[] = [null, [1], Float32Array.of(1), { data: Float32Array.of(1), shape: [2, 2] }];
    for (const wrong of refused) await refusal('E_ARGUMENT', () => similarity('dot', a, wrong as never));
    await refusal('E_ARGUMENT', () => similarity('dot', a, { data: new Float64Array(3), shape: [3] }));
  });
});

test('normalize gives length 1, and leaves a vector of zeros as it is', () => {
  const vectors = Float64Array.of(3, 4, 0, 0);
  normalize(vectors, 2, 2);
  expect([...vectors]).toEqual([0.6, 0.8, 0, 0]);
});
