import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { findFiles, hashFiles } from '../../src/trust/digests.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { formatSha256sums, parseSha256sums } from '../../src/trust/sha256sums.ts';
import { processorMs } from '../support/processor-time.ts';
import { refusal } from '../support/refusal.ts';

const run = promisify(execFile);
const HEX = 'a'.repeat(64);

const parse = (text: string | Uint8Array): RecordedFile[] => [
  ...parseSha256sums(typeof text === 'string' ? Buffer.from(text) : text, 'SHA256SUMS').values(),
];
const names = (text: string): string[] => parse(text).map(({ name }) => name);

/** Names that a list must carry unharmed, in the order of their bytes. */
const HARD_NAMES = [
  '#hash',
  '*star',
  '1_Pooling/config.json',
  '1_Pooling.md',
  'SHA256 (x) = y',
  '\\',
  'a  two spaces ',
  'back\\slash\\n',
  'c\rarriage',
  'm\nodel',
  '\u00e9 composed',
  'e\u0301 decomposed',
  '\uff5e',
  '\u{10000}',
];

const HERE = spawnSync('sha256sum', ['--version']).status === 0;

describe.skipIf(!HERE)('beside sha256sum of coreutils', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'glassbert-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    for (const name of HARD_NAMES) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), `content of ${name}`);
    }
  });

  async function listed(): Promise<RecordedFile[]> {
    const { files } = await findFiles(directory, () => false);
    const { digests } = await hashFiles(files, () => 'sha256');
    return files.map(({ name }) => ({ name, algorithm: 'sha256', digest: digests.get(name) as string }));
  }

  test('it verifies what is written here, whatever the names', async () => {
    const list = join(directory, '..', `${Date.now()}.sums`);
    onTestFinished(() => rmSync(list));
    writeFileSync(list, formatSha256sums(await listed()));
    const { stdout } = await run('sha256sum', ['--check', '--strict', list], { cwd: directory });
    expect(stdout.match(/: OK$/gm)?.length).toBe(HARD_NAMES.length);
  });

  test.each([
    ['as text', [], ''],
    ['as binary', ['--binary'], ''],
    ['in the BSD form', ['--tag'], ''],
    ['as `find` gives the names', [], './'],
  ])('what it writes is read here: %s', async (_, args, prefix) => {
    const { stdout } = await run('sha256sum', [...args, '--', ...HARD_NAMES.map(name => prefix + name)], {
      cwd: directory,
    });
    const read = new Map(parse(stdout).map(file => [file.name, file.digest]));
    expect(read).toEqual(new Map((await listed()).map(file => [file.name, file.digest])));
  });
});

test('a list is written sorted by bytes, two spaces between, escapes where needed', () => {
  const files = ['b', 'a/b', 'a-b', 'a\nb', '\u{10000}', '\uff5e'].map(
    (name): RecordedFile => ({ name, algorithm: 'sha256', digest: HEX }),
  );
  expect(formatSha256sums(files)).toBe(
    `\\${HEX}  a\\nb\n${HEX}  a-b\n${HEX}  a/b\n${HEX}  b\n${HEX}  \uff5e\n${HEX}  \u{10000}\n`,
  );
});

describe('a list is read', () => {
  test('in every form that sha256sum -c takes', () => {
    expect(names(`${HEX}  a\n`)).toEqual(['a']);
    expect(names(`${HEX} *a b\n`)).toEqual(['a b']);
    expect(names(`SHA256 (a) = b) = ${HEX}\n`)).toEqual(['a) = b']);
    expect(names(`\\SHA256 (a\\\\b\\nc\\rd) = ${HEX}\n`)).toEqual(['a\\b\nc\rd']);
    expect(names(`\\${HEX}  a\\\\b\n`)).toEqual(['a\\b']);
  });

  test('with line ends of Windows, comments, "./" before names, and no end of the last line', () => {
    expect(names(`# made by hand\r\n${HEX}  ./a/b\r\n${HEX}  c`)).toEqual(['a/b', 'c']);
  });

  test('with digests in upper case, which mean the same', () => {
    expect(parse(`${HEX.toUpperCase()}  a\n`)[0].digest).toBe(HEX);
  });

  test('and written again it is the same', () => {
    const files = HARD_NAMES.map((name): RecordedFile => ({ name, algorithm: 'sha256', digest: sha256(name) }));
    expect(new Set(parse(formatSha256sums(files)))).toEqual(new Set(files));
  });
});

