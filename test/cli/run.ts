import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The path of a small model with random weights. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/conformance/${name}`, import.meta.url));
}

export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
  bytes: Buffer;
}

interface RunOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
}

/** The command line in a process of its own, with nothing in the environment that colours it. */
export function start(args: readonly string[], env: Record<string, string> = {}): ChildProcessWithoutNullStreams {
  const { FORCE_COLOR, NO_COLOR, NODE_OPTIONS, npm_lifecycle_event, ...rest } = process.env;
  return spawn(process.execPath, [MAIN, ...args], { env: { ...rest, ...env } });
}

/** Runs it to its end. Nobody ever sees a stack trace. */
export async function glassbert(args: readonly string[], { input, env }: RunOptions = {}): Promise<Finished> {
  const child = start(args, env);
  child.stdin.on('error', () => {}); // it may end before it has read everything
  child.stdin.end(input ?? '');
  const finished = await finish(child);
  expect(finished.stderr).not.toMatch(/^\s+at /m);
  return finished;
}

export async function finish(child: ChildProcessWithoutNullStreams): Promise<Finished> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', chunk => stdout.push(chunk));
  child.stderr.on('data', chunk => stderr.push(chunk));
  const status = await new Promise<number | null>(resolve => child.on('close', resolve));
  const bytes = Buffer.concat(stdout);
  return { status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() };
}

/** What it prints when all goes well. */
export async function output(args: readonly string[], options?: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await glassbert(args, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

const made: string[] = [];

afterAll(() => Promise.all(made.map(directory => rm(directory, { recursive: true }))));

/** An empty directory, for as long as the tests of one file run. */
export async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'glassbert-cli-'));
  made.push(directory);
  return directory;
}

/** A file of this name in a directory of its own. */
export async function makeFile(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await makeDirectory(), name);
  await writeFile(path, content);
  return path;
}
