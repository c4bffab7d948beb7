/**
 * The fast kernels: WebAssembly SIMD written out by TypeScript when the engine loads, over f32. Same results as the pages of
 * the folder above up to the rounding of f32 sums; how far apart they are is measured for every model of the conformance
 * set (test/simd.test.ts).
 *
 * One WebAssembly memory holds the weights and the scratch of a pass. Arrays lie in it one behind the other; a pass gives
 * back what it took by setting the end back. Where a shape does not fit the tiles (a width that is no multiple of 8, a head
 * of 12 columns), the plain page computes it, in the same memory.
 */

import { GlassbertError } from '../../errors.ts';
import { ACTIVATIONS, activate } from '../activations.ts';
import { type Kernels, type Linear, referenceKernels } from '../kernels.ts';
import type { Floats } from '../tensor.ts';
import type { FunctionCode } from './assembler.ts';
import { attentionCode, attentionScratchBytes } from './attention.ts';
import { activateCode, geluOf, geluTanhOf, reluOf } from './elementary.ts';
import { type Exports, newMemory, outOfMemory, PAGE, sharesMemory, start } from './engine.ts';
import type { Gang } from './gang.ts';
import { type DotName, fastestDot, fitsInt8, int8Functions, int8Linear, packInt8 } from './int8.ts';
import { layerNormCode, layerNormScratchBytes } from './layer-norm.ts';
import { linearCode, pack } from './matmul.ts';
import { keptBytes, plainMadd, relaxedMadd, type Target, TILE_ROWS } from './tile.ts';

/** Rows that may be read or written beyond the last: five by a tile of six, fifteen by sixteen packed keys. */
const OVERHANG = 16;

/** For a thread: what a pass of 2^25 floats in its widest array takes is a third of this. */
const MAX_SCRATCH = 2 ** 29;

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

/** What a module is for. */
interface Build {
  readonly columns: Target['columns'];
  readonly int8: boolean;
}

function functionsOf(dot: DotName, { columns, int8 }: Build): Map<string, FunctionCode> {
  const madd = dot === 'words' ? plainMadd : relaxedMadd;
  const target = { madd, columns };
  const functions: [string, FunctionCode][] = [
    ['linear', linearCode(target)],
    ['layerNorm', layerNormCode()],
    ['attention', attentionCode(target)],
  ];
  for (const [name, activation] of Object.entries(ACTIVATION_CODE)) {
    functions.push([`linear ${name}`, linearCode(target, activation)], [name, activateCode(madd, activation)]);
  }
  if (int8) functions.push(...int8Functions({ dot, columns }, ACTIVATION_CODE));
  return new Map(functions);
}

interface Compiled {
  readonly module: WebAssembly.Module;
  readonly dot: DotName;
}

/** Compiled once a process: with fused multiply-add where the engine has it, without where it has SIMD alone. */
const compiled = new Map<string, Compiled | null>();

/** Null where this engine does not run it. */
function compile(build: Build): Compiled | null {
  const key = `${build.columns} ${build.int8}`;
  let result = compiled.get(key);
  if (result !== undefined) return result;
  const dot = fastestDot(runAlone);
  const started = start(functionsOf(dot, build));
  result = started === null ? null : { module: started.module, dot };
  compiled.set(key, result);
  return result;
}

/** What the function "run" leaves in its memory; null where the engine does not run it. */
function runAlone(functions: ReadonlyMap<string, FunctionCode>): Int32Array | null {
  const started = start(functions);
  if (started === null) return null;
  started.run.run();
  return new Int32Array(started.memory.buffer);
}

/** Whether this engine runs the fast kernels: it needs WebAssembly SIMD, and permission to compile it. */
export function hasSimd(): boolean {
  return compile({ columns: 8, int8: false }) !== null;
}

/** A part of a memory and the code to compute in it: what another thread needs to make kernels of its own. */
export interface SharedKernels {
  readonly memory: unknown;
  readonly module: unknown;
  readonly columns: Target['columns'];
  readonly int8: boolean;
  readonly dot: DotName;
  /** Where its scratch lies. */
  readonly start: number;
  readonly end: number;
}

