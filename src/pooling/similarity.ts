/**
 * How similar vectors are, each of one matrix to each of another. Larger is more similar: distances are negative.
 *
 * Reference: util/similarity.py of sentence-transformers 6.0.1. Sums run in f64 in column order, rounded once. The Euclidean
 * distance is the root of the sum of squared differences; torch.cdist takes a shortcut for more than 25 rows that leaves
 * some 1e-4 between equal vectors.
 */
import { GlassbertError } from '../errors.ts';
import { checkArgument, oneOf } from '../options.ts';
import { checkTensor, type Floats, formatShape, Tensor, type TensorLike, zerosLike } from '../tensor/tensor.ts';

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
 * @returns [A, B], in the element type of `a`
 * @throws E_ARGUMENT for an unknown name, for something else than tensors, and when the widths differ; E_MEMORY
 */
export function similarity<Data extends Floats>(
  name: SimilarityName,
  a: TensorLike<Data>,
  b: TensorLike,
): Tensor<Data> {
  checkArgument('the similarity function', name, oneOf(SIMILARITY_NAMES));
  const [A, D] = rowsOf('first', a);
  const [B, otherD] = rowsOf('second', b);
  if (D !== otherD) {
    throw new GlassbertError('E_ARGUMENT', 'vectors of different widths cannot be compared', {
      expected: `[..., ${D}]`,
      found: formatShape(b.shape),
    });
  }
  const data = zerosLike(a.data, A * B) as Data;
  const lengths = name === 'cosine' ? [lengthsOf(a.data, A, D), lengthsOf(b.data, B, D)] : null;
  for (let i = 0; i < A; i++) {
    for (let j = 0; j < B; j++) {
      const compared = COMPARE[name](a.data, i * D, b.data, j * D, D);
      data[i * B + j] = lengths === null ? compared : compared / (lengths[0][i] * lengths[1][j]);
    }
  }
  return new Tensor(data, [A, B]);
}

function lengthsOf(x: Floats, N: number, D: number): number[] {
  return Array.from({ length: N }, (_, n) => Math.max(Math.sqrt(dot(x, n * D, x, n * D, D)), 1e-12));
}

/** [N, D] of a matrix, [1, D] of a vector. */
function rowsOf(which: string, tensor: TensorLike): readonly [number, number] {
  checkTensor(`what similarity compares, the ${which},`, tensor);
  const { shape } = tensor;
  if (shape.length === 1 || shape.length === 2) return shape.length === 1 ? [1, shape[0]] : [shape[0], shape[1]];
  throw new GlassbertError('E_ARGUMENT', 'similarity compares vectors', {
    expected: '[N, D] or [D]',
    found: formatShape(shape),
  });
}
