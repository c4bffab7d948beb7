/** What the commands about trust have in common: hashing a directory and its progress, and numbers of bytes to be read. */
import { lstat, readFile, stat } from 'node:fs/promises';
import { GlassbertError } from '../errors.ts';
import { findFiles, hashFiles } from '../trust/digests.ts';
import { ignoring, isLeftover, MAX_RECORD_BYTES, type RecordedFile } from '../trust/record.ts';
import { Progress, talk, visible } from './terminal.ts';

/** The SHA-256 of every file of a directory that is not ignored, and what no record of them covers. */
export async function recordDirectory(directory: string, ignore: readonly string[], allowSymlinks = false) {
  const found = await findFiles(directory, ignoring(ignore), allowSymlinks);
  if (found.files.length === 0) {
    throw new GlassbertError('E_FILE_MISSING', 'there is no file to record', {
      file: directory,
      found: found.ignored.length > 0 ? `${found.ignored.length} that are left out` : 'none',
      hint: 'Give the directory of the model: what git keeps, lists and signatures are never recorded.',
    });
  }
  const { digests } = await withHashingProgress(onProgress => hashFiles(found.files, () => 'sha256', { onProgress }));
  const recorded = found.files.map(
    ({ name }): RecordedFile => ({ name, algorithm: 'sha256', digest: digests.get(name) as string }),
  );
  const bytes = found.files.reduce((sum, file) => sum + file.bytes, 0);
  const leftover = recorded.find(({ name }) => isLeftover(name))?.name;
  if (leftover !== undefined) {
    talk(`note: ${visible(leftover)} was left behind by a glassbert that was killed, and is recorded like any file`);
  }
  return { recorded, bytes, left: found.ignored, emptyDirectories: found.emptyDirectories };
}

/**
 * That an output replaces nothing but what it is a newer form of: `--output model.safetensors` is a slip.
 *
 * @param inside - it lies in the model directory, where a link to elsewhere may have been planted
 * @param parse - throws for what is something else
 */
export async function checkReplaces(
  path: string,
  inside: boolean,
  what: string,
  parse: (bytes: Uint8Array) => unknown,
): Promise<void> {
  if (inside && (await lstat(path).catch(() => undefined))?.isSymbolicLink()) {
    throw new GlassbertError('E_PATH_UNSAFE', 'a link is in the place of the output', {
      file: path,
      hint: 'Remove the link: what it leads to would be replaced.',
    });
  }
  const existing = await stat(path).catch(() => undefined);
  if (existing === undefined || !existing.isFile() || existing.size === 0) return; // openOutputFile tells the rest
  try {
    if (existing.size > MAX_RECORD_BYTES) throw new RangeError();
    parse(await readFile(path));
  } catch (cause) {
    throw new GlassbertError('E_OUTPUT', `a file is there that is no ${what}; it is not replaced`, {
      file: path,
      hint: 'Name another file, or remove this one first.',
      cause,
    });
  }
}

/**
 * The text of a file that the user has named.
 *
 * @param option - which named it
 */
export function readNamed(path: string, option: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR';
    const directory = cause.code === 'EISDIR';
    throw new GlassbertError('E_ARGUMENT', missing ? 'there is no such file' : 'this file cannot be read', {
      file: path,
      expected: directory ? 'a file' : undefined,
      found: missing ? undefined : directory ? 'a directory' : cause.code,
      hint: `Check the path behind ${option}.`,
      cause,
    });
  });
}

/** Shows how far hashing is while `work` does it. */
export async function withHashingProgress<Result>(
  work: (onProgress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  const progress = new Progress(false);
  try {
    return await work((done, total) =>
      progress.show(seconds => `${megabytes(done)} of ${megabytes(total)} hashed, ${megabytes(done / seconds)}/s`),
    );
  } finally {
    progress.clear();
  }
}

/** 6.8 MB, in millions of bytes as disks and the Hub count them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
}
