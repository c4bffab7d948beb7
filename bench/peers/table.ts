/** What run.ts prints. */
export interface Row {
  /** What is measured; and against whom. */
  readonly what: string;
  readonly goal: string;
  /** null when this glassbert does not have what is measured. */
  readonly measured: string | null;
  readonly met: boolean;
  readonly glassbert?: string | null;
  readonly peer?: string | null;
}

export const print = (line: string): boolean => process.stdout.write(`${line}\n`);

export function printHeader(): void {
  printCells('what; against', 'goal', 'measured', 'glassbert', 'peer');
}

export function printRow({ what, goal, measured, met, glassbert, peer }: Row): void {
  const result = measured === null ? 'not available' : `${measured} ${met ? '✓' : '✗'}`;
  printCells(what, goal, result, glassbert ?? '', peer ?? '');
}

/** A row whose ratio tells how many times as fast glassbert is. Times in milliseconds, null when not available. */
export function printSpeed(
  what: string,
  goal: number,
  glassbert: number | null,
  peer: number | null,
  figure = inMilliseconds,
): void {
  const ratio = glassbert === null || peer === null ? null : peer / glassbert;
  printRow({
    what,
    goal: `≥ ${goal} ×`,
    measured: ratio === null ? null : `${ratio.toFixed(2)} ×`,
    met: ratio !== null && ratio >= goal,
    glassbert: glassbert === null ? null : figure(glassbert),
    peer: peer === null ? null : figure(peer),
  });
}

export function inMilliseconds(time: number): string {
  return `${time.toFixed(1)} ms`;
}

export function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function printCells(what: string, ...cells: string[]): void {
  print(what.padEnd(72) + cells.map(cell => cell.padStart(17)).join(''));
}
