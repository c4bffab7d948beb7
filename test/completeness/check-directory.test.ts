/**
 * `checkDirectory`: what is whole is said to be whole; each thing that can be wrong, made in a small directory, is told by
 * its code, its file and what to do; and nothing makes the check fail or take long.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CompletenessReport, checkDirectory } from '../../src/completeness/check-directory.ts';
import { parametersOf } from '../../src/completeness/weights.ts';
import { defaultModel, SentenceEncoder } from '../../src/index.ts';
import { copyModel, FIXTURES } from '../support/model-copy.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';

const counts = new Map<string, number>();
const counted = (what: string, by = 1): void => {
  counts.set(what, (counts.get(what) ?? 0) + by);
};

afterAll(() => {
  const lines = [...counts].map(([what, count]) => `  ${what.padEnd(44)} ${`${count}`.padStart(6)}`);
  process.stdout.write(`\ncompleteness, cases by class:\n${lines.join('\n')}\n`);
});

type Model = ReturnType<typeof copyModel>;

function loads({ directory }: Model): Promise<boolean> {
  return SentenceEncoder.load(directory, { kernels: 'reference', onWarning: () => {} }).then(
    () => true,
    () => false,
  );
}

/** Where modules.json is gone loading takes what is left for another kind of directory, if with a warning. */
function isTakenForBare({ findings }: CompletenessReport): boolean {
  const errors = findings.filter(({ severity }) => severity === 'error');
  return errors.some(({ message }) => message.startsWith('the list of modules is not there'));
}

/** The value with one value inside it, or itself, replaced. */
function changeOneValue(value: unknown, pick: <Item>(items: readonly Item[]) => Item): unknown {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.length === 0 || pick([true, false, false])) return pick(OTHER_VALUES);
  const key = pick(keys);
  const changed = changeOneValue((value as Record<string, unknown>)[key], pick);
  return Array.isArray(value) ? value.with(Number(key), changed) : { ...(value as object), [key]: changed };
}

const OTHER_VALUES = [null, true, -1, 0, 1.5, 1e9, '', 'x', [], {}, [null], '../..'];

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {}; // damaged before
  }
}

/** Relative to the fixtures, as copyModel takes it. */
const MINI = '../../../models/glassbert-mini';
const RECORDS = ['SHA256SUMS', 'model.sig'];

// ---------------------------------------------------------------------------------------------------------------------

describe('what is complete', () => {
  test('the model that ships with the project', async () => {
    const report = await checkDirectory(defaultModel());
    expect(report).toMatchObject({ verdict: 'complete', counts: { errors: 0, warnings: 0 }, findings: [] });
    expect(report.works.every(({ works }) => works)).toBe(true);
    expect(report.model).toMatchObject({
      layout: 'Sentence Transformers',
      dimension: 192,
      maxSeqLength: 256,
      pooling: ['mean'],
    });
  });

  const supported = readdirSync(FIXTURES).filter(name => /^(bert|dpr)-/.test(name));
  test.each(supported)('a directory that loads: %s', async name => {
    const report = await checkDirectory(FIXTURES + name);
    expect(report.findings.filter(({ code }) => code !== 'W_BARE_DIRECTORY')).toEqual([]);
    expect(report.verdict).toBe('complete');
    const encoder = await SentenceEncoder.load(FIXTURES + name, { onWarning: () => {} });
    expect(report.model.weights).toEqual(encoder.report.weights);
    expect(report.model).toMatchObject({
      layout: encoder.report.layout,
      architecture: encoder.report.architecture,
      dimension: encoder.dimension,
      maxSeqLength: encoder.maxSeqLength,
      savedBy: encoder.report.savedBy,
    });
    expect(report.files.read.map(file => file.name).sort()).toEqual(encoder.report.files.map(file => file.name).sort());
    counted('complete directories');
  });

  test('the size that is said of missing weights is the size of the weights', async () => {
    for (const name of ['bert-mean-normalize', 'bert-cased', 'dpr-ctx-encoder']) {
      const encoder = await SentenceEncoder.load(FIXTURES + name, { onWarning: () => {} });
      const { hidden_size, ...config } = JSON.parse(readFileSync(`${FIXTURES + name}/config.json`, 'utf8'));
      const { parameters, unused } = encoder.report.weights[0];
      const pooler = unused.some(tensor => tensor.includes('pooler')) ? hidden_size * hidden_size + hidden_size : 0;
      expect(parametersOf({ projection_dim: 0, ...config, hidden_size })).toBe(parameters - pooler);
    }
  });

  test('other files are named by their purpose and do not count', async () => {
    const model = copyModel();
    mkdirSync(model.path('onnx'));
    model.write('onnx/model.onnx', 'x');
    model.write('pytorch_model.bin', 'x');
    model.write('README.md', 'A model.');
    model.write('modeling_custom.py', 'raise');
    model.write('strange.xyz', 'x');
    const { verdict, counts, files } = await checkDirectory(model.directory);
    expect({ verdict, counts }).toEqual({ verdict: 'complete', counts: { errors: 0, warnings: 0, notes: 0 } });
    const byPurpose = Object.fromEntries(files.unused.map(({ purpose, names }) => [purpose, names]));
    expect(byPurpose).toMatchObject({
      'the model for other programs': ['onnx/model.onnx', 'pytorch_model.bin'],
      documentation: ['README.md'],
      'code, which is never run': ['modeling_custom.py'],
      'not known to glassbert': ['strange.xyz'],
    });
  });
});

