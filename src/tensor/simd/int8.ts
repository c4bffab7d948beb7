/**
 * The linear layer in integers, out = x weightᵀ + bias: opt-in, four times the products per instruction of ./matmul.ts.
 *
 * Weights are bytes, -127 .. 127, with one scale for each output; each row of x becomes integers of seven bits, 0 .. 127,
 * with its minimum and a step:
 *
 *   weight[f, d] ~ scale[f] w[f, d]                     scale[f] = max |weight[f]| / 127
 *   x[n, d]      ~ min[n] + step[n] q[n, d]             step[n] = (max[n] - min[n]) / 127
 *   out[n, f]    = step[n] scale[f] Σ q[n, d] w[f, d] + min[n] scale[f] Σ w[f, d] + bias[f]
 *
 * Seven bits because relaxed SIMD multiplies bytes that every processor agrees on only if one of the two has no more (Relaxed
 * SIMD, "i32x4.relaxed_dot_i8x16_i7x16_add_s"). Three ways to multiply the same integers, by what engine and processor have:
 * see DOTS.
 *
 * Numerics. Both factors are rounded, to half a step: this is an approximation, unlike the other fast kernels. How far from
 * f32 it leads is measured on a real model in test/int8.test.ts. The sums over d are exact (D < 2^17), the line of f32
 * after them is not fused: bits are the same on every machine, whichever way it multiplies, for every batch. (The
 * activation that follows may be fused, as everywhere in this folder.) A row that holds an infinity or NaN becomes NaN.
 */
import type { Linear } from '../kernels.ts';
import type { Floats } from '../tensor.ts';
import { type Code, FunctionCode, f32, f32x4, i8x16, i16x8, i32, i32x4, type Local, v128 } from './assembler.ts';
import { type Madd, plainMadd, relaxedMadd, TILE_ROWS } from './tile.ts';

/** Tiles of rows that share a panel while it is in the nearest cache. */
const BLOCK_TILES = 16;

/** Groups of d are unrolled so many times; what is left over runs one by one. */
const UNROLL = 4;

/** The range of a row: its minimum and its step. */
const RANGE_BYTES = 8;

/** Values of f32 that follow each panel for each of its outputs: scale, scale × sum of the integers. */
const CONSTANTS = 2;

/** From here on 127 × 127 × D might not fit an i32. */
const TOO_WIDE = 2 ** 17;

/** A float added to it has no room for a fraction: it is rounded, and the integer is the difference of the bits. */
const ROUND = 1.5 * 2 ** 23;

/** Stands in for less, of which 127 could not be divided in f32. */
const SMALLEST_RANGE = 1e-36;

/** What the code is written for. */
export interface Int8Target {
  readonly dot: DotName;
  /** Outputs side by side in a panel, W: 8, or 16 where V8 makes one vector of 256 bits of two neighbours. */
  readonly columns: 8 | 16;
}

type Activation = (f: FunctionCode, madd: Madd) => (x: Code) => Code;

/**
 * How integers are multiplied: a group of d fills the four bytes that one load spreads over a vector, and meets a vector of
 * four outputs × the same d.
 */
interface Dot {
  /** d in a group. */
  readonly group: number;
  /** Bytes of four outputs × one group in a panel. */
  readonly weightBytes: number;
  readonly loadWeights: (address: Code, offset: number) => Code;
  /** Rows of a tile: as many as leave room for its sums in 16 registers. */
  readonly tileRows: number;
  /** Four sums, each with the products of a group added. */
  readonly add: (f: FunctionCode, weights: Code, row: Code, sums: Code) => Code;
  /** Bytes of an element of a quantized row. */
  readonly elementBytes: number;
  /** Stores sixteen of them, given as bytes. */
  readonly storeRow: (f: FunctionCode, address: Code, bytes: Local) => void;
}

const BYTES: Dot = {
  group: 4,
  weightBytes: 16,
  loadWeights: (address, offset) => v128.load(address, offset),
  tileRows: TILE_ROWS,
  add: (_, weights, row, sums) => i32x4.relaxedDotI8x16I7x16AddS(weights, row, sums),
  elementBytes: 1,
  storeRow: (f, address, bytes) => f.emit(v128.store(address, 0, f.get(bytes))),
};

