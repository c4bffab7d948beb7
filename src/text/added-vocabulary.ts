/**
 * The added tokens of a tokenizer: which there are, with which ids, and by which flags they are found.
 *
 * As huggingface/tokenizers 0.23.2 adds them (tokenizer/added_vocabulary.rs, add_tokens): a token that the model knows keeps
 * its id, another gets the next one that is free, whatever a file says; a token that is added again is found by its new flags,
 * but stays among those that are searched before or after normalization, as it was first added.
 */
import type { AddedToken } from './added-tokens.ts';

/** A token as a file describes it, without an id. */
export type TokenFlags = Omit<AddedToken, 'id' | 'passedOver'>;

export class AddedVocabulary {
  /** The model's own tokens. */
  private readonly model: ReadonlyMap<string, number>;
  private readonly ids = new Map<string, number>();
  private readonly flags = new Map<number, TokenFlags>();
  /** The special tokens as they were first added, and the others, as often as they were added. */
  private readonly special = new Map<string, TokenFlags>();
  private readonly ordinary: TokenFlags[] = [];

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
    for (const token of tokens) {
      if (token.special && !this.special.has(token.content)) this.special.set(token.content, token);
    }
    let next = this.model.size;
    for (const id of this.flags.keys()) next = Math.max(next, id + 1);
    for (const token of tokens) {
      const known = this.idOf(token.content);
      const before = known === undefined ? undefined : this.flags.get(known);
      if (before !== undefined && isSame(before, token)) continue;
      const id = known ?? next++;
      this.ids.set(token.content, id);
      this.flags.set(id, token);
      if (!this.special.has(token.content)) this.ordinary.push(token);
    }
  }

  /**
   * The tokens in the order in which they are searched. One that was added again may stand here twice.
   *
   * @param splitSpecial - whether special tokens in a text are text
   */
  tokens(splitSpecial: boolean): AddedToken[] {
    return [...this.special.values(), ...this.ordinary].map(({ content, normalized }) => {
      const id = this.idOf(content) as number;
      const special = this.special.has(content);
      const flags = this.flags.get(id) as TokenFlags;
      return { ...flags, content, id, normalized, special, passedOver: splitSpecial && special };
    });
  }
}

function isSame(a: TokenFlags, b: TokenFlags): boolean {
  return (
    a.content === b.content &&
    a.singleWord === b.singleWord &&
    a.lstrip === b.lstrip &&
    a.rstrip === b.rstrip &&
    a.normalized === b.normalized &&
    a.special === b.special
  );
}
