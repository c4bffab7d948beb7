/**
 * What the field found at loading, by kind: what changes the computation is honoured or refused by name, what is genuine is
 * read, and a message names the cause. Reference: sentence-transformers 6.0.1 with transformers 5.18.
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  type AnyLoadOptions,
  checkDirectory,
  type ErrorCode,
  type GlassbertError,
  SentenceEncoder,
  type Warning,
} from '../src/index.ts';
import { openModelFiles } from '../src/io/files.ts';
import { serializeSafetensors, type TensorToWrite } from '../src/io/safetensors.ts';
import { describeModel } from '../src/load-model.ts';
import { checkPrompts } from '../src/settings.ts';
import { copyModel, FIXTURES } from './support/model-copy.ts';
import { maxDifference } from './support/numbers.ts';
import { refusal } from './support/refusal.ts';

type Model = ReturnType<typeof copyModel>;

const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:'.concat('0'.repeat(64), '\nsize 95843657\n');

/** A copy of a fixture, after `make`. */
function made(make: (model: Model) => void, name?: string): Model {
  const model = copyModel(name);
  make(model);
  return model;
}

async function load(model: { directory: string }, options: AnyLoadOptions = {}) {
  const warnings: Warning[] = [];
  const encoder = await SentenceEncoder.load(model.directory, {
    kernels: 'reference',
    onWarning: warning => warnings.push(warning),
    ...options,
  });
  return { encoder, report: encoder.report, codes: warnings.map(({ code }) => code), warnings };
}

function refused(code: ErrorCode, model: { directory: string }): Promise<GlassbertError> {
  return refusal(code, () => load(model));
}

const TEXT = 'The weather is lovely today.';
const plain = load({ directory: `${FIXTURES}bert-mean-normalize` }).then(({ encoder }) => encoder.encode(TEXT));

/** Loads, and gives the vector that the fixture gives, to the last bit. */
async function same(model: Model): Promise<Awaited<ReturnType<typeof load>>> {
  const loaded = await load(model);
  expect(await loaded.encoder.encode(TEXT)).toEqual(await plain);
  return loaded;
}

const without = (model: Model, ...files: string[]): void => {
  for (const file of files) model.remove(file);
};

describe('an adapter is never passed over', () => {
  const CONFIG = JSON.stringify({ peft_type: 'LORA', base_model_name_or_path: '/data/base', r: 4, lora_alpha: 8 });
  const adapter = (model: Model, path = ''): void => {
    model.write(`${path}adapter_config.json`, CONFIG);
    model.write(`${path}adapter_model.safetensors`, serializeSafetensors({}));
  };
  const inside = (model: Model): void => {
    mkdirSync(model.path('0_Transformer'));
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
      renameSync(model.path(file), model.path(`0_Transformer/${file}`));
    }
    model.edit('modules.json', json => {
      json[0].path = '0_Transformer';
    });
  };

  test.each<[string, (model: Model) => void, only?: boolean]>([
    ['beside its base', adapter],
    [
      'alone, with the other files of the model',
      model => [adapter(model), without(model, 'config.json', 'model.safetensors')],
      true,
    ],
    [
      'alone in a bare directory',
      model => [adapter(model), without(model, 'config.json', 'model.safetensors', 'modules.json', '1_Pooling')],
      true,
    ],
    ['with the configuration of its base', model => [adapter(model), without(model, 'model.safetensors')], true],
    ['in the directory of the transformer', model => [inside(model), adapter(model, '0_Transformer/')]],
    ['beside modules.json, the transformer in its own directory', model => [inside(model), adapter(model)]],
    [
      'as adapter_model.bin',
      model => [adapter(model), renameSync(model.path('adapter_model.safetensors'), model.path('adapter_model.bin'))],
    ],
  ])('%s', async (_, make, only = false) => {
    const { message, hint } = await refused('E_MODULE', made(make));
    expect(message).toMatch(
      /adapter_config\.json: .+ a LoRA adapter for the base model "\/data\/base".+adapter_model\./,
    );
    expect(message.includes('the directory holds only')).toBe(only);
    expect(hint).toContain('merge_and_unload().save_pretrained(new_directory)');
    expect(hint).not.toContain('Copy the whole model directory');
  });

  test.each([
    ['its configuration alone', 'adapter_config.json', CONFIG],
    ['its configuration malformed', 'adapter_config.json', '{'],
    ['its weights alone', 'adapter_model.safetensors', ''],
    ['of another kind', 'adapter_config.json', '{"peft_type": "IA3"}'],
    ['its configuration a pointer', 'adapter_config.json', LFS],
  ])('%s', async (_, name, content) => {
    const { message, hint } = await refused(
      'E_MODULE',
      made(model => model.write(name, content)),
    );
    expect(message).toContain(name);
    expect(hint).toContain('If the base model alone is wanted, move');
    const { findings } = await checkDirectory(made(model => model.write(name, content)).directory);
    expect(findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(['E_MODULE']);
  });

  test('its weights alone are not applied by Python', async () => {
    const { message } = await refused(
      'E_MODULE',
      made(model => model.write('adapter_model.bin', 'PK')),
    );
    expect(message).toContain('an adapter, without its adapter_config.json; adapters are not applied here');
  });

  test.each([
    [{ peft_type: 'PREFIX_TUNING' }, 'cannot be merged: use another model'],
    [{ peft_type: 'PROMPT_TUNING', base_model_name_or_path: 'a/b' }, 'cannot be merged: use another model'],
    [{ model_class: 'BertAdapterModel', config: { r: 8 } }, 'model.merge_adapter(name)'],
  ])('the remedy is one for %j', async (config, remedy) => {
    const { hint } = await refused(
      'E_MODULE',
      made(model => model.write('adapter_config.json', JSON.stringify(config))),
    );
    expect(hint).toContain(remedy);
    expect(hint).not.toContain('merge_and_unload');
  });
});

