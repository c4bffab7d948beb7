/**
 * The file system fails: every call that loading makes of it is made to fail once, in every way it can. Loading then ends in a
 * typed error, or as if nothing had been where nothing was lost; no descriptor stays open; and the next try works.
 *
 * `node:fs/promises`, the only door to the disk (test/ladder.test.ts), is replaced by one that counts calls and fails the one it is
 * told to. Which files are read ahead of others depends on timing, so a few of the last calls may not come to pass in a run;
 * they are counted as not reached.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { GlassbertError, SentenceEncoder } from '../src/index.ts';
import { hashBytes } from '../src/trust/digests.ts';
import { formatSha256sums } from '../src/trust/sha256sums.ts';
import { copyModel } from './support/model-copy.ts';

/** What can befall a call: an error of the system, or for calls of an open file something worse than an error. */
type Fault = 'EIO' | 'EMFILE' | 'EACCES' | 'short' | 'nothing' | 'grows' | 'shrinks' | 'lies';

const ERRORS: readonly Fault[] = ['EIO', 'EMFILE', 'EACCES'];

/** Leave and descriptors are asked for by path; an open file has both. */
const ERRORS_OF_OPEN: readonly Fault[] = ['EIO'];

/** What beside errors can befall the calls of this name. */
const OTHERS: Readonly<Record<string, readonly Fault[]>> = {
  'file.read': ['short', 'nothing', 'grows', 'shrinks'],
  'file.stat': ['lies'],
};

const disk = vi.hoisted(() => {
  /** The names of the calls, in order; the number of the one that fails, and how. */
  const state = { calls: [] as string[], failing: -1, fault: 'EIO' as string, failed: false };
  return {
    state,
    /** @returns the fault, once, when this call is the one */
    called(name: string): string | undefined {
      state.calls.push(name);
      if (state.calls.length - 1 !== state.failing) return undefined;
      state.failed = true;
      return state.fault;
    },
  };
});

vi.mock('node:fs/promises', async importOriginal => {
  const real = await importOriginal<typeof import('node:fs/promises')>();

  const systemError = (code: string): Error => Object.assign(new Error(`${code}: made to fail`), { code });
  const isError = (fault: string | undefined): fault is string => fault?.startsWith('E') === true;
  const failing =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const fault = disk.called(name);
      if (isError(fault)) throw systemError(fault);
      return call(...args);
    };

  function handle(file: FileHandle, path: string) {
    return {
      async stat() {
        const fault = disk.called('file.stat');
        if (isError(fault)) throw systemError(fault);
        const stat = await file.stat();
        return fault === 'lies' ? Object.assign(stat, { size: stat.size + 1 }) : stat;
      },
      async read(into: Uint8Array, offset: number, length: number, position: number) {
        const fault = disk.called('file.read');
        if (isError(fault)) throw systemError(fault);
        if (fault === 'nothing') return { bytesRead: 0 };
        if (fault === 'grows') await real.appendFile(path, 'more');
        if (fault === 'shrinks') await real.truncate(path, 1);
        return file.read(into, offset, fault === 'short' ? Math.ceil(length / 2) : length, position);
      },
      /** The system lets go of the descriptor even where it reports that closing failed. */
      async close() {
        const fault = disk.called('file.close');
        await file.close();
        if (isError(fault)) throw systemError(fault);
      },
    };
  }

  return {
    ...real,
    realpath: failing('realpath', real.realpath),
    stat: failing('stat', real.stat),
    lstat: failing('lstat', real.lstat),
    readdir: failing('readdir', real.readdir),
    opendir: failing('opendir', real.opendir),
    open: failing('open', async (path: string, flags: number) => handle(await real.open(path, flags), path)),
  };
});

// ---------------------------------------------------------------------------------------------------------------------

interface Subject {
  readonly directory: string;
  load(): Promise<SentenceEncoder>;
  /** Puts back what a fault has changed. */
  restore(): void;
}

