/**
 * The register tile that all products are made of:
 *
 *   C [6, W] = start + A [6, K] B [K, W]        W = 8 columns, or 16 where V8 joins vectors
 *
 * Twelve vectors of four hold the sums; for each k two vectors of B are loaded and six elements of A, each spread over a
 * vector. With the element of A in flight that is 15 of the 16 vector registers; a larger tile spills. On an Intel Xeon at
 * 2.95 GHz this runs at 47 to 51 GFLOP/s, which is what two fused multiply-adds of four lanes a cycle give.
 *
 * Numerics. f32. Every element is summed over k = 0, 1, 2, ... in one lane, whatever the tile, so a row of C depends on its
 * own row of A alone, to the last bit. Where the processor fuses multiply and add the product is not rounded
 * (relaxed_madd); bits may therefore differ between machines, never between batches or threads on one.
 *
 * The longer a sum is, the more each addition rounds off. So blocks of 192 products are summed by themselves and their sums
 * added, which bounds the error by about (192 + K / 192) roundings where a single sum has K (blocked summation: Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd edition, section 4.2). Sums of 384 to 4,096 products err by 8 to 10 times
 * as much as a sum in f64 that is rounded once; single sums by 14 to 46 times. It takes 1 % of the time; blocks of 128 take 3
 * to 7 % of that of wide vectors (Intel Xeon).
 */
import { type Code, type FunctionCode, f32x4, i32, type Local, v128 } from './assembler.ts';

export const TILE_ROWS = 6;

/** k is unrolled so many times; what is left over runs one by one, in the same order. */
const UNROLL = 4;

/** Products that are summed by themselves, a multiple of UNROLL. Fewer are more accurate, and slower. */
const K_BLOCK = 192;

/** a b + c for each lane. */
export type Madd = (a: Code, b: Code, c: Code) => Code;

/** Fused where the processor can. */
export const relaxedMadd: Madd = (a, b, c) => f32x4.relaxedMadd(a, b, c);
/** Rounded twice, for engines without relaxed SIMD. */
export const plainMadd: Madd = (a, b, c) => f32x4.add(f32x4.mul(a, b), c);

/** What the code is written for. */
export interface Target {
  readonly madd: Madd;
  /**
   * W: 8, or 16 for V8's --experimental-wasm-revectorize, which makes one vector of 256 bits of two neighbours. Twice as many
   * sums then fit the registers; without the flag they do not, and it is half as fast.
   */
  readonly columns: 8 | 16;
}

/** Addresses and strides, the latter in bytes. */
export interface Operands {
  /** The first of six rows. */
  readonly a: Local;
  readonly aStride: Local;
  /** The first W columns, and how far it is from one k to the next. */
  readonly b: Local;
  readonly bStride: Local | number;
  readonly K: Local;
  readonly c: Local;
  readonly cStride: Local;
  /** W values that the sums of each row start from; absent for zero. */
  readonly start?: Local;
  /** Room for the sums of the blocks so far, keptBytes(W), where K may be more than one block; absent for a single sum. */
  readonly kept?: Local;
  /** Applied to each vector of sums before it is stored. */
  readonly finish?: ((sums: Code) => Code) | undefined;
}

export function keptBytes(W: number): number {
  return 4 * TILE_ROWS * W;
}

/** Declares the tile's registers in `f` and gives what writes its code there, as often as wanted. */
export function tileOf(f: FunctionCode, { madd, columns: W }: Target): (operands: Operands) => void {
  const rows = Array.from({ length: TILE_ROWS }, () => f.local('i32'));
  const sums = rows.map(() => Array.from({ length: W / 4 }, () => f.local('v128')));
  const columns = Array.from({ length: W / 4 }, () => f.local('v128'));
  const element = f.local('v128');
  const [b, c, k, stop] = f.localsOf('i32', 4);

  return ({ a, aStride, b: firstB, bStride, K, c: firstC, cStride, start, kept, finish }) => {
    f.set(b, f.get(firstB));
    f.set(rows[0], f.get(a));
    for (let r = 1; r < TILE_ROWS; r++) f.set(rows[r], i32.add(f.get(rows[r - 1]), f.get(aStride)));
    for (const row of sums) {
      for (const [v, sum] of row.entries()) f.set(sum, start ? v128.load(f.get(start), 16 * v) : f32x4.const(0));
    }

    /** The products of the k that is `u` after the current one. */
    const step = (u: number): void => {
      const offset = typeof bStride === 'number' ? u * bStride : 0;
      for (const [v, column] of columns.entries()) f.set(column, v128.load(f.get(b), offset + 16 * v));
      for (const [r, row] of rows.entries()) {
        f.set(element, v128.load32Splat(f.get(row), 4 * u));
        for (const [v, sum] of sums[r].entries()) f.set(sum, madd(f.get(element), f.get(columns[v]), f.get(sum)));
      }
      if (typeof bStride !== 'number') f.set(b, i32.add(f.get(b), f.get(bStride)));
    };
    const advance = (count: number): void => {
      for (const row of rows) f.set(row, i32.add(f.get(row), i32.const(4 * count)));
      if (typeof bStride === 'number') f.set(b, i32.add(f.get(b), i32.const(count * bStride)));
    };
    const until = (end: Local, count: number): void => {
      f.while(
        () => i32.ltS(f.get(k), f.get(end)),
        () => {
          for (let u = 0; u < count; u++) step(u);
          advance(count);
          f.set(k, i32.add(f.get(k), i32.const(count)));
        },
      );
    };
    f.set(k, i32.const(0));
    const isLong = (): Code => i32.ltS(i32.const(K_BLOCK), f.get(K));
    if (kept) f.if(isLong(), () => sumBlocks(kept, K, until));
    f.set(stop, i32.and(f.get(K), i32.const(-UNROLL)));
    until(stop, UNROLL);
    until(K, 1);
    if (kept)
      f.if(isLong(), () => eachSum((sum, offset) => f.set(sum, f32x4.add(f.get(sum), v128.load(f.get(kept), offset)))));

    f.set(c, f.get(firstC));
    for (const row of sums) {
      for (const [v, sum] of row.entries())
        f.emit(v128.store(f.get(c), 16 * v, finish ? finish(f.get(sum)) : f.get(sum)));
      f.set(c, i32.add(f.get(c), f.get(cStride)));
    }
  };

  /** All blocks but the last: the sums of those before it are kept, the registers hold zeros. */
  function sumBlocks(kept: Local, K: Local, until: (end: Local, count: number) => void): void {
    eachSum((_, offset) => f.emit(v128.store(f.get(kept), offset, f32x4.const(0))));
    f.while(
      () => i32.ltS(i32.add(f.get(k), i32.const(K_BLOCK)), f.get(K)),
      () => {
        f.set(stop, i32.add(f.get(k), i32.const(K_BLOCK)));
        until(stop, UNROLL);
        for (const [r, row] of sums.entries()) {
          // First all loads of a row, then its stores: V8 joins neighbours only where no store stands between what they load.
          const at = (v: number): number => 4 * W * r + 16 * v;
          for (const [v, sum] of row.entries()) f.set(columns[v], f32x4.add(f.get(sum), v128.load(f.get(kept), at(v))));
          for (const [v, total] of columns.entries()) f.emit(v128.store(f.get(kept), at(v), f.get(total)));
        }
        eachSum(sum => f.set(sum, f32x4.const(0)));
      },
    );
  }

  /** With the place of each in what is kept. */
  function eachSum(act: (sum: Local, offset: number) => void): void {
    for (const [r, row] of sums.entries()) for (const [v, sum] of row.entries()) act(sum, 4 * W * r + 16 * v);
  }
}
