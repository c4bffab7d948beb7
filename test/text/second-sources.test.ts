/**
 * What a directory says twice about its tokens, or leaves out: the ids are those of sentence-transformers 6.0.1 with
 * transformers 5.18.0 and tokenizers 0.23.2, which made every number here.
 */
import { describe, expect, it } from 'vitest';
import { SentenceEncoder } from '../../src/index.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { copyModel } from '../support/model-copy.ts';
import { refusal } from '../support/refusal.ts';

type Model = ReturnType<typeof copyModel>;

const TEXTS = [
  'Hello World, the Café naïve [SEP] of [MASK]!',
  'with within COVID-19 and covid-19 WITH',
  '中文ab \u0085 x a\tb internationalization',
  'hello world',
  'drug00042 is a drug',
];

// Of the uncased model and of the cased one, whose texts are lower-cased and not.
const PLAIN = [
  '2 228 533 86 298 445 10 131 403 99 93 43 79 242 3 132 4 5 3',
  '2 170 170 129 313 92 173 11 380 152 313 92 173 11 380 170 3',
  '2 1 1 397 53 30 31 431 83 192 138 273 192 3',
  '2 228 533 86 298 445 3',
  '2 33 261 84 105 105 105 109 113 189 30 33 261 84 3',
];
const LOWERED = [
  '2 273 571 105 348 483 10 167 449 121 118 69 110 276 3 168 4 5 3',
  '2 205 205 165 353 119 209 11 415 188 353 119 209 11 415 205 3',
  '2 1 1 433 79 56 57 517 115 224 174 305 224 3',
  '2 273 571 105 348 483 3',
  '2 59 289 117 127 127 127 142 130 227 56 59 289 117 3',
];
const CASED = [
  '2 36 369 105 51 176 483 10 167 31 110 121 143 69 110 154 119 118 3 168 4 5 3',
  '2 205 205 165 1 11 415 188 353 119 209 11 415 1 3',
  ...LOWERED.slice(2),
];
const with1 = (ids: string): string[] => PLAIN.map((plain, n) => (n === 1 ? ids : plain));

async function idsOf(model: Model): Promise<string[]> {
  const tokenizer = await loadTokenizer(model.directory);
  return TEXTS.map(text => tokenizer.encode(text).ids.join(' '));
}

const bert = (model: Model, more: object = {}): void =>
  model.edit('tokenizer_config.json', config => ({ ...config, tokenizer_class: 'BertTokenizer', ...more }));
const without = (model: Model, ...keys: string[]): void =>
  model.edit('tokenizer_config.json', config => {
    for (const key of keys) delete config[key];
  });
const decoder = (content: string, flags: object = {}) => ({
  content,
  lstrip: false,
  rstrip: false,
  normalized: false,
  single_word: false,
  special: false,
  ...flags,
});

function vocabulary(model: Model): string[] {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(JSON.parse(model.read('tokenizer.json')).model.vocab)) {
    tokens[id as number] = token;
  }
  return tokens;
}

function vocabTxt(model: Model, tokens = vocabulary(model), end = '\n', start = ''): void {
  model.remove('tokenizer.json');
  model.write('vocab.txt', start + tokens.map(token => token + end).join(''));
}

/** Takes the last token out of the vocabulary, whose id then is free. */
function freeLast(model: Model): number {
  const last = vocabulary(model).length - 1;
  model.edit('tokenizer.json', json => {
    delete json.model.vocab[vocabulary(model)[last] as string];
  });
  return last;
}

