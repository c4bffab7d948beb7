/**
 * Hostile directories: whatever is done to a model, loading it ends in the error that belongs to it, or in a working model;
 * within five seconds, with no descriptor left open and nothing thrown beside it. The tables of cases stand beside this file,
 * one a class; confinement.test.ts runs all of them again where nothing but their directories may be read.
 */
import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { SentenceEncoder, type Warning } from '../../src/index.ts';
import { copyModel } from '../support/model-copy.ts';
import { processorMs } from '../support/processor-time.ts';
import { refusal } from '../support/refusal.ts';
import { BASE } from './case.ts';
import { CLASSES } from './classes.ts';

const MAX_MS = 5000;

const ended: Record<string, Record<string, number>> = {};

for (const [name, cases] of Object.entries(CLASSES)) {
  if (cases.every(({ heavy }) => heavy)) continue; // confinement.test.ts
  describe(name, () => {
    test.each(cases.filter(({ heavy }) => !heavy))('$name: $code', async ({ base = BASE, make, code, warning }) => {
      const model = copyModel(base);
      make(model);
      const start = processorMs();
      const before = descriptors();
      const warnings: Warning[] = [];
      const load = () =>
        SentenceEncoder.load(model.directory, { kernels: 'reference', onWarning: w => warnings.push(w) });
      if (code === 'loads') {
        const encoder = await load();
        expect((await encoder.encode('It works.')).data.every(Number.isFinite)).toBe(true);
        if (warning !== undefined) expect(warnings.map(w => w.code)).toContain(warning);
      } else {
        await refusal(code, load);
      }
      expect(processorMs(start), 'milliseconds of a processor').toBeLessThan(MAX_MS);
      expect(descriptors(), 'descriptors left open').toBe(before);
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      ended[name] ??= {};
      ended[name][code] = (ended[name][code] ?? 0) + 1;
    });
  });
}

/** Of this process; null where there is no /proc. */
function descriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}

afterAll(() => {
  const lines = Object.entries(ended).map(([name, codes]) => {
    const total = Object.values(codes).reduce((a, b) => a + b, 0);
    const each = Object.entries(codes)
      .sort(([, a], [, b]) => b - a)
      .map(([code, count]) => `${code} ${count}`);
    return `${name.padEnd(24)}${`${total}`.padStart(4)}   ${each.join(', ')}`;
  });
  process.stdout.write(`\nHostile directories, and how loading them ended\n${lines.join('\n')}\n\n`);
});