const ONES = Array.from({ length: 8 }, () => [1, 0]).flat(); // of i16

export type DotName = 'bytes' | 'pairs' | 'words';

const DOTS: Readonly<Record<DotName, Dot>> = {
  /** Relaxed SIMD on a processor that has four products and their sum in one instruction (x86 with AVX-VNNI, ARM). */
  bytes: BYTES,
  /**
   * Relaxed SIMD on other processors: products of two neighbours fit an i16 (2 × 127 × 127 < 2^15), and are summed by a product
   * with ones. V8 does the same for the instruction above, but builds the ones anew each time: 84 against 112 billion
   * operations a second, 164 against 220 in vectors of 256 bits (AMD EPYC, Zen 4).
   */
  pairs: {
    ...BYTES,
    tileRows: TILE_ROWS - 1, // the products of pairs and the ones want registers of their own
    add(f, weights, row, sums) {
      const pairs = i16x8.relaxedDotI8x16I7x16S(weights, row);
      return i32x4.add(sums, i32x4.dotI16x8S(pairs, f.constant(v128.const(ONES))));
    },
  },
  /** No relaxed SIMD: the integers are multiplied as i16. */
  words: {
    group: 2,
    weightBytes: 8,
    loadWeights: (address, offset) => v128.load8x8S(address, offset),
    tileRows: TILE_ROWS,
    add: (_, weights, row, sums) => i32x4.add(sums, i32x4.dotI16x8S(weights, row)),
    elementBytes: 2,
    storeRow(f, address, bytes) {
      f.emit(v128.store(address, 0, i16x8.extendLowI8x16S(f.get(bytes))));
      f.emit(v128.store(address, 16, i16x8.extendHighI8x16S(f.get(bytes))));
    },
  },
};

/**
 * Which way is the fastest here. A processor without the instruction for four products cuts the sum of two off at 16 bits, and
 * thereby shows itself: with weights of -128 and, against the rule, rows of 255 it gives -2^16, others give something else.
 *
 * @param run - runs a module made of functions in a memory of its own, and gives back that memory
 */
export function fastestDot(run: (functions: ReadonlyMap<string, FunctionCode>) => Int32Array | null): DotName {
  const f = new FunctionCode([]);
  const bytes = (value: number): Code => v128.const(new Array(16).fill(value));
  f.emit(v128.store(i32.const(0), 0, i32x4.relaxedDotI8x16I7x16AddS(bytes(0x80), bytes(0xff), i32x4.const(0))));
  const memory = run(new Map([['run', f]]));
  if (memory === null) return 'words';
  return memory[0] === -(2 ** 16) ? 'pairs' : 'bytes';
}

/**
 * quantizeRows(rows [N, D] integers, ranges [N, 2] f32: minimum and step, x [N, D] f32, N, D), D a multiple of 4, at least 16.
 *
 * A row whose elements are all the same becomes zeros, and its minimum says it all.
 */
