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
  threads?: number,
): Promise<Finished> {
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(process.execPath, [...flags, join(PROJECT, 'test/hostile/confined.ts')], { env });
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout.on('data', chunk => stdout.push(chunk));
  child.stderr.on('data', chunk => stderr.push(chunk));
  child.stdin.end(JSON.stringify({ directories, threads }));
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

const measured: string[] = [];
const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

describe('a process that may read the project and one directory', () => {
  test('loads and embeds, alone and with threads, the same vectors', async () => {
    const [free, alone, threads] = await Promise.all([
      load([GOOD]),
      load([GOOD], readOnly(GOOD)),
      load([GOOD], [...readOnly(GOOD), '--allow-worker'], 2),
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
    const { endings, touched } = await load([GOOD], NO_NETWORK, 2);
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
  const { peak: normal } = await load([GOOD], readOnly(GOOD), 1);
  const cases = Object.values(CLASSES)
    .flat()
    .filter(({ heavy }) => !heavy);
  const directories = cases.map(({ base, make }) => {
    const model = copyModel(base);
    make(model);
    return model.directory;
  });
  const { endings, peak, touched } = await load(directories, [...readOnly(...directories), ...NO_NETWORK], 1);
  const wrong = cases.flatMap(({ name, code }, i) =>
    endings[i]?.code === code ? [] : [`${name}: ${code}, but ${endings[i]?.code}`],
  );
  expect(wrong).toEqual([]);
  expect(endings.length).toBe(cases.length);
  expect(touched).toEqual([]);
  const slowest = Math.max(...endings.map(({ milliseconds }) => milliseconds));
  expect(slowest).toBeLessThan(MAX_MILLISECONDS);
  expect(peak - normal).toBeLessThan(MAX_MORE_BYTES);
  measured.push(
    `${cases.length} confined, one after the other: slowest ${slowest} ms, ${megabytes(peak - normal)} more than a good one`,
  );
});

describe('a file as large as may be', () => {
  const heavy = Object.values(CLASSES)
    .flat()
    .filter(({ heavy }) => heavy);
  test.concurrent.for(heavy)('$name: $code', { timeout: 120_000 }, async ({ name, base, make, code }, { expect }) => {
    const model = copyModel(base);
    make(model);
    const { peak: normal } = await normalPeak;
    const { endings, peak } = await load([model.directory], readOnly(model.directory), 1);
    measured.push(`${name}: ${endings[0].milliseconds} ms of the processor, ${megabytes(peak - normal)}`);
    expect(endings[0].code).toBe(code);
    expect.soft(endings[0].milliseconds).toBeLessThan(MAX_MILLISECONDS);
    expect.soft(peak - normal).toBeLessThan(MAX_MORE_BYTES);
  });
  const normalPeak = load([GOOD], readOnly(GOOD), 1);
});

afterAll(() => {
  process.stdout.write(`\nHostile directories in processes of their own\n${measured.join('\n')}\n\n`);
});
