/**
 * Everything that lies in a directory, and where a name found there really is: what checksums and signatures are about.
 *
 * No link is followed, names are compared as bytes (no Unicode normalization: two names that look alike are two names),
 * and the order is that of the bytes, which is neither JavaScript's (UTF-16 units) nor a locale's. A directory that another
 * program changes meanwhile may give some of its entries twice or not at all; whoever hashes the files finds out.
 */
import { lstat, opendir, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { resolveDirectory, resolveInside } from './files.ts';
import { quote } from './json.ts';
import { fileError } from './regular-file.ts';

export interface Entry {
  /** Relative to the directory, with "/" between the parts. */
  readonly name: string;
  readonly kind: 'file' | 'link' | 'directory' | 'other';
  /** Of a file; 0 for everything else. */
  readonly bytes: number;
}

/** Ten times what the largest repositories of models hold: a bound of time and memory, not of use. */
const MAX_ENTRIES = 200_000;

/** A longer name no record can hold. Of all names together a genuine directory has kilobytes. */
export const MAX_NAME_BYTES = 1024;
const MAX_BYTES_OF_NAMES = 32 * 2 ** 20;

const MAX_DEPTH = 64; // as much as JSON may nest, and more than a path of 4,096 bytes usually has parts

/** How many files are looked at side by side: more than there are threads for it. */
const SIDE_BY_SIDE = 64;

/**
 * Every entry below a directory, hidden ones and directories included, sorted by the bytes of their names.
 *
 * @throws E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY, E_FILE_READ; E_PATH_UNSAFE for a name that is not UTF-8;
 *   E_FILE_TOO_LARGE for more entries or deeper ones than any model has
 */
export async function walk(directory: string): Promise<Entry[]> {
  const root = await resolveDirectory(directory);
  const entries: Entry[] = [];
  const pending = [{ name: '', depth: 0 }];
  let bytesOfNames = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { name, depth } = next;
    if (depth > MAX_DEPTH) throw tooMuch(join(directory, name), `at most ${MAX_DEPTH} directories inside one another`);
    const names = await namesIn(join(root, name), join(directory, name), MAX_ENTRIES - entries.length);
    const paths = names.map(part => (name === '' ? part : `${name}/${part}`));
    for (const path of paths) {
      const bytes = Buffer.byteLength(path);
      bytesOfNames += bytes;
      if (bytes > MAX_NAME_BYTES) throw tooMuch(join(directory, name), `names of at most ${MAX_NAME_BYTES} bytes`);
      if (bytesOfNames > MAX_BYTES_OF_NAMES) throw tooMuch(directory, `at most ${MAX_BYTES_OF_NAMES} bytes of names`);
    }
    for (const entry of await sideBySide(paths, path => look(root, directory, path))) {
      entries.push(entry);
      if (entry.kind === 'directory') pending.push({ name: entry.name, depth: depth + 1 });
    }
  }
  return sortByBytes(entries, entry => entry.name);
}

/** The results of `act` for every item, in their order, some of them under way at a time. */
async function sideBySide<Item, Result>(
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let i = 0; i < items.length; i += SIDE_BY_SIDE) {
    results.push(...(await Promise.all(items.slice(i, i + SIDE_BY_SIDE).map(act))));
  }
  return results;
}

/** Sorted by the bytes of the UTF-8 that `nameOf` gives, which is the order of code points. */
export function sortByBytes<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const keyed = items.map(item => ({ item, key: Buffer.from(nameOf(item)) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ item }) => item);
}

/** How the files of a directory are found by the names that `walk` gave them, whatever characters these are of. */
export interface Locator {
  /** The path of the directory, links resolved. What `walk` calls a file lies below it under its own name. */
  readonly root: string;
  /** The path of a name, as it stands in errors. */
  pathOf(name: string): string;
  /**
   * The path of a file, links resolved.
   *
   * @throws E_PATH_UNSAFE when it does not lie in the directory; E_FILE_MISSING
   */
  locate(name: string): Promise<{ path: string; bytes: number; isFile: boolean }>;
  /** The name that a path has in the directory, whether or not there is a file; undefined for one that lies elsewhere. */
  nameOf(path: string): Promise<string | undefined>;
}

export async function locatorOf(directory: string): Promise<Locator> {
  const root = await resolveDirectory(directory);
  return {
    root,
    pathOf: name => join(directory, name),
    async locate(name) {
      const path = await resolveInside(root, name, join(directory, name));
      const stat = await lstat(path).catch((cause: unknown) => {
        throw fileError(cause, join(directory, name));
      });
      return { path, bytes: stat.size, isFile: stat.isFile() };
    },
    async nameOf(path) {
      // Of its directory only: where the entry itself leads to, should it be a link, is another name.
      const parent = await realpath(dirname(path)).catch(() => undefined);
      if (parent !== root && !parent?.startsWith(root + sep)) return undefined;
      return relative(root, join(parent, basename(path)))
        .split(sep)
        .join('/');
    },
  };
}

/** What stands in a name in place of bytes that are no UTF-8; few genuine names have it, but they may. */
const REPLACEMENT = '\ufffd';

/**
 * The names in one directory. They are counted as they come, so that Node holds no more of them than may be there; Bun and
 * Deno hold the whole directory whatever is called. Names as bytes are asked for only where it matters: for `opendir` Bun
 * and Deno do not know them.
 */
async function namesIn(path: string, shown: string, most: number): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) {
      if (names.length === most) throw tooMuch(shown, `at most ${MAX_ENTRIES} files and directories`);
      names.push(name);
    }
    if (!names.some(name => name.includes(REPLACEMENT))) return names;

    const exact = (await readdir(path, { encoding: 'buffer' })).map(name => decodeName(name, shown));
    // Deno replaces bytes even here, so that two names become one.
    const others = new Set(exact);
    const twice = exact.find(name => !others.delete(name));
    if (twice !== undefined) throw notUtf8(twice, shown);
    return exact;
  } catch (cause) {
    throw fileError(cause, shown);
  }
}

function decodeName(name: Uint8Array, directory: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    throw notUtf8(Buffer.from(name).toString('latin1'), directory);
  }
}

function notUtf8(name: string, directory: string): GlassbertError {
  return new GlassbertError('E_PATH_UNSAFE', 'the directory holds a name that is not UTF-8', {
    file: directory,
    found: quote(name),
    hint: 'It means another name on another system. Rename the file.',
  });
}

async function look(root: string, directory: string, name: string): Promise<Entry> {
  const stat = await lstat(join(root, name)).catch((cause: unknown) => {
    const error = fileError(cause, join(directory, name));
    // Where its bytes were replaced (Deno), there is no such file.
    throw error.code === 'E_FILE_MISSING' && name.includes(REPLACEMENT) ? notUtf8(name, directory) : error;
  });
  if (stat.isFile()) return { name, kind: 'file', bytes: stat.size };
  return { name, kind: stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'directory' : 'other', bytes: 0 };
}

function tooMuch(file: string, expected: string): GlassbertError {
  return new GlassbertError('E_FILE_TOO_LARGE', 'the directory holds more than any model', {
    file,
    expected,
    hint: 'Give the directory of one model.',
  });
}
