/** The targets by name, and the inputs kept of each. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Target } from './target.ts';

export const TARGETS = ['safetensors', 'json', 'tokenizer', 'text', 'bundle', 'certificate', 'sha256sums'] as const;

export type TargetName = (typeof TARGETS)[number];

export function targetOf(name: TargetName): Promise<Target> {
  return import(`./targets/${name}.ts`);
}

export function directoryOf(name: TargetName): URL {
  return new URL(`corpus/${name}/`, import.meta.url);
}

export function corpusOf(name: TargetName): Uint8Array[] {
  return readdirSync(directoryOf(name))
    .sort()
    .map(file => new Uint8Array(readFileSync(new URL(file, directoryOf(name)))));
}