const CONFORMANCE = fileURLToPath(new URL('../../../shared/conformance/', import.meta.url));
const REAL = fileURLToPath(new URL('../../../shared/real-directory/all-MiniLM-L6-v2', import.meta.url));

describe('what is refused by name (not run where the directories are absent)', () => {
  test.skipIf(!existsSync(CONFORMANCE)).each([
    ['albert-mean', 'config.json', '"albert"'],
    ['distilbert-mean', 'config.json', '"distilbert"'],
    ['electra-mean', 'config.json', '"electra"'],
    ['modernbert-cls', 'config.json', '"modernbert"'],
    ['mpnet-mean-normalize', 'config.json', '"mpnet"'],
    ['roberta-mean-normalize', 'config.json', '"roberta"'],
    ['xlm-roberta-cls-normalize', 'config.json', '"xlm-roberta"'],
    ['static-embedding', 'modules.json', 'static_embedding'],
  ])('%s', async (name, file, found) => {
    const { verdict, findings } = await checkDirectory(CONFORMANCE + name);
    expect(verdict).toBe('incomplete');
    expect(findings[0]).toMatchObject({ severity: 'error', file, message: expect.stringContaining(found) });
    counted('directories of other architectures, refused by name');
  });

  test.skipIf(!existsSync(REAL))('of a genuine directory of 2021 exactly the weights are missing', async () => {
    const report = await checkDirectory(REAL);
    expect(report.verdict).toBe('incomplete');
    const errors = report.findings.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ code, file }) => [code, file])).toEqual([['E_FILE_MISSING', 'model.safetensors']]);
    expect(report.findings).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('22,565,376 parameters: 90.3 MB in F32') }),
    );
    expect(report.works.map(({ works }) => works)).toEqual([false, true, true]);
    expect(report.model).toMatchObject({ maxSeqLength: 256, pooling: ['mean'], vocabulary: 30522, dimension: 384 });
  });
});

// ---------------------------------------------------------------------------------------------------------------------

/** What is wrong, what it is done to, how, and the errors (code and file) and warnings that must come of it. */
interface Rule {
  readonly what: string;
  readonly from?: string;
  readonly make: (model: Model) => void;
  readonly errors?: readonly string[];
  readonly warnings?: readonly string[];
  /** Stands in one of the messages or hints. */
  readonly says: string | RegExp;
  readonly verdict?: 'incomplete' | 'unsafe';
}

