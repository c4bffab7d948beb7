/** Similarities as people read them. */
import type { TensorLike } from '../tensor/tensor.ts';
import { clip, table, terminalWidth, visible } from './terminal.ts';

const DIGITS = 4;

/** Below this, a label says nothing; then rather a line that is too long. */
const MIN_LABEL = 16;

/** The matrix [A, A] with a row and a column for each text; the labels take the room that the numbers leave. */
export function formatMatrix(texts: readonly string[], { data, shape: [A] }: TensorLike): string {
  const cells = Array.from(data, x => x.toFixed(DIGITS));
  const column = Math.max(...cells.map(cell => cell.length)) + 2;
  const room = Math.max(MIN_LABEL, terminalWidth() - column * A);
  const rows = texts.map((text, a) => [clip(`[${a + 1}] ${visible(text)}`, room), ...cells.slice(a * A, (a + 1) * A)]);
  const numbers = texts.map((_, a) => `[${a + 1}]`);
  return table([['', ...numbers], ...rows], ['left', ...numbers.map(() => 'right' as const)]);
}

/** `[1] and [2], 0.6660`: the two different texts that are most similar. */
export function formatClosest({ data, shape: [A] }: TensorLike): string {
  let [a, b] = [0, 1];
  for (let i = 0; i < A; i++) {
    for (let j = i + 1; j < A; j++) if (data[i * A + j] > data[a * A + b]) [a, b] = [i, j];
  }
  return `[${a + 1}] and [${b + 1}], ${data[a * A + b].toFixed(DIGITS)}`;
}
