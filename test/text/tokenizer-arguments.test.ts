/** What counts where files say different things, down to the order: _from_pretrained and __init__ of transformers 5.18.0. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/io/json.ts';
import { createTokenizer, type EncodeOptions, type Tokenizer, type TokenizerParts } from '../../src/text/tokenizer.ts';
import { chooseClass } from '../../src/text/tokenizer-classes.ts';
import { refusal } from '../support/refusal.ts';
import { bertTokenizerJson } from '../support/tokenizer-json.ts';

const TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', 'new', '##s', '<', 'x', '>'];

const json = (changes: JsonObject = {}): JsonObject => ({ ...bertTokenizerJson(TOKENS), ...changes });
const bert = (tokenizerConfig: JsonObject = {}, parts: Partial<TokenizerParts> = {}): Tokenizer =>
  createTokenizer({ tokenizerJson: json(), tokenizerConfig, modelType: 'bert', maxLength: 64, ...parts });
const generic = (tokenizerConfig: JsonObject = {}, changes: JsonObject = {}): Tokenizer =>
  createTokenizer({ tokenizerJson: json(changes), tokenizerConfig, maxLength: 64 });
const ids = (tokenizer: Tokenizer, text: string, options?: EncodeOptions): number[] => [
  ...tokenizer.encode(text, options).ids,
];

describe('the class', () => {
  const choose = (named?: string, modelType?: string, namedByModel?: string, hasCode = false): string =>
    chooseClass({ named, modelType, namedByModel, hasCode }, { config: 'tokenizer_config.json', model: 'config.json' })
      .name;

  it.each<[string, Parameters<typeof choose>, string]>([
    ['of the model type, where none is named', [undefined, 'electra'], 'BertTokenizer'],
    ['none of a type that has none', [undefined, 'llama'], 'TokenizersBackend'],
    ['the named one, without Fast', ['MPNetTokenizerFast', 'mpnet'], 'MPNetTokenizer'],
    ['the named one against the type', ['XLMRobertaTokenizer', 'bert'], 'XLMRobertaTokenizer'],
    ['an alias', ['LayoutLMTokenizerFast', 'layoutlm'], 'BertTokenizer'],
    ['an alias of another', ['MvpTokenizer', 'bart'], 'RobertaTokenizer'],
    [
      'the generic one, whatever is named, of a type that says so',
      ['BertTokenizer', 'modernbert'],
      'TokenizersBackend',
    ],
    ['unless the tokenizer has code', ['BertTokenizer', 'modernbert', undefined, true], 'BertTokenizer'],
    ['that of a type whose names are not trusted', ['PreTrainedTokenizerFast', 'qwen2'], 'Qwen2Tokenizer'],
    ['though not of its neighbour', ['PreTrainedTokenizerFast', 'qwen3'], 'TokenizersBackend'],
    ['the generic one of an unknown name', ['NomicBertTokenizer', 'nomic_bert'], 'TokenizersBackend'],
    ['the generic one of an unknown name and type', ['constructor', '__proto__'], 'TokenizersBackend'],
    ['the one of config.json', [undefined, 'foo', 'DistilBertTokenizer'], 'DistilBertTokenizer'],
    ['that one before an empty name, where the type has a class', ['', 'bert', 'MPNetTokenizer'], 'MPNetTokenizer'],
    ['the generic one of an empty name', ['', 'bert'], 'TokenizersBackend'],
    ['and of one of config.json', [undefined, 'bert', ''], 'TokenizersBackend'],
    ['unless the type has no class', [undefined, 'foo', ''], 'TokenizersBackend'],
    ['that of the type, where the name is empty and not trusted', [undefined, 'qwen2', ''], 'Qwen2Tokenizer'],
    ['one with Fast that is another', ['DPRContextEncoderTokenizerFast', 'bert'], 'DPRContextEncoderTokenizerFast'],
    ['the same where the type has no class', ['DPRContextEncoderTokenizerFast', 'foo'], 'DPRContextEncoderTokenizer'],
    ['one of few', ['RoFormerTokenizerFast', 'roformer'], 'RoFormerTokenizer'],
    ['a rare one by its type', [undefined, 'layoutlmv2'], 'LayoutLMv2Tokenizer'],
    ['the generic one of a type without configuration', [undefined, 'nezha'], 'TokenizersBackend'],
    ['which has a class beside a name', ['PreTrainedTokenizerFast', 'nezha'], 'TokenizersBackend'],
    ['the named one beside it', ['MPNetTokenizer', 'nezha'], 'MPNetTokenizer'],
    ['the known type beside code', [undefined, 'bert', undefined, true], 'BertTokenizer'],
    ['tokenizer_config.json before config.json', ['BertTokenizer', 'foo', 'MPNetTokenizer'], 'BertTokenizer'],
    ['the generic one where nothing is said', [], 'TokenizersBackend'],
  ])('%s', (_, evidence, expected) => {
    expect(choose(...evidence)).toBe(expected);
  });

  it('is refused where Python fails', async () => {
    await refusal('E_TOKENIZER', () => choose(undefined, 'foo', 'FooTokenizer'));
    await refusal('E_TOKENIZER', () => choose(undefined, 'foo', 'PreTrainedTokenizer'));
    await refusal('E_TOKENIZER', () => choose('FooTokenizer', 'foo', undefined, true));
    await refusal('E_TOKENIZER', () => choose('FooTokenizer', 'llama', undefined, true));
    await refusal('E_TOKENIZER', () => choose(undefined, 'nezha', 'BertTokenizer', true));
    const { file, message } = await refusal('E_TOKENIZER', () => bert({ tokenizer_class: 'AlbertTokenizer' }));
    expect(file).toBe('tokenizer_config.json');
    expect(message).toContain('"tokenizer_class" makes Python tokenize by the class AlbertTokenizer');
    const byType = await refusal('E_TOKENIZER', () => bert({}, { modelType: 'roformer' }));
    expect(byType.file).toBe('config.json');
    expect(byType.message).toContain('"model_type" makes Python tokenize by the class RoFormerTokenizer');
  });

  it('of Funnel begins with a token of type 2', () => {
    const names = { cls_token: '[CLS]', sep_token: '[SEP]', unk_token: '[UNK]', bos_token: null, eos_token: null };
    const funnel = bert({ ...names, pad_token: '[PAD]', mask_token: '[MASK]', tokenizer_class: 'FunnelTokenizer' });
    const { ids, typeIds } = funnel.encode('a', { pair: 'b' });
    expect([[...ids], [...typeIds]]).toEqual([
      [2, 5, 3, 6, 3],
      [2, 0, 0, 1, 1],
    ]);
    expect(funnel.typeIdCount).toEqual({ single: 3, pair: 3 });
  });
});

describe('special tokens', () => {
  const object = (content: string, flags: JsonObject = {}): JsonObject => ({ __type: 'AddedToken', content, ...flags });

  it('are added in the order of their names, then further ones, then the list', () => {
    const tokenizer = bert({
      extra_special_tokens: ['<e>'],
      my_token: '<m>',
      a_token: object('<a>'),
      mask_token: '<k>',
      bos_token: '<s>',
    });
    expect(['<s>', '<k>', '<a>', '<m>', '<e>'].map(token => tokenizer.idOf(token))).toEqual([12, 13, 14, 15, 16]);
    expect(tokenizer.vocabSize).toBe(17);
  });

  it('take their flags from the list of added tokens, else from the object', () => {
    const listed = { added_tokens_decoder: { 4: { content: '[MASK]', special: true, rstrip: true } } };
    const strips = (tokenizer: Tokenizer) => tokenizer.encode('[MASK] x').tokens.length;
    expect(bert({ ...listed, mask_token: object('[MASK]', { rstrip: false }) }).encode('a').tokens).toHaveLength(3);
    // What is stripped shows where another token begins with the blank.
    const blank = { additional_special_tokens: [' x'] };
    expect(strips(bert({ ...blank, ...listed }))).toBe(4);
    expect(ids(bert(blank), '[MASK] x')).toEqual([2, 4, 12, 3]);
  });

  it('of config and special_tokens_map.json: an empty list in the config is one there', () => {
    const map = { specialTokensMap: { additional_special_tokens: ['<x>'] } };
    expect(ids(bert({}, map), '<x>')).toEqual([2, 12, 3]);
    expect(ids(bert({ extra_special_tokens: [] }, map), '<x>')).toEqual([2, 9, 10, 11, 3]);
    expect(ids(bert({ extra_special_tokens: [], additional_special_tokens: ['<x>'] }), '<x>')).toEqual([2, 12, 3]);
    expect(ids(bert({ extra_special_tokens: ['<y>'], additional_special_tokens: ['<x>'] }), '<x>')).toEqual([
      2, 9, 10, 11, 3,
    ]);
  });

  it('of special_tokens_map.json overrule the config, unless the decoder is there', () => {
    const map = { specialTokensMap: { cls_token: { content: '[MASK]', lstrip: false }, sep_token: '[SEP]' } };
    expect(ids(bert({ cls_token: '[CLS]' }, map), 'a')).toEqual([4, 5, 3]);
    const decoder = Object.fromEntries(TOKENS.slice(0, 5).map((content, id) => [id, { content, special: true }]));
    expect(ids(bert({ cls_token: '[CLS]', added_tokens_decoder: decoder }, map), 'a')).toEqual([2, 5, 3]);
  });

  it('that are added again have their new flags, whatever the file says', () => {
    const ordinary = {
      added_tokens: [...(json().added_tokens as Json[]), { id: 7, content: 'new', normalized: true }],
    };
    const decoder = { 7: { content: 'new', special: true, normalized: false } };
    const again = generic({ added_tokens_decoder: decoder }, ordinary);
    expect(ids(again, 'news NEWs')).toEqual([2, 7, 1, 7, 8, 3]);
    expect(ids(bert({ added_tokens_decoder: decoder }, { tokenizerJson: json(ordinary) }), 'news NEWs')).toEqual([
      2, 7, 1, 7, 8, 3,
    ]);
  });

  it('of other names stand once, and additional ones that are named come first', () => {
    const order = (config: JsonObject): string =>
      ['<a>', '<b>', '<c>', '<d>'].map(content => generic(config).idOf(content) ?? '-').join(' ');
    const named = { extra_special_tokens: { x_token: '<a>', y: '<b>' } };
    expect(order({ ...named, x_token: '<c>' })).toBe('12 13 - -');
    expect(order({ ...named, x_token: { __type: 'AddedToken', content: '<c>' } })).toBe('12 13 - -');
    expect(order({ ...named, z_token: { __type: 'AddedToken', content: '<c>' } })).toBe('13 14 12 -');
    expect(order({ ...named, additional_special_tokens: ['<c>', '<d>'] })).toBe('12 13 14 15');
    expect(order({ ...named, additional_special_tokens: { z: '<c>', zz: '<d>' } })).toBe('14 15 12 13');
  });

  it('that a name makes special are not normalized, unless they say so', () => {
    const find = (flags: JsonObject) =>
      ids(
        generic({ mask_token: 'NEW', added_tokens_decoder: { 12: { content: 'NEW', special: false, ...flags } } }),
        'NEW new',
      );
    expect(find({})).toEqual([2, 12, 7, 3]);
    expect(find({ normalized: true })).toEqual([2, 12, 12, 3]);
  });

  it('that normalization makes one are told of, as Python takes any of them', () => {
    const alike = generic({ added_tokens_decoder: { 12: { content: '<New>' }, 13: { content: '<NEW>' } } });
    expect(alike.notes.join()).toContain('"<New>" and "<NEW>"');
    expect(ids(alike, '<new>')).toEqual([2, alike.idOf('<NEW>'), 3]);
  });

  it('of special_tokens_map.json that say twice that they are special are refused, as in Python', async () => {
    const make = (token: JsonObject) =>
      bert({}, { specialTokensMap: { extra_special_tokens: [{ content: '<a>', ...token }] } });
    expect(make({ lstrip: true }).idOf('<a>')).toBe(12);
    const { file, message } = await refusal('E_CONFIG', () => make({ special: true }));
    expect(file).toBe('special_tokens_map.json');
    expect(message).toContain('"extra_special_tokens[0].special"');
  });

  it('of the padding in tokenizer.json are named, where no file names one', () => {
    const padding = { direction: 'Right', pad_token: '<pad>' };
    expect(generic({}, { padding }).idOf('<pad>')).toBe(12);
    expect(generic({ pad_token: '[PAD]' }, { padding }).idOf('<pad>')).toBeUndefined();
    expect(bert({}, { tokenizerJson: json({ padding }) }).idOf('<pad>')).toBeUndefined();
  });

  it('are those that the files or the class name, not all that are marked so', () => {
    expect([2, 3, 5].map(id => bert().isSpecial(id))).toEqual([true, true, false]);
    expect([2, 3].map(id => generic().isSpecial(id))).toEqual([false, false]);
    expect([2, 3].map(id => generic({ sep_token: '[SEP]' }).isSpecial(id))).toEqual([false, true]);
  });

  it('for which the embedding table has no row are refused in a text, or at once where they stand in every text', async () => {
    const { '[MASK]': _, ...vocab } = Object.fromEntries(TOKENS.map((token, id) => [token, id]));
    const lacking = json({ added_tokens: [], model: { type: 'WordPiece', vocab } });
    const tokenizer = bert({}, { tokenizerJson: lacking, rows: 12 });
    expect([tokenizer.neededRows, tokenizer.vocabSize]).toEqual([12, 12]);
    const { '[PAD]': __, ...fewer } = vocab;
    const twoLess = json({ added_tokens: [], model: { type: 'WordPiece', vocab: { ...fewer, y: 4, z: 0 } } });
    const both = bert({}, { tokenizerJson: twoLess, rows: 12 });
    expect([both.neededRows, both.vocabSize]).toEqual([12, 14]);
    expect(ids(both, 'a')).toEqual([2, 5, 3]);
    const { message } = await refusal('E_TOKENIZER', () => both.encode('a [MASK]'));
    expect(message).toContain('"[MASK]"');
    const listed = { added_tokens_decoder: { 12: { content: '<new>' } } };
    await refusal('E_TOKENIZER', () => bert(listed, { rows: 12 }));
    await refusal('E_TOKENIZER', () => bert({ cls_token: '<cls>' }, { rows: 12 }));
  });
});

describe('encode', () => {
  it.each<[string, unknown]>([
    ['null for options', null],
    ['a string for options', 'b'],
    ['an unknown option', { pairs: 'b' }],
    ['a pair that is no string', { pair: 5 }],
    ['a pair that is null', { pair: null }],
    ['truncate that is no boolean', { truncate: 'no' }],
    ['a maximum that is no number', { maxLength: '5' }],
    ['a maximum that is a symbol', { maxLength: Symbol('x') }],
    ['a maximum that is no integer', { maxLength: 2.5 }],
  ])('refuses %s', async (_, options) => {
    await refusal('E_ARGUMENT', () => bert().encode('a', options as EncodeOptions));
  });

  it('takes options that are undefined', () => {
    const { pair, truncate, maxLength }: Record<string, undefined> = {};
    expect(ids(bert(), 'a', { pair, truncate, maxLength } as unknown as EncodeOptions)).toEqual([2, 5, 3]);
  });
});

describe('a pair that is too long', () => {
  const left = { truncation_side: 'left' };
  const kept = (a: string, b: string, config: JsonObject = {}) => {
    const { ids } = bert(config).encode(a, { pair: b, maxLength: 10 });
    const end = ids.indexOf(3);
    return [end - 1, ids.length - end - 2];
  };

  it('is read up to the word with which there are enough, which may make a text the longer one', () => {
    // 'news' has two tokens: nine and a word more are eleven.
    expect(kept('a '.repeat(9) + 'news '.repeat(2), 'b '.repeat(20))).toEqual([4, 3]);
    expect(kept('a '.repeat(10) + 'news '.repeat(2), 'b '.repeat(20))).toEqual([3, 4]);
    expect(kept(`${'news '.repeat(2)}${'a '.repeat(9)}`, 'b '.repeat(20), left)).toEqual([4, 3]);
    expect(kept(`${'news '.repeat(2)}${'a '.repeat(9)}`, 'b '.repeat(20))).toEqual([3, 4]);
    expect(kept(`${'a '.repeat(3)}news ${'a '.repeat(9)}`, 'b '.repeat(20), left)).toEqual([4, 3]);
  });

  it('is not cut behind an added token, only behind a word', () => {
    expect(kept('[MASK] '.repeat(12), 'b '.repeat(20))).toEqual([4, 3]);
    expect(kept('[MASK] '.repeat(12), 'b '.repeat(20), left)).toEqual([4, 3]);
    expect(kept(`${'[MASK] '.repeat(9)}a a a`, 'b '.repeat(20))).toEqual([3, 4]);
  });
});

describe('what fuzzing has found', () => {
  const template = (id: number): JsonObject => ({
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [id], tokens: ['[CLS]'] } },
  });

  it('an id of the template beyond every table is refused', async () => {
    expect(ids(generic({}, { post_processor: template(2) }), 'a')).toEqual([2, 5]);
    for (const post_processor of [
      template(2 ** 40),
      { type: 'BertProcessing', cls: ['[CLS]', 4e9], sep: ['[SEP]', 3] },
    ]) {
      const { message } = await refusal('E_TOKENIZER', () => generic({}, { post_processor }));
      expect(message).toContain('post_processor');
    }
  });

  it('a value that is not read and has another type is told of without being shown', () => {
    const evil: JsonObject = { deep: { toString: 'not a function' } };
    const normalizer = { ...(json().normalizer as JsonObject), clean_text: evil };
    const { notes } = bert({}, { tokenizerJson: json({ normalizer }) });
    expect(notes.join()).toContain('"normalizer.clean_text": an object');
    const model = { ...(json().model as JsonObject), continuing_subword_prefix: evil };
    expect(bert({}, { tokenizerJson: json({ model }) }).notes.join()).toContain(
      '"model.continuing_subword_prefix": an object',
    );
  });
});
