/**
 * Text to token ids, as Python's tokenizers give them: the same ids for every text, or an error.
 *
 *   "Hello [SEP]"  ->  hello, [SEP]  ->  [CLS] hello [SEP] [SEP]  ->  101 7592 102 102
 *
 *   class           which Python would make, and what it takes from where    tokenizer-classes.ts, tokenizer-arguments.ts
 *   added tokens    written out in the text, are cut out of it               added-vocabulary.ts, added-tokens.ts
 *   normalization   of what lies between, and words                          bert-normalizer.ts
 *   subwords        WordPiece (Schuster and Nakajima 2012)                   word-piece.ts
 *   truncation      before the special tokens come in, so that [SEP] stays   below
 *   template        [CLS] A [SEP]                                            template.ts
 *
 * Every BERT tokenizer runs this way (bert-pipeline.ts). Others are refused so far.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { asObject } from '../io/json-fields.ts';
import { AddedVocabulary } from './added-vocabulary.ts';
import { type BertPipeline, checkTypes, differences, pipelineOfFile, tokenizeBert } from './bert-pipeline.ts';
import { countSpecials, countTypes, FRAMES, readTemplate, type Slot, type Template } from './template.ts';
import { Arguments, type NamedJson, type TokenArguments } from './tokenizer-arguments.ts';
import { built, chooseClass, classNamed, plain, type TokenizerClass } from './tokenizer-classes.ts';
import { fromVocabTxt } from './vocab-txt.ts';
import { readAddedTokens, readVocabulary, sizeOfVocabulary } from './vocabulary.ts';
import type { Token } from './word-piece.ts';

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
  /** The class that transformers 5.18.0 makes of the directory, such as `BertTokenizer`. */
  readonly class: string;
  /** The largest id + 1, added tokens included. */
  readonly vocabSize: number;
  /**
   * So many rows the embedding table must have: as many as there are ids, but for a padding or mask token that no file knows
   * an id of. In Python they stand behind the table as well, and fail where a text holds them.
   */
  readonly neededRows: number;
  /** How many token types an encoding has, of one text and of a pair: so many rows the token type table must have. */
  readonly typeIdCount: { readonly single: number; readonly pair: number };
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** The id of a token as it stands in the vocabulary or was added to it. */
  idOf(token: string): number | undefined;
  /** Whether an id is that of a special token that the files or the class name, such as [SEP]. */
  isSpecial(id: number): boolean;
  /** What was decided while loading and might surprise, in sentences for the load report. */
  readonly notes: readonly string[];
  /**
   * Half surrogate pairs, which are no characters, count as U+FFFD.
   *
   * A longer text is cut to its first tokens, or to its last where the files say so. Of a pair, each text is first cut to the
   * maximum length; then the longer one gives way until both are of one length, then both do ("longest_first").
   *
   * @throws E_ARGUMENT for something else than a string, for options that are none, for a maximum length that the special
   *   tokens alone exceed, and for a pair where the files say nothing about pairs; E_TOKENIZER for a text that holds a token
   *   for which the embedding table has no row
   */
  encode(text: string, options?: EncodeOptions): Encoding;
}

export interface TokenizerParts {
  /** tokenizer.json, parsed. */
  readonly tokenizerJson?: JsonObject;
  /** The text of vocab.txt, which is read where there is no tokenizer.json. */
  readonly vocab?: string;
  /** added_tokens.json, parsed: tokens that the vocabulary lacks, with their ids. */
  readonly addedTokens?: JsonObject | undefined;
  /** special_tokens_map.json, parsed. */
  readonly specialTokensMap?: JsonObject | undefined;
  /** tokenizer_config.json, parsed. */
  readonly tokenizerConfig?: JsonObject;
  /** `processor_kwargs` and `tokenizer_args` of sentence_bert_config.json. */
  readonly overrides?: readonly NamedJson[];
  /** `model_type` of config.json. */
  readonly modelType?: string | undefined;
  /** `tokenizer_class` of config.json. */
  readonly modelClass?: string | undefined;
  /** `do_lower_case` of sentence_bert_config.json: lower case first, whatever the tokenizer does then. */
  readonly doLowerCase?: boolean;
  /** In tokens, special tokens included. */
  readonly maxLength: number;
  /** Of the embedding table, where it is known: so many tokens there can be. */
  readonly rows?: number;
  /** The tokenizer.json or vocab.txt, named in errors. */
  readonly file?: string;
  /** The path of another file, named in errors. */
  readonly pathOf?: (name: string) => string;
}

