/** Where the model was published, as far as the directory tells: a cache names it in its path, most READMEs in an example. */
import { resolve } from 'node:path';
import type { Tree } from './tree.ts';

export interface Origin {
  /** On the Hugging Face hub, such as sentence-transformers/all-MiniLM-L6-v2. */
  readonly id: string;
  /** The commit, where it is known. */
  readonly revision: string | null;
  /** What says so. */
  readonly source: string;
}

/** Enough of a model card to come to its example. */
const README_BYTES = 64 * 1024;

const CACHE_PATH = /[\\/]models--([A-Za-z0-9._-]+)[\\/]snapshots[\\/]([0-9a-f]{40})$/;
const EXAMPLE =
  /(?:SentenceTransformer|from_pretrained)\(['"]([A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95})['"]/;

/** Null where nothing tells. What a README says is said by whoever wrote it. */
export async function findOrigin(directory: string, tree: Tree): Promise<Origin | null> {
  const cached = CACHE_PATH.exec(resolve(directory));
  if (cached !== null)
    return { id: cached[1].replace('--', '/'), revision: cached[2], source: 'the path of the cache' };
  if (!tree.sizes.has('README.md')) return null;
  const text = await tree.peek('README.md', README_BYTES).catch(() => new Uint8Array());
  const id = EXAMPLE.exec(new TextDecoder().decode(text))?.[1];
  return id === undefined ? null : { id, revision: null, source: 'README.md' };
}
