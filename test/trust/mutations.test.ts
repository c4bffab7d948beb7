/**
 * Seventeen things that can happen to a directory on its way, against a list of checksums and against one digest alone: each is found, or is on the list of what cannot be seen.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { SentenceEncoder } from '../../src/index.ts';
import { findFiles, hashBytes, hashFiles, rootDigest } from '../../src/trust/digests.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { formatSha256sums } from '../../src/trust/sha256sums.ts';
import type { VerifyOptions } from '../../src/trust/verify.ts';
import { checkExamined, examine, readStatement } from '../../src/trust/verify.ts';
import { copyModel } from '../support/model-copy.ts';
import { MUTATIONS } from '../support/mutations.ts';
import { refusal } from '../support/refusal.ts';

const found = new Map<string, string[]>();

async function recordOf(directory: string): Promise<RecordedFile[]> {
  const { files } = await findFiles(directory, () => false);
  const { digests } = await hashFiles(files, () => 'sha256');
  return files.map(({ name }) => ({ name, algorithm: 'sha256', digest: digests.get(name) as string }));
}

async function verify(directory: string, options: VerifyOptions): Promise<void> {
  const statement = await readStatement(directory, options);
  checkExamined(directory, statement, await examine(directory, statement, {}));
}

async function load(directory: string, options: VerifyOptions): Promise<void> {
  const encoder = await SentenceEncoder.load(directory, { verify: options, kernels: 'reference', onWarning: () => {} });
  await encoder.dispose();
}

// Only the content and the order of the names is in a root digest.
const UNSEEN_BY_ROOT = 'a name changed in its last letter';

describe.each([
  ['SHA256SUMS', 'verify'],
  ['SHA256SUMS', 'load'],
  ['list digest', 'load'],
  ['root digest', 'load'],
] as const)('%s, %s', (by, how) => {
  test.each(MUTATIONS.map(mutation => [mutation.what, mutation] as const))('%s', async (what, { change, code }) => {
    const model = copyModel();
    const record = await recordOf(model.directory);
    if (by === 'SHA256SUMS') model.write('SHA256SUMS', formatSha256sums(record));
    const options = {
      SHA256SUMS: {},
      'list digest': { expect: `sha256:${hashBytes(Buffer.from(formatSha256sums(record)), 'sha256')}` },
      'root digest': { expect: rootDigest(record) },
    }[by];
    const act = how === 'verify' ? verify : load;
    await act(model.directory, options);

    const directory = change(model.directory);
    const row = found.get(what) ?? [];
    found.set(what, row);
    if (directory === false) {
      row.push('not run');
      return;
    }
    const expected = by === 'root digest' && what === UNSEEN_BY_ROOT ? null : code;
    if (expected === null) await act(directory ?? model.directory, options);
    else await refusal(expected, () => act(directory ?? model.directory, options));
    row.push(expected ?? 'not seen');
  });
});

test('a list that is pinned by either digest is found changed', async () => {
  const model = copyModel();
  const list = formatSha256sums(await recordOf(model.directory));
  const digests = [`sha256:${hashBytes(Buffer.from(list), 'sha256')}`, rootDigest(await recordOf(model.directory))];
  model.write('config.json', '{}');
  model.write('SHA256SUMS', formatSha256sums(await recordOf(model.directory)));
  await verify(model.directory, {}); // whoever changes the file changes the list
  for (const expected of digests) {
    const options = { manifest: model.path('SHA256SUMS'), expect: expected };
    const { message } = await refusal('E_DIGEST', () => verify(model.directory, options));
    expect(message).toContain('not the list that was expected');
  }
});

test('files added, removed, changed and renamed are told apart', async () => {
  const model = copyModel();
  const list = `${model.directory}.sums`;
  writeFileSync(list, formatSha256sums(await recordOf(model.directory)));
  renameSync(model.path('tokenizer.json'), model.path('1_Pooling/tokenizer.json'));
  model.remove('sentence_bert_config.json');
  model.write('config.json', '{}');
  model.write('notes.txt', '');
  model.write('.gitignore', '');
  const statement = await readStatement(model.directory, { manifest: list, ignorePaths: ['./expected/'] });
  const { comparison } = await examine(model.directory, statement, {});
  expect(comparison).toEqual({
    // What is recorded is compared, whatever the caller wants ignored.
    unchanged: expect.arrayContaining(['model.safetensors', 'expected/expected.json']),
    changed: ['config.json'],
    missing: ['sentence_bert_config.json'],
    added: ['notes.txt'],
    renamed: [{ from: 'tokenizer.json', to: '1_Pooling/tokenizer.json' }],
    ignored: ['.gitignore'],
  });
});

test('a name in another Unicode form is another name, and the hint says why', async () => {
  const model = copyModel();
  model.write('r\u00e9sum\u00e9', 'x');
  model.write('SHA256SUMS', formatSha256sums(await recordOf(model.directory)));
  model.remove('r\u00e9sum\u00e9');
  model.write('re\u0301sume\u0301', 'y');
  const { hint } = await refusal('E_DIGEST', () => verify(model.directory, {}));
  expect(hint).toContain('another Unicode form');
});

afterAll(() => {
  const heads = ['SHA256SUMS', '… at load', 'list digest', 'root digest'];
  const line = (what: string, cells: readonly string[]): string =>
    `${what.padEnd(36)}${cells.map(cell => cell.padEnd(15)).join('')}`.trimEnd();
  const rows = [...found].map(([what, cells]) => line(what, cells));
  const count = (i: number): string => `${[...found.values()].filter(row => row[i].startsWith('E_')).length} found`;
  process.stdout.write(
    `\nMutations of a directory\n${line('', heads)}\n${rows.join('\n')}\n${line(`of ${found.size}`, [0, 1, 2, 3].map(count))}\n\n`,
  );
});
