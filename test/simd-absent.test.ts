/**
 * Engines that lack what the fast kernels need: WebAssembly, the right to compile it, memory for threads to share. `auto`
 * embeds on each, with the bits of the kernels it says it took; what was asked for by name and cannot be had is E_ARGUMENT.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { SentenceEncoder } from '../src/index.ts';
import { buildPackage } from './support/built-package.ts';
import { FIXTURES } from './support/model-copy.ts';

const MODEL = join(FIXTURES, 'bert-mean-normalize');
const texts = Array.from({ length: 40 }, (_, i) => `text number ${i} with a few words`);

const { directory, remove } = buildPackage();
afterAll(remove);

interface Outcome {
  readonly kernels?: string;
  readonly threads?: number;
  readonly warnings?: readonly string[];
  readonly vectors?: readonly number[];
  readonly code?: string;
  readonly message?: string;
}

/** What each kernels end in, in a process whose globals `damage` has changed. */
function run(damage: string, names: readonly string[], ...flags: string[]): Record<string, Outcome> {
  const program = `
    ${damage};
    const { SentenceEncoder } = await import(${JSON.stringify(pathToFileURL(join(directory, 'dist', 'index.js')))});
    const outcomes = {};
    for (const kernels of ${JSON.stringify(names)}) {
      const warnings = [];
      try {
        const options = { kernels, threads: 2, onWarning: ({ code }) => warnings.push(code) };
        const encoder = await SentenceEncoder.load(${JSON.stringify(MODEL)}, options);
        const { data } = await encoder.encode(${JSON.stringify(texts)}, { batchSize: 8 });
        const { kernels: name, threads } = encoder.report;
        outcomes[kernels] = { kernels: name, threads, warnings, vectors: [...data] };
        await encoder.dispose();
      } catch ({ code, message }) {
        outcomes[kernels] = { code, message };
      }
    }
    process.stdout.write(JSON.stringify(outcomes));`;
  const args = [...flags, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

async function vectorsHere(kernels: 'simd' | 'int8' | 'reference'): Promise<number[]> {
  const encoder = await SentenceEncoder.load(MODEL, { kernels, threads: 1 });
  return [...(await encoder.encode(texts)).data];
}

describe('without WebAssembly, or without leave to compile it', () => {
  test.each([
    ['no compiler at all', '', '--jitless'],
    ['the name is taken away', 'delete globalThis.WebAssembly'],
    ['a part of it is', 'delete WebAssembly.Memory'],
    [
      'a policy: validate says yes, and nothing is compiled',
      'WebAssembly.validate = () => true; WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("by policy") } }',
    ],
    [
      'nothing is instantiated',
      'WebAssembly.Instance = class { constructor() { throw new WebAssembly.LinkError("no") } }',
    ],
  ])('%s', async (_, damage, ...flags) => {
    const { auto, simd, int8, reference } = run(damage, ['auto', 'simd', 'int8', 'reference'], ...flags);
    const vectors = await vectorsHere('reference');
    expect(auto).toEqual({ kernels: 'reference', threads: 1, warnings: ['W_NO_SIMD'], vectors });
    expect(reference).toEqual({ kernels: 'reference', threads: 1, warnings: [], vectors });
    for (const refused of [simd, int8]) {
      expect(refused.code).toBe('E_ARGUMENT');
      expect(refused.message).toContain('this engine has no WebAssembly SIMD');
    }
  });

  test('the command line embeds; kernels by name are wrong usage, no internal error', () => {
    const embed = (...args: string[]) => {
      const main = join(directory, 'dist', 'cli', 'main.js');
      const all = ['--jitless', main, 'embed', '--model', MODEL, ...args];
      return spawnSync(process.execPath, all, { input: 'hello world\n', encoding: 'utf8' });
    };
    const auto = embed();
    expect(auto.status).toBe(0);
    expect(auto.stderr).toContain('W_NO_SIMD');
    expect(auto.stdout).toContain('0.011512057');
    for (const kernels of ['simd', 'int8']) {
      const { status, stderr, stdout } = embed('--kernels', kernels);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('E_ARGUMENT: this engine has no WebAssembly SIMD');
    }
  });
});

describe('without memory that threads could share, one thread computes the same bits', () => {
  test.each([
    ['no SharedArrayBuffer', 'delete globalThis.SharedArrayBuffer'],
    ['no Atomics', 'delete globalThis.Atomics'],
    [
      'no shared memory of WebAssembly',
      `delete globalThis.SharedArrayBuffer;
       const { Memory } = WebAssembly;
       WebAssembly.Memory = function (limits) {
         if (limits.shared || limits.initial > 16384) throw new RangeError('too much');
         return new Memory(limits);
       }`,
    ],
  ])('%s', async (_, damage) => {
    const outcomes = run(damage, ['auto', 'simd', 'int8']);
    for (const [name, kernels] of [
      ['auto', 'simd'],
      ['simd', 'simd'],
      ['int8', 'int8'],
    ] as const) {
      const { warnings, ...outcome } = outcomes[name];
      expect(outcome).toEqual({ kernels, threads: 1, vectors: await vectorsHere(kernels) });
      expect(warnings).not.toContain('W_NO_SIMD');
    }
  });
});