export interface SimdKernels extends Kernels {
  /**
   * Parts of the memory for so many threads, behind what these kernels keep for themselves. To be called once, after loading.
   * Absent where the engine has no memory to share.
   */
  share?(threads: number): SharedKernels[];
  /** Does `run` with its operations in parts, one for each thread of the gang. */
  withGang<Result>(gang: Gang, run: () => Result): Result;
  /** What a thread of a gang does: operation number `operation`, on addresses in the shared memory. */
  serve(operation: number, operands: Float64Array): void;
}

/** New kernels, with a memory of their own or in their part of a shared one. */
export function simdKernels(options: Partial<Build> & { shared?: SharedKernels } = {}): SimdKernels {
  const { shared } = options;
  const { columns: W, int8: quantized } = { columns: 8, int8: false, ...options, ...shared } as Build;
  const { module, dot } = (shared ?? compile({ columns: W, int8: quantized }) ?? {}) as Partial<Compiled>;
  if (module === undefined || dot === undefined) {
    throw new GlassbertError('E_ARGUMENT', 'this engine has no WebAssembly SIMD', {
      expected: 'kernels "auto" or "reference"',
    });
  }
  const home = shared === undefined ? newMemory() : { memory: shared.memory as WebAssembly.Memory, limit: shared.end };
  const { memory } = home;
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
  let { limit } = home;
  let end = shared?.start ?? FIRST_ADDRESS;
  let gang: Gang | null = null;
  const names = Object.keys(wasm); // in the order of the module, the same in every thread

  /** An operation in as many parts as there are threads, or whole. */
  function inParts(
    name: string,
    count: number,
    unit: number,
    operandsOf: (first: number, count: number) => number[],
    most = Number.POSITIVE_INFINITY,
  ): void {
    const own = (operands: readonly number[]): void => wasm[name](...operands);
    if (gang === null) {
      own(operandsOf(0, count));
      return;
    }
    const size = Math.ceil(count / Math.max(1, Math.min(gang.parts, most)) / unit) * unit;
    const parts: number[][] = [];
    for (let first = 0; first < count; first += size) parts.push(operandsOf(first, Math.min(size, count - first)));
    gang.run(names.indexOf(name), parts, own);
  }

  /** `memory.buffer` may be older than the last growth by another thread. A memory that is not shared never grows. */
  const sizeOfMemory = (): number => (sharesMemory() ? PAGE * memory.grow(0) : limit);

  /** Takes so many bytes more. @returns their address, a multiple of 64: of a line of the cache */
  function allocate(bytes: number): number {
    const address = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    if (end > limit) throw outOfMemory(bytes);
    for (let size = sizeOfMemory(); size < end; size = sizeOfMemory()) {
      try {
        memory.grow(Math.ceil((end - size) / PAGE));
      } catch (cause) {
        // Another thread may have grown it meanwhile; then there is less missing, or nothing.
        if (sizeOfMemory() === size) throw outOfMemory(bytes, cause);
      }
    }
    return address;
  }

  const int8Target = { dot, columns: W };
  const int8 = int8Linear(int8Target, inParts, allocate);

  const at = (x: Floats | null): number => (x === null ? 0 : x.byteOffset);
  const noBias = (F: number): number => {
    const address = allocate(4 * F);
    new Float32Array(memory.buffer, address, F).fill(0);
    return address;
  };

  /** Packed layers of one x, one after the other: x is quantized once. */
  function linears(outs: readonly Floats[], x: Floats, ws: readonly Linear[], N: number, activation?: string): void {
    const mark = end;
    const D = ws[0].inFeatures;
    const quantizedRows = ws[0].packed === 'int8' ? int8.quantize(x, N, D) : undefined;
    for (const [i, w] of ws.entries()) {
      const [out, F] = [outs[i], w.outFeatures];
      const bias = w.bias === null ? noBias(F) : at(w.bias);
      if (quantizedRows !== undefined) {
        int8.multiply(out, quantizedRows, at(w.weight), bias, F, activation);
        continue;
      }
      // Parts are whole tiles, so that none writes beyond its rows into those of another.
      inParts(activation === undefined ? 'linear' : `linear ${activation}`, N, TILE_ROWS, (first, rows) => {
        return [at(out) + 4 * F * first, at(x) + 4 * D * first, at(w.weight), bias, rows, D, F, allocate(keptBytes(W))];
      });
    }
    end = mark;
  }

  const share = (threads: number): SharedKernels[] => {
    const left = Math.floor((limit - end) / PAGE) * PAGE;
    const part = Math.min(Math.floor(left / (threads + 1) / PAGE) * PAGE, MAX_SCRATCH);
    const first = Math.ceil(end / PAGE) * PAGE + part;
    limit = first;
    return Array.from({ length: threads }, (_, i) => {
      const start = first + i * part;
      return { memory, module, columns: W, int8: quantized, dot, start, end: start + part };
    });
  };

  return {
    name: `${quantized ? 'int8' : 'simd'}${W === 16 ? ' wide' : ''}`,
    floats(N, D = 1) {
      const address = allocate(4 * (D === 1 ? N + OVERHANG : (N + OVERHANG) * D));
      return new Float32Array(memory.buffer, address, N * D);
    },
    prepare(w) {
      if (quantized && fitsInt8(int8Target, w.outFeatures, w.inFeatures)) {
        packInt8(int8Target, memory.buffer, at(w.weight), w);
        w.packed = 'int8';
        return;
      }
      if (w.outFeatures % W !== 0) return;
      pack(w.weight as Float32Array, w.outFeatures, w.inFeatures, W);
      w.packed = 'f32';
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
      if (w.packed) linears([out], x, [w], N);
      else referenceKernels.linear(out, x, w, N);
    },
    linears(outs, x, ws, N) {
      const [{ packed }] = ws;
      if (packed && ws.every(w => w.packed === packed)) linears(outs, x, ws, N);
      else for (const [i, w] of ws.entries()) this.linear(outs[i], x, w, N);
    },
    linearActivation(out, x, w, activation, N, seeBefore) {
      const fast = w.packed ? FAST.get(activation) : undefined;
      if (fast !== undefined && seeBefore === undefined) return linears([out], x, [w], N, fast);
      this.linear(out, x, w, N);
      seeBefore?.();
      if (fast !== undefined) wasm[fast](at(out), N * w.outFeatures);
      else activate(out, ACTIVATIONS.get(activation) as (x: number) => number, N * w.outFeatures);
    },
    attention(context, query, key, value, starts, D, H, seeProbabilities) {
      const K = D / H;
      if (K % W !== 0) {
        referenceKernels.attention(context, query, key, value, starts, D, H, seeProbabilities);
        return;
      }
      for (let b = 0; b + 1 < starts.length; b++) {
        const mark = end;
        const T = starts[b + 1] - starts[b];
        const seen = seeProbabilities ? allocate(4 * H * T * T) : 0;
        const text = [context, query, key, value].map(x => at(x) + 4 * D * starts[b]);
        const scratchBytes = attentionScratchBytes(T, K, W);
        const operandsOf = (head: number, heads: number): number[] => {
          const scratch = allocate(scratchBytes);
          const [c, q, k, v] = text.map(address => address + 4 * K * head);
          const shown = seen === 0 ? 0 : seen + 4 * T * T * head;
          return [c, q, k, v, T, D, heads, K, scratch, shown, 1 / Math.sqrt(K)];
        };
        // Each part has scratch of its own: as many as there is room for.
        inParts('attention', H, 1, operandsOf, Math.floor((limit - end) / (scratchBytes + 64)));
        seeProbabilities?.(b, new Float32Array(memory.buffer, seen, H * T * T), T);
        end = mark;
      }
    },
    layerNorm(out, x, residual, w, N) {
      const D = w.weight.length;
      if (D % 2 !== 0) referenceKernels.layerNorm(out, x, residual, w, N);
      else {
        const mark = end;
        inParts('layerNorm', N, 1, (first, rows) => {
          const [o, i, r] = [out, x, residual].map(y => (y === null ? 0 : at(y) + 4 * D * first));
          return [o, i, r, at(w.weight), at(w.bias), rows, D, w.epsilon, allocate(layerNormScratchBytes(D))];
        });
        end = mark;
      }
    },
    withGang(with_, run) {
      gang = with_;
      try {
        return run();
      } finally {
        gang = null;
      }
    },
    serve: (operation, operands) => wasm[names[operation]](...operands),
    ...(sharesMemory() ? { share } : {}),
  };
}
