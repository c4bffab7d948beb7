/**
 * The way of a text through a BERT tokenizer, up to the special tokens; lazily, so that of a long text no more is read than
 * is wanted.
 *
 *   text  ->  added tokens, and what lies between  ->  normalized chunks  ->  words  ->  subwords
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import { type AddedToken, AddedTokenFinder } from './added-tokens.ts';
import { type BertNormalizerOptions, canCut, normalizeBert, splitWords, type WordRule } from './bert-normalizer.ts';
import { type Token, type WordPieceModel, wordPiece } from './word-piece.ts';

export interface BertPipeline {
  readonly normalizer: BertNormalizerOptions;
  readonly words: WordRule;
  readonly model: WordPieceModel;
}

/** The tokens of a text one by one, special tokens apart. */
export type Tokenize = (text: string) => Iterator<Token>;

/** UTF-16 units that are normalized at a time; enough for the 512 tokens of a BERT, so that most texts are one chunk. */
const CHUNK = 4096;

/** Genuine files say 100. The time is linear in it and the memory too: a word is tokenized as a whole. */
const MAX_CHARS_PER_WORD = 10_000;

/** Words whose tokens are remembered, and the units of the longest. */
const MAX_RECENT = 4096;
const MAX_RECENT_LENGTH = 100;

/** @param added - the tokens that are found in texts as they are written */
export function tokenizeBert({ normalizer, words: rule, model }: BertPipeline, added: readonly AddedToken[]): Tokenize {
  const subwords = wordPiece(model);
  const normalize = (text: string) => normalizeBert(text, normalizer);
  const rawTokens = new AddedTokenFinder(added.filter(token => !token.normalized));
  const lateTokens = added.filter(token => token.normalized);
  const normalizedTokens = new AddedTokenFinder(lateTokens, normalize);
  const recent = new Map<string, readonly Token[]>();

  /** Words repeat, and to look one up is faster than to cut it. */
  function tokensOf(word: string): readonly Token[] {
    if (word.length > MAX_RECENT_LENGTH) return subwords(word);
    let tokens = recent.get(word);
    if (tokens === undefined) {
      tokens = subwords(word);
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
      for (const chunk of lateTokens.length === 0 ? chunks(section, normalizer, rule) : [section]) {
        for (const part of normalizedTokens.split(normalize(chunk))) {
          if (typeof part === 'string') yield* splitWords(part, rule);
          else yield part;
        }
      }
    }
  }

  return function* (text) {
    for (const word of words(text)) {
      if (typeof word !== 'string') yield { id: word.id, token: word.content };
      else yield* tokensOf(word);
    }
  };
}

/** Cuts where normalization and words do not notice; a chunk without such a place grows until there is one. */
function* chunks(text: string, options: BertNormalizerOptions, rule: WordRule): Generator<string, void, void> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + CHUNK, text.length);
    while (end < text.length && !canCut(text, end, options, rule)) end++;
    yield text.slice(start, end);
    start = end;
  }
}

// What tokenizer.json says ---------------------------------------------------------------------------------------------

/**
 * The pipeline of the file: BertNormalizer or none, perhaps a Lowercase before it; BertPreTokenizer or WhitespaceSplit;
 * WordPiece.
 *
 * @param ids - the vocabulary of the model
 * @param className - of the tokenizer class that keeps the file, for errors
 * @throws E_TOKENIZER for anything else, and for a word limit out of range; E_CONFIG for missing and mistyped fields
 */
export function pipelineOfFile(
  json: JsonObject,
  ids: ReadonlyMap<string, number>,
  className: string,
  file: string,
): BertPipeline {
  requireTypes('model', [modelType(json, file)], [['WordPiece']], file, className);
  const rules = components(json, 'pre_tokenizer', file).map(typeOf);
  requireTypes('pre_tokenizer', rules, [['BertPreTokenizer'], ['WhitespaceSplit']], file, className);
  return {
    normalizer: normalizerOfFile(json, className, file),
    words: rules[0] as WordRule,
    model: modelOfFile(json, ids, file),
  };
}

function normalizerOfFile(json: JsonObject, className: string, file: string): BertNormalizerOptions {
  const normalizers = components(json, 'normalizer', file);
  const types = normalizers.map(typeOf);
  const known = [['BertNormalizer'], ['Lowercase'], ['Lowercase', 'BertNormalizer'], []];
  requireTypes('normalizer', types, known, file, className);
  const lowercaseFirst = types[0] === 'Lowercase';
  const [normalizer] = lowercaseFirst ? normalizers.slice(1) : normalizers;
  if (normalizer === undefined) {
    return { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false, lowercaseFirst };
  }
  return {
    cleanText: normalizer.boolean('clean_text'),
    handleChineseChars: normalizer.boolean('handle_chinese_chars'),
    stripAccents: normalizer.has('strip_accents') ? normalizer.boolean('strip_accents') : null,
    lowercase: normalizer.boolean('lowercase'),
    lowercaseFirst,
  };
}

