/**
 * tokenizer.json, and below further keys the other files that have a say ("tokenizer_config", "special_tokens_map",
 * "added_tokens_json") and the model's type; or, where the bytes are no JSON object, BERT's vocab.txt. Whatever tokenizer they describe gives ids that it has, no more of them than allowed, and the same ones twice.
 */
import { type Json, type JsonObject, parseJson } from '../../src/io/json.ts';
import { createTokenizer, type TokenizerParts } from '../../src/text/tokenizer.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 4096;

// biome-ignore format: a table
export const dictionary = [
  '"model":', '"vocab":', '"unk_token":', '"type":', '"WordPiece"', '"BPE"', '"Unigram"', '"continuing_subword_prefix":',
  '"max_input_chars_per_word":', '"added_tokens":', '"content":', '"id":', '"special":', '"normalized":', '"single_word":', '"lstrip":',
  '"rstrip":', 'true', 'false', 'null', '"normalizer":', '"BertNormalizer"', '"Lowercase"', '"Sequence"', '"normalizers":', '"clean_text":',
  '"handle_chinese_chars":', '"strip_accents":', '"lowercase":', '"pre_tokenizer":', '"BertPreTokenizer"', '"post_processor":',
  '"TemplateProcessing"', '"BertProcessing"', '"RobertaProcessing"', '"ByteLevel"', '"processors":', '"single":', '"pair":',
  '"special_tokens":', '"SpecialToken":', '"ids":', '"tokens":', '"type_id":', '"A"', '"B"', '"cls":', '"sep":', '["[CLS]",2]',
  '"tokenizer_config":', '"do_lower_case":', '"special_tokens_map":{', '"added_tokens_json":{', '"model_type":"bert"', '"model_type":"mpnet"',
  '"added_tokens_decoder":{"7":', '"extra_special_tokens":["b"]', '"additional_special_tokens":', '"split_special_tokens":true', '"__type":"AddedToken"',
  '"WhitespaceSplit"', '"MPNetTokenizer"', '"FunnelTokenizer"', '"ConvBertTokenizer"', '"TokenizersBackend"', '"truncation":{"direction":"Left"}', '"mask_token":', '"truncation_side":"left"', '"model_input_names":[]', '"tokenizer_class":"BertTokenizer"',
  '"cls_token":', '"##a"', '"[UNK]"', '"__proto__"', '"constructor"', '"\\u0301"', '" "', '"a b"', '{"id":7,"content":"b"}', '\n',
];

const TEXTS = [
  '',
  'a',
  'Hello, [SEP] wörld! constructor __proto__',
  '北京 ΟΔΟΣ e\u0301',
  `${'ab'.repeat(300)} x`,
  ' b b ',
  '\ud800[MASK]',
];
const MAX_LENGTH = 12;

export function fuzz(data: Uint8Array): string {
  return outcome(['E_JSON', 'E_TOKENIZER', 'E_CONFIG'], () => {
    const tokenizer = createTokenizer({ ...partsOf(data), maxLength: MAX_LENGTH });
    let total = 0;
    for (const text of TEXTS) {
      for (const pair of tokenizer.typeIdCount.pair > 1 ? [undefined, 'b a'] : [undefined]) {
        const encode = () =>
          outcome(['E_ARGUMENT'], () => {
            const { ids, typeIds, tokens } = tokenizer.encode(text, pair === undefined ? {} : { pair });
            claim(ids.length <= MAX_LENGTH, `${ids.length} tokens`);
            claim(
              typeIds.length === ids.length && tokens.length === ids.length,
              'ids, types and tokens differ in length',
            );
            claim(
              ids.every(id => id >= 0 && id < tokenizer.vocabSize),
              `an id of no row: ${ids}`,
            );
            claim(
              typeIds.every(type => type < tokenizer.typeIdCount[pair === undefined ? 'single' : 'pair']),
              'a type of no row',
            );
            total += ids.length;
            return `${ids} ${typeIds} ${tokens}`;
          });
        const once = encode();
        claim(encode() === once, 'two answers to one text');
      }
    }
    return `accepted ${magnitude(tokenizer.vocabSize)} ${magnitude(total)} ${tokenizer.notes.length}`;
  });
}

function partsOf(data: Uint8Array): Partial<TokenizerParts> {
  const text = new TextDecoder().decode(data);
  if (!text.trimStart().startsWith('{')) return { vocab: text, modelType: 'bert' };
  const tokenizerJson = parseJson(data, 'tokenizer.json') as JsonObject;
  const { model_type } = tokenizerJson;
  return {
    tokenizerJson,
    tokenizerConfig: objectOf(tokenizerJson.tokenizer_config) ?? {},
    specialTokensMap: objectOf(tokenizerJson.special_tokens_map),
    addedTokens: objectOf(tokenizerJson.added_tokens_json),
    modelType: typeof model_type === 'string' ? model_type : undefined,
  };
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as JsonObject) : undefined;
}
