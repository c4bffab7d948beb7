/** A text's vector is its own: the same bits alone, in any batch, in any order, watched or not. */
import { describe, expect, test } from 'vitest';
import { rowOf, SentenceEncoder } from '../src/index.ts';
import { random } from './support/random.ts';
import { SHORT_TEXTS as texts } from './support/texts.ts';

describe.each(['reference', 'oracle', 'simd', 'int8'] as const)('with the %s kernels', kernels => {
  test('a vector has the same bits alone and in random batches in random order', async () => {
    const encoder = await SentenceEncoder.load(undefined, { kernels });
    const alone = new Map<string, ArrayLike<number>>();
    for (const text of texts) alone.set(text, (await encoder.encode(text)).data);

    const { integer } = random(2026);
    for (let round = 0; round < 5; round++) {
      const batch = Array.from({ length: 1 + integer(50) }, () => texts[integer(texts.length)]);
      const vectors = await encoder.encode(batch, { batchSize: 1 + integer(40) });
      for (const [b, text] of batch.entries()) expect(rowOf(vectors, b), text).toEqual(alone.get(text));
    }
  });

  test('watching changes nothing', async () => {
    const encoder = await SentenceEncoder.load(undefined, { kernels });
    const names: string[] = [];
    const watched = await encoder.encode(texts, { observe: name => names.push(name) });
    expect(watched).toEqual(await encoder.encode(texts));
    expect(new Set(names)).toContain('encoder.layer.3.intermediate.dense');
  });
});
