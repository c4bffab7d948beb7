/** Does everybody compute the same? Vectors are compared with those of the reference kernels before anything is timed. */
import { maxDifference } from '../../test/support/numbers.ts';
import { Contender, isInt8, nameOf, type Spec, type Work } from './contender.ts';
import { print } from './table.ts';

const TOLERANCE = 1e-4;

/** @throws when vectors of f32 differ by more than the tolerance */
export async function verify(specs: readonly Spec[], works: readonly Work[], directory: string): Promise<void> {
  const reference = await vectorsOf({ engine: 'glassbert', kernels: 'reference' }, works, directory);
  if (reference === null) throw new Error('glassbert has no reference kernels');
  const truth = reference.vectors;

  print(`vectors of ${truth.length} texts against those of the reference kernels`);
  for (const spec of specs) {
    const found = await vectorsOf(spec, works, directory);
    const name = nameOf(spec);
    if (found === null) {
      print(`  ${name.padEnd(28)}not available`);
      continue;
    }
    const difference = Math.max(...truth.map((vector, i) => maxDifference(found.vectors[i], vector)));
    const cosine = Math.min(...truth.map((vector, i) => dot(found.vectors[i], vector)));
    const distance = isInt8(spec)
      ? `lowest cosine ${cosine.toFixed(6)}`
      : `largest difference ${difference.toExponential(1)}`;
    print(`  ${name.padEnd(28)}${distance.padEnd(32)}${found.summary}`);
    if (!isInt8(spec) && !(difference <= TOLERANCE)) throw new Error(`${name} computes something else`);
  }
}

async function vectorsOf(spec: Spec, works: readonly Work[], directory: string) {
  const contender = await Contender.start(spec, directory);
  if (contender === null) return null;
  const vectors: Float32Array[] = [];
  for (const work of works) vectors.push(...(await contender.vectors(work)));
  contender.stop();
  return { vectors, summary: contender.summary };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}
