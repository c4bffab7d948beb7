/**
 * The digests of files, computed while they are read, on every core where that is worth a thread.
 *
 * A file is opened once and read from its beginning to the end it had when it was opened; one that grows, shrinks or changes
 * meanwhile is an error (regular-file.ts). One file is hashed by one thread, for SHA-256 goes from byte to byte; a directory
 * is as fast as its largest file allows. Node's hash functions are OpenSSL's: with the SHA instructions of a processor
 * 1.3 GB/s on one core (Xeon at 2.95 GHz, Node 24.21), which is faster than most disks.
 */
import { createHash, type Hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GlassbertError } from '../errors.ts';
import { scriptBeside } from '../io/beside.ts';
import { RegularFile } from '../io/regular-file.ts';
import { type Entry, locatorOf, sortByBytes, walk } from '../io/walk.ts';
import type { RecordedFile } from './record.ts';

/** `gitBlob` is the SHA-1 by which git names a file: against accidents alone, as collisions can be made. */
export type Algorithm = RecordedFile['algorithm'] | 'gitBlob';

export interface FoundFile {
  readonly name: string;
  /** Where it is, links resolved. */
  readonly path: string;
  /** As the user knows the path. */
  readonly shown: string;
  readonly bytes: number;
}

export interface FoundFiles {
  /** Sorted by the bytes of their names. */
  readonly files: readonly FoundFile[];
  /** Names that are there and were left out. */
  readonly ignored: readonly string[];
  /** Directories with no file in or below them: what no record covers. */
  readonly emptyDirectories: readonly string[];
}

/**
 * The files below a directory.
 *
 * @param ignore - names that are left out
 * @param allowSymlinks - a link to a file in the directory counts as that file, under its own name
 * @throws E_PATH_UNSAFE for a link, E_FILE_TYPE for a pipe, device or socket, and as walk
 */
export async function findFiles(
  directory: string,
  ignore: (name: string) => boolean,
  allowSymlinks = false,
): Promise<FoundFiles> {
  const entries = await walk(directory);
  const { root, locate } = await locatorOf(directory);
  const ignored: string[] = [];
  const files: FoundFile[] = [];
  for (const { name, kind, bytes } of entries) {
    const shown = join(directory, name);
    if (kind === 'directory') continue;
    if (ignore(name)) ignored.push(name);
    else if (kind === 'file') files.push({ name, shown, path: join(root, name), bytes });
    else if (kind === 'link' && allowSymlinks) {
      const { path, bytes } = await locate(name);
      files.push({ name, shown, path, bytes });
    } else if (kind === 'other') throw notAFile(shown);
    else throw await unfollowed(shown, () => locate(name));
  }
  const parents = new Set<string>();
  for (const { name, kind } of entries) if (kind !== 'directory') addParents(name, parents);
  const isEmpty = ({ name, kind }: Entry): boolean => kind === 'directory' && !parents.has(name);
  return { files, ignored, emptyDirectories: entries.filter(isEmpty).map(({ name }) => name) };
}

export interface HashOptions {
  /** Told often: bytes hashed so far, of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Files whose bytes are wanted too: the very ones that were hashed. They are read in the caller's thread. */
  readonly keep?: (file: FoundFile) => boolean;
}

export interface Digests {
  /** By name, in lower-case hexadecimal. */
  readonly digests: ReadonlyMap<string, string>;
  readonly kept: ReadonlyMap<string, Uint8Array>;
}

/** A thread takes about 50 ms to start, in which one core hashes so many bytes. */
const THREAD_BYTES = 64 * 2 ** 20;

/** Smaller files are hashed in less time than it takes to tell a thread of them (0.2 ms), so the caller does. */
const SMALL_BYTES = 2 ** 18;

/** As many as compute vectors, at most. */
const MAX_THREADS = 16;

/** In the caller's thread so many files are under way, so that one is hashed while others come from the disk. */
const SIDE_BY_SIDE = 4;

