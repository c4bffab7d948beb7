/** Tokenizers: vocabularies that contradict themselves, patterns that never end, tables of millions. */
import { type Case, type EditableJson, edited, type Model, text, values } from './case.ts';

const FILE = 'tokenizer.json';

const model = (key: string, code: Case['code'], list: readonly unknown[]): Case[] =>
  values(FILE, 'model', key, code, list);
const config = (key: string, code: Case['code'], list: readonly unknown[]): Case[] =>
  values('tokenizer_config.json', '', key, code, list);
const change = (
  name: string,
  code: Case['code'],
  edit: (json: EditableJson) => unknown,
  more: Partial<Case> = {},
): Case => ({
  ...edited(FILE, name, code, edit),
  ...more,
});
const added =
  (token: object): ((json: EditableJson) => void) =>
  json => {
    json.added_tokens.push(token);
  };

/** What would run for years on an engine that backtracks. */
const EVIL = '(a+)+$';

const template =
  (edit: (processor: EditableJson) => void): ((json: EditableJson) => void) =>
  json => {
    edit(json.post_processor);
  };

/** The same vocabulary as lines. */
function asVocabTxt(m: Model, lines: (tokens: string[]) => string): void {
  const tokens: string[] = [];
  m.edit(FILE, ({ model }) => {
    for (const [token, id] of Object.entries(model.vocab)) tokens[id as number] = token;
  });
  m.remove(FILE);
  m.edit('tokenizer_config.json', config => ({ ...config, tokenizer_class: 'BertTokenizer' }));
  m.write('vocab.txt', lines(tokens));
}

const vocabTxt = (name: string, code: Case['code'], lines: (tokens: string[]) => string): Case => ({
  name: `vocab.txt: ${name}`,
  code,
  make: m => asVocabTxt(m, lines),
});

const addedTokensJson = (name: string, code: Case['code'], content: string): Case => ({
  name: `added_tokens.json: ${name}`,
  code,
  make: m => {
    asVocabTxt(m, tokens => tokens.join('\n'));
    m.write('added_tokens.json', content);
  },
});

