/**
 * Vectors of 256 bits: in a file of its own, because the flag of V8 holds for the whole process. What V8 does with the flag
 * is its business, and differs between versions; that `wide` says which it was is ours.
 */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { SentenceEncoder, type Warning } from '../src/index.ts';
import { wideKernels } from '../src/tensor/simd/wide.ts';
import { TEXTS } from './support/texts.ts';

test.each(['simd', 'int8'] as const)(
  '%s, wide, gives the bits that it gives otherwise, or says that it is not wide',
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
    const [a, b] = [await narrow.encode(TEXTS), await wide.encode(TEXTS)];
    await wide.dispose();
    expect(b).toEqual(a);
  },
);

test.each(['reference', 'oracle'] as const)('%s has nothing to widen, and says so', async kernels => {
  const warnings: Warning[] = [];
  const options = { wide: true, onWarning: (warning: Warning) => warnings.push(warning) };
  const { report } = await (kernels === 'oracle'
    ? SentenceEncoder.load(undefined, { ...options, kernels })
    : SentenceEncoder.load(undefined, { ...options, kernels }));
  expect(report.kernels).toBe(kernels);
  expect(warnings.map(({ code }) => code)).toEqual(['W_NOT_WIDE']);
});

describe('an engine whose flag does nothing is not called wide, in a process of its own', () => {
  const wide = new URL('../src/tensor/simd/wide.ts', import.meta.url).href;
  const widthAfter = (damage: string): string => {
    const program = `
      import v8 from 'node:v8';
      const { setFlagsFromString } = v8;
      ${damage};
      const { wideKernels } = await import('${wide}');
      const wide = wideKernels();
      process.stdout.write(String(wide === null ? wideKernels({ int8: true }) : wide.name));`;
    return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  };
  const ofFlags = (body: string): string => `v8.setFlagsFromString = flag => { ${body} }`;

  test.each([
    ['it is taken without a word (Bun, Deno)', ofFlags('')],
    [
      'it is known, and leaves code as it is (Node 22)',
      ofFlags("if (!flag.includes('revectorize')) setFlagsFromString(flag)"),
    ],
    ['flags cannot be set', ofFlags("throw new Error('not implemented')")],
    ['another processor', "Object.defineProperty(process, 'arch', { value: 'arm64' })"],
    ['no node:v8', 'process.getBuiltinModule = () => undefined'],
  ])('%s', (_, damage) => expect(widthAfter(damage)).toBe('null'));

  test('where it works here, it does there too', () => {
    expect(widthAfter('')).toBe(String(wideKernels()?.name ?? null));
  });
});
