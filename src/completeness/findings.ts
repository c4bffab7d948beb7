/**
 * What a check finds. A problem never ends the check: what the loader would throw is written down here, and the check goes
 * on with what is left. Many findings of one kind are listed up to a number and counted beyond it, so that a hostile
 * directory cannot make the report long.
 */
import { relative, sep } from 'node:path';
import { type ErrorCode, GlassbertError, printable, type Refuse } from '../errors.ts';
import type { Warning } from '../io/load-report.ts';

/** An `error` keeps the directory from being complete; a `warning` needs a person's judgement; a `note` is for information. */
export type Severity = 'error' | 'warning' | 'note';

/**
 * `incomplete`: something is missing or does not fit; `integrity`: a file is not the one that was recorded; `signature`: a
 * signature does not hold; `unsafe`: malformed, or not safe to open or to carry to another system.
 */
export type Kind = 'incomplete' | 'integrity' | 'signature' | 'unsafe';

export interface Finding {
  readonly severity: Severity;
  readonly kind: Kind;
  /** For an error a key of ERROR_CODES; otherwise one of CHECK_CODES, or of a warning of loading. */
  readonly code: string;
  /** The name in the directory; '.' for the directory itself. */
  readonly file: string;
  readonly message: string;
  /** What to do about it; null where the message says it all. */
  readonly hint: string | null;
}

/** The stable codes of warnings and notes, each with its cause. */
export const CHECK_CODES = {
  W_CODE_IGNORED: 'config.json names code that comes with the model.',
  W_FILE_ABSENT: 'A file that a model can do without is not there, and something else decides.',
  W_FILE_EMPTY: 'A file that loading does not read is empty.',
  W_LEFTOVER: 'A download that did not end left a file behind.',
  W_LINKS: 'Entries of the directory are links, which a copy may not follow.',
  W_LINK_BROKEN: 'A link leads nowhere.',
  W_LISTED_BY_HUB: 'A missing file was published with the model; its size and digest are known.',
  W_MODULE_NUMBER: 'The numbers or names of the modules in modules.json do not count them.',
  W_NAME_COLLISION: 'Two names are one on systems that compare without case or Unicode form.',
  W_NAME_FORM: 'A name is not in the composed form of Unicode.',
  W_NAME_NOT_PORTABLE: 'A name is not possible, or another, on Windows.',
  W_NOT_CHECKED: 'A step of the check had nothing to work on, or reached its bound.',
  W_PLACEHOLDER: 'A pointer or a web page stands in the place of a file that loading does not read.',
  W_SPECIAL_TOKENS: 'Two files name different special tokens.',
  W_TOKENIZER_FILES: 'Files of the tokenizer contradict each other, or one that loading does not read is malformed.',
  W_TOKENIZER_NOTE: 'Something that was decided when the tokenizer was made may surprise.',
  W_TOTAL_SIZE: 'The index of the shards counts their bytes wrong.',
  W_VOCABULARY_PADDED: 'The embedding table has more rows than the tokenizer has ids.',
  W_WEIGHTS_EXPECTED: 'How large missing weights are.',
  W_WEIGHTS_TWICE: 'There are both model.safetensors and an index of shards, which is ignored.',
} as const;

type CheckCode = keyof typeof CHECK_CODES;

/** How many findings of one code are listed. */
const LISTED = 20;

const UNSAFE: readonly ErrorCode[] = [
  'E_PATH_UNSAFE',
  'E_FILE_TYPE',
  'E_FILE_TOO_LARGE',
  'E_JSON',
  'E_SAFETENSORS',
  'E_MANIFEST',
];
const SIGNATURE: readonly ErrorCode[] = ['E_BUNDLE', 'E_SIGNATURE', 'E_CERTIFICATE', 'E_KEY'];

