/**
 * Attention of several heads within one text, in f32: the fast twin of ../attention.ts.
 *
 *   context = softmax(Q Kᵀ / sqrt(K)) V        for each head
 *
 * Both products are made of tiles. The keys of a head are packed first, W tokens side by side; the values are read where they
 * are, W columns of a head being side by side already. Scores stand in rows of whole tiles; the columns beyond the
 * last token are set to -3e38 before the softmax, which leaves them no share.
 *
 * Differs from the page in that scores, probabilities and their sum are f32, and that the sum runs in four lanes.
 */
import { type Code, FunctionCode, f32, f32x4, i8x16, i32, type Local, v128 } from './assembler.ts';
import { expOf } from './elementary.ts';
import { type Target, TILE_ROWS, tileOf } from './tile.ts';

/** Bytes of scratch for a text of T tokens and heads of width K. */
export function attentionScratchBytes(T: number, K: number, W: number): number {
  const width = Math.ceil(T / W) * W;
  return 4 * width * (K + T + TILE_ROWS) + 4 * W + 16 * T;
}

/**
 * attention(context, query, key, value, T, D, H, K, scratch, probabilities, 1 / sqrt(K)): the first four [T, D], K a multiple
 * of W, probabilities [H, T, T] for an observer, or 0.
 */
