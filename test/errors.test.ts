/** The codes of errors and warnings: each is documented, each is used, and a test expects each. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CHECK_CODES } from '../src/completeness/findings.ts';
import { ERROR_CODES, GlassbertError, printable, WARNING_CODES } from '../src/errors.ts';
import { ERROR_TABLE_FILE, errorTable } from './misc/make-error-table.ts';
import { copyModel } from './support/model-copy.ts';

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

describe('an error that nobody catches', () => {
  const EVIL = '\x1b]0;PWNED\x07\x1b[31m\u009b31m\u202e\u2028';

  /** What lies below one another, in an error of another kind each. */
  const causes: [string, unknown][] = [
    [
      'of the system',
      Object.assign(new Error(`ENOENT: no such file, open '${EVIL}'`), {
        code: 'ENOENT',
        errno: -2,
        syscall: 'open',
        path: EVIL,
      }),
    ],
    ['of JSON.parse', caught(() => JSON.parse(EVIL))],
    ['with a message of several lines', new Error(`a\n    at ${EVIL}\nb`)],
    ['whose message was changed', Object.assign(new Error(EVIL), { message: 'later' })],
    ['with a chain of causes', new Error('a', { cause: new TypeError('b', { cause: new Error(EVIL) }) })],
    ['of several', new AggregateError([new Error(EVIL), new GlassbertError('E_JSON', EVIL)], EVIL)],
    ['of a class with an odd name', Object.assign(new Error('a'), { name: EVIL })],
    ['that is a text', EVIL],
    ['that is an object', { toString: () => EVIL, [EVIL]: EVIL }],
    [
      'with a message and a name that are no text',
      Object.assign(new Error(EVIL), { message: { EVIL }, name: 5, stack: 5 }),
    ],
    ['of this library, with such a cause', new GlassbertError('E_JSON', EVIL, { file: EVIL, cause: new Error(EVIL) })],
  ];

  test.each(causes)('has a cause %s that may stand on a terminal', (_, cause) => {
    const error = new GlassbertError('E_FILE_READ', EVIL, {
      file: EVIL,
      expected: EVIL,
      found: EVIL,
      hint: EVIL,
      cause,
    });
    const seen = [error, new AggregateError([error]), new Error('of a caller', { cause: error })].map(each =>
      inspect(each, { depth: 9 }),
    );
    for (const text of [...seen, ...Object.values(error).map(String), `${error.stack}`]) {
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }
    expect(error.file).toBe(EVIL);
    expect(seen[0]).toContain('[cause]: ');
  });

  test('says what the system said, and where', () => {
    const { cause } = new GlassbertError('E_FILE_READ', 'x', { cause: causes[0][1] });
    expect(cause).toMatchObject({ code: 'ENOENT', errno: -2, syscall: 'open', path: printable(EVIL) });
    expect((cause as Error).stack).toMatch(/^Error: ENOENT: .*\n {4}at .*errors\.test\.ts/);
    expect(causes[0][1]).toMatchObject({ path: EVIL }); // which is not ours to change
  });

  test('ends, however many causes lie below one another', () => {
    const loop = new AggregateError([], 'a');
    loop.errors.push(...Array(1000).fill(loop));
    loop.cause = loop;
    const error = new GlassbertError('E_FILE_READ', 'x', { cause: loop });
    expect(inspect(error, { depth: 100 }).match(/AggregateError/g)?.length).toBeLessThan(100);
  });

  test.each([
    'throw error',
    'console.error(error)',
    'throw new Error("a", { cause: error })',
    'console.error([error])',
  ])('prints no command for the terminal: %s', async how => {
    const model = copyModel();
    for (const name of ['\x1b]0;PWNED\x07\x1b[31mred', '\u202etxt.exe']) symlinkSync('nowhere', model.path(name));
    model.write('SHA256SUMS', `${'0'.repeat(64)}  a\n`);
    const program = `
        import { SentenceEncoder } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
        try {
          await SentenceEncoder.load(${JSON.stringify(model.directory)}, { verify: { allowSymlinks: true } });
        } catch (error) {
          ${how};
        }`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
    expect(stderr).toMatch(
      /GlassbertError: [\s\S]*code: 'E_FILE_MISSING'[\s\S]*\[cause\]: Error: ENOENT: [\s\S]*syscall: 'realpath'/,
    );
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});

function caught(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
