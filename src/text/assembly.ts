/**
 * What the files of a directory make: the class, its pipeline, the added tokens, the template; and in notes, what of the files
 * is not followed and what another version of Python would do.
 *
 * transformers 5.18.0: tokenization_utils_tokenizers.py, and the constructors of the classes (tokenizer-classes.ts).
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { asObject } from '../io/json-fields.ts';
import type { AddedToken } from './added-tokens.ts';
import { AddedVocabulary, type TokenFlags } from './added-vocabulary.ts';
import { normalizeBert } from './bert-normalizer.ts';
import { type BertPipeline, checkTypes, differences, pipelineOfFile } from './bert-pipeline.ts';
import { FRAMES, readTemplate, type Template } from './template.ts';
import { Arguments, type NamedJson, type TokenArguments } from './tokenizer-arguments.ts';
import { built, chooseClass, classNamed, plain, SPECIAL_NAMES, type TokenizerClass } from './tokenizer-classes.ts';
import { fromVocabTxt } from './vocab-txt.ts';
import { readAddedTokens, readVocabulary, sizeOfVocabulary } from './vocabulary.ts';

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
  /** Whether the caller asked for it, and no file. */
  readonly isLengthWanted?: boolean;
  /** Of the embedding table, where it is known: so many tokens there can be. */
  readonly rows?: number;
  /** The tokenizer.json or vocab.txt, named in errors. */
  readonly file?: string;
  /** The path of another file, named in errors. */
  readonly pathOf?: (name: string) => string;
}

export interface Assembled {
  /** Of the class. */
  readonly name: string;
  readonly pipeline: BertPipeline;
  /** The added tokens, as they are searched. */
  readonly searched: readonly AddedToken[];
  readonly template: Template;
  /** The ids of the special tokens that have a name, and of the extra ones: `all_special_ids`. */
  readonly special: ReadonlySet<number | undefined>;
  /** Ids that the embedding table need not have a row for: no text has them that does not write them out. */
  readonly spare: ReadonlySet<number>;
  readonly vocabSize: number;
  readonly neededRows: number;
  /** Whether the end of a long text is kept. */
  readonly keepEnd: boolean;
  /** Whether the model is fed token_type_ids. */
  readonly typed: boolean;
  readonly notes: readonly string[];
  idOf(token: string): number | undefined;
}

/** @param rows - of the embedding table */
export function assemble(parts: TokenizerParts, rows: number, file: string): Assembled {
  const notes: string[] = [];
  const made = classOf(parts, notes);
  const json = parts.tokenizerJson ?? jsonOfVocab(parts, made, rows, file, notes);
  const keepsFile = made.keepsFile && parts.tokenizerJson !== undefined;

  const ids = readVocabulary(json, file, rows);
  const args = argumentsOf(parts, file);
  const tokens = args.tokens(made, (json.padding as JsonObject | null | undefined)?.pad_token);
  const ofClass = made.frame === 'file' ? undefined : pipelineOfClass(args, made, tokens, ids);
  const pipeline = ofClass === undefined || keepsFile ? pipelineOfFile(json, ids, made.name, file) : ofClass;
  requireUnknown(pipeline.model.unknown, ids, file);
  const added = addTokens(ids, keepsFile ? json : null, tokens, file, notes);
  const template = templateOf(made, json, tokens, added, file);
  if (parts.tokenizerJson !== undefined) {
    if (keepsFile) noteUnread(args, pipeline, made, notes);
    else checkTypes(json, file);
    noteDifferences(json, made, keepsFile ? null : pipeline, template, file, notes);
  }
  const settings = readSettings(args, made, json, notes);

  const searched = added.tokens(settings.splitSpecial);
  noteAlike(searched, pipeline, notes);
  const slots = [...template.single, ...(template.pair ?? [])].flatMap(slot => ('id' in slot ? slot.id : []));
  const spare = spareTokens(tokens, added, ids, slots);
  const used = [sizeOfVocabulary(ids), ...slots.map(id => id + 1)];
  const largest = (sizes: readonly number[]): number => sizes.reduce((a, b) => Math.max(a, b), 0);
  const sizesOf = (tokens: readonly AddedToken[]): number[] => tokens.map(({ id }) => id + 1);
  const contents = [...tokens.named.map(({ token }) => token.content), ...tokens.extra.map(({ content }) => content)];
  return {
    name: made.name,
    pipeline,
    searched,
    template,
    special: new Set(contents.map(content => added.idOf(content))),
    spare,
    vocabSize: largest([...used, ...sizesOf(searched)]),
    neededRows: largest([...used, ...sizesOf(searched.filter(({ id }) => !spare.has(id)))]),
    keepEnd: settings.keepEnd,
    typed: settings.typed,
    notes,
    idOf: token => added.idOf(token),
  };
}

function noteAlike(searched: readonly AddedToken[], { normalizer }: BertPipeline, notes: string[]): void {
  const seen = new Map<string, string>();
  const alike: string[] = [];
  for (const { content, normalized } of searched) {
    const written = normalized ? normalizeBert(content, normalizer) : `raw ${content}`;
    const other = seen.get(written);
    if (other !== undefined) alike.push(`${quote(other)} and ${quote(content)}`);
    seen.set(written, content);
  }
  if (alike.length === 0) return;
  notes.push(
    `Added tokens are the same once they are normalized: ${listing(alike)}. Here the last counts; in Python one of them does, another in another run.`,
  );
}

