/**
 * The one place that knows the dependency @huggingface/tokenizers 0.2.0. It has the models (WordPiece, BPE, Unigram); what
 * it gets wrong around them stays unused where this library has its own page: normalization and words (bert-normalizer.ts),
 * added tokens (added-tokens.ts), special tokens (template.ts), truncation, which it does not know at all (tokenizer.ts).
 */
import { Tokenizer } from '@huggingface/tokenizers';
import type { JsonObject } from '../io/json.ts';

export interface Library {
  /** The subword tokens of words, as text, by the model alone. */
  subwords(words: readonly string[]): readonly string[];
  /** The tokens of a text by everything tokenizer.json holds but the special tokens. An id may be missing: no `unk`. */
  tokenize(text: string): { readonly tokens: readonly string[]; readonly ids: readonly (number | undefined)[] };
}

/**
 * @param tokenizerJson - checked; post_processor, decoder and truncation are left out of it
 * @throws whatever the dependency throws where it cannot construct a component
 */
export function constructLibrary(tokenizerJson: JsonObject): Library {
  const { normalizer = null, pre_tokenizer = null, added_tokens = [], model = null } = tokenizerJson;
  const parts = { normalizer, pre_tokenizer, added_tokens, model, post_processor: null, decoder: null };
  // Its own types want every optional field of every component spelled out; the values are those of the file.
  const tokenizer = new Tokenizer(parts as never, {} as never);
  const subwords = tokenizer.model as unknown as (words: readonly string[]) => string[];
  return {
    subwords,
    tokenize: text => tokenizer.encode(text, { add_special_tokens: false }),
  };
}