const REFUSED: [string, string | Uint8Array][] = [
  ['nothing', ''],
  ['comments alone', '# a\n'],
  ['a name that leaves the directory', `${HEX}  ../a\n`],
  ['one that leaves it and comes back', `${HEX}  a/../../m/b\n`],
  ['an absolute name', `${HEX}  /etc/passwd\n`],
  ['an absolute name of Windows', `${HEX}  C:\\x\n`],
  ['an absolute name behind "./"', `${HEX}  .//etc/passwd\n`],
  ['a name with an empty part', `${HEX}  a//b\n`],
  ['a name with a "." in it', `${HEX}  a/./b\n`],
  ['the directory itself', `${HEX}  ./\n`],
  ['no name', `${HEX}  \n`],
  ['a NUL in a name', `${HEX}  a\0b\n`],
  ['a name of 1,025 bytes', `${HEX}  ${'é'.repeat(512)}x\n`],
  ['a name twice', `${HEX}  a\n${HEX}  a\n`],
  ['a name twice, once behind "./"', `${HEX}  a\n${HEX}  ./a\n`],
  ['a name twice, once in the BSD form', `${HEX}  a\nSHA256 (a) = ${HEX}\n`],
  ['a name twice, once escaped', `${HEX}  a\\b\n\\${HEX}  a\\\\b\n`],
  ['MD5', `${'a'.repeat(32)}  a\n`],
  ['SHA-1', `${'a'.repeat(40)}  a\n`],
  ['SHA-512', `${'a'.repeat(128)}  a\n`],
  ['MD5 in the BSD form', `MD5 (a) = ${'a'.repeat(32)}\n`],
  ['SHA-512 in the BSD form', `SHA512 (a) = ${'a'.repeat(128)}\n`],
  ['SHA-512/256, which is as long', `SHA512/256 (a) = ${HEX}\n`],
  ['BLAKE2b in the BSD form', `BLAKE2b-256 (a) = ${HEX}\n`],
  ['63 digits', `${HEX.slice(1)}  a\n`],
  ['65 digits', `${HEX}a  a\n`],
  ['a letter that is no digit', `${HEX.slice(1)}g  a\n`],
  ['a digit of another script', `${HEX.slice(1)}\uff11  a\n`],
  ['one space', `${HEX} a\n`],
  ['a tab', `${HEX}\ta\n`],
  ['a space before', ` ${HEX}  a\n`],
  ['a digest alone', `${HEX}\n`],
  ['an empty line', `${HEX}  a\n\n${HEX}  b\n`],
  ['a word', `${HEX}  a\nhello\n`],
  ['an escape that is none', `\\${HEX}  a\\tb\n`],
  ['half an escape', `\\${HEX}  a\\\n`],
  ['JSON', `{"a": "${HEX}"}\n`],
  ['HTML', '<!DOCTYPE html>\n'],
  ['a BSD form without an end', `SHA256 (a = ${HEX}\n`],
  ['a BSD form with another space', `SHA256(a) = ${HEX}\n`],
  ['a byte order mark', `\ufeff${HEX}  a\n`],
  ['UTF-16', Buffer.from(`${HEX}  a\n`, 'utf16le')],
  ['Latin-1', Buffer.from(`${HEX}  \xe9\n`, 'latin1')],
];

describe('a list is refused whole for', () => {
  test.each(REFUSED)('%s', async (_, text) => {
    const { file } = await refusal('E_MANIFEST', () => parse(text));
    expect(file).toBe('SHA256SUMS');
  });

  test('more files than any model has, soon', async () => {
    const lines = Array.from({ length: 100_001 }, (_, i) => `${HEX}  ${i}\n`).join('');
    const { message } = await refusal('E_MANIFEST', () => parse(lines));
    expect(message).toMatch(/line 100001: .*100000/);
  });

  test('with the line, what is wrong and what to do', async () => {
    const { message, hint } = await refusal('E_MANIFEST', () => parse(`${HEX}  a\n${'a'.repeat(40)}  b\n`));
    expect(message).toBe('SHA256SUMS: line 2: this is a checksum of another kind: expected SHA-256, found 40 digits');
    expect(hint).toContain('sha256sum');
  });
});

test('long lines without an end take no time', async () => {
  const start = processorMs();
  for (const line of [
    '\\'.repeat(2 ** 20),
    `SHA256 (${') = '.repeat(2 ** 18)}`,
    ' '.repeat(2 ** 20),
    '#\n'.repeat(2 ** 20),
    '('.repeat(2 ** 20),
  ]) {
    await refusal('E_MANIFEST', () => parse(line));
  }
  expect(processorMs(start)).toBeLessThan(2000);
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

afterAll(() => {
  process.stdout.write(
    `\nSHA256SUMS: ${REFUSED.length + 1} malformed lists refused; ${HARD_NAMES.length} hard names ` +
      `${HERE ? 'verified by sha256sum -c, and its four forms read' : 'not tried: there is no sha256sum here'}\n`,
  );
});
