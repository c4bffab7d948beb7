/** Where texts are read from: the bytes of a file or of stdin, the first of which can be looked at before any is taken. */
import { createReadStream, fstatSync, type Stats, statSync } from 'node:fs';
import { GlassbertError } from '../../errors.ts';

export const STDIN = '-';

/** So much is looked at, at most. */
const MAX_HEAD = 65_536;

export class Source {
  /** For errors: the path, or "stdin". */
  readonly file: string;
  /** Of a regular file, also where it is stdin; a pipe has none. */
  readonly stats: Stats | undefined;
  readonly #bytes: AsyncGenerator<Uint8Array, void, void>;
  #head: Buffer = Buffer.alloc(0);

  /** @param path - of a file; '-' is stdin */
  constructor(path: string) {
    this.file = path === STDIN ? 'stdin' : path;
    this.stats = regularFile(path);
    this.#bytes = readBytes(path, this.file);
  }

  /**
   * The bytes from the start on, as many as are needed to decide something; `chunks` gives them again. It waits for no more
   * than that: the program at the other end of a pipe may be waiting for an answer.
   */
  async peek(isEnough: (head: Uint8Array) => boolean): Promise<Uint8Array> {
    while (this.#head.length < MAX_HEAD && !isEnough(this.#head)) {
      const { value, done } = await this.#bytes.next();
      if (done) break;
      this.#head = Buffer.concat([this.#head, value]);
    }
    return this.#head;
  }

  /** All bytes, once. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#head.length > 0) yield this.#head;
    this.#head = Buffer.alloc(0);
    yield* this.#bytes;
  }

  /** Without this, a pipe that the other end never closes keeps the program waiting. */
  async close(): Promise<void> {
    await this.#bytes.return();
  }
}

function regularFile(path: string): Stats | undefined {
  try {
    const stats = path === STDIN ? fstatSync(0) : statSync(path);
    return stats.isFile() ? stats : undefined;
  } catch {
    return undefined; // reading tells why
  }
}

const SUMMARIES: Readonly<Record<string, readonly [string, string?]>> = {
  ENOENT: ['there is no such file'],
  EISDIR: ['this is a directory, not a file', 'Name one file in it, or join them: cat DIR/*.txt | glassbert embed'],
  EACCES: ['the file may not be read (EACCES)', 'Check who may read it.'],
};

async function* readBytes(path: string, file: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* path === STDIN ? process.stdin : createReadStream(path);
  } catch (cause) {
    const system = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const [summary, hint] = SUMMARIES[system] ?? [`the input cannot be read (${system})`];
    throw new GlassbertError('E_INPUT', summary, { file, hint, cause });
  }
}
