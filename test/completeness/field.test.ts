/**
 * Situations from the field, by kind: what check says first, what it tells to do, and what it must not say, as that would send
 * somebody into the next error. The directories as they were found are checked where they are (../shared/cases).
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkDirectory } from '../../src/completeness/check-directory.ts';
import { glassbert } from '../cli/run.ts';
import { copyModel, prefixTensors, writeVocabTxt } from '../support/model-copy.ts';

type Model = ReturnType<typeof copyModel>;

interface Situation {
  readonly what: string;
  readonly from?: string;
  readonly make: (model: Model) => void;
  /** All errors, code and file; none for a complete directory. */
  readonly errors: readonly string[];
  /** Stand in what is printed. */
  readonly says?: readonly string[];
  readonly never?: readonly string[];
}

const DENSE = 'bert-mean-dense-layernorm';
const BARE = 'bert-bare-directory';
const MISSING = 'E_FILE_MISSING model.safetensors';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 95843657\n`;

/** A directory in which these files stand instead of the weights. */
const instead =
  (...names: readonly string[]) =>
  (model: Model): void => {
    model.remove('model.safetensors');
    for (const name of names) model.write(name, 'x');
  };

const renamed =
  (name: string) =>
  (model: Model): void =>
    renameSync(model.path('model.safetensors'), model.path(name));

const adapter = (model: Model): void => {
  model.write('adapter_config.json', '{"peft_type": "LORA", "base_model_name_or_path": "me/base", "r": 8}');
  model.write('adapter_model.safetensors', 'x');
};

/** The configuration of a module in the place of the transformer's, and nothing left of the module. */
const flattened =
  (module: string) =>
  (model: Model): void => {
    model.write('config.json', model.read(`${module}/config.json`));
    model.remove(`${module}/config.json`);
  };

/** vocab.txt in the place of tokenizer.json, each line with this end. */
const vocabTxt =
  (end: string) =>
  (model: Model): void => {
    writeVocabTxt(model, end);
    model.remove('tokenizer.json');
    model.edit('tokenizer_config.json', json => void Object.assign(json, { tokenizer_class: 'BertTokenizer' }));
  };

/** Takes the tokens of these ids away. */
const leaveOut =
  (...gone: readonly number[]) =>
  (model: Model): void =>
    model.edit('tokenizer.json', ({ model: { vocab } }) => {
      for (const token of Object.keys(vocab)) if (gone.includes(vocab[token])) delete vocab[token];
    });

const firstModule =
  (type: string) =>
  (model: Model): void =>
    model.edit('modules.json', json => [{ ...json[0], type }]);

const PICKLE_HINTS = ['SentenceTransformer(directory).save', 'a pickle is a program'];

const KINDS: Readonly<Record<string, readonly Situation[]>> = {
  'files of training are no weights': [
    {
      what: 'a checkpoint of a trainer',
      make: instead('rng_state.pth', 'scheduler.pt', 'training_args.bin'),
      errors: [MISSING],
      says: ['rng_state.pth', 'the state of a training run'],
      never: PICKLE_HINTS,
    },
    {
      what: 'optimizer and scaler',
      make: instead('optimizer.pt', 'scaler.pt'),
      errors: [MISSING],
      says: ['optimizer.pt'],
      never: PICKLE_HINTS,
    },
    {
      what: 'of several processes',
      make: instead('rng_state_0.pth', 'rng_state_1.pth', 'optimizer.bin'),
      errors: [MISSING],
      says: ['rng_state_0.pth'],
      never: PICKLE_HINTS,
    },
    {
      what: 'the head of SetFit',
      make: instead('model_head.pkl', 'config_setfit.json'),
      errors: [MISSING],
      says: ['the classification head of SetFit'],
      never: PICKLE_HINTS,
    },
    {
      what: 'the same by joblib',
      make: instead('model_head.joblib'),
      errors: [MISSING],
      says: ['the classification head of SetFit'],
      never: PICKLE_HINTS,
    },
    { what: 'any other pickle', make: instead('labels.pkl'), errors: [MISSING], never: PICKLE_HINTS },
  ],
  'a pickle is not to be fetched': [
    {
      what: 'a pointer',
      make: model => {
        instead()(model);
        model.write('pytorch_model.bin', POINTER);
      },
      errors: ['E_PICKLE_REFUSED pytorch_model.bin'],
      says: ['95,843,657 bytes'],
      never: ['git lfs pull', 'hf download'],
    },
    {
      what: 'pointers of shards',
      make: model => {
        instead()(model);
        model.write('pytorch_model-00001-of-00002.bin', POINTER);
      },
      errors: ['E_PICKLE_REFUSED pytorch_model-00001-of-00002.bin'],
      never: ['git lfs pull', 'hf download'],
    },
    {
      what: 'of a module',
      from: DENSE,
      make: model => {
        model.remove('2_Dense/model.safetensors');
        model.write('2_Dense/pytorch_model.bin', POINTER);
      },
      errors: ['E_PICKLE_REFUSED 2_Dense/pytorch_model.bin'],
      never: ['git lfs pull', 'hf download'],
    },
  ],
  'weights under another name are named': [
    ...[
      'model.fp16.safetensors',
      'model (1).safetensors',
      'consolidated.safetensors',
      'pytorch_model.safetensors',
      'model.bf16.safetensors',
      'weights.safetensors',
      'model.safetensors.safetensors',
    ].map(name => ({
      what: name,
      make: renamed(name),
      errors: [MISSING],
      says: [name, 'rename it to model.safetensors'],
      never: ['Copy the whole model directory'],
    })),
    {
      what: 'in upper case',
      make: renamed('Model.safetensors'),
      errors: [MISSING],
      says: ['There is Model.safetensors'],
    },
    {
      what: 'openvino alone',
      make: model => {
        instead()(model);
        mkdirSync(model.path('openvino'));
        model.write('openvino/openvino_model.xml', '<net/>');
      },
      errors: [MISSING],
      says: ['openvino', 'Only safetensors are read'],
      never: ['Copy the whole model directory'],
    },
  ],
  'a prefix of all tensors is named': ['_orig_mod.', 'module.', 'model.', '0.auto_model.', '_orig_mod.module.'].map(
    prefix => ({
      what: prefix,
      make: prefixTensors(prefix),
      errors: ['E_TENSOR_MISSING model.safetensors'],
      says: [`are there under "${prefix}"`],
      never: ['were not saved whole', 'W_TENSORS_UNUSED'],
    }),
  ),
  'a flattened upload is one error': [
    {
      what: 'the pooling',
      make: flattened('1_Pooling'),
      errors: ['E_CONFIG config.json'],
      says: ['a Pooling module', 'get config.json and 1_Pooling/config.json again'],
      never: ['"hidden_size" is missing'],
    },
    {
      what: 'a dense layer',
      from: DENSE,
      make: flattened('2_Dense'),
      errors: ['E_CONFIG config.json'],
      says: ['a Dense module', '2_Dense/config.json'],
    },
    {
      what: 'the pooling, which is there too',
      make: model => model.write('config.json', model.read('1_Pooling/config.json')),
      errors: ['E_CONFIG config.json'],
      says: ['a Pooling module'],
    },
    {
      what: 'the whole model',
      make: model => model.write('config.json', model.read('config_sentence_transformers.json')),
      errors: ['E_CONFIG config.json'],
      says: ['config_sentence_transformers.json'],
    },
  ],
  'an adapter is named, with the remedy': [
    {
      what: 'beside its base',
      make: adapter,
      errors: ['E_MODULE adapter_config.json'],
      says: ['"me/base"', 'merge_and_unload'],
    },
    {
      what: 'alone',
      make: model => {
        model.remove('config.json');
        model.remove('model.safetensors');
        adapter(model);
      },
      errors: ['E_MODULE adapter_config.json'],
      says: ['only a LoRA adapter', 'merge_and_unload'],
      never: ['Copy the whole model directory', 'away.'],
    },
    {
      what: 'alone, in a bare directory',
      from: BARE,
      make: model => {
        model.remove('config.json');
        model.remove('model.safetensors');
        adapter(model);
      },
      errors: ['E_MODULE adapter_config.json'],
      says: ['merge_and_unload'],
      never: ['Copy the whole model directory', 'holds no model'],
    },
    {
      what: 'without its weights',
      make: model => {
        adapter(model);
        model.remove('adapter_model.safetensors');
      },
      errors: ['E_MODULE adapter_config.json'],
    },
  ],
  'a model that begins with another module is judged no further': [
    {
      what: 'a static embedding',
      make: firstModule('sentence_transformers.models.StaticEmbedding'),
      errors: ['E_MODULE modules.json'],
      says: ['StaticEmbedding'],
    },
    {
      what: 'whose template is stale',
      make: model => {
        firstModule('sentence_transformers.models.StaticEmbedding')(model);
        model.edit('tokenizer.json', json => {
          json.post_processor = { type: 'BertProcessing', cls: ['[CLS]', 101], sep: ['[SEP]', 102] };
        });
        model.remove('model.safetensors');
        model.edit('config.json', () => ({ model_type: 'model2vec' }));
      },
      errors: ['E_MODULE modules.json'],
      never: ['[CLS]', 'Copy the whole'],
    },
    {
      what: 'of sentence-transformers 5.4 and later',
      make: firstModule('sentence_transformers.sentence_transformer.modules.StaticEmbedding'),
      errors: ['E_MODULE modules.json'],
    },
    {
      what: 'words',
      make: model =>
        model.edit('modules.json', json => [
          { ...json[0], type: 'sentence_transformers.models.WordEmbeddings' },
          json[1],
          { ...json[2], type: 'custom.X' },
        ]),
      errors: ['E_MODULE modules.json'],
      says: ['WordEmbeddings'],
    },
  ],
  'a path that stays inside is read': [
    {
      what: './1_Pooling',
      make: model => model.edit('modules.json', json => void Object.assign(json[1], { path: './1_Pooling' })),
      errors: [],
    },
    {
      what: '. for the root',
      make: model => model.edit('modules.json', json => void Object.assign(json[0], { path: '.' })),
      errors: [],
    },
    {
      what: 'a blank',
      make: model => {
        renameSync(model.path('1_Pooling'), model.path('1 Pooling'));
        model.edit('modules.json', json => void Object.assign(json[1], { path: '1 Pooling' }));
      },
      errors: [],
    },
    {
      what: 'a blank, and the file is missing',
      make: model => {
        renameSync(model.path('1_Pooling'), model.path('1 Pooling'));
        model.remove('1 Pooling/config.json');
        model.write('README.md', "SentenceTransformer('me/model')");
        model.edit('modules.json', json => void Object.assign(json[1], { path: '1 Pooling' }));
      },
      errors: ['E_FILE_MISSING 1 Pooling/config.json'],
      says: ['hf download me/model "1 Pooling/config.json"'],
    },
  ],
  'a classifier is warned of': [
    {
      what: 'by its class',
      from: BARE,
      make: model =>
        model.edit(
          'config.json',
          json => void Object.assign(json, { architectures: ['BertForSequenceClassification'] }),
        ),
      errors: [],
      says: ['W_CROSS_ENCODER'],
    },
    {
      what: 'by its head',
      from: BARE,
      make: model =>
        model.editTensors(tensors =>
          tensors.set('classifier.weight', { dtype: 'F32', shape: [1, 32], data: new Float32Array(32) }),
        ),
      errors: [],
      says: ['W_CROSS_ENCODER'],
    },
    {
      what: 'by what CrossEncoder wrote',
      from: BARE,
      make: model =>
        model.edit(
          'config.json',
          json => void Object.assign(json, { sbert_ce_default_activation_function: 'torch.nn.Identity' }),
        ),
      errors: [],
      says: ['W_CROSS_ENCODER'],
    },
  ],
  'genuine files may be large': [
    {
      what: '60,000 labels',
      make: model =>
        model.edit(
          'config.json',
          json =>
            void Object.assign(json, {
              id2label: Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [i, `LABEL_${i}`])),
            }),
        ),
      errors: [],
    },
    {
      what: 'a tokenizer_config.json of 1.2 MB',
      make: model =>
        model.edit(
          'tokenizer_config.json',
          json => void Object.assign(json, { padding: Array.from({ length: 60_000 }, () => 'x'.repeat(16)) }),
        ),
      errors: [],
    },
    {
      what: 'a special_tokens_map.json of 1.2 MB',
      make: model =>
        model.write(
          'special_tokens_map.json',
          JSON.stringify({ notes: Array.from({ length: 60_000 }, () => 'x'.repeat(16)) }),
        ),
      errors: [],
    },
  ],
  'a vocabulary with unused ids is whole': [
    {
      what: 'one',
      make: model => {
        leaveOut(300)(model);
        writeVocabTxt(model);
      },
      errors: [],
      never: ['W_TOKENIZER_FILES'],
    },
    {
      what: 'many, at the end too',
      make: model => {
        leaveOut(20, 21, 22, 599)(model);
        writeVocabTxt(model);
      },
      errors: [],
      never: ['W_TOKENIZER_FILES'],
    },
    {
      what: 'blank lines in their places',
      make: model => {
        writeVocabTxt(model);
        leaveOut(300, 301)(model);
        model.write('vocab.txt', model.read('vocab.txt').split('\n').with(300, '').with(301, '').join('\n'));
      },
      errors: [],
      never: ['W_TOKENIZER_FILES'],
    },
    {
      what: 'lines of Windows',
      make: model => {
        leaveOut(300)(model);
        writeVocabTxt(model, '\r\n');
      },
      errors: [],
      never: ['W_TOKENIZER_FILES'],
    },
    {
      what: 'and two tokens that have changed places',
      make: model => {
        leaveOut(300)(model);
        writeVocabTxt(model);
        const lines = model.read('vocab.txt').split('\n');
        model.write('vocab.txt', lines.with(400, lines[401]).with(401, lines[400]).join('\n'));
      },
      errors: [],
      says: ['W_TOKENIZER_FILES'],
    },
  ],
  'tokenizer.json decides, and what contradicts it is a warning': [
    {
      what: 'what surprises of a vocab.txt is a note',
      make: vocabTxt(' \n'),
      errors: [],
      says: ['W_TOKENIZER_NOTE', 'lines end in blanks'],
    },
    {
      what: 'a malformed special_tokens_map.json is read, and refused',
      make: model => model.write('special_tokens_map.json', '{'),
      errors: ['E_JSON special_tokens_map.json'],
    },
    {
      what: 'a vocab.txt of another vocabulary',
      make: model => model.write('vocab.txt', '[PAD]\n[UNK]\nx\n'),
      errors: [],
      says: ['W_TOKENIZER_FILES', 'another vocabulary'],
    },
    {
      what: 'a vocab.txt that is no UTF-8',
      make: model => model.write('vocab.txt', Uint8Array.of(0xff, 0xfe)),
      errors: [],
      says: ['W_TOKENIZER_FILES'],
    },
  ],
};

describe.each(Object.entries(KINDS))('%s', (_kind, situations) => {
  test.each(situations)('$what', async ({ from, make, errors, says = [], never = [] }) => {
    const model = copyModel(from);
    make(model);
    const { findings, verdict } = await checkDirectory(model.directory);
    const found = findings.filter(({ severity }) => severity === 'error').map(({ code, file }) => `${code} ${file}`);
    expect(found).toEqual(errors);
    expect(verdict === 'complete').toBe(errors.length === 0);
    if (says.length + never.length === 0) return;
    const { stdout } = await glassbert(['check', model.directory]);
    for (const text of says) expect(stdout).toContain(text);
    for (const text of never) expect(stdout).not.toContain(text);
  });
});

// The directories as they were found ------------------------------------------------------------------------------------

const CASES = fileURLToPath(new URL('../../../shared/cases/', import.meta.url));

/** The errors of each. */
const FOUND: readonly [string, readonly string[]][] = [
  ['genuine/cross-encoder', []],
  ['genuine/flattened-config', ['E_CONFIG config.json', MISSING]],
  ['genuine/half-precision-config', []],
  ['genuine/large-tokenizer-config', []],
  ['genuine/lfs-json', ['E_FILE_MISSING modules.json', 'E_FILE_MISSING 1_Pooling/config.json']],
  ['genuine/pickle-pointer', ['E_PICKLE_REFUSED pytorch_model.bin']],
  ['genuine/setfit-head', [MISSING]],
  ['genuine/static-stale-template', ['E_MODULE modules.json']],
  ['genuine/tokenizer-without-pooling', ['E_FILE_MISSING 1_Pooling/config.json']],
  ['genuine/tokens-without-weights', [MISSING]],
  ['genuine/trainer-checkpoint', [MISSING]],
  ['genuine/vocab-gap', []],
  ...['adapter-and-config', 'adapter-only', 'adapter-only-bare', 'beside-base'].map((name): [string, readonly string[]] => [`field/lora-adapter/made/${name}`, ['E_MODULE adapter_config.json']]), // biome-ignore format: one line
  ['field/lora-adapter/made/merged', []],
];

describe.skipIf(!existsSync(CASES))('as found (not run where they are absent)', () => {
  test.each(FOUND)('%s', async (name, errors) => {
    const { findings, origin } = await checkDirectory(CASES + name);
    const found = findings.filter(({ severity }) => severity === 'error').map(({ code, file }) => `${code} ${file}`);
    expect(found).toEqual(errors);
    expect(origin).toBeNull();
  });

  test('all of them are here', () => {
    const listed = Object.keys(JSON.parse(readFileSync(`${CASES}genuine/cases.json`, 'utf8')));
    expect(FOUND.map(([name]) => name)).toEqual(expect.arrayContaining(listed.map(name => `genuine/${name}`)));
  });
});
