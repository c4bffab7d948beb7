/**
 * npm run fuzz -- TARGET [--seconds 60] [--seed 1] [--save]     a target of fuzz/targets, or "all", one after the other
 * npm run fuzz -- TARGET --input FILE                            one input again, as a finding names it
 *
 * The saved corpus (fuzz/corpus/TARGET.txt) runs first, then mutations of it and of whatever they reach that is new. The same seed
 * makes the same inputs. Findings are written to fuzz/findings/ and make the exit code 1; --save keeps the small inputs that
 * reached something new in the corpus.
 *
 * The target runs in a thread; this one watches it, so that an input that never ends, or takes all memory, is a finding too.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { corpusOf, saveCorpus, TARGETS, type TargetName } from './corpus.ts';
import type { Finding, Job, Progress } from './loop.ts';

/** Wall-clock seconds without an end of one input; the loop itself finds inputs that take more than a second of the processor. */
const HANG_SECONDS = 60;
/** Of the thread's heap. The largest input has 20 kB. */
const HEAP_MB = 1024;
/** Inputs kept in the repository are small, and not without number. */
const SAVED_BYTES = 1500;
const SAVED_INPUTS = 120;

const FINDINGS = new URL('findings/', import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    input: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
});
const names = positionals[0] === 'all' ? TARGETS : TARGETS.filter(name => name === positionals[0]);
if (names.length === 0 || positionals.length > 1) {
  print(
    `usage: npm run fuzz -- TARGET [--seconds N] [--seed S] [--save] [--input FILE]\nTARGET: all, ${TARGETS.join(', ')}`,
  );
  process.exit(64);
}
const saved = values.input === undefined ? undefined : [new Uint8Array(readFileSync(values.input))];
let findings = 0;
for (const name of names) findings += await fuzz(name);
process.exit(findings === 0 ? 0 : 1);

/** @returns the number of findings */
function fuzz(name: TargetName): Promise<number> {
  const corpus = saved ?? corpusOf(name);
  const shared = new SharedArrayBuffer(2 ** 17);
  const seconds = saved === undefined ? Number(values.seconds) : 0;
  const job: Job = { name, corpus, shared, seconds, seed: Number(values.seed) };
  const worker = new Worker(new URL('loop.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const counter = new Uint32Array(shared);
  let found = 0;
  const report = ({ what, data }: Finding): void => {
    found++;
    const file = new URL(`${name}-${hash(data)}`, FINDINGS);
    mkdirSync(FINDINGS, { recursive: true });
    writeFileSync(file, data);
    print(
      `${name}: FINDING: ${what}\n  again with: npm run fuzz -- ${name} --input fuzz/findings/${name}-${hash(data)}`,
    );
  };
  /** The input at work, where the thread itself can no longer tell. */
  const current = (): Uint8Array => new Uint8Array(shared, 8, counter[1]).slice();

  return new Promise(resolve => {
    let [last, since] = [0, 0];
    const watch = setInterval(() => {
      since = counter[0] === last ? since + 1 : 0;
      last = counter[0];
      if (since < HANG_SECONDS) return;
      report({ what: `no end after ${HANG_SECONDS} s`, data: current() });
      worker.terminate();
    }, 1000);
    worker.on('message', (message: Finding | Progress) => {
      if ('what' in message) return report(message);
      const { executions, kept, elapsed } = message;
      print(
        `${name}: ${executions} executions in ${elapsed.toFixed(0)} s, ${corpus.length} saved inputs, ` +
          `${kept.length} with those that reached something new, ${found} findings`,
      );
      if (values.save) save(name, kept);
    });
    worker.on('error', error => report({ what: `the thread ended: ${error}`, data: current() }));
    worker.on('exit', () => {
      clearInterval(watch);
      resolve(found);
    });
  });
}

/** The corpus becomes some of these, the smallest inputs of every outcome: evenly from those that were found early and late. */
function save(name: TargetName, kept: readonly Uint8Array[]): void {
  const small = kept.filter(data => data.length <= SAVED_BYTES);
  const step = Math.max(1, small.length / SAVED_INPUTS);
  const chosen: Uint8Array[] = [];
  for (let i = 0; i < small.length; i += step) chosen.push(small[Math.floor(i)]);
  saveCorpus(name, chosen);
}

function hash(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 12);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
