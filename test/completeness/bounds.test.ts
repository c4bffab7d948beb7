/**
 * What SECURITY.md promises of a hostile directory holds of its check: less than 5 seconds of a processor and 300 MB more
 * than a good model, and a report of some pages, however much is wrong.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { serializeBundle } from '../../src/trust/bundle.ts';
import { serializeStatement } from '../../src/trust/statement.ts';
import { copyModel } from '../support/model-copy.ts';
import { file } from '../support/signatures.ts';
import type { Measured } from './measured.ts';

type Model = ReturnType<typeof copyModel>;

const MEASURED = fileURLToPath(new URL('measured.ts', import.meta.url));

async function measure({ directory }: Model): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [MEASURED, directory]);
  return JSON.parse(stdout);
}

const MB = 2 ** 20;
const INDEX = 'model.safetensors.index.json';
const lines: string[] = [];

afterAll(() => {
  process.stdout.write(`\nHostile directories, and what their check took\n${lines.join('\n')}\n`);
});

/** A safetensors file of nothing but names. */
function headerOf(names: readonly string[]): Buffer {
  const tensors = Object.fromEntries(names.map(name => [name, { dtype: 'F32', shape: [0], data_offsets: [0, 0] }]));
  const header = Buffer.from(JSON.stringify(tensors));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header]);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Shards of 100,000 tensors each, of which the index lists the first. */
function shards(model: Model, count: number, nameOf: (shard: number, tensor: number) => string): void {
  model.remove('model.safetensors');
  const weight_map: Record<string, string> = {};
  for (const s of range(count)) {
    const file = `model-${s}.safetensors`;
    writeFileSync(model.path(file), headerOf(range(100_000).map(t => nameOf(s, t))));
    weight_map[`listed ${s}`] = file;
  }
  model.write(INDEX, JSON.stringify({ metadata: {}, weight_map }));
}

const HOSTILE: readonly { what: string; make: (model: Model) => void; verdict?: string }[] = [
  { what: '20 shards of 100,000 tensors that the index does not list', make: model => shards(model, 20, (s, t) => `s${s} t${t}`), verdict: 'unsafe' }, // biome-ignore format: one line
  {
    what: '20 shards of the same 100,000 tensors',
    make: model => shards(model, 20, (_, t) => `t${t}`),
    verdict: 'unsafe',
  },
  {
    what: 'an index of 50,000 tensors that are nowhere',
    make: model => {
      shards(model, 1, (_, t) => `t${t}`);
      const weight_map = Object.fromEntries(range(50_000).map(t => [`x${t}`, 'model-0.safetensors']));
      model.write(INDEX, JSON.stringify({ metadata: {}, weight_map }));
    },
  },
  { what: 'a header of 100,000 tensors', make: model => model.write('model.safetensors', headerOf(range(100_000).map(t => `t${t}`))) }, // biome-ignore format: one line
  {
    what: 'a list of 100,000 files that are not there',
    make: model =>
      model.write(
        'SHA256SUMS',
        range(100_000)
          .map(i => `${'0'.repeat(64)}  f${i}\n`)
          .join(''),
      ),
    verdict: 'integrity',
  },
  {
    what: 'a signature of 18,000 names of 500 parts each',
    make: model => {
      const files = range(18_000).map(i => file(`${i}${'/a'.repeat(505)}`, '0'));
      const payload = serializeStatement(files, 'm', ['other']);
      writeFileSync(model.path('model.sig'), serializeBundle({ hint: '0' }, payload, new Uint8Array(64)));
    },
    verdict: 'integrity',
  },
  {
    what: '10,000 files that are not those of the list',
    make: model => {
      mkdirSync(model.path('d'));
      for (const i of range(10_000)) model.write(`d/${i}`, 'x');
      model.write(
        'SHA256SUMS',
        range(10_000)
          .map(i => `${'0'.repeat(64)}  d/${i}\n`)
          .join(''),
      );
    },
    verdict: 'integrity',
  },
  {
    what: '20,000 pointers, and names that no system allows',
    make: model => {
      mkdirSync(model.path('d'));
      for (const i of range(20_000)) model.write(`d/${i}?`, 'version https://git-lfs.github.com/spec/v1\n');
    },
    verdict: 'complete',
  },
  {
    what: 'a vocab.txt of other tokens',
    make: model =>
      model.write(
        'vocab.txt',
        range(1_000_000)
          .map(i => `t${i}\n`)
          .join(''),
      ),
    verdict: 'complete',
  },
  {
    what: 'a vocabulary of 1,000,000 tokens',
    make: model => {
      model.edit('tokenizer.json', json => {
        for (const i of range(999_000)) json.model.vocab[`t${i}`] = 600 + i;
      });
      model.edit('config.json', json => void Object.assign(json, { vocab_size: 1_000_000 }));
    },
  },
  {
    what: 'tokens that two files give other ids',
    make: model => {
      const added_tokens_decoder = Object.fromEntries(range(5000).map(i => [i, { content: `t${i}` }]));
      model.write('special_tokens_map.json', JSON.stringify({ additional_special_tokens: range(5000).map(i => `t${i}`) })); // biome-ignore format: one line
      model.edit('tokenizer_config.json', json => void Object.assign(json, { added_tokens_decoder }));
    },
  },
];

let goodOne: Promise<Measured> | undefined;

test.each(HOSTILE)('$what', async ({ make, verdict = 'incomplete' }) => {
  goodOne ??= measure(copyModel());
  const good = await goodOne;
  expect(good.verdict).toBe('complete');
  const model = copyModel();
  make(model);
  const { peak, seconds, errors, ...report } = await measure(model);
  const more = Math.round((peak - good.peak) / MB);
  lines.push(
    `  ${`${seconds.toFixed(1)} s`.padStart(6)}  ${`${more} MB`.padStart(6)}  ${errors} errors: ${report.codes}`,
  );
  expect(report.verdict).toBe(verdict);
  expect(seconds).toBeLessThan(5);
  expect(more).toBeLessThan(300);
  expect(report.characters).toBeLessThan(100_000);
});
