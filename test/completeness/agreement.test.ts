/**
 * `check` and loading agree: a directory is complete exactly when it loads, the first error is the one that loading ends in,
 * and of each thing that is said to work, the very function is called.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { checkDirectory } from '../../src/completeness/check-directory.ts';
import { GlassbertError } from '../../src/errors.ts';
import { SentenceEncoder } from '../../src/index.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { glassbert } from '../cli/run.ts';
import { copyModel, FIXTURES, prefixTensors, writeVocabTxt } from '../support/model-copy.ts';

type Model = ReturnType<typeof copyModel>;

interface Directory {
  readonly what: string;
  readonly from?: string;
  readonly make?: (model: Model) => void;
  /** The code that check gives first, where it knows more about the file than loading says. */
  readonly code?: string;
}

const SHARDED = 'bert-sharded';
const DENSE = 'bert-mean-dense-layernorm';
const BARE = 'bert-bare-directory';
const DPR = 'dpr-ctx-encoder';
const MINI = '../../../models/glassbert-mini';
const INDEX = 'model.safetensors.index.json';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 123456\n`;
const PAGE = `<!DOCTYPE html><html>${'x'.repeat(2000)}</html>`;

const edit =
  (file: string, values: object) =>
  (model: Model): void =>
    model.edit(file, json => void Object.assign(json, values));

const rename =
  (from: string, to: string) =>
  (model: Model): void =>
    renameSync(model.path(from), model.path(to));

const write =
  (file: string, content: string) =>
  (model: Model): void =>
    model.write(file, content);

const remove =
  (...files: readonly string[]) =>
  (model: Model): void => {
    for (const file of files) model.remove(file);
  };

const all =
  (...steps: readonly ((model: Model) => void)[]) =>
  (model: Model): void => {
    for (const step of steps) step(model);
  };

const makeDirectory =
  (name: string) =>
  (model: Model): void =>
    void mkdirSync(model.path(name));

/** Moves the token of the last id away, or ids after `at` up by `gap`, as where some were never used. */
const leaveGap =
  (at: number, gap: number) =>
  (model: Model): void => {
    const { vocab_size } = JSON.parse(model.read('config.json'));
    model.edit('tokenizer.json', ({ model: { vocab } }) => {
      for (const [token, id] of Object.entries(vocab as Record<string, number>)) {
        if (id + gap >= vocab_size) delete vocab[token];
        else if (id >= at) vocab[token] = id + gap;
      }
    });
  };

const addTensor =
  (name: string, length = 1) =>
  (model: Model): void =>
    model.editTensors(tensors => tensors.set(name, { dtype: 'F32', shape: [length], data: new Float32Array(length) }));

// ---------------------------------------------------------------------------------------------------------------------

const GOOD: readonly Directory[] = [
  ...readdirSync(FIXTURES)
    .filter(name => /^(bert|dpr)-/.test(name))
    .map(name => ({ what: name, from: name })),
  { what: 'glassbert-mini, with its records', from: MINI },
  { what: 'a vocabulary with one unused id, and its vocab.txt', make: all(leaveGap(300, 1), writeVocabTxt) },
  { what: 'a vocabulary with seven unused ids in a row', make: all(leaveGap(20, 7), writeVocabTxt) },
  { what: 'two gaps', make: all(leaveGap(50, 1), leaveGap(400, 3), writeVocabTxt) },
  { what: 'a vocab.txt of tokenizer.json without gaps', make: writeVocabTxt },
  { what: 'a vocab.txt that is in no order of ids', make: all(writeVocabTxt, model => model.write('vocab.txt', model.read('vocab.txt').split('\n').reverse().join('\n'))) }, // biome-ignore format: one line
  { what: 'a vocab.txt that is a pointer', make: write('vocab.txt', POINTER) },
  { what: 'an empty vocab.txt', make: write('vocab.txt', '') },
  { what: 'vocab.txt alone', make: all(writeVocabTxt, remove('tokenizer.json'), edit('tokenizer_config.json', { tokenizer_class: 'BertTokenizer' })) }, // biome-ignore format: one line
  { what: 'no 2_Normalize', make: () => {} },
  { what: 'no sentence_bert_config.json', make: remove('sentence_bert_config.json') },
  { what: 'no config_sentence_transformers.json', make: remove('config_sentence_transformers.json') },
  { what: 'no tokenizer_config.json', make: remove('tokenizer_config.json') },
  { what: 'code that comes with the model', make: edit('config.json', { auto_map: { AutoModel: 'modeling.X' } }) },
  { what: '30,000 labels', make: edit('config.json', { id2label: Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [i, `L${i}`])) }) }, // biome-ignore format: one line
  { what: 'tensors under "bert."', make: prefixTensors('bert.') },
  { what: 'a tensor that nothing uses', make: addTensor('adapter') },
  { what: 'a pooler', make: addTensor('pooler.dense.bias', 32) },
  { what: 'a pickle of the same weights beside them', make: write('pytorch_model.bin', 'x') },
  { what: 'a pointer of the pickle beside the weights', make: write('pytorch_model.bin', POINTER) },
  { what: 'the head of SetFit beside the weights', make: write('model_head.pkl', 'x') },
  { what: 'the state of a training beside the weights', make: all(write('rng_state.pth', 'x'), write('optimizer.pt', 'x')) }, // biome-ignore format: one line
  { what: 'other forms that are pointers', make: all(makeDirectory('onnx'), write('onnx/model.onnx', POINTER)) },
  { what: 'an index beside a single file', make: write(INDEX, '{"metadata": {}, "weight_map": {}}') },
  { what: 'an empty file', make: write('notes.txt', '') },
  { what: 'a wrong total size', from: SHARDED, make: model => model.edit(INDEX, json => void json.metadata.total_size++) }, // biome-ignore format: one line
  { what: 'numbers of modules that do not count', make: model => model.edit('modules.json', json => void Object.assign(json[2], { idx: 7 })) }, // biome-ignore format: one line
  { what: 'a longer input than positions', make: edit('sentence_bert_config.json', { max_seq_length: 4096 }) },
  { what: 'a bare directory with a README', from: BARE, make: write('README.md', '# me/model') },
  { what: 'a bare directory of a class with a head', from: BARE, make: all(edit('config.json', { architectures: ['BertForSequenceClassification'] }), addTensor('classifier.bias')) }, // biome-ignore format: one line
  { what: 'a directory that is read through a link', make: model => { renameSync(model.path('config.json'), model.path('real.json')); symlinkSync('real.json', model.path('config.json')); } }, // biome-ignore format: one line
];

const BROKEN: readonly Directory[] = [
  { what: 'nothing at all', make: model => remove(...readdirSync(model.directory))(model) },
  { what: 'a README alone', make: model => { remove(...readdirSync(model.directory))(model); model.write('README.md', '# model'); } }, // biome-ignore format: one line
  // Pointers, pages, empty and half files
  ...[
    'modules.json',
    'config.json',
    '1_Pooling/config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'sentence_bert_config.json',
    'config_sentence_transformers.json',
    'model.safetensors',
  ].flatMap(file => [
    // biome-ignore format: one line
    { what: `a pointer instead of ${file}`, make: write(file, POINTER) },
    { what: `a web page instead of ${file}`, make: write(file, PAGE) },
    {
      what: `nothing in ${file}`,
      make: write(file, ''),
      code: file.endsWith('.json') ? 'E_FILE_MISSING' : 'E_WEIGHTS_PLACEHOLDER',
    },
  ]),
  { what: 'pointers in place of all files', make: model => { for (const file of ['modules.json', 'config.json', '1_Pooling/config.json', 'tokenizer.json', 'model.safetensors']) model.write(file, POINTER); } }, // biome-ignore format: one line
  { what: 'a pointer of CRLF lines', make: write('config.json', POINTER.replaceAll('\n', '\r\n')) },
  { what: 'a pointer instead of the index', from: SHARDED, make: write(INDEX, POINTER) },
  { what: 'a pointer instead of a shard', from: SHARDED, make: write('model-00002-of-00003.safetensors', POINTER) },
  {
    what: 'a pointer instead of the weights of a module',
    from: DENSE,
    make: write('2_Dense/model.safetensors', POINTER),
  },
  {
    what: 'a pointer instead of the configuration of a module',
    from: DENSE,
    make: write('2_Dense/config.json', POINTER),
  },
  { what: 'weights that end too early', make: model => model.write('model.safetensors', model.bytes('model.safetensors').subarray(0, 50_000)) }, // biome-ignore format: one line
  { what: 'half a config.json', make: model => model.write('config.json', model.read('config.json').slice(0, 100)) },
  // Weights that are not there
  ...['model.safetensors', '1_Pooling/config.json', 'config.json', 'tokenizer.json'].map(file => ({ what: `no ${file}`, make: remove(file) })), // biome-ignore format: one line
  ...['Model.safetensors', 'model.fp16.safetensors', 'model (1).safetensors', 'consolidated.safetensors', 'pytorch_model.bin', 'pytorch_model.safetensors', 'model.safetensors.incomplete', 'tf_model.h5', 'model-00001-of-00002.safetensors'].map(name => ({ what: `the weights as ${name}`, make: rename('model.safetensors', name) })), // biome-ignore format: one line
  ...['rng_state.pth', 'scheduler.pt', 'optimizer.pt', 'scaler.pt', 'training_args.bin', 'model_head.pkl', 'model_head.joblib', 'other.pkl'].map(name => ({ what: `${name} alone`, make: rename('model.safetensors', name) })), // biome-ignore format: one line
  { what: 'a pickle that is a pointer', make: all(remove('model.safetensors'), write('pytorch_model.bin', POINTER)) },
  { what: 'a shard of a pickle', make: rename('model.safetensors', 'pytorch_model-00001-of-00002.bin') },
  { what: 'openvino alone', make: all(remove('model.safetensors'), makeDirectory('openvino'), write('openvino/openvino_model.xml', '<net/>')) }, // biome-ignore format: one line
  { what: 'no tokenizer and no weights', make: remove('tokenizer.json', 'model.safetensors') },
  { what: 'a shard is missing', from: SHARDED, make: remove('model-00002-of-00003.safetensors') },
  { what: 'the index is missing', from: SHARDED, make: remove(INDEX) },
  { what: 'the weights of a module are missing', from: DENSE, make: remove('2_Dense/model.safetensors') },
  // Weights of another model
  { what: 'a tensor in a shard that the index does not name', from: SHARDED, make: model => model.edit(INDEX, json => void delete json.weight_map['embeddings.LayerNorm.bias']) }, // biome-ignore format: one line
  { what: 'a tensor is missing', make: model => model.editTensors(tensors => void tensors.delete('embeddings.LayerNorm.bias')) }, // biome-ignore format: one line
  ...['_orig_mod.', 'module.', 'model.', '0.auto_model.', 'auto_model.', 'module.bert.'].map(prefix => ({ what: `tensors under "${prefix}"`, make: prefixTensors(prefix) })), // biome-ignore format: one line
  { what: 'another width', make: edit('config.json', { hidden_size: 64 }) },
  { what: 'a layer more than is counted', make: model => model.edit('config.json', json => void json.num_hidden_layers--) }, // biome-ignore format: one line
  { what: 'DPR without its projection', from: DPR, make: edit('config.json', { projection_dim: 7 }) },
  // Configuration
  { what: 'another architecture', make: edit('config.json', { model_type: 'llama' }) },
  { what: 'a decoder', make: edit('config.json', { is_decoder: true }) },
  { what: 'the configuration of the pooling in its place', make: all(model => model.write('config.json', model.read('1_Pooling/config.json')), remove('1_Pooling')) }, // biome-ignore format: one line
  { what: 'the configuration of the pooling in its place, and there too', make: model => model.write('config.json', model.read('1_Pooling/config.json')) }, // biome-ignore format: one line
  { what: 'an adapter beside the base', make: all(write('adapter_config.json', '{"peft_type": "LORA", "base_model_name_or_path": "me/base", "r": 8}'), write('adapter_model.safetensors', 'x')) }, // biome-ignore format: one line
  { what: 'an adapter alone', make: all(remove('config.json'), rename('model.safetensors', 'adapter_model.safetensors'), write('adapter_config.json', '{"peft_type": "LORA", "base_model_name_or_path": "me/base", "r": 8}')) }, // biome-ignore format: one line
  { what: 'an adapter alone, in a bare directory', from: BARE, make: all(remove('config.json'), rename('model.safetensors', 'adapter_model.safetensors'), write('adapter_config.json', '{"peft_type": "LORA", "base_model_name_or_path": "me/base", "r": 8}')) }, // biome-ignore format: one line
  { what: 'weights that are quantized', make: edit('config.json', { quantization_config: { load_in_4bit: true, quant_method: 'bitsandbytes' } }) }, // biome-ignore format: one line
  { what: 'a prompt that is none of the prompts', make: edit('config_sentence_transformers.json', { default_prompt_name: 'x' }) }, // biome-ignore format: one line
  { what: 'a length that is none', make: edit('sentence_bert_config.json', { max_seq_length: -1 }) },
  { what: 'a model of another class', make: edit('config_sentence_transformers.json', { model_type: 'SparseEncoder' }) }, // biome-ignore format: one line
  // Modules
  { what: 'a module of another library', make: model => model.edit('modules.json', json => void Object.assign(json[2], { type: 'os.system' })) }, // biome-ignore format: one line
  { what: 'a static embedding', make: model => model.edit('modules.json', json => [{ ...json[0], type: 'sentence_transformers.models.StaticEmbedding' }]) }, // biome-ignore format: one line
  { what: 'words that are looked up', make: model => model.edit('modules.json', json => [{ ...json[0], type: 'sentence_transformers.models.WordEmbeddings' }, json[1]]) }, // biome-ignore format: one line
  { what: 'CLIP', make: model => model.edit('modules.json', json => [{ ...json[0], type: 'sentence_transformers.models.CLIPModel' }]) }, // biome-ignore format: one line
  { what: 'no pooling among the modules', make: model => model.edit('modules.json', json => json.slice(0, 1)) },
  { what: 'a path out of the directory', make: model => model.edit('modules.json', json => void Object.assign(json[1], { path: '../x' })) }, // biome-ignore format: one line
  { what: 'a width that does not follow', from: DENSE, make: edit('3_LayerNorm/config.json', { dimension: 32 }) },
  { what: 'a pooling of another width', make: edit('1_Pooling/config.json', { word_embedding_dimension: 33 }) },
  // Tokenizer
  { what: 'an id without a row', make: model => model.edit('tokenizer.json', json => void Object.assign(json.model.vocab, { zzz: 600 })) }, // biome-ignore format: one line
  { what: 'a tokenizer of another kind', make: model => model.edit('tokenizer.json', json => void Object.assign(json.model, { type: 'Unigram' })) }, // biome-ignore format: one line
  { what: 'a vocabulary with one id twice', make: model => model.edit('tokenizer.json', json => void Object.assign(json.model.vocab, { zzz: 5 })) }, // biome-ignore format: one line
  { what: 'tokenizer_config.json is a list', make: write('tokenizer_config.json', '[]') },
];

/** What loads, and is not what it was or not fit to be carried. */
const STRICTER: readonly (Directory & { readonly error: string })[] = [
  { what: 'no modules.json, where there is a pooling', make: remove('modules.json'), error: 'E_FILE_MISSING' },
  { what: 'no modules.json, where there are prompts', from: BARE, make: write('config_sentence_transformers.json', '{}'), error: 'E_FILE_MISSING' }, // biome-ignore format: one line
  { what: 'another file than was recorded', make: write('SHA256SUMS', `${'0'.repeat(64)}  README.md\n`), error: 'E_DIGEST' }, // biome-ignore format: one line
  { what: 'a signature that is none', make: write('model.sig', '{}'), error: 'E_BUNDLE' },
  { what: 'a link out of the directory', make: model => symlinkSync('/etc/hosts', model.path('x')), error: 'E_PATH_UNSAFE' }, // biome-ignore format: one line
  { what: 'a pipe', make: model => void execFileSync('mkfifo', [model.path('x')]), error: 'E_FILE_TYPE' },
];

/** What each of the functions that a report speaks of does with a directory. */
async function outcomes({ directory }: Model) {
  const warnings: string[] = [];
  const onWarning = ({ code }: { code: string }): void => void warnings.push(code);
  const loading = await outcome(SentenceEncoder.load(directory, { kernels: 'reference', onWarning }));
  const tokenizer = await outcome(loadTokenizer(directory));
  return { loading, tokenizer, warnings };
}

/** 'works', or the error's code. */
function outcome(running: Promise<unknown>): Promise<string> {
  return running.then(
    () => 'works',
    error => {
      if (error instanceof GlassbertError) return error.code;
      throw error;
    },
  );
}

const counts = { good: 0, broken: 0, sameCode: 0 };

afterAll(() => {
  process.stdout.write(
    `\ncheck and loading agree about ${counts.good + counts.broken} directories, ${counts.good} of which load; `,
  );
  process.stdout.write(`the first error has the code of loading in ${counts.sameCode} of ${counts.broken}\n`);
});

describe('a directory that loads is complete', () => {
  test.each(GOOD)('$what', async ({ from, make = () => {} }) => {
    const model = copyModel(from);
    make(model);
    const { verdict, findings, works } = await checkDirectory(model.directory);
    const { warnings, ...ends } = await outcomes(model);
    expect(ends).toEqual({ loading: 'works', tokenizer: 'works' });
    expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining(warnings));
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(verdict).toBe('complete');
    expect(works.map(({ works }) => works)).toEqual([true, true, true]);
    counts.good++;
  });
});

describe('a directory that loads is not complete where something else than the model is wrong', () => {
  test.each(STRICTER)('$what', async ({ from, make = () => {}, error }) => {
    const model = copyModel(from);
    make(model);
    const { verdict, findings, works } = await checkDirectory(model.directory);
    expect(await outcomes(model)).toMatchObject({ loading: 'works', tokenizer: 'works' });
    expect(verdict).not.toBe('complete');
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', code: error }));
    expect(works.map(({ works }) => works)).toEqual([true, true, true]);
  });
});

/** Of each kind one, for each takes two programs. */
const OF_EACH_KIND = new Set([
  'no model.safetensors',
  'no 1_Pooling/config.json',
  'no config.json',
  'no tokenizer.json',
  'no tokenizer and no weights',
  'a pointer instead of modules.json',
  'a pointer instead of model.safetensors',
  'nothing in model.safetensors',
  'weights that end too early',
  'a pickle that is a pointer',
  'an adapter alone, in a bare directory',
  'a static embedding',
  'the weights of a module are missing',
  'a width that does not follow',
  'a tokenizer of another kind',
]);

describe('what is said to work does, and nothing else', () => {
  const chosen = BROKEN.filter(({ what }) => OF_EACH_KIND.has(what));
  test('of each kind there is one', () => expect(chosen).toHaveLength(OF_EACH_KIND.size));

  test.each(chosen)('$what', async ({ from, make = () => {} }) => {
    const model = copyModel(from);
    make(model);
    const { works } = await checkDirectory(model.directory);
    const tokens = await glassbert(['tokens', 'a text', '--model', model.directory]);
    const inspect = await glassbert(['inspect', model.directory]);
    expect(works.map(({ works }) => works)).toEqual([false, tokens.status === 0, inspect.status === 0]);
  });
});

describe('a directory that does not load is not complete', () => {
  test.each(BROKEN)('$what', async ({ from, make = () => {}, code }) => {
    const model = copyModel(from);
    make(model);
    const { verdict, findings, works } = await checkDirectory(model.directory);
    const { loading, tokenizer } = await outcomes(model);
    expect(loading).not.toBe('works');
    expect(verdict).not.toBe('complete');
    expect(works[0].works).toBe(false);
    expect(works[1].works, tokenizer).toBe(tokenizer === 'works');
    counts.broken++;
    const errors = findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    expect(errors[0]).toBe(code ?? loading);
    if (errors[0] === loading) counts.sameCode++;
  });
});
