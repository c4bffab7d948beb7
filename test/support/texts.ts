/** Texts to embed: those whose reference vectors are known, and encoders that a test need not dispose of. */
import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { type LoadOptions, SentenceEncoder } from '../../src/index.ts';

const { items }: { items: { text: string }[] } = JSON.parse(
  readFileSync(new URL('../fixtures/glassbert-mini/reference.json', import.meta.url), 'utf8'),
);

/** Of glassbert-mini's reference vectors: many languages, from the empty text to one of hundreds of tokens. */
export const TEXTS: readonly string[] = items.map(({ text }) => text);

/** Without the long ones, which are slow and show little that the others do not. */
export const SHORT_TEXTS: readonly string[] = TEXTS.filter(text => text.length < 200);

/** Longer than what any of the models here takes. */
export const LONG_TEXT = 'The weather is lovely today, and so it was. '.repeat(40);

/** An encoder that is disposed of when the test ends. */
export async function load(options: LoadOptions, directory?: string): Promise<SentenceEncoder> {
  const encoder = await SentenceEncoder.load(directory, options);
  onTestFinished(() => encoder.dispose());
  return encoder;
}
