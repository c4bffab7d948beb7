/**
 * The added tokens of a tokenizer: which there are, with which ids, and by which flags they are found.
 *
 * As huggingface/tokenizers 0.23.2 adds them (tokenizer/added_vocabulary.rs, add_tokens): a token that the model knows keeps
 * its id, another gets the next one that is free, whatever a file says; a token that is added again has its new flags, but
 * stays special if it was.
 */
import type { AddedToken } from './added-tokens.ts';

/** A token as a file describes it, without an id. */
export interface TokenFlags extends Omit<AddedToken, 'id' | 'passedOver'> {
  /** Whether `normalized` is not stated, but what it is for an ordinary token. */
  readonly normalizedByDefault?: boolean;
}

export class AddedVocabulary {
  /** The model's own tokens. */
  private readonly model: ReadonlyMap<string, number>;
  private readonly ids = new Map<string, number>();
  private readonly flags = new Map<number, TokenFlags>();
  /** What was ever added as special. */
  private readonly special = new Set<string>();

  constructor(model: ReadonlyMap<string, number>) {
    this.model = model;
  }

  idOf(content: string): number | undefined {
    return this.ids.get(content) ?? this.model.get(content);
  }

  has(content: string): boolean {
    return this.ids.has(content);
  }

  /** Empty tokens are passed over. */
  add(more: readonly TokenFlags[]): void {
    const tokens = more.filter(({ content }) => content !== '');
    let next = this.model.size;
    for (const id of this.flags.keys()) next = Math.max(next, id + 1);
    for (const token of tokens) {
      const id = this.idOf(token.content) ?? next++;
      this.ids.set(token.content, id);
      this.flags.set(id, token);
      if (token.special) this.special.add(token.content);
    }
  }

  /** @param splitSpecial - whether special tokens in a text are text */
  tokens(splitSpecial: boolean): AddedToken[] {
    return [...this.flags].map(([id, { normalizedByDefault: _, ...token }]) => {
      const special = this.special.has(token.content);
      return { ...token, id, special, passedOver: splitSpecial && special };
    });
  }
}