/**
 * @throws E_TOKENIZER for a vocabulary that contradicts itself, for a class that is not made here, and for everything that is
 *   not BERT's WordPiece; E_CONFIG for missing and mistyped fields, and when maxLength has no room for the special tokens
 */
export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { doLowerCase = false, maxLength, rows = Number.POSITIVE_INFINITY } = parts;
  const file = parts.file ?? (parts.tokenizerJson === undefined ? 'vocab.txt' : 'tokenizer.json');
  const notes: string[] = [];
  const made = classOf(parts, file, notes);
  const json = parts.tokenizerJson ?? jsonOfVocab(parts, made, rows, file, notes);
  const keepsFile = made.keepsFile && parts.tokenizerJson !== undefined;

  const ids = readVocabulary(json, file, rows);
  const args = argumentsOf(parts, file);
  const tokens = args.tokens(made, (json.padding as JsonObject | null | undefined)?.pad_token);
  const pipeline = keepsFile ? pipelineOfFile(json, ids, made.name, file) : pipelineOfClass(args, tokens, ids);
  requireUnknown(pipeline.model.unknown, ids, file);
  const added = addTokens(ids, keepsFile ? json : null, tokens, file, notes);
  const template = templateOf(made, json, tokens, added, file);
  const { single, pair: paired = [] } = template;
  if (parts.tokenizerJson !== undefined) {
    if (keepsFile) noteUnread(args, pipeline, made, notes);
    else checkTypes(json, file);
    noteDifferences(json, made, keepsFile ? null : pipeline, template, file, notes);
  }

  const keepEnd = args.side('truncation_side', directionOf(json, 'truncation')) === 'left';
  if (keepEnd) notes.push('The truncation side is left: of a long text the end is kept.');
  if (args.side('padding_side', directionOf(json, 'padding')) === 'left') {
    notes.push(
      'The padding side is left. Nothing is padded here: a text has the vector that Python gives it by itself.',
    );
  }
  const stated = args.hasTypes();
  const typed = stated ?? made.hasTypes;
  if (stated === false) notes.push('"model_input_names" lists no token_type_ids: all are 0.');
  const splitSpecial = args.boolean('split_special_tokens', false);
  if (splitSpecial) notes.push('"split_special_tokens" is true: a special token that is written in a text is text.');

  const searched = added.tokens(splitSpecial);
  const slots = [...single, ...paired].flatMap(slot => ('id' in slot ? slot.id : []));
  const spare = spareTokens(tokens, added, ids, slots);
  const all = [sizeOfVocabulary(ids), ...slots.map(id => id + 1), ...searched.map(({ id }) => id + 1)];
  const needed = all.filter(size => !spare.has(size - 1));
  const neededRows = needed.reduce((a, b) => Math.max(a, b));
  checkRows(neededRows, searched, rows, file);
  if (roomFor(single, maxLength) === undefined) {
    throw new GlassbertError('E_CONFIG', 'the maximum length has no room for the special tokens', {
      file,
      ...lengths(single, maxLength),
    });
  }

  const lowercaseFirst = doLowerCase || pipeline.normalizer.lowercaseFirst === true;
  const tokenize = tokenizeBert({ ...pipeline, normalizer: { ...pipeline.normalizer, lowercaseFirst } }, searched);
  const contents = [...tokens.named.map(({ token }) => token.content), ...tokens.extra.map(({ content }) => content)];
  const special = new Set(contents.map(content => added.idOf(content)));

  return {
    kind: 'WordPiece',
    class: made.name,
    vocabSize: all.reduce((a, b) => Math.max(a, b)),
    neededRows,
    typeIdCount: typed ? { single: countTypes(single), pair: countTypes(paired) } : { single: 1, pair: 1 },
    maxLength,
    idOf: token => added.idOf(token),
    isSpecial: id => special.has(id),
    notes,
    encode(text, options = {}) {
      const { pair, truncate, length } = checkOptions(options, maxLength);
      const slots = pair === undefined ? single : template.pair;
      if (slots === undefined)
        throw new GlassbertError('E_ARGUMENT', 'the tokenizer has no template for pairs', { file });
      const target = truncate ? roomFor(slots, length) : Infinity;
      if (target === undefined) {
        throw new GlassbertError('E_ARGUMENT', 'maxLength has no room for the special tokens', lengths(slots, length));
      }
      // Of a pair, each text is first cut to the length that both may have together with the special tokens.
      const most = pair === undefined || !truncate ? target : length;
      const read = (text: string) => new Reading(tokenize(wellFormed(text)), most, keepEnd);
      const a = read(text);
      const b = pair === undefined ? undefined : read(pair);
      const [keptA, keptB] = longestFirst(Math.min(a.count, most), Math.min(b?.count ?? 0, most), target);
      const truncated = keptA < a.count || (b !== undefined && keptB < b.count);
      const encoding = fill(slots, a.kept(keptA), b?.kept(keptB) ?? [], typed);
      if (spare.size > 0 && rows < Infinity) requireRows(encoding, rows, file);
      return { ...encoding, truncated };
    },
  };
}

