import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, readdir, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { checkName, openModelFiles } from '../../src/io/files.ts';
import { openSafetensors, serializeSafetensors } from '../../src/io/safetensors.ts';
import { refusal } from '../support/refusal.ts';

let folder: string;
let model: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'glassbert-')));
  model = join(folder, 'model');
  await mkdir(join(model, '1_Pooling'), { recursive: true });
  await writeFile(join(model, 'config.json'), '{}');
  await writeFile(join(model, '1_Pooling/config.json'), '{"a": 1}');
  await writeFile(join(folder, 'secret.json'), 'secret');
});

afterEach(() => rm(folder, { recursive: true }));

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('a directory', () => {
  test('gives its files by their names, and remembers which', async () => {
    const files = await openModelFiles(model);
    expect(text(await files.read('config.json', 1000))).toBe('{}');
    expect(text(await files.read('1_Pooling/config.json', 1000))).toBe('{"a": 1}');
    expect(files.opened).toEqual([
      { name: 'config.json', bytes: 2 },
      { name: '1_Pooling/config.json', bytes: 8 },
    ]);
    expect(await files.has('config.json')).toBe(true);
    expect(await files.has('modules.json')).toBe(false);
    expect(await files.list()).toEqual(['1_Pooling', 'config.json']);
    expect(await files.list('1_Pooling')).toEqual(['config.json']);
    expect(files.pathOf('config.json')).toBe(join(model, 'config.json'));
  });

  test('hands over open files, which safetensors reads from', async () => {
    const tensors = { t: { dtype: 'F32', shape: [1], data: Float32Array.of(5) } } as const;
    await writeFile(join(model, 'model.safetensors'), serializeSafetensors(tensors));
    const { handle, size, name } = await (await openModelFiles(model)).open('model.safetensors');
    expect(size).toBeGreaterThan(8);
    const weights = await openSafetensors(handle, { file: name });
    onTestFinished(() => weights.close());
    expect(await weights.read('t')).toEqual(Float32Array.of(5));
  });

  test('may be reached through a link', async () => {
    await symlink(model, join(folder, 'link'));
    expect(await (await openModelFiles(join(folder, 'link'))).has('config.json')).toBe(true);
  });

  test('that does not exist is not looked for elsewhere', async () => {
    for (const name of ['sentence-transformers/all-MiniLM-L6-v2', '', join(model, 'config.json/deeper')]) {
      const { hint } = await refusal('E_DIRECTORY_MISSING', () => openModelFiles(name));
      expect(hint).toContain('nothing is downloaded');
    }
  });

  test('is not one of its files', async () => {
    const { hint } = await refusal('E_NOT_A_DIRECTORY', () => openModelFiles(join(model, 'config.json')));
    expect(hint).toContain(model);
  });
});

describe('a name that a model file holds is refused before anything is opened, on every system', () => {
  test.each([
    '../secret.json',
    '/etc/passwd',
    'C:\\x',
    'C:x',
    '\\\\host\\share\\x',
    '//host/share',
    'a/../../secret.json',
    '.',
    '..',
    '',
    'a//b',
    'a/',
    './config.json',
    'x\0y',
    'x'.repeat(256),
    'CON',
    'nul.json',
    '1_Pooling/Com1',
    'lpt9.safetensors',
    'x.safetensors:ads',
    'a ',
    'a /b',
    'a.',
    '...',
    '．．/x',
    'a／b',
    'x\ny',
    'x\u202ey',
    'a\\b',
    'a*',
    '北'.repeat(100), // 300 bytes
  ])('%j', async name => {
    const files = await openModelFiles(model);
    await refusal('E_PATH_UNSAFE', () => files.open(name));
    await refusal('E_PATH_UNSAFE', () => files.read(name, 10));
    await refusal('E_PATH_UNSAFE', () => files.has(name));
    await refusal('E_PATH_UNSAFE', () => files.list(name));
    expect(files.opened).toEqual([]);
  });

  test('with the file that holds it', async () => {
    const { message } = await refusal('E_PATH_UNSAFE', () => checkName('../x', 'modules.json'));
    expect(message).toMatch(/^modules\.json: .*found "\.\.\/x"$/);
  });

  test('while genuine names pass', () => {
    for (const name of [
      'model-00001-of-00003.safetensors',
      '1_Pooling/config.json',
      'a/b/c',
      '.gitattributes',
      'console.json',
    ]) {
      checkName(name);
    }
  });
});

