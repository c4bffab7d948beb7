/** The thread that run.ts starts: mutates inputs, runs the target, keeps what is new. */
import { parentPort, workerData } from 'node:worker_threads';
import { random } from '../test/support/random.ts';
import { type TargetName, targetOf } from './corpus.ts';
import { Mutator } from './mutator.ts';
import type { Target } from './target.ts';

export interface Job {
  readonly name: TargetName;
  readonly corpus: readonly Uint8Array[];
  /** Two counters of 32 bits, the executions and the length of the input at work, and the input. */
  readonly shared: SharedArrayBuffer;
  /** 0: the corpus alone. */
  readonly seconds: number;
  readonly seed: number;
}

export interface Finding {
  readonly what: string;
  readonly data: Uint8Array;
}

export interface Progress {
  readonly executions: number;
  /** The smallest input of every outcome. */
  readonly kept: readonly Uint8Array[];
  readonly elapsed: number;
}

/** An input of up to 20 kB takes milliseconds at worst; the limit of the processor's time is for what grows with a power. */
const MAX_MILLISECONDS = 1000;

if (parentPort !== null) {
  const { name, corpus, shared, seconds, seed } = workerData as Job;
  const counters = new Uint32Array(shared, 0, 2);
  const input = new Uint8Array(shared, 8);
  const port = parentPort;
  const progress = fuzzing(await targetOf(name), corpus, seed, {
    before: data => {
      input.set(data);
      counters[1] = data.length;
      counters[0]++;
    },
    until: Date.now() + seconds * 1000,
    found: finding => port.postMessage(finding),
  });
  port.postMessage(progress);
}

interface Watch {
  before(data: Uint8Array): void;
  found(finding: Finding): void;
  /** A time of Date.now(), or a number of executions. */
  readonly until: number;
  readonly executions?: number;
}

/** The loop itself, which a test drives too. */
export function fuzzing(target: Target, corpus: readonly Uint8Array[], seed: number, watch: Watch): Progress {
  const start = Date.now();
  const chance = random(seed);
  const mutator = new Mutator(chance, target.dictionary, target.largest);
  // Of every outcome, the smallest input is quick to run, and the first still has what a small one may have lost.
  const first = new Map<string, Uint8Array>();
  const smallest = new Map<string, Uint8Array>();
  const told = new Set<string>();
  let executions = 0;

  const run = (data: Uint8Array): void => {
    watch.before(data);
    executions++;
    const begin = performance.now();
    try {
      const shape = target.fuzz(data);
      const best = smallest.get(shape);
      if (best === undefined || data.length < best.length) {
        const copy = data.slice();
        if (best === undefined) first.set(shape, copy);
        smallest.set(shape, copy);
        inputs = undefined;
      }
    } catch (error) {
      tell(error instanceof Error ? (error.stack ?? String(error)) : String(error), data);
    }
    if (performance.now() - begin < MAX_MILLISECONDS) return;
    // Others may have had the processor: once more, by its own clock.
    const before = process.threadCpuUsage();
    try {
      target.fuzz(data);
    } catch {}
    const { user, system } = process.threadCpuUsage(before);
    if (user + system > MAX_MILLISECONDS * 1000) tell(`slow: ${(user + system) / 1e6} s of the processor`, data);
  };
  const tell = (what: string, data: Uint8Array): void => {
    const kind = what.replace(/[0-9]+/g, '_').slice(0, 200);
    if (told.has(kind)) return;
    told.add(kind);
    watch.found({ what, data: data.slice() });
  };

  let inputs: Uint8Array[] | undefined;
  for (const data of corpus) run(data);
  const goesOn = (): boolean =>
    watch.executions === undefined ? Date.now() < watch.until : executions < watch.executions;
  while (goesOn()) {
    inputs ??= smallest.size === 0 ? [new Uint8Array(0)] : [...first.values(), ...smallest.values()];
    const data = chance.pick(inputs);
    const other = chance.pick(inputs);
    const reshaped = target.reshape !== undefined && chance.integer(4) > 0;
    run(
      (reshaped ? target.reshape?.(data, other, mutator) : mutator.mutate(data, other))?.subarray(0, target.largest) ??
        data,
    );
  }
  return { executions, kept: [...smallest.values()], elapsed: (Date.now() - start) / 1000 };
}
