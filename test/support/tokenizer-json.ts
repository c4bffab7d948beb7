/** tokenizer.json of a BERT with a vocabulary small enough to follow by eye. */
import type { JsonObject } from '../../src/io/json.ts';

/**
 * @param tokens - the vocabulary in the order of the ids; the first five are [PAD], [UNK], [CLS], [SEP] and [MASK]
 * @param model - further keys of the model
 */
export function bertTokenizerJson(tokens: readonly string[], model: JsonObject = {}): JsonObject {
  return {
    added_tokens: tokens.slice(0, 5).map((content, id) => ({ id, content, special: true })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] },
    model: { type: 'WordPiece', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), ...model },
  };
}
