import { expect, test } from 'vitest';
import { checkComparison, compare } from '../../src/trust/compare.ts';
import { ignoring, type RecordedFile } from '../../src/trust/record.ts';
import { processorMs } from '../support/processor-time.ts';
import { refusal } from '../support/refusal.ts';

/** Files by name, their digests given as short words. */
function files(digests: Record<string, string>): Map<string, RecordedFile> {
  return new Map(
    Object.entries(digests).map(([name, digest]) => [name, { name, algorithm: 'sha256', digest } as const]),
  );
}

function compared(recorded: Record<string, string>, there: Record<string, string>, ignored: string[] = []) {
  const record = { source: 'SHA256SUMS', files: files(recorded), ignored };
  return compare(record, Object.keys(there), files(there));
}

test('of several files with the content of one that is missing, the first by name was renamed', () => {
  const { renamed, added, missing } = compared({ a: '1', b: '1', c: '2' }, { x: '1', y: '1', z: '1' });
  expect(renamed).toEqual([
    { from: 'a', to: 'x' },
    { from: 'b', to: 'y' },
  ]);
  expect({ added, missing }).toEqual({ added: ['z'], missing: ['c'] });
});

test('two files that changed places are two changed files', () => {
  expect(compared({ a: '1', b: '2' }, { a: '2', b: '1' })).toMatchObject({ changed: ['a', 'b'], renamed: [] });
});

test('what is ignored covers a directory with all that is in it, and no name that only begins alike', () => {
  const ignored = ['.git', 'a/b', 'a/b/c', 'a/b c', 'a/bb/x'];
  const isIgnored = ignoring(ignored);
  for (const name of ['.git', '.git/config', 'a/b', 'a/b/c/d', 'a/b/d', 'a/b c', 'a/bb/x'])
    expect(isIgnored(name), name).toBe(true);
  for (const name of ['.gitignore', 'x/.git', 'a', 'a/bc', 'a/b d', 'a/bb', 'a/c', ''])
    expect(isIgnored(name), name).toBe(false);
  expect(ignoring([])('a')).toBe(false);
  expect(compared({ a: '1' }, { a: '1', '.git/x': '2' }, ignored)).toMatchObject({ ignored: ['.git/x'], added: [] });
});

test('a name that is recorded is compared, even one that is ignored', () => {
  expect(compared({ '.gitattributes': '1' }, { '.gitattributes': '2' }, ['.gitattributes']).changed).toEqual([
    '.gitattributes',
  ]);
});

test('an error lists five of many, and what is only more may be ignored', async () => {
  const added = Array.from({ length: 7 }, (_, i) => `new-${i}`);
  const { message, hint } = await refusal('E_DIGEST', () =>
    checkComparison({ missing: [], added }, 'model', 'SHA256SUMS'),
  );
  expect(message).toBe(
    'model: the directory is not what SHA256SUMS says: found 7 added ("new-0", "new-1", "new-2", "new-3", "new-4", and 2 more)',
  );
  expect(hint).toContain('--ignore-path');
});

test('a hundred thousand files, all of one content and all renamed, take no time', async () => {
  const many = (prefix: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`${prefix}${i}`, '1']));
  const start = processorMs();
  const comparison = compared(
    many('a/'),
    many('b/'),
    Array.from({ length: 100_000 }, (_, i) => `c/${i}`),
  );
  expect(comparison.renamed.length).toBe(100_000);
  await refusal('E_DIGEST', () => checkComparison(comparison, 'model', 'SHA256SUMS'));
  expect(processorMs(start)).toBeLessThan(5000);
});