// What the files say ---------------------------------------------------------------------------------------------------

function classOf(parts: TokenizerParts, file: string, notes: string[]): TokenizerClass {
  const { tokenizerConfig = {}, modelType, modelClass } = parts;
  const { pathOf = (name: string) => name } = parts;
  const [config, model] = [pathOf('tokenizer_config.json'), pathOf('config.json')];
  const named = tokenizerConfig.tokenizer_class ?? undefined;
  if (named !== undefined && typeof named !== 'string') {
    throw new GlassbertError('E_CONFIG', '"tokenizer_class" has the wrong type', {
      file: config,
      expected: 'a string',
    });
  }
  const code = tokenizerConfig.auto_map ?? null;
  const hasCode = typeof code === 'object' && code !== null && (Array.isArray(code) || 'AutoTokenizer' in code);
  const name = chooseClass({ named, namedByModel: modelClass, modelType, hasCode }, { config, model });
  const older = named ? built(plain(named)) : name;
  if (older !== name) {
    notes.push(
      `transformers 5 takes the class ${name} where the files name ${quote(named as string)}; transformers 4.57.6 takes ${older}.`,
    );
  }
  return classNamed(name, file);
}

function jsonOfVocab(
  { vocab }: TokenizerParts,
  made: TokenizerClass,
  rows: number,
  file: string,
  notes: string[],
): JsonObject {
  if (vocab === undefined || made.frame === 'file') {
    throw new GlassbertError('E_TOKENIZER', 'the model has no tokenizer', {
      file,
      expected:
        vocab === undefined ? 'tokenizer.json or vocab.txt' : `tokenizer.json, which the class ${made.name} reads`,
      hint:
        vocab === undefined
          ? 'Save the tokenizer with a current version of transformers: tokenizer.save_pretrained(directory).'
          : 'Where vocab.txt is of a BERT, say so in tokenizer_config.json: "tokenizer_class": "BertTokenizer".',
    });
  }
  notes.push(`vocab.txt: the class ${made.name} is made over this vocabulary, as there is no tokenizer.json.`);
  return fromVocabTxt(vocab, file, rows, notes);
}

