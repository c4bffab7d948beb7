/**
 * Where vectors are written to: stdout, or a file that appears under its name only when it is complete.
 */
import { rmSync } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { print } from './terminal.ts';

export interface Output {
  write(data: string | Uint8Array): Promise<void>;
  /** Writes over the first bytes. Absent where what is written is gone: on stdout. */
  readonly overwriteStart?: (data: string | Uint8Array) => Promise<void>;
  /** It is complete. Without this, a file does not appear. */
  commit(): Promise<void>;
  close(): Promise<void>;
}

export const STDOUT: Output = { write: print, commit: async () => {}, close: async () => {} };

/**
 * A file beside the one named, renamed in the end; when the program ends before (short of SIGKILL), it is removed and
 * what was under the name before is untouched.
 *
 * @throws E_OUTPUT when nothing can be written there
 */
export async function openOutputFile(name: string): Promise<Output> {
  const { path, mode } = await resolveTarget(name);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const handle = await attempt(name, () => open(temporary, 'wx', mode));
  const removeTemporary = (): void => rmSync(temporary, { force: true });
  process.on('exit', removeTemporary); // Ctrl-C does not come to close()

  return {
    write: data => attempt(name, () => handle.writeFile(data)),
    overwriteStart: data => attempt(name, () => writeAt(handle, Buffer.from(data), 0)),
    async commit() {
      await attempt(name, async () => {
        await handle.close();
        await rename(temporary, path);
      });
    },
    async close() {
      await handle.close();
      removeTemporary();
      process.off('exit', removeTemporary);
    },
  };
}

/** Renaming replaces whatever has the name: a link must be followed first, and a device must not become a file. */
async function resolveTarget(name: string): Promise<{ path: string; mode: number }> {
  const path = await realpath(name).catch(() => name);
  const existing = await stat(path).catch(() => undefined);
  if (existing === undefined) return { path, mode: 0o666 };
  if (existing.isFile()) return { path, mode: existing.mode & 0o777 };
  throw new GlassbertError('E_OUTPUT', 'the output is not a regular file', {
    file: name,
    hint: 'Name a regular file.',
  });
}

async function writeAt(handle: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
  }
}

async function attempt<Result>(name: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    throw outputError(cause, name);
  }
}

export function outputError(cause: unknown, file: string): GlassbertError {
  const system = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GlassbertError('E_OUTPUT', `the output cannot be written (${system})`, {
    file,
    hint: system === 'ENOENT' ? 'Its directory does not exist.' : undefined,
    cause,
  });
}