/** @throws E_FILE_READ, E_MEMORY, and as RegularFile.open */
export async function hashFiles(
  files: readonly FoundFile[],
  algorithmOf: (name: string) => Algorithm,
  { onProgress, keep = () => false }: HashOptions = {},
): Promise<Digests> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    onProgress?.(done, total);
  };

  const digests = new Map<string, string>();
  const kept = new Map<string, Uint8Array>();
  const here: Hasher = async file => {
    const { digest, bytes } = await hashFile(file, algorithmOf(file.name), { onBytes, keep: keep(file) });
    if (bytes !== undefined) kept.set(file.name, bytes);
    return digest;
  };

  // The largest first, so that no thread begins it when the others have nothing left.
  const bySize = [...files].sort((a, b) => b.bytes - a.bytes);
  const isForThreads = (file: FoundFile): boolean => file.bytes >= SMALL_BYTES && !keep(file);
  const script = scriptBeside(import.meta.url, 'hash-thread');
  const count = script === null ? 0 : threadsFor(bySize.filter(isForThreads), bySize.some(keep));
  const threads = Array.from({ length: count }, () => new HashThread(script as URL, algorithmOf, onBytes, here));
  const shared = bySize.filter(file => count > 0 && isForThreads(file))[Symbol.iterator]();
  const own = bySize.filter(file => count === 0 || !isForThreads(file))[Symbol.iterator]();
  const hashers: [Iterator<FoundFile>, Hasher][] = [
    ...threads.map((thread): [Iterator<FoundFile>, Hasher] => [shared, file => thread.hash(file)]),
    ...Array.from({ length: SIDE_BY_SIDE }, (): [Iterator<FoundFile>, Hasher] => [own, here]),
  ];

  let failed = false;
  const work = async ([files, hash]: [Iterator<FoundFile>, Hasher]): Promise<void> => {
    try {
      for (let next = files.next(); !next.done && !failed; next = files.next()) {
        digests.set(next.value.name, await hash(next.value));
      }
    } catch (error) {
      failed = true; // nobody begins another file
      throw error;
    }
  };
  try {
    const results = await Promise.allSettled(hashers.map(work));
    const failure = results.find(result => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  } finally {
    await Promise.all(threads.map(thread => thread.end()));
  }
  return { digests, kept };
}

/**
 * The digest of the digests, SHA-256 over their raw bytes in the order given (OpenSSF Model Signing 1.0). One number for a
 * whole directory; of names it knows only the order, so it does not tell when a file is renamed and keeps its place.
 *
 * @returns 'sha256:' and 64 hexadecimal digits
 */
export function rootDigest(files: Iterable<Pick<RecordedFile, 'digest'>>): string {
  const hash = createHash('sha256');
  for (const { digest } of files) hash.update(Buffer.from(digest, 'hex'));
  return `sha256:${hash.digest('hex')}`;
}

/** In the order of the specification, by the bytes of the names; the reference tool's own order is another one. */
export function inOrder<File extends { readonly name: string }>(files: Iterable<File>): File[] {
  return sortByBytes([...files], ({ name }) => name);
}

// ---------------------------------------------------------------------------------------------------------------------
// One file

/** How much is read at a time: larger pieces are not faster, and two of them per file are in memory. */
const PIECE_BYTES = 2 ** 20;

/**
 * @param options.keep - the whole content is wanted too
 * @throws E_FILE_READ, E_MEMORY, and as RegularFile.open
 */
export async function hashFile(
  { path, shown }: Pick<FoundFile, 'path' | 'shown'>,
  algorithm: Algorithm,
  { onBytes, keep = false }: { onBytes?: (bytes: number) => void; keep?: boolean } = {},
): Promise<{ digest: string; bytes?: Uint8Array }> {
  const file = await RegularFile.open(path, { name: shown, follow: false });
  let reading: Promise<void> | undefined;
  try {
    const hash = newHash(algorithm, file.size);
    const whole = keep ? allocate(file.size, shown) : undefined;
    const pieces = whole ? [] : [0, 1].map(() => new Uint8Array(Math.min(PIECE_BYTES, file.size)));
    const pieceAt = (position: number): Uint8Array => {
      const length = Math.min(PIECE_BYTES, file.size - position);
      return whole?.subarray(position, position + length) ?? pieces[(position / PIECE_BYTES) % 2].subarray(0, length);
    };
    // The next piece is on its way while this one is hashed. An empty file is read too: it may have grown.
    reading = file.read(pieceAt(0), 0);
    for (let position = 0; ; position += PIECE_BYTES) {
      await reading;
      const piece = pieceAt(position);
      const next = position + PIECE_BYTES;
      if (next < file.size) {
        reading = file.read(pieceAt(next), next);
        reading.catch(() => {}); // told when it is awaited
      }
      hash.update(piece);
      onBytes?.(piece.length);
      if (next >= file.size) break;
    }
    const digest = hash.digest('hex');
    return whole === undefined ? { digest } : { digest, bytes: whole };
  } finally {
    await reading?.catch(() => {});
    await file.close();
  }
}

