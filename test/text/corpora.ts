/** What the tests of the tokenizer read: tokenizer.json files, and the answers of the reference to many texts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { JsonObject } from '../../src/io/json.ts';
import { createTokenizer, type Tokenizer, type TokenizerParts } from '../../src/text/tokenizer.ts';

const FIXTURES = new URL('../fixtures/', import.meta.url);

/** A genuine directory, kept outside the repository. */
export const MINILM: URL = new URL('../../../shared/real-directory/all-MiniLM-L6-v2/', import.meta.url);

/** The tokenizers that go the way of BERT and have answers to all random strings and all code points. */
export const WORDPIECE = ['bert-mean-normalize', 'bert-cased', 'mpnet-mean-normalize'] as const;

export const UNLIMITED = 1_000_000;

export function json<Value>(path: string | URL): Value {
  return JSON.parse(readFileSync(typeof path === 'string' ? new URL(path, FIXTURES) : path, 'utf8'));
}

export function tokenizerOf(name: string, parts: Partial<TokenizerParts> = {}): Tokenizer {
  const tokenizerJson = json<JsonObject>(`conformance/${name}/tokenizer.json`);
  const tokenizerConfig = json<JsonObject>(`conformance/${name}/tokenizer_config.json`);
  return createTokenizer({ tokenizerJson, tokenizerConfig, maxLength: UNLIMITED, ...parts });
}

/** The conformance directories with texts and ids. */
export function conformanceNames(): string[] {
  return readdirSync(new URL('conformance/', FIXTURES)).filter(name =>
    existsSync(new URL(`conformance/${name}/expected/expected.json`, FIXTURES)),
  );
}

/** 600 random strings over 25 scripts, and the ids of tokenizers 0.23.2, special tokens in, not truncated. */
export const RANDOM: { texts: string[]; tokenizers: Record<string, number[][]> } = json('tokenization/random.json');
