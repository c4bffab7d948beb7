/**
 * What is signed: an in-toto statement with the files of a model and their digests (OpenSSF Model Signing 1.0, sections 5
 * and 6). One subject, the model, whose digest is the root digest; and in the predicate how the files were found and
 * hashed, and each of them by name.
 *
 * Only the method `files` is read: `shards`, which signs pieces of files, may be refused (6.3.2), and the reference
 * implementation cannot verify its own. Names are compared with those in a directory, byte for byte and never opened, so
 * all characters are allowed that a file's name can have (a backslash too); what leads elsewhere is not.
 */
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import type { Warning } from '../io/load-report.ts';
import { sortByBytes } from '../io/walk.ts';
import { readObject } from './bundle.ts';
import { inOrder, rootDigest } from './digests.ts';
import { badName, ignoring, MAX_RECORDED_FILES, type RecordedFile } from './record.ts';

export interface Statement {
  /** What the model was called where it was signed. */
  readonly subject: string;
  /** 'sha256:' and 64 hexadecimal digits. */
  readonly rootDigest: string;
  /** In the order in which they are listed. */
  readonly files: readonly RecordedFile[];
  readonly ignorePaths: readonly string[];
}

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'https://model_signing/signature/v1.0';

/** Of model_signing 0.2.0, which signed another text than it wrote. */
const OLD_PREDICATE_TYPE = 'https://model_signing/Digests/v0.1';

/** How many hexadecimal digits a digest has. blake2b is BLAKE2b-512. */
const DIGITS: Readonly<Record<RecordedFile['algorithm'], number>> = { sha256: 64, blake2b: 128 };

/** A resource takes four values and may have a few more that are not used here. */
const MAX_VALUES = 10 * MAX_RECORDED_FILES;

/**
 * The statement about these files, in the order of the specification: by the code points of their names.
 *
 * @param ignorePaths - what was left out
 */
export function serializeStatement(
  files: readonly RecordedFile[],
  subject: string,
  ignorePaths: readonly string[],
): Uint8Array {
  const sorted = inOrder(files);
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: subject, digest: { sha256: rootDigest(sorted).replace('sha256:', '') } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        ignore_paths: sortByBytes([...new Set(ignorePaths)], path => path),
      },
      resources: sorted.map(({ name, algorithm, digest }) => ({ name, algorithm, digest })),
    },
  };
  return Buffer.from(JSON.stringify(statement));
}

/**
 * @param payload - whose signature has been verified
 * @throws E_BUNDLE
 */
