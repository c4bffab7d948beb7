/** JSON and configuration: what a strict reader refuses, values out of range, and code that would like to be run. */
import { Buffer } from 'node:buffer';
import { type Case, DENSE, edited, SHARDED, text, values } from './case.ts';

const FILES = [
  'modules.json',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
  '1_Pooling/config.json',
];

const first = (json: string, insert: string): string =>
  json.replace(/[{[]/, open => `${open}${open === '{' ? insert : '{},'}`);

/** Whatever file it is, these are no JSON, or JSON of two readings. */
const MALFORMED: readonly [name: string, change: (json: string) => string | Uint8Array][] = [
  ['cut short', json => json.slice(0, -2)],
  ['with a second value behind', json => `${json}{}`],
  ['with a NUL behind', json => `${json}\0`],
  ['with a byte order mark', json => `\ufeff${json}`],
  ['in UTF-16, little-endian', json => Buffer.from(json, 'utf16le')],
  ['in UTF-16 with its mark', json => Buffer.from(`\ufeff${json}`, 'utf16le')],
  ['with a comment', json => `/* */${json}`],
  ['of 100,000 open brackets', () => '['.repeat(100_000)],
  ['of 100,000 objects in each other', () => '{"a":'.repeat(100_000)],
  [
    'with a byte that is not UTF-8',
    json => Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from([0x22, 0xff, 0x22])]),
  ],
  ['that is NaN', () => 'NaN'],
];

/** These need an object to stand in. */
const AMBIGUOUS: readonly [name: string, insert: string][] = [
  ['with a key twice', '"twin": 1, "twin": 2,'],
  ['with a key twice, once by an escape', '"twin": 1, "\\u0074win": 2,'],
  ['with __proto__ twice', '"__proto__": {}, "__proto__": {},'],
  ['with NaN, as Python writes it', '"nan": NaN,'],
  ['with -Infinity, as Python writes it', '"inf": -Infinity,'],
  ['with a number beyond doubles', '"big": 1e400,'],
  ['with half of a surrogate pair', '"half": "\\ud800",'],
  ['with a raw line feed in a string', '"line": "a\nb",'],
  ['with a trailing comma', '"list": [1,],'],
  ['with hexadecimal', '"hex": 0x10,'],
  ['33 levels deep', `"deep": ${'['.repeat(33)}${']'.repeat(33)},`],
];

/** The reference library fails on keys it does not know in these. */
const KEYS_ARE_KNOWN = ['sentence_bert_config.json', '1_Pooling/config.json'];

/** Keys that JavaScript would misunderstand. They are keys like any other, and nobody asks for them. */
const POLLUTION =
  '"__proto__": {"hidden_size": 1, "polluted": true}, "constructor": {"prototype": {"polluted": true}}, "toString": 1,';

const JSON_CASES: readonly Case[] = FILES.flatMap(file => [
  ...MALFORMED.map(([name, change]) => text(file, name, 'E_JSON', change)),
  ...(file === 'modules.json'
    ? []
    : AMBIGUOUS.map(([name, insert]) => text(file, name, 'E_JSON', json => first(json, insert)))),
  ...(file === 'modules.json'
    ? []
    : [
        text(file, 'with keys of the prototype of Object', KEYS_ARE_KNOWN.includes(file) ? 'E_CONFIG' : 'loads', json =>
          first(json, POLLUTION),
        ),
      ]),
  ...['null', '"text"', '7', 'true'].map(value =>
    text(file, `that is ${value}`, file === 'modules.json' ? 'E_MODULE' : 'E_CONFIG', () => value),
  ),
  text(
    file,
    file === 'modules.json' ? 'that is an object' : 'that is an array',
    file === 'modules.json' ? 'E_MODULE' : 'E_CONFIG',
    () => (file === 'modules.json' ? '{}' : '[]'),
  ),
]);

const SIZES: readonly [key: string, largest: number][] = [
  ['hidden_size', 16384], ['num_attention_heads', 256], ['intermediate_size', 65536], ['vocab_size', 2_000_000], ['max_position_embeddings', 32_768],
]; // biome-ignore format: a table