describe('a key that changes the computation is refused by name', () => {
  const key = (file: string, name: string, value: unknown) => (model: Model) =>
    model.edit(file, json => {
      json[name] = value;
    });

  test.each([
    ['config.json', 'quantization_config', { quant_method: 'bitsandbytes', load_in_8bit: true }],
    ['config.json', 'quantization_config', { quant_method: 'gptq', bits: 4 }],
    ['config.json', 'transformers_weights', 'other.safetensors'],
    ['config.json', 'per_layer_config', { 0: { hidden_act: 'relu' } }],
    ['config.json', 'pruned_heads', { 1: [0, 2] }],
    ['config.json', 'position_embedding_type', 'relative_key'],
    ['config.json', 'position_embedding_type', 'alibi'],
    ['config.json', 'feed_forward_type', 'geglu'],
    ['sentence_bert_config.json', 'transformer_task', 'fill-mask'],
    ['sentence_bert_config.json', 'module_output_name', 'sentence_embedding'],
    ['sentence_bert_config.json', 'model_args', { variant: 'fp16' }],
    ['sentence_bert_config.json', 'model_kwargs', { quantization_config: { load_in_4bit: true } }],
    ['sentence_bert_config.json', 'config_args', { num_hidden_layers: 1 }],
    ['sentence_bert_config.json', 'processing_kwargs', { text: { max_length: 8 } }],
    ['sentence_bert_config.json', 'tokenizer_name_or_path', '../other'],
    ['sentence_bert_config.json', 'a_key_of_tomorrow', 1],
    ['1_Pooling/config.json', 'a_key_of_tomorrow', 1],
    ['1_Pooling/config.json', 'pooling_mode', 'attention'],
    ['1_Pooling/config.json', 'include_prompt', null],
    ['1_Pooling/config.json', 'pooling_mode', null],
    ['2_Dense/config.json', 'bias', null],
    ['2_Dense/config.json', 'activation_function', null],
    ['2_Dense/config.json', 'module_input_name', null],
    ['sentence_bert_config.json', 'transformer_task', null],
    [
      'sentence_bert_config.json',
      'modality_config',
      {
        text: { method: 'forward', method_output_name: 'last_hidden_state' },
        message: { method: 'forward', method_output_name: 'last_hidden_state', format: 'flat' },
      },
    ],
    ['sentence_bert_config.json', 'query_length', 0],
    ['sentence_bert_config.json', 'document_length', 0],
    ['sentence_bert_config.json', 'query_expansion', false],
    ['sentence_bert_config.json', 'tokenizer_name_or_path', ''],
    ['config_sentence_transformers.json', 'model_type', null],
    ['config_sentence_transformers.json', 'model_type', ''],
    ['config.json', 'is_causal', 0],
    ['config.json', 'layer_norm_eps', null],
    ['config.json', 'hidden_act', null],
    ['config.json', 'hidden_act', 'elu'],
    ['config.json', 'hidden_act', 'softplus'],
    ['config.json', 'type_vocab_size', null],
    ['config.json', 'is_decoder', null],
    ['config.json', 'architectures', 'BertModel'],
  ])('%s: %s', async (file, name, value) => {
    const fixture = file.startsWith('2_Dense') ? 'bert-cls-dense-tanh' : undefined;
    const error = await refused('E_CONFIG', made(key(file, name, value), fixture));
    expect(error.file).toMatch(new RegExp(`${file}$`));
    expect(error.message).toContain(name);
    const { verdict, findings } = await checkDirectory(made(key(file, name, value), fixture).directory);
    expect(verdict).toBe('incomplete');
    expect(findings.find(({ severity }) => severity === 'error')?.message).toContain(name);
  });

  // Python gives TEXT 0.009228 … by itself and 0.067401 …, the vector without the key, beside a longer text.
  test('config.json: is_causal, by which Python computes one text in two ways', async () => {
    const error = await refused('E_ARCHITECTURE', made(key('config.json', 'is_causal', true)));
    expect(error.message).toContain('config.json: "is_causal": true is not supported');
    expect(error.hint).toContain('remove the key');
    await same(made(key('config.json', 'is_causal', false)));
    await same(made(key('config.json', 'is_causal', null)));
  });

  test.each([
    ['config.json', 'quantization_config', null],
    ['config.json', 'pruned_heads', {}],
    ['config.json', 'chunk_size_feed_forward', 4],
    ['config.json', 'tie_word_embeddings', false],
    ['config.json', 'attn_implementation', 'eager'],
    ['config.json', 'output_hidden_states', true],
    ['config.json', 'hidden_dropout_prob', 0.5],
    ['sentence_bert_config.json', 'unpad_inputs', true],
    ['sentence_bert_config.json', 'model_args', { attn_implementation: 'sdpa', trust_remote_code: true }],
    ['sentence_bert_config.json', 'tokenizer_args', { use_fast: false }],
    ['sentence_bert_config.json', 'processing_kwargs', { chat_template: { add_generation_prompt: true } }],
    ['sentence_bert_config.json', 'query_length', null],
  ])('while %s: %s %j changes nothing', async (file, name, value) => {
    await same(made(key(file, name, value)));
  });

  test('nor does an integer that no double holds, of a key that nobody reads', async () => {
    await same(
      made(model =>
        model.write('config.json', model.read('config.json').replace('{', '{"max_length": 1000000000000000000000,')),
      ),
    );
  });

  test('sentence_bert_config.json: the arguments of the tokenizer are followed, or refused by name', async () => {
    const given = (tokenizer_args: object): Model =>
      made(key('sentence_bert_config.json', 'tokenizer_args', tokenizer_args));
    expect((await refused('E_CONFIG', given({ from_slow: true }))).message).toContain('"from_slow"');
    expect((await load(given({ model_max_length: 9 }))).encoder.maxSeqLength).toBe(9);
  });

  test('modules.json: "kwargs" name what encode may pass on, and change nothing', async () => {
    await same(
      made(model =>
        model.edit('modules.json', json => {
          json[0].kwargs = ['task'];
        }),
      ),
    );
  });

  test('modules.json: of two modules of one name Python keeps one', async () => {
    const model = made(copy =>
      copy.edit('modules.json', json => {
        json[2].name = json[1].name;
      }),
    );
    expect((await refused('E_MODULE', model)).message).toContain('"[2].name"');
  });

  test('an empty sentence_bert_config.json leaves the word to its siblings', async () => {
    const model = made(copy => {
      copy.write('sentence_bert_config.json', '{}');
      copy.write('sentence_roberta_config.json', '{"max_seq_length": 9}');
    });
    expect((await load(model)).report.settings.maxSeqLength).toMatchObject({
      value: 9,
      from: { file: 'sentence_roberta_config.json' },
    });
  });
});

