/**
 * What the Hugging Face hub said about the files of a download, as huggingface_hub leaves it on the disk (tried with 2.0.0).
 * Nothing here vouches for anything: it lies beside the files, and whoever changes them can change it. It finds what a
 * download or a copy lost.
 *
 *   download into a directory        DIR/.cache/huggingface/download/<name>.metadata   commit, etag, time, a line each
 *                                    DIR/.cache/huggingface/trees/<commit>.json         every file of the commit
 *   cache                            models--<id>/snapshots/<commit>/<name> -> ../../blobs/<etag>
 *                                    models--<id>/trees/<commit>.json
 *
 * An etag of 64 hexadecimal digits is the SHA-256 of the file, one of 40 the SHA-1 by which git names it. A tree lists the
 * whole commit, also what the download left out on purpose (other formats of the weights).
 *
 * Read tolerantly: what is malformed, or of a format not known here, says nothing.
 */
import { basename, dirname } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { blobsOf, type ModelFiles, openModelFiles, resolveDirectory } from '../io/files.ts';
import { type Json, type JsonObject, parseJson } from '../io/json.ts';
import { locatorOf, sortByBytes, walk } from '../io/walk.ts';
import { badName } from './record.ts';

export interface HubExpectation {
  readonly name: string;
  readonly bytes?: number;
  /** In lower-case hexadecimal. */
  readonly sha256?: string;
  /** SHA-1 of "blob <bytes>\0" and the content: against accidents alone, as collisions can be made. */
  readonly gitBlob?: string;
  /** The path of the file that says so; of the cache, that of the blob, whose name says it. */
  readonly source: string;
}

/** What was noted when a file was downloaded. */
interface Note {
  readonly commit: string;
  /** In seconds since 1970; 0 where it is not known. */
  readonly time: number;
  readonly expectation: HubExpectation;
}

type Tree = ReadonlyMap<string, HubExpectation>;

/**
 * What every file of a directory should be, as far as its download left notes; sorted by the bytes of the names. Empty where
 * there are none.
 *
 * @throws E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY, and as walk
 */
export async function hubExpectations(files: ModelFiles | string): Promise<readonly HubExpectation[]> {
  const directory = typeof files === 'string' ? files : files.directory;
  const root = await resolveDirectory(directory);
  const entries = await walk(directory);
  const names = entries.filter(({ kind }) => kind === 'file').map(({ name }) => name);
  const links = entries.filter(({ kind }) => kind === 'link').map(({ name }) => name);

  const door = await openModelFiles(directory);
  const notes = isSnapshot(root) ? await readBlobNames(directory, basename(root), links) : await readNotes(door, names);
  const trees = isSnapshot(root) ? await readSnapshotTree(root) : await readTrees(door, names);

  // Files come from the commit that was downloaded last; one that was left from an earlier one has a note that says so.
  const last = notes.reduce<Note | undefined>(
    (a, b) => (a === undefined || b.time > a.time ? b : a),
    undefined,
  )?.commit;
  const commit = last ?? (trees.size === 1 ? [...trees.keys()][0] : undefined);
  const expected = new Map(commit === undefined ? [] : trees.get(commit));
  for (const { commit, expectation } of notes) {
    // The tree knows the size too.
    expected.set(expectation.name, trees.get(commit)?.get(expectation.name) ?? expectation);
  }
  return sortByBytes([...expected.values()], ({ name }) => name);
}

const NOTES = '.cache/huggingface/download/';
const NOTE_ENDING = '.metadata';
const TREES = '.cache/huggingface/trees/';
const TREE_ENDING = '.json';
const TREE_FORMAT = 1;

/** Bounds of time and memory, far above what repositories of models hold; what is beyond them is not read. */
const MAX_NOTES = 10_000;
const MAX_NOTE_BYTES = 1024;
const MAX_TREES = 16;
const MAX_TREE_BYTES = 16 * 2 ** 20; // of all together

const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const GIT_BLOB = /^[0-9a-f]{40}$/;

