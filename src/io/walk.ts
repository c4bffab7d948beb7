/**
 * Everything that lies in a directory, and where a name found there really is: what checksums and signatures are about.
 *
 * No link is followed, names are compared as bytes (no Unicode normalization: two names that look alike are two names),
 * and the order is that of the bytes, which is neither JavaScript's (UTF-16 units) nor a locale's. A directory that another
 * program changes meanwhile may give some of its entries twice or not at all; whoever hashes the files finds out.
 */
import { lstat, opendir, realpath } from 'node:fs/promises';
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
    const left = { entries: MAX_ENTRIES - entries.length, bytes: MAX_BYTES_OF_NAMES - bytesOfNames };
    const names = await namesIn(join(root, name), join(directory, name), left);
    const paths = names.map(part => (name === '' ? part : `${name}/${part}`));
    for (const path of paths) {
      const bytes = Buffer.byteLength(path);
      bytesOfNames += bytes;
      if (bytes > MAX_NAME_BYTES) throw tooMuch(join(directory, name), `names of at most ${MAX_NAME_BYTES} bytes`);
      if (bytesOfNames > MAX_BYTES_OF_NAMES) throw tooManyNames(directory);
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

/** What stands in a name in place of bytes that are no UTF-8. Few genuine names have it, but they may. */
const REPLACEMENT = '\ufffd';

/**
 * The names in one directory, counted as they come, so that Node holds no more of them than may be there (Bun and Deno hold
 * the whole directory, whatever is called). As strings, for of `opendir` Bun and Deno know no others; so where bytes were
 * replaced, two names have become one, or there is no file of this name, which `look` finds out.
 */
async function namesIn(path: string, shown: string, left: { entries: number; bytes: number }): Promise<string[]> {
  const names: string[] = [];
  const replaced = new Set<string>();
  let bytes = 0;
  try {
    for await (const { name } of await opendir(path)) {
      bytes += Buffer.byteLength(name);
      if (names.length === left.entries) throw tooMuch(shown, `at most ${MAX_ENTRIES} files and directories`);
      if (bytes > left.bytes) throw tooManyNames(shown);
      if (name.includes(REPLACEMENT)) {
        if (replaced.has(name)) throw notUtf8(name, shown);
        replaced.add(name);
      }
      names.push(name);
    }
  } catch (cause) {
    throw fileError(cause, shown);
  }
  return names;
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
    if (error.code !== 'E_FILE_MISSING' || !name.includes(REPLACEMENT)) throw error;
    throw notUtf8(basename(name), dirname(join(directory, name)));
  });
  if (stat.isFile()) return { name, kind: 'file', bytes: stat.size };
  return { name, kind: stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'directory' : 'other', bytes: 0 };
}

function tooManyNames(file: string): GlassbertError {
  return tooMuch(file, `at most ${MAX_BYTES_OF_NAMES} bytes of names`);
}

function tooMuch(file: string, expected: string): GlassbertError {
  return new GlassbertError('E_FILE_TOO_LARGE', 'the directory holds more than any model', {
    file,
    expected,
    hint: 'Give the directory of one model.',
  });
}
