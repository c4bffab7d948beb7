import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { locatorOf, sortByBytes, walk } from '../../src/io/walk.ts';
import { refusal } from '../support/refusal.ts';

let parent: string;
let directory: string;

beforeEach(() => {
  parent = realpathSync(mkdtempSync(join(tmpdir(), 'glassbert-')));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  directory = join(parent, 'model');
  mkdirSync(directory);
});

function put(name: string, content = ''): void {
  mkdirSync(join(directory, name, '..'), { recursive: true });
  writeFileSync(join(directory, name), content);
}

test('everything is found, hidden files too, and no link is followed', async () => {
  put('config.json', '{}');
  put('.git/config', 'abc');
  put('a/b/c', '1');
  mkdirSync(join(directory, 'empty'));
  symlinkSync('a', join(directory, 'link'));
  symlinkSync('/', join(directory, 'root'));
  symlinkSync('nowhere', join(directory, 'dangling'));
  expect(await walk(directory)).toEqual([
    { name: '.git', kind: 'directory', bytes: 0 },
    { name: '.git/config', kind: 'file', bytes: 3 },
    { name: 'a', kind: 'directory', bytes: 0 },
    { name: 'a/b', kind: 'directory', bytes: 0 },
    { name: 'a/b/c', kind: 'file', bytes: 1 },
    { name: 'config.json', kind: 'file', bytes: 2 },
    { name: 'dangling', kind: 'link', bytes: 0 },
    { name: 'empty', kind: 'directory', bytes: 0 },
    { name: 'link', kind: 'link', bytes: 0 },
    { name: 'root', kind: 'link', bytes: 0 },
  ]);
});

test('a pipe is seen and not opened', async context => {
  try {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
  } catch {
    context.skip('mkfifo is not here');
  }
  expect(await walk(directory)).toEqual([{ name: 'pipe', kind: 'other', bytes: 0 }]);
});

// By path components 1_Pooling/config.json comes first; by UTF-16 units U+10000 comes before U+FF5E.
test('the order is that of the bytes', async () => {
  const names = [
    '1_Pooling.md',
    '1_Pooling/config.json',
    'B',
    'a-b',
    'a/b',
    'e\u0301',
    '\u00e9',
    '\uff5e',
    '\u{10000}',
  ];
  for (const name of [...names].reverse()) put(name);
  const files = (await walk(directory)).filter(({ kind }) => kind === 'file').map(({ name }) => name);
  expect(files).toEqual(names);
  expect(sortByBytes([...names].reverse(), name => name)).toEqual(names);
});

/** Files whose names are these bytes; false where the file system takes no such names. */
function putBytes(...names: readonly Uint8Array[]): boolean {
  try {
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), name]), '');
    return true;
  } catch {
    return false;
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

test('U+FFFD in a name is a character like any', async () => {
  for (const name of ['c\ufffd', '\ufffd/d', '\ufffd/\ufffd']) put(name);
  const names = ['c\ufffd', '\ufffd', '\ufffd/d', '\ufffd/\ufffd'];
  expect((await walk(directory)).map(({ name }) => name)).toEqual(names);
});

// A lenient reader takes each of these for a name with U+FFFD in it.
test.for<[string, Uint8Array[], string]>([
  ['a byte that is none of UTF-8', [bytes('a\xff')], 'a\ufffd'],
  ['two names that would be one', [bytes('a\xff'), bytes('a\xfe')], 'a\ufffd'],
  ['a name that would be that of another file', [bytes('a\xff'), Buffer.from('a\ufffd')], 'a\ufffd'],
  ['a character that is cut off', [bytes('\xe2\x82')], '\ufffd'],
  ['half a surrogate pair', [bytes('\xed\xa0\x80')], '\ufffd\ufffd\ufffd'],
  ['an overlong character', [bytes('\xc1\x81'), Buffer.from('A')], '\ufffd\ufffd'],
])('a name that is not UTF-8 is refused: %s', async ([, names, shown], context) => {
  if (!putBytes(...names)) context.skip('this file system takes no such name');
  const { file, found } = await refusal('E_PATH_UNSAFE', () => walk(directory));
  expect({ file, found }).toEqual({ file: directory, found: `"${shown}"` });
});

test('a name that is not UTF-8 is refused deeper in the directory too', async context => {
  mkdirSync(join(directory, 'b', 'c'), { recursive: true });
  if (!putBytes(bytes('b/c/\xff'))) context.skip('this file system takes no such name');
  const { file, found } = await refusal('E_PATH_UNSAFE', () => walk(directory));
  expect({ file, found }).toEqual({ file: join(directory, 'b', 'c'), found: '"\ufffd"' });
});

test('64 directories inside one another are walked, one more is refused', async () => {
  put(`${'d/'.repeat(64)}x`);
  expect((await walk(directory)).length).toBe(65);
  put(`${'d/'.repeat(65)}x`);
  await refusal('E_FILE_TOO_LARGE', () => walk(directory));
});

test('names longer than a record can hold, or more of them than any model has, are refused before they are kept', async () => {
  const part = 'd'.repeat(200);
  put(`${Array(5).fill(part).join('/')}/x`);
  expect(await walk(directory)).toHaveLength(6);
  put(`${Array(5).fill(part).join('/')}/${'x'.repeat(30)}`);
  const { message } = await refusal('E_FILE_TOO_LARGE', () => walk(directory));
  expect(message).toContain('names of at most 1024 bytes');
});

test('what is no directory is refused', async () => {
  put('config.json');
  await refusal('E_DIRECTORY_MISSING', () => walk(join(directory, 'missing')));
  await refusal('E_NOT_A_DIRECTORY', () => walk(join(directory, 'config.json')));
});

test('a file is where its name says, or refused', async () => {
  put('a b/é', 'abc');
  writeFileSync(join(parent, 'secret'), '');
  symlinkSync('a b/é', join(directory, 'inside'));
  symlinkSync('../secret', join(directory, 'outside'));
  const { locate } = await locatorOf(directory);
  expect(await locate('a b/é')).toEqual({ path: join(directory, 'a b/é'), bytes: 3, isFile: true });
  expect(await locate('inside')).toEqual({ path: join(directory, 'a b/é'), bytes: 3, isFile: true });
  await refusal('E_PATH_UNSAFE', () => locate('outside'));
  await refusal('E_FILE_MISSING', () => locate('missing'));
});

test('a path has a name in the directory, whatever leads there', async () => {
  symlinkSync(directory, join(parent, 'other'));
  mkdirSync(join(directory, 'a'));
  const { nameOf } = await locatorOf(join(parent, 'other'));
  expect(await nameOf(join(directory, 'SHA256SUMS'))).toBe('SHA256SUMS');
  expect(await nameOf(join(parent, 'other/a/x'))).toBe('a/x');
  expect(await nameOf(join(directory, '../SHA256SUMS'))).toBe(undefined);
  expect(await nameOf(join(directory, 'missing/SHA256SUMS'))).toBe(undefined);
  expect(await nameOf(`${directory}-2/x`)).toBe(undefined);
});