export function quantizeRowsCode(target: Int8Target): FunctionCode {
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [rows, ranges, x, N, D] = f.parameters;
  const [n, d, last, at] = f.localsOf('i32', 4);
  const [min, max, doubt, inverse, bytes] = f.localsOf('v128', 5);
  const [low, range] = f.localsOf('f32', 2);
  const values = f.localsOf('v128', 4);
  const { elementBytes, storeRow } = DOTS[target.dot];

  /** Sixteen elements at a time; the last sixteen may have been seen before. */
  const overRow = (body: () => void): void =>
    f.for(d, i32.const(0), f.get(D), 16, () => {
      f.if(i32.ltS(f.get(last), f.get(d)), () => f.set(d, f.get(last)));
      f.set(at, i32.add(f.get(x), i32.shl(f.get(d), i32.const(2))));
      for (const [i, value] of values.entries()) f.set(value, v128.load(f.get(at), 16 * i));
      body();
    });
  const fold = (operation: (a: Code, b: Code) => Code, vector: Local): Code =>
    [0, 1, 2, 3].map(lane => f32x4.extractLane(lane, f.get(vector))).reduce((a, b) => operation(a, b));

  f.set(last, i32.sub(f.get(D), i32.const(16)));
  f.for(n, i32.const(0), f.get(N), 1, () => {
    f.set(min, f32x4.const(Infinity));
    f.set(max, f32x4.const(-Infinity));
    f.set(doubt, f32x4.const(0));
    overRow(() => {
      const [a, b, c, e] = values.map(value => f.get(value));
      f.set(min, f32x4.pmin(f.get(min), f32x4.pmin(f32x4.pmin(a, b), f32x4.pmin(c, e))));
      f.set(max, f32x4.pmax(f.get(max), f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, e))));
      for (const value of [a, b, c, e]) f.set(doubt, v128.or(f.get(doubt), f32x4.sub(value, value))); // NaN of infinities and NaN
    });
    f.set(low, f32.add(fold(f32.min, min), fold(f32.add, doubt)));
    f.set(range, f32.max(f32.sub(fold(f32.max, max), f.get(low)), f32.const(SMALLEST_RANGE)));
    f.emit(f32.store(f.get(ranges), 0, f.get(low)));
    f.emit(f32.store(f.get(ranges), 4, f32.div(f.get(range), f32.const(127))));
    f.set(min, f32x4.splat(f.get(low)));
    f.set(inverse, f32x4.splat(f32.div(f32.const(127), f.get(range))));
    overRow(() => {
      for (const value of values) {
        const steps = f32x4.mul(f32x4.sub(f.get(value), f.get(min)), f.get(inverse));
        f.set(value, i32x4.sub(f32x4.add(steps, f.fourTimes(ROUND)), f.fourTimes(ROUND)));
      }
      const [a, b, c, e] = values.map(value => f.get(value));
      f.set(bytes, i8x16.narrowI16x8S(i16x8.narrowI32x4S(a, b), i16x8.narrowI32x4S(c, e)));
      storeRow(f, i32.add(f.get(rows), i32.mul(f.get(d), i32.const(elementBytes))), bytes);
    });
    f.set(x, i32.add(f.get(x), i32.shl(f.get(D), i32.const(2))));
    f.set(rows, i32.add(f.get(rows), i32.mul(f.get(D), i32.const(elementBytes))));
    f.set(ranges, i32.add(f.get(ranges), i32.const(RANGE_BYTES)));
  });
  return f;
}

/**
 * linearInt8(out [N, F] f32, rows and ranges of quantizeRows, panels of packInt8, bias [F], N, D, F), D a multiple of 4, F
 * of W.
 *
 * Tiles of 6 × W sums, or 5 × W, which stay in registers as those of ./tile.ts do. The last tile may hang over the last row: all
 * three arrays have room for five more. On an Intel Xeon at 2.95 GHz with AVX-VNNI this runs at 173 to 187 of the 189 billion
 * operations a second that two instructions a cycle give, at 346 to 375 in vectors of 256 bits, and without relaxed SIMD
 * at 63.
 *
 * @param activation - applied before the results are stored
 */
