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
import { type Code, FunctionCode, f32, f32x4, i32, type Local, v128 } from './assembler.ts';
import { expOf } from './elementary.ts';
import { type Target, TILE_ROWS, tileOf } from './tile.ts';

/** Bytes of scratch for a text of T tokens and heads of width K. */
export function attentionScratchBytes(T: number, K: number, W: number): number {
  const width = Math.ceil(T / W) * W;
  return 4 * width * (K + T + TILE_ROWS);
}

/**
 * attention(context, query, key, value, T, D, H, K, scratch, probabilities, 1 / sqrt(K)): the first four [T, D], K a multiple
 * of W, probabilities [H, T, T] to be shown to somebody, or 0.
 */
export function attentionCode(target: Target): FunctionCode {
  const { madd, columns: W } = target;
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32']);
  const [context, query, key, value, T, D, H, K, scratch, seen, scale] = f.parameters;
  const [h, s, k, j, t, a, b, c, p, column] = f.localsOf('i32', 10);
  const [rowBytes, width, widthBytes, scores] = f.localsOf('i32', 4);
  const [vector, sum] = f.localsOf('v128', 2);
  const [max] = f.localsOf('f32', 1);
  const tile = tileOf(f, target);
  const exp = expOf(f, madd);
  const overRow = (body: (at: Code) => void): void =>
    f.for(s, i32.const(0), f.get(widthBytes), 16, () => body(i32.add(f.get(c), f.get(s))));
  const step = (pointer: Local, bytes: Code): void => f.set(pointer, i32.add(f.get(pointer), bytes));

  f.set(rowBytes, i32.shl(f.get(D), i32.const(2)));
  f.set(width, i32.and(i32.add(f.get(T), i32.const(W - 1)), i32.const(-W)));
  f.set(widthBytes, i32.shl(f.get(width), i32.const(2)));
  f.set(scores, i32.add(f.get(scratch), i32.mul(f.get(widthBytes), f.get(K)))); // behind the packed keys
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

    f.set(c, f.get(scores));
    f.for(t, i32.const(0), f.get(T), 1, () => {
      softmax();
      f.if(f.get(seen), () => {
        f.for(s, i32.const(0), i32.shl(f.get(T), i32.const(2)), 4, () => {
          f.emit(f32.store(f.get(seen), 0, f32.load(i32.add(f.get(c), f.get(s)))));
          step(seen, i32.const(4));
        });
      });
      step(c, f.get(widthBytes));
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

  /** Rows of keys to panels [width / W, K, W]. Keys beyond the last token are whatever stands there: nobody reads their scores. */
  function packKeys(): void {
    f.for(s, i32.const(0), f.get(width), W, () => {
      f.set(p, i32.add(f.get(scratch), i32.mul(f.get(s), i32.shl(f.get(K), i32.const(2)))));
      f.for(j, i32.const(0), i32.const(W), 1, () => {
        f.set(b, i32.add(f.get(key), i32.mul(i32.add(f.get(s), f.get(j)), f.get(rowBytes))));
        f.set(a, f.get(p));
        f.for(k, i32.const(0), f.get(K), 4, () => {
          for (let u = 0; u < 4; u++) f.emit(f32.store(f.get(a), 4 * W * u, f32.load(f.get(b), 4 * u)));
          step(a, i32.const(4 * W * 4));
          step(b, i32.const(16));
        });
        step(p, i32.const(4));
      });
    });
  }

  /** The row of scores at c to probabilities. */
  function softmax(): void {
    f.for(s, i32.shl(f.get(T), i32.const(2)), f.get(widthBytes), 4, () => {
      f.emit(f32.store(i32.add(f.get(c), f.get(s)), 0, f32.const(-3e38)));
    });
    f.set(vector, f32x4.const(-3e38));
    overRow(at => f.set(vector, f32x4.pmax(f.get(vector), v128.load(at))));
    const lane = (v: Local, i: number): Code => f32x4.extractLane(i, f.get(v));
    const [m01, m23] = [f32.max(lane(vector, 0), lane(vector, 1)), f32.max(lane(vector, 2), lane(vector, 3))];
    f.set(max, f32.max(m01, m23));
    f.set(sum, f32x4.const(0));
    overRow(at => {
      const score = f32x4.sub(v128.load(at), f32x4.splat(f.get(max)));
      f.set(vector, exp(f32x4.mul(score, f32x4.splat(f.get(scale)))));
      f.emit(v128.store(at, 0, f.get(vector)));
      f.set(sum, f32x4.add(f.get(sum), f.get(vector)));
    });
    f.set(
      sum,
      f32x4.splat(
        f32.div(f32.const(1), f32.add(f32.add(lane(sum, 0), lane(sum, 1)), f32.add(lane(sum, 2), lane(sum, 3)))),
      ),
    );
    overRow(at => f.emit(v128.store(at, 0, f32x4.mul(v128.load(at), f.get(sum)))));
  }
}
