import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { RegularFile } from '../../src/io/regular-file.ts';
import { findFiles, hashBytes, hashFiles, inOrder, rootDigest } from '../../src/trust/digests.ts';
import { refusal } from '../support/refusal.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glassbert-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
});

const MiB = 2 ** 20;
const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(directory, name), content);

/** A file of zeros after its first byte, which takes no room on the disk. */
function putZeros(name: string, first: number, bytes: number): void {
  put(name, Uint8Array.of(first));
  truncateSync(join(directory, name), bytes);
}

/** The digest of such a file. */
function digestOfZeros(first: number, bytes: number): string {
  const content = new Uint8Array(bytes);
  content[0] = first;
  return hashBytes(content, 'sha256');
}

const all = async () => (await findFiles(directory, () => false)).files;

describe('the digest of a file', () => {
  test('is the published one', async () => {
    put('a', 'abc'); // FIPS 180-2, B.1; RFC 7693, appendix A; `git hash-object`
    const files = await all();
    const by = async (algorithm: 'sha256' | 'blake2b' | 'gitBlob') =>
      (await hashFiles(files, () => algorithm)).digests.get('a');
    expect(await by('sha256')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(await by('blake2b')).toBe(
      'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    );
    expect(await by('gitBlob')).toBe('f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f');
  });

  test('is that of its bytes, at every length around the pieces it is read in', async () => {
    for (const bytes of [0, 1, MiB - 1, MiB, MiB + 1, 2 * MiB, 3 * MiB + 7]) {
      const content = new Uint8Array(bytes).map((_, i) => i * 7);
      put(`${bytes}`, content);
      for (const keep of [true, false]) {
        const files = (await all()).filter(({ name }) => name === `${bytes}`);
        const { digests, kept } = await hashFiles(files, () => 'sha256', { keep: () => keep });
        expect(digests.get(`${bytes}`)).toBe(createHash('sha256').update(content).digest('hex'));
        expect(kept.get(`${bytes}`)).toEqual(keep ? content : undefined);
      }
      expect(hashBytes(content, 'sha256')).toBe(createHash('sha256').update(content).digest('hex'));
    }
  });
});

test('many large files are hashed by threads, to the same digests, and told as they come', async () => {
  for (let i = 0; i < 6; i++) putZeros(`${i}`, i, 20 * MiB);
  put('small', 'abc');
  const files = await all();
  const told: number[] = [];
  const { digests } = await hashFiles(files, () => 'sha256', {
    onProgress: (done, total) => {
      expect(total).toBe(120 * MiB + 3);
      told.push(done);
    },
  });
  for (let i = 0; i < 6; i++) {
    expect(digests.get(`${i}`)).toBe(digestOfZeros(i, 20 * MiB));
  }
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.at(-1)).toBe(120 * MiB + 3);
});

test('where threads are not allowed the caller hashes alone', async () => {
  for (let i = 0; i < 3; i++) putZeros(`${i}`, i, 40 * MiB);
  const permission = { has: (scope: string) => scope !== 'worker' };
  const before = Object.getOwnPropertyDescriptor(process, 'permission');
  Object.defineProperty(process, 'permission', { value: permission, configurable: true });
  onTestFinished(() => {
    if (before === undefined) Reflect.deleteProperty(process, 'permission');
    else Object.defineProperty(process, 'permission', before);
  });
  const { digests } = await hashFiles(await all(), () => 'sha256');
  expect(digests.get('2')).toBe(digestOfZeros(2, 40 * MiB));
});

describe('a file that changes while it is hashed is refused', () => {
  test.each([
    ['grows', (path: string) => appendFileSync(path, 'x')],
    ['shrinks', (path: string) => truncateSync(path, MiB)],
  ])('it %s', async (_, change) => {
    put('a', new Uint8Array(8 * MiB));
    const files = await all();
    const open = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
    const read = vi.spyOn(RegularFile.prototype, 'read');
    read.mockImplementationOnce(async function (this: RegularFile, into, position) {
      change(join(directory, 'a'));
      return RegularFile.prototype.read.call(this, into, position);
    });
    onTestFinished(() => read.mockRestore());
    const { message } = await refusal('E_FILE_READ', () => hashFiles(files, () => 'sha256'));
    expect(message).toContain('the file changed while it was read');
    if (process.platform === 'linux') expect(readdirSync('/proc/self/fd').length).toBe(open);
  });

  test('or it is gone, also from under a thread', async () => {
    for (let i = 0; i < 6; i++) putZeros(`${i}`, i, 20 * MiB);
    const files = await all();
    rmSync(join(directory, '3'));
    const { file } = await refusal('E_FILE_MISSING', () => hashFiles(files, () => 'sha256'));
    expect(file).toBe(join(directory, '3'));
  });
});

describe('the files of a directory', () => {
  test('are all that are not ignored; empty directories are told', async () => {
    put('b', '');
    put('.a', '');
    const { files, ignored, emptyDirectories } = await findFiles(directory, name => name === 'b');
    expect(files.map(({ name }) => name)).toEqual(['.a']);
    expect({ ignored, emptyDirectories }).toEqual({ ignored: ['b'], emptyDirectories: [] });
  });

  test('are no links, unless they may be', async () => {
    put('a', 'abc');
    symlinkSync('a', join(directory, 'b'));
    const { hint } = await refusal('E_PATH_UNSAFE', () => findFiles(directory, () => false));
    expect(hint).toMatch(/--allow-symlinks .*allowSymlinks.*`cp -rL/);
    expect((await findFiles(directory, name => name === 'b')).ignored).toEqual(['b']);
    const { files } = await findFiles(directory, () => false, true);
    expect(files.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['a', 3],
      ['b', 3],
    ]);
  });

  test('are never outside it, even where links may be', async () => {
    symlinkSync('/etc/passwd', join(directory, 'b'));
    await refusal('E_PATH_UNSAFE', () => findFiles(directory, () => false, true));
    const { hint } = await refusal('E_PATH_UNSAFE', () => findFiles(directory, () => false));
    expect(hint).toMatch(/^It leads to no file of the directory\./);
  });
});

test('the root digest is the SHA-256 of the digests, in the order of the bytes of the names', () => {
  const files = ['b', 'a/b', 'a-b'].map(name => ({ name, digest: hashBytes(Buffer.from(name), 'sha256') }));
  const joined = Buffer.concat(['a-b', 'a/b', 'b'].map(name => createHash('sha256').update(name).digest()));
  expect(rootDigest(inOrder(files))).toBe(`sha256:${createHash('sha256').update(joined).digest('hex')}`);
});
