/** The files that say what the tokens of a transformer module are. */
import { GlassbertError } from '../errors.ts';
import { readObject } from './config-files.ts';
import { type ModelFiles, nameIn } from './files.ts';
import type { JsonObject } from './json.ts';
import type { Fields } from './json-fields.ts';

/** The files of the transformer module. */
export interface TransformerFiles {
  readonly path: string;
  readonly config: Fields;
  /** sentence_bert_config.json or one of its siblings; without fields where there is none. */
  readonly sentenceConfig: Fields;
  readonly tokenizerConfig: JsonObject;
  readonly tokenizerConfigName: string;
  /** special_tokens_map.json and added_tokens.json, where they are there. */
  readonly specialTokensMap?: JsonObject | undefined;
  readonly addedTokens?: JsonObject | undefined;
  readonly tokenizer: { readonly file: string } & ({ readonly json: JsonObject } | { readonly vocab: string });
}

export const VOCAB_TXT = 'vocab.txt';

const MAX_TOKENIZER_BYTES = 64 * 2 ** 20; // the largest genuine tokenizer.json have 35 MB
const MAX_TOKENS_BYTES = 16 * 2 ** 20; // tokenizer_config.json of Gemma has 1.2 MB, with 6,415 added tokens
const MAX_VOCAB_BYTES = 16 * 2 ** 20; // vocab.txt of multilingual BERT has 1 MB

/**
 * The files beside the vocabulary: the settings of the tokenizer, and tokens. Python writes "no limit" as 10^30, an integer no
 * double holds.
 */
export async function readTokenizerConfig(
  files: ModelFiles,
  path: string,
): Promise<Pick<TransformerFiles, 'tokenizerConfig' | 'tokenizerConfigName' | 'specialTokensMap' | 'addedTokens'>> {
  const read = async (file: string): Promise<JsonObject | undefined> => {
    const name = nameIn(path, file);
    return (await files.has(name)) ? readObject(files, name, MAX_TOKENS_BYTES, { numbers: 'rounded' }) : undefined;
  };
  return {
    tokenizerConfig: (await read('tokenizer_config.json')) ?? {},
    tokenizerConfigName: nameIn(path, 'tokenizer_config.json'),
    specialTokensMap: await read('special_tokens_map.json'),
    addedTokens: await read('added_tokens.json'),
  };
}

/** @throws E_FILE_MISSING, E_JSON, E_CONFIG, E_TOKENIZER */
export async function readTokenizer(files: ModelFiles, path: string): Promise<TransformerFiles['tokenizer']> {
  const jsonName = nameIn(path, 'tokenizer.json');
  if (await files.has(jsonName)) {
    return {
      file: files.pathOf(jsonName),
      json: await readObject(files, jsonName, MAX_TOKENIZER_BYTES, { table: 'model.vocab' }),
    };
  }
  if (await files.has(nameIn(path, VOCAB_TXT))) return readVocabTxt(files, path);
  throw new GlassbertError('E_FILE_MISSING', 'the tokenizer is not there', {
    file: files.pathOf(jsonName),
    expected: 'tokenizer.json, or vocab.txt',
    hint: 'Copy the whole model directory.',
  });
}

export async function readVocabTxt(
  files: ModelFiles,
  path: string,
): Promise<{ readonly file: string; readonly vocab: string }> {
  const name = nameIn(path, VOCAB_TXT);
  const file = files.pathOf(name);
  return { file, vocab: decodeText(await files.read(name, MAX_VOCAB_BYTES), file) };
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new GlassbertError('E_TOKENIZER', 'the vocabulary is not UTF-8', { file, cause });
  }
}
