/** How much of what one core can do in multiply-adds of 128 bits the product reaches, measured in the same moment. */
import { assemble, FunctionCode, f32, f32x4, i32 } from '../src/tensor/simd/assembler.ts';
import { simdKernels } from '../src/tensor/simd/kernels.ts';
import { relaxedMadd } from '../src/tensor/simd/tile.ts';
import { randomFloats } from '../test/support/numbers.ts';
import { best } from './best.ts';

/** Both in operations a second, two for each multiply-add. */
export function matmulAndLimit(): { matmul: number; limit: number } {
  const [N, D, F] = [128, 384, 1536];
  const kernels = simdKernels();
  const matrix = (rows: number, columns: number, seed: number): Float32Array =>
    randomFloats(kernels.floats(rows, columns) as Float32Array, seed);
  const [x, weight, bias, out] = [matrix(N, D, 1), matrix(F, D, 2), matrix(F, 1, 3), matrix(N, F, 4)];
  const w = { weight, bias, inFeatures: D, outFeatures: F };
  kernels.prepare(w);
  const seconds = best(() => kernels.linear(out, x, w, N));
  return { matmul: (2 * N * D * F) / seconds, limit: multiplyAddLimit() };
}

/** Twelve independent sums in registers, nothing loaded and nothing stored. */
function multiplyAddLimit(): number {
  const f = new FunctionCode(['i32']);
  const sums = f.localsOf('v128', 12);
  const [factor] = f.localsOf('v128', 1);
  const [i] = f.localsOf('i32', 1);
  f.set(factor, f32x4.const(0.5));
  f.for(i, i32.const(0), f.get(f.parameters[0]), 1, () => {
    for (let u = 0; u < 8; u++) {
      for (const sum of sums) f.set(sum, relaxedMadd(f.get(factor), f.get(factor), f.get(sum)));
    }
  });
  // The sums must be wanted, or the loop is no work.
  const total = f32x4.extractLane(
    0,
    sums.map(sum => f.get(sum)).reduce((a, b) => f32x4.add(a, b)),
  );
  f.emit(f32.store(i32.const(0), 0, total));
  const memory = { initial: 1, maximum: 1, shared: true };
  const module = new WebAssembly.Module(assemble(new Map([['run', f]]), memory));
  const { run } = new WebAssembly.Instance(module, { env: { memory: new WebAssembly.Memory(memory) } }).exports as {
    run(count: number): void;
  };
  const count = 100_000;
  return (count * 8 * sums.length * 4 * 2) / best(() => run(count));
}