/** The digest of bytes in memory, as hashFile gives it. */
export function hashBytes(bytes: Uint8Array, algorithm: Algorithm): string {
  return newHash(algorithm, bytes.length).update(bytes).digest('hex');
}

function newHash(algorithm: Algorithm, bytes: number): Hash {
  if (algorithm === 'gitBlob') return createHash('sha1').update(`blob ${bytes}\0`);
  return createHash(algorithm === 'blake2b' ? 'blake2b512' : 'sha256');
}

function allocate(bytes: number, file: string): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new GlassbertError('E_MEMORY', 'the file does not fit into memory', { file, found: `${bytes} bytes`, cause });
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Threads

type Hasher = (file: FoundFile) => Promise<string>;

export interface HashTask extends FoundFile {
  readonly algorithm: Algorithm;
}

/** How far a thread is with its file, then the digest; null where it could not. */
export type HashAnswer = { readonly hashed: number } | { readonly digest: string | null };

/**
 * None, unless what would be left to others beside the largest file takes longer than starting them.
 *
 * @param files - the largest first
 */
function threadsFor(files: readonly FoundFile[], callerIsBusy: boolean): number {
  if (!(process.permission?.has('worker') ?? true)) return 0;
  const sizes = files.map(({ bytes }) => bytes);
  const all = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const shared = callerIsBusy ? all : all - (sizes[0] ?? 0);
  return shared > THREAD_BYTES ? Math.min(availableParallelism(), MAX_THREADS, files.length) : 0;
}

/** One thread, with one file at a time. What it cannot do is done again here, where the error is told in full. */
class HashThread {
  readonly #worker: Worker;
  readonly #algorithmOf: (name: string) => Algorithm;
  readonly #onBytes: (bytes: number) => void;
  readonly #here: Hasher;
  #answer: (digest: string | null) => void = () => {};
  #hashed = 0;
  #ended = false;

  constructor(script: URL, algorithmOf: (name: string) => Algorithm, onBytes: (bytes: number) => void, here: Hasher) {
    this.#algorithmOf = algorithmOf;
    this.#onBytes = onBytes;
    this.#here = here;
    this.#worker = new Worker(script, { execArgv: [] });
    this.#worker.on('message', (answer: HashAnswer) => {
      if ('digest' in answer) return this.#answer(answer.digest);
      this.#hashed += answer.hashed;
      this.#onBytes(answer.hashed);
    });
    this.#worker.on('error', () => this.#gone());
    this.#worker.on('exit', () => this.#gone());
  }

  async hash(file: FoundFile): Promise<string> {
    this.#hashed = 0;
    const digest = await new Promise<string | null>(resolve => {
      this.#answer = resolve;
      if (this.#ended) resolve(null);
      else this.#worker.postMessage({ ...file, algorithm: this.#algorithmOf(file.name) } satisfies HashTask);
    });
    if (digest !== null) return digest;
    this.#onBytes(-this.#hashed);
    return this.#here(file);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #gone(): void {
    this.#ended = true;
    this.#answer(null);
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** 'a/b/c' lies in 'a/b' and 'a'. Where one is known, so are those above it. */
function addParents(name: string, parents: Set<string>): void {
  for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
    const parent = name.slice(0, end);
    if (parents.has(parent)) return;
    parents.add(parent);
  }
}

function notAFile(file: string): GlassbertError {
  return new GlassbertError('E_FILE_TYPE', 'this is in the directory and no file', {
    file,
    expected: 'files and directories',
    found: 'a pipe, a device or a socket',
    hint: 'No model has one. Do not trust this directory.',
  });
}

/** @param locate - where the link leads to, if that is somewhere in the directory, or in the cache that it is part of */
async function unfollowed(file: string, locate: () => Promise<{ readonly isFile: boolean }>): Promise<GlassbertError> {
  const followable = await locate().then(
    ({ isFile }) => isFile,
    () => false,
  );
  return new GlassbertError('E_PATH_UNSAFE', 'this is a symbolic link, and links are not followed', {
    file,
    expected: 'the file itself',
    hint: followable
      ? 'To count links as the files they lead to, as in the cache of the Hugging Face hub, give --allow-symlinks (manifest, verify) or allowSymlinks. What is signed are files: `cp -rL DIR COPY` puts them in the place of links.'
      : 'It leads to no file of the directory. Put the file itself in its place, or remove the link.',
  });
}