describe('a second source of tokens', () => {
  const WITH = with1('2 170 170 144 313 92 173 11 380 152 313 92 173 11 380 170 3');
  const BOTH = with1('2 170 170 129 599 152 599 170 3'); // searched in normalized text
  const NEW = with1('2 170 170 129 313 92 173 11 380 152 599 170 3');

  it.each<[string, (model: Model) => void, string[]]>([
    ['added_tokens_decoder', m => bert(m, { added_tokens_decoder: { 170: decoder('with') } }), WITH],
    [
      'added_tokens_decoder, searched in normalized text',
      m => bert(m, { added_tokens_decoder: { 170: decoder('with', { normalized: true }) } }),
      WITH,
    ],
    [
      'a token that added_tokens_decoder alone knows',
      m => bert(m, { added_tokens_decoder: { [freeLast(m)]: decoder('covid-19') } }),
      NEW,
    ],
    [
      'added_tokens_decoder beside vocab.txt',
      m => {
        vocabTxt(m, vocabulary(m).slice(0, -1));
        bert(m, { added_tokens_decoder: { 599: decoder('covid-19') } });
      },
      NEW,
    ],
    ['additional_special_tokens', m => bert(m, { additional_special_tokens: ['with'] }), WITH],
    ['extra_special_tokens, an object', m => bert(m, { extra_special_tokens: { x_token: 'with' } }), WITH],
    // Neighbours.
    [
      'extra_special_tokens, a list of objects',
      m => bert(m, { extra_special_tokens: [{ __type: 'AddedToken', ...decoder('with') }] }),
      WITH,
    ],
    ['a key that ends in _token', m => bert(m, { query_token: 'with' }), WITH],
    ['an object below such a key', m => bert(m, { query_token: { __type: 'AddedToken', content: 'with' } }), WITH],
    [
      'special_tokens_map.json',
      m => {
        bert(m);
        m.write('special_tokens_map.json', '{"additional_special_tokens": ["with"]}');
      },
      WITH,
    ],
    [
      'special_tokens_map.json, an object without a type',
      m => {
        bert(m);
        m.write('special_tokens_map.json', '{"query_token": {"content": "with", "lstrip": false}}');
      },
      WITH,
    ],
    [
      'special_tokens_map.json beside an added_tokens_decoder is not read',
      m => {
        const names = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((token, id) => [
          id,
          decoder(token, { special: true }),
        ]);
        bert(m, { added_tokens_decoder: Object.fromEntries(names) });
        m.write('special_tokens_map.json', '{"additional_special_tokens": ["with"]}');
      },
      PLAIN.with(1, '2 170 170 129 313 92 173 11 380 152 313 92 173 11 380 170 3'),
    ],
    [
      'added_tokens.json beside tokenizer.json',
      m => {
        freeLast(m);
        bert(m);
        m.write('added_tokens.json', '{"covid-19": 599}');
      },
      BOTH,
    ],
    [
      'added_tokens.json beside vocab.txt, where the id leaves a gap',
      m => {
        vocabTxt(m, vocabulary(m).slice(0, -1));
        bert(m);
        m.write('added_tokens.json', '{"covid-19": 700}');
      },
      BOTH,
    ],
  ])('%s', async (_, change, expected) => {
    const model = copyModel();
    change(model);
    expect(await idsOf(model)).toEqual(expected);
  });

  it('that leaves a gap is told of', async () => {
    const model = copyModel();
    freeLast(model);
    bert(model);
    model.write('added_tokens.json', '{"covid-19": 700}');
    expect((await loadTokenizer(model.directory)).notes).toContain(
      'Added tokens have other ids than the files say, as in Python: "covid-19" from 700 to 599.',
    );
  });

  it.each([[[]], [['input_ids']], [['input_ids', 'token_type_ids']]])(
    'model_input_names %j: without a mask the padding counts in Python, which is noted',
    async names => {
      const model = copyModel();
      bert(model, { model_input_names: names });
      const { notes } = await loadTokenizer(model.directory);
      expect(notes.join('\n')).toContain('"model_input_names" lists no attention_mask');
      bert(model, { model_input_names: [...names, 'attention_mask'] });
      expect((await loadTokenizer(model.directory)).notes.join('\n')).not.toContain('attention_mask');
    },
  );

  it('that Python cannot load is refused with file and key', async () => {
    for (const [key, value] of Object.entries({
      mask_token: { content: '[MASK]', lstrip: true },
      extra_special_tokens: [{ content: 'with' }],
      do_lower_case: null,
      tokenize_chinese_chars: 'yes',
      split_special_tokens: null,
      padding_side: 'Left',
    })) {
      const model = copyModel();
      bert(model, { [key]: value });
      const { file, message } = await refusal('E_CONFIG', () => loadTokenizer(model.directory));
      expect(file).toBe(model.path('tokenizer_config.json'));
      expect(message).toContain(`"${key}`);
    }
  });
});

