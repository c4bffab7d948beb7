/**
 * Files that are there by name only: pointers of Git LFS, web pages saved in a file's place, links that were copied as text,
 * empty files (io/foreign.ts tells them); and what a broken download leaves behind.
 */
import { GlassbertError } from '../errors.ts';
import { RECOGNIZED_BYTES, recognizePlaceholder } from '../io/foreign.ts';
import type { Entry } from '../io/walk.ts';
import { INDEX } from '../io/weights.ts';
import type { Findings } from './findings.ts';
import type { Tree } from './tree.ts';

/** Pointers and links that were copied as text are smaller. */
const SMALL_BYTES = 1024;

/** Files that are looked into, those of the fewest directories first: enough for any model, and a bound for the others. */
const MAX_PEEKS = 2000;

/** Files in whose place a web page has been seen, and which loading may read; and those that are pages themselves. */
const PAGE_SUFFIX = /\.(json|txt|safetensors)$/;
const PAGE = /\.(html?|xhtml|xml|svg)$/i;

/** Names under which browsers, wget, aria2 and huggingface_hub keep a file that is not complete yet. */
export const LEFTOVER = /\.(incomplete|part|partial|crdownload|download|aria2|tmp)$/i;

/** Finds them all; each becomes the explanation of what the loader will say about the file. */
export async function explainPlaceholders(tree: Tree, findings: Findings): Promise<void> {
  const depth = ({ name }: Entry): number => name.split('/').length;
  const candidates = tree.entries.filter(isCandidate).sort((a, b) => depth(a) - depth(b));
  for (const { name, bytes } of candidates.slice(0, MAX_PEEKS)) {
    const start = await tree.peek(name, RECOGNIZED_BYTES).catch((error: unknown) => {
      if (error instanceof GlassbertError) return undefined; // told where somebody needs it
      throw error;
    });
    const what = start && explain(start, bytes);
    if (!what || (start[0] === 0 && !PAGE_SUFFIX.test(name))) continue; // zeros are what some formats begin with
    const code = name.endsWith('.safetensors') ? 'E_WEIGHTS_PLACEHOLDER' : 'E_FILE_MISSING';
    findings.explain({ severity: 'error', kind: 'incomplete', code, file: name, ...what });
  }
  if (candidates.length > MAX_PEEKS) {
    const beyond = candidates.length - MAX_PEEKS;
    findings.note('W_NOT_CHECKED', 'incomplete', '.', `${beyond} small files were not looked into for placeholders.`);
  }
}

/** Those of files that loading does not read are a warning: somebody else may. Empty files often are meant to be. */
export function tellOfPlaceholders(findings: Findings): void {
  for (const explanation of findings.unused()) {
    const { file, message } = explanation;
    const list = likelyListedIn(file);
    if (list !== undefined && findings.has(list)) findings.addOnce(explanation);
    else if (message === EMPTY) findings.note('W_FILE_EMPTY', 'incomplete', file, `${message} It is not needed here.`);
    else findings.warn('W_PLACEHOLDER', 'incomplete', file, `${message} It is not needed here.`);
  }
}

/** The file that most likely names this one: where it cannot be read, nobody can say that this one is not needed. */
function likelyListedIn(file: string): string | undefined {
  if (/^[0-9]+_[A-Za-z]+\/(config\.json|model\.safetensors)$/.test(file)) return 'modules.json';
  const shard = /^(.*\/)?model-[0-9]+-of-[0-9]+\.safetensors$/.exec(file);
  return shard === null ? undefined : `${shard[1] ?? ''}${INDEX}`;
}

export function warnOfLeftovers(tree: Tree, findings: Findings): void {
  for (const { name, kind } of tree.entries) {
    if (kind !== 'file' || !LEFTOVER.test(name)) continue;
    const message = 'This is what a download that did not end leaves behind.';
    findings.warn('W_LEFTOVER', 'incomplete', name, message, 'Where nothing is missing any more, remove it.');
  }
}

function isCandidate({ kind, name, bytes }: Entry): boolean {
  if (kind !== 'file' || /(^|\/)\.git\//.test(name)) return false;
  return (bytes < SMALL_BYTES && !PAGE.test(name)) || PAGE_SUFFIX.test(name);
}

const EMPTY = 'The file is empty.';

function explain(start: Uint8Array, bytes: number): { message: string; hint: string } | undefined {
  const foreign = recognizePlaceholder(start, bytes);
  if (foreign === undefined) return undefined;
  const { what, hint } = foreign;
  if (bytes === 0) return { message: EMPTY, hint };
  return { message: `${what[0].toUpperCase()}${what.slice(1)} stands in its place.`, hint };
}
