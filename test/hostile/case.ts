/** A hostile directory: a good model, what is done to it, and the one way in which loading it may end. */
import type { ErrorCode } from '../../src/errors.ts';
import type { copyModel } from '../support/model-copy.ts';

export type Model = ReturnType<typeof copyModel>;

export interface Case {
  readonly name: string;
  /** Of test/fixtures/conformance; by default the one named below. */
  readonly base?: string;
  make(model: Model): void;
  /** The code of the error, or `loads` where what looks hostile is harmless and genuine directories have it. */
  readonly code: ErrorCode | 'loads';
  /** The code of a warning that must be given. */
  readonly warning?: string;
  /** Makes files of many megabytes: it is run in a process of its own, whose memory is measured. */
  readonly heavy?: boolean;
}

export const BASE = 'bert-mean-normalize';
export const SHARDED = 'bert-sharded';
export const DENSE = 'bert-mean-dense-layernorm';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape is edited
export type EditableJson = any;

/** One case for every value that a key of a JSON file is given. `where` leads to the object: `model`, `model.vocab`, `0`. */
export function values(
  file: string,
  where: string,
  key: string,
  code: Case['code'],
  list: readonly unknown[],
  more: Partial<Case> = {},
): Case[] {
  return list.map(value => ({
    name: `${file}: ${where === '' ? key : `${where}.${key}`} is ${shown(value)}`,
    code,
    make: model => model.edit(file, json => assign(json, where, key, value)),
    ...more,
  }));
}

/** A JSON file whose text is replaced, for what JSON.stringify would not write. */
export function text(
  file: string,
  name: string,
  code: Case['code'],
  change: (text: string) => string | Uint8Array,
): Case {
  return { name: `${file}: ${name}`, code, make: model => model.write(file, change(model.read(file))) };
}

export function edited(file: string, name: string, code: Case['code'], change: (json: EditableJson) => unknown): Case {
  return { name: `${file}: ${name}`, code, make: model => model.edit(file, change) };
}

function assign(json: EditableJson, where: string, key: string, value: unknown): void {
  const object = where === '' ? json : where.split('.').reduce((inner, part) => inner[part], json);
  if (value === undefined) delete object[key];
  else object[key] = value;
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'absent';
  return json.length > 60 ? `${json.slice(0, 50)}… (${json.length} characters)` : json;
}
