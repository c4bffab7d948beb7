/**
 * How similar vectors are, each of one matrix to each of another. Larger is more similar: distances are negative.
 *
 * Reference: util/similarity.py of sentence-transformers 6.0.1. Sums run in f64 in column order, rounded once. The Euclidean
 * distance is the root of the sum of squared differences; torch.cdist takes a shortcut for more than 25 rows that leaves
 * some 1e-4 between equal vectors.
 */
import { GlassbertError } from '../errors.ts';
import { type Floats, formatShape, sizeOf, type Tensor, zerosLike } from '../tensor/tensor.ts';

export const SIMILARITY_NAMES = ['cosine', 'dot', 'euclidean', 'manhattan'] as const;

export type SimilarityName = (typeof SIMILARITY_NAMES)[number];

/** Similarity of a[aRow .. + D] and b[bRow .. + D]. */
type Compare = (a: Floats, aRow: number, b: Floats, bRow: number, D: number) => number;

const dot: Compare = (a, aRow, b, bRow, D) => {
  let sum = 0;
  for (let d = 0; d < D; d++) sum += a[aRow + d] * b[bRow + d];
  return sum;
};

const COMPARE: Readonly<Record<SimilarityName, Compare>> = {
  dot,
  cosine: dot, // divided by the lengths, which are measured once
  euclidean(a, aRow, b, bRow, D) {
    let sum = 0;
    for (let d = 0; d < D; d++) sum += (a[aRow + d] - b[bRow + d]) ** 2;
    return -Math.sqrt(sum);
  },
  manhattan(a, aRow, b, bRow, D) {
    let sum = 0;
    for (let d = 0; d < D; d++) sum += Math.abs(a[aRow + d] - b[bRow + d]);
    return -sum;
  },
};

/**
 * @param a - [A, D], or one vector [D]
 * @param b - [B, D], or one vector [D]
 * @returns [A, B]
 * @throws E_ARGUMENT when the widths differ
 */
export function similarity(name: SimilarityName, a: Tensor, b: Tensor): Tensor {
  const [A, D] = rowsOf(a);
  const [B, otherD] = rowsOf(b);
  if (D !== otherD) {
    throw new GlassbertError('E_ARGUMENT', 'vectors of different widths cannot be compared', {
      expected: `[..., ${D}]`,
      found: formatShape(b.shape),
    });
  }
  const data = zerosLike(a.data, A * B);
  const lengths = name === 'cosine' ? [lengthsOf(a.data, A, D), lengthsOf(b.data, B, D)] : null;
  for (let i = 0; i < A; i++) {
    for (let j = 0; j < B; j++) {
      const compared = COMPARE[name](a.data, i * D, b.data, j * D, D);
      data[i * B + j] = lengths === null ? compared : compared / (lengths[0][i] * lengths[1][j]);
    }
  }
  return { data, shape: [A, B] };
}

function lengthsOf(x: Floats, N: number, D: number): number[] {
  return Array.from({ length: N }, (_, n) => Math.max(Math.sqrt(dot(x, n * D, x, n * D, D)), 1e-12));
}

/** [N, D] of a matrix, [1, D] of a vector. */
function rowsOf(tensor: Tensor): readonly [number, number] {
  const shape = tensor?.shape ?? [];
  if ((shape.length === 1 || shape.length === 2) && tensor.data?.length === sizeOf(shape)) {
    return shape.length === 1 ? [1, shape[0]] : [shape[0], shape[1]];
  }
  throw new GlassbertError('E_ARGUMENT', 'similarity compares tensors { data, shape }', {
    expected: '[N, D] or [D]',
    found: tensor?.shape === undefined ? typeof tensor : `${formatShape(shape)} with ${tensor.data?.length} elements`,
  });
}
