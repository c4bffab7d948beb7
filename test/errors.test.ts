/** The codes of errors and warnings: each is documented, each is used, and a test expects each. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CHECK_CODES } from '../src/completeness/findings.ts';
import { ERROR_CODES, GlassbertError, printable, WARNING_CODES } from '../src/errors.ts';
import { ERROR_TABLE_FILE, errorTable } from './misc/make-error-table.ts';

const ERRORS = Object.keys(ERROR_CODES);
const WARNINGS = Object.keys({ ...CHECK_CODES, ...WARNING_CODES });

/** TypeScript below a directory, without comments and imports: what it says, not what it says of itself. */
function sources(directory: string, leaveOut: RegExp): string[] {
  const root = fileURLToPath(new URL(directory, import.meta.url));
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !leaveOut.test(name))
    .map(name => readFileSync(`${root}${name}`, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''));
}

/** How often a code stands in them as a word: 'E_JSON' in quotes, or in the pattern of a message. */
function uses(code: string, texts: readonly string[]): number {
  const word = new RegExp(`(?<![A-Z_])${code}(?![A-Z_])`, 'g');
  return texts.reduce((count, text) => count + (text.match(word)?.length ?? 0), 0);
}

const source = sources('../src/', /^errors\.ts$|^completeness\/findings\.ts$/);
// What a test of codes lists proves nothing, and neither does what may be refused in several ways.
const tests = sources('./', /^errors\.test\.ts$|^misc\//);

test('docs/errors.md is what the source says (npm exec -- node test/misc/make-error-table.ts)', () => {
  expect(readFileSync(ERROR_TABLE_FILE, 'utf8')).toBe(errorTable());
});

describe('every code', () => {
  test('is thrown or given somewhere, and there is no other', () => {
    expect([...ERRORS, ...WARNINGS].filter(code => uses(code, source) === 0)).toEqual([]);
    const used = new Set(source.flatMap(text => text.match(/(?<=['"])[EW]_[A-Z_]+(?=['"])/g) ?? []));
    expect([...used].filter(code => !ERRORS.includes(code) && !WARNINGS.includes(code))).toEqual([]);
  });

  test('of an error is expected by a test', () => {
    const places = ERRORS.map(code => [code, uses(code, tests)] as const);
    process.stdout.write(
      `\nError codes: ${places.filter(([, count]) => count > 0).length} of ${ERRORS.length} are expected by tests, ` +
        `in ${places.reduce((sum, [, count]) => sum + count, 0)} places\n\n`,
    );
    expect(places.filter(([, count]) => count === 0)).toEqual([]);
  });

  test('of a warning is expected by a test', () => {
    expect(WARNINGS.filter(code => uses(code, tests) === 0)).toEqual([]);
  });

  test('that nobody expects is found out', () => {
    expect(uses('E_NEVER', ["refusal('E_NEVERMORE', () => {}); // E_OTHER"])).toBe(0);
    expect(uses('E_NEVER', ["refusal('E_NEVER')", '/^error E_NEVER: /'])).toBe(2);
    expect(uses(`E_${'NEVER'}`, tests)).toBe(0);
  });

  test('of an error has a cause and a fix, in whole sentences', () => {
    for (const { cause, fix } of Object.values(ERROR_CODES)) {
      expect(cause).toMatch(/^\S.*\.$/);
      expect(fix).toMatch(/^\S.*\.$/);
    }
  });
});

test('a message tells file, summary, expected and found, and nothing in it reaches a terminal as a command', () => {
  const error = new GlassbertError('E_CONFIG', 'it is wrong', { file: 'a\u001b[2J', expected: 'x', found: '\u202ey' });
  expect(error.message).toBe('a\\u{1b}[2J: it is wrong: expected x, found \\u{202e}y');
  expect(printable('x'.repeat(1e6)).length).toBeLessThan(2100);
});
