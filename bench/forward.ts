/**
 * How fast the kernels run a forward pass of the shape of all-MiniLM-L6-v2 on one core, and what each kernel takes part in it.
 * The results are compared with the oracle before anything is timed.
 *
 *   npm run bench:kernels
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { forward } from '../src/bert/bert.ts';
import { type Kernels, oracleKernels, referenceKernels } from '../src/tensor/kernels.ts';
import { simdKernels } from '../src/tensor/simd/kernels.ts';
import { wideKernels } from '../src/tensor/simd/wide.ts';
import type { Floats } from '../src/tensor/tensor.ts';
import { maxDifference, randomFloats } from '../test/support/numbers.ts';
import { best } from './best.ts';
import { flops, MINI_LM, randomIds, randomWeights } from './random-bert.ts';

const KERNELS: Readonly<Record<string, () => Kernels | null>> = {
  reference: () => referenceKernels,
  simd: simdKernels,
  wide: wideKernels,
};

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

const name = process.argv[2];
if (name === undefined) {
  print(`${cpus()[0].model}, ${process.platform}-${process.arch}, Node ${process.version} (V8 ${process.versions.v8})`);
  print('one core; best of the runs; GFLOP/s count two for each multiply-add');
  // Each in a process of its own: what has run on two element types, or with a flag of V8, is compiled otherwise.
  for (const kernels of Object.keys(KERNELS)) {
    const { status } = spawnSync(process.execPath, [import.meta.filename, kernels], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
} else {
  run(name);
}

function run(name: string): void {
  const kernels = KERNELS[name]();
  print(`\n${name}`);
  if (kernels === null) {
    print('  not available on this engine');
    return;
  }
  verify(name);
  const weights = randomWeights(kernels, MINI_LM, 1);
  print('  forward pass, L 6, D 384, H 12, F 1536        ms   GFLOP/s');
  for (const [B, T] of [
    [1, 16],
    [1, 128],
    [8, 128],
  ]) {
    // biome-ignore format: shapes
    const ids = randomIds(MINI_LM, B, T, 2);
    const seconds = best(() => kernels.pass(() => forward(kernels, MINI_LM, weights, ids)));
    report(`${B} × ${T} tokens`, seconds, flops(MINI_LM, B, T));
  }

  const [N, D, F, H] = [128, 384, 1536, 12];
  const matrix = (rows: number, columns: number, seed: number): Floats => {
    const x = kernels.floats(rows, columns);
    x.set(randomFloats(new Float32Array(rows * columns), seed));
    return x;
  };
  const linear = (inFeatures: number, outFeatures: number) => {
    const [weight, bias] = [matrix(outFeatures, inFeatures, 5), matrix(outFeatures, 1, 6)];
    const w = { weight, bias, inFeatures, outFeatures };
    kernels.prepare(w);
    return w;
  };
  const [x, y, z, wide, out] = [matrix(N, D, 1), matrix(N, D, 2), matrix(N, D, 3), matrix(N, F, 4), matrix(N, F, 7)];
  const [up, down] = [linear(D, F), linear(F, D)];
  const norm = { weight: matrix(D, 1, 8), bias: matrix(D, 1, 9), epsilon: 1e-12 };
  const starts = Int32Array.of(0, N);
  print('  kernel, 128 tokens                            ms   GFLOP/s');
  report(
    'linear 384 -> 1536',
    best(() => kernels.linear(out, x, up, N)),
    2 * N * D * F,
  );
  report(
    'linear 1536 -> 384',
    best(() => kernels.linear(out, wide, down, N)),
    2 * N * D * F,
  );
  report(
    'linear 384 -> 1536, gelu',
    best(() => kernels.linearActivation(out, x, up, 'gelu', N)),
    2 * N * D * F,
  );
  report(
    'attention, 12 heads',
    best(() => kernels.attention(out, x, y, z, starts, D, H)),
    4 * N * N * D,
  );
  report(
    'layerNorm + residual',
    best(() => kernels.layerNorm(out, x, y, norm, N)),
    0,
  );
}

/** @throws when a hidden state differs from the oracle's: then nothing is timed */
function verify(name: string): void {
  const ids = randomIds(MINI_LM, 2, 16, 3);
  const hidden = (k: Kernels): Float64Array =>
    k.pass(() => Float64Array.from(forward(k, MINI_LM, randomWeights(k, MINI_LM, 1), ids)));
  const difference = maxDifference(hidden(KERNELS[name]() as Kernels), hidden(oracleKernels));
  if (!(difference < 1e-5)) throw new Error(`${name} and the oracle differ by ${difference}`);
  print(`  largest difference of a hidden state to the oracle: ${difference.toExponential(1)}`);
}

function report(what: string, seconds: number, operations: number): void {
  const rate = operations === 0 ? '' : (operations / seconds / 1e9).toFixed(1);
  print(`    ${what.padEnd(38)}${(1e3 * seconds).toFixed(2).padStart(8)}${rate.padStart(10)}`);
}