describe('a bare directory is made into a model anew', () => {
  const bare = (make: (model: Model) => void = () => {}): Model =>
    made(model => {
      without(model, 'modules.json');
      make(model);
    });

  test('sentence_bert_config.json and config_sentence_transformers.json are not read', async () => {
    const model = bare(copy => copy.write('sentence_bert_config.json', '{"max_seq_length": 7, "do_lower_case": true}'));
    const { report, warnings } = await load(model);
    expect(report.settings.maxSeqLength.value).toBe(128);
    const ignored = warnings.find(({ code }) => code === 'W_FILE_IGNORED');
    expect(ignored?.message).toContain('config_sentence_transformers.json, sentence_bert_config.json');
  });

  // Python makes -0.606699 … of the fixture's -1.082289 … with the first and the second, and fails on the third.
  test.each<[string, (model: Model) => void]>([
    ['chat_template.jinja', model => model.write('chat_template.jinja', '{{ messages }}')],
    [
      'tokenizer_config.json',
      model =>
        model.edit('tokenizer_config.json', json => {
          json.chat_template = '{{ messages }}';
        }),
    ],
    ['additional_chat_templates', model => mkdirSync(model.path('additional_chat_templates'))],
  ])('a chat template, with which Python makes a dialogue of every text, is told: %s', async (file, change) => {
    const { warnings } = await load(bare(change));
    expect(warnings.find(({ code }) => code === 'W_CHAT_TEMPLATE')?.message).toContain(file);
    const { findings } = await checkDirectory(bare(change).directory);
    expect(findings.find(({ code }) => code === 'W_CHAT_TEMPLATE')?.message).toContain(file);
    expect((await same(made(change))).codes).toEqual([]); // with modules.json texts are texts
  });

  test.each([
    [['BertModel'], undefined, 'mean'],
    [['BertForMaskedLM'], undefined, 'mean'],
    [['BertForCausalLM'], undefined, 'lasttoken'],
    [['BertForCausalLM'], false, 'mean'],
    [['BertForCausalLM'], null, 'mean'],
    [['BertForCausalLM', 'BertModel'], undefined, 'lasttoken'],
    [['BertModel', 'BertForCausalLM'], undefined, 'mean'],
  ])('%j, is_causal %j: %s pooling', async (architectures, is_causal, mode) => {
    const model = bare(copy => copy.edit('config.json', json => Object.assign(json, { architectures, is_causal })));
    const { report, warnings } = await load(model);
    expect(report.settings.pooling.value).toEqual([mode]);
    expect(warnings.find(({ code }) => code === 'W_BARE_DIRECTORY')?.message).toContain(`with ${mode} pooling`);
  });
});

describe('dtype: the report says what Python computes in', () => {
  const config = (values: object) => (model: Model) =>
    model.edit('config.json', json => {
      delete json.dtype;
      delete json.torch_dtype;
      Object.assign(json, values);
    });

  test.each<[string, string, string, (model: Model) => void]>([
    ['bfloat16', 'config.json: dtype', 'bert-mean-normalize', config({ dtype: 'bfloat16' })],
    ['float16', 'config.json: torch_dtype', 'bert-mean-normalize', config({ torch_dtype: 'float16' })],
    ['bfloat16', 'config.json: dtype', 'bert-mean-normalize', config({ dtype: 'bfloat16', torch_dtype: 'float16' })],
    ['float64', 'config.json: dtype', 'bert-mean-normalize', config({ dtype: 'double' })],
    ['bfloat16', 'the weights are BF16', 'bert-weights-bf16', config({})],
    ['float16', 'the weights are F16', 'bert-weights-f16', config({ dtype: null })],
    ['float16', 'the weights are F16', 'bert-weights-f16', config({ dtype: 'auto' })],
    [
      'float16',
      'sentence_bert_config.json: model_args.torch_dtype',
      'bert-mean-normalize',
      model =>
        model.edit('sentence_bert_config.json', json => Object.assign(json, { model_args: { torch_dtype: 'half' } })),
    ],
  ])('%s, by %s', async (dtype, from, name, make) => {
    const model = made(make, name);
    const { report, encoder } = await load(model);
    const source = report.dtype.from;
    expect('file' in source ? `${source.file}: ${source.key}` : 'default' in source && source.default).toBe(from);
    expect(report.dtype).toMatchObject({ here: 'float32', python: dtype });
    expect(report.dtype.note).toContain(`in ${dtype}`);
    expect(report.dtype.note).toContain('model_kwargs={"dtype": torch.float32}');
    const fixture = await load({ directory: FIXTURES + name });
    expect(await encoder.encode(TEXT)).toEqual(await fixture.encoder.encode(TEXT)); // in f32, whatever it says
  });

  test.each(['torch.bfloat16', 'fp16', 'int8'])('%s, on which Python fails', async dtype => {
    const { report } = await load(made(config({ dtype })));
    expect(report.dtype).toMatchObject({ here: 'float32', python: dtype });
    expect(report.dtype.note).toContain(`"${dtype}" is no dtype that torch computes a model in: Python fails on it`);
  });

  test('nothing is to be said where both compute in float32, or in float64', async () => {
    expect((await load(made(config({})))).report.dtype).toMatchObject({
      here: 'float32',
      python: 'float32',
      note: null,
    });
    expect((await load(made(config({ dtype: 'float32' }), 'bert-weights-f16'))).report.dtype.note).toBeNull();
    const f64 = made(config({ dtype: 'float64' }));
    expect((await load(f64, { kernels: 'oracle' })).report.dtype).toMatchObject({ here: 'float64', note: null });
  });
});

