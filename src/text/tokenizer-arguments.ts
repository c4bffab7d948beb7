/**
 * The arguments that Python gives to the constructor of a tokenizer class, and the tokens it adds to the vocabulary: what
 * tokenizer_config.json, special_tokens_map.json, added_tokens.json, sentence_bert_config.json and tokenizer.json say about
 * them, in the order of their rank.
 *
 * transformers 5.18.0: tokenization_utils_base.py, _from_pretrained and __init__; tokenization_utils_tokenizers.py, __init__.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import type { TokenFlags } from './added-vocabulary.ts';
import { SPECIAL_NAMES, type TokenizerClass } from './tokenizer-classes.ts';
import { checkAddedCount, checkAddedToken, readAddedTokens, readToken } from './vocabulary.ts';

/** A file of JSON, parsed. */
export interface NamedJson {
  readonly file: string;
  readonly json: JsonObject;
}

export interface ArgumentFiles {
  /** tokenizer_config.json. */
  readonly config: NamedJson;
  /** `processor_kwargs` or `tokenizer_args` of sentence_bert_config.json: they overrule the keys of tokenizer_config.json. */
  readonly overrides?: readonly NamedJson[] | undefined;
  readonly specialTokensMap?: NamedJson | undefined;
  readonly addedTokens?: NamedJson | undefined;
  readonly tokenizerJson?: NamedJson | undefined;
}

/** Arguments that sentence-transformers gives to every from_pretrained itself, whatever the files say. */
export const OVERWRITTEN_ARGUMENTS: readonly string[] = [
  'trust_remote_code',
  'subfolder',
  'token',
  'cache_dir',
  'revision',
  'local_files_only',
];

/** Keys of `processor_kwargs` that are read here or elsewhere, and those that change no ids. */
const OVERRIDES: readonly string[] = [
  ...SPECIAL_NAMES,
  'additional_special_tokens',
  'extra_special_tokens',
  'split_special_tokens',
  'do_lower_case',
  'strip_accents',
  'tokenize_chinese_chars',
  'truncation_side',
  'padding_side',
  'model_input_names',
  'model_max_length',
  'clean_up_tokenization_spaces',
  'use_fast', // of transformers 4
  ...OVERWRITTEN_ARGUMENTS,
];

export class Arguments {
  private readonly values = new Map<string, { readonly value: Json; readonly file: string }>();
  /** Special tokens of other names: `image_token`, or an object of `extra_special_tokens`. */
  private readonly further = new Map<string, { readonly value: Json; readonly file: string }>();
  private readonly first = new Map<string, { readonly value: Json; readonly file: string }>();
  private readonly files: ArgumentFiles;

  /** @throws E_CONFIG for a key of `processor_kwargs` that would change the tokenizer in a way that is not followed */
  constructor(files: ArgumentFiles) {
    this.files = files;
    this.take(files.config);
    for (const overrides of files.overrides ?? []) {
      const unknown = Object.keys(overrides.json).find(key => !OVERRIDES.includes(key));
      if (unknown !== undefined) {
        throw new GlassbertError('E_CONFIG', `an argument of the tokenizer is not supported: ${quote(unknown)}`, {
          file: overrides.file,
          expected: OVERRIDES.join(', '),
          hint: 'Save the tokenizer again in Python with the argument applied: tokenizer.save_pretrained(directory).',
        });
      }
      this.take(overrides);
    }
    // `additional_special_tokens` of transformers 4 are the `extra_special_tokens` of 5, unless there are some.
    const extra = this.value('extra_special_tokens') ?? null;
    if (extra === null || Object.keys(extra).length === 0) this.renameAdditional();
    for (const [key, { value, file }] of this.values) {
      if (!isFurtherName(key) || typeof value !== 'string') continue;
      this.further.set(key, { value, file });
      this.values.delete(key);
    }
    this.takeNamedExtra();
    if (!this.values.has('added_tokens_decoder') && files.specialTokensMap !== undefined) {
      this.takeMap(files.specialTokensMap);
      this.takeNamedExtra();
    }
    // Here an empty list is one, and what an object names comes first.
    if (!this.values.has('extra_special_tokens')) this.renameAdditional();
    this.takeNamedExtra(this.first);
  }

  private take({ json, file }: NamedJson): void {
    for (const [key, value] of Object.entries(json)) this.values.set(key, { value, file });
  }

  private renameAdditional(): void {
    const additional = this.values.get('additional_special_tokens');
    this.values.delete('additional_special_tokens');
    if (additional !== undefined) this.values.set('extra_special_tokens', additional);
  }

  /** An object of extra special tokens names further ones, whatever other keys name. */
  private takeNamedExtra(to = this.further): void {
    const extra = this.values.get('extra_special_tokens');
    if (extra === undefined || !isObject(extra.value)) return;
    this.values.delete('extra_special_tokens');
    for (const [name, value] of Object.entries(extra.value)) to.set(name, { value, file: extra.file });
  }

