/** The classes of transformers 5.18.0: which is chosen, and that the ids are its. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { refusal } from '../support/refusal.ts';
import { CLASS_CASES, writeCase } from './class-cases.ts';

const { cases, texts, ids } = CLASS_CASES;

describe('the ids are those of transformers 5.18.0', () => {
  it.each(Object.entries(cases))('for the directory %s', async (_, expected) => {
    const directory = writeCase(expected);
    const tokenizer = await loadTokenizer(directory);
    rmSync(dirname(directory), { recursive: true });
    const all = texts[expected.texts] as readonly string[];
    const given = (places: readonly number[]) => places.map(place => ids[place]);
    const encoded = (options: object) => all.map(text => tokenizer.encode(text, options).ids.join(' '));
    const pairs = Array.from({ length: 10 }, (_, n) =>
      tokenizer.encode(all[n + 5] as string, { pair: all[n + 15] as string, maxLength: 20 }),
    );

    expect(tokenizer.class).toBe(expected.class);
    expect(encoded({ truncate: false })).toEqual(given(expected.ids));
    expect(encoded({ maxLength: 12 })).toEqual(given(expected.cut));
    expect(pairs.map(pair => pair.ids.join(' '))).toEqual(given(expected.pairs));
    const types = given(expected.types).map(types => (expected.typed ? types : types?.replaceAll('1', '0')));
    expect(pairs.map(pair => pair.typeIds.join(' '))).toEqual(types);
    const tokens = Object.keys(expected.tokens).map(token => [token, tokenizer.idOf(token)]);
    expect(Object.fromEntries(tokens)).toEqual(expected.tokens);
  });

  it('and so many directories are compared', () => {
    expect(Object.keys(cases)).toHaveLength(59);
    expect(new Set(Object.values(cases).map(({ class: name }) => name)).size).toBe(5);
  });
});

const SHARED = new URL('../../../shared/conformance/tokenizer-classes/', import.meta.url);

it('every other class, and every other model, is refused by its name', async ({ skip }) => {
  if (!existsSync(SHARED)) skip('not run: ../shared/conformance is not here');
  const names = readdirSync(SHARED).filter(
    name => !(name in cases) && existsSync(new URL(`${name}/expected.json`, SHARED)),
  );
  expect(names.length).toBeGreaterThan(80);
  for (const name of names) {
    const expected = JSON.parse(readFileSync(new URL(`${name}/expected.json`, SHARED), 'utf8'));
    const { message } = await refusal('E_TOKENIZER', () => loadTokenizer(fileURLToPath(new URL(name, SHARED))));
    expect(message, name).toContain(expected.class_chosen ?? 'RobertaTokenizer');
    expect(message, name).toMatch(/config\.json: "(tokenizer_class|model_type)" |tokenizer\.json: the "model", which /);
  }
});