describe('a cross-encoder or a classifier is embedded with a warning', () => {
  const head = (name: string) => (model: Model) =>
    model.editTensors(all => all.set(name, { dtype: 'F32', shape: [1, 32], data: new Float32Array(32) }));
  const config = (values: object) => (model: Model) => model.edit('config.json', json => Object.assign(json, values));

  test.each<[string, (model: Model) => void]>([
    ['BertForSequenceClassification', config({ architectures: ['BertForSequenceClassification'] })],
    ['BertForTokenClassification', config({ architectures: ['BertForTokenClassification'] })],
    ['BertForQuestionAnswering', config({ architectures: ['BertForQuestionAnswering'] })],
    ['classifier.weight', head('classifier.weight')],
    ['qa_outputs.weight', head('qa_outputs.weight')],
    ['sentence_transformers.activation_fn', config({ sentence_transformers: { activation_fn: 'torch.nn.Sigmoid' } })],
    ['sbert_ce_default_activation_function', config({ sbert_ce_default_activation_function: 'torch.nn.Identity' })],
  ])('%s', async (sign, make) => {
    const { codes, warnings } = await same(made(make));
    expect(codes).toEqual(['W_CROSS_ENCODER']);
    expect(warnings[0].message).toContain(sign);
  });

  test.each([['BertModel'], ['BertForMaskedLM'], ['BertForPreTraining']])('%s is none', async name => {
    expect((await same(made(config({ architectures: [name] })))).codes).toEqual([]);
  });
});

describe('genuine files of any size are read', () => {
  test('60,000 labels in config.json', async () => {
    const id2label = Object.fromEntries(
      Array.from({ length: 60_000 }, (_, i) => [i, `LABEL_${`${i}`.padStart(6, '0')}`]),
    );
    const label2id = Object.fromEntries(Object.entries(id2label).map(([id, label]) => [label, Number(id)]));
    await same(made(model => model.edit('config.json', json => Object.assign(json, { id2label, label2id }))));
  });

  test.each(['config.json', 'tokenizer_config.json'])('%s of 4 MB', async file => {
    await same(made(model => model.edit(file, json => Object.assign(json, { _comment: 'x'.repeat(4 * 2 ** 20) }))));
  });
});

describe('what stays inside the directory is read', () => {
  const moved =
    (path: string, to = path) =>
    (model: Model) => {
      if (to !== '1_Pooling') renameSync(model.path('1_Pooling'), model.path(to));
      model.edit('modules.json', json => {
        json[1].path = path;
      });
    };
  test.each([
    ['./1_Pooling', '1_Pooling'],
    ['1_Pooling/', '1_Pooling'],
    ['.//1_Pooling/.', '1_Pooling'],
    ['1 Pooling', '1 Pooling'],
    ['1_Pooling (copy)', '1_Pooling (copy)'],
    ['pooling+mean', 'pooling+mean'],
    ["l'été, 100%", "l'été, 100%"],
    ['模块/1', '模块'],
  ])('%j', async (path, to) => {
    const model = copyModel();
    if (path === '模块/1') {
      mkdirSync(model.path(to));
      renameSync(model.path('1_Pooling'), model.path('模块/1'));
      model.edit('modules.json', json => {
        json[1].path = path;
      });
    } else moved(path, to)(model);
    await same(model);
  });

  test.each(['.', './', ''])('the transformer in %j', async path => {
    await same(
      made(model =>
        model.edit('modules.json', json => {
          json[0].path = path;
        }),
      ),
    );
  });

  test('a shard with a blank and brackets in its name', async () => {
    const model = copyModel('bert-sharded');
    const [old, name] = ['model-00001-of-00003.safetensors', 'model (1) 00001.safetensors'];
    renameSync(model.path(old), model.path(name));
    model.write('model.safetensors.index.json', model.read('model.safetensors.index.json').replaceAll(old, name));
    const { encoder } = await load(model);
    const fixture = await load({ directory: `${FIXTURES}bert-sharded` });
    expect(await encoder.encode(TEXT)).toEqual(await fixture.encoder.encode(TEXT));
  });
});

