/** What lies in the directory, and the first bytes of its files: for looking, not for loading. */
import { join } from 'node:path';
import { RegularFile } from '../io/regular-file.ts';
import { type Entry, locatorOf, walk } from '../io/walk.ts';
import type { Findings } from './findings.ts';

export interface Tree {
  /** The path of the directory, links resolved. */
  readonly root: string;
  readonly entries: readonly Entry[];
  /** The files, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /**
   * The path and size of a file, links resolved.
   *
   * @throws E_PATH_UNSAFE when it lies elsewhere; E_FILE_MISSING
   */
  locate(name: string): Promise<{ readonly path: string; readonly bytes: number }>;
  /**
   * The first bytes of a file, or all where it has fewer.
   *
   * @throws as locate, and as RegularFile
   */
  peek(name: string, bytes: number): Promise<Uint8Array>;
}

/** Without entries where the directory cannot be walked; that is then among the findings. */
export async function plant(directory: string, findings: Findings): Promise<Tree> {
  const entries = (await findings.attempt(() => walk(directory))) ?? [];
  const locator = await locatorOf(directory);
  const { root, locate } = locator;
  return {
    root,
    entries,
    sizes: new Map(entries.filter(({ kind }) => kind === 'file').map(({ name, bytes }) => [name, bytes])),
    locate,
    async peek(name, bytes) {
      const file = await RegularFile.open((await locate(name)).path, { name: join(directory, name), follow: false });
      try {
        const start = new Uint8Array(Math.min(bytes, file.size));
        await file.read(start, 0);
        return start;
      } finally {
        await file.close();
      }
    },
  };
}