export function attentionCode(target: Target): FunctionCode {
  const { madd, columns: W } = target;
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32']);
  const [context, query, key, value, T, D, H, K, scratch, seen, scale] = f.parameters;
  const [h, s, k, t, a, b, c, p, column] = f.localsOf('i32', 9);
  const [rowBytes, width, widthBytes, scores, mask, ofRows] = f.localsOf('i32', 6);
  const vectors = f.localsOf('v128', W / 4);
  const rows = f.localsOf('v128', 4);
  const [ofRow, sum] = f.localsOf('v128', 2);
  const tile = tileOf(f, target);
  const exp = expOf(f, madd);
  const step = (pointer: Local, bytes: Code): void => f.set(pointer, i32.add(f.get(pointer), bytes));

  f.set(rowBytes, i32.shl(f.get(D), i32.const(2)));
  f.set(width, i32.and(i32.add(f.get(T), i32.const(W - 1)), i32.const(-W)));
  f.set(widthBytes, i32.shl(f.get(width), i32.const(2)));
  f.set(scores, i32.add(f.get(scratch), i32.mul(f.get(widthBytes), f.get(K)))); // behind the packed keys
  f.set(mask, i32.add(f.get(scores), i32.mul(f.get(widthBytes), i32.add(f.get(T), i32.const(TILE_ROWS)))));
  f.set(ofRows, i32.add(f.get(mask), i32.const(4 * W)));
  f.for(s, i32.const(0), i32.const(W), 1, () => {
    // All ones for the columns of the last W that are tokens.
    const token = i32.add(i32.sub(f.get(width), i32.const(W)), f.get(s));
    const address = i32.add(f.get(mask), i32.shl(f.get(s), i32.const(2)));
    f.emit(i32.store(address, 0, i32.sub(i32.const(0), i32.ltS(token, f.get(T)))));
  });
  f.for(h, i32.const(0), f.get(H), 1, () => {
    packKeys();

    // Scores: [T, K] x [K, width] -> [T, width]
    f.set(b, f.get(scratch));
    f.for(column, i32.const(0), f.get(width), W, () => {
      f.set(a, f.get(query));
      f.set(c, i32.add(f.get(scores), i32.shl(f.get(column), i32.const(2))));
      f.for(t, i32.const(0), f.get(T), TILE_ROWS, () => {
        tile({ a, aStride: rowBytes, b, bStride: 4 * W, K, c, cStride: widthBytes });
        step(a, i32.mul(f.get(rowBytes), i32.const(TILE_ROWS)));
        step(c, i32.mul(f.get(widthBytes), i32.const(TILE_ROWS)));
      });
      step(b, i32.mul(f.get(K), i32.const(4 * W)));
    });

    softmax();
    f.if(f.get(seen), () => {
      overRows(() => {
        f.for(s, i32.const(0), i32.shl(f.get(T), i32.const(2)), 4, () => {
          f.emit(f32.store(f.get(seen), 0, f32.load(i32.add(f.get(c), f.get(s)))));
          step(seen, i32.const(4));
        });
      });
    });

    // Context: [T, T] x [T, K] -> [T, K]
    f.for(column, i32.const(0), f.get(K), W, () => {
      f.set(a, f.get(scores));
      f.set(b, i32.add(f.get(value), i32.shl(f.get(column), i32.const(2))));
      f.set(c, i32.add(f.get(context), i32.shl(f.get(column), i32.const(2))));
      f.for(t, i32.const(0), f.get(T), TILE_ROWS, () => {
        tile({ a, aStride: widthBytes, b, bStride: rowBytes, K: T, c, cStride: rowBytes });
        step(a, i32.mul(f.get(widthBytes), i32.const(TILE_ROWS)));
        step(c, i32.mul(f.get(rowBytes), i32.const(TILE_ROWS)));
      });
    });
    for (const head of [context, query, key, value]) step(head, i32.shl(f.get(K), i32.const(2)));
  });
  return f;

  /**
   * Rows of keys to panels [width / W, K, W], four tokens × four columns at a time. Keys beyond the last token are whatever
   * stands there: their scores are never read.
   */
  function packKeys(): void {
    f.for(s, i32.const(0), f.get(width), 4, () => {
      f.set(b, i32.add(f.get(key), i32.mul(f.get(s), f.get(rowBytes))));
      // The panel begins at (s - s mod W) K, and token s stands in its column s mod W.
      f.set(p, i32.and(f.get(s), i32.const(-W)));
      f.set(p, i32.add(i32.mul(f.get(p), f.get(K)), i32.sub(f.get(s), f.get(p))));
      f.set(p, i32.add(f.get(scratch), i32.shl(f.get(p), i32.const(2))));
      f.for(k, i32.const(0), f.get(K), 4, () => {
        f.set(a, f.get(b));
        for (const row of rows) {
          f.set(row, v128.load(f.get(a)));
          step(a, f.get(rowBytes));
        }
        for (const [u, column] of transposed(rows.map(row => f.get(row))).entries()) {
          f.emit(v128.store(f.get(p), 4 * W * u, column));
        }
        step(b, i32.const(16));
        step(p, i32.const(4 * W * 4));
      });
    });
  }

  /** Rows of scores to probabilities: each step for all rows, since within a row each waits for the one before. */
  function softmax(): void {
    overRows(() => {
      f.set(s, i32.add(f.get(c), i32.sub(f.get(widthBytes), i32.const(4 * W))));
      for (const [v, vector] of vectors.entries()) {
        const token = v128.load(f.get(mask), 16 * v);
        f.set(vector, v128.bitselect(v128.load(f.get(s), 16 * v), f.fourTimes(-3e38), token));
      }
      for (const [v, vector] of vectors.entries()) f.emit(v128.store(f.get(s), 16 * v, f.get(vector)));
      overRow(at => {
        for (const [v, vector] of vectors.entries()) f.set(vector, f32x4.pmax(f.get(vector), v128.load(at, 16 * v)));
      });
      f.emit(v128.store(f.get(p), 0, acrossLanes(vectors, f32x4.pmax)));
    });
    overRows(() => {
      f.set(ofRow, v128.load(f.get(p)));
      f.set(sum, f32x4.const(0));
      overRow(at => {
        for (const [v, vector] of vectors.entries()) {
          const score = f32x4.sub(v128.load(at, 16 * v), f.get(ofRow));
          f.set(vector, exp(f32x4.mul(score, f32x4.splat(f.get(scale)))));
        }
        // One after the other: the same sum for any W.
        for (const vector of vectors) f.set(sum, f32x4.add(f.get(sum), f.get(vector)));
        for (const [v, vector] of vectors.entries()) f.emit(v128.store(at, 16 * v, f.get(vector)));
      });
      f.emit(v128.store(f.get(p), 0, f32x4.div(f.fourTimes(1), acrossLanes([sum], f32x4.add))));
    });
    overRows(() => {
      f.set(ofRow, v128.load(f.get(p)));
      overRow(at => {
        for (const [v, vector] of vectors.entries()) f.set(vector, f32x4.mul(v128.load(at, 16 * v), f.get(ofRow)));
        for (const [v, vector] of vectors.entries()) f.emit(v128.store(at, 16 * v, f.get(vector)));
      });
    });
  }

  /** For each row of scores, at c, with room for a vector at p. */
  function overRows(body: () => void): void {
    f.set(c, f.get(scores));
    f.set(p, f.get(ofRows));
    f.for(t, i32.const(0), f.get(T), 1, () => {
      body();
      step(c, f.get(widthBytes));
      step(p, i32.const(16));
    });
  }

  /** For each W columns of the row at c. */
  function overRow(body: (at: Code) => void): void {
    f.for(s, i32.const(0), f.get(widthBytes), 4 * W, () => body(i32.add(f.get(c), f.get(s))));
  }

  /** All elements of all vectors in each element of one. */
  function acrossLanes(of: readonly Local[], operation: (a: Code, b: Code) => Code): Code {
    const [first] = of;
    const into = (elements: readonly number[]): Code =>
      operation(f.get(first), i8x16.shuffle32(f.get(first), f.get(first), elements));
    for (const other of of.slice(1)) f.set(first, operation(f.get(first), f.get(other)));
    f.set(first, into([1, 0, 3, 2]));
    f.set(first, into([2, 3, 0, 1]));
    return f.get(first);
  }
}

/** Four rows of four to four columns. */
function transposed([a, b, c, d]: readonly Code[]): Code[] {
  const pairs = (x: Code, y: Code, first: number): Code =>
    i8x16.shuffle32(x, y, [first, 4 + first, 1 + first, 5 + first]);
  const [ab01, ab23, cd01, cd23] = [pairs(a, b, 0), pairs(a, b, 2), pairs(c, d, 0), pairs(c, d, 2)];
  const halves = (x: Code, y: Code): Code[] => [
    i8x16.shuffle32(x, y, [0, 1, 4, 5]),
    i8x16.shuffle32(x, y, [2, 3, 6, 7]),
  ];
  return [...halves(ab01, cd01), ...halves(ab23, cd23)];
}
