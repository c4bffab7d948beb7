/**
 * What the Hugging Face hub said about the files of a download, as huggingface_hub leaves it on the disk (tried with 2.0.0).
 * Nothing here vouches for anything: it lies beside the files, and whoever changes them can change it. It finds what a
 * download or a copy lost.
 *
 *   download into a directory        DIR/.cache/huggingface/download/<name>.metadata   commit, etag, time, a line each
 *                                    DIR/.cache/huggingface/trees/<commit>.json         every file of the commit
 *   cache                            models--<id>/snapshots/<commit>/<name> -> ../../blobs/<etag>
 *                                    models--<id>/trees/<commit>.json
 *
 * An etag of 64 hexadecimal digits is the SHA-256 of the file, one of 40 the SHA-1 by which git names it. A tree lists the
 * whole commit, also what the download left out on purpose (other formats of the weights).
 *
 * Read tolerantly: what is malformed, or of a format not known here, says nothing.
 */
import { basename, dirname, join } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { type ModelFiles, openModelFiles } from '../io/files.ts';
import { type Json, type JsonObject, parseJson } from '../io/json.ts';
import { locatorOf, walk } from '../io/walk.ts';
import { badName } from './record.ts';

export interface HubExpectation {
  readonly name: string;
  readonly bytes?: number;
  /** In lower-case hexadecimal. */
  readonly sha256?: string;
  /** SHA-1 of "blob <bytes>\0" and the content: against accidents alone, as collisions can be made. */
  readonly gitBlob?: string;
  /** The file that says so, relative to the directory; of a blob, its name. */
  readonly source: string;
}

/**
 * What every file of a directory should be, as far as its download left notes; sorted by name. Empty where there are none.
 *
 * @throws E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY, and as walk
 */
export async function hubExpectations(files: ModelFiles | string): Promise<readonly HubExpectation[]> {
  const directory = typeof files === 'string' ? files : files.directory;
  const names = (await walk(directory)).filter(({ kind }) => kind !== 'directory').map(({ name }) => name);
  const door = await openModelFiles(directory);

  // Of one file the tree of its commit says most: its size too.
  const noted = [...(await readMetadata(door, names)), ...(await readBlobNames(directory, names))];
  const commits = new Set(noted.map(({ commit }) => commit));
  const trees = new Map([...(await readTrees(door, names)), ...(await readCacheTree(directory))]);
  const expected = new Map<string, HubExpectation>();
  for (const [commit, tree] of trees) {
    if (trees.size > 1 && commit !== latest(noted)) continue;
    for (const expectation of tree.values()) expected.set(expectation.name, expectation);
  }
  for (const { commit, expectation } of noted) {
    expected.set(expectation.name, trees.get(commit)?.get(expectation.name) ?? expectation);
  }
  return [...expected.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
