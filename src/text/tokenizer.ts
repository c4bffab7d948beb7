/**
 * Text to token ids, as Python's tokenizers give them: the same ids for every text, or an error.
 *
 *   "Hello [SEP]"  ->  hello, [SEP]  ->  [CLS] hello [SEP] [SEP]  ->  101 7592 102 102
 *
 *   added tokens    written out in the text, are cut out of it               added-tokens.ts
 *   normalization   of what lies between, and words                          bert-normalizer.ts
 *   subwords        WordPiece (Schuster and Nakajima 2012)                   huggingface.ts, the dependency
 *   truncation      before the special tokens come in, so that [SEP] stays   below
 *   template        [CLS] A [SEP]                                            template.ts
 *
 * Every BERT tokenizer runs this way (bert-pipeline.ts). Others are refused: their models and regular expressions would come
 * from the dependency, where nothing bounds their time and memory.
 */
import { GlassbertError } from '../errors.ts';
import { type JsonObject, quote } from '../io/json.ts';
import { bertOptions, bertPipeline, type Token, wordPiece } from './bert-pipeline.ts';
import { countSpecials, countTypes, readTemplate, type Slot } from './template.ts';
import { fromVocabTxt } from './vocab-txt.ts';
import { readVocabulary } from './vocabulary.ts';

export interface Encoding {
  /** [T], special tokens included. */
  readonly ids: Int32Array;
  /** [T], 0 for the first text and, where the model makes the difference, 1 for the second. */
  readonly typeIds: Int32Array;
  /** [T], the tokens as they stand in the vocabulary. */
  readonly tokens: readonly string[];
  /** Whether tokens were left out because of the length. */
  readonly truncated: boolean;
}

export interface EncodeOptions {
  /** A second text, for models that judge pairs. */
  readonly pair?: string;
  /** Cut to the maximum length; default true. */
  readonly truncate?: boolean;
  /** Another maximum for this call, in tokens, special tokens included. */
  readonly maxLength?: number;
}

export interface Tokenizer {
  readonly kind: 'WordPiece';
  /** The largest id + 1, added tokens included: so many rows the embedding table must have. */
  readonly vocabSize: number;
  /** How many token types an encoding has, of one text and of a pair: so many rows the token type table must have. */
  readonly typeIdCount: { readonly single: number; readonly pair: number };
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** Whether an id is that of a special token, such as [SEP]. */
  isSpecial(id: number): boolean;
  /** What was decided while loading and might surprise, in sentences for the load report. */
  readonly notes: readonly string[];
  /**
   * Half surrogate pairs, which are no characters, count as U+FFFD.
   *
   * A longer text is cut to its first tokens. Of a pair, the longer text gives way until both are of one length, then both
   * do ("longest_first").
   *
   * @throws E_ARGUMENT for something else than a string, for a maximum length that the special tokens alone exceed, and for
   *   a pair where the files say nothing about pairs
   */
  encode(text: string, options?: EncodeOptions): Encoding;
}

export interface TokenizerParts {
  /** tokenizer.json, parsed. Decides, where it is there. */
  readonly tokenizerJson?: JsonObject;
  /** The text of vocab.txt. */
  readonly vocab?: string;
  /** added_tokens.json, parsed: the tokens that vocab.txt lacks, with their ids. */
  readonly addedTokens?: JsonObject;
  /** tokenizer_config.json, parsed. */
  readonly tokenizerConfig?: JsonObject;
  /** `do_lower_case` of sentence_bert_config.json: lower case first, whatever the tokenizer does then. */
  readonly doLowerCase?: boolean;
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** Of the embedding table, where it is known: so many tokens there can be. */
  readonly rows?: number;
  /** The tokenizer.json or vocab.txt, named in errors. */
  readonly file?: string;
}

/**
 * @throws E_TOKENIZER for a vocabulary that contradicts itself, and for everything that is not BERT's WordPiece; E_CONFIG for
 *   missing and mistyped fields, and when maxLength has no room for the special tokens
 */
