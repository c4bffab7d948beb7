/**
 * BERT's tokenizer from vocab.txt and tokenizer_config.json, for directories from before tokenizer.json (2020 and earlier):
 * the tokenizer.json that Python would make of them (transformers, convert_slow_tokenizer.py, BertConverter).
 *
 * vocab.txt holds one token a line; the number of the line, from 0, is its id.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import { checkCount, MAX_TOKEN_LENGTH } from './vocabulary.ts';

/** Names by which tokenizer_config.json may rename the special tokens, and the names they have if it does not. */
export const SPECIAL_TOKENS = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
} as const;

/**
 * @param vocab - the text of vocab.txt
 * @param addedTokens - added_tokens.json: tokens that the vocabulary lacks, with their ids
 * @param config - tokenizer_config.json: do_lower_case, strip_accents, tokenize_chinese_chars and the special tokens are
 *   read, with the defaults of BertTokenizer
 * @param rows - of the embedding table, where it is known: so many tokens there can be
 * @throws E_TOKENIZER for a token that stands twice, for too many and too long lines, and for special tokens that are not
 *   in the vocabulary
 */
export function fromVocabTxt(
  vocab: string,
  addedTokens: JsonObject,
  config: JsonObject,
  file: string,
  rows: number = Number.POSITIVE_INFINITY,
): JsonObject {
  const configFile = 'tokenizer_config.json';
  const ids = readLines(vocab, rows, file);
  const settings = fields(config, configFile);

  const specials = Object.entries(SPECIAL_TOKENS).map(([key, name]) => contentOf(config[key]) ?? name);
  const missing = specials.filter(token => !ids.has(token));
  if (missing.length > 0) {
    throw new GlassbertError('E_TOKENIZER', 'special tokens are not in the vocabulary', {
      file,
      expected: specials.map(quote).join(', '),
      found: `none of ${missing.map(quote).join(', ')}`,
      hint: `Another vocabulary names them otherwise: say so in ${configFile} ("cls_token": …).`,
    });
  }
  const [, unk, cls, sep] = specials as [string, string, string, string, string];
  const idOf = (token: string) => ids.get(token) as number;

  return {
    added_tokens: [
      ...[...new Set(specials)].map(content => ({ id: idOf(content), content, special: true })),
      ...Object.entries(addedTokens).flatMap(([content, id]) => (specials.includes(content) ? [] : [{ id, content }])),
    ],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: settings.boolean('tokenize_chinese_chars', { default: true }),
      strip_accents: settings.has('strip_accents') ? settings.boolean('strip_accents') : null,
      lowercase: settings.boolean('do_lower_case', { default: true }),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: [cls, idOf(cls)], sep: [sep, idOf(sep)] },
    model: {
      type: 'WordPiece',
      unk_token: unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: ids,
    },
  };
}

/** Reads line by line, for a file of nothing but newlines would make an array of many times its size. */
function readLines(vocab: string, rows: number, file: string): Map<string, number> {
  checkCount(countLines(vocab), rows, file);
  const ids = new Map<string, number>();
  for (let start = 0, end = 0; start < vocab.length; start = end + 1) {
    end = vocab.indexOf('\n', start);
    if (end === -1) end = vocab.length;
    const id = ids.size;
    const stop = end < vocab.length && vocab[end - 1] === '\r' && end > start ? end - 1 : end;
    if (stop - start > MAX_TOKEN_LENGTH) {
      const found = `${stop - start}`;
      throw refuse(file, `line ${id + 1} is too long`, `at most ${MAX_TOKEN_LENGTH} characters`, found);
    }
    const token = vocab.slice(start, stop);
    const first = ids.get(token);
    if (first !== undefined) {
      const found = `it in lines ${first + 1} and ${id + 1}`;
      throw refuse(file, `the token ${quote(token)} stands twice`, 'every token once', found);
    }
    ids.set(token, id);
  }
  return ids;
}

/** Counted before a token is kept. */
function countLines(text: string): number {
  let lines = 0;
  for (let at = 0; at < text.length; lines++) at = text.indexOf('\n', at) + 1 || text.length;
  return lines;
}

function refuse(file: string, summary: string, expected: string, found?: string): GlassbertError {
  return new GlassbertError('E_TOKENIZER', summary, { file, expected, found });
}

/** A special token is written as a string, or as an object with its `content`. */
export function contentOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  const content = (value as JsonObject | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}