describe('a placeholder is named, whatever file it stands for', () => {
  const FILES = [
    'modules.json',
    'config.json',
    '1_Pooling/config.json',
    'sentence_bert_config.json',
    'config_sentence_transformers.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ];
  test.each(FILES)('a Git LFS pointer in place of %s', async file => {
    const { message, hint } = await refused(
      'E_FILE_MISSING',
      made(model => model.write(file, LFS)),
    );
    expect(message).toContain(`${file}: the file itself is not here: found a Git LFS pointer to 95,843,657 bytes`);
    expect(hint).toContain('git lfs pull');
  });

  test.each<[string, string, string, RegExp]>([
    ['vocab.txt', LFS, 'a Git LFS pointer', /git lfs pull/],
    ['modules.json', '<!DOCTYPE html><title>Sign in</title>', 'a web page', /download it again/],
    ['config.json', '\ufeff\n<html><body>404</body></html>', 'a web page', /download it again/],
    ['config.json', `../../blobs/${'0'.repeat(40)}`, 'a link that was copied as text', /cp -rL/],
    [
      'tokenizer.json',
      'version https://hawser.github.com/spec/v1\noid sha256:0\nsize 1\n',
      'a Git LFS pointer',
      /git lfs pull/,
    ],
    ['config.json', `\ufeff${LFS.replaceAll('\n', '\r\n')}`, 'a Git LFS pointer', /git lfs pull/],
    ['tokenizer.json', '<!-- saved from url -->\n<html></html>', 'a web page', /download it again/],
    ['modules.json', '', 'an empty file', /download it again/],
    ['tokenizer.json', '', 'an empty file', /download it again/],
    ['vocab.txt', '', 'an empty file', /download it again/],
    ['sentence_bert_config.json', '', 'an empty file', /download it again/],
    ['config.json', '\0'.repeat(600), 'nothing but zeros', /download it again/],
    ['config.json', 'Entry not found', 'the error message of a server', /download it again/],
    ['config.json', '{"error":"Repository not found"}', 'the error message of a server', /download it again/],
    ['tokenizer.json', 'Access to model a/b is restricted.', 'the error message of a server', /signed in/],
  ])('%s: %s', async (file, content, what, remedy) => {
    const model = made(copy => {
      if (file === 'vocab.txt') without(copy, 'tokenizer.json');
      copy.write(file, content);
    });
    const { message, hint } = await refused('E_FILE_MISSING', model);
    expect(message).toContain(what);
    expect(hint).toMatch(remedy);
  });

  test('in place of the index of shards, and of a shard', async () => {
    const index = made(model => model.write('model.safetensors.index.json', LFS), 'bert-sharded');
    expect((await refused('E_FILE_MISSING', index)).hint).toContain('git lfs pull');
    const shard = made(model => model.write('model-00002-of-00003.safetensors', LFS), 'bert-sharded');
    expect((await refused('E_WEIGHTS_PLACEHOLDER', shard)).hint).toContain('git lfs pull');
    const empty = made(model => model.write('model-00002-of-00003.safetensors', ''), 'bert-sharded');
    expect((await refused('E_WEIGHTS_PLACEHOLDER', empty)).message).toContain('an empty file');
  });
});

describe('why there are no weights', () => {
  const named = (name: string) => (model: Model) => renameSync(model.path('model.safetensors'), model.path(name));
  const instead = (files: Record<string, string>) => (model: Model) => {
    without(model, 'model.safetensors');
    for (const [name, content] of Object.entries(files)) model.write(name, content);
  };

  test.each([
    'model.fp16.safetensors',
    'pytorch_model.safetensors',
    'Model.safetensors',
    'model (1).safetensors',
    'consolidated.safetensors',
    'weights.safetensors',
    'diffusion_pytorch_model.safetensors',
  ])('they are there as %s', async name => {
    const { message, hint } = await refused('E_FILE_MISSING', made(named(name)));
    expect(message).toContain('the weights are there under another name: expected model.safetensors, found ');
    expect(message).toContain(name);
    expect(hint).toContain('rename it to model.safetensors');
  });

  test.each(['onnx', 'openvino', 'coreml'])('there is only %s/', async name => {
    const model = made(copy => {
      without(copy, 'model.safetensors');
      mkdirSync(copy.path(name));
    });
    const { message, hint } = await refused('E_FILE_MISSING', model);
    expect(message).toContain(
      `only those for other programs: expected model.safetensors, or model.safetensors.index.json with its shards, found ${name}`,
    );
    expect(hint).not.toContain('Copy the whole');
  });

  test.each(['model.gguf', 'tf_model.h5', 'model.onnx', 'flax_model.msgpack', 'rust_model.ot', 'model.pt'])(
    'there is only %s',
    async name => {
      expect((await refused('E_FILE_MISSING', made(named(name)))).message).toContain(`found ${name}`);
    },
  );

  test.each<[string, Record<string, string>]>([
    ['the head of SetFit', { 'model_head.pkl': '\x80\x04', 'config_setfit.json': '{}' }],
    ['a training run', { 'rng_state.pth': 'PK', 'scheduler.pt': 'PK', 'training_args.bin': 'PK' }],
    ['a training run on several devices', { 'rng_state_0.pth': 'PK', 'rng_state_1.pth': 'PK', 'optimizer.pt': 'PK' }],
    ['a training run in half precision', { 'optimizer.bin': 'PK', 'scaler.pt': 'PK' }],
    ['a head of another library', { 'model_head.joblib': '\x80\x04' }],
    ['a head of scikit-learn', { 'classifier.joblib': '\x80\x04' }],
    ['the state of a run as accelerate saves it', { 'random_states_0.pkl': '\x80\x04', 'scheduler.bin': 'PK' }],
    ['an optimizer', { 'optimizer.safetensors': '' }],
    ['an index of pickles', { 'pytorch_model.bin.index.json': '{}' }],
  ])('%s is no weights', async (_, files) => {
    const { message, hint, file } = await refused('E_FILE_MISSING', made(instead(files)));
    expect(file).toMatch(/model\.safetensors$/);
    expect(message).toContain(Object.keys(files)[0].replace('config_setfit.json', 'model_head.pkl'));
    expect(hint).toContain('holds no weights');
    expect(hint).not.toContain('SentenceTransformer(directory).save');
  });

  test.each([
    'model.safetensors.txt',
    'model.safetensors.1',
    'model.SAFETENSORS',
    '.model.safetensors.icloud',
    'model-00001-of-00001.safetensors',
  ])('they are there as %s, of one file alone', async name => {
    const { message, hint } = await refused('E_FILE_MISSING', made(named(name)));
    expect(message).toContain(`under another name: expected model.safetensors, found ${name}`);
    expect(hint).toContain('rename it to model.safetensors');
  });

  test('they are there in an archive', async () => {
    const { hint } = await refused('E_FILE_MISSING', made(named('model.safetensors.gz')));
    expect(hint).toBe('Unpack it to model.safetensors.');
  });

  test.each(['weights', '0_Transformer', 'checkpoint-500'])('they lie in %s/', async name => {
    const model = made(copy => {
      mkdirSync(copy.path(name));
      named(`${name}/model.safetensors`)(copy);
    });
    const { message, hint } = await refused('E_FILE_MISSING', model);
    expect(message).toContain(`in a directory below: expected model.safetensors, found ${name}/model.safetensors`);
    expect(hint).toContain(name === 'checkpoint-500' ? 'give the directory of the one that is wanted' : 'copy it here');
  });

  test.each(['global_step100', 'pytorch_model_fsdp_0', '__0_0.distcp', 'pytorch_model_fsdp.bin'])(
    'there are only the pieces of a training run: %s',
    async name => {
      const { message, hint } = await refused('E_FILE_MISSING', made(instead({ [name]: '' })));
      expect(message).toContain(`only the pieces that a training run saved: expected model.safetensors, found ${name}`);
      expect(hint).toContain('merge-weights');
    },
  );

  test('an empty pickle is not worth converting', async () => {
    const { message, hint } = await refused('E_PICKLE_REFUSED', made(instead({ 'pytorch_model.bin': '' })));
    expect(message).toContain('found an empty file');
    expect(hint).not.toContain('SentenceTransformer(directory).save');
  });

  test.each(['pytorch_model.bin', 'pytorch_model-00001-of-00002.bin', 'pytorch_model.fp16.bin'])(
    'a pointer to the pickle %s is not worth fetching',
    async name => {
      const { message, hint } = await refused('E_PICKLE_REFUSED', made(instead({ [name]: LFS })));
      expect(message).toContain('found a Git LFS pointer to 95,843,657 bytes');
      expect(hint).toContain('would be refused too');
      expect(hint).not.toContain('git lfs pull');
    },
  );
});

describe('tensors under a prefix that no model looks for', () => {
  const prefixed = (prefix: string, file?: string) => (model: Model) =>
    model.editTensors(all => {
      for (const [name, tensor] of [...all]) {
        all.delete(name);
        all.set(prefix + name, tensor);
      }
    }, file);

  test.each([
    '_orig_mod.',
    'module.',
    'model.',
    '0.auto_model.',
    'auto_model.',
    '_orig_mod.bert.',
    'module.bert.',
    'encoder.',
    'a/b:',
  ])('%s', async prefix => {
    const { message, hint } = await refused('E_TENSOR_MISSING', made(prefixed(prefix)));
    expect(message).toContain(`all 37 tensors are there under "${prefix}"`);
    expect(hint).toContain(`removeprefix("${prefix}")`);
    expect(hint).not.toContain('of another model');
  });

  test('bert. is the one that models have', async () => {
    expect((await same(made(prefixed('bert.')))).report.weights[0].prefix).toBe('bert.');
  });

  test('with the names of 2019', async () => {
    const { message } = await refused('E_TENSOR_MISSING', made(prefixed('module.'), 'bert-legacy-gamma-beta'));
    expect(message).toContain('all 37 tensors are there under "module."');
  });

  test('with some of them missing', async () => {
    const model = made(copy => {
      prefixed('module.')(copy);
      copy.editTensors(all => all.delete('module.encoder.layer.1.output.dense.bias'));
    });
    expect((await refused('E_TENSOR_MISSING', model)).message).toContain(
      '36 of the 37 missing tensors are there under "module."',
    );
  });

  test('of two encoders neither is guessed', async () => {
    const model = made(copy =>
      copy.editTensors(all => {
        for (const [name, tensor] of [...all]) {
          all.delete(name);
          all.set(`query.${name}`, tensor).set(`doc.${name}`, tensor);
        }
      }),
    );
    const { message, hint } = await refused('E_TENSOR_MISSING', model);
    expect(message).toContain('all 37 tensors are there under "doc." and "query."');
    expect(hint).toContain('several encoders');
  });

  test('half of them', async () => {
    const model = made(copy =>
      copy.editTensors(all => {
        for (const [name, tensor] of [...all].filter((_, i) => i % 2 === 0)) {
          all.delete(name);
          all.set(`module.${name}`, tensor);
        }
      }),
    );
    expect((await refused('E_TENSOR_MISSING', model)).message).toContain(
      'all 19 missing tensors are there under "module."',
    );
  });

  test('that of DPR is looked for in a DPR alone, as in Python', async () => {
    const { message } = await refused('E_TENSOR_MISSING', made(prefixed('ctx_encoder.bert_model.')));
    expect(message).toContain('all 37 tensors are there under "ctx_encoder.bert_model."');
  });

  test('in a Dense module', async () => {
    const model = made(prefixed('0.', '2_Dense/model.safetensors'), 'bert-mean-dense-layernorm');
    expect((await refused('E_TENSOR_MISSING', model)).message).toContain('all 2 tensors are there under "0."');
  });

  test('of the other encoder of DPR', async () => {
    const model = made(
      copy =>
        copy.edit('config.json', json => {
          json.architectures = ['DPRQuestionEncoder'];
        }),
      'dpr-ctx-encoder',
    );
    expect((await refused('E_TENSOR_MISSING', model)).message).toContain('there under "ctx_encoder.bert_model."');
  });
});

describe('a tensor under two names, of which Python keeps one', () => {
  test.each([
    ['embeddings.LayerNorm.weight', 'embeddings.LayerNorm.gamma'],
    ['embeddings.LayerNorm.bias', 'embeddings.LayerNorm.beta'],
    ['encoder.layer.1.output.LayerNorm.weight', 'encoder.layer.1.output.LayerNorm.gamma'],
  ])('%s and %s', async (today, legacy) => {
    const model = made(copy => copy.editTensors(all => all.set(legacy, all.get(today) as TensorToWrite)));
    const { message } = await refused('E_TENSOR_DUPLICATE', model);
    expect(message).toContain(`found "${today}" and "${legacy}"`);
    const { findings } = await checkDirectory(model.directory);
    expect(findings.find(({ code }) => code === 'E_TENSOR_DUPLICATE')?.message).toContain(legacy);
  });

  test('while a LayerNorm after the pooling has no older name', async () => {
    const model = made(
      copy =>
        copy.editTensors(all => {
          all.set('norm.gamma', all.get('norm.weight') as TensorToWrite);
          all.delete('norm.weight');
        }, '3_LayerNorm/model.safetensors'),
      'bert-mean-dense-layernorm',
    );
    expect((await refused('E_TENSOR_MISSING', model)).message).toContain('norm.weight');
  });
});

describe('tensors of another form than a BERT has', () => {
  const QUERY = 'encoder.layer.0.attention.self.query';

  test.each<[ErrorCode, string, RegExp, RegExp]>([
    ['E_MODULE', `${QUERY}.lora_A.default.weight`, /an adapter that is not merged/, /merge_and_unload/],
    ['E_TENSOR_DTYPE', `${QUERY}.weight_scale`, /a quantized model/, /before it was quantized/],
    ['E_TENSOR_DTYPE', `${QUERY}.SCB`, /a quantized model/, /before it was quantized/],
    [
      'E_CONFIG',
      'encoder.layer.0.attention.self.distance_embedding.weight',
      /more tensors than a BERT/,
      /architecture/,
    ],
    ['E_CONFIG', 'encoder.layer.2.output.dense.bias', /"num_hidden_layers": 2/, /not of the same model/],
  ])('%s for one more: %s', async (code, name, what, remedy) => {
    const model = made(copy =>
      copy.editTensors(all => all.set(name, { dtype: 'F32', shape: [1], data: new Uint8Array(4) })),
    );
    const { message, hint } = await refused(code, model);
    expect(message).toMatch(what);
    expect(message).toContain(`found ${name}`);
    expect(hint).toMatch(remedy);
  });

  test.each([
    ['base_layer.weight', /an adapter that is not merged/],
    ['qweight', /a quantized model/],
    ['parametrizations.weight.original0', /remove_parametrizations/],
  ])('in place of a weight: %s', async (name, what) => {
    const model = made(copy =>
      copy.editTensors(all => {
        all.set(`${QUERY}.${name}`, all.get(`${QUERY}.weight`) as TensorToWrite);
        all.delete(`${QUERY}.weight`);
      }),
    );
    const { message, hint } = await refused('E_TENSOR_MISSING', model);
    expect(message).toContain(`1 tensor missing: ${QUERY}.weight`);
    expect(hint).toMatch(what);
    expect((await checkDirectory(model.directory)).counts.errors).toBe(1);
  });

  test.each<[ErrorCode, string, (model: Model) => void]>([
    [
      'E_CONFIG',
      'linear.bias',
      model =>
        model.edit('2_Dense/config.json', json => {
          json.bias = false;
        }),
    ],
    [
      'E_MODULE',
      'linear.lora_A.weight',
      model =>
        model.editTensors(
          all => all.set('linear.lora_A.weight', { dtype: 'F32', shape: [1], data: new Uint8Array(4) }),
          '2_Dense/model.safetensors',
        ),
    ],
  ])('%s for a tensor that a Dense does not have, on which Python fails: %s', async (code, name, make) => {
    const { message } = await refused(code, made(make, 'bert-cls-dense-tanh'));
    expect(message).toContain(
      `2_Dense/model.safetensors: the weights hold tensors that the module does not have: found "${name}"`,
    );
  });

  test('the names of 2019 are read one by one', async () => {
    await same(
      made(copy =>
        copy.editTensors(all => {
          const name = 'encoder.layer.0.output.LayerNorm.weight';
          all.set(name.replace('weight', 'gamma'), all.get(name) as TensorToWrite);
          all.delete(name);
        }),
      ),
    );
  });
});

describe('config.json is that of something else', () => {
  test.each([
    [
      'a Pooling module',
      { word_embedding_dimension: 32, pooling_mode_mean_tokens: true },
      '1_Pooling/config.json again',
    ],
    ['a Pooling module', { embedding_dimension: 32, pooling_mode: 'mean' }, '1_Pooling/config.json again'],
    ['a Dense module', { in_features: 32, out_features: 16, bias: true }, '2_Dense/config.json again'],
    ['a LayerNorm module', { dimension: 32 }, 'config.json again'],
    ['the whole model', { prompts: {}, similarity_fn_name: 'cosine' }, 'config_sentence_transformers.json'],
    ['a Transformer module', { max_seq_length: 128, do_lower_case: false }, 'sentence_bert_config.json'],
    ['a tokenizer', { model_max_length: 128, cls_token: '[CLS]' }, 'tokenizer_config.json'],
    ['a directory of sentence-transformers 0.2 to 1.2', { __version__: '1.2.0' }, '0_Transformer/'],
  ])('%s', async (what, config, remedy) => {
    const model = made(copy => {
      without(copy, '1_Pooling');
      copy.write('config.json', JSON.stringify(config));
    });
    const { message, hint } = await refused('E_CONFIG', model);
    expect(message).toContain(`config.json: this is the configuration of ${what}`);
    expect(hint).toContain(remedy);
  });

  test('while one that only lacks a key is told so', async () => {
    const model = made(copy =>
      copy.edit('config.json', json => {
        delete json.hidden_size;
      }),
    );
    expect((await refused('E_CONFIG', model)).message).toContain('"hidden_size" is missing');
  });
});

describe('one file in the place of another', () => {
  test.each(['1_Pooling', '2_Dense'])('config.json of the transformer in %s', async path => {
    const model = made(copy => copy.write(`${path}/config.json`, copy.read('config.json')), 'bert-cls-dense-tanh');
    const { message, hint } = await refused('E_CONFIG', model);
    expect(message).toContain(
      `${path}/config.json: this is the configuration of a transformer, not that of the module`,
    );
    expect(hint).toContain(`get ${path}/config.json again`);
  });

  test.each(['config.json', 'tokenizer.json', 'modules.json'])('half of %s', async name => {
    const model = made(copy => copy.write(name, copy.read(name).slice(0, 250)));
    expect((await refused('E_JSON', model)).hint).toBe('The file is cut short: copy or download it again.');
    expect((await checkDirectory(model.directory)).verdict).toBe('incomplete');
  });
});

describe('a name of the hub given as a path', () => {
  test.each([
    ['sentence-transformers/all-MiniLM-L6-v2', 'sentence-transformers/all-MiniLM-L6-v2 --local-dir all-MiniLM-L6-v2'],
    ['BAAI/bge-small-en-v1.5/', 'BAAI/bge-small-en-v1.5 --local-dir bge-small-en-v1.5'],
    ['https://huggingface.co/thenlper/gte-base', 'thenlper/gte-base --local-dir gte-base'],
    ['https://huggingface.co/thenlper/gte-base/tree/main?x=1', 'thenlper/gte-base --local-dir gte-base'],
    ['hf.co/thenlper/gte-base/blob/main/config.json', 'thenlper/gte-base --local-dir gte-base'],
    ['hf://models/intfloat/e5-base-v2', 'intfloat/e5-base-v2 --local-dir e5-base-v2'],
    ['BAAI/bge-m3@main', 'BAAI/bge-m3 --local-dir bge-m3'],
    ['models--BAAI--bge-m3', 'BAAI/bge-m3 --local-dir bge-m3'],
    ['hf://intfloat/e5-base-v2', 'intfloat/e5-base-v2 --local-dir e5-base-v2'],
    ['all-MiniLM-L6-v2', 'ORGANIZATION/all-MiniLM-L6-v2 --local-dir all-MiniLM-L6-v2'],
  ])('%s', async (directory, command) => {
    const { hint } = await refused('E_DIRECTORY_MISSING', { directory });
    expect(hint).toContain(`hf download ${command}`);
    expect(hint).toContain('git clone https://huggingface.co/');
  });

  test.each(['/no/such/directory', './models/x', '../x', 'models/a/b', 'model', 'models/x.json', 'a b/c'])(
    '%s is none',
    async directory => {
      const { hint } = await refused('E_DIRECTORY_MISSING', { directory });
      expect(hint).not.toContain('hf download');
    },
  );
});

describe('a directory without weights', () => {
  test.each([
    ['bert-mean-normalize', 32],
    ['bert-mean-dense-layernorm', 24],
    ['bert-concat-pooling', 6 * 32],
  ])('is described: %s', async (name, dimension) => {
    const whole = await load({ directory: FIXTURES + name });
    const model = made(copy => without(copy, 'model.safetensors'), name);
    const described = await describeModel(await openModelFiles(model.directory), {});
    expect(described.dimension).toBe(whole.report.dimension);
    expect(whole.report.dimension).toBe(dimension);
    expect(described.settings).toEqual(whole.report.settings);
    expect(described.tokenizer).toEqual(whole.report.tokenizer);
    expect(described.modules.map(({ type, path }) => [type, path])).toEqual(
      whole.report.modules.map(({ type, path }) => [type, path]),
    );
  });
});

describe('the tokens of a prompt are bounded before they are computed', () => {
  const prompts = (text: string) => ({
    prompts: { value: { p: text }, from: { file: 'config_sentence_transformers.json', key: 'prompts' }, overruled: [] },
  });
  const at = (L: number, H: number) => ({ num_hidden_layers: L, num_attention_heads: H });

  test.each([
    [1, 1, 15_811],
    [12, 12, 1_317],
    [24, 16, 806],
    [512, 256, 512],
  ])('for %i layers of %i heads', async (L, H, most) => {
    const text = 'x'.repeat(100_000);
    checkPrompts(prompts(text), at(L, H), () => most);
    const error = await refusal('E_CONFIG', () => checkPrompts(prompts(text), at(L, H), () => most + 1));
    expect(error.message).toContain('the prompt "p"');
    expect(error.file).toBe('config_sentence_transformers.json');
  });

  test('a short one is not even tokenized', () => {
    checkPrompts(prompts('x'.repeat(510)), at(512, 256), () => expect.fail('it was'));
  });
});

describe('the genuine directories of ../shared (not run where they are absent)', () => {
  const GENUINE = fileURLToPath(new URL('../../shared/cases/genuine/', import.meta.url));
  const cases = existsSync(GENUINE) ? JSON.parse(readFileSync(`${GENUINE}cases.json`, 'utf8')) : {};
  const FLOAT32 = 1e-5; // PyTorch's own error on vectors of length 7

  test.skipIf(!existsSync(GENUINE)).each([
    ['half-precision-config', 'python_float32'],
    ['cross-encoder', 'python'],
  ])('%s gives the vectors of %s', async (name, truth) => {
    const { encoder } = await load({ directory: GENUINE + name });
    const expected = cases[name][truth];
    for (const [i, text] of cases[name].texts.entries()) {
      expect([...encoder.tokenize(text).ids]).toEqual(expected.ids[i]);
      expect(maxDifference((await encoder.encode(text)).data, expected.vectors[i])).toBeLessThan(FLOAT32);
    }
  });

  test.skipIf(!existsSync(GENUINE)).each<[string, ErrorCode, RegExp]>([
    ['lfs-json', 'E_FILE_MISSING', /modules\.json: .+ Git LFS pointer to 349 bytes/],
    ['setfit-head', 'E_FILE_MISSING', /model\.safetensors: .+model_head\.pkl \(the classification head of SetFit\)/],
    ['trainer-checkpoint', 'E_FILE_MISSING', /model\.safetensors: .+rng_state\.pth, scheduler\.pt, training_args\.bin/],
    ['pickle-pointer', 'E_PICKLE_REFUSED', /pytorch_model\.bin: .+ Git LFS pointer to 95,843,657 bytes/],
    ['flattened-config', 'E_CONFIG', /config\.json: this is the configuration of a Pooling module/],
    ['static-stale-template', 'E_MODULE', /found "sentence_transformers\.models\.StaticEmbedding"/],
    ['tokens-without-weights', 'E_FILE_MISSING', /model\.safetensors: the weights are not there/],
  ])('%s ends in %s', async (name, code, message) => {
    expect((await refused(code, { directory: GENUINE + name })).message).toMatch(message);
  });
});
