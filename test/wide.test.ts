/** Vectors of 256 bits: in a file of its own, because the flag of V8 holds for the whole process. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SentenceEncoder, type Warning } from '../src/index.ts';
import { maxDifference } from './support/numbers.ts';

const { items }: { items: { text: string }[] } = JSON.parse(
  readFileSync(new URL('fixtures/glassbert-mini/reference.json', import.meta.url), 'utf8'),
);
const texts = items.map(({ text }) => text);

test.each(['simd', 'int8'] as const)(
  '%s, wide, gives what it gives otherwise, or says that it cannot',
  async kernels => {
    const warnings: Warning[] = [];
    const narrow = await SentenceEncoder.load(undefined, { kernels, threads: 1 });
    const wide = await SentenceEncoder.load(undefined, {
      kernels,
      wide: true,
      onWarning: warning => warnings.push(warning),
    });
    const refused = warnings.some(({ code }) => code === 'W_NOT_WIDE');
    expect(wide.report.kernels).toBe(refused ? kernels : `${kernels} wide`);
    const [a, b] = [await narrow.encode(texts), await wide.encode(texts)];
    await wide.dispose();
    expect(maxDifference(a.data, b.data)).toBeLessThanOrEqual(1e-6);
  },
);

test('kernels that have nothing to widen are what they are', async () => {
  expect((await SentenceEncoder.load(undefined, { kernels: 'reference', wide: true })).report.kernels).toBe(
    'reference',
  );
});
