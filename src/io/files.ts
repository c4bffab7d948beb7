/**
 * The one door through which files of a model directory are opened.
 *
 * Names come from files that somebody else wrote (modules.json, a shard index), so a name is checked as text first, by the
 * rules of Unix and of Windows on every system; then every link on its way is resolved and the end must lie inside the
 * directory; then it is opened, and what was opened must be a regular file of a sensible size. Who can change the directory
 * between the second step and the third is trusted; the last part of the path is not followed even then (O_NOFOLLOW).
 * Hard links cannot be told from files: that is what signatures are for.
 */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { quote } from './json.ts';
import type { OpenedFile, Verification } from './load-report.ts';
import { fileError, RegularFile } from './regular-file.ts';

export interface ModelFiles {
  /** The directory as the caller gave it. */
  readonly directory: string;
  /** Every file opened so far, in order. */
  readonly opened: readonly OpenedFile[];
  /** What the directory was compared with before anything of it could be opened; absent where it was with nothing. */
  readonly verification?: Verification;
  /** The path of a name, as it stands in errors. */
  pathOf(name: string): string;
  /** Whether there is something of this name; a link that leads nowhere is nothing. */
  has(name: string): Promise<boolean>;
  /**
   * The whole content of a file.
   *
   * @param maxBytes - larger ones are refused unread
   * @throws E_FILE_TOO_LARGE, and as open
   */
  read(name: string, maxBytes: number): Promise<Uint8Array>;
  /**
   * An open file: `handle` and `size`. The caller closes it.
   *
   * @throws E_PATH_UNSAFE, E_FILE_MISSING, E_FILE_TYPE, E_FILE_READ
   */
  open(name: string): Promise<RegularFile>;
  /** The names in the directory or one below it, sorted; whatever they are, nothing of them is opened. */
  list(name?: string): Promise<string[]>;
}

/** File systems allow 255 bytes for a part of a path; no model needs more for the whole. */
const MAX_NAME = 255;

/**
 * What no part of a name may hold, as one system or another does not take it for a letter: controls and invisible characters,
 * what Windows keeps for itself, "/" and "\\" of any width.
 */