describe('what the files leave out is as the class has it', () => {
  it.each<[string, 'bert-cased' | 'bert-mean-normalize', (model: Model) => void, string[]]>([
    ['no tokenizer_config.json', 'bert-cased', m => m.remove('tokenizer_config.json'), LOWERED],
    [
      'a class and nothing else',
      'bert-cased',
      m => {
        without(m, 'do_lower_case');
        bert(m);
      },
      LOWERED,
    ],
    ...[
      'DistilBertTokenizer',
      'ElectraTokenizer',
      'MPNetTokenizer',
      'DPRContextEncoderTokenizer',
      'LxmertTokenizer',
    ].map((name): [string, 'bert-cased', (model: Model) => void, string[]] => [
      `${name} with do_lower_case`,
      'bert-cased',
      m => bert(m, { tokenizer_class: name, do_lower_case: true }),
      LOWERED,
    ]),
    [
      'strip_accents false in tokenizer.json alone',
      'bert-mean-normalize',
      m => {
        m.edit('tokenizer.json', json => {
          json.normalizer.strip_accents = false;
        });
        bert(m, { do_lower_case: true });
      },
      PLAIN,
    ],
    [
      'handle_chinese_chars false in tokenizer.json alone',
      'bert-mean-normalize',
      m => {
        m.edit('tokenizer.json', json => {
          json.normalizer.handle_chinese_chars = false;
        });
        bert(m);
      },
      PLAIN,
    ],
    [
      'the class that keeps the file',
      'bert-cased',
      m => {
        without(m, 'do_lower_case');
        bert(m, { tokenizer_class: 'PreTrainedTokenizerFast' });
      },
      CASED,
    ],
    // It takes do_lower_case and drops it.
    ['DPR without Fast', 'bert-cased', m => bert(m, { tokenizer_class: 'DPRContextEncoderTokenizer' }), LOWERED],
    // It keeps the file.
    [
      'DPR with Fast',
      'bert-cased',
      m => bert(m, { tokenizer_class: 'DPRContextEncoderTokenizerFast', do_lower_case: true }),
      CASED,
    ],
    [
      'FNet, which keeps all of the file',
      'bert-cased',
      m => bert(m, { tokenizer_class: 'FNetTokenizer', do_lower_case: true, unk_token: '[UNK]', pad_token: '[PAD]' }),
      CASED,
    ],
    ['an empty name', 'bert-cased', m => bert(m, { tokenizer_class: '', do_lower_case: true }), CASED],
    ['a class nobody knows', 'bert-cased', m => bert(m, { tokenizer_class: 'FooTokenizerFast' }), CASED],
    ['do_lower_case false', 'bert-cased', m => bert(m, { do_lower_case: false }), CASED],
    [
      'a class that config.json alone names',
      'bert-cased',
      m => {
        without(m, 'tokenizer_class');
        m.edit('config.json', config => {
          config.tokenizer_class = 'ElectraTokenizerFast';
        });
      },
      LOWERED,
    ],
  ])('%s', async (_, name, change, expected) => {
    const model = copyModel(name);
    change(model);
    expect(await idsOf(model)).toEqual(expected);
  });
});

describe('of tokenizer.json BertTokenizer reads the vocabulary, and says so', () => {
  it.each<[string, (json: Parameters<Parameters<Model['edit']>[1]>[0]) => void]>([
    ['"normalizer.clean_text": false', json => Object.assign(json.normalizer, { clean_text: false })],
    ['"normalizer": null', json => Object.assign(json, { normalizer: null })],
    ['"post_processor"', json => Object.assign(json, { post_processor: null })],
    ['"model.max_input_chars_per_word": 5', json => Object.assign(json.model, { max_input_chars_per_word: 5 })],
    ['"model.continuing_subword_prefix": "@@"', json => Object.assign(json.model, { continuing_subword_prefix: '@@' })],
    ['"pre_tokenizer": "WhitespaceSplit"', json => Object.assign(json, { pre_tokenizer: { type: 'WhitespaceSplit' } })],
  ])('%s', async (note, change) => {
    const model = copyModel();
    bert(model);
    model.edit('tokenizer.json', json => {
      change(json);
    });
    expect(await idsOf(model)).toEqual(PLAIN);
    const { report } = await SentenceEncoder.load(model.directory, { kernels: 'reference' });
    expect(report.tokenizer.class).toBe('BertTokenizer');
    expect(report.tokenizer.notes).toEqual([
      `tokenizer.json is not read where the class BertTokenizer of transformers 5 makes its own: ${note}.`,
      `transformers 4.57.6 reads it and gives other ids, or fails: ${note}.`,
    ]);
  });

  it('and the names of special tokens come from tokenizer_config.json', async () => {
    const model = copyModel();
    bert(model, { cls_token: '[MASK]' });
    expect(await idsOf(model)).toEqual(PLAIN.map(ids => ids.replace(/^2 /, '4 ')));
    bert(model, { cls_token: null, sep_token: null });
    expect(await idsOf(model)).toEqual(PLAIN.map(ids => ids.replace(/^2 /, '3 '))); // two tokens called None, of which the last counts
    bert(model, { cls_token: null, sep_token: '[SEP]' });
    expect(await idsOf(model)).toEqual(PLAIN); // 2 by the class
    bert(model, { cls_token: '', sep_token: '[SEP]' });
    expect(await idsOf(model)).toEqual(PLAIN.map(ids => ids.replace(/^2 /, '1 '))); // unknown
  });
});

