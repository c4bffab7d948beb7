/**
 * Writes test/fixtures/tokenizer-classes.json: of the directories ../shared/conformance/tokenizer-classes, which hold what
 * transformers 5.18.0 makes of them, those whose tokenizer is WordPiece. What many of them share stands there once.
 *
 *   node test/misc/make-tokenizer-classes.ts
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ClassCase, ClassCases } from '../text/class-cases.ts';

const SOURCE = new URL('../../../shared/conformance/tokenizer-classes/', import.meta.url);
const TARGET = new URL('../fixtures/tokenizer-classes.json', import.meta.url);

interface Expected {
  readonly class_chosen: string | null;
  readonly model_input_names: readonly string[];
  readonly truncation_side: string;
  readonly special_tokens: Record<string, [string, number]>;
  readonly added_tokens: readonly [number, string, ...boolean[]][];
  readonly texts: readonly string[];
  readonly ids: readonly (readonly number[])[];
  readonly truncated_12_ids: readonly (readonly number[])[];
  readonly pairs: readonly { readonly ids: readonly number[]; readonly type_ids: readonly number[] }[];
  readonly pipeline: { readonly model: { readonly type: string } };
}

/** Values that many cases share: each becomes its place. */
class Pool {
  readonly values: string[] = [];
  private readonly places = new Map<string, number>();

  place(value: readonly number[]): number {
    const text = value.join(' ');
    const place = this.places.get(text) ?? this.values.push(text) - 1;
    this.places.set(text, place);
    return place;
  }
}

const pool = new Pool();
const texts: (readonly string[])[] = [];
const vocabularies: string[] = [];
const cases: Record<string, ClassCase> = {};

function placeOf<Value>(list: Value[], value: Value, isSame: (other: Value) => boolean): number {
  const found = list.findIndex(isSame);
  return found < 0 ? list.push(value) - 1 : found;
}

for (const name of readdirSync(SOURCE).sort()) {
  const directory = new URL(`${name}/`, SOURCE);
  if (!existsSync(new URL('expected.json', directory))) continue;
  const expected: Expected = JSON.parse(readFileSync(new URL('expected.json', directory), 'utf8'));
  if (expected.class_chosen === null || expected.pipeline.model.type !== 'WordPiece') continue;
  const files: Record<string, unknown> = {};
  for (const file of readdirSync(directory)) {
    if (file === 'expected.json') continue;
    const text = readFileSync(new URL(file, directory), 'utf8');
    files[file] = file.endsWith('.json') ? JSON.parse(text) : text;
  }
  const model = (files['tokenizer.json'] as { model: { vocab: unknown; merges?: unknown } } | undefined)?.model;
  if (model !== undefined) {
    const vocab = JSON.stringify(model.vocab);
    model.vocab = placeOf(vocabularies, vocab, other => other === vocab);
    if (model.merges !== undefined) model.merges = []; // no WordPiece looks at them
  }
  cases[name] = {
    files,
    class: expected.class_chosen,
    typed: expected.model_input_names.includes('token_type_ids'),
    side: expected.truncation_side,
    tokens: Object.fromEntries([
      ...Object.values(expected.special_tokens),
      ...expected.added_tokens.map(([id, content]) => [content, id]),
    ]),
    texts: placeOf(texts, expected.texts, other => other.join('\0') === expected.texts.join('\0')),
    ids: expected.ids.map(ids => pool.place(ids)),
    cut: expected.truncated_12_ids.map(ids => pool.place(ids)),
    pairs: expected.pairs.map(({ ids }) => pool.place(ids)),
    types: expected.pairs.map(({ type_ids }) => pool.place(type_ids)),
  };
}

const all: ClassCases = { vocabularies: vocabularies.map(text => JSON.parse(text)), texts, ids: pool.values, cases };
writeFileSync(TARGET, `${JSON.stringify(all)}\n`);
