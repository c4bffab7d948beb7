/**
 * A regular file, open for reading at positions. The only place that reads weights from a disk, and strict about it: a pipe
 * or a device is refused and never waited for, a read is complete or an error, and a file that changes while it is read is
 * an error too, because what was checked must be what is used.
 */
import { constants, open } from 'node:fs/promises';
import { GlassbertError } from '../errors.ts';
import { recognizePlaceholder } from './foreign.ts';

// O_NONBLOCK: opening a pipe that nobody writes to must not hang. O_NOFOLLOW: the caller has resolved the links already.
// Windows knows neither.
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

/** One read of the operating system takes less than 2^31 bytes. */
const MAX_READ = 2 ** 30;

/** What is used of a FileHandle of node:fs/promises; stated here so that users of the types need none of Node's. */
export interface FileHandle {
  stat(): Promise<{
    readonly size: number;
    readonly mtimeMs: number;
    isFile(): boolean;
    isDirectory(): boolean;
    isFIFO(): boolean;
  }>;
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

export class RegularFile {
  readonly handle: FileHandle;
  /** As the user knows it. */
  readonly name: string;
  readonly size: number;
  private readonly modified: number;

  private constructor(handle: FileHandle, name: string, size: number, modified: number) {
    this.handle = handle;
    this.name = name;
    this.size = size;
    this.modified = modified;
  }

  /**
   * @param path - opened as it is; with `follow: false` its last part must not be a symbolic link
   * @param name - stands in errors instead of the path
   * @throws E_FILE_MISSING, E_FILE_TYPE, E_PATH_UNSAFE, E_FILE_READ
   */
  static async open(path: string, options: { name?: string; follow?: boolean } = {}): Promise<RegularFile> {
    const { name = path, follow = true } = options;
    const handle = await open(path, follow ? READ : READ | NO_FOLLOW).catch((cause: unknown) => {
      throw fileError(cause, name);
    });
    return RegularFile.of(handle, name);
  }

  /** Takes over a handle that is open already: it will be closed with the file, and at once if it is no regular file. */
  static async of(handle: FileHandle, name: string): Promise<RegularFile> {
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) {
        const found = stat.isDirectory() ? 'a directory' : stat.isFIFO() ? 'a pipe' : 'a device or socket';
        throw new GlassbertError('E_FILE_TYPE', 'this cannot be read', {
          file: name,
          expected: 'a regular file',
          found,
        });
      }
      return new RegularFile(handle, name, stat.size, stat.mtimeMs);
    } catch (error) {
      await close(handle);
      throw fileError(error, name);
    }
  }

  /**
   * Fills `into` with the bytes from `position` on.
   *
   * @throws E_FILE_READ when they are not all there, or the file is no longer the one that was opened
   */
  async read(into: Uint8Array, position: number): Promise<void> {
    try {
      for (let filled = 0; filled < into.length; ) {
        const wanted = Math.min(into.length - filled, MAX_READ);
        const { bytesRead } = await this.handle.read(into, filled, wanted, position + filled);
        if (bytesRead === 0) throw this.changed(`its end at byte ${position + filled}`);
        filled += bytesRead;
      }
      // Last, so that it vouches for every byte above.
      const { size, mtimeMs } = await this.handle.stat();
      if (size !== this.size) throw this.changed(`${size} bytes`);
      if (mtimeMs !== this.modified) throw this.changed('a later time of modification');
    } catch (error) {
      throw fileError(error, this.name);
    }
  }

  /**
   * The whole content.
   *
   * @param maxBytes - a larger file is refused unread
   * @throws E_FILE_TOO_LARGE; E_FILE_MISSING where a pointer or a web page stands for the file; and as read
   */
  async readAll(maxBytes: number): Promise<Uint8Array> {
    if (this.size > maxBytes) {
      throw new GlassbertError('E_FILE_TOO_LARGE', 'the file is larger than any genuine one of its kind', {
        file: this.name,
        expected: `at most ${maxBytes} bytes`,
        found: `${this.size}`,
      });
    }
    const bytes = new Uint8Array(this.size);
    await this.read(bytes, 0);
    const placeholder = recognizePlaceholder(bytes, this.size);
    if (placeholder === undefined) return bytes;
    throw new GlassbertError('E_FILE_MISSING', 'the file itself is not here', {
      file: this.name,
      found: `${placeholder.what} in its place`,
      hint: placeholder.hint,
    });
  }

  async close(): Promise<void> {
    await close(this.handle);
  }

  private changed(found: string): GlassbertError {
    return new GlassbertError('E_FILE_READ', 'the file changed while it was read', {
      file: this.name,
      expected: `${this.size} bytes as when it was opened`,
      found,
      hint: 'Wait until the copy or download has finished, then load again.',
    });
  }
}

/** A file that was only read loses nothing when closing it fails; the descriptor is gone all the same. */
async function close(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => {});
}

/** What the operating system said, as an error of this library. */
export function fileError(cause: unknown, file: string): GlassbertError {
  if (cause instanceof GlassbertError) return cause;
  const system = (cause as NodeJS.ErrnoException).code;
  switch (system) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new GlassbertError('E_FILE_MISSING', 'there is no such file', {
        file,
        hint: 'Copy the whole model directory.',
        cause,
      });
    case 'EISDIR':
    case 'ENXIO':
      return new GlassbertError('E_FILE_TYPE', 'this is no regular file', { file, cause });
    case 'ELOOP':
      return new GlassbertError('E_PATH_UNSAFE', 'a symbolic link leads to itself or was put here just now', {
        file,
        cause,
      });
    default:
      return new GlassbertError('E_FILE_READ', `the file cannot be read (${system ?? String(cause)})`, {
        file,
        hint:
          system === 'EACCES' || system === 'EPERM' ? 'Check who may read the file and its directories.' : undefined,
        cause,
      });
  }
}
