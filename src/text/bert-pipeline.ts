/**
 * The way of a text through a BERT tokenizer, up to the special tokens; lazily, so that of a long text no more is read than
 * is wanted.
 *
 *   text  ->  added tokens, and what lies between  ->  normalized chunks  ->  words  ->  subwords
 */
import { GlassbertError } from '../errors.ts';
import { type JsonObject, quote } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import { type AddedToken, AddedTokenFinder } from './added-tokens.ts';
import { type BertNormalizerOptions, canCut, normalizeBert, splitWords } from './bert-normalizer.ts';
import { constructModel, type WordPiece } from './huggingface.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface Token {
  readonly id: number;
  readonly token: string;
}

/** The tokens of a text one by one, special tokens apart. */
export type Tokenize = (text: string) => Iterator<Token>;

/** UTF-16 units that are normalized at a time; enough for the 512 tokens of a BERT, so that most texts are one chunk. */
const CHUNK = 4096;

/**
 * Genuine files say 100. The time that the WordPiece of the dependency takes grows with the cube: a word of as many pieces
 * as characters takes 5 ms at 100 and 1.6 s at 1000 (Node 24, November 2026).
 */
const MAX_CHARS_PER_WORD = 200;

/** Words whose tokens are remembered. */
const MAX_RECENT = 4096;

/** @param model - complete, as wordPiece() returns it */
export function bertPipeline(model: WordPiece, vocabulary: Vocabulary, options: BertNormalizerOptions): Tokenize {
  const { unk_token: unk, max_input_chars_per_word: maxChars } = model;
  const subwords = constructModel(model);

  const normalize = (text: string) => normalizeBert(text, options);
  const rawTokens = new AddedTokenFinder(vocabulary.added.filter(token => !token.normalized));
  const lateTokens = vocabulary.added.filter(token => token.normalized);
  const normalizedTokens = new AddedTokenFinder(lateTokens, normalize);

  const known = (token: string): Token => ({ id: vocabulary.ids.get(token) as number, token });
  const added = ({ id, content }: AddedToken): Token => ({ id, token: content });
  const unknown = [known(unk)];
  const recent = new Map<string, readonly Token[]>();

  /** Words repeat, and to look one up is faster than to cut it: two texts of 10 MB of "[" take 4 s instead of 7. */
  function tokensOf(word: string): readonly Token[] {
    // A word is unknown beyond maxChars code points, so certainly beyond twice as many units: megabytes need no model.
    if (word.length > 2 * maxChars) return unknown;
    let tokens = recent.get(word);
    if (tokens === undefined) {
      tokens = subwords([word]).map(known);
      if (recent.size === MAX_RECENT) recent.clear();
      recent.set(word, tokens);
    }
    return tokens;
  }

  /** Added tokens and words in their order. */
  function* words(text: string): Generator<string | AddedToken, void, void> {
    for (const section of rawTokens.split(text)) {
      if (typeof section !== 'string') {
        yield section;
        continue;
      }
      // An added token in normalized text may lie across any cut.
      for (const chunk of lateTokens.length === 0 ? chunks(section, options) : [section]) {
        for (const part of normalizedTokens.split(normalize(chunk))) {
          if (typeof part === 'string') yield* splitWords(part);
          else yield part;
        }
      }
    }
  }

  return function* (text) {
    for (const word of words(text)) {
      if (typeof word !== 'string') yield added(word);
      else yield* tokensOf(word);
    }
  };
}

/** Cuts where normalization and words do not notice; a chunk without such a place grows until there is one. */
function* chunks(text: string, options: BertNormalizerOptions): Generator<string, void, void> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + CHUNK, text.length);
    while (end < text.length && !canCut(text, end, options)) end++;
    yield text.slice(start, end);
    start = end;
  }
}

/** @throws E_TOKENIZER when the unknown token is not in the vocabulary, and for a word limit out of range */
export function wordPiece(json: JsonObject, { ids }: Vocabulary, file: string): WordPiece {
  const model = fields(json.model ?? null, file, 'model');
  const unk = model.string('unk_token', { default: '[UNK]' });
  const maxChars = model.raw('max_input_chars_per_word') ?? 100;
  if (!ids.has(unk)) {
    const hint = 'It stands for every word that the vocabulary cannot spell.';
    throw new GlassbertError('E_TOKENIZER', `the unknown token ${quote(unk)} is not in the vocabulary`, { file, hint });
  }
  if (typeof maxChars !== 'number' || !Number.isInteger(maxChars) || maxChars < 1 || maxChars > MAX_CHARS_PER_WORD) {
    throw new GlassbertError('E_TOKENIZER', '"model.max_input_chars_per_word" is out of range', {
      file,
      expected: `an integer from 1 to ${MAX_CHARS_PER_WORD}`,
      found: typeof maxChars === 'number' ? `${maxChars}` : typeof maxChars,
    });
  }
  return {
    unk_token: unk,
    continuing_subword_prefix: model.string('continuing_subword_prefix', { default: '##' }),
    max_input_chars_per_word: maxChars,
    ids,
  };
}

