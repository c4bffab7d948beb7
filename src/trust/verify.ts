/**
 * A directory against what somebody said about it: a signature, a list of checksums, or a root digest. Shared by loading
 * with `verify` and by `glassbert verify`.
 */
import { basename, resolve } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import type { Verification, Warning } from '../io/load-report.ts';
import { RegularFile } from '../io/regular-file.ts';
import { locatorOf } from '../io/walk.ts';
import { nameOf } from '../options.ts';
import { type Comparison, checkComparison, compare, compareNames } from './compare.ts';
import { findFiles, type HashOptions, hashBytes, hashFiles, inOrder, rootDigest } from './digests.ts';
import {
  checkIgnorePaths,
  type FileRecord,
  GIT_NAMES,
  ignoring,
  MANIFEST_NAME,
  MAX_RECORD_BYTES,
  type RecordedFile,
  SIGNATURE_NAME,
} from './record.ts';
import { formatSha256sums, parseSha256sums } from './sha256sums.ts';
import { type SignaturePolicy, verifyBundle } from './signature.ts';

/**
 * What a directory must be: signed by a key (`publicKey`), by a certificate (`certificateRoots`) or keyless (`trustedRoot`,
 * `identity`, `issuer`); as a list of checksums says (`manifest`); of one digest (`expect`), alone or as what pins the list.
 * With none of them it is as its own SHA256SUMS says, which shows accidents alone.
 */
export interface VerifyOptions {
  /** PEM text of the public key. */
  readonly publicKey?: string;
  /** PEM text of the certificates that are trusted; a signature's chain must end in one of them. */
  readonly certificateRoots?: string;
  /** When certificates must be valid: when the signing one began to be (default, as the reference tool), or now. */
  readonly at?: 'signing' | 'now';
  /** Text of a Sigstore trusted_root.json; with `identity` and `issuer`. */
  readonly trustedRoot?: string;
  readonly identity?: string;
  readonly issuer?: string;
  /** Path of the signature; default: model.sig in the directory. */
  readonly signature?: string;
  /** Path of a list of checksums; default: SHA256SUMS in the directory. */
  readonly manifest?: string;
  /**
   * 'sha256:' and 64 hexadecimal digits: the list digest or the root digest, which `glassbert manifest` and `glassbert verify`
   * print. The first knows the names of the files and is what `sha256sum SHA256SUMS` gives; the second knows only their order
   * and is what OpenSSF Model Signing calls so.
   */
  readonly expect?: string;
  /** Files and directories that were left out of the record though it does not say so. None of them is ever loaded. */
  readonly ignorePaths?: readonly string[];
  /** Whether a link to a file of the directory counts as that file; needed for the cache of the Hugging Face hub. */
  readonly allowSymlinks?: boolean;
}

/** What somebody said about a directory, checked as far as it can be without the directory. */
export interface Statement {
  readonly by: Verification['by'];
  readonly source: string;
  /** Undefined where a digest is expected and nothing else known. */
  readonly record: FileRecord | undefined;
  /** What the directory's must be; of a digest alone, the root digest or the list digest. */
  readonly digest: string;
  readonly ignored: readonly string[];
  readonly signer: string | null;
  /** What the model was called where it was signed, which binds nothing; null where it was not signed. */
  readonly subject: string | null;
  readonly warnings: readonly Warning[];
  /** What it cannot show, in sentences. */
  readonly limits: readonly string[];
}

export interface Examined {
  readonly comparison: Comparison;
  /** Of all files that are there and not ignored, sorted. */
  readonly files: readonly RecordedFile[];
  readonly bytes: number;
  /** Of the files that are there; of a signature whose files are all there unchanged, in the order that it lists. */
  readonly rootDigest: string;
  /** The SHA-256 of the list that `glassbert manifest` makes of these files; null where they are not hashed by SHA-256. */
  readonly listDigest: string | null;
  readonly emptyDirectories: readonly string[];
  readonly kept: ReadonlyMap<string, Uint8Array>;
}

const OPTIONS = [
  'publicKey',
  'certificateRoots',
  'at',
  'trustedRoot',
  'identity',
  'issuer',
  'signature',
  'manifest',
  'expect',
  'ignorePaths',
  'allowSymlinks',
];

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Reads what the directory is to be compared with.
 *
 * @throws E_ARGUMENT; E_FILE_MISSING, E_FILE_READ, E_FILE_TOO_LARGE; E_MANIFEST; E_DIGEST when the list is not the one
 *   expected; and as verifyBundle
 */
