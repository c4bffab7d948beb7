/**
 * All that the command line writes: data to stdout, talk to stderr.
 *
 * Texts, file names and tokens were written by somebody else. Before they reach a terminal, `visible` and `json` take from
 * them what a terminal would obey. Colours are styleText's business, which looks at the stream, NO_COLOR and FORCE_COLOR.
 */
import { once } from 'node:events';
import { clearLine, cursorTo } from 'node:readline';
import { stripVTControlCharacters, styleText } from 'node:util';
import type { Warning } from '../io/load-report.ts';
import { onInterrupt } from './interrupt.ts';

/** Data. It waits while the reader of a pipe is slower than we are, and for none that has gone (see main.ts). */
export async function print(data: string | Uint8Array): Promise<void> {
  if (process.stdout.write(data)) return;
  await once(process.stdout, 'drain').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

export function talk(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function warn({ code, message }: Warning): void {
  talk(`${styleText('yellow', `warning ${code}`, { stream: process.stderr })}: ${visible(message)}`);
}

/** One line on stderr about work under way, where somebody is looking: not when stdout is in the same terminal. */
export class Progress {
  readonly #shown: boolean;
  readonly #start = performance.now();
  #last = 0;
  #isOnScreen = false;

  constructor(stdoutIsData: boolean) {
    this.#shown = process.stderr.isTTY && !(stdoutIsData && process.stdout.isTTY);
    // The shell's prompt comes on a line of its own.
    if (this.#shown) onInterrupt(() => this.#isOnScreen && process.stderr.write('\n'));
  }

  /** @param line - given the seconds since the beginning; asked for ten times a second at most */
  show(line: (seconds: number) => string): void {
    const now = performance.now();
    if (!this.#shown || now - this.#last < 100) return;
    this.#last = now;
    this.clear();
    process.stderr.write(line((now - this.#start) / 1000));
    this.#isOnScreen = true;
  }

  clear(): void {
    if (!this.#isOnScreen) return;
    cursorTo(process.stderr, 0);
    clearLine(process.stderr, 0);
    this.#isOnScreen = false;
  }
}

/** `1,152 texts, 490 texts/s, 37 %, 2 min 5 s left`. @param fraction - done, from 0 to 1, where the total is known */
export function progressLine(texts: number, seconds: number, fraction?: number): string {
  const rate = `${count(texts)} texts, ${count(Math.round(texts / seconds))} texts/s`;
  if (fraction === undefined || fraction === 0) return rate;
  return `${rate}, ${Math.floor(100 * fraction)} %, ${duration((seconds * (1 - fraction)) / fraction)} left`;
}

/** `2 min 5 s`. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [h, min, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h > 0) return `${h} h ${min} min`;
  return min > 0 ? `${min} min ${s} s` : `${s} s`;
}

// Text that is safe to show ---------------------------------------------------------------------------------------------

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text on one line, with invisible characters (controls, terminal escapes, bidirectional overrides) as escapes. */
export function visible(text: string): string {
  return text.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    c => NAMED_ESCAPES[c] ?? `\\u{${(c.codePointAt(0) as number).toString(16)}}`,
  );
}

/** JSON.stringify leaves some characters that terminals obey or hide; escaped, they are the same value to every reader. */
export function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(/[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu, c =>
    c
      .split('')
      .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

// Columns ---------------------------------------------------------------------------------------------------------------

/** Where stdout is no terminal, lines are as wide as most windows. */
export function terminalWidth(): number {
  return process.stdout.columns ?? 100;
}

/** Cells in columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[]): string {
  const widths = align.map((_, c) => rows.reduce((widest, row) => Math.max(widest, widthOf(row[c] ?? '')), 0));
  const lines = rows.map(row =>
    row.map((cell, c) => {
      // Behind the last cell nothing follows; one long name would otherwise pad a hundred thousand others.
      if (align[c] === 'left' && c === row.length - 1) return cell;
      const space = ' '.repeat(widths[c] - widthOf(cell));
      return align[c] === 'left' ? cell + space : space + cell;
    }),
  );
  return lines.map(cells => `${cells.join('  ').trimEnd()}\n`).join('');
}

/** Rows under a heading; nothing where there are none. */
export function section(
  heading: string,
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[] = ['left', 'left', 'left', 'left'],
): string {
  if (rows.length === 0) return '';
  return `${styleText('bold', heading)}\n${table(rows, align).replace(/^/gm, '  ').trimEnd()}\n`;
}

export function dim(text: string): string {
  return styleText('dim', text);
}

/** 3,402,240. */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}

/** The beginning of a text that fits into `width` columns. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let left = width - 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** East Asian Wide and Fullwidth, by block (UAX #11), and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
const WIDE_PLANE = /[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** How many columns of a terminal a text takes. */
function widthOf(text: string): number {
  let width = 0;
  for (const c of stripVTControlCharacters(text)) {
    if (/\p{M}/u.test(c)) continue;
    width += WIDE.test(c) || WIDE_PLANE.test(c) ? 2 : 1;
  }
  return width;
}
