/** From the files of a model directory to its tokenizer. */
import { openModelFiles } from '../io/files.ts';
import { type ModelDirectory, readModules, readTransformer } from '../io/model-directory.ts';
import type { TransformerFiles } from '../io/tokenizer-files.ts';
import { decideMaxLength } from './max-length.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

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
  const doLowerCase = described.transformer.sentenceConfig.boolean('do_lower_case', { default: false });
  return tokenizerOf(described.transformer, doLowerCase, decideMaxLength(described, undefined, () => {}).value);
}

/** The transformer module alone, which need not have a config.json: enough for its tokenizer. */
async function describeTransformer(directory: string): Promise<Pick<ModelDirectory, 'files' | 'transformer'>> {
  const files = await openModelFiles(directory);
  const modules = (await files.has('modules.json')) ? await readModules(files) : [];
  return { files, transformer: await readTransformer(files, modules[0]?.path ?? '', modules[0]?.config) };
}

/**
 * The tokenizer that the files of a transformer module describe.
 *
 * @param rows - of the embedding table, where it is known
 */
export function tokenizerOf(
  transformer: TransformerFiles,
  doLowerCase: boolean,
  maxLength: number,
  rows: number = Number.POSITIVE_INFINITY,
): Tokenizer {
  const { tokenizer, tokenizerConfig } = transformer;
  return createTokenizer({
    ...('json' in tokenizer
      ? { tokenizerJson: tokenizer.json }
      : { vocab: tokenizer.vocab, addedTokens: tokenizer.addedTokens }),
    tokenizerConfig,
    doLowerCase,
    maxLength,
    rows,
    file: tokenizer.file,
  });
}