export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { tokenizerConfig = {}, doLowerCase = false, maxLength, rows = Number.POSITIVE_INFINITY } = parts;
  const notes: string[] = [];
  const file = parts.file ?? (parts.tokenizerJson === undefined ? 'vocab.txt' : 'tokenizer.json');
  const json = parts.tokenizerJson ?? fromVocab(parts, rows, tokenizerConfig, file, notes);

  const options = bertOptions(json, tokenizerConfig, doLowerCase, file, notes);
  const vocabulary = readVocabulary(json, file, rows);
  const special = new Set(vocabulary.added.filter(token => token.special).map(({ id }) => id));
  const template = readTemplate(json.post_processor ?? null, file);
  const { single, pair: paired = [] } = template;
  for (const slot of [...single, ...paired]) {
    if (!('id' in slot) || slot.id < vocabulary.size) continue;
    throw new GlassbertError('E_TOKENIZER', `the special token ${quote(slot.token)} is not in the vocabulary`, {
      file,
    });
  }
  const tokenize = bertPipeline(wordPiece(json, vocabulary, file), vocabulary, options);
  if (roomFor(single, maxLength) === undefined) {
    throw new GlassbertError('E_CONFIG', 'the maximum length has no room for the special tokens', {
      file,
      ...lengths(single, maxLength),
    });
  }

  // Python keeps the end of a long text where truncation_side says left, and gives the model no types that it does not list.
  const keepEnd = tokenizerConfig.truncation_side === 'left';
  const names = tokenizerConfig.model_input_names;
  const typed = !Array.isArray(names) || names.includes('token_type_ids');
  if (keepEnd) notes.push('tokenizer_config.json: "truncation_side": "left": of a long text the end is kept.');
  if (!typed) notes.push('tokenizer_config.json: "model_input_names" lists no token_type_ids: all are 0.');

  return {
    kind: 'WordPiece',
    vocabSize: vocabulary.size,
    typeIdCount: typed ? { single: countTypes(single), pair: countTypes(paired) } : { single: 1, pair: 1 },
    maxLength,
    isSpecial: id => special.has(id),
    notes,
    encode(text, { pair, truncate = true, maxLength: length = maxLength } = {}) {
      const slots = pair === undefined ? single : template.pair;
      if (slots === undefined)
        throw new GlassbertError('E_ARGUMENT', 'the tokenizer has no template for pairs', { file });
      const target = truncate ? roomFor(slots, length) : Infinity;
      if (target === undefined) {
        throw new GlassbertError('E_ARGUMENT', 'maxLength has no room for the special tokens', lengths(slots, length));
      }
      const read = (text: string) => new Reading(tokenize(wellFormed(text)), target, keepEnd);
      const a = read(text);
      const b = pair === undefined ? undefined : read(pair);
      const [keptA, keptB] = b === undefined ? [Math.min(a.count, target), 0] : longestFirst(a, b, target);
      const truncated = keptA < a.count || (b !== undefined && keptB < b.count);
      return { ...fill(slots, a.kept(keptA), b?.kept(keptB) ?? [], typed), truncated };
    },
  };
}

/** How many tokens are left for the texts; undefined where not even the special tokens have room. */
function roomFor(slots: readonly Slot[], length: number): number | undefined {
  const left = length - countSpecials(slots);
  return Number.isInteger(length) && length > 0 && left >= 0 ? left : undefined;
}

function lengths(slots: readonly Slot[], found: number): { expected: string; found: string } {
  return { expected: `an integer from ${Math.max(1, countSpecials(slots))} on`, found: `${found}` };
}

/** Tokens that are read at a time to find which of two texts is longer, and that may be in memory beyond the maximum. */
const STEP = 4096;