describe('a link', () => {
  test('inside the directory is followed', async () => {
    await symlink('config.json', join(model, 'other.json'));
    expect(text(await (await openModelFiles(model)).read('other.json', 10))).toBe('{}');
  });

  test('out of the directory is refused, whether a file, a directory or a neighbour of similar name', async () => {
    await mkdir(join(folder, 'model-2'));
    await writeFile(join(folder, 'model-2/x'), '');
    await symlink('../secret.json', join(model, 'relative'));
    await symlink(join(folder, 'secret.json'), join(model, 'absolute'));
    await symlink('..', join(model, 'up'));
    await symlink('../model-2/x', join(model, 'neighbour'));
    const files = await openModelFiles(model);
    for (const name of ['relative', 'absolute', 'up/secret.json', 'up', 'neighbour']) {
      await refusal('E_PATH_UNSAFE', () => files.open(name));
      await refusal('E_PATH_UNSAFE', () => files.has(name));
    }
    await refusal('E_PATH_UNSAFE', () => files.list('up'));
  });

  test('to itself is refused', async () => {
    await symlink('loop', join(model, 'loop'));
    await refusal('E_PATH_UNSAFE', async () => (await openModelFiles(model)).open('loop'));
  });

  test('to nothing is a missing file, and the error says that it is a link', async () => {
    await symlink('../../blobs/0123', join(model, 'tokenizer.json'));
    const files = await openModelFiles(model);
    expect(await files.has('tokenizer.json')).toBe(false);
    const { message, hint } = await refusal('E_FILE_MISSING', () => files.open('tokenizer.json'));
    expect(message).toContain('link to a file that is not there');
    expect(hint).toContain('download');
  });

  test('of the Hugging Face cache leads to its blobs, and to nothing else', async () => {
    const cache = join(folder, 'models--org--name');
    const snapshot = join(cache, 'snapshots/abc');
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(cache, 'blobs'));
    await mkdir(join(cache, 'refs'));
    await writeFile(join(cache, 'blobs/0123'), 'blob');
    await writeFile(join(cache, 'refs/main'), 'abc');
    await symlink('../../blobs/0123', join(snapshot, 'config.json'));
    await symlink('../../refs/main', join(snapshot, 'ref'));
    await symlink('../../../secret.json', join(snapshot, 'secret'));
    const files = await openModelFiles(snapshot);
    expect(text(await files.read('config.json', 10))).toBe('blob');
    await refusal('E_PATH_UNSAFE', () => files.open('ref'));
    await refusal('E_PATH_UNSAFE', () => files.open('secret'));
  });

  test('to blobs elsewhere is refused: only the cache may do that', async () => {
    await mkdir(join(folder, 'blobs'));
    await writeFile(join(folder, 'blobs/0123'), 'blob');
    await symlink('../blobs/0123', join(model, 'x'));
    await refusal('E_PATH_UNSAFE', async () => (await openModelFiles(model)).open('x'));
  });

  test('of the hard kind is a file like any other', async () => {
    await link(join(folder, 'secret.json'), join(model, 'hard'));
    expect(text(await (await openModelFiles(model)).read('hard', 10))).toBe('secret');
  });
});

describe('what is no file that can be read', () => {
  test('is missing', async () => {
    const files = await openModelFiles(model);
    const { file } = await refusal('E_FILE_MISSING', () => files.open('modules.json'));
    expect(file).toBe(join(model, 'modules.json'));
    await refusal('E_FILE_MISSING', () => files.open('config.json/deeper'));
  });

  test('is a directory', async () => {
    await refusal('E_FILE_TYPE', async () => (await openModelFiles(model)).read('1_Pooling', 10));
  });

  test('is a pipe, which is not waited for', async context => {
    try {
      execFileSync('mkfifo', [join(model, 'pipe')]);
    } catch {
      context.skip('mkfifo is not here');
    }
    const { found } = await refusal('E_FILE_TYPE', async () => (await openModelFiles(model)).open('pipe'));
    expect(found).toBe('a pipe');
  });

  test('is a socket', async () => {
    const server = createServer().listen(join(model, 'socket'));
    await refusal('E_FILE_TYPE', async () => (await openModelFiles(model)).open('socket'));
    await new Promise(resolve => server.close(resolve));
  });

  test('is larger than its kind, and is not read to find out', async () => {
    await truncate(join(model, 'config.json'), 2 ** 40).catch(() => truncate(join(model, 'config.json'), 2 ** 30));
    const { message } = await refusal('E_FILE_TOO_LARGE', async () =>
      (await openModelFiles(model)).read('config.json', 1000),
    );
    expect(message).toContain('expected at most 1000 bytes');
  });

  test('is not ours to read', async context => {
    if (process.getuid?.() === 0) context.skip('the superuser may read everything');
    await chmod(join(model, 'config.json'), 0);
    const { hint, cause } = await refusal('E_FILE_READ', async () => (await openModelFiles(model)).open('config.json'));
    expect(hint).toContain('who may read');
    expect(cause).toBeInstanceOf(Error);
  });
});

test('no refusal leaves a file open', async context => {
  const descriptors = () => readdir('/proc/self/fd').catch(() => context.skip('there is no /proc here'));
  await symlink('../secret.json', join(model, 'out'));
  const files = await openModelFiles(model);
  const before = (await descriptors()).length;
  for (let i = 0; i < 20; i++) {
    for (const name of ['out', '1_Pooling', 'missing', '../x']) await files.read(name, 10).catch(() => {});
    await files.read('config.json', 1).catch(() => {});
    await files.read('config.json', 10);
  }
  expect((await descriptors()).length).toBe(before);
});