export async function readStatement(directory: string, options: VerifyOptions): Promise<Statement> {
  checkOptions(options);
  const { expect } = options;
  const policy = policyOf(options);
  if (policy !== undefined) return readSignature(directory, policy, options);
  if (expect === undefined || options.manifest !== undefined) return readManifest(directory, options);
  return {
    by: 'digest',
    source: expect,
    record: undefined,
    digest: expect,
    ignored: [...GIT_NAMES, MANIFEST_NAME, SIGNATURE_NAME, ...checkIgnorePaths(options.ignorePaths ?? [])],
    signer: null,
    subject: null,
    warnings: [],
    limits: [NOT_COVERED],
  };
}

/**
 * Hashes what is in the directory and compares.
 *
 * @param options.namesFirst - refuse other names than the recorded ones before anything is hashed
 * @throws E_DIGEST, with namesFirst; and as findFiles and hashFiles
 */
export async function examine(
  directory: string,
  statement: Statement,
  options: HashOptions & {
    allowSymlinks?: boolean | undefined;
    namesFirst?: boolean;
    /** Which of the files to keep, when their names are known. */
    choose?: (files: readonly { name: string; bytes: number }[]) => ReadonlySet<string>;
  },
): Promise<Examined> {
  const { record } = statement;
  const isIgnored = ignoring(statement.ignored);
  const ignore = (name: string): boolean => !record?.files.has(name) && isIgnored(name);
  const { files: found, ignored, emptyDirectories } = await findFiles(directory, ignore, options.allowSymlinks);
  const names = found.map(({ name }) => name);
  if (options.namesFirst && record) {
    checkComparison(compareNames({ ...record, ignored: [] }, names), directory, statement.source);
  }

  // A file that was added is hashed as the others are, to see whether it is one of those that are missing.
  const usual = record?.files.values().next().value?.algorithm ?? 'sha256';
  const algorithmOf = (name: string): RecordedFile['algorithm'] => record?.files.get(name)?.algorithm ?? usual;
  const chosen = options.choose?.(found);
  const { digests, kept } = await hashFiles(found, algorithmOf, {
    onProgress: options.onProgress,
    keep: ({ name }) => chosen?.has(name) ?? false,
  });
  const files = names.map(name => ({
    name,
    algorithm: algorithmOf(name),
    digest: digests.get(name) as string,
  }));
  const byName = new Map(files.map(file => [file.name, file]));
  const comparison = compare(record ?? { source: statement.source, files: byName, ignored: [] }, names, byName);
  return {
    comparison: { ...comparison, ignored: [...ignored] },
    files,
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    rootDigest: record && isUnchanged(comparison) ? statement.digest : rootDigest(files),
    listDigest: files.every(({ algorithm }) => algorithm === 'sha256') ? digestOf(formatSha256sums(files)) : null,
    emptyDirectories,
    kept,
  };
}

/** @throws E_DIGEST unless the directory is what was stated */
export function checkExamined(directory: string, statement: Statement, examined: Examined): void {
  checkComparison(examined.comparison, directory, statement.source);
  const { rootDigest, listDigest } = examined;
  if (rootDigest === statement.digest || listDigest === statement.digest) return;
  throw new GlassbertError('E_DIGEST', 'the directory has another digest', {
    file: directory,
    expected: statement.digest,
    found: `the list digest ${listDigest} and the root digest ${rootDigest}`,
    hint: 'A digest alone does not tell which file differs; the list it was made from (SHA256SUMS) does.',
  });
}

export function reportOf(statement: Statement, examined: Examined): Verification {
  const { by, source, signer, warnings } = statement;
  const { comparison, files, bytes, rootDigest } = examined;
  const limits = limitsOf(statement, examined);
  return { by, source, rootDigest, files: files.length, bytes, ignored: comparison.ignored, signer, warnings, limits };
}

/** What was not shown, in sentences. */
export function limitsOf({ by, digest, limits }: Statement, { rootDigest }: Examined): readonly string[] {
  return by === 'digest' && digest === rootDigest ? [NOT_NAMES, ...limits] : limits;
}

// ---------------------------------------------------------------------------------------------------------------------

const NOT_COVERED =
  '.git, .gitattributes, .github and .gitignore at the top, empty directories, permissions and dates, and the name of the directory.';

const NOT_NAMES =
  'The names: a root digest pins the content of the files and their order, so a file that was renamed and kept its place goes unseen. The list digest pins the names too.';

const ACCIDENTS_ALONE =
  'The list lies in the directory and nothing pins it: whoever could change a file could change the list. This shows accidents alone; pin the list digest, keep the list elsewhere, or sign.';