const CONFIG: readonly Case[] = [
  ...SIZES.flatMap(([key, largest]) =>
    values('config.json', '', key, 'E_CONFIG', [
      0,
      -1,
      1.5,
      '64',
      true,
      [64],
      {},
      largest + 1,
      2 ** 31,
      1e308,
      null,
      undefined,
    ]),
  ),
  ...values('config.json', '', 'num_hidden_layers', 'E_CONFIG', [-1, 0.5, '2', 513, 1e9, null, 0, 1]),
  ...values('config.json', '', 'num_hidden_layers', 'E_TENSOR_MISSING', [3, 512]),
  ...values('config.json', '', 'num_attention_heads', 'E_CONFIG', [5, 33, 64]),
  ...values('config.json', '', 'type_vocab_size', 'E_CONFIG', [0, -1, 17, '2']),
  ...values('config.json', '', 'type_vocab_size', 'E_TENSOR_SHAPE', [1, 3, 16]),
  ...values('config.json', '', 'intermediate_size', 'E_TENSOR_SHAPE', [1, 65536]),
  ...values('config.json', '', 'vocab_size', 'E_TENSOR_SHAPE', [601, 2_000_000]),
  ...values('config.json', '', 'vocab_size', 'E_TOKENIZER', [1, 599]),
  ...values('config.json', '', 'hidden_size', 'E_MODULE', [64, 16384]),
  ...values('config.json', '', 'layer_norm_eps', 'E_CONFIG', [0, -1e-12, 1, 1e300, '1e-12', [1]]),
  ...values('config.json', '', 'hidden_act', 'E_CONFIG', [
    'glu',
    '',
    'os.system',
    '__proto__',
    'constructor',
    'toString',
    7,
  ]),
  ...values('config.json', '', 'position_embedding_type', 'E_CONFIG', ['relative_key', 'rotary', 1]),
  ...values('config.json', '', 'is_decoder', 'E_ARCHITECTURE', [true]),
  ...values('config.json', '', 'is_decoder', 'E_CONFIG', ['true', 1]),
  ...values('config.json', '', 'model_type', 'E_ARCHITECTURE', [
    'llama',
    'roberta',
    '',
    '__proto__',
    '../bert',
    'BERT',
    'x'.repeat(100_000),
  ]),
  ...values('config.json', '', 'model_type', 'E_CONFIG', [7, ['bert']]),
  ...values('config.json', '', 'architectures', 'E_CONFIG', ['BertModel', 1]),
  ...values('config.json', '', 'architectures', 'E_ARCHITECTURE', [['DPRReader']]),
  ...values('config.json', '', 'auto_map', 'loads', [{ AutoModel: 'modeling_evil.Evil' }], {
    warning: 'W_CODE_IGNORED',
  }),
  ...values('config.json', '', 'trust_remote_code', 'loads', [true]),
  ...values('config.json', '', '_attn_implementation_internal', 'loads', ['https://example.org/kernel']),
  ...values('config.json', '', '_name_or_path', 'loads', ['../../etc/passwd', '\\\\host\\share']),
  ...values('config.json', '', 'rope_scaling', 'loads', [{ type: '__import__("os").system("id")' }]),
  edited('config.json', 'a hundred thousand keys', 'loads', json => {
    for (let i = 0; i < 100_000; i++) json[`key${i}`] = i;
  }),
  edited('config.json', 'half a million keys', 'E_JSON', json => {
    for (let i = 0; i < 500_000; i++) json[`key${i}`] = i;
  }),
  ...values('config.json', '', 'quantization_config', 'E_CONFIG', [
    { quant_method: 'bitsandbytes' },
    'int8',
    true,
    [1],
  ]),
  ...values('config.json', '', 'quantization_config', 'loads', [null, {}]),
  ...values('config.json', '', 'transformers_weights', 'E_CONFIG', ['../../etc/passwd', 'other.safetensors']),
  ...values('config.json', '', 'per_layer_config', 'E_CONFIG', [{ 0: { hidden_act: 'relu' } }]),
  ...values('config.json', '', 'pruned_heads', 'E_CONFIG', [{ 0: [1] }]),
  ...values('config.json', '', 'pruned_heads', 'loads', [{}]),
  ...values('config.json', '', 'feed_forward_type', 'E_CONFIG', ['geglu', 'glumlp', 7]),
  ...values('config.json', '', 'position_embedding_type', 'E_CONFIG', ['alibi', 'relative_key_query']),
];

const MODULES: readonly Case[] = [
  ...['os.system', 'custom_st.Transformer', 'sentence_transformers.models.', 'sentence_transformers.models.Evil', 'sentence_transformers.models.Pooling.__init__',
    'sentence_transformers.models.os.system', 'builtins.exec', '', '__proto__', 'torch.hub.load', 'sentence_transformers.models.WordEmbeddings', 'x'.repeat(100_000),
  ].flatMap(type => values('modules.json', '1', 'type', 'E_MODULE', [type])), // biome-ignore format: a table
  ...values('modules.json', '1', 'type', 'E_CONFIG', [undefined, null, 7, ['sentence_transformers.models.Pooling']]),
  edited('modules.json', 'no module', 'E_MODULE', () => []),
  edited('modules.json', 'one module', 'E_MODULE', json => json.slice(0, 1)),
  edited('modules.json', 'the modules in reverse', 'E_MODULE', json => json.reverse()),
  edited('modules.json', 'two transformers', 'E_MODULE', json => [json[0], json[0], json[1]]),
  edited('modules.json', 'two poolings', 'E_MODULE', json => [...json, json[1]]),
  edited('modules.json', '17 modules', 'E_MODULE', json => [...json, ...Array(14).fill(json[2])]),
  edited('modules.json', 'entries that are no objects', 'E_CONFIG', () => [1, 2, 3]),
  edited('modules.json', 'a name that stands twice', 'E_MODULE', json => {
    json[2].name = json[1].name;
  }),
  edited('modules.json', 'an index that stands twice, in the order of the list', 'loads', json => {
    json[2].idx = 1;
  }),
  ...values('modules.json', '2', 'type', 'E_FILE_MISSING', ['sentence_transformers.models.Dense']),
];

