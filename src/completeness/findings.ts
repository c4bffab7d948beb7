/**
 * What a check finds. A problem never ends the check: what the loader would throw is written down here, and the check goes
 * on with what is left. Many findings of one kind are listed up to a number and counted beyond it, so that a hostile
 * directory cannot make the report long.
 */
import { relative, sep } from 'node:path';
import { type ErrorCode, GlassbertError, printable, type Refuse } from '../errors.ts';
import type { Warning } from '../io/load-report.ts';

/** An `error` keeps the directory from being complete; a `warning` needs somebody's judgement; a `note` is to be known. */
export type Severity = 'error' | 'warning' | 'note';

/**
 * `incomplete`: something is missing or does not fit; `integrity`: a file is not the one that was recorded; `signature`: a
 * signature does not hold; `unsafe`: malformed, or not safe to open or to carry to another system.
 */
export type Kind = 'incomplete' | 'integrity' | 'signature' | 'unsafe';

export interface Finding {
  readonly severity: Severity;
  readonly kind: Kind;
  /** E_…, a key of ERROR_CODES, for an error; W_… otherwise. */
  readonly code: string;
  /** The name in the directory; '.' for the directory itself. */
  readonly file: string;
  readonly message: string;
  /** What to do about it; null where the message says it all. */
  readonly hint: string | null;
}

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
  private readonly directory: string;
  private readonly seen = new Set<string>();
  private readonly ofCode = new Map<string, number>();
  private readonly explanations = new Map<string, Finding>();
  private readonly lookalikes = new Map<string, string>();

  constructor(directory: string) {
    this.directory = directory;
  }

  add(finding: Finding): void {
    const { severity, code, file, message } = finding;
    const key = JSON.stringify([code, file, message]);
    if (this.seen.has(key)) return;
    const count = (this.ofCode.get(code) ?? 0) + 1;
    this.ofCode.set(code, count);
    this.counts[severity]++;
    if (count > LISTED) return;
    this.seen.add(key);
    this.all.push({ ...finding, file: printable(file), message: printable(message) });
  }

  warn(code: string, kind: Kind, file: string, message: string, hint: string | null = null): void {
    this.add({ severity: 'warning', kind, code, file, message, hint });
  }

  note(code: string, kind: Kind, file: string, message: string, hint: string | null = null): void {
    this.add({ severity: 'note', kind, code, file, message, hint });
  }

  /** A warning of the loader, which names no file. */
  readonly warnAsLoading = ({ code, message }: Warning): void => this.warn(code, 'incomplete', '.', message);

  /** Writes an error of the loader down. A bug stays one. */
  readonly refuse: Refuse = error => {
    if (!(error instanceof GlassbertError)) throw error;
    const file = error.file === undefined ? '.' : nameIn(this.directory, error.file);
    const explanation = this.explanations.get(file);
    if (explanation !== undefined) return this.add(explanation);
    const lookalike = error.code === 'E_FILE_MISSING' ? this.lookalikes.get(fold(file)) : undefined;
    const prefix = printable(`${error.file}: `);
    this.add({
      severity: 'error',
      kind: kindOf(error),
      code: error.code,
      file,
      message: error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message,
      hint:
        lookalike === undefined || lookalike === file
          ? (error.hint ?? null)
          : `There is ${printable(lookalike)}: give it the exact name, upper and lower case included.`,
    });
  };

  /** What `run` gives, or nothing where it ended in an error, which is then written down. */
  async attempt<Result>(run: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await run();
    } catch (error) {
      this.refuse(error);
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

  /** Names that a missing file may have been given by mistake. */
  expect(names: Iterable<string>): void {
    for (const name of names) this.lookalikes.set(fold(name), name);
  }

  /** Whether there is an error about this file. */
  has(file: string): boolean {
    return this.all.some(finding => finding.severity === 'error' && finding.file === printable(file));
  }

  /** Findings that were counted and not listed, by code. */
  unlisted(): Readonly<Record<string, number>> {
    const beyond = [...this.ofCode]
      .filter(([, count]) => count > LISTED)
      .map(([code, count]) => [code, count - LISTED]);
    return Object.fromEntries(beyond);
  }
}

/** A name as a file system that knows no case and no forms of Unicode compares it. */
export function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

function kindOf({ code, hint }: GlassbertError): Kind {
  if (code === 'E_DIGEST') return 'integrity';
  if (SIGNATURE.includes(code)) return 'signature';
  // A file that ends too early is the ordinary fate of a copy, no attack.
  if (code === 'E_SAFETENSORS' && hint?.startsWith('The file is cut short')) return 'incomplete';
  return UNSAFE.includes(code) ? 'unsafe' : 'incomplete';
}

function nameIn(directory: string, file: string): string {
  const name = relative(directory, file).split(sep).join('/');
  return name.startsWith('../') ? file : name || '.';
}