async function readManifest(directory: string, options: VerifyOptions): Promise<Statement> {
  const { locate, nameOf, pathOf } = await locatorOf(directory);
  const path = options.manifest ?? pathOf(MANIFEST_NAME);
  const own = await nameOf(path);
  const bytes = await (options.manifest === undefined
    ? locate(MANIFEST_NAME).then(
        at => readRecord(at.path, path),
        error => Promise.reject(nothingGiven(error)),
      )
    : readRecord(path).catch((error: unknown) => Promise.reject(notListed(error)))
  ).catch((error: unknown) => Promise.reject(noRecord(error, 'list of checksums')));
  const files = parseSha256sums(bytes, path);
  const root = rootDigest(inOrder(files.values()));
  const list = digestOf(bytes);
  const { expect } = options;
  if (expect !== undefined && expect !== root && expect !== list) {
    throw new GlassbertError('E_DIGEST', 'this is not the list that was expected', {
      file: path,
      expected: expect,
      found: `the list digest ${list} and the root digest ${root}`,
      hint: 'Somebody made it anew, or the expected digest is of another version of the model.',
    });
  }
  const ignored = [
    ...[...GIT_NAMES, MANIFEST_NAME, SIGNATURE_NAME, ...(own === undefined ? [] : [own])],
    ...checkIgnorePaths(options.ignorePaths ?? []),
  ];
  const unpinned = expect === undefined && own !== undefined;
  return {
    by: 'manifest',
    source: path,
    record: { source: path, files, ignored },
    digest: root,
    ignored,
    signer: null,
    subject: null,
    warnings: unpinned ? [{ code: 'W_MANIFEST_UNPINNED', message: `${path}: ${ACCIDENTS_ALONE}` }] : [],
    limits: [...(expect === root ? [NOT_NAMES] : []), NOT_COVERED],
  };
}

async function readSignature(directory: string, policy: SignaturePolicy, options: VerifyOptions): Promise<Statement> {
  const { locate, nameOf, pathOf } = await locatorOf(directory);
  const path = options.signature ?? pathOf(SIGNATURE_NAME);
  const ignorePaths = checkIgnorePaths(options.ignorePaths ?? []);
  const { allowSymlinks = false } = options;
  const name = basename(resolve(directory));
  const reading = options.signature === undefined ? locate(SIGNATURE_NAME) : Promise.resolve({ path });
  const bytes = await reading
    .then(at => readRecord(at.path, path))
    .catch((error: unknown) => Promise.reject(notSigned(error, options.signature !== undefined)));
  const signed = await verifyBundle(bytes, path, policy, {
    allowSymlinks,
    ignorePaths,
    directory: name,
  });
  const own = await nameOf(path);
  const ignored = [
    ...new Set([...GIT_NAMES, ...(own === undefined ? [] : [own]), ...signed.record.ignored, ...ignorePaths]),
  ];
  return {
    by: 'signature',
    source: path,
    record: { ...signed.record, ignored },
    digest: signed.rootDigest,
    ignored,
    signer: signed.signer,
    subject: signed.subject,
    warnings: signed.warnings,
    limits: [NOT_COVERED],
  };
}

function digestOf(list: string | Uint8Array): string {
  return `sha256:${hashBytes(typeof list === 'string' ? Buffer.from(list) : list, 'sha256')}`;
}

/** @param path - in the directory where it was looked for by its usual name; anywhere where the user has named it */
async function readRecord(path: string, shown: string = path): Promise<Uint8Array> {
  const file = await RegularFile.open(path, { name: shown });
  try {
    return file.size === 0 ? new Uint8Array() : await file.readAll(MAX_RECORD_BYTES); // an empty one: its reader says so
  } finally {
    await file.close();
  }
}

function policyOf(options: VerifyOptions): SignaturePolicy | undefined {
  const { publicKey, certificateRoots, trustedRoot, identity, issuer, at, signature, manifest, expect } = options;
  const ways = [
    publicKey,
    certificateRoots,
    trustedRoot ?? identity ?? issuer,
    manifest ?? expect, // the second pins the first
  ].filter(way => way !== undefined);
  if (ways.length > 1) {
    throw new GlassbertError('E_ARGUMENT', 'a directory is verified in one way at a time', {
      found: OPTIONS.filter(name => options[name as keyof VerifyOptions] !== undefined).join(', '),
    });
  }
  if (publicKey !== undefined) return { publicKey };
  if (certificateRoots !== undefined) return { certificateRoots, ...(at === undefined ? {} : { at }) };
  if (trustedRoot !== undefined && identity !== undefined && issuer !== undefined) {
    return { trustedRoot, identity, issuer };
  }
  if (trustedRoot !== undefined || identity !== undefined || issuer !== undefined) {
    throw new GlassbertError('E_ARGUMENT', 'a keyless signature is verified by three things together', {
      expected: 'trustedRoot, identity and issuer',
    });
  }
  if (signature === undefined) return undefined;
  throw new GlassbertError('E_ARGUMENT', 'a signature shows nothing without the key that should have made it', {
    expected: 'publicKey, certificateRoots, or trustedRoot with identity and issuer',
    hint: 'Take the key from whoever signed, not from the directory.',
  });
}