function argumentsOf(parts: TokenizerParts, file: string): Arguments {
  const { pathOf = (name: string) => name } = parts;
  const named = (name: string, json: JsonObject | undefined): NamedJson | undefined =>
    json === undefined ? undefined : { file: pathOf(name), json };
  return new Arguments({
    config: { file: pathOf('tokenizer_config.json'), json: parts.tokenizerConfig ?? {} },
    overrides: parts.overrides,
    specialTokensMap: named('special_tokens_map.json', parts.specialTokensMap),
    addedTokens: named('added_tokens.json', parts.addedTokens),
    tokenizerJson: parts.tokenizerJson === undefined ? undefined : { file, json: parts.tokenizerJson },
  });
}

/** What the constructor of BertTokenizer makes, and those like it: transformers 5.18.0, models/bert/tokenization_bert.py. */
function pipelineOfClass(args: Arguments, tokens: TokenArguments, ids: ReadonlyMap<string, number>): BertPipeline {
  return {
    normalizer: {
      cleanText: true,
      handleChineseChars: args.boolean('tokenize_chinese_chars', true),
      stripAccents: args.stripAccents(),
      lowercase: args.boolean('do_lower_case', true),
    },
    words: 'BertPreTokenizer',
    model: { ids, unknown: nameOf(tokens, 'unk_token') ?? 'None', prefix: '##', maxChars: 100 },
  };
}

function nameOf({ named }: TokenArguments, name: string): string | undefined {
  return named.find(token => token.name === name)?.token.content;
}

function requireUnknown(unknown: string, ids: ReadonlyMap<string, number>, file: string): void {
  if (ids.has(unknown)) return;
  throw new GlassbertError('E_TOKENIZER', `the unknown token ${quote(unknown)} is not in the vocabulary`, {
    file,
    hint: 'It stands for every word that the vocabulary cannot spell. Another vocabulary names it otherwise: say so in tokenizer_config.json ("unk_token": …).',
  });
}

/**
 * tokenization_utils_tokenizers.py of transformers 5.18.0, __init__: those of the file where it is kept; then those that are
 * listed with ids, in their order; then the special tokens that are named and not there yet.
 */
function addTokens(
  ids: ReadonlyMap<string, number>,
  kept: JsonObject | null,
  { decoder, named, extra }: TokenArguments,
  file: string,
  notes: string[],
): AddedVocabulary {
  const added = new AddedVocabulary(ids);
  if (kept !== null) added.add(readAddedTokens(kept.added_tokens ?? [], file).map(({ token }) => token));
  const listed = new Set(decoder.map(({ token }) => token.content));
  const names = new Set(named.map(({ token }) => token.content));
  const isMissing = ({ content }: { readonly content: string }): boolean => !added.has(content) && !listed.has(content);
  const missing = [...named.map(({ token }) => token), ...extra].filter(isMissing);
  const all = [...decoder.map(({ token }) => token), ...missing];
  added.add(all.map(token => (names.has(token.content) ? { ...token, special: true } : token)));

  const moved = decoder.filter(({ id, token }) => added.idOf(token.content) !== id);
  const movedTo = moved.map(({ id, token }) => `${quote(token.content)} from ${id} to ${added.idOf(token.content)}`);
  if (moved.length > 0)
    notes.push(`Added tokens have other ids than the files say, as in Python: ${listing(movedTo)}.`);
  const fresh = missing.filter(({ content }) => !ids.has(content));
  const freshIds = [...new Set(fresh.map(({ content }) => `${quote(content)} is ${added.idOf(content)}`))];
  if (freshIds.length > 0)
    notes.push(`Special tokens that the vocabulary lacks are added to it, as in Python: ${listing(freshIds)}.`);
  return added;
}

const MAX_LISTED = 3;

