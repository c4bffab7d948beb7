import { describe, expect, it } from 'vitest';
import { GlassbertError } from '../../src/errors.ts';
import type { Json, JsonObject } from '../../src/io/json.ts';
import { createTokenizer, type Encoding, type Tokenizer, type TokenizerParts } from '../../src/text/tokenizer.ts';
import { bertTokenizerJson } from '../support/tokenizer-json.ts';
import { RANDOM, tokenizerOf, WORDPIECE } from './corpora.ts';

/** The class that makes its own pipeline over the vocabulary; without a class the file is kept. */
const BERT = { tokenizerConfig: { tokenizer_class: 'BertTokenizer' } };

const TOKENS = '[PAD] [UNK] [CLS] [SEP] [MASK] want ##want ##ed wa un runn ##ing , low ##est a ##a b 北 京 i';

/** A BERT with a vocabulary small enough to follow by eye; any part may be replaced. */
function small(changes: { [key: string]: Json } = {}, parts: Partial<TokenizerParts> = {}): Tokenizer {
  return createTokenizer({ tokenizerJson: { ...smallJson(), ...changes }, maxLength: 32, ...parts });
}

const smallJson = (): { [key: string]: Json } => bertTokenizerJson(TOKENS.split(' '), { unk_token: '[UNK]' });

/** MPNet's special tokens under BERT's names. */
const NAMES = {
  bos_token: '[CLS]',
  eos_token: '[SEP]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  mask_token: '[MASK]',
};

const model = (changes: { [key: string]: Json }): JsonObject => ({
  model: { ...(smallJson().model as JsonObject), ...changes },
});
const added = (token: { [key: string]: Json }): JsonObject => ({
  added_tokens: [...(smallJson().added_tokens as Json[]), token],
});
const normalizer = (changes: { [key: string]: Json }): JsonObject => ({
  normalizer: { ...(smallJson().normalizer as JsonObject), ...changes },
});

/** Tokens as one string: easier to read, and to fail, than arrays. */
const shown = ({ tokens }: Encoding) => tokens.join(' ');
const tokens = (text: string, tokenizer = small()) => shown(tokenizer.encode(text));

const sequence = (id: string, type_id = 0) => ({ Sequence: { id, type_id } });
const template = (changes: { [key: string]: Json }) => ({
  type: 'TemplateProcessing',
  single: [sequence('A')],
  pair: [sequence('A'), sequence('B', 1)],
  special_tokens: { x: { id: 'x', ids: Array(17).fill(3), tokens: Array(17).fill('[SEP]') } },
  ...changes,
});
const separator = { SpecialToken: { id: 'x', type_id: 0 } };

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof GlassbertError ? error.code : String(error);
  }
  return 'nothing thrown';
}