/**
 * The normalization of a BERT: BertNormalizer or none, perhaps a Lowercase before it.
 *
 * @throws E_TOKENIZER for another model than WordPiece, other words than those of BertPreTokenizer, another normalization
 */
export function bertOptions(
  json: JsonObject,
  config: JsonObject,
  doLowerCase: boolean,
  file: string,
  notes: string[],
): BertNormalizerOptions {
  requireTypes('model', [modelType(json, file)], ['WordPiece'], file);
  requireTypes('pre_tokenizer', components(json, 'pre_tokenizer', file).map(typeOf), ['BertPreTokenizer'], file);
  const normalizers = components(json, 'normalizer', file);
  const hasLowercase = normalizers[0] !== undefined && typeOf(normalizers[0]) === 'Lowercase';
  const [normalizer] = hasLowercase ? normalizers.slice(1) : normalizers;
  const expected = [...(hasLowercase ? ['Lowercase'] : []), ...(normalizer === undefined ? [] : ['BertNormalizer'])];
  requireTypes('normalizer', normalizers.map(typeOf), expected, file);

  const lowercaseFirst = doLowerCase || hasLowercase;
  if (normalizer === undefined) {
    return { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false, lowercaseFirst };
  }
  const options = {
    cleanText: normalizer.boolean('clean_text'),
    handleChineseChars: normalizer.boolean('handle_chinese_chars'),
    stripAccents: normalizer.has('strip_accents') ? normalizer.boolean('strip_accents') : null,
    lowercase: normalizer.boolean('lowercase'),
    lowercaseFirst,
  };
  return { ...options, ...overrides(options, config, notes) };
}

/** The classes whose constructor rewrites the normalizer of tokenizer.json after tokenizer_config.json. */
const REWRITING_CLASS = /^(Bert|DPRQuestionEncoder|DPRContextEncoder|DPRReader)Tokenizer(Fast)?$/;

/** transformers 4, BertTokenizerFast.__init__: where both files speak and disagree, tokenizer_config.json has its way. */
function overrides(
  options: BertNormalizerOptions,
  config: JsonObject,
  notes: string[],
): Partial<Pick<BertNormalizerOptions, 'lowercase' | 'stripAccents' | 'handleChineseChars'>> {
  // Where the class is not stated it goes by the model, which is BERT.
  const className = config.tokenizer_class ?? 'BertTokenizer';
  if (typeof className !== 'string' || !REWRITING_CLASS.test(className)) return {};
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = config;
  const decide = <Value>(key: string, theirs: unknown, name: string, ours: Value): Value => {
    if (theirs === ours || !(typeof theirs === 'boolean' || (theirs === null && key === 'strip_accents'))) return ours;
    const before = `"${name}": ${ours} of the normalizer in tokenizer.json`;
    notes.push(`tokenizer_config.json: "${key}": ${theirs} overrides ${before}, as ${className} does.`);
    return theirs as Value;
  };
  return {
    lowercase: decide('do_lower_case', do_lower_case, 'lowercase', options.lowercase),
    stripAccents: decide('strip_accents', strip_accents, 'strip_accents', options.stripAccents),
    handleChineseChars: decide(
      'tokenize_chinese_chars',
      tokenize_chinese_chars,
      'handle_chinese_chars',
      options.handleChineseChars,
    ),
  };
}

// ---------------------------------------------------------------------------------------------------------------------

/** Whatever else there is in the dependency has no bound on time, memory or regular expressions. */
function requireTypes(key: string, types: readonly string[], expected: readonly string[], file: string): void {
  if (types.join() === expected.join()) return;
  throw new GlassbertError('E_TOKENIZER', `the "${key}" is not supported`, {
    file,
    expected: expected.join(', ') || 'BertNormalizer, Lowercase or none',
    found: types.slice(0, MAX_LISTED).map(quote).join(', ') || 'none',
    hint: "Only BERT's WordPiece tokenizers are supported so far.",
  });
}

const MAX_LISTED = 5;

function modelType(json: JsonObject, file: string): string {
  const model = fields(json.model ?? null, file, 'model');
  // Files from before 2022 do not name the type.
  const unnamed = Array.isArray(model.raw('vocab')) ? 'Unigram' : model.has('merges') ? 'BPE' : 'WordPiece';
  return model.string('type', { default: unnamed });
}

/** The components below a key, the members of a Sequence one by one. */
function components(json: JsonObject, key: 'normalizer' | 'pre_tokenizer', file: string): readonly Fields[] {
  const value = json[key] ?? null;
  if (value === null) return [];
  const component = fields(value, file, key);
  if (typeOf(component) !== 'Sequence') return [component];
  const members = component.array(key === 'normalizer' ? 'normalizers' : 'pretokenizers');
  return members.map((member, n) => fields(member, file, `${key}.${n}`));
}

function typeOf(component: Fields): string {
  return component.string('type');
}
