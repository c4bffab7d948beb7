/** What transformers 5.18.0 makes of directories: test/misc/make-tokenizer-classes.ts writes it. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from './corpora.ts';

export interface ClassCase {
  /** The files of the directory; `model.vocab` of tokenizer.json is a place in `vocabularies`. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly class: string;
  /** Whether the model is fed token_type_ids. */
  readonly typed: boolean;
  readonly side: string;
  /** The special and added tokens with their ids. */
  readonly tokens: Readonly<Record<string, number>>;
  /** A place in `texts`. */
  readonly texts: number;
  /** Places in `ids`: of every text whole, cut to 12, of 10 pairs cut to 20, and the types of those. */
  readonly ids: readonly number[];
  readonly cut: readonly number[];
  readonly pairs: readonly number[];
  readonly types: readonly number[];
}

export interface ClassCases {
  readonly vocabularies: readonly unknown[];
  readonly texts: readonly (readonly string[])[];
  /** Separated by blanks. */
  readonly ids: readonly string[];
  readonly cases: Readonly<Record<string, ClassCase>>;
}

export const CLASS_CASES: ClassCases = json('tokenizer-classes.json');

/** Writes the files of a case into a directory of their own. */
export function writeCase({ files }: ClassCase): string {
  const directory = join(mkdtempSync(join(tmpdir(), 'glassbert-')), 'model');
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) {
    const whole = name === 'tokenizer.json' ? withVocabulary(content as { model: { vocab: number } }) : content;
    writeFileSync(join(directory, name), typeof whole === 'string' ? whole : JSON.stringify(whole));
  }
  return directory;
}

function withVocabulary(file: { model: { vocab: number } }): object {
  return { ...file, model: { ...file.model, vocab: CLASS_CASES.vocabularies[file.model.vocab] } };
}
