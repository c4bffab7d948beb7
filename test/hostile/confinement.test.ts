/**
 * Hostile directories in processes of their own: where nothing but the project and the directory may be read (Node's
 * permission model) they end as they do elsewhere, so nothing else was ever wanted; no socket is opened, no name asked for,
 * no program started; and no directory takes more than 300 MB beyond what a good one takes.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { copyModel, FIXTURES } from '../support/model-copy.ts';
import { BASE } from './case.ts';
import { CLASSES } from './classes.ts';
import type { Order } from './confined.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const GOOD = FIXTURES + BASE;

const MAX_MORE_BYTES = 300e6;
const MAX_MILLISECONDS = 5000;

interface Ending {
  readonly code: string;
  readonly milliseconds: number;
  readonly vector?: number[];
}

interface Finished {
  readonly endings: readonly Ending[];
  readonly peak: number;
  readonly touched: readonly string[];
  readonly stderr: string;
}

/** Loads directories in a process that Node was told to confine. */
async function load(
  directories: readonly string[],
  flags: readonly string[] = [],
  { threads, text }: Pick<Order, 'threads' | 'text'> = {},
): Promise<Finished> {
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(process.execPath, [...flags, join(PROJECT, 'test/hostile/confined.ts')], { env });
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout.on('data', chunk => stdout.push(chunk));
  child.stderr.on('data', chunk => stderr.push(chunk));
  child.stdin.end(JSON.stringify({ directories, threads, text } satisfies Order));
  const status = await new Promise(resolve => child.on('close', resolve));
  const errors = Buffer.concat(stderr).toString();
  expect(status, errors).toBe(0);
  const lines = Buffer.concat(stdout)
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const last = lines.pop();
  return { endings: lines, stderr: errors, ...last };
}

const readOnly = (...directories: string[]): string[] => [
  '--permission',
  ...[PROJECT, ...directories].map(directory => `--allow-fs-read=${directory}`),
];

const NO_NETWORK = ['--import', join(PROJECT, 'test/hostile/no-network.ts')];

/** What was measured of each, by kind: for the summary at the end. */
const measured: Record<string, { name: string; milliseconds: number; bytes: number }[]> = {};
const note = (kind: string, name: string, { milliseconds }: Ending, bytes: number): void => {
  measured[kind] ??= [];
  measured[kind].push({ name, milliseconds, bytes });
};

/** The memory of a process that loads a good directory. */
const normalPeak = load([GOOD], readOnly(GOOD), { threads: 1 });

describe('a process that may read the project and one directory', () => {
  test('loads and embeds, alone and with threads, the same vectors', async () => {
    const [free, alone, threads] = await Promise.all([
      load([GOOD]),
      load([GOOD], readOnly(GOOD)),
      load([GOOD], [...readOnly(GOOD), '--allow-worker'], { threads: 2 }),
    ]);
    expect(free.endings[0].code).toBe('loads');
    expect(alone.endings[0].vector).toEqual(free.endings[0].vector);
    expect(threads.endings[0].vector).toEqual(free.endings[0].vector);
  });

  test('is confined: a directory beside it cannot be read', async () => {
    const { directory } = copyModel();
    expect((await load([directory], readOnly(GOOD))).endings[0].code).toBe('E_FILE_READ');
  });
});

describe('a process with tripwires on every socket, name and program', () => {
  test('loads and embeds without touching one', async () => {
    const { endings, touched } = await load([GOOD], NO_NETWORK, { threads: 2 });
    expect({ code: endings[0].code, touched }).toEqual({ code: 'loads', touched: [] });
  });

  test.each([
    ['fetch("http://localhost:9/")', 'globalThis.fetch'],
    ['(await import("node:dns/promises")).lookup("localhost")', 'dns.promises.lookup'],
    ['new (await import("node:net")).Socket().connect(9)', 'net.Socket.prototype.connect'],
    ['(await import("node:child_process")).execFileSync("true")', 'child_process.execFileSync'],
  ])('has them: %s', async (source, name) => {
    const folder = mkdtempSync(join(tmpdir(), 'glassbert-'));
    writeFileSync(join(folder, 'wire.mjs'), `try { await ${source} } catch {}\n`);
    const { touched } = await load([], [...NO_NETWORK, '--import', join(folder, 'wire.mjs')]);
    rmSync(folder, { recursive: true });
    expect(touched).toContain(name);
  });
});