const DENSE = 'bert-mean-dense-layernorm';
const SHARDED = 'bert-sharded';
const INDEX = 'model.safetensors.index.json';
const SHARD_2 = 'model-00002-of-00003.safetensors';
const OID = '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize 90868376\n`;

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  'the module graph': [
    {
      what: 'modules.json is missing where the other files of Sentence Transformers are there',
      make: model => model.remove('modules.json'),
      errors: ['E_FILE_MISSING modules.json'],
      says: 'taken for a bare one',
    },
    {
      what: 'modules.json is malformed, and the rest is still checked',
      make: model => {
        model.write('modules.json', '[{"idx": 0,}]');
        model.remove('model.safetensors');
      },
      errors: ['E_JSON modules.json', 'E_FILE_MISSING model.safetensors'],
      says: 'line 1, column 12',
      verdict: 'unsafe',
    },
    {
      what: 'modules.json is no list',
      make: model => model.write('modules.json', '{}'),
      errors: ['E_MODULE modules.json'],
      says: 'an array of 1 to 16 modules',
    },
    {
      what: 'a module of an unknown type',
      make: model =>
        model.edit('modules.json', json => {
          json[2].type = 'os.system';
        }),
      errors: ['E_MODULE modules.json'],
      says: 'os.system',
    },
    {
      what: 'two modules of unknown types, both told',
      from: DENSE,
      make: model =>
        model.edit('modules.json', json => {
          json[2].type = json[3].type = 'custom_st.X';
        }),
      errors: ['E_MODULE modules.json'],
      says: 'custom_st.X',
    },
    {
      what: 'no pooling',
      make: model => model.edit('modules.json', json => json.slice(0, 1)),
      errors: ['E_MODULE modules.json'],
      says: 'no pooling',
    },
    {
      what: 'the modules in the wrong order',
      make: model =>
        model.edit('modules.json', json => {
          [json[1], json[2]] = [json[2], json[1]];
        }),
      errors: ['E_MODULE modules.json', 'E_MODULE modules.json'],
      warnings: ['W_MODULE_NUMBER modules.json', 'W_MODULE_NUMBER modules.json'],
      says: 'in place 1',
    },
    {
      what: 'numbers that do not count',
      make: model =>
        model.edit('modules.json', json => {
          json[2].idx = 5;
        }),
      warnings: ['W_MODULE_NUMBER modules.json'],
      says: '"[2].idx" is 5, expected 2',
    },
    {
      what: 'a number that is an object without a prototype',
      make: model => model.edit('modules.json', json => void Object.assign(json[1], { idx: {} })),
      warnings: ['W_MODULE_NUMBER modules.json'],
      says: '"[1].idx" is {}, expected 1',
    },
    {
      what: 'two modules of one name, of which Python would keep one',
      make: model =>
        model.edit('modules.json', json => {
          json[2].name = '1';
        }),
      errors: ['E_MODULE modules.json'],
      says: 'Python would leave out',
    },
    {
      what: 'a path that leads out of the directory',
      make: model =>
        model.edit('modules.json', json => {
          json[1].path = '../1_Pooling';
        }),
      errors: ['E_PATH_UNSAFE modules.json'],
      says: '../1_Pooling',
      verdict: 'unsafe',
    },
    {
      what: 'the directory of a module is missing',
      from: DENSE,
      make: model => model.remove('2_Dense'),
      errors: ['E_FILE_MISSING 2_Dense/config.json'],
      says: 'the module Dense is not there',
    },
    {
      what: 'the weights of a module are missing',
      from: DENSE,
      make: model => model.remove('3_LayerNorm/model.safetensors'),
      errors: ['E_FILE_MISSING 3_LayerNorm/model.safetensors'],
      says: 'model.safetensors',
    },
    {
      what: 'a width that does not follow from the module before',
      from: DENSE,
      make: model => model.edit('3_LayerNorm/config.json', json => void Object.assign(json, { dimension: 32 })),
      errors: ['E_MODULE 3_LayerNorm/config.json'],
      says: 'expected 24, found 32',
    },
    {
      what: 'a width and missing weights, both told',
      from: DENSE,
      make: model => {
        model.edit('2_Dense/config.json', json => void Object.assign(json, { in_features: 31 }));
        model.remove('2_Dense/model.safetensors');
      },
      errors: ['E_FILE_MISSING 2_Dense/model.safetensors', 'E_MODULE 2_Dense/config.json'],
      says: 'expected 32, found 31',
    },
    {
      what: 'an activation that is a path to code',
      from: DENSE,
      make: model =>
        model.edit('2_Dense/config.json', json => void Object.assign(json, { activation_function: 'torch.load' })),
      errors: ['E_CONFIG 2_Dense/config.json'],
      says: 'torch.load',
    },
  ],
  configuration: [
    {
      what: 'no model at all',
      make: model => {
        for (const name of readdirSync(model.directory)) model.remove(name);
      },
      errors: [
        'E_FILE_MISSING .',
        'E_FILE_MISSING config.json',
        'E_FILE_MISSING tokenizer.json',
        'E_FILE_MISSING model.safetensors',
      ],
      says: 'this directory holds no model',
    },
    {
      what: 'config.json is missing',
      make: model => model.remove('config.json'),
      errors: ['E_FILE_MISSING config.json'],
      says: 'the configuration of the module Transformer is not there',
    },
    {
      what: 'config.json in upper case, as Windows may have made it',
      make: model => renameSync(model.path('config.json'), model.path('Config.json')),
      errors: ['E_FILE_MISSING config.json'],
      says: 'There is Config.json: give it the exact name',
    },
    {
      what: 'another architecture',
      make: model => model.edit('config.json', json => void Object.assign(json, { model_type: 'llama' })),
      errors: ['E_ARCHITECTURE config.json'],
      says: '"llama"',
    },
    {
      what: 'a billion layers',
      make: model => model.edit('config.json', json => void Object.assign(json, { num_hidden_layers: 1e9 })),
      errors: ['E_CONFIG config.json'],
      says: 'an integer from 0 to 512, found 1000000000',
    },
    {
      what: 'code that comes with the model',
      make: model =>
        model.edit('config.json', json => void Object.assign(json, { auto_map: { AutoModel: 'modeling.X' } })),
      warnings: ['W_CODE_IGNORED config.json'],
      says: 'It is not run.',
    },
    {
      what: 'a default prompt that is not among the prompts',
      make: model =>
        model.edit(
          'config_sentence_transformers.json',
          json => void Object.assign(json, { default_prompt_name: 'qury' }),
        ),
      errors: ['E_CONFIG config_sentence_transformers.json'],
      says: 'the string "qury"',
    },
    {
      what: 'one problem in each of three files of settings, all told',
      make: model => {
        model.edit(
          'config_sentence_transformers.json',
          json => void Object.assign(json, { default_prompt_name: 'qury' }),
        );
        model.edit('sentence_bert_config.json', json => void Object.assign(json, { max_seq_length: 0 }));
        model.edit('1_Pooling/config.json', json => void Object.assign(json, { word_embedding_dimension: 33 }));
      },
      errors: [
        'E_CONFIG config_sentence_transformers.json',
        'E_CONFIG sentence_bert_config.json',
        'E_MODULE 1_Pooling/config.json',
      ],
      says: 'expected 32',
    },
    {
      what: 'more tokens than positions',
      make: model =>
        model.edit('sentence_bert_config.json', json => void Object.assign(json, { max_seq_length: 4096 })),
      warnings: ['W_LENGTH_CLAMPED .'],
      says: '4096',
    },
  ],
  weights: [
    {
      what: 'the weights are missing',
      make: model => model.remove('model.safetensors'),
      errors: ['E_FILE_MISSING model.safetensors'],
      says: 'the weights are not there',
    },
    {
      what: 'there is only pytorch_model.bin',
      make: model => renameSync(model.path('model.safetensors'), model.path('pytorch_model.bin')),
      errors: ['E_PICKLE_REFUSED pytorch_model.bin'],
      says: 'a pickle is a program',
    },
    {
      what: 'one file and an index, of which the index is ignored',
      from: SHARDED,
      make: model => copyFileSync(`${FIXTURES}bert-mean-normalize/model.safetensors`, model.path('model.safetensors')),
      warnings: [`W_WEIGHTS_TWICE ${INDEX}`],
      says: 'comes first, here as in transformers',
    },
    {
      what: 'two shards are missing, both told',
      from: SHARDED,
      make: model => {
        model.remove('model-00001-of-00003.safetensors');
        model.remove('model-00003-of-00003.safetensors');
      },
      errors: ['E_FILE_MISSING model-00001-of-00003.safetensors', 'E_FILE_MISSING model-00003-of-00003.safetensors'],
      says: 'there is no such file',
    },
    {
      what: 'a shard that the index does not list',
      from: SHARDED,
      make: model =>
        model.edit(INDEX, ({ weight_map }) => {
          for (const [tensor, shard] of Object.entries(weight_map)) if (shard === SHARD_2) delete weight_map[tensor];
        }),
      errors: [`E_TENSOR_MISSING ${INDEX}`],
      warnings: [`W_TOTAL_SIZE ${INDEX}`],
      says: 'tensors missing',
    },
    {
      what: 'the index lists a tensor that is nowhere, and puts one in another shard',
      from: SHARDED,
      make: model =>
        model.edit(INDEX, ({ weight_map }) => {
          weight_map.extra = SHARD_2;
          weight_map['embeddings.LayerNorm.bias'] = 'model-00001-of-00003.safetensors';
        }),
      errors: [`E_TENSOR_MISSING ${INDEX}`, `E_TENSOR_MISSING ${INDEX}`],
      says: 'found nowhere',
    },
    {
      what: 'the index leaves a tensor out that a shard holds',
      from: SHARDED,
      make: model => model.edit(INDEX, json => void delete json.weight_map['embeddings.LayerNorm.bias']),
      errors: [`E_TENSOR_DUPLICATE ${SHARD_2}`],
      says: 'in a shard but not in the index',
    },
    {
      what: 'one tensor in two shards',
      from: SHARDED,
      make: model =>
        model.editTensors(
          tensors =>
            tensors.set('embeddings.LayerNorm.bias', { dtype: 'F32', shape: [32], data: new Float32Array(32) }),
          'model-00003-of-00003.safetensors',
        ),
      errors: ['E_TENSOR_DUPLICATE model-00003-of-00003.safetensors'],
      says: 'in two shards',
    },
    {
      what: 'an index whose total size is not the sum',
      from: SHARDED,
      make: model => model.edit(INDEX, json => void json.metadata.total_size++),
      warnings: [`W_TOTAL_SIZE ${INDEX}`],
      says: /"metadata.total_size" is \d+, the tensors have \d+ bytes/,
    },
    {
      what: 'a shard outside of the directory',
      from: SHARDED,
      make: model =>
        model.edit(INDEX, json => {
          json.weight_map['embeddings.LayerNorm.bias'] = '../../x.safetensors';
        }),
      errors: [`E_PATH_UNSAFE ${INDEX}`],
      says: '../../x.safetensors',
      verdict: 'unsafe',
    },
    {
      what: 'a file that ends too early',
      make: model => truncateSync(model.path('model.safetensors'), 100_000),
      errors: ['E_SAFETENSORS model.safetensors'],
      says: 'cut short',
    },
    {
      what: 'something after the tensors',
      make: model => appendFileSync(model.path('model.safetensors'), 'PK'),
      errors: ['E_SAFETENSORS model.safetensors'],
      says: 'Something was added',
      verdict: 'unsafe',
    },
    {
      what: 'tensors that are missing, of another shape and of another dtype, all told',
      make: model =>
        model.editTensors(tensors => {
          tensors.delete('embeddings.LayerNorm.bias');
          tensors.set('embeddings.LayerNorm.weight', { dtype: 'F32', shape: [33], data: new Float32Array(33) });
          tensors.set('encoder.layer.0.output.dense.bias', { dtype: 'I32', shape: [32], data: new Int32Array(32) });
        }),
      errors: [
        'E_TENSOR_DTYPE model.safetensors',
        'E_TENSOR_MISSING model.safetensors',
        'E_TENSOR_SHAPE model.safetensors',
      ],
      says: 'expected [32], found [33]',
    },
    {
      what: 'a layer more than the configuration counts',
      make: model => model.edit('config.json', json => void json.num_hidden_layers--),
      errors: ['E_CONFIG model.safetensors'],
      says: '"num_hidden_layers": 1',
    },
    {
      what: 'a tensor that nothing uses',
      make: model =>
        model.editTensors(tensors => tensors.set('adapter', { dtype: 'F32', shape: [1], data: new Float32Array(1) })),
      warnings: ['W_TENSORS_UNUSED .'],
      says: 'adapter',
    },
  ],
  tokenizer: [
    {
      what: 'no tokenizer, and weights that do not fit: both told',
      make: model => {
        model.remove('tokenizer.json');
        model.edit('config.json', json => void json.intermediate_size++);
      },
      errors: ['E_FILE_MISSING tokenizer.json', 'E_TENSOR_SHAPE model.safetensors'],
      says: 'expected tokenizer.json, or vocab.txt',
    },
    {
      what: 'an id without a row in the embedding table',
      make: model =>
        model.edit('tokenizer.json', json => {
          json.model.vocab.zzz = 600;
        }),
      errors: ['E_TOKENIZER tokenizer.json'],
      says: 'an id of 600',
    },
    {
      what: 'a row without a token, which is common and noted',
      make: model =>
        model.edit('tokenizer.json', ({ model: { vocab } }) => {
          for (const [token, id] of Object.entries(vocab)) if (id === 599) delete vocab[token];
        }),
      says: '1 more rows than the tokenizer has ids',
    },
    {
      what: 'two tokens that have changed places in tokenizer.json',
      from: MINI,
      make: model =>
        model.edit('tokenizer.json', ({ model: { vocab } }) => {
          [vocab.the, vocab.of] = [vocab.of, vocab.the];
        }),
      errors: ['E_TOKENIZER vocab.txt'],
      says: /"the" is \d+ in tokenizer\.json and \d+ here/,
    },
    {
      what: 'a vocab.txt with a line less',
      from: MINI,
      make: model => model.write('vocab.txt', readFileSync(model.path('vocab.txt'), 'utf8').replace(/.*\n$/, '')),
      errors: ['E_TOKENIZER vocab.txt'],
      says: 'and not here',
    },
    {
      what: 'a special token that the vocabulary lacks',
      from: MINI,
      make: model => model.edit('special_tokens_map.json', json => void Object.assign(json, { sep_token: '</s>' })),
      errors: ['E_TOKENIZER special_tokens_map.json'],
      warnings: ['W_SPECIAL_TOKENS special_tokens_map.json'],
      says: '"</s>"',
    },
    {
      what: 'special tokens that differ from file to file',
      from: MINI,
      make: model =>
        model.edit('special_tokens_map.json', json => void Object.assign(json, { sep_token: { content: '[CLS]' } })),
      warnings: ['W_SPECIAL_TOKENS special_tokens_map.json'],
      says: '"sep_token" is "[CLS]", in tokenizer_config.json "[SEP]"',
    },
    {
      what: 'added tokens with other ids in tokenizer_config.json',
      from: MINI,
      make: model =>
        model.edit('tokenizer_config.json', ({ added_tokens_decoder: decoder }) => {
          [decoder[2], decoder[3]] = [decoder[3], decoder[2]];
        }),
      errors: ['E_TOKENIZER tokenizer_config.json'],
      says: 'added_tokens_decoder',
    },
    {
      what: 'a template that puts [SEP] in with the id of another token',
      make: model =>
        model.edit('tokenizer.json', json => {
          const specials = json.post_processor.special_tokens;
          if (specials) specials['[SEP]'].ids = [5];
          else json.post_processor.sep[1] = 5;
        }),
      errors: ['E_TOKENIZER tokenizer.json'],
      says: '"[SEP]" with another id',
    },
    {
      what: 'a malformed tokenizer_config.json beside a malformed tokenizer.json, both told',
      make: model => {
        model.write('tokenizer_config.json', "{'a': 1}");
        model.write('tokenizer.json', '{"a": NaN}');
      },
      errors: ['E_JSON tokenizer.json', 'E_JSON tokenizer_config.json'],
      says: 'NaN and Infinity are Python',
      verdict: 'unsafe',
    },
  ],
  placeholders: [
    {
      what: 'a pointer of Git LFS instead of the weights',
      make: model => model.write('model.safetensors', POINTER),
      errors: ['E_WEIGHTS_PLACEHOLDER model.safetensors'],
      says: `for a file of 90,868,376 bytes with SHA-256 ${OID}`,
    },
    {
      what: 'a pointer of Git LFS instead of tokenizer.json, which is no malformed JSON',
      make: model => model.write('tokenizer.json', POINTER),
      errors: ['E_FILE_MISSING tokenizer.json'],
      says: 'git lfs pull',
    },
    {
      what: 'a pointer of Git LFS in a file that is not needed',
      make: model => {
        mkdirSync(model.path('onnx'));
        model.write('onnx/model.onnx', POINTER);
      },
      warnings: ['W_PLACEHOLDER onnx/model.onnx'],
      says: 'It is not needed here.',
    },
    {
      what: 'a web page instead of config.json',
      make: model => model.write('config.json', `<!DOCTYPE html><html>${'x'.repeat(5000)}</html>`),
      errors: ['E_FILE_MISSING config.json'],
      says: 'A login or error page',
    },
    {
      what: 'empty weights',
      make: model => model.write('model.safetensors', ''),
      errors: ['E_WEIGHTS_PLACEHOLDER model.safetensors'],
      says: 'The file is empty.',
    },
    {
      what: 'an empty modules.json',
      make: model => model.write('modules.json', ''),
      errors: ['E_FILE_MISSING modules.json'],
      says: 'The file is empty.',
    },
    {
      what: 'a download that did not end',
      make: model => renameSync(model.path('model.safetensors'), model.path('model.safetensors.incomplete')),
      errors: ['E_WEIGHTS_PLACEHOLDER model.safetensors'],
      warnings: ['W_LEFTOVER model.safetensors.incomplete'],
      says: 'a download that did not end',
    },
  ],
  'names, links and special files': [
    {
      what: 'two names that differ in case',
      make: model => {
        model.write('notes.txt', 'a');
        model.write('Notes.txt', 'b');
      },
      warnings: ['W_NAME_COLLISION notes.txt'],
      says: 'in upper and lower case only',
    },
    {
      what: 'one name in two forms of Unicode',
      make: model => {
        model.write('caf\u00e9.md', 'a');
        model.write('cafe\u0301.md', 'b');
      },
      warnings: ['W_NAME_COLLISION caf\u00e9.md', 'W_NAME_FORM cafe\u0301.md'],
      says: 'in the form of Unicode only',
    },
    {
      what: 'names that Windows does not allow or changes',
      make: model => {
        for (const name of ['aux.txt', 'end.', 'a:b', 'what?', 'tab\there']) model.write(name, 'x');
      },
      warnings: ['a:b', 'aux.txt', 'end.', 'tab\\u{9}here', 'what?'].map(name => `W_NAME_NOT_PORTABLE ${name}`),
      says: 'is that of a device on Windows',
    },
    {
      what: 'a name too long for Windows',
      make: model => model.write('x'.repeat(220), 'x'),
      warnings: [`W_NAME_NOT_PORTABLE ${'x'.repeat(220)}`],
      says: 'longer than 200',
    },
    {
      what: 'a needed file that is a link out of the directory',
      make: model => {
        renameSync(model.path('config.json'), join(model.parent, 'config.json'));
        symlinkSync('../config.json', model.path('config.json'));
      },
      errors: ['E_PATH_UNSAFE config.json'],
      says: 'Put the file itself in its place.',
      verdict: 'unsafe',
    },
    {
      what: 'any link out of the directory',
      make: model => symlinkSync('/etc/passwd', model.path('users.txt')),
      errors: ['E_PATH_UNSAFE users.txt'],
      says: 'a link leads out of the model directory',
      verdict: 'unsafe',
    },
    {
      what: 'a link to itself',
      make: model => symlinkSync('loop', model.path('loop')),
      errors: ['E_PATH_UNSAFE loop'],
      says: 'leads to itself',
      verdict: 'unsafe',
    },
    {
      what: 'the weights are a link to nowhere',
      make: model => {
        model.remove('model.safetensors');
        symlinkSync('blob', model.path('model.safetensors'));
      },
      errors: ['E_FILE_MISSING model.safetensors'],
      says: 'the weights are not there',
    },
    {
      what: 'any link to nowhere',
      make: model => symlinkSync('nowhere', model.path('LICENSE')),
      warnings: ['W_LINK_BROKEN LICENSE'],
      says: 'leads nowhere',
    },
    {
      what: 'a pipe, which nothing waits for',
      make: model => execFileSync('mkfifo', [model.path('pipe')]),
      errors: ['E_FILE_TYPE pipe'],
      says: 'Copying it may hang.',
      verdict: 'unsafe',
    },
    {
      what: 'a directory in the place of a file',
      make: model => {
        model.remove('config.json');
        mkdirSync(model.path('config.json'));
      },
      errors: ['E_FILE_TYPE config.json'],
      says: 'a directory',
      verdict: 'unsafe',
    },
  ],
};