function readSettings(
  args: Arguments,
  { hasTypes }: TokenizerClass,
  json: JsonObject,
  notes: string[],
): { readonly keepEnd: boolean; readonly typed: boolean; readonly splitSpecial: boolean } {
  const keepEnd = args.side('truncation_side', directionOf(json, 'truncation')) === 'left';
  if (keepEnd) notes.push('The truncation side is left: of a long text the end is kept.');
  if (args.side('padding_side', directionOf(json, 'padding')) === 'left') {
    notes.push(
      'The padding side is left. Nothing is padded here: a text has the vector that Python gives it by itself.',
    );
  }
  const inputs = args.inputNames();
  if (inputs?.includes('attention_mask') === false) {
    notes.push(
      '"model_input_names" lists no attention_mask: in Python the padding of a batch then counts as text. Nothing is padded here: a text has the vector that Python gives it by itself.',
    );
  }
  const stated = inputs?.includes('token_type_ids');
  if (stated === false) notes.push('"model_input_names" lists no token_type_ids: all are 0.');
  const splitSpecial = args.boolean('split_special_tokens', false);
  if (splitSpecial) notes.push('"split_special_tokens" is true: a special token that is written in a text is text.');
  return { keepEnd, typed: stated ?? hasTypes, splitSpecial };
}

function classOf(parts: TokenizerParts, notes: string[]): TokenizerClass {
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
  const hasCode = Array.isArray(code) || ((code as JsonObject | null)?.AutoTokenizer ?? null) !== null;
  const chosen = chooseClass({ named, namedByModel: modelClass, modelType, hasCode }, { config, model });
  const { name } = chosen;
  const older = named ? built(plain(named)) : name;
  if (older !== name) {
    notes.push(
      `transformers 5 takes the class ${name} where the files name ${quote(named as string)}; transformers 4.57.6 takes ${older}.`,
    );
  }
  return classNamed(chosen);
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
function pipelineOfClass(
  args: Arguments,
  { alwaysLower = false, takesCleanText = false }: TokenizerClass,
  tokens: TokenArguments,
  ids: ReadonlyMap<string, number>,
): BertPipeline {
  return {
    normalizer: {
      cleanText: takesCleanText ? args.boolean('clean_text', true) : true,
      handleChineseChars: args.boolean('tokenize_chinese_chars', true),
      stripAccents: args.stripAccents(),
      lowercase: alwaysLower || args.boolean('do_lower_case', true),
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
  const isMissing = ({ content }: { readonly content: string }): boolean =>
    content !== '' && !added.has(content) && !listed.has(content);
  const missing = [...named.map(({ token }) => token), ...extra].filter(isMissing);
  const all = [...decoder.map(({ token }) => token), ...missing];
  added.add(all.map(token => (names.has(token.content) ? madeSpecial(token) : token)));

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

/** Where its description does not say whether it is normalized, a token that is made special no longer is. */
function madeSpecial(token: TokenFlags): TokenFlags {
  return { ...token, special: true, normalized: token.normalized && token.normalizedByDefault !== true };
}

const MAX_LISTED = 3;

export function listing(items: readonly string[]): string {
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
    // What the vocabulary lacks, which an empty name alone can be, has the id of the unknown token.
    const written = token === '' && added.idOf('') === undefined ? nameOf(tokens, 'unk_token') : token;
    const id = written === undefined ? made.unnamed?.[key] : added.idOf(written);
    if (id !== undefined) return { id, token: token ?? 'None', typeId: 0 };
    throw new GlassbertError('E_TOKENIZER', `there is no "${key}_token"`, {
      file,
      expected: `a name, for the class ${made.name}`,
    });
  };
  const [cls, sep] = [slot('cls'), slot('sep')];
  // But for the template of RoBERTa, tokens go by their names; of two that are both null, the last counts.
  return FRAMES[made.frame](made.frame !== 'roberta' && cls.token === sep.token ? sep : cls, sep);
}

function directionOf(json: JsonObject, key: 'truncation' | 'padding'): Json | undefined {
  const value = json[key] ?? null;
  return value === null ? undefined : (asObject(value, '', key).direction ?? 'Right');
}

/** Of a file that is kept, some keys of tokenizer_config.json change nothing. */
function noteUnread(args: Arguments, { normalizer }: BertPipeline, { name }: TokenizerClass, notes: string[]): void {
  const stated = { do_lower_case: normalizer.lowercase, tokenize_chinese_chars: normalizer.handleChineseChars };
  const unread = Object.entries(stated).flatMap(([key, value]) =>
    args.value(key) === !value ? `"${key}": ${!value}` : [],
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

/**
 * Ids of special tokens that were added behind the vocabulary because they have a name (`mask_token`), and stand in no list and
 * no template.
 */
function spareTokens(
  { decoder, named, extra }: TokenArguments,
  added: AddedVocabulary,
  ids: ReadonlyMap<string, number>,
  slots: readonly number[],
): ReadonlySet<number> {
  const isPlain = (name: string): boolean => (SPECIAL_NAMES as readonly string[]).includes(name);
  const used = new Set([
    ...decoder.map(({ token }) => token.content),
    ...extra.map(({ content }) => content),
    ...named.flatMap(({ name, token }) => (isPlain(name) ? [] : token.content)),
  ]);
  const spare = named.filter(({ token: { content } }) => content !== '' && !used.has(content) && !ids.has(content));
  return new Set(spare.map(({ token }) => added.idOf(token.content) as number).filter(id => !slots.includes(id)));
}