export const TOKENIZERS: readonly Case[] = [
  ...values(FILE, '', 'model', 'E_CONFIG', [undefined, null, [], 'WordPiece', 7]),
  ...model('type', 'E_TOKENIZER', ['BPE', 'Unigram', 'WordLevel', 'Evil', '__proto__', '']),
  ...model('type', 'E_CONFIG', [7, ['WordPiece']]),
  ...model('vocab', 'E_CONFIG', [undefined, null, 'x', 7]),
  ...model('vocab', 'E_TOKENIZER', [{}]),
  ...model('unk_token', 'E_TOKENIZER', ['<unk>', '', '__proto__', 'constructor']),
  ...model('unk_token', 'E_CONFIG', [7, {}]),
  ...model('max_input_chars_per_word', 'E_TOKENIZER', [0, -1, 10_001, 1e9, 1.5, '100', true]),
  ...model('max_input_chars_per_word', 'loads', [1, 201, 10_000]),
  ...model('continuing_subword_prefix', 'E_CONFIG', [7, []]),
  change('a prefix of subwords that is longer than the token that begins it', 'loads', json => {
    json.model.continuing_subword_prefix = 'x'.repeat(900);
    json.model.vocab['x'.repeat(899)] = 599;
    delete json.model.vocab[Object.keys(json.model.vocab).at(-2) as string];
  }),
  ...values(FILE, 'model.vocab', 'x', 'E_TOKENIZER', [-1, 1.5, '7', null, true, 2_000_000, 4e9, 1e300, [5], 0]),
  ...values(FILE, 'model.vocab', 'x', 'E_TOKENIZER', [600, 1_999_999]), // beyond the embedding table
  change('a token named __proto__', 'loads', json => {
    json.model.vocab = Object.assign(Object.create(null), json.model.vocab);
    const last = Object.keys(json.model.vocab).at(-1) as string;
    const id = json.model.vocab[last];
    delete json.model.vocab[last];
    Object.defineProperty(json.model.vocab, '__proto__', { value: id, enumerable: true });
  }),
  ...['constructor', 'hasOwnProperty', 'toString'].map(name =>
    change(`a token named ${name}`, 'loads', ({ model: { vocab } }) => {
      const last = Object.keys(vocab).at(-1) as string;
      const id = vocab[last];
      delete vocab[last];
      vocab[name] = id;
    }),
  ),
  text(FILE, 'a token that stands twice', 'E_JSON', json => json.replace('"vocab":', '"vocab": {}, "vocab":')),
  change('a token of 2,000 characters', 'E_TOKENIZER', json => {
    json.model.vocab['x'.repeat(2000)] = 5;
  }),
  change('a token of a megabyte', 'E_JSON', json => {
    json.model.vocab['x'.repeat(2 ** 20)] = 5;
  }),

  ...values(FILE, '', 'added_tokens', 'E_TOKENIZER', [
    'x',
    {},
    7,
    Array.from({ length: 100_001 }, (_, id) => ({ id, content: `<${id}>` })),
  ]),
  change('an added token without content', 'E_CONFIG', added({ id: 700 })),
  change('an added token of no characters', 'E_TOKENIZER', added({ id: 700, content: '' })),
  change('an added token that stands twice', 'E_TOKENIZER', added({ id: 1, content: '[UNK]' })),
  change('an added token with the id of another', 'E_TOKENIZER', added({ id: 1, content: '[OTHER]' })),
  change('an added token of 129 characters', 'E_TOKENIZER', added({ id: 700, content: 'x'.repeat(129) })),
  change('an added token beyond the embedding table', 'E_TOKENIZER', added({ id: 600, content: '[NEW]' })),
  change('an added token with an id of billions', 'E_CONFIG', added({ id: 4e9, content: '[NEW]' })),
  change('an added token with an id that is text', 'E_CONFIG', added({ id: '5', content: '[NEW]' })),
  change('an added token that is null', 'E_CONFIG', json => json.added_tokens.push(null) && undefined),
  change('an added token with flags that are none', 'E_CONFIG', added({ id: 599, content: '[NEW]', special: 'yes' })),

  ...[
    { type: 'Replace', pattern: { Regex: EVIL }, content: '' },
    { type: 'NFKC' },
    { type: 'Precompiled', precompiled_charsmap: 'A'.repeat(10_000) },
    { type: 'Sequence', normalizers: Array(1000).fill({ type: 'Lowercase' }) },
    { type: 'Evil' },
    { type: '__proto__' },
    { type: 'Prepend', prepend: 'x'.repeat(10_000) },
  ].flatMap(normalizer => values(FILE, '', 'normalizer', 'E_TOKENIZER', [normalizer])),
  ...values(FILE, '', 'normalizer', 'E_CONFIG', [
    'BertNormalizer',
    [],
    {},
    { type: 7 },
    { type: 'Sequence' },
    { type: 'Sequence', normalizers: [7] },
  ]),
  ...['clean_text', 'handle_chinese_chars', 'lowercase', 'strip_accents'].flatMap(key =>
    values(FILE, 'normalizer', key, 'E_CONFIG', ['yes', 1]),
  ),
  ...[
    { type: 'Split', pattern: { Regex: EVIL }, behavior: 'Isolated', invert: false },
    {
      type: 'Sequence',
      pretokenizers: [{ type: 'BertPreTokenizer' }, { type: 'Split', pattern: { Regex: '(?:(?:a*)*)*b' } }],
    },
    { type: 'ByteLevel', use_regex: true },
    { type: 'Metaspace' },
    { type: 'Whitespace' },
    { type: 'Evil' },
    null,
  ].flatMap(splitter => values(FILE, '', 'pre_tokenizer', 'E_TOKENIZER', [splitter])),
  ...values(FILE, '', 'pre_tokenizer', 'E_CONFIG', ['BertPreTokenizer', [], {}]),

  ...values(FILE, '', 'post_processor', 'E_TOKENIZER', [
    { type: 'Evil' },
    { type: '__proto__' },
    { type: 'BertProcessing', cls: ['x', 9999], sep: ['[SEP]', 3] },
  ]),
  ...values(FILE, '', 'post_processor', 'E_CONFIG', [
    'x',
    [],
    {},
    { type: 'BertProcessing' },
    { type: 'TemplateProcessing' },
  ]),
  change(
    'a template of 17 pieces',
    'E_TOKENIZER',
    template(p => p.single.push(...Array(17).fill(p.single[0]))),
  ),
  change(
    'a template without the text',
    'E_TOKENIZER',
    template(p => p.single.splice(1, 1)),
  ),
  change(
    'a template with the text a second time',
    'E_TOKENIZER',
    template(p => p.single.push(p.single[1])),
  ),
  change(
    'a template with a token type of 2',
    'E_CONFIG',
    template(p => {
      p.single[0].SpecialToken.type_id = 2;
    }),
  ),
  change(
    'a template with a special token nobody knows',
    'E_CONFIG',
    template(p => {
      p.single[0].SpecialToken.id = '__proto__';
    }),
  ),
  change(
    'a special token of 17 ids',
    'E_TOKENIZER',
    template(p => {
      const [token] = Object.values(p.special_tokens) as EditableJson[];
      token.ids = Array(17).fill(token.ids[0]);
      token.tokens = Array(17).fill(token.tokens[0]);
    }),
  ),
  change(
    'a special token whose id is beyond the vocabulary',
    'E_TOKENIZER',
    template(p => {
      for (const token of Object.values(p.special_tokens) as EditableJson[]) token.ids = [9999];
    }),
  ),

  vocabTxt('as it was before tokenizer.json', 'loads', tokens => tokens.join('\n')),
  vocabTxt('with the line ends of Windows', 'loads', tokens => tokens.join('\r\n')),
  vocabTxt('a token twice', 'E_TOKENIZER', tokens => [...tokens, 'the', 'the'].join('\n')),
  vocabTxt('a line of 2,000 characters', 'E_TOKENIZER', tokens => [...tokens, 'x'.repeat(2000)].join('\n')),
  vocabTxt('without [CLS], which is added in the row that is left', 'loads', tokens =>
    tokens.filter(token => token !== '[CLS]').join('\n'),
  ),
  vocabTxt('without [CLS] and a row for it', 'E_TOKENIZER', tokens =>
    tokens.map(token => (token === '[CLS]' ? '[cls]' : token)).join('\n'),
  ),
  vocabTxt('without [UNK]', 'E_TOKENIZER', tokens => tokens.filter(token => token !== '[UNK]').join('\n')),
  vocabTxt('more lines than the embedding table has rows', 'E_TOKENIZER', tokens =>
    [...tokens, 'brand-new-token'].join('\n'),
  ),
  vocabTxt('empty', 'E_FILE_MISSING', () => ''),
  vocabTxt('binary', 'E_TOKENIZER', () => '\0\x01\x02'),
  addedTokensJson('harmless', 'loads', '{}'),
  addedTokensJson('an id of another token', 'E_TOKENIZER', '{"<new>": 0}'),
  addedTokensJson('an id that is text', 'E_CONFIG', '{"<new>": "7"}'),
  addedTokensJson('an array', 'E_CONFIG', '[]'),
  addedTokensJson('an id beyond the embedding table', 'E_TOKENIZER', '{"<new>": 600}'),
  ...['special_tokens_map.json', 'added_tokens.json'].flatMap((file): Case[] => [
    { name: `${file}: an array`, code: 'E_CONFIG', make: m => m.write(file, '[]') },
    { name: `${file}: no JSON`, code: 'E_JSON', make: m => m.write(file, '{') },
  ]),
  {
    name: 'special_tokens_map.json: a token without content',
    code: 'E_CONFIG',
    make: m => m.write('special_tokens_map.json', '{"cls_token": {"lstrip": true}}'),
  },
  ...config('added_tokens_decoder', 'E_CONFIG', [
    [],
    'x',
    7,
    { x: { content: 'a' } },
    { 1: 'a' },
    { 1: {} },
    { 1: { content: 'a', lstrip: 'yes' } },
    { '-1': { content: 'a' } },
  ]),
  ...config('added_tokens_decoder', 'E_TOKENIZER', [
    { 1: { content: 'x'.repeat(129) } },
    { 600: { content: '<new>' } },
    Object.fromEntries(Array.from({ length: 100_001 }, (_, id) => [id, {}])),
  ]),
  ...config('extra_special_tokens', 'E_CONFIG', ['x', 7, [7], [null], [{ content: 'x' }], { a: 7 }]),
  ...config('extra_special_tokens', 'E_TOKENIZER', [['<new>'], { a: '<new>' }, ['x'.repeat(129)]]),
  ...config('cls_token', 'E_CONFIG', [7, [], {}, { content: '[CLS]' }, { __type: 'AddedToken' }]),
  ...config('tokenizer_class', 'E_CONFIG', [7, []]),
  ...config('tokenizer_class', 'E_TOKENIZER', ['RobertaTokenizer', 'BertJapaneseTokenizer', 'CLIPTokenizerFast']),
  ...config('tokenizer_class', 'loads', ['__proto__', '', 'constructor', 'BertTokenizerFast']),
  ...config('split_special_tokens', 'E_CONFIG', [null, 'yes', 1]),
  ...config('truncation_side', 'E_CONFIG', [null, 'Left', 7]),
  ...config('model_input_names', 'E_CONFIG', [null, 'token_type_ids', [7]]),
  ...values(FILE, '', 'truncation', 'E_CONFIG', ['x', [], { direction: 'left' }, { direction: 7 }]),
  {
    name: 'vocab.txt: not UTF-8',
    code: 'E_TOKENIZER',
    make: m => {
      m.remove(FILE);
      m.write('vocab.txt', Uint8Array.of(0x5b, 0xff, 0xfe, 0x0a));
    },
  },
];
