/** STUB */
import type { OpenedFile } from '../io/files.ts';
import type { Findings } from './findings.ts';
import type { Tree } from './tree.ts';

export interface Evidence {
  readonly source: string;
}
export async function gatherEvidence(
  _d: string,
  _t: Tree,
  _r: readonly OpenedFile[],
  _f: Findings,
): Promise<Evidence[]> {
  return [];
}