export function parseStatement(
  payload: Uint8Array,
  file: string,
  options: { readonly allowSymlinks?: boolean } = {},
  warn: (warning: Warning) => void = () => {},
): Statement {
  const { object: statement } = readObject(payload, file, 'the payload: ', MAX_VALUES);
  const refuse = (
    summary: string,
    details: { expected?: string; found?: string; hint?: string } = {},
  ): GlassbertError => new GlassbertError('E_BUNDLE', summary, { file, ...details });

  const old = refusalOfOldType(statement);
  if (old !== undefined) throw old;
  const unread = new Unread(file);
  unread.beside(statement, ['_type', 'subject', 'predicateType', 'predicate'], '');
  statement.string('_type', { oneOf: [STATEMENT_TYPE] });
  statement.string('predicateType', { oneOf: [PREDICATE_TYPE] });
  const predicate = statement.object('predicate').only(['serialization', 'resources']);

  const subjects = statement.array('subject');
  if (subjects.length !== 1) throw refuse('a signature is of one model', { found: `${subjects.length} subjects` });
  const model = fields(subjects[0], file, 'subject[0]', 'E_BUNDLE');
  const subject = model.string('name');
  if (subject === '') throw refuse('the name of the model is empty');
  unread.beside(model, ['name', 'digest'], 'subject[0].');
  unread.beside(model.object('digest'), ['sha256'], 'subject[0].digest.');

  const serialization = predicate.object('serialization');
  const method = serialization.string('method');
  if (method !== 'files') {
    throw refuse('the files were not signed as wholes', {
      expected: 'the method "files"',
      found: quote(method),
      ...(method === 'shards' && { hint: 'Signatures of shards are not supported. Sign with the method "files".' }),
    });
  }
  serialization.only(['method', 'hash_type', 'allow_symlinks', 'ignore_paths']);
  const algorithm = serialization.string('hash_type');
  if (algorithm !== 'sha256' && algorithm !== 'blake2b') {
    throw refuse('the files were hashed with a function that is not supported', {
      expected: 'sha256 or blake2b',
      found: quote(algorithm),
      ...(algorithm === 'blake3' && { hint: 'Node.js has no BLAKE3. Sign with sha256.' }),
    });
  }
  if (serialization.boolean('allow_symlinks') && options.allowSymlinks !== true) {
    throw refuse('links were followed when this was signed', {
      hint: 'What they lead to can be another file here. To allow it nevertheless: --allow-symlinks.',
    });
  }

  const resources = predicate.array('resources');
  const digests = new Digests(file, resources.length === 1);
  const files = resources.map((json, i) => {
    const where = `predicate.resources[${i}]`;
    const resource = fields(json, file, where, 'E_BUNDLE');
    unread.beside(resource, ['name', 'algorithm', 'digest'], `${where}.`);
    return digests.resource(resource, algorithm);
  });
  if (files.length === 0 || files.length > MAX_RECORDED_FILES) {
    throw refuse('the number of files is out of range', {
      expected: `1 to ${MAX_RECORDED_FILES}`,
      found: `${files.length}`,
    });
  }
  const names = new Set(files.map(({ name }) => name));
  if (names.size < files.length) {
    const twice = files.find(({ name }) => !names.delete(name));
    throw refuse('a file is listed twice', { found: quote(twice?.name ?? '') });
  }

  const root = `sha256:${digests.hex(model.object('digest'), 'sha256', 'sha256')}`;
  if (root !== rootDigest(files)) {
    throw refuse('the digest of the model is not that of its files', { expected: rootDigest(files), found: root });
  }
  const ignorePaths = readIgnorePaths(serialization);

  if (unread.count > 0) warn({ code: 'W_STATEMENT_FIELD', message: `${file}: ${unread}` });
  if (digests.upperCase) warn({ code: 'W_DIGEST_CASE', message: `${file}: digests are in upper case` });
  if (!isSorted(files)) warn({ code: 'W_UNSORTED', message: `${file}: the files are listed in no known order` });
  if (files[0].name === '.') {
    warn({ code: 'W_SINGLE_FILE', message: `${file}: this is the signature of a single file, not of a directory` });
  }
  const isIgnored = ignoring(ignorePaths);
  const both = files.find(({ name }) => isIgnored(name));
  if (both !== undefined) {
    warn({ code: 'W_IGNORED_AND_SIGNED', message: `${file}: ${quote(both.name)} is signed, and said to be left out` });
  }
  return { subject, rootDigest: root, files, ignorePaths };
}

/** Why the signature of a payload of the old type cannot be verified: it is not over what the file holds. */
export function oldTypeError(payload: Uint8Array, file: string): GlassbertError | undefined {
  try {
    return refusalOfOldType(readObject(payload, file, '', MAX_VALUES).object);
  } catch {
    return undefined; // it is of no type
  }
}

// ---------------------------------------------------------------------------------------------------------------------

function refusalOfOldType(statement: Fields): GlassbertError | undefined {
  if (statement.raw('predicateType') !== OLD_PREDICATE_TYPE) return undefined;
  return new GlassbertError(
    'E_BUNDLE',
    'the signature was made by model_signing 0.2.0, before the format was settled',
    {
      file: statement.file,
      expected: PREDICATE_TYPE,
      found: OLD_PREDICATE_TYPE,
      hint: 'Have the model signed again with a release from 0.3.1 on, or with glassbert sign.',
    },
  );
}

