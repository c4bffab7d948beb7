/** exp and the gelus of the fast kernels are as exact as their page says, with fused multiply-adds and without. */
import { expect, test } from 'vitest';
import { ACTIVATIONS } from '../src/tensor/activations.ts';
import { exp } from '../src/tensor/elementary.ts';
import { assemble } from '../src/tensor/simd/assembler.ts';
import { activateCode, expOf, geluOf, geluTanhOf } from '../src/tensor/simd/elementary.ts';
import { plainMadd, relaxedMadd } from '../src/tensor/simd/tile.ts';

const COUNT = 200_000;
const gelu = ACTIVATIONS.get('gelu') as (x: number) => number;
const geluTanh = ACTIVATIONS.get('gelu_new') as (x: number) => number;

test.each([
  ['exp', expOf, exp, 'relative', [-87, 88], 7.8e-8, 9.5e-8],
  ['gelu', geluOf, gelu, 'absolute', [-10, 10], 9.6e-7, 1.2e-6],
  ['gelu', geluOf, gelu, 'absolute', [-3, 3], 4.6e-7, 5.5e-7],
  ['gelu by tanh', geluTanhOf, geluTanh, 'absolute', [-10, 10], 5.2e-7, 5.2e-7],
  ['gelu by tanh', geluTanhOf, geluTanh, 'absolute', [-3, 3], 3e-7, 3e-7],
] as const)('%s: %#', (_, code, page, kind, [low, high], fused, plain) => {
  const limits = { initial: 16, maximum: 16, shared: true };
  for (const [madd, bound] of [
    [relaxedMadd, fused],
    [plainMadd, plain],
  ] as const) {
    // biome-ignore format: pairs
    const memory = new WebAssembly.Memory(limits);
    const module = new WebAssembly.Module(assemble(new Map([['run', activateCode(madd, code)]]), limits));
    const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
      run(x: number, N: number): void;
    };
    const x = new Float32Array(memory.buffer, 0, COUNT).map((_, i) => low + ((high - low) * i) / COUNT);
    const y = new Float32Array(memory.buffer, 0, COUNT);
    y.set(x);
    run(0, COUNT);
    let worst = 0;
    for (let i = 0; i < COUNT; i++) {
      const exact = page(x[i]);
      worst = Math.max(worst, Math.abs(y[i] - exact) / (kind === 'relative' ? Math.abs(exact) : 1));
    }
    expect(worst).toBeGreaterThan(bound / 10); // otherwise the page understates itself, or nothing was computed
    expect(worst).toBeLessThanOrEqual(bound);
  }
});