function checkOptions(options: VerifyOptions): void {
  const refuse = (summary: string, expected: string, found: string, hint?: string): GlassbertError =>
    new GlassbertError('E_ARGUMENT', summary, { expected, found, hint });
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw refuse('verify cannot be used', 'an object', Array.isArray(options) ? 'an array' : String(options));
  // A key that a program failed to find must not become no key: that would verify by the directory's own list.
  const unset = [...OPTIONS].find(
    name => Object.hasOwn(options, name) && options[name as keyof VerifyOptions] === undefined,
  );
  if (unset !== undefined) throw refuse(`${unset} is given and undefined`, 'a value, or no such option', 'undefined');
  const { expect, at, allowSymlinks = false, ignorePaths, ...texts } = options;
  for (const [name, value] of Object.entries(texts)) {
    if (!OPTIONS.includes(name)) throw refuse('there is no such way to verify', OPTIONS.join(', '), quote(name));
    if (value !== undefined && typeof value !== 'string')
      throw refuse(`${name} cannot be used`, 'a string', typeof value);
  }
  if (typeof allowSymlinks !== 'boolean')
    throw refuse('allowSymlinks cannot be used', 'true or false', typeof allowSymlinks);
  if (at !== undefined && at !== 'signing' && at !== 'now')
    throw refuse('at cannot be used', 'signing or now', nameOf(at));
  if (at !== undefined && texts.certificateRoots === undefined)
    throw refuse('at cannot be used', 'certificateRoots beside it', 'none');
  checkIgnorePaths(ignorePaths ?? []);
  if (expect !== undefined && typeof expect !== 'string')
    throw refuse('expect cannot be used', 'a string', nameOf(expect));
  if (expect !== undefined && !DIGEST.test(expect)) {
    throw refuse(
      'this is no digest',
      '"sha256:" and 64 hexadecimal digits in lower case',
      quote(expect),
      DIGEST.test(`sha256:${expect.toLowerCase()}`)
        ? `Write it as sha256:${expect.toLowerCase()}`
        : 'It is the list digest or the root digest that `glassbert manifest` printed, or what `sha256sum` prints of the list.',
    );
  }
}

function isUnchanged({ changed, missing, added, renamed }: Comparison): boolean {
  return changed.length + missing.length + added.length + renamed.length === 0;
}

/** What became of opening a list or a signature that the user has named, or that is looked for under its usual name. */
function notSigned(cause: unknown, named: boolean): unknown {
  if (!isAbsent(cause)) return noRecord(cause, 'signature');
  return new GlassbertError('E_FILE_MISSING', named ? 'there is no such signature' : 'there is no signature', {
    file: cause.file,
    hint: named
      ? 'Check the path that was given as the signature (--signature). `glassbert sign` makes one.'
      : 'It was never signed, or the signature lies elsewhere: give its path.',
    cause,
  });
}

/** Nothing has the name; not: a pointer or a web page has it, which names itself. */
function isAbsent(error: unknown): error is GlassbertError {
  return error instanceof GlassbertError && error.code === 'E_FILE_MISSING' && error.found === undefined;
}

function notListed(cause: unknown): unknown {
  if (!isAbsent(cause)) return cause;
  return new GlassbertError('E_FILE_MISSING', 'there is no such list of checksums', {
    file: cause.file,
    hint: 'Check the path that was given as the list (--manifest). Where the directory is known to be good, `glassbert manifest DIR --output FILE` makes one.',
    cause,
  });
}

/** A directory, a device, a file of gigabytes: most likely the wrong one was named. */
function noRecord(cause: unknown, what: string): unknown {
  const isOther = cause instanceof GlassbertError && ['E_FILE_TYPE', 'E_FILE_TOO_LARGE'].includes(cause.code);
  if (!isOther) return cause;
  return new GlassbertError(cause.code, `this is no ${what}`, {
    file: cause.file,
    expected: cause.expected,
    found: cause.found,
    hint: `Name the file of the ${what} itself, such as DIR/${what === 'signature' ? SIGNATURE_NAME : MANIFEST_NAME}.`,
    cause,
  });
}

function nothingGiven(cause: unknown): unknown {
  if (!(cause instanceof GlassbertError && cause.code === 'E_FILE_MISSING')) return cause;
  return new GlassbertError('E_FILE_MISSING', 'there is nothing to compare the directory with', {
    file: cause.file,
    expected: 'this list of checksums; or another one, a root digest, or a signature and its key',
    hint: 'Where the directory is known to be good, `glassbert manifest DIR --output DIR/SHA256SUMS` makes one.',
    cause,
  });
}