const POOLING_FILE = '1_Pooling/config.json';

const POOLING: readonly Case[] = [
  edited(POOLING_FILE, 'no mode, which is the mean', 'loads', json => ({ ...json, pooling_mode_mean_tokens: false })),
  edited(POOLING_FILE, 'two modes, which stand side by side', 'loads', json => ({
    ...json,
    pooling_mode_cls_token: true,
  })),
  ...values(POOLING_FILE, '', 'word_embedding_dimension', 'E_MODULE', [1, 31, 33, 16384]),
  ...values(POOLING_FILE, '', 'word_embedding_dimension', 'E_CONFIG', [0, -1, 1.5, '32', 2 ** 52]),
  ...values(POOLING_FILE, '', 'pooling_mode_mean_tokens', 'E_CONFIG', ['true', 1, []]),
  ...values(POOLING_FILE, '', 'pooling_mode', 'E_CONFIG', ['average', '', '__proto__', 'os.system']),
  ...values(POOLING_FILE, '', 'include_prompt', 'E_CONFIG', ['yes', 0]),
];

const DENSE_FILE = '2_Dense/config.json';

const DENSE_CASES: readonly Case[] = [
  ...values(DENSE_FILE, '', 'activation_function', 'E_CONFIG', [
    'os.system', 'torch.hub.load', 'torch.load', 'torch.nn.modules.activation.', 'torch.nn.modules.activation.Evil', 'builtins.exec', '__proto__', '', 7,
  ]), // biome-ignore format: a table
  ...values(DENSE_FILE, '', 'in_features', 'E_MODULE', [1, 33, 65536]),
  ...values(DENSE_FILE, '', 'in_features', 'E_CONFIG', [0, -1, 65537, 1.5, '32', undefined]),
  ...values(DENSE_FILE, '', 'out_features', 'E_CONFIG', [0, -1, 65537, 1.5, '32', undefined]),
  ...values(DENSE_FILE, '', 'out_features', 'E_TENSOR_SHAPE', [1, 65536]),
  ...values(DENSE_FILE, '', 'bias', 'E_CONFIG', ['no', 1]),
].map(c => ({ ...c, base: DENSE }));

/** Attention costs the square of the tokens: a short text must not cost hours because of what the directory puts before it. */
function longPrompt(name: string, code: Case['code'], positions: number): Case {
  return {
    name,
    code,
    make: model => {
      model.edit('config_sentence_transformers.json', json => {
        json.prompts = { long: 'ab '.repeat(300_000) };
        json.default_prompt_name = 'long';
      });
      model.edit('config.json', json => {
        json.max_position_embeddings = positions;
      });
      model.edit('tokenizer_config.json', json => {
        json.model_max_length = positions;
      });
      model.edit('sentence_bert_config.json', json => {
        json.max_seq_length = positions;
      });
      const data = new Float32Array(positions * 32);
      model.editTensors(all =>
        all.set('embeddings.position_embeddings.weight', { dtype: 'F32', shape: [positions, 32], data }),
      );
    },
  };
}

