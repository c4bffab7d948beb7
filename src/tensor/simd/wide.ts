/**
 * Kernels with vectors of 256 bits: those of kernels.ts in tiles of 16 columns, where V8 makes one vector of two neighbours by
 * its experimental flag --experimental-wasm-revectorize.
 *
 * Nothing tells whether it does. Engines that are not V8 take the flag without a word, and so does a V8 on which it has no
 * effect; the bits of results are the same either way, but the tile of 16 columns then does not fit the registers and is slower
 * than that of 8. So the same code is compiled twice, without the flag and with it, and both run in turns, in the same moment.
 * How much faster the second was, by the shortest turn of each, on two busy cores (Intel Xeon with AVX-512):
 *
 *   2.3 to 6.8    Node 24.21 and 26.10
 *   0.99 to 1.18  Node 20.20 and 22.18 (the latter knows the flag), Bun 1.4 and Deno 2.9
 *
 * A turn takes 0.07 ms or less: few turns are interrupted, and the shortest of many is not one of those. If the measurement
 * is wrong all the same, only speed is lost.
 */
import { type Kernels, oracleKernels } from '../kernels.ts';
import type { Floats } from '../tensor.ts';
import { start } from './engine.ts';
import { hasSimd, type SimdKernels, simdKernels } from './kernels.ts';
import { linearCode } from './matmul.ts';
import { relaxedMadd } from './tile.ts';

/**
 * Kernels with vectors of 256 bits, by an experimental flag of V8 that is set here, for the whole process. They are compared
 * with the oracle, those of int8 with their like of 128 bits, before anything relies on them.
 *
 * @returns null where the flag makes no vector wider, or the check fails
 */
export function wideKernels(options: { int8?: boolean } = {}): SimdKernels | null {
  if (!hasSimd()) return null;
  const expected = sample(options.int8 ? simdKernels(options) : oracleKernels); // before the flag: it would be as wide
  return joiningVectors(() => {
    const kernels = simdKernels({ ...options, columns: 16 });
    const actual = kernels.pass(() => sample(kernels));
    return actual.every((x, i) => agree(x, expected[i])) ? kernels : null;
  });
}

/**
 * Whether a layer or a head of this width has the same bits with vectors of 256 bits as without them: it is made of whole
 * tiles of 16 columns, or not even of tiles of 8, so that the plain page computes it in both cases.
 */
export function keepsBits(width: number): boolean {
  return width % 16 === 0 || width % 8 !== 0;
}

/** Whether they differ by no more than f32 explains: for a sum of 256 products 4.4e-7 of the largest value was measured. */
function agree(actual: Floats, expected: Floats): boolean {
  let largest = 0;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
  return actual.every((value, i) => Math.abs(value - expected[i]) <= 4e-6 * largest);
}

/** A product and an attention, of shapes with edges and sums of more than one block. */
function sample(kernels: Kernels): Floats[] {
  const [N, D, F, H] = [13, 256, 48, 2];
  const wave = (length: number, width: number): Floats => {
    const x = kernels.floats(length, width);
    for (let i = 0; i < x.length; i++) x[i] = Math.fround(((i * 7919) % 1009) / 1009 - 0.5);
    return x;
  };
  const w = { weight: wave(F, D), bias: wave(F, 1), inFeatures: D, outFeatures: F };
  kernels.prepare(w);
  const [x, y, z] = [wave(N, D), kernels.floats(N, F), kernels.floats(N, D)];
  kernels.linearActivation(y, x, w, 'gelu', N);
  kernels.attention(z, x, x, x, Int32Array.of(0, 4, N), D, H);
  return [y, z];
}

// ---------------------------------------------------------------------------------------------------------------------
// What V8 does with the flag

const FLAG = 'experimental-wasm-revectorize';

/** Between 1.18 and 2.3, in the middle on the scale of factors. */
const MIN_GAIN = 1.6;

const TURNS = 40;

/** What is computed in a turn, and where its arrays lie in a memory of four pages. */
const [N, D, F] = [96, 256, 64];
const [PAGES, X, PANELS, BIAS, KEPT, OUT] = [4, 0, 0x20000, 0x30000, 0x34000, 0x38000];

/** Measured once a process. */
let gains: boolean | undefined;

/**
 * Runs `use` while V8 joins vectors and compiles with its optimizing compiler alone, so that `use` checks the very code that
 * will run later. If `use` gives a result, V8 goes on joining vectors in the whole process.
 *
 * @returns null where nothing would be joined
 */
function joiningVectors<Result>(use: () => Result | null): Result | null {
  const v8 = globalThis.process?.getBuiltinModule?.('node:v8');
  // V8 has the flag for x64 alone, and since version 12 (Node 22); another prints that it does not know it.
  if (v8 === undefined || process.arch !== 'x64' || Number.parseInt(process.versions.v8 ?? '', 10) < 12) return null;
  const set = (flag: string): void => {
    try {
      v8.setFlagsFromString(flag);
    } catch {} // some engines refuse: then there is no gain
  };
  let result: Result | null = null;
  set('--no-liftoff'); // the baseline compiler, which compiles fast, makes slow code, and knows nothing of the flag
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
