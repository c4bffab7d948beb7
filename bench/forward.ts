/**
 * How fast the reference kernels run a forward pass of the shape of all-MiniLM-L6-v2 on one core, and what each kernel
 * takes part in it. The results are compared with the oracle before anything is timed.
 *
 *   npm run bench
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import Benchmark from 'benchmark';
import { forward } from '../src/bert/bert.ts';
import { ACTIVATIONS, activate } from '../src/tensor/activations.ts';
import { attention } from '../src/tensor/attention.ts';
import { type Kernels, oracleKernels, referenceKernels } from '../src/tensor/kernels.ts';
import { layerNorm } from '../src/tensor/layer-norm.ts';
import { linear, linearPlain } from '../src/tensor/matmul.ts';
import { maxDifference, randomFloats } from '../test/support/numbers.ts';
import { flops, MINI_LM, randomIds, randomWeights } from './random-bert.ts';

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

// Verify, in another process's place: the oracle first would leave the kernels compiled for two element types.
if (process.argv.includes('--verify')) {
  const ids = randomIds(MINI_LM, 2, 16, 3);
  const run = (kernels: Kernels): Float64Array =>
    Float64Array.from(forward(kernels, MINI_LM, randomWeights(kernels, MINI_LM, 1), ids));
  const difference = maxDifference(run(referenceKernels), run(oracleKernels));
  print(`largest difference of a hidden state to the oracle: ${difference.toExponential(1)}`);
  process.exit(difference < 1e-5 ? 0 : 1);
}
const { status } = spawnSync(process.execPath, [import.meta.filename, '--verify'], { stdio: 'inherit' });
if (status !== 0) throw new Error('the reference kernels and the oracle disagree: nothing is timed');

print(`${cpus()[0].model}, ${process.platform}-${process.arch}, Node ${process.version} (V8 ${process.versions.v8})`);
print('one core; best of the runs; GFLOP/s count two for each multiply-add\n');

/** The shortest of at least `samples` runs, in seconds. */
function best(name: string, run: () => void): number {
  const benchmark = new Benchmark(name, run, { minSamples: 5, maxTime: 2 });
  benchmark.run();
  if (benchmark.error) throw benchmark.error;
  return Math.min(...benchmark.stats.sample);
}

const weights = randomWeights(referenceKernels, MINI_LM, 1);
print('forward pass, L 6, D 384, H 12, F 1536      ms   GFLOP/s');
for (const [B, T] of [
  [1, 16],
  [1, 128],
  [8, 128],
]) {
  // biome-ignore format: shapes
  const ids = randomIds(MINI_LM, B, T, 2);
  const seconds = best(`${B}x${T}`, () => forward(referenceKernels, MINI_LM, weights, ids));
  const rate = flops(MINI_LM, B, T) / seconds / 1e9;
  print(`  ${`${B} × ${T} tokens`.padEnd(36)}${(1e3 * seconds).toFixed(1).padStart(8)}${rate.toFixed(2).padStart(10)}`);
}

const [N, D, F, H] = [128, 384, 1536, 12];
const f32 = (length: number, seed: number): Float32Array<ArrayBuffer> => randomFloats(new Float32Array(length), seed);
const [x, y, z, wide, weight, bias] = [
  f32(N * D, 1),
  f32(N * D, 2),
  f32(N * D, 3),
  f32(N * F, 4),
  f32(F * D, 5),
  f32(F, 6),
];
const out = new Float32Array(N * F);
const starts = Int32Array.of(0, N);
const gelu = ACTIVATIONS.get('gelu') as (x: number) => number;
const kernels: [string, number, () => void][] = [
  ['linearPlain [128, 384] -> [128, 1536]', 2 * N * D * F, () => linearPlain(out, x, weight, bias, N, D, F)],
  ['linear      [128, 384] -> [128, 1536]', 2 * N * D * F, () => linear(out, x, weight, bias, N, D, F)],
  ['linear      [128, 1536] -> [128, 384]', 2 * N * D * F, () => linear(out, wide, weight, bias, N, F, D)],
  ['attention   128 tokens, 12 heads', 4 * N * N * D, () => attention(out, x, y, z, starts, D, H)],
  ['gelu        [128, 1536]', 0, () => activate(out.set(wide) ?? out, gelu, N * F)],
  ['layerNorm   [128, 384] + residual', 0, () => layerNorm(out, x, y, bias, bias, 1e-12, N, D)],
];
print('\nkernel                                      ms   GFLOP/s');
for (const [name, operations, run] of kernels) {
  const seconds = best(name, run);
  const rate = operations === 0 ? '' : (operations / seconds / 1e9).toFixed(2);
  print(`  ${name.padEnd(38)}${(1e3 * seconds).toFixed(2).padStart(6)}${rate.padStart(10)}`);
}