describe('a text', () => {
  it('becomes the longest pieces the vocabulary has, between [CLS] and [SEP]', () => {
    const encoding = small().encode('UNwanted,running');
    expect(shown(encoding)).toBe('[CLS] un ##want ##ed , runn ##ing [SEP]');
    expect([...encoding.ids]).toEqual([2, 9, 6, 7, 12, 10, 11, 3]);
    expect([...encoding.typeIds]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(encoding.truncated).toBe(false);
  });

  it('that is empty becomes the special tokens alone', () => {
    expect(tokens('')).toBe('[CLS] [SEP]');
    expect(tokens(' \n\u200b')).toBe('[CLS] [SEP]');
  });

  it('has [UNK] for a word the vocabulary cannot spell, however long', () => {
    expect(tokens('wantx want')).toBe('[CLS] [UNK] want [SEP]');
    expect(tokens('aaaa')).toBe('[CLS] a ##a ##a ##a [SEP]');
    expect(tokens('a'.repeat(100), small({}, { maxLength: 200 }))).toHaveLength('[CLS] a [SEP]'.length + 99 * 4);
    expect(tokens('a'.repeat(101))).toBe('[CLS] [UNK] [SEP]');
    expect(tokens('a'.repeat(201))).toBe('[CLS] [UNK] [SEP]');
  });

  it('may count code points, not UTF-16 units, up to the limit of a word', () => {
    const tokenizer = small(model({ vocab: { '[UNK]': 1, '😀': 20, '##😀': 21 } }));
    const short = small(model({ max_input_chars_per_word: 2, vocab: { '[UNK]': 1, '😀': 20, '##😀': 21 } }));
    expect(tokens('😀😀', tokenizer)).toBe('[CLS] 😀 ##😀 [SEP]');
    expect(tokens('😀😀', short)).toBe('[CLS] 😀 ##😀 [SEP]');
    expect(tokens('😀😀😀', short)).toBe('[CLS] [UNK] [SEP]');
  });

  it('with half a surrogate pair is read as if the half were not there', () => {
    expect(tokens('wa\ud800nt')).toBe('[CLS] want [SEP]');
  });

  it('may hold words that are properties of every JavaScript object', () => {
    const vocab = JSON.parse('{"[UNK]": 1, "constructor": 15, "##__proto__": 16, "__proto__": 17, "valueof": 18}');
    expect(tokens('constructor valueOf toString', small(model({ vocab })))).toBe(
      '[CLS] constructor valueof [UNK] [SEP]',
    );
  });

  it('must be a string', () => {
    for (const value of [undefined, null, 5, ['a']]) {
      expect(codeOf(() => small().encode(value as unknown as string))).toBe('E_ARGUMENT');
    }
  });
});

describe('an added token', () => {
  it('is found as it is written, in whatever stands around it', () => {
    expect(tokens('a[SEP]a [MASK]b')).toBe('[CLS] a [SEP] a [MASK] b [SEP]');
    expect(tokens('[sep]')).toBe('[CLS] [UNK] [UNK] [UNK] [SEP]');
  });

  it('is the longest that stands there', () => {
    const both = small({
      added_tokens: ['<a', '<a>b', '<'].map((content, n) => ({ id: 30 + n, content, special: true })),
    });
    expect(tokens('<a>b', both)).toBe('[CLS] <a>b [SEP]');
    expect(tokens('<a>a', both)).toBe('[CLS] <a [UNK] a [SEP]');
    expect(tokens('<<a', both)).toBe('[CLS] < <a [SEP]');
    expect(both.vocabSize).toBe(24);
    expect(both.notes[0]).toBe(
      'Added tokens have other ids than the files say, as in Python: "<a" from 30 to 21, "<a>b" from 31 to 22, "<" from 32 to 23.',
    );
  });

  it('that is a single word is not found inside another', () => {
    const single = small(added({ id: 30, content: 'york', single_word: true, normalized: false }));
    expect([...single.encode('york').ids]).toEqual([2, 21, 3]);
    expect([...single.encode('(york)').ids]).toEqual([2, 1, 21, 1, 3]);
    for (const text of ['yorks', 'äyork', 'york_', 'york5']) expect([...single.encode(text).ids]).not.toContain(21);
  });

  it('takes the white space beside it where it strips', () => {
    const strip = (sides: { [key: string]: Json }) =>
      small({ ...added({ id: 30, content: '<x>', normalized: false, ...sides }), normalizer: null });
    expect(tokens('a <x> b', strip({ lstrip: true, rstrip: true }))).toBe('[CLS] a <x> b [SEP]');
    // What is stripped shows where another token begins with the blank.
    const blank = { id: 31, content: ' b', normalized: false };
    const withBlank = (rstrip: boolean) =>
      small({ added_tokens: [{ id: 30, content: '<x>', normalized: false, rstrip }, blank], normalizer: null });
    expect([...withBlank(false).encode('<x> b').ids]).toEqual([2, 21, 22, 3]);
  });

  it('is found in the white space that the one before it took, as in the reference', () => {
    const json = {
      added_tokens: [
        { id: 30, content: '<x>', rstrip: true },
        { id: 31, content: ' b' },
      ],
    };
    const special = json.added_tokens.map(token => ({ ...token, normalized: false }));
    expect([...small({ added_tokens: special, normalizer: null }).encode('<x>  b').ids]).toEqual([2, 21, 22, 3]);
  });

  it('is found in time linear in the text, be it white space or its own beginning', { timeout: 60_000 }, () => {
    const timed = (text: string, ...tokens: { [key: string]: Json }[]): number => {
      const added_tokens = tokens.map((token, n) => ({ id: 30 + n, normalized: false, ...token }));
      const tokenizer = small({ added_tokens, normalizer: null });
      const start = performance.now();
      tokenizer.encode(text, { truncate: text.startsWith('a') });
      return performance.now() - start;
    };
    const beginning = (length: number) => timed('a'.repeat(length), { content: `${'a'.repeat(127)}b` });
    const space = (length: number) =>
      timed('\t '.repeat(length / 2), { content: '\t', rstrip: true }, { content: ' ' });
    for (const time of [beginning, space]) {
      time(1e4);
      const [short, long] = [Math.min(time(2.5e4), time(2.5e4), time(2.5e4)), Math.min(time(2e5), time(2e5))];
      expect(long / short, `${short} ms, ${long} ms`).toBeLessThan(32); // 8 times as long; a square would be 64
    }
  });

  it('that is normalized is searched in normalized text', () => {
    const normalized = small(added({ id: 30, content: 'NEW York', normalized: true }));
    expect(tokens('a néw yOrk b', normalized)).toBe('[CLS] a NEW York b [SEP]');
    const raw = small(added({ id: 30, content: 'NEW York', normalized: false }));
    expect(tokens('a NEW York', raw)).toBe('[CLS] a NEW York [SEP]');
    expect(tokens('a new york', raw)).toBe('[CLS] a [UNK] [UNK] [SEP]');
  });

  it('is no piece of a word', () => {
    const piece = small(added({ id: 30, content: '##x', normalized: false }));
    expect(tokens('ax', piece)).toBe('[CLS] [UNK] [SEP]');
  });
});

describe('a text that is too long', () => {
  it('loses its last tokens and keeps the closing [SEP]', () => {
    const encoding = small().encode('a a a a a a', { maxLength: 5 });
    expect(shown(encoding)).toBe('[CLS] a a a [SEP]');
    expect(encoding.truncated).toBe(true);
    expect(small().encode('a a a', { maxLength: 5 }).truncated).toBe(false);
    expect(small().encode('a '.repeat(100)).ids.length).toBe(32);
    expect(small().encode('a '.repeat(100), { truncate: false }).ids.length).toBe(102);
  });

  it('may become the special tokens alone, and nothing less', () => {
    expect(shown(small().encode('a', { maxLength: 2 }))).toBe('[CLS] [SEP]');
    for (const maxLength of [1, 0, -1, 2.5, Number.NaN]) {
      expect(codeOf(() => small().encode('a', { maxLength }))).toBe('E_ARGUMENT');
      expect(codeOf(() => small({}, { maxLength }))).toBe('E_CONFIG');
    }
    expect(codeOf(() => small().encode('a', { pair: 'b', maxLength: 2 }))).toBe('E_ARGUMENT');
  });

  it('is not read to its end', { timeout: 30_000 }, () => {
    const tokenizer = tokenizerOf('bert-mean-normalize', { maxLength: 256 });
    const megabytes = (text: string) => text.repeat(10_000_000 / new TextEncoder().encode(text).length);
    const lengths = Object.entries({
      'the quick fox ': 256,
      a: 3,
      北京: 256,
      '😀': 3,
      ' ': 2,
      '\u0301': 2,
      '\u0301\u0323': 2,
      '\u200b': 2,
      '[': 256,
      '[CLS]': 256,
    });
    for (const [text, length] of lengths) {
      const long = megabytes(text);
      const start = performance.now();
      expect(tokenizer.encode(long).ids.length).toBe(length);
      expect(performance.now() - start).toBeLessThan(10_000); // measured: 0.01 to 0.4 s
    }
  });
});

describe('a pair', () => {
  it('of which both texts are long gives the odd token to the longer one, if that shows within the maximum length', () => {
    for (const [a, b, kept] of [
      [20_001, 20_000, [3, 4]],
      [20_000, 20_001, [3, 4]],
      [20_000, 9, [4, 3]],
      [11, 9, [4, 3]],
      [11, 10, [3, 4]],
      [9, 8, [4, 3]],
    ] as const) {
      const { tokens } = small().encode('a '.repeat(a), { pair: 'b '.repeat(b), maxLength: 10 });
      expect([tokens.filter(token => token === 'a').length, tokens.filter(token => token === 'b').length]).toEqual(
        kept,
      );
    }
  });

  it('of ten megabytes each takes seconds', { timeout: 60_000 }, () => {
    const tokenizer = tokenizerOf('bert-mean-normalize', { maxLength: 128 });
    const long = '['.repeat(1e7);
    const start = performance.now();
    expect(tokenizer.encode(long, { pair: long }).ids.length).toBe(128);
    expect(performance.now() - start).toBeLessThan(20_000); // measured: 4 s
  });

  it('is refused where the template has none', () => {
    for (const pair of [[], null]) {
      const tokenizer = small({ post_processor: template({ pair }) });
      expect(tokens('a', tokenizer)).toBe('a');
      expect(codeOf(() => tokenizer.encode('a', { pair: 'b' }))).toBe('E_ARGUMENT');
      expect(tokenizer.typeIdCount).toEqual({ single: 1, pair: 1 });
    }
  });

  it('is two texts between special tokens, and the second is of type 1', () => {
    const encoding = small({}, BERT).encode('a', { pair: 'b b' });
    expect(shown(encoding)).toBe('[CLS] a [SEP] b b [SEP]');
    expect([...encoding.typeIds]).toEqual([0, 0, 0, 1, 1, 1]);
    expect(shown(small().encode('', { pair: '' }))).toBe('[CLS] [SEP] [SEP]');
  });

  it('loses tokens of the longer text until both are of one length', () => {
    const lengths = (a: number, b: number, room: number) => {
      const { tokens } = small().encode('a '.repeat(a), { pair: 'b '.repeat(b), maxLength: room + 3 });
      return [tokens.filter(token => token === 'a').length, tokens.filter(token => token === 'b').length];
    };
    expect(lengths(2, 9, 6)).toEqual([2, 4]);
    expect(lengths(9, 2, 6)).toEqual([4, 2]);
    expect(lengths(9, 9, 6)).toEqual([3, 3]);
    expect(lengths(9, 9, 7)).toEqual([3, 4]);
    expect(lengths(9, 8, 7)).toEqual([4, 3]);
    expect(lengths(3, 3, 6)).toEqual([3, 3]);
    expect(lengths(9, 9, 0)).toEqual([0, 0]);
  });

  it('of a RobertaProcessing has two separators between, and type 0 throughout', () => {
    const roberta = small({ post_processor: { type: 'RobertaProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] } });
    const encoding = roberta.encode('a', { pair: 'b' });
    expect(shown(encoding)).toBe('[CLS] a [SEP] [SEP] b [SEP]');
    expect(new Set(encoding.typeIds)).toEqual(new Set([0]));
  });

  it('follows a template', () => {
    const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
    const template = {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, special('[SEP]', 0)],
      pair: [{ Sequence: { id: 'B', type_id: 1 } }, special('[SEP]', 1), { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
    };
    const tokenizer = small({ post_processor: { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] } });
    expect(tokens('a', tokenizer)).toBe('a [SEP]');
    expect(shown(tokenizer.encode('a', { pair: 'b' }))).toBe('b [SEP] a');
  });
});

describe('the files decide', () => {
  it('how many token types there are', () => {
    expect(small({}, BERT).typeIdCount).toEqual({ single: 1, pair: 2 });
    const typed = { tokenizerConfig: { model_input_names: ['input_ids', 'token_type_ids'] } };
    expect(small({ post_processor: template({ single: [sequence('A', 1)] }) }, typed).typeIdCount.single).toBe(2);
    // The class that keeps the file gives the model none, and MPNet's neither.
    expect(small().typeIdCount).toEqual({ single: 1, pair: 1 });
    expect(small({}, { modelType: 'mpnet', tokenizerConfig: NAMES }).typeIdCount).toEqual({ single: 1, pair: 1 });
  });

  it('that the end of a long text is kept', () => {
    const left = small({}, { tokenizerConfig: { truncation_side: 'left' } });
    expect(shown(left.encode('a a a low b', { maxLength: 4 }))).toBe('[CLS] low b [SEP]');
    expect(shown(left.encode('a '.repeat(9999).concat('low b'), { maxLength: 4 }))).toBe('[CLS] low b [SEP]');
    expect(shown(left.encode('a b', { maxLength: 2 }))).toBe('[CLS] [SEP]');
    expect(shown(left.encode('a low', { pair: 'a a b', maxLength: 6 }))).toBe('[CLS] low [SEP] a b [SEP]');
    expect(left.notes).toHaveLength(1);
  });

  it('that the model has no token types', () => {
    const untyped = small({}, { tokenizerConfig: { model_input_names: ['input_ids', 'attention_mask'] } });
    expect([...untyped.encode('a', { pair: 'b' }).typeIds]).toEqual([0, 0, 0, 0, 0]);
    expect(untyped.typeIdCount).toEqual({ single: 1, pair: 1 });
  });

  it('added_tokens.json adds to vocab.txt', () => {
    const vocab = TOKENS.split(' ').join('\n');
    const tokenizer = createTokenizer({ vocab, addedTokens: { '<new>': 21, '[SEP]': 3 }, maxLength: 8, ...BERT });
    expect([...tokenizer.encode('a<new>b').ids]).toEqual([2, 15, 21, 17, 3]);
    expect(tokenizer.vocabSize).toBe(22);
  });

  it('the class, and the notes say what of tokenizer.json it does not read', () => {
    const config = { do_lower_case: false };
    const bert = small({}, { tokenizerConfig: { ...config, tokenizer_class: 'BertTokenizer' } });
    expect(tokens('A', bert)).toBe('[CLS] [UNK] [SEP]');
    expect(bert.class).toBe('BertTokenizer');
    expect(bert.notes).toEqual([
      'tokenizer.json is not read where the class BertTokenizer of transformers 5 makes its own: "normalizer.lowercase": true.',
    ]);
    const byType = small({}, { modelType: 'bert', tokenizerConfig: config });
    expect([byType.class, tokens('A', byType)]).toEqual(['BertTokenizer', '[CLS] [UNK] [SEP]']);
    const other = small({}, { tokenizerConfig: { ...config, tokenizer_class: 'TokenizersBackend' } });
    expect(tokens('A', other)).toBe('[CLS] a [SEP]');
    expect(other.notes).toEqual([
      'The class TokenizersBackend keeps the normalizer of tokenizer.json and does not read "do_lower_case": false.',
    ]);
  });

  it('do_lower_case of sentence_bert_config.json over a cased tokenizer', () => {
    const cased = normalizer({ lowercase: false });
    expect(tokens('LOWest', small(cased))).toBe('[CLS] [UNK] [SEP]');
    expect(tokens('LOWest', small(cased, { doLowerCase: true }))).toBe('[CLS] low ##est [SEP]');
  });

  it('a Lowercase before the BertNormalizer is the same as do_lower_case', () => {
    const sequence = {
      type: 'Sequence',
      normalizers: [{ type: 'Lowercase' }, normalizer({ lowercase: false }).normalizer ?? null],
    };
    expect(tokens('LOWest', small({ normalizer: sequence }))).toBe('[CLS] low ##est [SEP]');
  });

  it('vocab.txt alone is BERT with its defaults, where a file says that it is a BERT', () => {
    const vocab = `${TOKENS.split(' ').join('\r\n')}\r\n`;
    const tokenizer = createTokenizer({ vocab, maxLength: 32, modelType: 'bert' });
    expect([...tokenizer.encode('UNwanted,running[MASK]').ids]).toEqual([2, 9, 6, 7, 12, 10, 11, 4, 3]);
    expect(tokenizer.vocabSize).toBe(21);
    expect(tokenizer.notes).toHaveLength(1);
    const cased = createTokenizer({
      vocab,
      tokenizerConfig: { do_lower_case: false },
      maxLength: 32,
      modelType: 'bert',
    });
    expect(tokens('A', cased)).toBe('[CLS] [UNK] [SEP]');
    expect(codeOf(() => createTokenizer({ vocab, maxLength: 32 }))).toBe('E_TOKENIZER');
  });

  it('that special tokens which vocab.txt lacks are added behind it, where the table has rows', () => {
    const create = (tokenizerConfig: JsonObject, rows?: number) =>
      createTokenizer({
        vocab: '<p>\n<u>\n<c>\n<s>\n[MASK]\na',
        tokenizerConfig,
        maxLength: 8,
        modelType: 'bert',
        ...(rows === undefined ? {} : { rows }),
      });
    expect(codeOf(() => create({}))).toBe('E_TOKENIZER'); // no [UNK], without which a word may have no id
    expect([...create({ unk_token: '<u>' }).encode('a b').ids]).toEqual([8, 5, 1, 6]);
    expect(codeOf(() => create({ unk_token: '<u>' }, 6))).toBe('E_TOKENIZER');
    const names = { pad_token: '<p>', unk_token: '<u>', cls_token: '<c>', sep_token: '<s>' };
    expect([...create(names, 6).encode('a b').ids]).toEqual([2, 5, 1, 3]);
  });
});

describe('what is refused', () => {
  it.each<[string, JsonObject, string]>([
    ['two tokens with one id', model({ vocab: { '[UNK]': 1, a: 1 } }), 'E_TOKENIZER'],
    ['a negative id', model({ vocab: { '[UNK]': -1 } }), 'E_TOKENIZER'],
    ['an id that is no integer', model({ vocab: { '[UNK]': 1.5 } }), 'E_TOKENIZER'],
    ['an id of billions', model({ vocab: { '[UNK]': 4e9 } }), 'E_TOKENIZER'],
    ['an empty vocabulary', { ...model({ vocab: {} }), added_tokens: [] }, 'E_TOKENIZER'],
    ['a token of a megabyte', model({ vocab: { '[UNK]': 1, ['a'.repeat(1e6)]: 9 } }), 'E_TOKENIZER'],
    ['an unknown token that is not in the vocabulary', model({ unk_token: '<unk>' }), 'E_TOKENIZER'],
    ['a word limit of 0', model({ max_input_chars_per_word: 0 }), 'E_TOKENIZER'],
    ['a word limit of millions', model({ max_input_chars_per_word: 1e6 }), 'E_TOKENIZER'],
    ['an added token that stands twice', added({ id: 2, content: '[CLS]' }), 'E_TOKENIZER'],
    ['an added token without text', added({ id: 30, content: '' }), 'E_TOKENIZER'],
    [
      'too many added tokens',
      { added_tokens: Array.from({ length: 100_001 }, (_, id) => ({ id, content: `<${id}>` })) },
      'E_TOKENIZER',
    ],
    ['a post_processor nobody knows', { post_processor: { type: 'Surprise' } }, 'E_TOKENIZER'],
    ['a model nobody knows', model({ type: 'WordLevel' }), 'E_TOKENIZER'],
    ['a normalizer nobody knows', { normalizer: { type: 'Surprise' } }, 'E_TOKENIZER'],
    ['an added token of 129 characters', added({ id: 30, content: 'x'.repeat(129) }), 'E_TOKENIZER'],
    ['a template of 17 pieces', { post_processor: template({ single: Array(17).fill(sequence('A')) }) }, 'E_TOKENIZER'],
    ['a special token of 17 ids', { post_processor: template({ single: [sequence('A'), separator] }) }, 'E_TOKENIZER'],
    ['a template without the text', { post_processor: template({ single: [] }) }, 'E_TOKENIZER'],
    [
      'a template with the text twice',
      { post_processor: template({ single: [sequence('A'), sequence('A')] }) },
      'E_TOKENIZER',
    ],
    ['a pair of one text', { post_processor: template({ pair: [sequence('A')] }) }, 'E_TOKENIZER'],
    ['a model that is missing', { model: null }, 'E_CONFIG'],
    ['a vocabulary that is missing', model({ vocab: null }), 'E_CONFIG'],
  ])('%s', (_, changes, code) => {
    expect(codeOf(() => small(changes as { [key: string]: Json }))).toBe(code);
  });

  it.each<[string, { [key: string]: Json }]>([
    ['"BPE"', { model: { type: 'BPE', vocab: {}, merges: [] } }],
    ['"BPE"', { model: { vocab: {}, merges: [] } }],
    ['"Unigram"', { model: { vocab: [['a', 0]] } }],
    ['"Metaspace"', { pre_tokenizer: { type: 'Metaspace' } }],
    ['none', { pre_tokenizer: null }],
    ['"NFKC"', { normalizer: { type: 'NFKC' } }],
    [
      '"BertNormalizer", "NFC"',
      { normalizer: { type: 'Sequence', normalizers: [smallJson().normalizer as Json, { type: 'NFC' }] } },
    ],
  ])('%s, where BERT has something else', (found, changes) => {
    expect(() => small(changes)).toThrow(
      expect.objectContaining({
        code: 'E_TOKENIZER',
        found,
        hint: "Only BERT's WordPiece tokenizers are supported so far.",
      }),
    );
  });

  it('a vocab.txt with too many or too long lines, at once', () => {
    const start = performance.now();
    const bert = { maxLength: 8, modelType: 'bert' };
    for (const vocab of ['\n'.repeat(4e6), 'ab\n'.repeat(1_000_001)]) {
      expect(() => createTokenizer({ vocab, ...bert })).toThrow('expected at most 1000000, found');
    }
    const fits = { vocab: 'a\nb\nc', rows: 2, ...bert };
    expect(() => createTokenizer(fits)).toThrow('expected at most 2, the "vocab_size" of config.json, found 3');
    expect(() => createTokenizer({ vocab: 'a'.repeat(4e6), ...bert })).toThrow('line 1 is too long');
    expect(performance.now() - start).toBeLessThan(2000); // measured: 0.1 s
  });

  it('a directory without a tokenizer', () => {
    expect(codeOf(() => createTokenizer({ maxLength: 8 }))).toBe('E_TOKENIZER');
  });
});

describe('for any text', () => {
  /** Mulberry32: the same texts in every run. */
  function random(seed: number): () => number {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  const next = random(20261123);
  const pick = (from: readonly string[]) => from[Math.floor(next() * from.length)] as string;
  const parts = [...RANDOM.texts, ' ', '\t', '[SEP]', '[MASK]', '</s>', '北', '\u0301', '\ud800', '\udc00', '。'];
  const anyUnit = () => String.fromCharCode(Math.floor(next() * 0x10000));
  const texts = Array.from({ length: 300 }, () =>
    Array.from({ length: Math.floor(next() * 40) }, () => (next() < 0.2 ? anyUnit() : pick(parts))).join(''),
  );

  it.each(WORDPIECE)('ids are below the size of the vocabulary, and no more than allowed, by %s', name => {
    const tokenizer = tokenizerOf(name, { maxLength: 24 });
    for (const text of texts) {
      const { ids, typeIds, tokens } = tokenizer.encode(text);
      expect(ids.length).toBeLessThanOrEqual(24);
      expect([typeIds.length, tokens.length]).toEqual([ids.length, ids.length]);
      expect(ids.every(id => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
    }
  });

  it.each(WORDPIECE)('a truncated encoding is the beginning of the whole, and the closing token, by %s', name => {
    const tokenizer = tokenizerOf(name, { maxLength: 24 });
    for (const text of texts) {
      const whole = [...tokenizer.encode(text, { truncate: false }).ids];
      const { ids, truncated } = tokenizer.encode(text);
      expect(truncated).toBe(whole.length > 24);
      expect([...ids]).toEqual(whole.length > 24 ? [...whole.slice(0, 23), whole.at(-1)] : whole);
    }
  });

  it('reading it by chunks changes nothing', { timeout: 20_000 }, () => {
    // An added token that is normalized makes the tokenizer read a text at once.
    const json = smallJson();
    const whole = small({
      added_tokens: [...(json.added_tokens as Json[]), { id: 30, content: 'qqqqq', normalized: true }],
    });
    for (let n = 0; n < 20; n++) {
      const long = Array.from({ length: 60 }, () => pick(texts)).join(pick(['', ' ', 'a', '北']));
      const [a, b] = [small(), whole].map(tokenizer => tokenizer.encode(long, { truncate: false }).ids.join());
      expect(long.length).toBeGreaterThan(2 * 4096);
      expect(a === b).toBe(true);
    }
  });
});
