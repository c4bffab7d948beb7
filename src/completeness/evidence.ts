/**
 * What is on record about the files: a list of checksums, a signature, what the Hugging Face hub said when they were
 * downloaded. What can be compared is compared here. Whether a signature is genuine needs a key, which is for `glassbert
 * verify`; that its digests are those of the files is seen here.
 *
 * None of it, as long as it lies in the directory itself and no key or root digest pins it, shows more than accidents.
 */
import { join, relative, sep } from 'node:path';
import { GlassbertError } from '../errors.ts';
import type { ModelFiles } from '../io/files.ts';
import type { OpenedFile } from '../io/load-report.ts';
import { parseBundle } from '../trust/bundle.ts';
import { compare } from '../trust/compare.ts';
import { type Algorithm, type FoundFile, type HashOptions, hashFiles } from '../trust/digests.ts';
import { type HubExpectation, hubExpectations } from '../trust/hub-metadata.ts';
import {
  type FileRecord,
  GIT_NAMES,
  ignoring,
  MANIFEST_NAME,
  MAX_RECORD_BYTES,
  type RecordedFile,
  SIGNATURE_NAME,
} from '../trust/record.ts';
import { parseStatement } from '../trust/statement.ts';
import { readStatement } from '../trust/verify.ts';
import type { Findings } from './findings.ts';
import type { Tree } from './tree.ts';

export interface Evidence {
  readonly kind: 'checksums' | 'signature' | 'download';
  /** The file that says it, or the first of them. */
  readonly source: string;
  /** `verified`: every file that it names and that is there is the one it means; `unverified`: nobody has checked. */
  readonly state: 'verified' | 'unverified' | 'failed';
  /** Files that it names and that are there. */
  readonly covered: number;
  /** Files that are there and that it does not name, those of git and of the download apart. */
  readonly uncovered: number;
  /** What it cannot show, or what to do for more. */
  readonly limit: string;
}

/** What the download keeps for itself. */
const DOWNLOAD = '.cache';

/** Records, which need not cover each other. */
const OWN: ReadonlySet<string> = new Set([DOWNLOAD, MANIFEST_NAME, SIGNATURE_NAME]);
const isOwn = ignoring(OWN);

/** @param read - the files that loading reads, which a record should cover */
export async function gatherEvidence(
  files: ModelFiles,
  tree: Tree,
  read: readonly OpenedFile[],
  findings: Findings,
  onProgress?: HashOptions['onProgress'],
): Promise<Evidence[]> {
  const { directory } = files;
  const isRecorded = tree.entries.some(({ name, kind }) => kind === 'link' || OWN.has(name));
  if (!isRecorded) return []; // to find out where 100,000 files are takes a while
  const found = await locateAll(directory, tree);
  const names = [...found.keys()];
  const hash: Hash = (algorithm, wanted) =>
    findings.attempt(async () => {
      const these = wanted.flatMap(name => found.get(name) ?? []);
      return (await hashFiles(these, () => algorithm, { onProgress })).digests;
    });

  const evidence: Evidence[] = [];
  if (found.has(MANIFEST_NAME)) {
    const record = await findings.attempt(async () => (await readStatement(directory, {})).record);
    evidence.push(await compareRecord('checksums', record, names, read, hash, directory, findings));
  }
  if (found.has(SIGNATURE_NAME)) {
    const record = await findings.attempt(() => readSignature(directory, tree));
    evidence.push(await compareRecord('signature', record, names, read, hash, directory, findings));
  }
  const expectations = (await findings.attempt(() => hubExpectations(files))) ?? [];
  if (expectations.length > 0) evidence.push(await compareDownload(expectations, found, hash, directory, findings));
  return evidence;
}

/** The digests of files by name; undefined where one of them cannot be read. */
type Hash = (algorithm: Algorithm, names: readonly string[]) => Promise<ReadonlyMap<string, string> | undefined>;

/** Every file, and every link to a file of the directory. What is wrong with the others has been said. */
async function locateAll(directory: string, tree: Tree): Promise<Map<string, FoundFile>> {
  const found = new Map<string, FoundFile>();
  for (const { name, kind, bytes } of tree.entries) {
    if (kind !== 'file' && kind !== 'link') continue;
    try {
      const at = kind === 'file' ? { path: join(tree.root, name), bytes } : await tree.locate(name);
      found.set(name, { name, shown: join(directory, name), ...at });
    } catch (error) {
      if (!(error instanceof GlassbertError)) throw error;
    }
  }
  return found;
}

// Checksums and signatures ----------------------------------------------------------------------------------------------

/** What a signature says, whoever made it. */
async function readSignature(directory: string, tree: Tree): Promise<FileRecord> {
  const source = join(directory, SIGNATURE_NAME);
  const bundle = parseBundle(await tree.peek(SIGNATURE_NAME, MAX_RECORD_BYTES + 1), source);
  const { files, ignorePaths } = parseStatement(bundle.payload, source, { allowSymlinks: true });
  const ignored = [...ignorePaths, ...GIT_NAMES, SIGNATURE_NAME];
  return { source, files: new Map(files.map(file => [file.name, file])), ignored };
}

