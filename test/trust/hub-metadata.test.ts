/** The notes are those that huggingface_hub 2.0.0 writes; its `_local_folder.py` and `_tree_cache.py` say their forms. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { openModelFiles } from '../../src/io/files.ts';
import { hubExpectations } from '../../src/trust/hub-metadata.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const EARLIER = 'f'.repeat(40);
const SHA256 = 'a'.repeat(64);
const BLOB = 'b'.repeat(40);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'glassbert-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
});

function put(name: string, content: unknown): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
}

const note = (name: string, etag: string, commit = COMMIT, time = '1700000000.5'): void =>
  put(`.cache/huggingface/download/${name}.metadata`, `${commit}\n${etag}\n${time}\n`);
const tree = (files: object, commit = COMMIT): void =>
  put(`.cache/huggingface/trees/${commit}.json`, { format_version: 1, files });

test('without notes nothing is expected', async () => {
  put('config.json', '{}');
  expect(await hubExpectations(directory)).toEqual([]);
});

test('a note of a download says the hash of a file', async () => {
  note('model.safetensors', SHA256);
  note('1_Pooling/config.json', BLOB);
  const source = (name: string): string => join(directory, `.cache/huggingface/download/${name}.metadata`);
  const expected = [
    { name: '1_Pooling/config.json', gitBlob: BLOB, source: source('1_Pooling/config.json') },
    { name: 'model.safetensors', sha256: SHA256, source: source('model.safetensors') },
  ];
  expect(await hubExpectations(directory)).toEqual(expected);
  expect(await hubExpectations(await openModelFiles(directory))).toEqual(expected);
});

test('the tree of the commit says sizes, and what was not downloaded', async () => {
  note('model.safetensors', SHA256);
  tree({
    'config.json': { size: 519, blob_id: BLOB },
    'model.safetensors': { size: 134, blob_id: BLOB, lfs_sha256: SHA256, lfs_size: 90_868_376, xet_hash: 'c' },
  });
  const source = join(directory, `.cache/huggingface/trees/${COMMIT}.json`);
  expect(await hubExpectations(directory)).toEqual([
    { name: 'config.json', bytes: 519, gitBlob: BLOB, source },
    { name: 'model.safetensors', bytes: 90_868_376, sha256: SHA256, source },
  ]);
});

test('of two downloads the later one counts, but a file left from the earlier is as it was then', async () => {
  note('config.json', BLOB, COMMIT, '1700000002');
  note('old.json', BLOB, EARLIER, '1700000001');
  tree({ 'config.json': { size: 1, blob_id: BLOB } });
  tree({ 'config.json': { size: 2, blob_id: BLOB }, 'old.json': { size: 3, blob_id: BLOB } }, EARLIER);
  expect((await hubExpectations(directory)).map(({ name, bytes }) => [name, bytes])).toEqual([
    ['config.json', 1],
    ['old.json', 3],
  ]);
});

test('in the cache the names of blobs are hashes, and the tree lies beside the snapshots', async () => {
  put(`models--org--name/blobs/${SHA256}`, 'x');
  put(`models--org--name/blobs/${BLOB}`, 'x');
  const snapshot = join(directory, `models--org--name/snapshots/${COMMIT}`);
  mkdirSync(join(snapshot, '1_Pooling'), { recursive: true });
  symlinkSync(`../../blobs/${SHA256}`, join(snapshot, 'model.safetensors'));
  symlinkSync(`../../../blobs/${BLOB}`, join(snapshot, '1_Pooling/config.json'));
  const names = async () => (await hubExpectations(snapshot)).map(({ source, ...rest }) => rest);
  expect(await names()).toEqual([
    { name: '1_Pooling/config.json', gitBlob: BLOB },
    { name: 'model.safetensors', sha256: SHA256 },
  ]);
  put(`models--org--name/trees/${COMMIT}.json`, {
    format_version: 1,
    files: { 'vocab.txt': { size: 5, blob_id: BLOB } },
  });
  expect(await names()).toContainEqual({ name: 'vocab.txt', bytes: 5, gitBlob: BLOB });
});

test('what is malformed says nothing', async () => {
  note('a', 'W/"not a hash"');
  note('b', BLOB, 'main');
  note('c', SHA256.toUpperCase());
  put('.cache/huggingface/download/d.metadata', '');
  put('.cache/huggingface/download/e.metadata', 'x'.repeat(5000));
  put('.cache/huggingface/download/f.lock', '');
  put(`.cache/huggingface/trees/${COMMIT}.json`, '{"files": ');
  put(`.cache/huggingface/trees/${EARLIER}.json`, { format_version: 2, files: { g: { size: 1, blob_id: BLOB } } });
  expect(await hubExpectations(directory)).toEqual([]);
  tree({
    '../h': { size: 1, blob_id: BLOB },
    i: { size: -1, blob_id: BLOB },
    j: { size: 1.5, blob_id: BLOB },
    k: { size: 1 },
    l: null,
    m: { size: 1, blob_id: BLOB },
  });
  expect((await hubExpectations(directory)).map(({ name }) => name)).toEqual(['m']);
});