function modelOfFile(json: JsonObject, ids: ReadonlyMap<string, number>, file: string): WordPieceModel {
  const model = fields(json.model ?? null, file, 'model');
  const maxChars = model.raw('max_input_chars_per_word') ?? 100;
  if (typeof maxChars !== 'number' || !Number.isInteger(maxChars) || maxChars < 1 || maxChars > MAX_CHARS_PER_WORD) {
    throw new GlassbertError('E_TOKENIZER', '"model.max_input_chars_per_word" is out of range', {
      file,
      expected: `an integer from 1 to ${MAX_CHARS_PER_WORD}`,
      found: typeof maxChars === 'number' ? `${maxChars}` : typeof maxChars,
    });
  }
  return {
    ids,
    unknown: model.string('unk_token', { default: '[UNK]' }),
    prefix: model.string('continuing_subword_prefix', { default: '##' }),
    maxChars,
  };
}

/** The types that tokenizers 0.23.2 knows: of a file with another one, Python loads nothing, though it may read only a part. */
const KNOWN_TYPES = {
  normalizer: `BertNormalizer Strip StripAccents NFC NFD NFKC NFKD Sequence Lowercase Nmt Precompiled Replace Prepend ByteLevel`,
  pre_tokenizer: `BertPreTokenizer ByteLevel CharDelimiterSplit Metaspace Whitespace Sequence Split Punctuation WhitespaceSplit
    Digits UnicodeScripts FixedLength`,
  post_processor: 'RobertaProcessing BertProcessing ByteLevel TemplateProcessing Sequence',
} as const;

/** @throws E_TOKENIZER, E_CONFIG for a tokenizer.json of which even the vocabulary cannot be taken */
export function checkTypes(json: JsonObject, file: string): void {
  requireTypes('model', [modelType(json, file)], [['WordPiece'], ['BPE'], ['Unigram'], ['WordLevel']], file);
  for (const [key, types] of Object.entries(KNOWN_TYPES)) {
    const value = json[key] ?? null;
    if (value === null) continue;
    const known = types.split(/\s+/).map(type => [type]);
    requireTypes(key, [typeOf(fields(value, file, key))], known, file);
  }
}

/** What in the file is otherwise than the pipeline that a class makes over its vocabulary: the keys, and what they say. */
export function differences(json: JsonObject, made: BertPipeline, file: string): string[] {
  const { normalizer, words, model } = made;
  const found: string[] = [];
  const compare = (key: string, theirs: unknown, ours: unknown): void => {
    if (theirs !== ours) found.push(`"${key}": ${shown(theirs)}`);
  };
  const ofModel = fields(json.model ?? null, file, 'model');
  compare('model.type', modelType(json, file), 'WordPiece');
  if (modelType(json, file) === 'WordPiece') {
    compare('model.unk_token', ofModel.raw('unk_token') ?? model.unknown, model.unknown);
    compare('model.continuing_subword_prefix', ofModel.raw('continuing_subword_prefix') ?? '##', model.prefix);
    compare('model.max_input_chars_per_word', ofModel.raw('max_input_chars_per_word') ?? 100, model.maxChars);
  }
  const type = (key: string): Json => (json[key] as JsonObject | null | undefined)?.type ?? null;
  compare('pre_tokenizer', type('pre_tokenizer'), words);
  compare('normalizer', type('normalizer'), 'BertNormalizer');
  if (type('normalizer') === 'BertNormalizer') {
    const theirs = fields(json.normalizer ?? null, file, 'normalizer');
    compare('normalizer.clean_text', theirs.raw('clean_text'), normalizer.cleanText);
    compare('normalizer.handle_chinese_chars', theirs.raw('handle_chinese_chars'), normalizer.handleChineseChars);
    compare('normalizer.lowercase', theirs.raw('lowercase'), normalizer.lowercase);
    const [strip, made] = [
      theirs.raw('strip_accents') ?? theirs.raw('lowercase'),
      normalizer.stripAccents ?? normalizer.lowercase,
    ];
    if (strip !== made)
      compare('normalizer.strip_accents', theirs.raw('strip_accents') ?? null, normalizer.stripAccents);
  }
  return found;
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? quote(value)
    : typeof value === 'object' && value !== null
      ? 'an object'
      : String(value);
}

/** @param className - where that class keeps what others make anew */
function requireTypes(
  key: string,
  types: readonly string[],
  known: readonly (readonly string[])[],
  file: string,
  className?: string,
): void {
  if (known.some(expected => expected.join() === types.join())) return;
  const keeper = className === undefined ? '' : `, which the class ${className} keeps,`;
  throw new GlassbertError('E_TOKENIZER', `the ${quote(key)}${keeper} is not supported`, {
    file,
    expected: known.map(expected => expected.join(', ') || 'none').join('; '),
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