/** A text as far as it was read: how many tokens that were, and those of them that may be wanted. */
class Reading {
  count = 0;
  ended = false;
  private readonly source: Iterator<Token>;
  private readonly most: number;
  private readonly keepEnd: boolean;
  private tokens: Token[] = [];

  /** @param most - the first so many tokens are kept, or the last */
  constructor(source: Iterator<Token>, most: number, keepEnd: boolean) {
    this.source = source;
    this.most = most;
    this.keepEnd = keepEnd;
    // One token more than fits tells that there are too many.
    this.readTo(keepEnd ? Infinity : most + 1);
  }

  /** Reads on until there are so many tokens, or the text ends. */
  readTo(count: number): void {
    while (this.count < count) {
      const next = this.source.next();
      this.ended = next.done === true;
      if (next.done) break;
      this.count++;
      if (this.keepEnd || this.tokens.length < this.most) this.tokens.push(next.value);
      if (this.tokens.length > this.most + STEP) this.tokens = this.kept(this.most);
    }
  }

  kept(count: number): Token[] {
    const from = this.keepEnd ? this.tokens.length - count : 0;
    return this.tokens.slice(from, from + count);
  }
}

/** Puts texts and special tokens in their places. */
function fill(
  slots: readonly Slot[],
  a: readonly Token[],
  b: readonly Token[],
  typed: boolean,
): Omit<Encoding, 'truncated'> {
  const length = countSpecials(slots) + a.length + b.length; // both stand there once, or b is empty
  const ids = new Int32Array(length);
  const typeIds = new Int32Array(length);
  const tokens: string[] = [];
  for (const slot of slots) {
    const start = tokens.length;
    for (const { id, token } of 'id' in slot ? [slot] : slot.sequence === 'A' ? a : b) {
      ids[tokens.length] = id;
      tokens.push(token);
    }
    if (typed) typeIds.fill(slot.typeId, start, tokens.length);
  }
  return { ids, typeIds, tokens };
}

/**
 * How many tokens of each text of a pair are kept: huggingface/tokenizers 0.23.2, utils/truncation.rs, LongestFirst. Where
 * both are too long and the number is odd, the longer one gets one token more: both are read on until one ends.
 */
function longestFirst(a: Reading, b: Reading, target: number): readonly [number, number] {
  for (let n = target + STEP; target % 2 === 1 && !a.ended && !b.ended; n += STEP) {
    a.readTo(n);
    b.readTo(n);
  }
  if (a.count + b.count <= target) return [a.count, b.count];
  let shorter = Math.min(a.count, b.count);
  let longer = shorter > target ? shorter : Math.max(shorter, target - shorter);
  if (shorter + longer > target) {
    shorter = Math.floor(target / 2);
    longer = target - shorter;
  }
  return a.count <= b.count ? [shorter, longer] : [longer, shorter];
}

function wellFormed(text: string): string {
  if (typeof text === 'string') return text.toWellFormed();
  throw new GlassbertError('E_ARGUMENT', 'a text is not a string', { found: text === null ? 'null' : typeof text });
}

function fromVocab(
  { vocab, addedTokens = {} }: TokenizerParts,
  rows: number,
  config: JsonObject,
  file: string,
  notes: string[],
): JsonObject {
  if (vocab === undefined) {
    throw new GlassbertError('E_TOKENIZER', 'the model has no tokenizer', {
      file,
      expected: 'tokenizer.json or vocab.txt',
      hint: 'Save the tokenizer with a current version of transformers: tokenizer.save_pretrained(directory).',
    });
  }
  const json = fromVocabTxt(vocab, addedTokens, config, file, rows);
  const { lowercase, strip_accents, handle_chinese_chars } = json.normalizer as JsonObject;
  notes.push(
    `${file}: the tokenizer is BERT's WordPiece with lowercase ${lowercase}, strip_accents ${strip_accents}, handle_chinese_chars ${handle_chinese_chars}, as there is no tokenizer.json.`,
  );
  return json;
}