describe.each(Object.entries(RULES))('%s', (group, rules) => {
  test.each(rules)('$what', async ({ from, make, errors = [], warnings = [], says, verdict }) => {
    const model = copyModel(from);
    if (from === MINI) for (const record of RECORDS) rmSync(model.path(record), { force: true }); // evidence.test.ts
    make(model);
    const report = await checkDirectory(model.directory);
    const of = (severity: string): string[] =>
      report.findings.filter(finding => finding.severity === severity).map(({ code, file }) => `${code} ${file}`);
    expect(of('error').sort()).toEqual([...errors].sort());
    expect(of('warning').sort()).toEqual([...warnings].sort());
    expect(report.verdict).toBe(errors.length === 0 ? 'complete' : (verdict ?? 'incomplete'));
    const said = report.findings.map(({ message, hint }) => `${message}\n${hint}`).join('\n');
    if (typeof says === 'string') expect(said).toContain(says);
    else expect(said).toMatch(says);
    counted(`rules: ${group}`);

    if (!isTakenForBare(report)) expect(await loads(model)).toBe(report.works[0].works);
  });
});

// ---------------------------------------------------------------------------------------------------------------------

describe('properties', () => {
  test.each([MINI, DENSE, SHARDED, 'dpr-ctx-encoder', 'bert-native-save'])(
    'of %s any file that loading reads may go, and is named',
    async name => {
      const whole = await checkDirectory(FIXTURES + name);
      expect(whole.verdict).toBe('complete');
      for (const { name: file } of whole.files.read) {
        if (file === '2_Normalize/config.json') continue; // of no consequence, and absent from most directories
        const model = copyModel(name);
        model.remove(file);
        const { findings } = await checkDirectory(model.directory);
        expect(
          findings.map(finding => finding.file),
          file,
        ).toContain(file);
        counted('one file removed');
      }
    },
  );

  const FLIPS: readonly [string, string, string, number][] = [
    ['bert-mean-normalize', 'config.json', 'vocab_size', 599],
    ['bert-mean-normalize', 'config.json', 'hidden_size', 36],
    ['bert-mean-normalize', 'config.json', 'num_hidden_layers', 1],
    ['bert-mean-normalize', 'config.json', 'num_hidden_layers', 3],
    ['bert-mean-normalize', 'config.json', 'num_attention_heads', 5],
    ['bert-mean-normalize', 'config.json', 'intermediate_size', 65],
    ['bert-mean-normalize', 'config.json', 'max_position_embeddings', 127],
    ['bert-mean-normalize', 'config.json', 'type_vocab_size', 1],
    ['bert-mean-normalize', 'config.json', 'layer_norm_eps', 1],
    ['bert-mean-normalize', 'sentence_bert_config.json', 'max_seq_length', 129],
    ['bert-mean-normalize', '1_Pooling/config.json', 'word_embedding_dimension', 31],
    [DENSE, '2_Dense/config.json', 'in_features', 33],
    [DENSE, '2_Dense/config.json', 'out_features', 25],
    [DENSE, '3_LayerNorm/config.json', 'dimension', 23],
    ['dpr-ctx-encoder', 'config.json', 'hidden_size', 64],
  ];
  test.each(FLIPS)('of %s, %s, "%s" cannot be %d unnoticed', async (name, file, key, value) => {
    const model = copyModel(name);
    model.edit(file, json => {
      expect(json[key]).not.toBe(value);
      json[key] = value;
    });
    const { findings } = await checkDirectory(model.directory);
    expect(findings.filter(({ code, severity }) => severity !== 'note' && code !== 'W_BARE_DIRECTORY')).not.toEqual([]);
    counted('one number changed');
  });

  test('whatever a directory holds, there is a report, and it says truly whether the directory loads', {
    timeout: 60_000,
  }, async () => {
    const { integer, pick } = random(20261124);
    for (let round = 0; round < 100; round++) {
      const model = copyModel(pick([SHARDED, DENSE, 'bert-prompts', 'dpr-ctx-encoder']));
      const names = readdirSync(model.directory, { recursive: true, encoding: 'utf8' }).filter(
        name => /\.(json|safetensors)$/.test(name) && !name.startsWith('expected'),
      );
      for (let damages = 1 + integer(3); damages > 0; damages--) {
        const name = pick(names);
        if (!existsSync(model.path(name))) continue;
        const bytes = readFileSync(model.path(name));
        switch (integer(6)) {
          case 0:
            model.write(name, bytes.subarray(0, integer(bytes.length)));
            break;
          case 1:
            bytes[integer(Math.min(bytes.length, 2000))] = integer(256);
            model.write(name, bytes);
            break;
          case 2:
            model.write(name, pick(['', '{}', '[]', 'null', '[{}]', '[[]]', '{"a": {}}', '"x"', '\0\0', '[null, 1]']));
            break;
          case 3:
            model.remove(name);
            break;
          default:
            if (name.endsWith('.json')) model.write(name, JSON.stringify(changeOneValue(parse(bytes), pick)));
        }
      }
      const report = await checkDirectory(model.directory);
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
      for (const { message, file } of report.findings) expect(message + file).not.toMatch(/\p{Cc}/u);
      if (!isTakenForBare(report)) {
        expect(await loads(model), JSON.stringify(report.findings)).toBe(report.works[0].works);
      }
      rmSync(model.parent, { recursive: true });
      mkdirSync(model.parent); // removed again by copyModel
      counted('random damage');
    }
  });

  test.each([
    ['E_DIRECTORY_MISSING', '/no/such/directory'],
    ['E_NOT_A_DIRECTORY', `${FIXTURES}bert-sharded/config.json`],
    ['E_ARGUMENT', 5 as unknown as string],
  ] as const)('what is no directory is refused: %s', async (code, directory) => {
    await refusal(code, () => checkDirectory(directory));
  });
});