/** How many of the fields that are not looked at a warning lists. */
const LISTED = 5;

/**
 * Fields that are signed and of no meaning here. "Consumers MUST ignore unrecognized fields" (in-toto Attestation Framework
 * 1.0, parsing rules), in resources too (OpenSSF Model Signing 1.0, 5.2.1); the predicate and its serialization have no
 * others (8.3.3), so those are refused elsewhere.
 */
class Unread {
  count = 0;
  private readonly file: string;
  private readonly listed: string[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /**
   * @param where - what stands before the names of the fields
   * @throws E_BUNDLE for a name that another program takes for one of those known
   */
  beside(object: Fields, known: readonly string[], where: string): void {
    for (const key of object.keys) {
      if (known.includes(key)) continue;
      const like = known.find(name => fold(name) === fold(key));
      if (like !== undefined) {
        throw new GlassbertError('E_BUNDLE', `${quote(where + key)} can be taken for ${quote(where + like)}`, {
          file: this.file,
          hint: 'Programs that read it so verify something else. No genuine signature has it: do not trust it.',
        });
      }
      this.count++;
      if (this.listed.length < LISTED) this.listed.push(quote(where + key));
    }
  }

  toString(): string {
    const more = this.count - this.listed.length;
    return `signed, and not looked at: ${this.listed.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
  }
}

/** Go's encoding/json does not tell capitals from small letters, and protobuf's JSON takes predicate_type for predicateType. */
function fold(key: string): string {
  return key.replaceAll('_', '').toUpperCase().toLowerCase();
}

/** Reads digests, and remembers whether one was in upper case. */
class Digests {
  upperCase = false;
  private readonly file: string;
  /** The reference implementation calls the file "." where the model is a single one. */
  private readonly alone: boolean;

  constructor(file: string, alone: boolean) {
    this.file = file;
    this.alone = alone;
  }

  resource(resource: Fields, algorithm: RecordedFile['algorithm']): RecordedFile {
    const name = resource.string('name');
    const why = this.alone && name === '.' ? undefined : badName(name);
    if (why !== undefined) {
      throw new GlassbertError('E_BUNDLE', `a name is none of a file in a directory: ${why}`, {
        file: this.file,
        found: quote(name),
      });
    }
    resource.string('algorithm', { oneOf: [algorithm] });
    return { name, algorithm, digest: this.hex(resource, 'digest', algorithm) };
  }

  hex(object: Fields, key: string, algorithm: RecordedFile['algorithm']): string {
    const text = object.string(key);
    if (text.length !== DIGITS[algorithm] || !/^[0-9a-fA-F]*$/.test(text)) {
      throw new GlassbertError('E_BUNDLE', 'a digest is malformed', {
        file: this.file,
        expected: `${DIGITS[algorithm]} hexadecimal digits`,
        found: quote(text),
      });
    }
    const lower = text.toLowerCase();
    this.upperCase ||= lower !== text;
    return lower;
  }
}

/** Names, no patterns: "*.bin" is a file of that name. */
function readIgnorePaths(serialization: Fields): string[] {
  return serialization.array('ignore_paths', { default: [] }).map(path => {
    const why = typeof path === 'string' ? badName(path) : 'it is no text';
    if (typeof path === 'string' && why === undefined) return path;
    throw new GlassbertError('E_BUNDLE', `a path to be ignored is none in a directory: ${why}`, {
      file: serialization.file,
      found: typeof path === 'string' ? quote(path) : typeof path,
    });
  });
}

/** In the order of the specification, by code points, or in that of the reference implementation, by the parts of a path. */
function isSorted(files: readonly RecordedFile[]): boolean {
  const ascending = (keys: readonly Uint8Array[]): boolean =>
    keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1], key) < 0);
  // NUL is in no name and below every character: with it between the parts, bytes compare as the lists of parts do.
  return (
    ascending(files.map(({ name }) => Buffer.from(name))) ||
    ascending(files.map(({ name }) => Buffer.from(name.replaceAll('/', '\0'))))
  );
}