const UNSAFE_CHARACTER = /[\p{C}\p{Zl}\p{Zp}<>:"|?*\\/]/u;

/** On Windows these open devices, in every directory and with every extension. */
export const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/**
 * Whether a name is one or more parts with "/" between them that stay inside the directory on every system: letters of any
 * script, digits, blanks and ordinary signs; no "." or "..", no dot or blank at the end (Windows drops them: "a." would be "a"),
 * no device. Forms of Unicode that some program may take for a dot or a slash count as such (NFKC).
 */
export function isPlainName(name: string): boolean {
  if (!name.isWellFormed() || Buffer.byteLength(name) > MAX_NAME) return false;
  return name.split('/').every(part => {
    const folded = part.normalize('NFKC');
    return !/(^|[. ])$/.test(folded) && !UNSAFE_CHARACTER.test(folded) && !DEVICE.test(folded);
  });
}

/**
 * @throws E_PATH_UNSAFE unless it is a plain name
 * @param file - the file in which the name is written
 */
export function checkName(name: string, file?: string): void {
  if (isPlainName(name)) return;
  throw new GlassbertError('E_PATH_UNSAFE', 'a name does not stay inside the model directory, or not on every system', {
    file,
    expected:
      'parts of letters, digits and ordinary signs with "/" between them, none of them ".", ".." or ending in a dot or blank',
    found: quote(name),
    hint: 'No genuine model names its files like this. Do not trust this directory.',
  });
}

/**
 * A path as a model file may state it, as a plain name: "./1_Pooling", "1_Pooling/" and "1_Pooling//" are 1_Pooling; "." and ""
 * are the directory itself, ''.
 *
 * @param file - the file in which the path is written
 * @throws E_PATH_UNSAFE when it leads elsewhere, or may
 */
export function plainName(path: string, file: string): string {
  const parts = path.split('/').filter((part, i) => part !== '.' && (part !== '' || (i === 0 && path !== '')));
  const name = parts.join('/');
  // Of a path that begins with "/" the first part is empty, and stays.
  if (parts.length > 0) checkName(name.length > MAX_NAME ? path : name, file);
  return name;
}

/** A name in a module's directory, '' being the root. */
export function nameIn(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

/**
 * @param directory - a path on this disk
 * @throws E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY
 */
export async function openModelFiles(directory: string): Promise<ModelFiles> {
  const root = await resolveDirectory(directory);
  const opened: OpenedFile[] = [];

  const pathOf = (name: string): string => join(directory, name);

  async function resolve(name: string): Promise<string> {
    checkName(name, directory);
    return resolveInside(root, name, pathOf(name));
  }

  async function open(name: string): Promise<RegularFile> {
    const file = await RegularFile.open(await resolve(name), { name: pathOf(name), follow: false });
    opened.push({ name, bytes: file.size });
    return file;
  }

  async function read(name: string, maxBytes: number): Promise<Uint8Array> {
    const file = await open(name);
    try {
      return await file.readAll(maxBytes);
    } finally {
      await file.close();
    }
  }

  async function has(name: string): Promise<boolean> {
    try {
      await resolve(name);
      return true;
    } catch (error) {
      if (error instanceof GlassbertError && error.code === 'E_FILE_MISSING') return false;
      throw error;
    }
  }

  async function list(name?: string): Promise<string[]> {
    const path = name === undefined ? root : await resolve(name);
    try {
      return (await readdir(path)).sort();
    } catch (cause) {
      throw fileError(cause, name === undefined ? directory : pathOf(name));
    }
  }

  return { directory, opened, pathOf, has, read, open, list };
}

/**
 * Where a name really is, links resolved, or an error if that is elsewhere.
 *
 * @param root - as resolveDirectory gives it
 * @param shown - stands in errors instead of the path
 * @throws E_PATH_UNSAFE, E_FILE_MISSING, E_FILE_READ
 */
export async function resolveInside(root: string, name: string, shown: string): Promise<string> {
  const path = join(root, name);
  const real = await realpath(path).catch(async (cause: unknown) => {
    const link = await lstat(path).catch(() => undefined);
    const error = fileError(cause, shown);
    if (error.code !== 'E_FILE_MISSING' || link === undefined) throw error;
    throw new GlassbertError('E_FILE_MISSING', 'this is a link to a file that is not there', {
      file: shown,
      hint: 'The download was not finished, or links were copied without what they lead to (cp -L copies the files).',
      cause,
    });
  });
  if (real.startsWith(root.endsWith(sep) ? root : root + sep) || dirname(real) === blobsOf(root)) return real;
  throw new GlassbertError('E_PATH_UNSAFE', 'a link leads out of the model directory', {
    file: shown,
    found: quote(real),
    hint: 'Put the file itself in its place.',
  });
}

/**
 * The path of a directory, links resolved.
 *
 * @throws E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY
 */
export async function resolveDirectory(directory: string): Promise<string> {
  try {
    const root = await realpath(directory);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    const error = fileError(cause, directory);
    if (error.code !== 'E_FILE_MISSING') throw error;
    throw new GlassbertError('E_DIRECTORY_MISSING', 'there is no such directory', {
      file: directory,
      hint: `A model is a directory on this disk: give its path. Names are never looked up and nothing is downloaded.${howToFetch(directory)}`,
      cause,
    });
  }
  throw new GlassbertError('E_NOT_A_DIRECTORY', 'this is a file, not a model directory', {
    file: directory,
    hint: `Give the directory that it lies in: ${dirname(directory)}`,
  });
}

/** Before a name of the Hugging Face hub in an address of it, and what may follow one. */
const HUB_ADDRESS = /^((https?:\/\/)?(www\.)?(huggingface\.co|hf\.co)\/|hf:\/\/(models\/)?)/;
const BEHIND_NAME = /(\/(tree|blob|resolve|raw|commits?|discussions)(\/.*)?)?([?#].*)?$/s;

/** What a name of the hub looks like; without its organization it has a "-" at least. */
const HUB_NAME = /^((?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95})(?:@[\w.-]+)?\/?$/;

/** The directory of a model in the cache of the hub. */
const CACHED_NAME = /^models--([\w.-]+?)--([\w.-]+)$/;

/** For a path that may be meant as a name of the hub: how the model comes onto a disk elsewhere. '' where it cannot be one. */
function howToFetch(directory: string): string {
  const address = HUB_ADDRESS.exec(directory)?.[0];
  const given = address === undefined ? directory : directory.slice(address.length).replace(BEHIND_NAME, '');
  const name = HUB_NAME.exec(given)?.[1].replace(CACHED_NAME, '$1/$2');
  if (name === undefined || !/[-/]/.test(name) || /\.(json|safetensors|bin|txt)$/.test(name)) return '';
  if (name.startsWith('models/')) return ''; // where people keep models: a slip in the rest
  const id = name.includes('/') ? name : `ORGANIZATION/${name}`;
  return (
    ` If ${name} is a name on the Hugging Face hub, fetch it where there is a network: hf download ${id} --local-dir ${basename(id)}` +
    ` (or, with Git LFS: git clone https://huggingface.co/${id}), and give that directory.`
  );
}

/**
 * In the cache of huggingface_hub a model's files are links, `models--<id>/snapshots/<revision>/<file>` to
 * `../../blobs/<hash>`: the one place outside the directory that they may lead to.
 */
export function blobsOf(root: string): string | undefined {
  const snapshots = dirname(root);
  const model = dirname(snapshots);
  const isCache = basename(snapshots) === 'snapshots' && basename(model).startsWith('models--');
  return isCache ? join(model, 'blobs') : undefined;
}
