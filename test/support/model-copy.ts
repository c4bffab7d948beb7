import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { parseSafetensors, serializeSafetensors, type TensorToWrite } from '../../src/io/safetensors.ts';

export const FIXTURES: string = fileURLToPath(new URL('../fixtures/conformance/', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: JSON files of any shape are edited in tests
type EditableJson = any;

/**
 * A copy of a small model that a test may damage; it goes when the test ends.
 *
 * @param atEnd - of the test's own context where tests run side by side: the global one would not know which of them asks
 */
export function copyModel(name = 'bert-mean-normalize', atEnd: (run: () => void) => void = onTestFinished) {
  const parent = mkdtempSync(join(tmpdir(), 'glassbert-'));
  atEnd(() => rmSync(parent, { recursive: true }));
  const directory = join(parent, 'model');
  cpSync(FIXTURES + name, directory, { recursive: true });
  const path = (file: string): string => join(directory, file);
  return {
    parent,
    directory,
    path,
    read: (file: string): string => readFileSync(path(file), 'utf8'),
    bytes: (file: string): Uint8Array => readFileSync(path(file)),
    write: (file: string, content: string | Uint8Array): void => writeFileSync(path(file), content),
    remove: (file: string): void => rmSync(path(file), { recursive: true }),
    /** Reads a JSON file, lets `change` edit it or replace it, and writes it back. */
    edit(file: string, change: (json: EditableJson) => EditableJson): void {
      const json = JSON.parse(readFileSync(path(file), 'utf8'));
      writeFileSync(path(file), JSON.stringify(change(json) ?? json));
    },
    /** Rewrites the tensors of a safetensors file. */
    editTensors(change: (tensors: Map<string, TensorToWrite>) => void, file = 'model.safetensors'): void {
      const bytes = readFileSync(path(file));
      const { tensors } = parseSafetensors(bytes);
      const all = new Map<string, TensorToWrite>();
      for (const [tensor, { dtype, shape, begin, end }] of tensors) {
        all.set(tensor, { dtype, shape, data: Uint8Array.from(bytes.subarray(begin, end)) });
      }
      change(all);
      writeFileSync(path(file), serializeSafetensors(all));
    },
  };
}

type Model = ReturnType<typeof copyModel>;

/** Puts this before the name of every tensor. */
export function prefixTensors(prefix: string): (model: Model) => void {
  return model =>
    model.editTensors(tensors => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        tensors.set(prefix + name, tensor);
      }
    });
}

/** vocab.txt as Python writes it for tokenizer.json: a line for each token, in the order of the ids. */
export function writeVocabTxt(model: Model, end = '\n'): void {
  const { vocab } = JSON.parse(model.read('tokenizer.json')).model as { vocab: Record<string, number> };
  const tokens = Object.entries(vocab).sort(([, a], [, b]) => a - b);
  model.write('vocab.txt', tokens.map(([token]) => token + end).join(''));
}
