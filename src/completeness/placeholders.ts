/**
 * Files that are there by name only: pointers of Git LFS, web pages saved in a file's place, empty files; and what a broken
 * download leaves behind.
 *
 * A pointer (https://github.com/git-lfs/git-lfs, docs/spec.md) is a text below 1,024 bytes:
 *
 *   version https://git-lfs.github.com/spec/v1
 *   oid sha256:<64 hexadecimal digits>
 *   size <bytes>
 */
import { GlassbertError } from '../errors.ts';
import type { Entry } from '../io/walk.ts';
import { INDEX } from '../io/weights.ts';
import type { Findings } from './findings.ts';
import type { Tree } from './tree.ts';

const MAX_POINTER_BYTES = 1023;
const PAGE_BYTES = 64; // enough for <!DOCTYPE html>

/** Files that are looked into, those of the fewest directories first: enough for any model, and a bound for the others. */
const MAX_PEEKS = 2000;

/** Files in whose place a web page has been seen, and which loading may read. */
const PAGE_SUFFIX = /\.(json|txt|safetensors)$/;

/** Names under which browsers, wget, aria2 and huggingface_hub keep a file that is not complete yet. */
export const LEFTOVER = /\.(incomplete|part|partial|crdownload|download|aria2|tmp)$/i;

/** Finds them all; each becomes the explanation of what the loader will say about the file. */
export async function explainPlaceholders(tree: Tree, findings: Findings): Promise<void> {
  const depth = ({ name }: Entry): number => name.split('/').length;
  const candidates = tree.entries.filter(isCandidate).sort((a, b) => depth(a) - depth(b));
  for (const { name, bytes } of candidates.slice(0, MAX_PEEKS)) {
    const start = await tree.peek(name, MAX_POINTER_BYTES).catch((error: unknown) => {
      if (error instanceof GlassbertError) return undefined; // told where somebody needs it
      throw error;
    });
    const what = start && recognize(start, bytes);
    if (!what) continue;
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
  return bytes <= MAX_POINTER_BYTES || PAGE_SUFFIX.test(name);
}

const EMPTY = 'The file is empty.';

function recognize(start: Uint8Array, bytes: number): { message: string; hint: string } | undefined {
  if (bytes === 0) return { message: EMPTY, hint: 'Copy or download it again.' };
  const text = new TextDecoder().decode(start);
  if (bytes <= MAX_POINTER_BYTES && text.startsWith('version https://git-lfs')) {
    const oid = /^oid sha256:([0-9a-f]{64})\r?$/m.exec(text)?.[1];
    const size = /^size ([0-9]{1,15})\r?$/m.exec(text)?.[1];
    const stated = oid !== undefined && size !== undefined;
    return {
      message: stated
        ? `A Git LFS pointer stands in its place, for a file of ${Number(size).toLocaleString('en-US')} bytes with SHA-256 ${oid}.`
        : 'A Git LFS pointer stands in its place.',
      hint: 'Run "git lfs pull" where the repository was cloned and copy the directory again, or put that very file here.',
    };
  }
  if (/^\s*<(!doctype html|html)/i.test(text.slice(0, PAGE_BYTES))) {
    return {
      message: 'A web page was saved in its place.',
      hint: 'A login or error page came instead of the file: download it again.',
    };
  }
  return undefined;
}
