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
 * That is the way of every BERT (bert-pipeline.ts). Tokenizers with other normalizers, words or models (BPE, Unigram) go through the
 * dependency as a whole up to the truncation (library-pipeline.ts), with the differences it has; their `notes` say so. Such a tokenizer.json may
 * bring regular expressions (`Split`, `Replace`), which then run on every text: load those only from sources you trust.
 */
import { GlassbertError } from '../errors.ts';
import { type JsonObject, quote } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import { bertOptions, bertPipeline, type Token, wordPiece } from './bert-pipeline.ts';
import { libraryPipeline } from './library-pipeline.ts';
import { countSpecials, readTemplate, type Slot } from './template.ts';
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
  /** Whether to keep to the maximum length; true by default. */
  readonly truncate?: boolean;
  /** Another maximum for this call, in tokens, special tokens included. */
  readonly maxLength?: number;
}

export interface Tokenizer {
  readonly kind: 'WordPiece' | 'BPE' | 'Unigram';
  /** The largest id + 1, added tokens included: so many rows the embedding table must have. */
  readonly vocabSize: number;
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
   * @throws E_ARGUMENT for something else than a string, and for a maximum length that the special tokens alone exceed
   */
  encode(text: string, options?: EncodeOptions): Encoding;
}

export interface TokenizerParts {
  /** tokenizer.json, parsed. Decides, where it is there. */
  readonly tokenizerJson?: JsonObject;
  /** The text of vocab.txt. */
  readonly vocab?: string;
  /** tokenizer_config.json, parsed. */
  readonly tokenizerConfig?: JsonObject;
  /** `do_lower_case` of sentence_bert_config.json: lower case first, whatever the tokenizer does then. */
  readonly doLowerCase?: boolean;
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** The tokenizer.json or vocab.txt, named in errors. */
  readonly file?: string;
}

/**
 * @throws E_TOKENIZER for a vocabulary that contradicts itself, and for components that nobody here can run; E_CONFIG for
 *   missing and mistyped fields; E_ARGUMENT when maxLength has no room for the special tokens
 */
export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { tokenizerConfig = {}, doLowerCase = false, maxLength } = parts;
  const notes: string[] = [];
  const file = parts.file ?? (parts.tokenizerJson === undefined ? 'vocab.txt' : 'tokenizer.json');
  const json = parts.tokenizerJson ?? fromVocab(parts.vocab, tokenizerConfig, file, notes);

  const kind = modelKind(json, file);
  const vocabulary = readVocabulary(json, file);
  const special = new Set(vocabulary.added.filter(token => token.special).map(({ id }) => id));
  const template = readTemplate(json.post_processor ?? null, file);
  for (const slot of [...template.single, ...template.pair]) {
    if (!('id' in slot) || slot.id < vocabulary.size) continue;
    throw new GlassbertError('E_TOKENIZER', `the special token ${quote(slot.token)} is not in the vocabulary`, {
      file,
    });
  }

  const model = kind === 'WordPiece' ? wordPiece(json, vocabulary, file) : undefined;
  const options = model && bertOptions(json, tokenizerConfig, doLowerCase, file, notes);
  const tokenize =
    model !== undefined && options !== undefined
      ? bertPipeline(model, vocabulary, options)
      : libraryPipeline(model === undefined ? json : { ...json, model }, kind, doLowerCase, file, notes);

  /** @returns how many tokens are left for the texts */
  function room(slots: readonly Slot[], length: number): number {
    const left = length - countSpecials(slots);
    if (Number.isInteger(length) && length > 0 && left >= 0) return left;
    throw new GlassbertError('E_ARGUMENT', 'maxLength has no room for the special tokens', {
      expected: `an integer from ${Math.max(1, countSpecials(slots))} on`,
      found: `${length}`,
    });
  }
  room(template.single, maxLength);

  return {
    kind,
    vocabSize: vocabulary.size,
    maxLength,
    isSpecial: id => special.has(id),
    notes,
    encode(text, { pair, truncate = true, maxLength: length = maxLength } = {}) {
      const slots = pair === undefined ? template.single : template.pair;
      const target = truncate ? room(slots, length) : Infinity;
      // One token more than fits tells that there are too many. Of two texts that both are too long, the longer one gets
      // the odd token, so that it may take more to tell which it is.
      for (let limit = target + 1; ; limit *= 8) {
        const a = tokenize(wellFormed(text), limit);
        const b = pair === undefined ? [] : tokenize(wellFormed(pair), limit);
        if (a.length >= limit && b.length >= limit && target % 2 === 1) continue;
        const [keptA, keptB] =
          pair === undefined ? [Math.min(a.length, target), 0] : longestFirst(a.length, b.length, target);
        const truncated = keptA < a.length || keptB < b.length;
        return { ...fill(slots, a.slice(0, keptA), b.slice(0, keptB)), truncated };
      }
    },
  };
}

