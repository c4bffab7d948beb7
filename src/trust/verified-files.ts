/**
 * The files of a model directory, behind a check of the whole directory: nothing can be opened before everything in it was
 * found to be what a signature or a list of checksums says. What is loaded is a subset of what is covered, and the bytes that
 * were hashed are the bytes that are used.
 *
 * The files that loading will ask for are read once, hashed, and kept in memory until they are used; all others are hashed
 * while they stream by. No more is kept than a hostile directory may take of memory, for until the last file is hashed any
 * of them may be hostile; what was not kept and is asked for is read whole and hashed again. So weights are in memory twice
 * for a moment, as bytes and as numbers, where loading without `verify` needs them once.
 */
import { join } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { checkName, type ModelFiles } from '../io/files.ts';
import type { OpenedFile } from '../io/load-report.ts';
import { type FileHandle, RegularFile } from '../io/regular-file.ts';
import { locatorOf } from '../io/walk.ts';
import { hashFile } from './digests.ts';
import type { RecordedFile } from './record.ts';
import { checkExamined, examine, readStatement, reportOf, type VerifyOptions } from './verify.ts';

/**
 * @throws E_DIGEST, E_SIGNATURE, E_CERTIFICATE, E_MANIFEST, E_BUNDLE, E_ARGUMENT, E_PATH_UNSAFE ...; with them nothing of the
 *   directory was parsed. Later, of the files: E_UNCOVERED for one that is there and not covered, E_DIGEST
 */
export async function openVerifiedFiles(directory: string, options: VerifyOptions): Promise<ModelFiles> {
  const statement = await readStatement(directory, options);
  const { allowSymlinks } = options;
  const examined = await examine(directory, statement, { allowSymlinks, namesFirst: true, choose: wantedByLoading });
  checkExamined(directory, statement, examined);

  const covered = new Map(examined.files.map(file => [file.name, file]));
  const uncovered = new Set(examined.comparison.ignored);
  const kept = new Map(examined.kept);
  const locator = await locatorOf(directory);
  const opened: OpenedFile[] = [];
  const pathOf = (name: string): string => join(directory, name);

  /** The bytes that were hashed, which are then let go: what is asked for twice is read and hashed twice. */
  async function take(name: string): Promise<Uint8Array> {
    const file = find(name);
    const bytes = kept.get(name) ?? (await readAgain(file));
    kept.delete(name);
    opened.push({ name, bytes: bytes.length });
    return bytes;
  }

  async function readAgain({ name, algorithm, digest }: RecordedFile): Promise<Uint8Array> {
    const { path } = await locator.locate(name);
    const { digest: now, bytes } = await hashFile({ path, shown: pathOf(name) }, algorithm, { keep: true });
    if (now === digest && bytes !== undefined) return bytes;
    throw new GlassbertError('E_DIGEST', 'the file changed after it was verified', {
      file: pathOf(name),
      expected: digest,
      found: now,
    });
  }

  /** @throws E_UNCOVERED also where only its presence is asked for: to load as if it were not there is another model */
  function lookUp(name: string): RecordedFile | undefined {
    checkName(name, directory);
    if (!uncovered.has(name)) return covered.get(name);
    throw new GlassbertError('E_UNCOVERED', 'this file would be loaded, and nothing vouches for it', {
      file: pathOf(name),
      expected: `a file that ${statement.source} covers`,
      hint: 'It was left out on purpose when the record was made, or by ignorePaths. Remove it, or have it covered.',
    });
  }

  function find(name: string): RecordedFile {
    const file = lookUp(name);
    if (file !== undefined) return file;
    throw new GlassbertError('E_FILE_MISSING', 'there is no such file', {
      file: pathOf(name),
      hint: 'Copy the whole model directory.',
    });
  }

  async function open(name: string): Promise<RegularFile> {
    return RegularFile.of(memoryHandle(await take(name)), pathOf(name));
  }

  return {
    directory,
    opened,
    verification: reportOf(statement, examined),
    pathOf,
    open,
    async has(name) {
      return lookUp(name) !== undefined;
    },
    async read(name, maxBytes) {
      const file = await open(name);
      try {
        return await file.readAll(maxBytes);
      } finally {
        await file.close();
      }
    },
    async list(name) {
      if (name !== undefined) checkName(name, directory);
      const start = name === undefined ? '' : `${name}/`;
      const names = [...covered.keys()].filter(other => other.startsWith(start));
      return [...new Set(names.map(other => other.slice(start.length).split('/')[0]))].sort();
    },
  };
}

/** What is kept before all is compared: more than a model of 64 million parameters. Larger weights are hashed twice. */
const MAX_KEPT_BYTES = 256 * 2 ** 20;

const WEIGHTS = 'model.safetensors';
const WEIGHTS_INDEX = 'model.safetensors.index.json';

/**
 * The files that loading will ask for, as far as names tell, the smallest first: configurations and vocabularies, and of
 * safetensors those that io/weights.ts takes.
 */
function wantedByLoading(files: readonly { name: string; bytes: number }[]): Set<string> {
  const names = new Set(files.map(({ name }) => name));
  const isWanted = (name: string): boolean => {
    if (name.endsWith('.json') || name.endsWith('.txt')) return true;
    const directory = name.slice(0, name.lastIndexOf('/') + 1);
    if (name === directory + WEIGHTS) return true;
    const isSharded = names.has(directory + WEIGHTS_INDEX) && !names.has(directory + WEIGHTS);
    return isSharded && name.endsWith('.safetensors');
  };
  const wanted = new Set<string>();
  let kept = 0;
  for (const { name, bytes } of files.filter(({ name }) => isWanted(name)).sort((a, b) => a.bytes - b.bytes)) {
    kept += bytes;
    if (kept > MAX_KEPT_BYTES) break;
    wanted.add(name);
  }
  return wanted;
}

/** Bytes in memory as an open file; closed, it lets go of them. */
function memoryHandle(bytes: Uint8Array): FileHandle {
  let open = bytes;
  const size = bytes.length;
  return {
    stat: async () => ({
      size,
      mtimeMs: 0,
      isFile: () => true,
      isDirectory: () => false,
      isFIFO: () => false,
    }),
    async read(into, offset, length, position) {
      const part = open.subarray(position, position + length);
      into.set(part, offset);
      return { bytesRead: part.length };
    },
    async close() {
      open = new Uint8Array(0);
    },
  };
}