async function compareRecord(
  kind: 'checksums' | 'signature',
  record: FileRecord | undefined,
  names: readonly string[],
  read: readonly OpenedFile[],
  hash: Hash,
  directory: string,
  findings: Findings,
): Promise<Evidence> {
  const source = kind === 'checksums' ? MANIFEST_NAME : SIGNATURE_NAME;
  if (record === undefined) {
    return { kind, source, state: 'failed', covered: 0, uncovered: names.length, limit: 'It cannot be read.' };
  }
  const algorithm = record.files.values().next().value?.algorithm ?? 'sha256';
  const isIgnored = ignoring(record.ignored);
  const wanted = names.filter(name => record.files.has(name) || !isIgnored(name));
  const digests = await hash(algorithm, wanted);
  const byName = new Map([...(digests ?? [])].map(([name, digest]) => [name, { name, algorithm, digest }] as const));
  const { unchanged, changed, missing, added, renamed } = compare(record, names, byName as Map<string, RecordedFile>);

  const differs = (name: string, summary: string, hint: string): GlassbertError =>
    new GlassbertError('E_DIGEST', summary, { file: join(directory, name), hint });
  const again = 'Copy it again from where the record was made, and ask there if that does not help.';
  if (digests !== undefined) {
    findings.refuseEach(changed, name => differs(name, `this is not the file that ${source} records`, again));
    findings.refuseEach(missing, name => differs(name, `${source} records this file, and it is not there`, again));
    findings.refuseEach(renamed, ({ from, to }) =>
      differs(to, `${source} records this file as ${from}`, 'Give it its name again.'),
    );
  }
  const unrecorded = read.filter(({ name }) => !record.files.has(name));
  findings.refuseEach(unrecorded, ({ name }) => {
    const summary = `loading reads this file, which ${source} does not record`;
    return new GlassbertError('E_UNCOVERED', summary, { file: join(directory, name) });
  });
  const isSame = digests !== undefined && changed.length + missing.length + renamed.length === 0;
  return {
    kind,
    source,
    state: !isSame ? 'failed' : kind === 'checksums' ? 'verified' : 'unverified',
    covered: unchanged.length + changed.length,
    uncovered: added.filter(name => !isOwn(name)).length,
    limit:
      kind === 'checksums'
        ? 'The list lies beside the files: it shows accidents alone, unless glassbert verify --expect pins it.'
        : 'Its digests were compared; whether it is genuine takes a key: glassbert verify DIR --public-key KEY.pem.',
  };
}

// The download ----------------------------------------------------------------------------------------------------------

async function compareDownload(
  expectations: readonly HubExpectation[],
  found: ReadonlyMap<string, FoundFile>,
  hash: Hash,
  directory: string,
  findings: Findings,
): Promise<Evidence> {
  const present = expectations.filter(({ name }) => found.has(name));
  const sameSize = ({ name, bytes }: HubExpectation): boolean =>
    bytes === undefined || bytes === found.get(name)?.bytes;
  const differing = present
    .filter(expectation => !sameSize(expectation))
    .map(({ name, bytes }) => ({ name, expected: `${bytes} bytes`, is: `${found.get(name)?.bytes}` }));
  const sized = present.filter(sameSize);
  let unread = false;
  for (const key of ['sha256', 'gitBlob'] as const) {
    const hashed = sized.filter(expectation => expectation[key] !== undefined);
    const digests = await hash(
      key,
      hashed.map(({ name }) => name),
    );
    unread ||= digests === undefined;
    for (const { name, [key]: expected } of hashed) {
      const is = digests?.get(name);
      if (is === undefined || expected === undefined || is === expected) continue;
      differing.push({ name, expected: `${key === 'sha256' ? 'SHA-256' : "git's SHA-1"} ${expected}`, is });
    }
  }
  findings.refuseEach(
    differing,
    ({ name, expected, is }) =>
      new GlassbertError('E_DIGEST', 'this is not the file that was published', {
        file: join(directory, name),
        expected,
        found: is,
        hint: 'It was changed, or the download or a copy damaged it: download it again.',
      }),
  );
  for (const expectation of expectations)
    if (!found.has(expectation.name)) tellOfMissing(expectation, directory, findings);

  const weak = present.filter(({ sha256 }) => sha256 === undefined).length;
  const named = new Set(expectations.map(({ name }) => name));
  const isIgnored = ignoring([...OWN, ...GIT_NAMES]);
  return {
    kind: 'download',
    source: relative(directory, expectations[0].source).split(sep).join('/'),
    state: unread || differing.length > 0 ? 'failed' : 'verified',
    covered: present.length,
    uncovered: [...found.keys()].filter(name => !named.has(name) && !isIgnored(name)).length,
    limit: `Shows what a download or a copy damaged, no more: the record lies beside the files${
      weak > 0 ? `, and ${weak} of them have only git's SHA-1, against which collisions can be made` : ''
    }.`,
  };
}

/** A download may leave other forms of the model out; of what is missed here, the publisher's list tells the rest. */
function tellOfMissing({ name, bytes, sha256 }: HubExpectation, directory: string, findings: Findings): void {
  const size = bytes === undefined ? '' : `, ${bytes.toLocaleString('en-US')} bytes`;
  const what = `The hub lists this file${size}${sha256 === undefined ? '' : `, SHA-256 ${sha256}`}.`;
  if (findings.has(name)) findings.note('W_LISTED_BY_HUB', 'incomplete', name, what);
  else if (findings.has(name, 'note')) {
    const summary = 'this file was published with the model and is not there';
    findings.refuse(new GlassbertError('E_FILE_MISSING', summary, { file: join(directory, name), hint: what }));
  }
}