/** Puts texts and special tokens in their places. */
function fill(slots: readonly Slot[], a: readonly Token[], b: readonly Token[]): Omit<Encoding, 'truncated'> {
  const placed = slots.flatMap(slot => {
    const tokens: readonly Token[] = 'id' in slot ? [slot] : slot.sequence === 'A' ? a : b;
    return tokens.map(({ id, token }) => ({ id, token, typeId: slot.typeId }));
  });
  return {
    ids: Int32Array.from(placed, ({ id }) => id),
    typeIds: Int32Array.from(placed, ({ typeId }) => typeId),
    tokens: placed.map(({ token }) => token),
  };
}

/**
 * How many tokens of each text of a pair are kept: huggingface/tokenizers 0.23.2, utils/truncation.rs, LongestFirst.
 */
function longestFirst(a: number, b: number, target: number): readonly [number, number] {
  if (a + b <= target) return [a, b];
  let shorter = Math.min(a, b);
  let longer = shorter > target ? shorter : Math.max(shorter, target - shorter);
  if (shorter + longer > target) {
    shorter = Math.floor(target / 2);
    longer = target - shorter;
  }
  return a <= b ? [shorter, longer] : [longer, shorter];
}

function wellFormed(text: string): string {
  if (typeof text === 'string') return text.toWellFormed();
  throw new GlassbertError('E_ARGUMENT', 'a text is not a string', { found: text === null ? 'null' : typeof text });
}

function fromVocab(vocab: string | undefined, config: JsonObject, file: string, notes: string[]): JsonObject {
  if (vocab === undefined) {
    throw new GlassbertError('E_TOKENIZER', 'the model has no tokenizer', {
      file,
      expected: 'tokenizer.json or vocab.txt',
      hint: 'Save the tokenizer with a current version of transformers: tokenizer.save_pretrained(directory).',
    });
  }
  const json = fromVocabTxt(vocab, config, file, 'tokenizer_config.json');
  const { lowercase, strip_accents, handle_chinese_chars } = json.normalizer as JsonObject;
  notes.push(
    `${file}: the tokenizer is BERT's WordPiece with lowercase ${lowercase}, strip_accents ${strip_accents}, handle_chinese_chars ${handle_chinese_chars}, as there is no tokenizer.json.`,
  );
  return json;
}

/** @throws E_TOKENIZER for models other than the three */
function modelKind(json: JsonObject, file: string): Tokenizer['kind'] {
  const model = fields(json.model ?? null, file, 'model');
  // Files from before 2022 do not name the type.
  const type =
    model.raw('type') ?? (Array.isArray(model.raw('vocab')) ? 'Unigram' : model.has('merges') ? 'BPE' : 'WordPiece');
  if (type === 'WordPiece' || type === 'BPE' || type === 'Unigram') return type;
  throw new GlassbertError('E_TOKENIZER', 'the kind of tokenizer is not supported', {
    file,
    expected: 'WordPiece, BPE or Unigram',
    found: typeof type === 'string' ? quote(type) : typeof type,
  });
}
