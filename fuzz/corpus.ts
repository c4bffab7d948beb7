/** The targets by name, and the inputs kept of each. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Target } from './target.ts';

export const TARGETS = ['safetensors', 'json', 'tokenizer', 'text', 'bundle', 'certificate', 'sha256sums'] as const;

export type TargetName = (typeof TARGETS)[number];

export function targetOf(name: TargetName): Promise<Target> {
  return import(`./targets/${name}.ts`);
}

/** One input a line, in base64. */
export function fileOf(name: TargetName): URL {
  return new URL(`corpus/${name}.txt`, import.meta.url);
}

export function corpusOf(name: TargetName): Uint8Array[] {
  return readFileSync(fileOf(name), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => new Uint8Array(Buffer.from(line, 'base64')));
}

/** @param inputs - of any order: the file has them sorted, so that a change shows what came and went */
export function saveCorpus(name: TargetName, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map(data => Buffer.from(data).toString('base64'));
  writeFileSync(fileOf(name), `${[...new Set(lines)].sort().join('\n')}\n`);
}