function listing(items: readonly string[]): string {
  const more = items.length > MAX_LISTED ? ` and ${items.length - MAX_LISTED} more` : '';
  return items.slice(0, MAX_LISTED).join(', ') + more;
}

function templateOf(
  made: TokenizerClass,
  json: JsonObject,
  tokens: TokenArguments,
  added: AddedVocabulary,
  file: string,
): Template {
  if (made.frame === 'file') return readTemplate(json.post_processor ?? null, file);
  const slot = (key: 'cls' | 'sep') => {
    const token = nameOf(tokens, `${key}_token`);
    const id = token === undefined ? made.unnamed?.[key] : added.idOf(token);
    if (id !== undefined) return { id, token: token ?? 'None', typeId: 0 };
    throw new GlassbertError('E_TOKENIZER', `there is no "${key}_token"`, {
      file,
      expected: `a name, for the class ${made.name}`,
    });
  };
  return FRAMES[made.frame](slot('cls'), slot('sep'));
}

function directionOf(json: JsonObject, key: 'truncation' | 'padding'): Json | undefined {
  const value = json[key] ?? null;
  return value === null ? undefined : (asObject(value, '', key).direction ?? 'Right');
}

/** Of a file that is kept, some keys of tokenizer_config.json change nothing. */
function noteUnread(args: Arguments, { normalizer }: BertPipeline, { name }: TokenizerClass, notes: string[]): void {
  const stated = { do_lower_case: normalizer.lowercase, tokenize_chinese_chars: normalizer.handleChineseChars };
  const unread = Object.entries(stated).flatMap(([key, value]) =>
    args.has(key) && args.value(key) !== value ? `"${key}": ${args.value(key)}` : [],
  );
  if (unread.length > 0)
    notes.push(`The class ${name} keeps the normalizer of tokenizer.json and does not read ${unread.join(', ')}.`);
}

function noteDifferences(
  json: JsonObject,
  { name, frame }: TokenizerClass,
  pipeline: BertPipeline | null,
  template: Template,
  file: string,
  notes: string[],
): void {
  const found = pipeline === null ? [] : differences(json, pipeline, file);
  if (frame !== 'file' && !isTemplateOf(json, template, file)) found.push('"post_processor"');
  if (found.length === 0) return;
  notes.push(
    `tokenizer.json is not read where the class ${name} of transformers 5 makes its own: ${found.join(', ')}.`,
  );
  const kept = found.filter(key => !OVERRIDDEN.test(key));
  if (kept.length > 0) notes.push(`transformers 4.57.6 reads it and gives other ids, or fails: ${kept.join(', ')}.`);
}

/** What BertTokenizerFast of transformers 4 wrote over as well. */
const OVERRIDDEN = /^"normalizer\.(lowercase|strip_accents|handle_chinese_chars)"/;

function isTemplateOf(json: JsonObject, template: Template, file: string): boolean {
  try {
    return JSON.stringify(readTemplate(json.post_processor ?? null, file)) === JSON.stringify(template);
  } catch {
    return false; // it is not used
  }
}

/** Ids of padding and mask tokens that were added behind the vocabulary and stand in no list and no template. */
function spareTokens(
  { decoder, named, extra }: TokenArguments,
  added: AddedVocabulary,
  ids: ReadonlyMap<string, number>,
  slots: readonly number[],
): ReadonlySet<number> {
  const used = new Set([
    ...decoder.map(({ token }) => token.content),
    ...extra.map(({ content }) => content),
    ...named.flatMap(({ name, token }) => (name === 'pad_token' || name === 'mask_token' ? [] : token.content)),
  ]);
  const spare = named.filter(({ token: { content } }) => !used.has(content) && !ids.has(content));
  return new Set(spare.map(({ token }) => added.idOf(token.content) as number).filter(id => !slots.includes(id)));
}