describe('a second source of a setting', () => {
  const LEFT = ['2 3 132 4 5 3', '2 173 11 380 170 3', '2 192 138 273 192 3', '2 533 86 298 445 3', '2 30 33 261 84 3'];
  const cut = (model: Model): void => {
    model.edit('sentence_bert_config.json', config => ({ ...config, max_seq_length: 6 }));
    model.edit('tokenizer.json', json => {
      json.truncation = { direction: 'Left', max_length: 6, strategy: 'LongestFirst', stride: 0 };
    });
  };

  it.each<[string, (model: Model) => void, string[]]>([
    ['truncation.direction of tokenizer.json, BertTokenizer', m => bert(m), LEFT],
    ['the same, the class that keeps the file', m => bert(m, { tokenizer_class: 'PreTrainedTokenizerFast' }), LEFT],
    ['the same without tokenizer_config.json', m => m.remove('tokenizer_config.json'), LEFT],
    [
      'truncation_side wins',
      m => bert(m, { truncation_side: 'right' }),
      PLAIN.map(ids => `${ids.split(' ').slice(0, 5).join(' ')} 3`),
    ],
  ])('%s', async (_, change, expected) => {
    const model = copyModel();
    cut(model);
    change(model);
    expect(await idsOf(model)).toEqual(expected);
  });

  it('split_special_tokens makes special tokens text, and leaves the others', async () => {
    const model = copyModel();
    bert(model, { split_special_tokens: true, added_tokens_decoder: { 170: decoder('with') } });
    const tokenizer = await loadTokenizer(model.directory);
    expect(tokenizer.encode('a [SEP] b').tokens.slice(1, -1)).not.toContain('[SEP]');
    expect(tokenizer.encode('within').tokens).toEqual(['[CLS]', 'with', 'in', '[SEP]']);
  });

  it('processor_kwargs overrule tokenizer_config.json, and one that is not followed is refused', async () => {
    for (const key of ['processor_kwargs', 'tokenizer_args']) {
      const model = copyModel('bert-cased');
      bert(model, { do_lower_case: true });
      expect(await idsOf(model)).toEqual(LOWERED);
      const give = (value: object) => model.edit('sentence_bert_config.json', config => ({ ...config, [key]: value }));
      give({ do_lower_case: false, model_max_length: 64 });
      expect(await idsOf(model)).toEqual(CASED);
      give({ add_bos_token: true });
      const { file, message } = await refusal('E_CONFIG', () => loadTokenizer(model.directory));
      expect(file).toBe(model.path('sentence_bert_config.json'));
      expect(message).toContain('"add_bos_token"');
    }
  });
});