export class Findings {
  readonly all: Finding[] = [];
  /** How many there are, those that are not listed too. */
  readonly counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };
  /** The code of the first error, as loading gives it, since this was last cleared. */
  first: ErrorCode | undefined;
  /** The kinds of all errors, those that are not listed too. */
  readonly kinds: Set<Kind> = new Set();
  private readonly directory: string;
  private readonly seen = new Set<string>();
  private readonly ofCode = new Map<string, { listed: number; beyond: number }>();
  private readonly explanations = new Map<string, Finding>();
  private readonly told = new Set<string>();
  private readonly lookalikes = new Map<string, string>();

  constructor(directory: string) {
    this.directory = directory;
  }

  add(finding: Finding): void {
    const { severity, kind, code, file, message } = finding;
    const key = JSON.stringify([code, file, message]);
    if (this.seen.has(key)) return;
    const tally = this.tallyOf(code);
    this.counts[severity]++;
    if (severity === 'error') this.kinds.add(kind);
    if (tally.listed === LISTED) {
      tally.beyond++;
      return;
    }
    tally.listed++;
    this.seen.add(key);
    this.all.push({ ...finding, file: printable(file), message: printable(message) });
  }

  warn(code: CheckCode, kind: Kind, file: string, message: string, hint?: string | null): void {
    this.add({ severity: 'warning', kind, code, file, message, hint: hint ?? null });
  }

  note(code: CheckCode, kind: Kind, file: string, message: string, hint: string | null = null): void {
    this.add({ severity: 'note', kind, code, file, message, hint });
  }

  /** A warning of the loader, which names no file. */
  readonly warnAsLoading = ({ code, message }: Warning): void =>
    this.add({ severity: 'warning', kind: 'incomplete', code, file: '.', message, hint: null });

  /** Writes an error of the loader down. A bug stays one. */
  readonly refuse: Refuse = error => {
    if (!(error instanceof GlassbertError)) throw error;
    this.first ??= error.code;
    const file = this.nameOf(error);
    const explanation = this.explanations.get(file);
    // What would stand there is of no interest where it is refused: a pickle, an adapter.
    if (explanation !== undefined && error.code !== 'E_PICKLE_REFUSED' && error.code !== 'E_MODULE')
      return this.addOnce(explanation);
    const lookalike = error.code === 'E_FILE_MISSING' ? this.lookalikes.get(fold(file)) : undefined;
    this.add({
      severity: 'error',
      kind: kindOf(error),
      code: error.code,
      file,
      message: this.messageOf(error),
      hint:
        lookalike === undefined || lookalike === file
          ? (error.hint ?? null)
          : `There is ${printable(lookalike)}: give it the exact name, upper and lower case included.`,
    });
  };

  /**
   * An error for each item, all of one code. Those beyond the first are counted and not made: an error has a stack, and a
   * hostile directory has as many as it has files.
   */
  refuseEach<Item>(items: readonly Item[], errorOf: (item: Item) => GlassbertError): void {
    for (const item of items.slice(0, LISTED)) this.refuse(errorOf(item));
    const beyond = items.length - LISTED;
    if (beyond <= 0) return;
    const { code } = errorOf(items[LISTED]);
    this.counts.error += beyond;
    this.tallyOf(code).beyond += beyond;
  }

  /**
   * What `run` gives, or nothing where it ended in an error, which is then written down.
   *
   * @param doubt - the code of the warning that it is written down as: loading does not read the file
   */
  async attempt<Result>(run: () => Result | Promise<Result>, doubt?: CheckCode): Promise<Result | undefined> {
    try {
      return await run();
    } catch (error) {
      if (doubt === undefined || !(error instanceof GlassbertError)) this.refuse(error);
      else if (!this.explanations.has(this.nameOf(error))) {
        this.warn(doubt, 'incomplete', this.nameOf(error), this.messageOf(error), error.hint);
      }
      return undefined;
    }
  }

  /** What is wrong with a file is known already: whatever the loader says about it, this is what will be written down. */
  explain(finding: Finding): void {
    this.explanations.set(finding.file, finding);
  }

  /** The explanations that the loader had no use for: of files that it does not read. */
  unused(): Finding[] {
    return [...this.explanations.values()].filter(({ file }) => !this.has(file));
  }

  /** Says what to do with the first of the files for which it is the same. */
  addOnce(explanation: Finding): void {
    const { hint } = explanation;
    this.add(hint === null || !this.told.has(hint) ? explanation : { ...explanation, hint: null });
    if (hint !== null) this.told.add(hint);
  }

  /** Names that a missing file may have been given by mistake. */
  expect(names: Iterable<string>): void {
    for (const name of names) this.lookalikes.set(fold(name), name);
  }

  /** Whether there is an error about this file, or another finding. */
  has(file: string, severity: Severity = 'error'): boolean {
    return this.all.some(finding => finding.severity === severity && finding.file === printable(file));
  }

  /** Findings that were counted and not listed, by code. */
  unlisted(): Readonly<Record<string, number>> {
    const counts = [...this.ofCode].map(([code, { beyond }]): [string, number] => [code, beyond]);
    return Object.fromEntries(counts.filter(([, beyond]) => beyond > 0));
  }

  /** The file that an error is about, by its name in the directory. */
  private nameOf({ file }: GlassbertError): string {
    return file === undefined ? '.' : nameIn(this.directory, file);
  }

  /** Without the file. */
  private messageOf({ file, message }: GlassbertError): string {
    const prefix = printable(`${file}: `);
    return message.startsWith(prefix) ? message.slice(prefix.length) : message;
  }

  private tallyOf(code: string): { listed: number; beyond: number } {
    const tally = this.ofCode.get(code) ?? { listed: 0, beyond: 0 };
    this.ofCode.set(code, tally);
    return tally;
  }
}

/** A name as a file system that knows no case and no forms of Unicode compares it. */
export function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

function kindOf({ code, hint }: GlassbertError): Kind {
  if (code === 'E_DIGEST' || code === 'E_UNCOVERED') return 'integrity';
  if (SIGNATURE.includes(code)) return 'signature';
  // A file that ends too early is the ordinary fate of a copy, no attack.
  if (['E_SAFETENSORS', 'E_JSON'].includes(code) && hint?.startsWith('The file is cut short')) return 'incomplete';
  return UNSAFE.includes(code) ? 'unsafe' : 'incomplete';
}

function nameIn(directory: string, file: string): string {
  const name = relative(directory, file).split(sep).join('/');
  return name.startsWith('../') ? file : name || '.';
}
