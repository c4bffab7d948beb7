/**
 * Whether V8 makes one vector of 256 bits of two neighbours, by its experimental flag --experimental-wasm-revectorize.
 *
 * Nothing says so. Engines that are not V8 take the flag without a word, and so does a V8 that leaves it without effect; the
 * bits of results are the same either way, but the tile of 16 columns does not fit the registers then, and is slower than
 * that of 8. So the same code is compiled twice, without the flag and with it, and both run in turns, in the same moment. How
 * much faster the second was, by the shortest turn of each, on two busy cores (Intel Xeon with AVX-512):
 *
 *   2.3 to 6.8    Node 24.21 and 26.10
 *   0.99 to 1.18  Node 20.20 and 22.18 (the latter knows the flag), Bun 1.4 and Deno 2.9
 *
 * A turn takes 0.07 ms or less: few are interrupted, and the shortest of many is not one of those. Should the machine deceive
 * all the same, then about speed alone.
 */
import { start } from './engine.ts';
import { linearCode } from './matmul.ts';
import { relaxedMadd } from './tile.ts';

const FLAG = 'experimental-wasm-revectorize';

/** Between the two, in the middle on the scale of factors. */
const MIN_GAIN = 1.6;

const TURNS = 40;

/** What is computed in a turn, and where its arrays lie in a memory of four pages. */
const [N, D, F] = [96, 256, 64];
const [PAGES, X, PANELS, BIAS, KEPT, OUT] = [4, 0, 0x20000, 0x30000, 0x34000, 0x38000];

/** Once a process. */
let gains: boolean | undefined;

/**
 * Runs `use` while V8 joins vectors, and compiles with its optimizing compiler alone: what `use` runs is the code that will
 * run. V8 goes on joining, in the whole process, where `use` gives a result.
 *
 * @returns null where nothing would be joined
 */
export function joiningVectors<Result>(use: () => Result | null): Result | null {
  const v8 = globalThis.process?.getBuiltinModule?.('node:v8');
  // V8 has the flag for x64 alone, and since version 12 (Node 22); another prints that it does not know it.
  if (v8 === undefined || process.arch !== 'x64' || Number.parseInt(process.versions.v8 ?? '', 10) < 12) return null;
  const set = (flag: string): void => {
    try {
      v8.setFlagsFromString(flag);
    } catch {} // not to be had: then there is no gain
  };
  let result: Result | null = null;
  set('--no-liftoff'); // the compiler that is quick, makes slow code, and knows nothing of the flag
  try {
    gains ??= gainOf(set) >= MIN_GAIN;
    if (gains) {
      set(`--${FLAG}`);
      result = use();
    }
  } finally {
    set('--liftoff');
    if (result === null) set(`--no-${FLAG}`);
  }
  return result;
}

/** How much faster code becomes by the flag; leaves it set. */
function gainOf(set: (flag: string) => void): number {
  const runs: (() => void)[] = [];
  for (const flag of [`--no-${FLAG}`, `--${FLAG}`]) {
    set(flag);
    // Modules of equal bytes share their code: the name makes them two.
    const started = start(new Map([[flag, linearCode({ madd: relaxedMadd, columns: 16 })]]), PAGES);
    if (started === null) return 0;
    const run = (): void => started.run[flag](OUT, X, PANELS, BIAS, N, D, F, KEPT);
    run(); // compiled by its first call
    runs.push(run);
  }
  const shortest = runs.map(() => Number.POSITIVE_INFINITY);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [i, run] of runs.entries()) {
      const begin = performance.now();
      run();
      shortest[i] = Math.min(shortest[i], performance.now() - begin);
    }
  }
  return shortest[0] / shortest[1];
}