function checkRows(
  needed: number,
  searched: readonly { id: number; content: string }[],
  rows: number,
  file: string,
): void {
  if (needed <= rows) return;
  const beyond = searched.filter(({ id }) => id >= rows).map(({ id, content }) => `${quote(content)} is ${id}`);
  throw new GlassbertError('E_TOKENIZER', 'the tokenizer has ids that the embedding table has no row for', {
    file,
    expected: `ids below ${rows}, the "vocab_size" of config.json`,
    found: beyond.length > 0 ? listing(beyond) : `an id of ${needed - 1}`,
    hint: 'The tokenizer and the weights are of different models; or special tokens have other names, which belong into tokenizer_config.json ("cls_token": …).',
  });
}

function requireRows({ ids, tokens }: Pick<Encoding, 'ids' | 'tokens'>, rows: number, file: string): void {
  const beyond = ids.findIndex(id => id >= rows);
  if (beyond < 0) return;
  throw new GlassbertError('E_TOKENIZER', 'the text holds a token that the embedding table has no row for', {
    file,
    found: quote(tokens[beyond] as string),
    hint: 'It was added to the vocabulary because the class or the files name it. Python fails on such a text too.',
  });
}

// ---------------------------------------------------------------------------------------------------------------------

const OPTIONS = ['pair', 'truncate', 'maxLength'];

/** @throws E_ARGUMENT */
function checkOptions(
  options: EncodeOptions,
  maxLength: number,
): { readonly pair: string | undefined; readonly truncate: boolean; readonly length: number } {
  if (typeof options !== 'object' || options === null) {
    throw new GlassbertError('E_ARGUMENT', 'the options of encode are an object', { found: String(options) });
  }
  const unknown = Object.keys(options).find(name => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    const expected = OPTIONS.join(', ');
    throw new GlassbertError('E_ARGUMENT', 'there is no such option', { expected, found: quote(unknown) });
  }
  const { pair, truncate = true, maxLength: length = maxLength } = options;
  const wrong = (name: string, expected: string, value: unknown): GlassbertError =>
    new GlassbertError('E_ARGUMENT', `${name} has the wrong type`, {
      expected,
      found: value === null ? 'null' : typeof value,
    });
  if (pair !== undefined && typeof pair !== 'string') throw wrong('pair', 'a string', pair);
  if (typeof truncate !== 'boolean') throw wrong('truncate', 'true or false', truncate);
  if (typeof length !== 'number') throw wrong('maxLength', 'a number', length);
  return { pair, truncate, length };
}

/** How many tokens are left for the texts; undefined where not even the special tokens have room. */
function roomFor(slots: readonly Slot[], length: number): number | undefined {
  const left = length - countSpecials(slots);
  return Number.isInteger(length) && length > 0 && left >= 0 ? left : undefined;
}

function lengths(slots: readonly Slot[], found: number): { expected: string; found: string } {
  return { expected: `an integer from ${Math.max(1, countSpecials(slots))} on`, found: `${found}` };
}

/** Tokens that may be in memory beyond the maximum. */
const STEP = 4096;

/** A text as far as it was read: how many tokens that were, and those of them that may be wanted. */
class Reading {
  count = 0;
  private readonly keepEnd: boolean;
  private tokens: Token[] = [];

  /** @param most - the first so many tokens are kept, or the last */
  constructor(source: Iterator<Token>, most: number, keepEnd: boolean) {
    this.keepEnd = keepEnd;
    // One token more than fits tells that there are too many.
    for (const end = keepEnd ? Infinity : most + 1; this.count < end; this.count++) {
      const next = source.next();
      if (next.done) break;
      if (keepEnd || this.tokens.length < most) this.tokens.push(next.value);
      if (this.tokens.length > most + STEP) this.tokens = this.kept(most);
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

/** How many tokens of each text are kept: huggingface/tokenizers 0.23.2, utils/truncation.rs, LongestFirst. */
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