export function linearInt8Code(target: Int8Target, activation?: Activation): FunctionCode {
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [out, rows, ranges, panels, bias, N, D, F] = f.parameters;
  const [first, end, n, column, a, b, range, c, start, stop, biases, rowBytes, outBytes, panelBytes] = f.localsOf(
    'i32',
    14,
  );
  const { group, weightBytes, loadWeights, tileRows, add, elementBytes } = DOTS[target.dot];
  const block = BLOCK_TILES * tileRows;
  const pointers = f.localsOf('i32', tileRows);
  const sums = pointers.map(() => f.localsOf('v128', target.columns / 4));
  const weights = f.localsOf('v128', target.columns / 4);
  const [element, min, step] = f.localsOf('v128', 3);
  const finish = activation?.(f, target.dot === 'words' ? plainMadd : relaxedMadd);
  const W = target.columns;
  const groupBytes = (W / 4) * weightBytes; // from one group to the next
  const increase = (pointer: Local, bytes: Code): void => f.set(pointer, i32.add(f.get(pointer), bytes));

  f.set(rowBytes, i32.mul(f.get(D), i32.const(elementBytes)));
  f.set(outBytes, i32.shl(f.get(F), i32.const(2)));
  f.set(panelBytes, i32.mul(f.get(D), i32.const(W)));
  f.for(first, i32.const(0), f.get(N), block, () => {
    f.set(end, i32.add(f.get(first), i32.const(block)));
    f.if(i32.ltS(f.get(N), f.get(end)), () => f.set(end, f.get(N)));
    f.set(start, f.get(panels));
    f.set(biases, f.get(bias));
    f.for(column, i32.const(0), f.get(F), W, () => {
      f.set(a, i32.add(f.get(rows), i32.mul(f.get(first), f.get(rowBytes))));
      f.set(range, i32.add(f.get(ranges), i32.mul(f.get(first), i32.const(RANGE_BYTES))));
      f.set(c, i32.add(f.get(out), i32.mul(f.get(first), f.get(outBytes))));
      increase(c, i32.shl(f.get(column), i32.const(2)));
      f.for(n, f.get(first), f.get(end), tileRows, () => {
        product();
        store();
        increase(a, i32.mul(f.get(rowBytes), i32.const(tileRows)));
        increase(c, i32.mul(f.get(outBytes), i32.const(tileRows)));
        increase(range, i32.const(RANGE_BYTES * tileRows));
      });
      increase(start, i32.add(f.get(panelBytes), i32.const(CONSTANTS * 4 * W)));
      increase(biases, i32.const(4 * W));
    });
  });
  return f;

  /** The integers of a tile; leaves b at the constants of the panel. */
  function product(): void {
    f.set(b, f.get(start));
    f.set(pointers[0], f.get(a));
    for (let r = 1; r < tileRows; r++) f.set(pointers[r], i32.add(f.get(pointers[r - 1]), f.get(rowBytes)));
    for (const row of sums) for (const sum of row) f.set(sum, i32x4.const(0));

    const groups = (count: number): void => {
      for (let u = 0; u < count; u++) {
        for (const [v, weight] of weights.entries()) {
          f.set(weight, loadWeights(f.get(b), u * groupBytes + v * weightBytes));
        }
        for (const [r, row] of sums.entries()) {
          f.set(element, v128.load32Splat(f.get(pointers[r]), 4 * u));
          for (const [v, sum] of row.entries()) f.set(sum, add(f, f.get(weights[v]), f.get(element), f.get(sum)));
        }
      }
      for (const pointer of pointers) increase(pointer, i32.const(4 * count));
      increase(b, i32.const(count * groupBytes));
    };
    // The end of the last whole round of groups, then of the panel.
    f.set(stop, i32.and(f.get(D), i32.const(-UNROLL * group)));
    f.set(stop, i32.add(f.get(start), i32.mul(f.get(stop), i32.const(W))));
    f.while(
      () => i32.ltU(f.get(b), f.get(stop)),
      () => groups(UNROLL),
    );
    f.set(stop, i32.add(f.get(start), f.get(panelBytes)));
    f.while(
      () => i32.ltU(f.get(b), f.get(stop)),
      () => groups(1),
    );
  }

  /** Integers to f32: scaled, shifted, with the activation. */
  function store(): void {
    f.set(stop, f.get(c));
    for (const [r, row] of sums.entries()) {
      f.set(min, v128.load32Splat(f.get(range), RANGE_BYTES * r));
      f.set(step, v128.load32Splat(f.get(range), RANGE_BYTES * r + 4));
      for (const [v, sum] of row.entries()) {
        const [scale, shift] = [0, 1].map(i => v128.load(f.get(b), 4 * W * i + 16 * v));
        const scaled = f32x4.mul(f32x4.convertI32x4S(f.get(sum)), f32x4.mul(f.get(step), scale));
        const result = f32x4.add(scaled, f32x4.add(f32x4.mul(f.get(min), shift), v128.load(f.get(biases), 16 * v)));
        f.set(sum, finish ? finish(result) : result);
      }
      // Apart from the loads above: V8 joins neighbours only where no store stands between what they load.
      for (const [v, sum] of row.entries()) f.emit(v128.store(f.get(stop), 16 * v, f.get(sum)));
      increase(stop, f.get(outBytes));
    }
  }
}

/** The functions by name, for `assemble`; `activations` by the names that `multiply` is called with. */
export function int8Functions(
  target: Int8Target,
  activations: Readonly<Record<string, Activation>>,
): [string, FunctionCode][] {
  return [
    ['quantizeRows', quantizeRowsCode(target)],
    ['linearInt8', linearInt8Code(target)],
    ...Object.entries(activations).map(([name, activation]): [string, FunctionCode] => [
      `linearInt8 ${name}`,
      linearInt8Code(target, activation),
    ]),
  ];
}

