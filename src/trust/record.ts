/**
 * What a list of checksums or a signature says about a directory: these files, with these digests. Whoever made it may have
 * left out names on purpose; these are neither covered nor refused, and never loaded.
 */
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { MAX_NAME_BYTES } from '../io/walk.ts';

export interface RecordedFile {
  readonly name: string;
  readonly algorithm: 'sha256' | 'blake2b';
  /** In lower-case hexadecimal. */
  readonly digest: string;
}

export interface FileRecord {
  /** The path of the manifest or signature, for messages. */
  readonly source: string;
  readonly files: ReadonlyMap<string, RecordedFile>;
  /** Names (of a file, or of a directory with all that is in it) that were left out: neither covered nor refused. */
  readonly ignored: readonly string[];
}

/** What git keeps beside the files; no record covers it (OpenSSF Model Signing 1.0). Below the top they are files like any. */
export const GIT_NAMES: readonly string[] = ['.git', '.gitignore', '.gitattributes', '.github'];

/** Where a list of checksums and a signature lie by default. */
export const MANIFEST_NAME = 'SHA256SUMS';
export const SIGNATURE_NAME = 'model.sig';

/** What the command line calls an output until it is complete (cli/output.ts). */
const UNFINISHED = /(?:^|\/)\.glassbert-[0-9a-f]{16}\.tmp$/;

/** Whether a name is that of an output which a program that was killed left behind. */
export function isLeftover(name: string): boolean {
  return UNFINISHED.test(name);
}

/** Own limits, far above any genuine model: they bound the time that a hostile record can take. */
export const MAX_RECORD_BYTES = 32 * 2 ** 20;
export const MAX_RECORDED_FILES = 100_000;

/**
 * Whether a name is one of those ignored, or lies below one. A record may ignore a hundred thousand names of five hundred parts,
 * and list as many: each name is looked up once, whatever its parts.
 */
export function ignoring(ignored: Iterable<string>): (name: string) => boolean {
  // With "/" behind, what begins with one of them is it or lies below it; and sorted, it comes right behind it if none of
  // them lies below another.
  const tops: string[] = [];
  for (const name of Array.from(ignored, name => `${name}/`).sort()) {
    if (tops.length === 0 || !name.startsWith(tops[tops.length - 1])) tops.push(name);
  }
  return name => {
    const path = `${name}/`;
    let [from, to] = [0, tops.length]; // the first that comes behind it
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (tops[middle] <= path) from = middle + 1;
      else to = middle;
    }
    return from > 0 && path.startsWith(tops[from - 1]);
  };
}

/**
 * Why a name cannot be that of a file in a directory; undefined when it can. Names from a record are compared with names on
 * the disk and never opened, so unlike those in a model's own files they may be of any characters.
 */
export function badName(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `it is longer than ${MAX_NAME_BYTES} bytes`;
  if (name.includes('\0')) return 'it holds a NUL';
  if (name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name)) return 'it is absolute';
  if (name.split('/').some(part => part === '' || part === '.' || part === '..'))
    return 'a part of it is empty, "." or ".."';
  return undefined;
}

/**
 * Names that the caller wants ignored, as they are compared: without "./" before and "/" behind.
 *
 * @throws E_ARGUMENT for what is no name in the directory; patterns are names like any other
 */
export function checkIgnorePaths(paths: readonly string[]): string[] {
  if (!Array.isArray(paths)) throw refused(typeof paths, 'no list');
  return paths.map(path => {
    if (typeof path !== 'string') throw refused(typeof path, 'no text');
    const name = path.replace(/^\.\//, '').replace(/\/$/, '');
    const why = badName(name);
    if (why !== undefined) throw refused(quote(path), why);
    return name;
  });
}

function refused(found: string, why: string): GlassbertError {
  return new GlassbertError('E_ARGUMENT', `a path to be ignored cannot be used: ${why}`, {
    expected: 'the name of a file or directory, relative to the model directory',
    found,
  });
}