test('every hostile directory ends the same where nothing else may be read, in time and within memory', {
  timeout: 120_000,
}, async () => {
  const { peak: normal } = await load([GOOD], readOnly(GOOD), { threads: 1 });
  const cases = Object.values(CLASSES)
    .flat()
    .filter(({ heavy }) => !heavy);
  const directories = cases.map(({ base, make }) => {
    const model = copyModel(base);
    make(model);
    return model.directory;
  });
  const { endings, peak, touched } = await load(directories, [...readOnly(...directories), ...NO_NETWORK], {
    threads: 1,
  });
  const wrong = cases.flatMap(({ name, code }, i) =>
    endings[i]?.code === code ? [] : [`${name}: ${code}, but ${endings[i]?.code}`],
  );
  expect(wrong).toEqual([]);
  expect(endings.length).toBe(cases.length);
  expect(touched).toEqual([]);
  for (const [i, ending] of endings.entries()) note('the others', cases[i].name, ending, peak - normal);
  expect(Math.max(...endings.map(({ milliseconds }) => milliseconds))).toBeLessThan(MAX_MILLISECONDS);
  expect(peak - normal).toBeLessThan(MAX_MORE_BYTES);
});

describe('a file as large as may be', () => {
  const heavy = Object.values(CLASSES)
    .flat()
    .filter(({ heavy }) => heavy);
  test.concurrent.for(heavy)(
    '$name: $code',
    { timeout: 120_000 },
    async ({ name, base, make, code }, { expect, onTestFinished }) => {
      const model = copyModel(base, onTestFinished);
      make(model);
      const { peak: normal } = await normalPeak;
      const { endings, peak } = await load([model.directory], readOnly(model.directory), { threads: 1 });
      note('as large as may be', name, endings[0], peak - normal);
      expect(endings[0].code).toBe(code);
      expect.soft(endings[0].milliseconds).toBeLessThan(MAX_MILLISECONDS);
      expect.soft(peak - normal).toBeLessThan(MAX_MORE_BYTES);
    },
  );
});

describe('a text of fifty megabytes', () => {
  const TEXTS: readonly [name: string, of: string, count: number][] = [
    ['words', 'ab ', 16e6],
    ['one word', 'x', 50e6],
    ['white space', ' ', 50e6],
    ['what is dropped', '\u200b', 25e6],
    ['marks over one letter', '\u0301', 25e6],
    ['the beginning of an added token', '[', 50e6],
    ['an added token', '[SEP]', 10e6],
    ['ideographs', '北', 25e6],
    ['halves of surrogate pairs', '\ud800', 25e6],
    ['new lines of Windows', '\r\n', 25e6],
  ];
  test.concurrent.for(TEXTS)('of %s gives a vector', { timeout: 120_000 }, async ([name, of, count], { expect }) => {
    const { peak: normal } = await normalPeak;
    const { endings, peak } = await load([GOOD], readOnly(GOOD), { threads: 1, text: { of, count } });
    note('texts of 50 MB', name, endings[0], peak - normal);
    expect(endings[0].code).toBe('loads');
    expect.soft(endings[0].milliseconds).toBeLessThan(MAX_MILLISECONDS);
    expect.soft(peak - normal).toBeLessThan(MAX_MORE_BYTES); // the text itself included
  });
});

afterAll(() => {
  const lines = Object.entries(measured).map(([kind, all]) => {
    const slowest = all.reduce((a, b) => (b.milliseconds > a.milliseconds ? b : a));
    const largest = all.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    const memory = `${Math.round(largest.bytes / 1e6)} MB`;
    return `${kind.padEnd(34)}${`${all.length}`.padStart(4)}   at most ${slowest.milliseconds} ms (${slowest.name}), ${memory} (${largest.name})`;
  });
  const title = 'Hostile input in processes of their own: time of the processor, memory beyond that of a good model';
  process.stdout.write(`\n${title}\n${lines.join('\n')}\n\n`);
});
