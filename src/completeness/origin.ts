/**
 * Where the model was published, as far as the directory tells: a cache names it in its path, most READMEs in an example.
 *
 * An example is a guess. Whole families share one README, whose example is of the largest of them, and many models are
 * published with the README of the one they were made from. So an example whose name or whose text contradicts the directory
 * is not repeated, and neither is any where two remain.
 */
import { basename, resolve } from 'node:path';
import type { BertConfig } from '../bert/config.ts';
import type { Tree } from './tree.ts';

export interface Origin {
  /** On the Hugging Face hub, such as sentence-transformers/all-MiniLM-L6-v2. */
  readonly id: string;
  /** The commit, where it is known. */
  readonly revision: string | null;
  /** What says so. */
  readonly source: string;
  /** Whether nothing in the directory confirms it. */
  readonly guess: boolean;
}

/** What is known of the model and can be compared; null for what is not. */
export interface Known {
  readonly config: BertConfig | null;
  /** The width of the vectors. */
  readonly dimension: number | null;
}

/** Enough of a model card to come to its examples. */
const README_BYTES = 64 * 1024;

/** How many examples are looked at. */
const MAX_EXAMPLES = 50;

const CACHE_PATH = /[\\/]models--([A-Za-z0-9._-]+)[\\/]snapshots[\\/]([0-9a-f]{40})$/;
const EXAMPLE =
  /(?:SentenceTransformer|from_pretrained)\(\s*['"]([A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95})['"]/g;

/** Null where nothing tells, or what tells is of another model. */
export async function findOrigin(directory: string, tree: Tree, known: Known): Promise<Origin | null> {
  const path = resolve(directory);
  const cached = CACHE_PATH.exec(path);
  if (cached !== null) {
    const [, id, revision] = cached;
    return { id: id.replace('--', '/'), revision, source: 'the path of the cache', guess: false };
  }
  if (!tree.sizes.has('README.md')) return null;
  const readme = new TextDecoder().decode(await tree.peek('README.md', README_BYTES).catch(() => new Uint8Array()));
  if (isOfAnotherWidth(readme, known)) return null;
  const title = TITLE.exec(readme)?.[1];
  const own = basename(path);
  const isPossible = (id: string): boolean =>
    (title === undefined || isNameOf(id, title)) && haveSameSizes(id, own) && fits(id, known);

  const ids = new Set([...readme.matchAll(EXAMPLE)].slice(0, MAX_EXAMPLES).map(([, id]) => id));
  const possible = [...ids].filter(isPossible);
  const confirmed = possible.filter(id => title !== undefined || isNameOf(id, own));
  const [id, ...others] = confirmed.length > 0 ? confirmed : possible;
  if (id === undefined || others.length > 0) return null;
  return { id, revision: null, source: 'an example in README.md', guess: confirmed.length === 0 };
}

/** The first heading, where it is the name of a model and no sentence: a word with a digit or a hyphen in it. */
const TITLE = /^#[ \t]+(?:[A-Za-z0-9._-]+\/)?(?=[A-Za-z0-9.]*[-_0-9])([A-Za-z0-9][A-Za-z0-9._-]*)[ \t\r]*$/m;

function isNameOf(id: string, name: string): boolean {
  return nameIn(id) === name.toLowerCase();
}

function nameIn(id: string): string {
  return id.slice(id.indexOf('/') + 1).toLowerCase();
}

/** "768 dimensional dense vector space", "Output Dimensionality: 768", as the cards that the library writes say it. */
function isOfAnotherWidth(readme: string, { dimension }: Known): boolean {
  const stated = /(\d{2,5})[- ]dimensional (?:dense )?vector|Output Dimensionality:\D{0,5}(\d{2,5})/.exec(readme);
  return stated !== null && dimension !== null && Number(stated[1] ?? stated[2]) !== dimension;
}

// Sizes in names --------------------------------------------------------------------------------------------------------

/** The widths that these words stand for in every family of BERTs. Those of "small" and the like differ, and are smaller. */
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ['base', 768],
  ['large', 1024],
]);

const SMALL = /^(small|xs|xsmall|mini|tiny|nano|micro)$/;

/** Of a name that states none, nothing is known. */
function haveSameSizes(id: string, own: string): boolean {
  const sizes = wordsOf(nameIn(id)).filter(isSize);
  const others = wordsOf(own.toLowerCase()).filter(isSize);
  return sizes.length === 0 || others.length === 0 || sizes.some(size => others.includes(size));
}

function isSize(word: string): boolean {
  return WIDTHS.has(word) || SMALL.test(word) || /^(xl|[sml]|[lh]\d{1,4})$/.test(word);
}

/** Whether the model is as large as a name says: m3e-base, all-MiniLM-L6-v2, bert_uncased_L-2_H-128_A-2. */
function fits(id: string, { config, dimension }: Known): boolean {
  if (config === null) return true;
  const { hidden_size: D, num_hidden_layers: L } = config;
  return wordsOf(nameIn(id)).every(word => {
    const width = WIDTHS.get(word) ?? numberAfter('h', word);
    if (width !== undefined) return D === width || dimension === width;
    if (SMALL.test(word)) return D < 768;
    return (numberAfter('l', word) ?? L) === L;
  });
}

/** 'L-6' is one word, 'l6'. */
function wordsOf(name: string): string[] {
  return name.replace(/(?<=[-_.]|^)([lh])-(?=\d)/g, '$1').split(/[^a-z0-9]+/);
}

function numberAfter(letter: 'l' | 'h', word: string): number | undefined {
  return word[0] === letter && /^\d{1,4}$/.test(word.slice(1)) ? Number(word.slice(1)) : undefined;
}