/** Bytes of a packed layer: a quarter of the f32 and a little. */
export function int8Bytes(F: number, D: number): number {
  return F * (D + 4 * CONSTANTS);
}

/** Whether a layer has a shape that these kernels take. */
export function fitsInt8({ columns }: Int8Target, F: number, D: number): boolean {
  return F % columns === 0 && D % 4 === 0 && D >= 16 && D < TOO_WIDE;
}

/**
 * Quantizes rows [F, D] into panels [F / W, D / group, W, group] of bytes, each with its constants [2, W] behind it. The bias
 * is not looked at and stays where it is.
 *
 * @param address - in `memory`, where int8Bytes(F, D) are written. It may be that of the weight, or any before it: each panel
 *   is written after its rows were read, and ends before the next rows begin.
 */
export function packInt8(target: Int8Target, memory: ArrayBufferLike, address: number, w: Linear): void {
  const { outFeatures: F, inFeatures: D } = w;
  const { columns: W } = target;
  const { group } = DOTS[target.dot];
  const rows = new Float32Array(W * D);
  for (let f = 0, at = address; f < F; f += W, at += int8Bytes(W, D)) {
    rows.set(w.weight.subarray(f * D, (f + W) * D));
    const panel = new Int8Array(memory, at, W * D);
    const constants = new Float32Array(memory, at + W * D, CONSTANTS * W);
    for (let j = 0; j < W; j++) {
      const row = rows.subarray(j * D, (j + 1) * D);
      let max = 0;
      for (let d = 0; d < D; d++) max = Math.max(max, Math.abs(row[d]));
      const [inverse, scale] = [max === 0 ? 0 : 127 / max, max / 127];
      let sum = 0;
      for (let d = 0; d < D; d += group) {
        for (let i = 0; i < group; i++) {
          const integer = Math.floor(row[d + i] * inverse + 0.5);
          panel[d * W + j * group + i] = integer;
          sum += integer;
        }
      }
      constants[j] = scale;
      constants[W + j] = scale * sum;
    }
  }
}

/** Rows of integers in the memory of the module. */
export interface QuantizedRows {
  readonly rows: number;
  readonly ranges: number;
  readonly N: number;
  readonly D: number;
}

export interface Int8Linear {
  /** Quantizes x [N, D] into memory that `allocate` gives: about a quarter of x, half as words. */
  quantize(x: Floats, N: number, D: number): QuantizedRows;
  /** out [N, F] = x weightᵀ + bias for a layer packed at `panels`, with its bias [F] at `bias`; then the activation of that name. */
  multiply(out: Floats, x: QuantizedRows, panels: number, bias: number, F: number, activation?: string): void;
}

/**
 * Calls a function of the module for `count` rows: once with operandsOf(0, count), or in parts of whole units, in several
 * threads, and returns when all are done.
 */
export type InParts = (
  name: string,
  count: number,
  unit: number,
  operandsOf: (first: number, count: number) => number[],
) => void;

/**
 * @param inParts - runs functions of a module with int8Functions
 * @param allocate - the address of so many bytes; the caller takes them back when a product is done
 */
export function int8Linear(target: Int8Target, inParts: InParts, allocate: (bytes: number) => number): Int8Linear {
  const { elementBytes, tileRows } = DOTS[target.dot];
  return {
    quantize(x, N, D) {
      const rows = allocate((N + TILE_ROWS - 1) * D * elementBytes);
      const ranges = allocate((N + TILE_ROWS - 1) * RANGE_BYTES);
      inParts('quantizeRows', N, 1, (n, count) => {
        return [rows + n * D * elementBytes, ranges + n * RANGE_BYTES, x.byteOffset + 4 * n * D, count, D];
      });
      return { rows, ranges, N, D };
    },
    multiply(out, { rows, ranges, N, D }, panels, bias, F, activation) {
      // Parts are whole tiles, so that none writes beyond its rows into those of another.
      inParts(activation === undefined ? 'linearInt8' : `linearInt8 ${activation}`, N, tileRows, (n, count) => {
        const x = [rows + n * D * elementBytes, ranges + n * RANGE_BYTES];
        return [out.byteOffset + 4 * n * F, ...x, panels, bias, count, D, F];
      });
    },
  };
}