const SETTINGS: readonly Case[] = [
  ...values('tokenizer_config.json', '', 'model_max_length', 'loads', [
    1e30,
    1e308,
    undefined,
    null,
    1_000_000,
    2 ** 31,
  ]),
  ...values('tokenizer_config.json', '', 'model_max_length', 'E_CONFIG', [0, -1, -1e30, '512', true, [512]]),
  ...values('sentence_bert_config.json', '', 'max_seq_length', 'E_CONFIG', [0, -5, '256', {}, true]),
  ...values('sentence_bert_config.json', '', 'max_seq_length', 'loads', [129, 10_000], { warning: 'W_LENGTH_CLAMPED' }),
  ...values('sentence_bert_config.json', '', 'max_seq_length', 'loads', [2 ** 31, 1e30]), // no limit at all
  ...values('sentence_bert_config.json', '', 'max_seq_length', 'E_CONFIG', [1]), // no room for [CLS] and [SEP]
  ...values('sentence_bert_config.json', '', 'do_lower_case', 'E_CONFIG', ['yes', 0]),
  ...values('sentence_bert_config.json', '', 'config_args', 'E_CONFIG', [{ num_hidden_layers: 1 }, 'x', [1]]),
  ...values('sentence_bert_config.json', '', 'config_args', 'loads', [{ trust_remote_code: true }]), // Python takes it away
  ...values('sentence_bert_config.json', '', 'model_args', 'E_CONFIG', [
    { variant: 'fp16' },
    { gguf_file: '/etc/passwd' },
    7,
  ]),
  ...values('sentence_bert_config.json', '', 'tokenizer_args', 'E_CONFIG', [
    { vocab_file: '/etc/passwd' },
    { tokenizer_file: '/etc/passwd' },
  ]),
  ...values('sentence_bert_config.json', '', 'tokenizer_name_or_path', 'E_CONFIG', ['../other', 'bert-base-uncased']),
  ...values('sentence_bert_config.json', '', 'transformer_task', 'E_CONFIG', ['text-generation', 7]),
  ...values('config_sentence_transformers.json', '', 'similarity_fn_name', 'E_CONFIG', [
    'os.system',
    '__proto__',
    'constructor',
    7,
  ]),
  ...values('config_sentence_transformers.json', '', 'model_type', 'E_CONFIG', [
    'SparseEncoder',
    'CrossEncoder',
    '__proto__',
  ]),
  ...values('config_sentence_transformers.json', '', 'prompts', 'E_CONFIG', [
    'query: ',
    [1],
    { query: 7 },
    { query: ['a'] },
  ]),
  ...values('config_sentence_transformers.json', '', 'prompts', 'loads', [{ constructor: 'a', toString: 'b' }]),
  longPrompt('a default prompt of 900 KB, cut to the 128 positions', 'loads', 128),
  longPrompt('a default prompt of 900 KB for 32,768 positions', 'E_CONFIG', 32_768),
  longPrompt('a default prompt of 900 KB for more positions than any model has', 'E_CONFIG', 300_000),
  ...values('config_sentence_transformers.json', '', 'default_prompt_name', 'E_CONFIG', [
    'absent',
    '__proto__',
    'constructor',
    'toString',
    7,
  ]),
  ...values('config_sentence_transformers.json', '', 'truncate_dim', 'E_CONFIG', [0, -1, 1.5, '8', 65537]),
  ...values('tokenizer_config.json', '', 'auto_map', 'loads', [{ AutoTokenizer: ['evil.Tokenizer', null] }]),
  ...values('tokenizer_config.json', '', 'vocab_file', 'loads', ['../../etc/passwd']),
  ...values('tokenizer_config.json', '', 'tokenizer_file', 'loads', ['/etc/passwd']),
];

const F16_SHARD = 'model-00002-of-00003.safetensors';

const INDEX: readonly Case[] = [
  ...values('model.safetensors.index.json', '', 'weight_map', 'E_CONFIG', [undefined, null, [], 'x', 7]),
  ...values('model.safetensors.index.json', '', 'weight_map', 'E_TENSOR_MISSING', [{}]),
  ...values('model.safetensors.index.json', 'weight_map', 'no.such.tensor', 'E_TENSOR_MISSING', [F16_SHARD]),
  ...values('model.safetensors.index.json', 'weight_map', 'embeddings.LayerNorm.bias', 'E_TENSOR_DUPLICATE', [
    undefined,
  ]),
  ...values('model.safetensors.index.json', 'weight_map', 'embeddings.LayerNorm.bias', 'E_CONFIG', [
    null,
    7,
    [F16_SHARD],
  ]),
  ...values('model.safetensors.index.json', 'weight_map', 'embeddings.LayerNorm.bias', 'E_FILE_MISSING', [
    'model-00004-of-00003.safetensors',
  ]),
  edited('model.safetensors.index.json', '257 shards', 'E_TENSOR_DUPLICATE', ({ weight_map }) => {
    for (let i = 0; i < 257; i++) weight_map[`t${i}`] = `s${i}.safetensors`;
  }),
].map((c): Case => ({ ...c, base: SHARDED }));

export const CONFIGURATION: readonly Case[] = [
  ...JSON_CASES,
  ...CONFIG,
  ...MODULES,
  ...POOLING,
  ...DENSE_CASES,
  ...SETTINGS,
  ...INDEX,
  {
    name: 'a shard that is a copy of another',
    base: SHARDED,
    code: 'E_TENSOR_DUPLICATE',
    make: model => model.write('model-00001-of-00003.safetensors', model.bytes(F16_SHARD)),
  },
];