describe('vocab.txt', () => {
  const blank = (lines: number) => (tokens: string[]) =>
    tokens.map((token, id) => (300 <= id && id < 300 + lines ? '' : token));

  it.each<[string, (tokens: string[]) => string[], string, string, string[], RegExp | null]>([
    [
      'two blank lines',
      blank(2),
      '\n',
      '',
      PLAIN,
      /1 tokens stand in more than one line; .*"" \(the last is line 302\)/,
    ],
    ['one blank line', blank(1), '\n', '', PLAIN, null],
    [
      'a token twice: the last line wins',
      tokens => [...tokens.slice(0, 599), 'with'],
      '\n',
      '',
      with1('2 599 599 129 313 92 173 11 380 152 313 92 173 11 380 599 3'),
      /"with" \(the last is line 600\)/,
    ],
    ['a byte order mark', tokens => tokens, '\n', '\ufeff', PLAIN, /begins with a byte order mark/],
    ['a blank after every token', tokens => tokens, ' \n', '', PLAIN, /600 lines end in blanks/],
    ['the line ends of Windows', tokens => tokens, '\r\n', '', PLAIN, null],
    [
      'white space of other kinds after every token',
      tokens => tokens,
      '\t\u3000\r\n',
      '',
      PLAIN,
      /600 lines end in blanks/,
    ],
  ])('with %s', async (_, change, end, start, expected, note) => {
    const model = copyModel();
    bert(model);
    vocabTxt(model, change(vocabulary(model)), end, start);
    expect(await idsOf(model)).toEqual(expected);
    const { report } = await SentenceEncoder.load(model.directory, { kernels: 'reference' });
    const notes = report.tokenizer.notes.join('\n');
    if (note === null) expect(report.tokenizer.notes).toHaveLength(1);
    else expect(notes).toMatch(note);
  });

  it('with a byte order mark gives no id to the first token, as Python fails on it', async () => {
    const model = copyModel();
    bert(model);
    vocabTxt(model, vocabulary(model), '\n', '\ufeff');
    const encoder = await SentenceEncoder.load(model.directory, { kernels: 'reference' });
    expect((await encoder.encode('hello [SEP] world')).data).toHaveLength(32);
    await refusal('E_TOKENIZER', () => encoder.encode('hello [PAD] world'));
  });

  it('without a class that reads it is refused, and the remedy is named', async () => {
    const model = copyModel();
    vocabTxt(model);
    const { hint } = await refusal('E_TOKENIZER', () => loadTokenizer(model.directory));
    expect(hint).toContain('"tokenizer_class": "BertTokenizer"');
  });
});

describe('files as large as they come', () => {
  const drugs = Array.from({ length: 12_000 }, (_, n) => `drug${`${n}`.padStart(5, '0')}`);

  it.each<[string, (model: Model) => void]>([
    [
      '12,000 added tokens in tokenizer.json',
      m =>
        m.edit('tokenizer.json', json => {
          json.added_tokens.push(...drugs.map((drug, n) => ({ id: 600 + n, ...decoder(drug, { normalized: true }) })));
        }),
    ],
    [
      '8,000 of them in added_tokens_decoder as well',
      m => {
        const listed = drugs.slice(0, 8000).map((drug, n) => [600 + n, decoder(drug, { normalized: true })] as const);
        m.edit('tokenizer.json', json => {
          json.added_tokens.push(...listed.map(([id, token]) => ({ id, ...token })));
        });
        const config = JSON.parse(m.read('tokenizer_config.json'));
        m.write(
          'tokenizer_config.json',
          JSON.stringify({ ...config, added_tokens_decoder: Object.fromEntries(listed) }, null, 2),
        );
      },
    ],
    [
      'tokenizer_config.json of 3 MB',
      m => {
        m.edit('tokenizer.json', json => {
          json.added_tokens.push(...drugs.slice(0, 43).map((drug, n) => ({ id: 600 + n, ...decoder(drug) })));
        });
        bert(m, { chat_template: 'x'.repeat(3e6) });
      },
    ],
  ])('%s', async (_, change) => {
    const model = copyModel();
    change(model);
    expect(await idsOf(model)).toEqual(PLAIN.with(4, '2 642 189 30 33 261 84 3'));
  });
});

it('loadTokenizer needs neither the pooling nor weights', async () => {
  const model = copyModel();
  model.remove('1_Pooling');
  model.remove('model.safetensors');
  expect(await idsOf(model)).toEqual(PLAIN);
  model.edit('modules.json', modules => modules.slice(0, 1));
  expect(await idsOf(model)).toEqual(PLAIN);
  model.edit('modules.json', modules => [...modules, { idx: 1, name: '1', path: '1_Dense', type: 'somebody.Else' }]);
  expect(await idsOf(model)).toEqual(PLAIN);
  model.edit('modules.json', () => [{ idx: 0, name: '0', path: '', type: 'somebody.Else' }]);
  await refusal('E_MODULE', () => loadTokenizer(model.directory));
  for (const path of [undefined, null, 7, {}]) await refusal('E_ARGUMENT', () => loadTokenizer(path as never));
});
