/** The tokenizer of a model directory by itself, importable as `glassbert/tokenizer`. */
import { describeTransformer } from '../io/model-directory.ts';
import { decideMaxLength } from './max-length.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export type { EncodeOptions, Encoding, Tokenizer } from './tokenizer.ts';

/**
 * The tokenizer of a model directory, with the maximum length that the model has. Needs tokenizer.json or vocab.txt; no
 * weights.
 *
 * @throws GlassbertError with a code, the file and a hint
 *
 * @example
 * const tokenizer = await loadTokenizer('models/glassbert-mini');
 * tokenizer.encode('Hello, world!').tokens;  // ['[CLS]', 'hello', ',', 'world', '!', '[SEP]']
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const described = await describeTransformer(directory);
  const { tokenizer, tokenizerConfig, sentenceConfig } = described.transformer;
  return createTokenizer({
    ...('json' in tokenizer ? { tokenizerJson: tokenizer.json } : { vocab: tokenizer.vocab }),
    tokenizerConfig,
    doLowerCase: sentenceConfig.boolean('do_lower_case', { default: false }),
    maxLength: decideMaxLength(described, undefined, () => {}).value,
    file: tokenizer.file,
  });
}
