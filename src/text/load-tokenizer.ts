/** From the files of a model directory to its tokenizer. */
import { dirname, join } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { openModelFiles } from '../io/files.ts';
import { asObject } from '../io/json-fields.ts';
import { type ModelDirectory, readModules, readTransformer } from '../io/model-directory.ts';
import type { TransformerFiles } from '../io/tokenizer-files.ts';
import { decideMaxLength } from './max-length.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/**
 * The tokenizer of a model directory, with the maximum length that the model has. Needs tokenizer.json or vocab.txt; no
 * weights, no pooling.
 *
 * @throws GlassbertError with a code, the file and a hint; E_ARGUMENT for something else than a path
 *
 * @example
 * const tokenizer = await loadTokenizer('models/glassbert-mini');
 * tokenizer.encode('Hello, world!').tokens;  // ['[CLS]', 'hello', ',', 'world', '!', '[SEP]']
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  if (typeof directory !== 'string') {
    const found = directory === null ? 'null' : typeof directory;
    throw new GlassbertError('E_ARGUMENT', 'the model directory is given as a path', { expected: 'a string', found });
  }
  const described = await describeTransformer(directory);
  const doLowerCase = described.transformer.sentenceConfig.boolean('do_lower_case', { default: false });
  return tokenizerOf(described.transformer, doLowerCase, decideMaxLength(described, undefined, () => {}).value);
}

/** The transformer module alone, which need not have a config.json: enough for its tokenizer, whatever the other modules lack. */
async function describeTransformer(directory: string): Promise<Pick<ModelDirectory, 'files' | 'transformer'>> {
  const files = await openModelFiles(directory);
  const errors: unknown[] = [];
  const hasModules = await files.has('modules.json');
  const [first] = hasModules ? await readModules(files, error => errors.push(error)) : [];
  if (hasModules && first?.kind !== 'Transformer') throw errors[0];
  return { files, transformer: await readTransformer(files, first?.path ?? '', first?.config) };
}

/**
 * The tokenizer that the files of a transformer module describe.
 *
 * @param rows - of the embedding table, where it is known
 * @param isLengthWanted - whether the caller asked for maxLength, and no file
 */
export function tokenizerOf(
  transformer: TransformerFiles,
  doLowerCase: boolean,
  maxLength: number,
  rows: number = Number.POSITIVE_INFINITY,
  isLengthWanted = false,
): Tokenizer {
  const { tokenizer, tokenizerConfig, config, sentenceConfig } = transformer;
  const { file: argumentsFile } = sentenceConfig;
  return createTokenizer({
    ...('json' in tokenizer ? { tokenizerJson: tokenizer.json } : { vocab: tokenizer.vocab }),
    addedTokens: transformer.addedTokens,
    specialTokensMap: transformer.specialTokensMap,
    tokenizerConfig,
    overrides: ['tokenizer_args', 'processor_kwargs']
      .filter(key => sentenceConfig.has(key))
      .map(key => ({ json: asObject(sentenceConfig.raw(key) ?? null, argumentsFile, key), file: argumentsFile })),
    modelType: config.string('model_type', { default: '' }),
    modelClass: config.has('tokenizer_class') ? config.string('tokenizer_class') : undefined,
    doLowerCase,
    maxLength,
    isLengthWanted,
    rows,
    file: tokenizer.file,
    pathOf: name => join(dirname(tokenizer.file), name),
  });
}