describe('bounds', () => {
  test('10,000 files, half of them with names that Windows does not allow, take seconds and make no long report', {
    timeout: 60_000,
  }, async () => {
    const model = copyModel();
    for (let d = 0; d < 100; d++) {
      mkdirSync(model.path(`d${d}`));
      for (let f = 0; f < 100; f++) writeFileSync(model.path(`d${d}/${f}${d % 2 ? '?' : '.json'}`), '');
    }
    const start = performance.now();
    const report = await checkDirectory(model.directory);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(report.verdict).toBe('complete');
    expect(report.unlisted).toMatchObject({ W_NAME_NOT_PORTABLE: 4_980 });
    expect(JSON.stringify(report).length).toBeLessThan(50_000);
  });

  test('a header of 100,000 tensors takes a few seconds and no memory for them', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'glassbert-'));
    onTestFinished(() => rmSync(parent, { recursive: true }));
    cpSync(`${FIXTURES}bert-mean-normalize`, parent, { recursive: true });
    const tensors: Record<string, object> = {};
    for (let t = 0; t < 100_000; t++) tensors[`t${t}`] = { dtype: 'F32', shape: [0], data_offsets: [0, 0] };
    const header = Buffer.from(JSON.stringify(tensors));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(join(parent, 'model.safetensors'), Buffer.concat([length, header]));
    const start = performance.now();
    const report = await checkDirectory(parent);
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(report.findings.map(({ code }) => code)).toContain('E_TENSOR_MISSING');
  });

  test('a configuration of the largest sizes allocates nothing', async () => {
    const model = copyModel();
    model.edit('config.json', json => {
      Object.assign(json, {
        hidden_size: 16384,
        num_hidden_layers: 512,
        intermediate_size: 65536,
        vocab_size: 2_000_000,
      });
    });
    const before = process.memoryUsage();
    const start = performance.now();
    const { findings } = await checkDirectory(model.directory);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(50e6);
    expect(findings.map(({ code }) => code)).toContain('E_TENSOR_MISSING');
  });
});