async function readNotes(door: ModelFiles, names: readonly string[]): Promise<Note[]> {
  const notes: Note[] = [];
  for (const note of names.filter(name => name.startsWith(NOTES) && name.endsWith(NOTE_ENDING)).slice(0, MAX_NOTES)) {
    const bytes = await readIfPossible(door, note, MAX_NOTE_BYTES);
    const [commit = '', etag = '', time = ''] = new TextDecoder().decode(bytes).split('\n');
    const name = note.slice(NOTES.length, -NOTE_ENDING.length);
    const hash = hashOf(etag);
    if (hash === undefined || !COMMIT.test(commit)) continue;
    const expectation = { name, ...hash, source: door.pathOf(note) };
    notes.push({ commit, time: Number(time) || 0, expectation });
  }
  return notes;
}

async function readTrees(door: ModelFiles, names: readonly string[]): Promise<Map<string, Tree>> {
  const trees = new Map<string, Tree>();
  let left = MAX_TREE_BYTES;
  for (const name of names.filter(name => name.startsWith(TREES) && name.endsWith(TREE_ENDING)).slice(0, MAX_TREES)) {
    const commit = name.slice(TREES.length, -TREE_ENDING.length);
    const bytes = await readIfPossible(door, name, left);
    left -= bytes?.length ?? 0;
    const tree = await readTree(bytes, door.pathOf(name));
    if (COMMIT.test(commit) && tree !== undefined) trees.set(commit, tree);
  }
  return trees;
}

async function readTree(bytes: Uint8Array | undefined, source: string): Promise<Tree | undefined> {
  const json = bytes === undefined ? undefined : await tolerate(async () => parseJson(bytes, source));
  if (!isObject(json) || json.format_version !== TREE_FORMAT || !isObject(json.files)) return undefined;
  const tree = new Map<string, HubExpectation>();
  for (const [name, file] of Object.entries(json.files)) {
    if (badName(name) !== undefined || !isObject(file)) continue;
    // Of a file in Git LFS, blob_id and size are those of the pointer in some versions.
    const isLfs = typeof file.lfs_sha256 === 'string';
    const bytes = isLfs ? (file.lfs_size ?? file.size) : file.size;
    const hash = hashOf(isLfs ? file.lfs_sha256 : file.blob_id);
    if (hash === undefined || typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) continue;
    tree.set(name, { name, bytes, ...hash, source });
  }
  return tree;
}

// The cache -------------------------------------------------------------------------------------------------------------

function isSnapshot(root: string): boolean {
  return blobsOf(root) !== undefined && COMMIT.test(basename(root));
}

async function readBlobNames(directory: string, commit: string, links: readonly string[]): Promise<Note[]> {
  const { locate } = await locatorOf(directory);
  const notes: Note[] = [];
  for (const name of links.slice(0, MAX_NOTES)) {
    const source = await tolerate(async () => (await locate(name)).path);
    const hash = hashOf(basename(source ?? ''));
    if (source === undefined || hash === undefined) continue;
    notes.push({ commit, time: 0, expectation: { name, ...hash, source } });
  }
  return notes;
}

/** It lies two directories above the snapshot, and is opened by the same rules. */
async function readSnapshotTree(root: string): Promise<Map<string, Tree>> {
  const commit = basename(root);
  const door = await openModelFiles(dirname(dirname(root)));
  const name = `trees/${commit}${TREE_ENDING}`;
  const tree = await readTree(await readIfPossible(door, name, MAX_TREE_BYTES), door.pathOf(name));
  return new Map(tree === undefined ? [] : [[commit, tree]]);
}

// ---------------------------------------------------------------------------------------------------------------------

function hashOf(etag: Json | undefined): { sha256: string } | { gitBlob: string } | undefined {
  if (typeof etag !== 'string') return undefined;
  if (SHA256.test(etag)) return { sha256: etag };
  return GIT_BLOB.test(etag) ? { gitBlob: etag } : undefined;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function readIfPossible(door: ModelFiles, name: string, maxBytes: number): Promise<Uint8Array | undefined> {
  return tolerate(() => door.read(name, maxBytes));
}

async function tolerate<Value>(act: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof GlassbertError) return undefined;
    throw error;
  }
}
