/**
 * A directory beside what was recorded about it: which files are the same, changed, missing, added, renamed or ignored.
 *
 * A name that is recorded is compared, whatever is ignored. A name that is not recorded is ignored if the record or the
 * caller says so; otherwise it was added.
 */
import { GlassbertError, printable } from '../errors.ts';
import { quote } from '../io/json.ts';
import { type FileRecord, ignoring, isLeftover, type RecordedFile } from './record.ts';

export interface Comparison {
  readonly unchanged: string[];
  readonly changed: string[];
  readonly missing: string[];
  readonly added: string[];
  /** Recorded under one name, found unchanged under another. */
  readonly renamed: { from: string; to: string }[];
  readonly ignored: string[];
}

/** @param found - the names in the directory */
export function compareNames(
  record: FileRecord,
  found: readonly string[],
): Pick<Comparison, 'missing' | 'added' | 'ignored'> & { readonly present: string[] } {
  const there = new Set(found);
  const isIgnored = ignoring(record.ignored);
  const unrecorded = found.filter(name => !record.files.has(name));
  return {
    present: found.filter(name => record.files.has(name)),
    missing: [...record.files.keys()].filter(name => !there.has(name)),
    added: unrecorded.filter(name => !isIgnored(name)),
    ignored: unrecorded.filter(name => isIgnored(name)),
  };
}

/**
 * @param found - the names in the directory
 * @param digests - of those that are recorded, and of those that are not and are not ignored, by the record's algorithm
 */
export function compare(
  record: FileRecord,
  found: readonly string[],
  digests: ReadonlyMap<string, RecordedFile>,
): Comparison {
  const { present, missing, added, ignored } = compareNames(record, found);
  const same = (name: string): boolean => digests.get(name)?.digest === record.files.get(name)?.digest;

  // A missing file and an added one with the same content are one file with another name. Of several, the first by name.
  const addedBy = new Map<string, string[]>();
  for (const name of [...added].reverse()) {
    const digest = digests.get(name)?.digest as string;
    const names = addedBy.get(digest);
    if (names === undefined) addedBy.set(digest, [name]);
    else names.push(name);
  }
  const renamed: { from: string; to: string }[] = [];
  for (const from of missing) {
    const to = addedBy.get(record.files.get(from)?.digest as string)?.pop();
    if (to !== undefined) renamed.push({ from, to });
  }
  const gone = new Set(renamed.map(({ from }) => from));
  const come = new Set(renamed.map(({ to }) => to));
  return {
    unchanged: present.filter(same),
    changed: present.filter(name => !same(name)),
    missing: missing.filter(name => !gone.has(name)),
    added: added.filter(name => !come.has(name)),
    renamed,
    ignored,
  };
}

/** @throws E_DIGEST unless the directory is what the record says */
export function checkComparison(
  comparison: Pick<Comparison, 'missing' | 'added'> & Partial<Comparison>,
  directory: string,
  source: string,
): void {
  const { changed = [], missing, added, renamed = [] } = comparison;
  const lists: [string, string[]][] = [
    ['changed', changed.map(quote)],
    ['missing', missing.map(quote)],
    ['added', added.map(quote)],
    ['renamed', renamed.map(({ from, to }) => `${quote(from)} to ${quote(to)}`)],
  ];
  const told = lists.filter(([, names]) => names.length > 0);
  if (told.length === 0) return;
  throw new GlassbertError('E_DIGEST', `the directory is not what ${printable(source)} says`, {
    file: directory,
    found: told.map(([what, names]) => `${names.length} ${what} (${listed(names)})`).join(', '),
    hint: hintFor(missing, added, told.length),
  });
}

function hintFor(missing: readonly string[], added: readonly string[], kinds: number): string {
  const normalized = new Set(added.map(name => name.normalize()));
  const lookalike = missing.find(name => normalized.has(name.normalize()));
  if (lookalike !== undefined) {
    return `The name ${quote(lookalike)} is there in another Unicode form: it was copied by way of a system that changes names.`;
  }
  if (kinds === 1 && added.length > 0 && added.every(isLeftover)) {
    return 'A glassbert that was killed left it behind, before its output had its name. Remove it, and compare again.';
  }
  if (kinds === 1 && added.length > 0) {
    return 'Remove what does not belong there. What was left out of the record on purpose can be ignored (ignorePaths, --ignore-path); it is never loaded then.';
  }
  return 'Do not use it. Copy it again from where the record was made, and ask there if that does not help.';
}

/** How many of many names an error lists. */
const LISTED = 5;

function listed(names: readonly string[]): string {
  return names.slice(0, LISTED).join(', ') + (names.length > LISTED ? `, and ${names.length - LISTED} more` : '');
}