  /** Objects are tokens there, whether they say so or not, and special. */
  private takeMap({ json, file }: NamedJson): void {
    for (const [key, value] of Object.entries(json)) {
      if (this.files.overrides?.some(({ json }) => json[key])) continue;
      const old = this.value('extra_special_tokens');
      if (key === 'extra_special_tokens' && Array.isArray(value)) {
        const said = value.findIndex(token => isObject(token) && 'special' in token);
        if (said >= 0) throw noToken(`extra_special_tokens[${said}].special`, file);
        const more = value.map(token => (isObject(token) ? { ...token, __type: 'AddedToken', special: true } : token));
        this.values.set(key, { value: [...(Array.isArray(old) ? old : []), ...more], file });
      } else if (isObject(value) && key !== 'extra_special_tokens') {
        this.values.set(key, { value: { ...value, __type: 'AddedToken', special: true }, file });
      } else this.values.set(key, { value, file });
    }
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  value(key: string): Json | undefined {
    return this.values.get(key)?.value;
  }

  /** Null does not stand for the default, as elsewhere: Python fails. */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.values.get(key)?.value ?? (this.has(key) ? null : fallback);
    if (typeof value === 'boolean') return value;
    throw this.refuse(key, 'true or false');
  }

  /** @param direction - in tokenizer.json, where no argument says */
  side(key: 'truncation_side' | 'padding_side', direction: Json | undefined): 'left' | 'right' {
    const stated = this.values.get(key);
    if (stated === undefined && direction !== undefined) {
      if (direction === 'Left' || direction === 'Right') return direction === 'Left' ? 'left' : 'right';
      const file = this.files.tokenizerJson?.file;
      const where = key === 'truncation_side' ? 'truncation.direction' : 'padding.direction';
      throw new GlassbertError('E_CONFIG', `${quote(where)} has an unknown value`, {
        file,
        expected: '"Left" or "Right"',
      });
    }
    const value = stated === undefined ? 'right' : stated.value;
    if (value === 'left' || value === 'right') return value;
    throw this.refuse(key, '"left" or "right"');
  }

  /** What the model is fed: input_ids, token_type_ids, attention_mask; undefined where no file says. */
  inputNames(): readonly string[] | undefined {
    if (!this.has('model_input_names')) return undefined;
    const names = this.values.get('model_input_names')?.value;
    if (Array.isArray(names) && names.every(name => typeof name === 'string')) return names;
    throw this.refuse('model_input_names', 'an array of names');
  }

  /** True, false, or null as `lowercase` says. */
  stripAccents(): boolean | null {
    return (this.value('strip_accents') ?? null) === null ? null : this.boolean('strip_accents', false);
  }

  /**
   * The special tokens by their names, the others in the order in which Python adds them.
   *
   * @param padToken - `padding.pad_token` of tokenizer.json, the name where no other is known
   */
  tokens({ specials, maskStrips = false }: TokenizerClass, padToken: Json | undefined): TokenArguments {
    const decoder = this.decoder();
    const listed = new Map(decoder.map(({ token }) => [token.content, token]));
    const named: NamedToken[] = [];
    for (const name of SPECIAL_NAMES) {
      const fallback = specials[name] ?? (name === 'pad_token' && typeof padToken === 'string' ? padToken : null);
      const stated = this.values.get(name);
      const token = stated === undefined ? fromString(fallback) : this.token(name, stated.value, stated.file);
      if (token === null) continue;
      const strips = name === 'mask_token' && maskStrips && typeof (stated?.value ?? fallback) === 'string';
      named.push({
        name,
        token: (stated && listed.get(token.content)) ?? (strips ? { ...token, lstrip: true } : token),
      });
    }
    const extra = this.extraTokens();
    for (const { name, token } of this.furtherTokens()) {
      const at = named.findIndex(other => other.name === name);
      if (at < 0) named.push({ name, token });
      else named[at] = { name, token };
    }
    return { decoder, named, extra };
  }

  /** Strings of tokenizer_config.json and named extra ones come last; of two with one name they count. */
  private furtherTokens(): NamedToken[] {
    const found = new Map<string, TokenFlags>();
    const take = (name: string, { value, file }: { readonly value: Json; readonly file: string }): void => {
      const token = this.token(name, value, file);
      if (token === null) throw noToken(name, file);
      found.set(name, token);
    };
    for (const [name, said] of this.first) take(name, said);
    for (const [name, said] of this.values) {
      const { value } = said;
      if (!isFurtherName(name)) continue;
      if (typeof value === 'string' || (isObject(value) && value.__type === 'AddedToken')) take(name, said);
    }
    for (const [name, said] of this.further) take(name, said);
    return [...found].map(([name, token]) => ({ name, token }));
  }

