/**
 * The one place that knows the dependency @huggingface/tokenizers 0.2.0, which has the model WordPiece. What it gets wrong
 * around it stays unused, as this library has its own page: normalization and words (bert-normalizer.ts), added tokens
 * (added-tokens.ts), special tokens (template.ts), truncation, which it does not know at all (tokenizer.ts).
 */
import { Tokenizer } from '@huggingface/tokenizers';

/** `model` of tokenizer.json with all its fields, its vocabulary as it was checked. */
export interface WordPiece {
  readonly unk_token: string;
  readonly continuing_subword_prefix: string;
  /** In code points; a longer word is unknown. */
  readonly max_input_chars_per_word: number;
  readonly ids: ReadonlyMap<string, number>;
}

/** The subword tokens of words, as text. */
export type Subwords = (words: readonly string[]) => readonly string[];

export function constructModel({ ids, ...fields }: WordPiece): Subwords {
  const config = { ...fields, type: 'WordPiece', vocab: {} };
  const parts = {
    normalizer: null,
    pre_tokenizer: null,
    added_tokens: [],
    model: config,
    post_processor: null,
    decoder: null,
  };
  // Its own types want every optional field of every component spelled out; the values are those of the file.
  const model = new Tokenizer(parts as never, {} as never).model as NonNullable<Tokenizer['model']>;
  model.tokens_to_ids = ids as Map<string, number>; // it would make the same again of an object
  return model as unknown as (words: readonly string[]) => string[];
}
