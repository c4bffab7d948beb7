/** Where vectors go to: the formats, what is never replaced, and what is left when a run ends early. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDestination } from '../../src/cli/destination.ts';
import { Source } from '../../src/cli/input/source.ts';
import type { Entry } from '../../src/cli/input/texts.ts';
import { openOutputFile } from '../../src/cli/output.ts';
import { resume } from '../../src/cli/resume.ts';
import { refusal } from '../support/refusal.ts';
import { finish, fixture, glassbert, MAIN, makeDirectory, makeFile, output, start } from './run.ts';

const MODEL = fixture('bert-mean-normalize');
const EMBED = ['embed', '--model', MODEL, '--truncate-dim', '3'];

const TEXTS = Array.from({ length: 12 }, (_, i) => `text number ${i}`);

describe('formats', () => {
  test.concurrent('json, base64 and csv hold the bits of jsonl', async () => {
    const [jsonl, json, base64, csv] = await Promise.all(
      ['jsonl', 'json', 'base64', 'csv'].map(format =>
        output([...EMBED, '--batch-size', '5', '--format', format, ...TEXTS]),
      ),
    );
    const rows = jsonl
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(JSON.parse(json)).toEqual(rows);
    expect(json).toBe(`[\n${jsonl.trimEnd().split('\n').join(',\n')}\n]\n`);
    const floats = base64
      .trimEnd()
      .split('\n')
      .map(line => {
        const { id, embedding } = JSON.parse(line);
        const bytes = new Uint8Array(Buffer.from(embedding, 'base64'));
        return { id, embedding: [...new Float32Array(bytes.buffer)] };
      });
    expect(floats).toEqual(rows.map(({ id, embedding }) => ({ id, embedding: embedding.map(Math.fround) })));
    expect(csv.split('\n')[1]).toBe(`0,${rows[0].embedding.join(',')}`);
  });

  test.concurrent('the name of the output decides', async () => {
    const path = join(await makeDirectory(), 'out.json');
    await output([...EMBED, 'a', '--output', path]);
    expect(JSON.parse(await readFile(path, 'utf8')).length).toBe(1);
  });

  test.concurrent('ids go out as they came in; where a spreadsheet would run one, that is said once', async () => {
    const ids = ['=HYPERLINK("x")', '@SUM(1)', '+1', '-5.0', '-a', 1580661436132757506n];
    const input = ids.map(id => `{"text": "a", "id": ${typeof id === 'bigint' ? id : JSON.stringify(id)}}\n`).join('');
    const flags = [...EMBED, '--input-format', 'jsonl', '--batch-size', '2'];
    const { stdout, stderr } = await glassbert([...flags, '--format', 'csv'], { input });
    const cells = ['"=HYPERLINK(""x"")"', '@SUM(1)', '+1', '-5.0', '-a', '1580661436132757506'];
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .slice(1)
        .map(line => line.split(/,(?=-?[0-9.e-]+,)/)[0]),
    ).toEqual(cells);
    expect(stderr).toMatch(/^warning W_SPREADSHEET_FORMULA: .*\n$/);

    expect(await output(flags, { input })).toContain('{"id": 1580661436132757506, ');
    const harmless = '{"text": "a", "id": "-5"}\n{"text": "a", "id": -5}\n{"text": "a", "id": "a=b"}\n';
    await output([...flags, '--format', 'csv'], { input: harmless });
  });
});

describe('a file that embed did not write is not replaced', () => {
  const check = (file: string, source?: Source): void => checkDestination('jsonl', file, source, false);

  test('of a model, by any name', async () => {
    const directory = await makeDirectory();
    const names = (await readdir(MODEL, { recursive: true })).filter(name => /\.[a-z]+$/.test(name));
    expect(names).toContain('model.safetensors');
    for (const [i, name] of names.entries()) {
      const linked = join(directory, `link${i}.jsonl`);
      await symlink(join(MODEL, name), linked);
      for (const path of [join(MODEL, name), linked]) {
        const error = await refusal('E_OUTPUT', () => check(path));
        expect(error.message).toMatch(/a file is there that glassbert embed did not write; it is not replaced$/);
      }
    }
  });

  test.concurrent('and it is as it was', async () => {
    const path = await makeFile('model.safetensors', await readFile(join(MODEL, 'model.safetensors')));
    const { status, stderr } = await glassbert([...EMBED, 'a', '--output', path]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^error E_OUTPUT: .*it is not replaced\n {2}hint: Name another file, or remove this one first\.\n$/,
    );
    expect(await readFile(path)).toEqual(await readFile(join(MODEL, 'model.safetensors')));
    expect(await readdir(dirname(path))).toEqual(['model.safetensors']);
  });

  test.each([
    ['a table', 'id,text\n1,a\n'],
    ['texts', '{"id": 0, "text": "a"}\n'],
    ['another array', '[{"id": 0}]'],
    ['vectors of another program', '{"embedding": [0], "id": 1}\n'],
    ['a word', 'old'],
  ])('%s', async (_, content) => {
    for (const name of ['out.jsonl', 'out.csv', 'out.npy', 'out.jsonl.partial']) {
      const path = await makeFile(name, content);
      await refusal('E_OUTPUT', () => check(path.replace('.partial', '')));
    }
  });

  test.concurrent('the input, by any name and through stdin', async () => {
    const path = await makeFile('in.jsonl', '{"text": "a"}\n');
    const other = join(dirname(path), 'other.jsonl');
    await link(path, other);
    for (const to of [path, other]) {
      const error = await refusal('E_OUTPUT', () => check(to, new Source(path)));
      expect(error.message).toMatch(/the output is the input itself$/);
    }
    const command = '"$0" "$1" embed --model "$2" --output "$3" < "$3"';
    const stderr = await shell(command, process.execPath, MAIN, MODEL, path);
    expect(stderr).toMatch(/the output is the input itself\n/);
    expect(await readFile(path, 'utf8')).toBe('{"text": "a"}\n');
  });

  test('an earlier output that may only be read', async () => {
    const path = await makeFile('out.jsonl', '{"id": 0, "embedding": [0.1]}\n');
    check(path);
    await chmod(path, 0o444);
    expect((await refusal('E_OUTPUT', () => check(path))).hint).toMatch(/chmod u\+w/);
  });

  test('through a link to what is not there yet, the file is made where it leads', async () => {
    const directory = await makeDirectory();
    await mkdir(join(directory, 'sub'));
    const path = join(directory, 'link.jsonl');
    await symlink('sub/out.jsonl', path);
    for (const _ of [1, 2]) {
      const file = await openOutputFile(path);
      await file.write('{"id": 0, "embedding": [0.1]}\n');
      await file.commit();
      expect((await lstat(path)).isSymbolicLink()).toBe(true);
    }
    expect(await readdir(join(directory, 'sub'))).toEqual(['out.jsonl']);
  });

  test.concurrent('an earlier output is, of any format, and so is an empty file', async () => {
    const path = join(await makeDirectory(), 'out');
    for (const format of ['npy', 'jsonl', 'base64', 'json', 'csv']) {
      await output([...EMBED, 'a', '--format', format, '--output', path]);
      check(path);
    }
    check(await makeFile('out.jsonl', ''));
    check(await makeFile('out.json', '[\n\n]\n'));
    expect(await readdir(dirname(path))).toEqual(['out']);
  });
});

describe('where nothing can be written the hint is true', () => {
  test.concurrent.each<readonly [string, RegExp]>([
    ['/no/such/out.jsonl', /directory \/no\/such does not exist: make it/],
    [`${fixture('bert-mean-normalize/config.json')}/out.jsonl`, /config\.json is a file/],
    [`/tmp/${'x'.repeat(300)}.jsonl`, /shorter name/],
    ...(existsSync('/proc/self') ? [['/proc/out.jsonl', /No file can be made in \/proc:/] as const] : []),
  ])('%s', async (path, hint) => {
    const { status, stderr } = await glassbert([...EMBED, 'a', '--output', path]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error E_OUTPUT: .*\n {2}hint: /);
    expect(stderr).toMatch(hint);
  });

  test.skipIf(!existsSync('/dev/full')).concurrent('a full disk has an exit code of its own', async () => {
    const run = '"$0" "$1" "$@" > /dev/full; echo "$?"';
    for (const args of [
      ['embed', '--model', MODEL, 'a'],
      ['manifest', MODEL],
    ]) {
      const command = run.replace('"$@"', args.map(arg => `'${arg}'`).join(' '));
      expect(await shell(`(${command}) >&2`, process.execPath, MAIN)).toMatch(
        /^error E_DISK_FULL: stdout: .*\n.*\n6\n$/,
      );
    }
  });
});

describe('a run that is interrupted', () => {
  const ids = ['a', 'b\nc', '=1', 'd"', 1.5, 'f'];
  const lines = TEXTS.map((text, i) => `${JSON.stringify({ text, id: ids[i] ?? i })}\n`);
  const flags = [...EMBED, '--input-format', 'jsonl', '--batch-size', '1'];

  /** Ends it when at least `rows` lines are written. @returns what it says */
  async function interrupt(
    path: string,
    rows: number,
    signal: NodeJS.Signals,
    more: string[] = [],
    before: () => unknown = () => {},
  ) {
    const child = start([...flags, ...more, '--output', path]);
    const finished = finish(child);
    child.stdin.write(lines.slice(0, rows).join(''));
    for (;;) {
      const [temporary] = (await readdir(dirname(path))).filter(name => name.endsWith('.tmp'));
      const written = temporary && (await readFile(join(dirname(path), temporary), 'latin1'));
      if (written && (written.match(/(?:[0-9]\]?|")\}?\n(?!c)/g)?.length ?? 0) >= rows + (path.endsWith('csv') ? 1 : 0))
        break;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await before();
    child.kill(signal);
    return finished;
  }

  test.concurrent.each([
    ['jsonl', 'SIGINT', 130],
    ['csv', 'SIGTERM', 143],
    ['base64', 'SIGHUP', 129],
  ] as const)('keeps its lines of %s at %s, and --resume goes on from there', async (format, signal, exitCode) => {
    const path = join(await makeDirectory(), `out.${format}`);
    const partial = `${path}.partial`;
    const { status, stdout, stderr } = await interrupt(path, 5, signal, ['--format', format]);
    expect({ status, stdout }).toEqual({ status: exitCode, stdout: '' });
    expect(stderr).toContain(`interrupted: 5 vectors were kept in ${partial}; the same command with --resume goes on`);
    expect(await readdir(dirname(path))).toEqual([`out.${format}.partial`]);

    const whole = await glassbert([...flags, '--format', format], { input: lines.join('') });
    // The same command without --resume would lose it.
    const again = await glassbert([...EMBED, 'a', '--format', format, '--output', path]);
    expect(again.stderr).toMatch(
      /^error E_OUTPUT: .*\.partial: an interrupted run left its vectors here\n {2}hint: --resume/,
    );
    const kept = await readFile(partial, 'utf8');
    expect(whole.stdout.startsWith(kept)).toBe(true);

    await writeFile(partial, kept.slice(0, -2)); // the last line was cut
    const args = [...flags, '--format', format, '--resume', '--output', path];
    const resumed = await glassbert(args, { input: lines.join('') });
    expect(resumed.stderr).toContain(`4 vectors taken over from ${partial}\n`);
    expect(resumed.status).toBe(0);
    expect(await readFile(path, 'utf8')).toBe(whole.stdout);
    expect(await readdir(dirname(path))).toEqual([`out.${format}`]);
  });

  test.concurrent('keeps nothing in formats that cannot be gone on with, and says so', async () => {
    const path = join(await makeDirectory(), 'out.npy');
    const child = start([...EMBED, '--output', path]);
    const finished = finish(child);
    while ((await readdir(dirname(path))).length === 0) await new Promise(resolve => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ status: 130, stdout: '', stderr: 'interrupted: no file was written\n' });
    expect(await readdir(dirname(path))).toEqual([]);
  });

  test.concurrent('goes on from what a killed run left behind a redirection', async () => {
    const whole = await glassbert(flags, { input: lines.join('') });
    const path = await makeFile('out.jsonl', whole.stdout.slice(0, whole.stdout.length / 2));
    const { status } = await glassbert([...flags, '--resume', '--output', path], { input: lines.join('') });
    expect(status).toBe(0);
    expect(await readFile(path, 'utf8')).toBe(whole.stdout);
    // Again: nothing is left to do.
    await glassbert([...flags, '--resume', '--output', path], { input: lines.join('') });
    expect(await readFile(path, 'utf8')).toBe(whole.stdout);
  });

  test.concurrent('goes on with pairs', async () => {
    const pairs = [...flags, '--pair', 'another'];
    const whole = await glassbert(pairs, { input: lines.join('') });
    const path = await makeFile('out.jsonl', whole.stdout.slice(0, whole.stdout.length / 2));
    const { stderr, status } = await glassbert([...pairs, '--resume', '--output', path], { input: lines.join('') });
    expect({ stderr, status }).toEqual({ stderr: expect.stringContaining('taken over'), status: 0 });
    expect(await readFile(path, 'utf8')).toBe(whole.stdout);
  });

  test.concurrent.each([
    ['no text', 'jsonl', Buffer.from('{"id": 0, "embedding": [\xff\n', 'latin1')],
    ['a line without end', 'jsonl', `{"id": 0, "embedding": [${'1'.repeat(2 ** 24)}`],
    ['no table', 'csv', 'id,e0,e1,e2\n"0"1'],
  ])('what was kept and is %s is an error of the output', async (_, format, content) => {
    const path = await makeFile(`out.${format}.partial`, content);
    const args = [...flags, '--resume', '--format', format, '--output', path.replace('.partial', '')];
    const { status, stderr } = await glassbert(args, { input: lines.join('') });
    expect(stderr).toMatch(/^error E_OUTPUT: .*line \d.*\n {2}hint: Go on with the input/);
    expect(status).toBe(2);
  });

  test.concurrent('where an interrupted run could not be kept, that is said before it begins', async () => {
    const path = join(await makeDirectory(), 'out.jsonl');
    await mkdir(`${path}.partial`);
    const args = [...EMBED, 'a', '--output', path];
    const { status, stderr } = await glassbert(args);
    expect(stderr).toMatch(/^error E_OUTPUT: .*out\.jsonl\.partial: the output is not a regular file\n/);
    expect(status).toBe(2);
  });

  test.concurrent('where it cannot be kept at last, that is said as well', async () => {
    const path = join(await makeDirectory(), 'out.jsonl');
    const { status, stderr } = await interrupt(path, 5, 'SIGINT', [], () => mkdir(`${path}.partial`));
    expect(stderr).toContain('interrupted: nothing was kept: ');
    expect(status).toBe(130);
    expect(await readdir(dirname(path))).toEqual(['out.jsonl.partial']);
  });

  test.concurrent.each([
    ['another model', ['--model', fixture('bert-prompts')]],
    ['another pooling', ['--pooling', 'max']],
    ['a prompt', ['--prompt', 'query: ']],
    ['another width', ['--truncate-dim', '2']],
  ])('is not gone on with by %s', async (_, more) => {
    const { stdout } = await glassbert(flags, { input: lines.slice(0, 3).join('') });
    const path = await makeFile('out.jsonl', stdout);
    const { status, stderr } = await glassbert([...flags, ...more, '--resume', '--output', path], {
      input: lines.join(''),
    });
    expect(stderr).toMatch(
      /^error E_OUTPUT: .*line 1: the vector is not the one that .*\n {2}hint: Go on with the input/m,
    );
    expect(status).toBe(2);
    expect(await readFile(path, 'utf8')).toBe(stdout);
    expect(await readdir(dirname(path))).toEqual(['out.jsonl']);
  });

  describe('is not gone on with for another input', () => {
    const rowOf = ({ id, text }: Entry): string =>
      `{"id": ${JSON.stringify(id)}, "embedding": [${String(text).length}]}\n`;
    const entries = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff'].map(
      (text, i): Entry => ({ id: `${i}, "embedding": `, text }),
    );
    const kept = entries.map(rowOf).join('');

    async function rows(
      content: string,
      input: readonly Entry[],
      format: 'jsonl' | 'csv' = 'jsonl',
    ): Promise<string[]> {
      const all: string[] = [];
      const texts = (async function* () {
        yield* input;
      })();
      const csv = async ({ id, text }: Entry): Promise<string> => `${id},${String(text).length}\n`;
      const compute = format === 'csv' ? csv : async (entry: Entry): Promise<string> => rowOf(entry);
      for await (const row of resume(await makeFile('out', content), texts, { name: format, D: 1 }, compute))
        all.push(row);
      return all;
    }

    test('what is of this input is kept, a cut line is not', async () => {
      expect(`${(await rows(kept, entries)).join('\n')}\n`).toBe(kept);
      expect((await rows(kept.slice(0, -1), entries)).length).toBe(5);
      expect(await rows('', entries)).toEqual([]);
      const plain = entries.map(({ text }, id): Entry => ({ id, text }));
      expect(await rows('id,e0\n0,1\n1,2\n2,"3', plain, 'csv')).toEqual(['0,1', '1,2']);
      expect(await rows('id,e', plain, 'csv')).toEqual([]);
    });

    test.each([
      ['other ids', kept, entries.slice(1), /line 1: the id is not that of the input: expected "1, .*, found "0, /],
      ['fewer texts', kept, entries.slice(0, 4), /line 5: the input has only 4 texts/],
      ['another text early', kept, entries.with(3, { ...entries[3], text: 'd' }), /line 4: the vector is not the one/],
      ['another last text', kept, entries.with(5, { ...entries[5], text: 'f' }), /line 6: the vector is not the one/],
      ['lines of another program', '{"a": 1}\n', entries, /line 1: this is no line that glassbert embed wrote/],
    ])('%s', async (_, content, input, message) => {
      expect((await refusal('E_OUTPUT', () => rows(content, input))).message).toMatch(message);
    });

    test('lines where a table is asked for, and a table where lines are', async () => {
      const plain = [{ id: 0, text: 'a' }];
      const asTable = await refusal('E_OUTPUT', () => rows(kept, plain, 'csv'));
      expect(asTable.message).toMatch(/line 1: /);
      expect(asTable.hint).toContain('start anew');
      expect((await refusal('E_OUTPUT', () => rows('id,e0\n0,1\n', plain))).message).toMatch(/line 1: this is no line/);
    });

    test('a table of another width', async () => {
      const plain = [{ id: 0, text: 'a' }];
      expect((await refusal('E_OUTPUT', () => rows('id,e0,e1\n0,1,1\n', plain, 'csv'))).message).toMatch(
        /line 1: this is no header/,
      );
      expect((await refusal('E_OUTPUT', () => rows('id,e0\n0,1,1\n', plain, 'csv'))).message).toMatch(
        /line 2: this is no row/,
      );
    });
  });

  test('--resume needs a file of lines', async () => {
    const cases = [
      ['jsonl', undefined],
      ['npy', 'out.npy'],
      ['json', 'out.json'],
    ] as const;
    for (const [format, file] of cases) {
      const error = await refusal('E_ARGUMENT', () => checkDestination(format, file, undefined, true));
      expect(error.message).toMatch(/^--resume goes on with a file of lines: expected --output FILE/);
    }
  });

  test.concurrent('--resume where nothing was kept begins', async () => {
    const path = join(await makeDirectory(), 'out.jsonl');
    await output([...EMBED, 'a', '--resume', '--output', path]);
    expect(await readdir(dirname(path))).toEqual(['out.jsonl']);
  });

  test.concurrent('what a killed run left is in nobody’s way', async () => {
    const directory = await makeDirectory();
    const path = join(directory, 'out.npy');
    const child = start([...EMBED, '--output', path]);
    const finished = finish(child);
    while ((await readdir(directory)).length === 0) await new Promise(resolve => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await finished;
    const left = await readdir(directory);
    expect(left).toEqual([expect.stringMatching(/^\.glassbert-[0-9a-f]{16}\.tmp$/)]);
    // In a container every run has the same process id: no name is made of it.
    expect(left[0]).not.toContain(String(child.pid));
    await output([...EMBED, 'a', '--output', path]);
    expect((await readdir(directory)).sort()).toEqual([...left, 'out.npy'].sort());
  });
});

/** @returns its stderr */
function shell(command: string, ...args: string[]): Promise<string> {
  return new Promise(resolve => execFile('sh', ['-c', command, ...args], (_, __, stderr) => resolve(stderr)));
}