  private extraTokens(): TokenFlags[] {
    const extra = this.values.get('extra_special_tokens');
    if (extra === undefined || extra.value === null) return [];
    if (!Array.isArray(extra.value))
      throw this.refuse('extra_special_tokens', 'an array of tokens, or an object of named ones');
    checkAddedCount(extra.value.length, 'extra_special_tokens', extra.file);
    return extra.value.map((value: Json, n) => {
      const token = this.token(`extra_special_tokens[${n}]`, value, extra.file);
      if (token !== null) return token;
      throw this.refuse('extra_special_tokens', 'an array of tokens');
    });
  }

  /** `added_tokens_decoder`, or else what the older files list, in the order of the ids. */
  private decoder(): readonly ListedToken[] {
    const tokens = new Map<number, ListedToken>();
    const stated = this.values.get('added_tokens_decoder');
    if (stated !== undefined) {
      const decoder = fields(stated.value, stated.file, 'added_tokens_decoder');
      checkAddedCount(decoder.keys.length, 'added_tokens_decoder', stated.file);
      for (const key of decoder.keys) {
        const id = Number(key);
        if (!/^\d+$/.test(key)) throw this.refuse('added_tokens_decoder', 'ids as keys');
        tokens.set(id, { id, file: stated.file, token: readToken(decoder.object(key), `added_tokens_decoder.${key}`) });
      }
      return inOrder(tokens);
    }
    const { addedTokens, tokenizerJson } = this.files;
    if (addedTokens !== undefined) {
      const { json, file } = addedTokens;
      const special = new Set([...this.specialStrings()]);
      checkAddedCount(Object.keys(json).length, 'added_tokens.json', file);
      const ids = fields(json, file);
      for (const content of Object.keys(json)) {
        const id = ids.integer(content, { min: 0, max: Number.MAX_SAFE_INTEGER });
        const token = fromString(checkAddedToken(content, content, file)) as TokenFlags;
        const isSpecial = special.has(content);
        tokens.set(id, { id, file, token: { ...token, special: isSpecial, normalized: !isSpecial } });
      }
    }
    if (tokenizerJson !== undefined) {
      const { json, file } = tokenizerJson;
      for (const { id, token } of readAddedTokens(json.added_tokens ?? [], file)) tokens.set(id, { id, file, token });
    }
    return inOrder(tokens);
  }

  /** What added_tokens.json may list as special: the names that are stated, and the list of extra ones. */
  private specialStrings(): string[] {
    const extra = this.values.get('extra_special_tokens')?.value;
    const values = [...SPECIAL_NAMES.map(name => this.values.get(name)?.value), ...(Array.isArray(extra) ? extra : [])];
    return values.flatMap(value => contentOf(value) ?? []);
  }

  /** @throws E_CONFIG for what is neither text nor a token, which Python cannot load either */
  private token(where: string, value: Json, file: string): TokenFlags | null {
    if (value === null) return null;
    if (typeof value === 'string') return fromString(checkAddedToken(value, where, file));
    if (isObject(value) && value.__type === 'AddedToken') return readToken(fields(value, file, where), where);
    throw noToken(where, file);
  }

  private refuse(key: string, expected: string): GlassbertError {
    const { value, file } = this.values.get(key) ?? { value: null, file: this.files.config.file };
    const found = typeof value === 'string' ? quote(value) : value === null ? 'null' : typeof value;
    return new GlassbertError('E_CONFIG', `${quote(key)} has a wrong value`, { file, expected, found });
  }
}

/** A token with the id that its file states. */
export interface ListedToken {
  readonly id: number;
  readonly file: string;
  readonly token: TokenFlags;
}

export interface NamedToken {
  readonly name: string;
  readonly token: TokenFlags;
}

export interface TokenArguments {
  /** The added tokens that a file lists, by their ids. */
  readonly decoder: readonly ListedToken[];
  readonly named: readonly NamedToken[];
  readonly extra: readonly TokenFlags[];
}

/** A special token is written as a string, or as an object with its `content`. */
export function contentOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  const content = isObject(value ?? null) ? (value as JsonObject).content : undefined;
  return typeof content === 'string' ? content : undefined;
}

function fromString(content: string | null): TokenFlags | null {
  if (content === null) return null;
  return { content, singleWord: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

function isFurtherName(key: string): boolean {
  return key.endsWith('_token') && !(SPECIAL_NAMES as readonly string[]).includes(key);
}

function noToken(where: string, file: string): GlassbertError {
  return new GlassbertError('E_CONFIG', `${quote(where)} is no token`, {
    file,
    expected: 'a string, or an object with "__type": "AddedToken"',
    hint: 'transformers 5 cannot load it either: write the token as a string.',
  });
}

function inOrder(tokens: ReadonlyMap<number, ListedToken>): readonly ListedToken[] {
  return [...tokens.values()].sort((a, b) => a.id - b.id);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);
}
