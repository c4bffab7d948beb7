/**
 * Where vectors are written to: stdout, or a file that appears under its name only when it is complete.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { print } from './terminal.ts';

export interface Output {
  write(data: string | Uint8Array): Promise<void>;
  /** Writes over the first bytes. Absent where what is written is gone: on stdout. */
  readonly overwriteStart?: (data: string | Uint8Array) => Promise<void>;
  /** It is complete. Without this, a file does not appear. */
  commit(): Promise<void>;
  close(): Promise<void>;
  /**
   * Keeps what was written so far under another name, which it returns; synchronous, for the moment when a signal ends the
   * program. Absent where nothing can be kept.
   *
   * @throws as openOutputFile
   */
  readonly keep?: () => string;
}

export const STDOUT: Output = { write: print, commit: async () => {}, close: async () => {} };

/**
 * A file beside the one named, renamed when all of it is on the disk. When the program ends before that (by anything but
 * SIGKILL), the file is removed, and what was under the name is untouched. Its own name is random, so that what a killed run
 * left is not in the way of the next.
 *
 * Writing is synchronous, so that a signal finds every write done or not begun.
 *
 * @param keptAs - where `keep` puts what was written so far; a file or nothing
 * @throws E_OUTPUT when nothing can be written there, E_DISK_FULL
 */
export async function openOutputFile(name: string, keptAs?: string): Promise<Output> {
  const { path, mode } = resolveTarget(name);
  if (keptAs !== undefined) resolveTarget(keptAs); // at the end it would be too late to say so
  const temporary = join(dirname(path), `.glassbert-${randomBytes(8).toString('hex')}.tmp`);
  const fd = attempt(name, () => openSync(temporary, 'wx', mode));
  let written = 0;
  let isOpen = true;
  const finish = (target: string): void => {
    fsyncSync(fd);
    isOpen = false;
    closeSync(fd);
    renameSync(temporary, target);
    syncDirectory(dirname(target));
  };
  const removeTemporary = (): void => rmSync(temporary, { force: true });
  process.on('exit', removeTemporary); // a signal does not come to close()

  return {
    async write(data) {
      const bytes = bytesOf(data);
      attempt(name, () => writeAt(fd, bytes, written));
      written += bytes.length;
    },
    async overwriteStart(data) {
      attempt(name, () => writeAt(fd, bytesOf(data), 0));
    },
    async commit() {
      attempt(name, () => finish(path));
    },
    async close() {
      if (isOpen) closeSync(fd);
      isOpen = false;
      removeTemporary();
      process.off('exit', removeTemporary);
    },
    ...(keptAs !== undefined && {
      keep() {
        attempt(keptAs, () => {
          ftruncateSync(fd, written); // a write may have failed half way
          finish(keptAs);
        });
        return keptAs;
      },
    }),
  };
}

/** Where links lead, or where it will be. */
export function realPath(name: string): string {
  try {
    return realpathSync(name);
  } catch {
    return targetOf(name);
  }
}

/** A link to what is not there yet leads to where it will be. */
function targetOf(name: string): string {
  try {
    return resolve(realpathSync(dirname(name)), readlinkSync(name));
  } catch {
    return name;
  }
}

/** @throws E_OUTPUT where it cannot even be told whether something is there */
export function statOf(name: string): Stats | undefined {
  return attempt(name, () => statSync(name, { throwIfNoEntry: false }));
}

/** Renaming replaces whatever has the name: a link must be followed first, and a device must not become a file. */
function resolveTarget(name: string): { path: string; mode: number } {
  const path = realPath(name);
  const existing = statOf(path);
  if (existing === undefined) return { path, mode: 0o666 };
  if (existing.isFile()) return { path, mode: existing.mode & 0o777 };
  throw new GlassbertError('E_OUTPUT', 'the output is not a regular file', {
    file: name,
    hint: 'Name a regular file.',
  });
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data;
}

function writeAt(fd: number, data: Uint8Array, position: number): void {
  for (let done = 0; done < data.length; ) {
    done += writeSync(fd, data, done, data.length - done, position + done);
  }
}

/** That the name too survives a loss of power. Not every file system can. */
function syncDirectory(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    fsyncSync(fd);
  } catch {
    // The file itself is on the disk.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function attempt<Result>(name: string, act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    throw outputError(cause, name);
  }
}

export function outputError(cause: unknown, file: string): GlassbertError {
  const system = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const full = ['ENOSPC', 'EDQUOT'].includes(system);
  return new GlassbertError(full ? 'E_DISK_FULL' : 'E_OUTPUT', `the output cannot be written (${system})`, {
    file,
    hint: full ? 'Make room, or write to another disk.' : hintOf(system, file),
    cause,
  });
}

function hintOf(system: string, file: string): string | undefined {
  const directory = dirname(file);
  switch (system) {
    case 'ENOENT':
      return existsSync(directory)
        ? `No file can be made in ${directory}: name another directory.`
        : `The directory ${directory} does not exist: make it with mkdir -p, or name another.`;
    case 'ENOTDIR':
      return `${directory} is a file: name a directory before the last slash.`;
    case 'EACCES':
    case 'EPERM':
      return `You may not write in ${directory}: name another directory.`;
    case 'EROFS':
      return `The disk of ${directory} can only be read: name another.`;
    case 'ENAMETOOLONG':
      return `Give a shorter name than ${basename(file).length} characters.`;
    default:
      return undefined;
  }
}
