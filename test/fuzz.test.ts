/** The fuzzer: what it has found before stays found, and what is hidden from it on purpose it finds. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { corpusOf, TARGETS, targetOf } from '../fuzz/corpus.ts';
import { type Finding, fuzzing } from '../fuzz/loop.ts';
import { Mutator } from '../fuzz/mutator.ts';
import { outcome, type Target } from '../fuzz/target.ts';
import { GlassbertError } from '../src/errors.ts';
import { parseCertificate } from '../src/trust/certificate.ts';
import { random } from './support/random.ts';
import { refusal } from './support/refusal.ts';

/** A run of so many inputs, the corpus first. */
function run(target: Target, corpus: readonly Uint8Array[], executions: number, seed = 1) {
  const findings: Finding[] = [];
  const progress = fuzzing(target, corpus, seed, {
    before: () => {},
    found: finding => findings.push(finding),
    until: 0,
    executions,
  });
  return { findings, kept: progress.kept };
}

const text = (data: Uint8Array): string => new TextDecoder('latin1').decode(data);

const table: string[] = [];

test.each(TARGETS)(
  'no input of the corpus of %s is a finding, nor hundreds after it',
  { timeout: 60_000 },
  async name => {
    const corpus = corpusOf(name);
    expect(corpus.length).toBeGreaterThan(0);
    const { findings, kept } = run(await targetOf(name), corpus, corpus.length + 300);
    expect(findings.map(({ what }) => what)).toEqual([]);
    table.push(`${name.padEnd(14)}${`${corpus.length}`.padStart(4)} saved inputs, ${kept.length} outcomes`);
  },
);

describe('what the fuzzer has found is refused', () => {
  test('a certificate whose names OpenSSL cannot read', async () => {
    const root = readFileSync(new URL('../fuzz/fixtures/root.der', import.meta.url));
    expect(parseCertificate(root).name).toContain('CN=root');
    const notUtf8 = Buffer.from(root.toString('latin1').replaceAll('root', 'roo\xff'), 'latin1');
    const { message } = await refusal('E_CERTIFICATE', () => parseCertificate(notUtf8));
    expect(message).toContain('OpenSSL cannot read it');
  });
});

describe('the mutator', () => {
  const json = Buffer.from('{"a": [1, 2, {"b": "text"}], "c": null}');

  test('changes an input in the same way for the same seed, and leaves the input itself alone', () => {
    const changes = (seed: number): string[] => {
      const mutator = new Mutator(random(seed), ['word'], 100);
      return Array.from({ length: 200 }, () => text(mutator.mutate(json, json)));
    };
    expect(changes(1)).toEqual(changes(1));
    expect(changes(1)).not.toEqual(changes(2));
    expect(new Set(changes(1)).size).toBeGreaterThan(150);
    expect(json.toString()).toBe('{"a": [1, 2, {"b": "text"}], "c": null}');
    expect(changes(3).every(change => change.length <= 100)).toBe(true);
  });

  test('keeps enough JSON readable that what is behind its brackets is reached', () => {
    const mutator = new Mutator(random(4), [], 1000);
    const readable = Array.from({ length: 1000 }, () => text(mutator.mutate(json, json))).filter(change => {
      try {
        return change !== json.toString() && JSON.parse(change) !== undefined;
      } catch {
        return false;
      }
    });
    expect(readable.length).toBeGreaterThan(150);
  });
});

describe('a fault that is hidden in a target', () => {
  const target = (fuzz: Target['fuzz']): Target => ({ fuzz, dictionary: ['"deep"'], largest: 200 });

  test('behind a number and a word is found, with an input that shows it again', () => {
    const faulty = target(data => {
      const source = text(data);
      return outcome(['E_JSON'], () => {
        if (!source.startsWith('{"version":')) throw new GlassbertError('E_JSON', 'no version');
        if (!source.startsWith('{"version":256')) throw new GlassbertError('E_JSON', 'another version');
        if (source.includes('"deep"')) throw new TypeError('not expected');
        return 'accepted';
      });
    });
    const { findings } = run(faulty, [Buffer.from('{"version":7,"x":"y"}')], 50_000);
    expect(findings).toHaveLength(1);
    expect(findings[0].what).toContain('TypeError: not expected');
    expect(() => faulty.fuzz(findings[0].data)).toThrow('not expected');
  });

  test('that is a typed error of a code that does not belong there is found', () => {
    const foreign = target(() =>
      outcome(['E_JSON'], () => {
        throw new GlassbertError('E_CONFIG', 'of another page');
      }),
    );
    expect(run(foreign, [new Uint8Array(1)], 10).findings).toHaveLength(1);
  });

  test('that is slow is found', () => {
    const slow = target(data => {
      const before = process.threadCpuUsage();
      const used = (): number => process.threadCpuUsage(before).user + process.threadCpuUsage(before).system;
      while (data.length > 3 && used() < 1.1e6);
      return 'accepted';
    });
    expect(run(slow, [new Uint8Array(4)], 1).findings[0].what).toMatch(/^slow: /);
  });
});

afterAll(() => {
  process.stdout.write(`\nThe corpus of the fuzzer\n${table.sort().join('\n')}\n\n`);
});
