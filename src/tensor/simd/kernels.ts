/**
 * The fast kernels: WebAssembly SIMD written out by TypeScript when the engine loads, over f32. Same results as the pages of
 * the folder above up to the rounding of f32 sums; how far apart they are is measured for every model of the conformance
 * set (test/simd.test.ts).
 *
 * One WebAssembly memory holds the weights and the scratch of a pass. Arrays lie in it one behind the other; a pass gives
 * back what it took by setting the end back. Where a shape does not fit the tiles (a width that is no multiple of 8, a head
 * of 12 columns), the plain page computes it, in the same memory.
 */
import { ACTIVATIONS, activate } from '../activations.ts';
import { type Kernels, type Linear, referenceKernels } from '../kernels.ts';
import type { Floats } from '../tensor.ts';
import { assemble, type FunctionCode } from './assembler.ts';
import { attentionCode, attentionScratchBytes } from './attention.ts';
import { activateCode, geluOf, geluTanhOf, reluOf } from './elementary.ts';
import { layerNormCode } from './layer-norm.ts';
import { linearCode, pack } from './matmul.ts';
import { type Madd, plainMadd, relaxedMadd, TILE_COLUMNS } from './tile.ts';

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, all that 32-bit addresses reach

/** Rows that a tile may read or write beyond the last. */
const OVERHANG = TILE_COLUMNS;

/** Address 0 means "none", so nothing lies there. */
const FIRST_ADDRESS = 64;

/** The activations that have a fast form; all others run by their page. */
const ACTIVATION_CODE = { gelu: geluOf, geluTanh: geluTanhOf, relu: reluOf };

const FAST: ReadonlyMap<string, keyof typeof ACTIVATION_CODE> = new Map([
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['gelu_new', 'geluTanh'],
  ['gelu_fast', 'geluTanh'],
  ['gelu_accurate', 'geluTanh'],
  ['gelu_pytorch_tanh', 'geluTanh'],
  ['gelu_python_tanh', 'geluTanh'],
  ['relu', 'relu'],
]);

/** What is used of the WebAssembly of every engine; TypeScript has its types only among those of browsers. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }
  class Memory {
    constructor(limits: { initial: number; maximum: number; shared: boolean });
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } });
    readonly exports: unknown;
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
}

type Exports = Record<string, (...operands: number[]) => void>;

function moduleBytes(madd: Madd): Uint8Array<ArrayBuffer> {
  const functions: [string, FunctionCode][] = [
    ['linear', linearCode(madd)],
    ['layerNorm', layerNormCode()],
    ['attention', attentionCode(madd)],
  ];
  for (const [name, activation] of Object.entries(ACTIVATION_CODE)) {
    functions.push([`linear ${name}`, linearCode(madd, activation)], [name, activateCode(madd, activation)]);
  }
  return assemble(new Map(functions), { initial: 1, maximum: MAX_PAGES, shared: true });
}

/** Compiled once a process: with fused multiply-add where the engine has it, without where it has SIMD alone. */
let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | null {
  if (compiled !== undefined) return compiled;
  compiled = null;
  for (const madd of [relaxedMadd, plainMadd]) {
    const bytes = moduleBytes(madd);
    if (!WebAssembly.validate(bytes)) continue;
    compiled = new WebAssembly.Module(bytes);
    break;
  }
  return compiled;
}

/** Whether this engine runs them: it needs WebAssembly SIMD and shared memory. */
export function hasSimd(): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && compile() !== null;
}

/** New kernels with a memory of their own. */
export function simdKernels(): Kernels {
  const module = compile();
  if (module === null) throw new Error('this engine has no WebAssembly SIMD');
  const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
  const packed = new WeakSet<Linear>();
  let end = FIRST_ADDRESS;

  /** The address of so many bytes more; multiples of 64, the line of a cache. */
  function allocate(bytes: number): number {
    const address = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE)); // a RangeError beyond 4 GiB
    return address;
  }

  const at = (x: Floats | null): number => (x === null ? 0 : x.byteOffset);
  const noBias = (F: number): number => {
    const address = allocate(4 * F);
    new Float32Array(memory.buffer, address, F).fill(0);
    return address;
  };

  function linear(name: string, out: Floats, x: Floats, w: Linear, N: number): void {
    const mark = end;
    const bias = w.bias === null ? noBias(w.outFeatures) : at(w.bias);
    wasm[name](at(out), at(x), at(w.weight), bias, N, w.inFeatures, w.outFeatures);
    end = mark;
  }

  return {
    name: 'simd',
    floats(N, D = 1) {
      const address = allocate(4 * (D === 1 ? N + OVERHANG : (N + OVERHANG) * D));
      return new Float32Array(memory.buffer, address, N * D);
    },
    prepare(w) {
      if (w.outFeatures % TILE_COLUMNS !== 0) return;
      pack(w.weight as Float32Array, w.outFeatures, w.inFeatures);
      packed.add(w);
    },
    pass(run) {
      const mark = end;
      try {
        return run();
      } finally {
        end = mark;
      }
    },
    embed: referenceKernels.embed,
    linear(out, x, w, N) {
      if (packed.has(w)) linear('linear', out, x, w, N);
      else referenceKernels.linear(out, x, w, N);
    },
    linearActivation(out, x, w, activation, N, seeBefore) {
      const fast = packed.has(w) ? FAST.get(activation) : undefined;
      if (fast !== undefined && seeBefore === undefined) return linear(`linear ${fast}`, out, x, w, N);
      this.linear(out, x, w, N);
      seeBefore?.();
      if (fast !== undefined) wasm[fast](at(out), N * w.outFeatures);
      else activate(out, ACTIVATIONS.get(activation) as (x: number) => number, N * w.outFeatures);
    },
    attention(context, query, key, value, starts, D, H, seeProbabilities) {
      const K = D / H;
      if (K % TILE_COLUMNS !== 0) {
        referenceKernels.attention(context, query, key, value, starts, D, H, seeProbabilities);
        return;
      }
      for (let b = 0; b + 1 < starts.length; b++) {
        const mark = end;
        const T = starts[b + 1] - starts[b];
        const scratch = allocate(attentionScratchBytes(T, K));
        const seen = seeProbabilities ? allocate(4 * H * T * T) : 0;
        const [c, q, k, v] = [context, query, key, value].map(x => at(x) + 4 * D * starts[b]);
        wasm.attention(c, q, k, v, T, D, H, K, scratch, seen, 1 / Math.sqrt(K));
        seeProbabilities?.(b, new Float32Array(memory.buffer, seen, H * T * T), T);
        end = mark;
      }
    },
    layerNorm(out, x, residual, w, N) {
      const D = w.weight.length;
      if (D % 2 !== 0) referenceKernels.layerNorm(out, x, residual, w, N);
      else wasm.layerNorm(at(out), at(x), at(residual), at(w.weight), at(w.bias), N, D, w.epsilon);
    },
  };
}