function subject(base: string, verified = false): Subject {
  const { directory } = copyModel(base);
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1));
  const contents = new Map(names.map(name => [name, readFileSync(join(directory, name))]));
  if (verified) {
    const files = [...contents].map(([name, bytes]) => ({
      name,
      algorithm: 'sha256' as const,
      digest: hashBytes(bytes, 'sha256'),
    }));
    contents.set('SHA256SUMS', Buffer.from(formatSha256sums(files)));
  }
  const restore = (): void => {
    for (const [name, bytes] of contents) writeFileSync(join(directory, name), bytes);
  };
  restore();
  const options = { kernels: 'reference', onWarning: () => {}, ...(verified ? { verify: {} } : {}) } as const;
  return { directory, restore, load: () => SentenceEncoder.load(directory, options) };
}

const SUBJECTS: readonly [name: string, base: string, verified: boolean][] = [
  ['shards', 'bert-sharded', false],
  ['modules with weights of their own', 'bert-mean-dense-layernorm', false],
  ['a directory that is verified first', 'bert-mean-normalize', true],
];

const table: string[] = [];

beforeEach(() => {
  disk.state.failing = -1;
});

describe.each(SUBJECTS)('loading %s', (name, base, verified) => {
  test('survives every call that fails, in every way', { timeout: 60_000 }, async () => {
    const { load, restore } = subject(base, verified);
    const calls = await callsOf(load);
    const open = descriptors();
    const counts = { typed: 0, harmless: 0, unreached: 0 };
    const wrong: string[] = [];
    for (const [i, call] of calls.entries()) {
      const errors = call.startsWith('file.') ? ERRORS_OF_OPEN : ERRORS;
      for (const fault of [...errors, ...(OTHERS[call] ?? [])]) {
        const ending = await endingOf(load, i, fault);
        if (ending instanceof GlassbertError) counts.typed++;
        else if (ending !== undefined) wrong.push(`call ${i} (${call}), ${fault}: ${ending}`);
        else if (disk.state.failed) counts.harmless++;
        else counts.unreached++;
        // Reading ahead may still be on its way when the error is told.
        await vi.waitFor(() => expect(descriptors(), `call ${i} (${call}), ${fault}`).toBe(open), { interval: 1 });
        if (fault === 'grows' || fault === 'shrinks') restore();
        if (fault === 'EIO' || fault === 'shrinks') await load(); // the next try
      }
    }
    expect(wrong).toEqual([]);
    expect(counts.typed).toBeGreaterThan(counts.harmless);
    const all = counts.typed + counts.harmless + counts.unreached;
    table.push(
      `${name.padEnd(38)}${calls.length} calls, ${all} faults: ${counts.typed} typed errors, ` +
        `${counts.harmless} harmless, ${counts.unreached} not reached${open === null ? '; descriptors not counted' : ''}`,
    );
  });
});

test('a read that brings only a part is gone on with, and the vectors are the same', async () => {
  const { load } = subject('bert-sharded');
  const calls = await callsOf(load);
  const expected = await (await load()).encode('hello');
  for (const i of calls.keys()) {
    if (calls[i] !== 'file.read') continue;
    disk.state.calls = [];
    [disk.state.failing, disk.state.fault] = [i, 'short'];
    expect(await (await load()).encode('hello')).toEqual(expected);
  }
});

test('a file that grows or shrinks while it is read is told as such', async () => {
  const { load, restore } = subject('bert-mean-normalize');
  const calls = await callsOf(load);
  const read = calls.lastIndexOf('file.read');
  for (const fault of ['grows', 'shrinks'] as const) {
    const ending = await endingOf(load, read, fault);
    expect(ending).toMatchObject({
      code: 'E_FILE_READ',
      message: expect.stringContaining('changed while it was read'),
    });
    restore();
  }
});

/** The names of the calls that a load makes. */
async function callsOf(load: () => Promise<unknown>): Promise<string[]> {
  disk.state.calls = [];
  disk.state.failing = -1;
  await load();
  return [...disk.state.calls];
}

/** The error that loading ends in when this call fails in this way; undefined for none. */
async function endingOf(load: () => Promise<unknown>, failing: number, fault: Fault): Promise<unknown> {
  Object.assign(disk.state, { calls: [], failing, fault, failed: false });
  try {
    await load();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    disk.state.failing = -1;
  }
}

/** How many this process has open; null where there is no /proc. */
function descriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}

afterAll(() => {
  process.stdout.write(`\nFile system faults\n${table.join('\n')}\n\n`);
});
