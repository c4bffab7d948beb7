/**
 * The linear layer, out = x weightᵀ + bias, in f32: the fast twin of ../matmul.ts, in tiles of 6 × 8, or 6 × 16.
 *
 * The weight is packed once, when the model is loaded: W output columns side by side, [F / W, D, W], in the memory it
 * was read into. Rows of x are read where they are. Sixteen tiles of rows share a panel while it is in the nearest cache.
 *
 * The last tile may hang over the last row: the arrays have room for that (see kernels.ts), and what is written there is
 * never read.
 */
import { type Code, FunctionCode, i32 } from './assembler.ts';
import { type Madd, type Target, TILE_ROWS, tileOf } from './tile.ts';

const BLOCK = 16 * TILE_ROWS;

/**
 * linear(out [N, F], x [N, D], panels, bias [F], N, D, F, scratch: keptBytes(W)), F a multiple of W.
 *
 * @param activation - applied to the sums before they are stored
 */
export function linearCode(
  target: Target,
  activation?: (f: FunctionCode, madd: Madd) => (x: Code) => Code,
): FunctionCode {
  const f = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const W = target.columns;
  const [out, x, panels, bias, N, D, F, kept] = f.parameters;
  const [first, end, n, column, a, b, c, start, aStride, cStride] = f.localsOf('i32', 10);
  const tile = tileOf(f, target);
  const finish = activation?.(f, target.madd);

  f.set(aStride, i32.shl(f.get(D), i32.const(2)));
  f.set(cStride, i32.shl(f.get(F), i32.const(2)));
  f.for(first, i32.const(0), f.get(N), BLOCK, () => {
    f.set(end, i32.add(f.get(first), i32.const(BLOCK)));
    f.if(i32.ltS(f.get(N), f.get(end)), () => f.set(end, f.get(N)));
    f.set(b, f.get(panels));
    f.set(start, f.get(bias));
    f.for(column, i32.const(0), f.get(F), W, () => {
      f.set(a, i32.add(f.get(x), i32.mul(f.get(first), f.get(aStride))));
      f.set(
        c,
        i32.add(i32.add(f.get(out), i32.mul(f.get(first), f.get(cStride))), i32.shl(f.get(column), i32.const(2))),
      );
      f.for(n, f.get(first), f.get(end), TILE_ROWS, () => {
        tile({ a, aStride, b, bStride: 4 * W, K: D, c, cStride, start, kept, finish });
        f.set(a, i32.add(f.get(a), i32.mul(f.get(aStride), i32.const(TILE_ROWS))));
        f.set(c, i32.add(f.get(c), i32.mul(f.get(cStride), i32.const(TILE_ROWS))));
      });
      f.set(b, i32.add(f.get(b), i32.mul(f.get(aStride), i32.const(W))));
      f.set(start, i32.add(f.get(start), i32.const(4 * W)));
    });
  });
  return f;
}

/**
 * Rows [F, D] to panels [F / W, D, W], in place.
 *
 * @param weight - [F, D], F a multiple of W
 */
export function pack(weight: Float32Array, F: number, D: number, W: number): void {
  const rows = new Float32Array(W * D);
  for (let column = 0; column < F; column += W) {
    const panel = weight.subarray(column * D, (column + W) * D);
    rows.set(panel);
    for (let j = 0; j < W; j++) {
      for (let d = 0; d < D; d++) panel[d * W + j] = rows[j * D + d];
    }
  }
}
