/** What loading says: the report of a good directory, and the error of each thing that users get wrong. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../src/errors.ts';
import { formatSource, type GlassbertError, type LoadOptions, SentenceEncoder, type Warning } from '../src/index.ts';
import type { TensorToWrite } from '../src/io/safetensors.ts';
import { copyModel, FIXTURES } from './support/model-copy.ts';
import { refusal } from './support/refusal.ts';

/** The error of loading, as a user reads it, with the temporary directory left out. */
async function message(
  code: ErrorCode,
  model: { parent: string; directory: string },
  options?: LoadOptions,
): Promise<string> {
  const error: GlassbertError = await refusal(code, () =>
    SentenceEncoder.load(model.directory, { onWarning: () => {}, ...options }),
  );
  const text = error.hint === undefined ? error.message : `${error.message}\n  hint: ${error.hint}`;
  return text.replaceAll(`${model.parent}/`, '');
}

async function loadQuietly(directory: string, options: LoadOptions = {}) {
  const warnings: Warning[] = [];
  const encoder = await SentenceEncoder.load(directory, { onWarning: warning => warnings.push(warning), ...options });
  return { encoder, report: encoder.report, warnings };
}

describe('the load report', () => {
  test('says what decided every setting, and what it overruled', async () => {
    const { report } = await loadQuietly(`${FIXTURES}bert-max-seq-16`);
    const { maxSeqLength, pooling, similarityFnName } = report.settings;
    expect(maxSeqLength.value).toBe(16);
    expect(formatSource(maxSeqLength.from)).toBe('sentence_bert_config.json: max_seq_length');
    expect(maxSeqLength.overruled.map(({ value, from }) => `${value} in ${formatSource(from)}`)).toEqual([
      '128 in tokenizer_config.json: model_max_length',
      '128 in config.json: max_position_embeddings',
    ]);
    expect([pooling.value, formatSource(pooling.from)]).toEqual([
      ['mean'],
      '1_Pooling/config.json: pooling_mode_mean_tokens',
    ]);
    expect(formatSource(similarityFnName.from)).toBe('config_sentence_transformers.json: similarity_fn_name');
    expect(report.modules.map(({ summary }) => summary)).toEqual([
      'BertModel, L 2, D 32, H 4, F 64, gelu',
      'Pooling mean',
      'Normalize to length 1',
    ]);
    expect(report.files.map(({ name }) => name)).toContain('model.safetensors');
  });

  test('reads both generations of type strings and pooling keys', async () => {
    const { report } = await loadQuietly(`${FIXTURES}bert-native-save`);
    expect(report.savedBy).toBe('6.0.1');
    expect(report.settings.pooling).toMatchObject({ value: ['mean'], from: { key: 'pooling_mode' } });
    expect(formatSource(report.settings.maxSeqLength.from)).toBe('tokenizer_config.json: model_max_length');
  });

  test('names the prefix, the dtypes and the tensors that are not used', async () => {
    const { report, warnings } = await loadQuietly(`${FIXTURES}bert-masked-lm-prefix`);
    expect(report.weights[0]).toMatchObject({ prefix: 'bert.', files: ['model.safetensors'] });
    expect(report.weights[0].unused.every(name => name.startsWith('cls.'))).toBe(true);
    expect(warnings).toEqual([]);
    expect((await loadQuietly(`${FIXTURES}bert-weights-bf16`)).report.weights[0].dtypes).toEqual({ BF16: 37 });
  });

  test('lists a change that the caller asked for as such', async () => {
    const { report } = await loadQuietly(`${FIXTURES}bert-mean-normalize`, { pooling: 'max', maxSeqLength: 9 });
    expect(report.settings.pooling).toMatchObject({
      value: ['max'],
      from: { option: 'pooling' },
      overruled: [{ value: ['mean'] }],
    });
    expect(report.settings.maxSeqLength).toMatchObject({ value: 9, from: { option: 'maxSeqLength' } });
  });

  test('a bare directory is warned about in the words of the reference library', async () => {
    const { warnings } = await loadQuietly(`${FIXTURES}bert-bare-directory`);
    expect(warnings).toHaveLength(1);
    expect(warnings[0].code).toBe('W_BARE_DIRECTORY');
    expect(warnings[0].message).toMatch(
      /^No modules\.json found for .+, initializing a new SentenceTransformer model: /,
    );
    expect(warnings[0].message).toContain('with mean pooling');
    expect((await loadQuietly(`${FIXTURES}bert-bare-directory`, { pooling: 'cls' })).warnings).toEqual([]);
    expect((await loadQuietly(`${FIXTURES}dpr-ctx-encoder`)).warnings[0].message).toContain('pooling "cls"');
  });

  const real = fileURLToPath(new URL('../../shared/real-directory/all-MiniLM-L6-v2', import.meta.url));
  test.skipIf(!existsSync(real))(
    'a genuine directory of 2021 lacks nothing but its weights (not run where it is absent)',
    async () => {
      const error = await refusal('E_FILE_MISSING', () => SentenceEncoder.load(real));
      expect(error.file).toMatch(/model\.safetensors$/);
    },
  );
});

describe('layouts', () => {
  test('v0.3.9 to v1.2: the transformer in 0_Transformer, a version number in the root config.json', async () => {
    const model = copyModel();
    mkdirSync(model.path('0_Transformer'));
    for (const file of [
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'sentence_bert_config.json',
    ]) {
      renameSync(model.path(file), model.path(`0_Transformer/${file}`));
    }
    model.write('config.json', '{"__version__": "1.2.0"}');
    model.edit('modules.json', json => {
      json[0].path = '0_Transformer';
    });
    const { encoder } = await loadQuietly(model.directory);
    const plain = await SentenceEncoder.load(`${FIXTURES}bert-mean-normalize`);
    expect(await encoder.encode('hello')).toEqual(await plain.encode('hello'));
  });

  test('the cache of huggingface_hub, whose files are links into blobs/', async () => {
    const model = copyModel();
    const cache = join(model.parent, 'models--me--model');
    const snapshot = join(cache, 'snapshots', '0123abc');
    mkdirSync(join(cache, 'snapshots'), { recursive: true });
    renameSync(model.directory, snapshot);
    mkdirSync(join(cache, 'blobs'));
    renameSync(join(snapshot, 'model.safetensors'), join(cache, 'blobs', 'feed'));
    symlinkSync('../../blobs/feed', join(snapshot, 'model.safetensors'));
    expect((await loadQuietly(snapshot)).encoder.dimension).toBe(32);
    for (const above of [cache, join(cache, 'snapshots'), model.parent]) {
      const { hint } = await refusal('E_FILE_MISSING', () => SentenceEncoder.load(above));
      expect(hint).toBe(`This is a cache of the Hugging Face hub: give a directory below its snapshots/: ${snapshot}`);
    }
  });

  test('the directory above that of a model, which is named', async () => {
    const model = copyModel();
    const { hint } = await refusal('E_FILE_MISSING', () => SentenceEncoder.load(model.parent));
    expect(hint).toBe(`Give the directory in which modules.json lies: ${model.directory}`);
  });

  test('vocab.txt alone is a tokenizer', async () => {
    const model = copyModel();
    const lines: string[] = [];
    model.edit('tokenizer.json', ({ model: { vocab } }) => {
      for (const [token, id] of Object.entries(vocab)) lines[id as number] = token;
    });
    model.remove('tokenizer.json');
    model.write('vocab.txt', `${lines.join('\n')}\n`);
    model.edit('tokenizer_config.json', json => {
      Object.assign(json, { tokenizer_class: 'BertTokenizer', do_lower_case: true });
    });
    const { encoder } = await loadQuietly(model.directory);
    const plain = await SentenceEncoder.load(`${FIXTURES}bert-mean-normalize`);
    for (const text of ['hello', 'Café [SEP] 北京', "don't"])
      expect(encoder.tokenize(text)).toEqual(plain.tokenize(text));
  });
});

describe('what users do wrong', () => {
  test('a path to a file instead of the directory', async () => {
    const model = copyModel();
    expect(
      await message('E_NOT_A_DIRECTORY', { ...model, directory: model.path('model.safetensors') }),
    ).toMatchInlineSnapshot(`
      "model/model.safetensors: this is a file, not a model directory
        hint: Give the directory that it lies in: model"
    `);
  });

  test('a name of the hub, or a directory that does not exist', async () => {
    expect(
      await message('E_DIRECTORY_MISSING', { parent: '-', directory: 'sentence-transformers/all-MiniLM-L6-v2' }),
    ).toMatchInlineSnapshot(`
      "sentence-transformers/all-MiniLM-L6-v2: there is no such directory
        hint: A model is a directory on this disk: give its path. Names are never looked up and nothing is downloaded. If sentence-transformers/all-MiniLM-L6-v2 is a name on the Hugging Face hub, fetch it where there is a network: hf download sentence-transformers/all-MiniLM-L6-v2 --local-dir all-MiniLM-L6-v2 (or, with Git LFS: git clone https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), and give that directory."
    `);
  });

  test('a directory that is no model', async () => {
    const model = copyModel();
    expect(await message('E_CONFIG', { ...model, directory: model.path('1_Pooling') })).toContain(
      'this is the configuration of a Pooling module',
    );
    mkdirSync(model.path('empty'));
    expect(await message('E_FILE_MISSING', { ...model, directory: model.path('empty') })).toMatchInlineSnapshot(`
      "model/empty: this directory holds no model: expected modules.json, or config.json, found nothing
        hint: Give the directory in which modules.json lies."
    `);
  });

  test('the weights were not copied', async () => {
    const model = copyModel();
    model.remove('model.safetensors');
    expect(await message('E_FILE_MISSING', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: the weights are not there: expected model.safetensors, or model.safetensors.index.json with its shards, found 8 other files
        hint: Copy the whole model directory."
    `);
  });

  test('there is only pytorch_model.bin', async () => {
    const model = copyModel();
    renameSync(model.path('model.safetensors'), model.path('pytorch_model.bin'));
    expect(await message('E_PICKLE_REFUSED', model)).toMatchInlineSnapshot(`
      "model/pytorch_model.bin: the only weights are a Python pickle, and a pickle is a program: expected model.safetensors
        hint: Where you trust the file and have Python: SentenceTransformer(directory).save(new_directory) writes model.safetensors. Most models on the Hugging Face hub have one already."
    `);
  });

  test('a Git LFS pointer stands where the weights should be', async () => {
    const model = copyModel();
    model.write('model.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n');
    expect(await message('E_WEIGHTS_PLACEHOLDER', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: this is no safetensors file: found a Git LFS pointer to 90,868,376 bytes
        hint: Run "git lfs pull" where the repository was cloned, then copy the directory again."
    `);
  });

  test('a web page stands where the weights should be', async () => {
    const model = copyModel();
    model.write('model.safetensors', '<!DOCTYPE html><html><head><title>Sign in</title></head></html>');
    expect(await message('E_WEIGHTS_PLACEHOLDER', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: this is no safetensors file: found a web page
        hint: A login or error page was saved instead of the file: download it again."
    `);
  });

  test('the download did not end', async () => {
    const model = copyModel();
    renameSync(model.path('model.safetensors'), model.path('model.safetensors.incomplete'));
    expect(await message('E_WEIGHTS_PLACEHOLDER', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: the weights are not there, only a download that did not end: found model.safetensors.incomplete
        hint: Download the file again until it is complete."
    `);
  });

  test('the file was cut off', async () => {
    const model = copyModel();
    execFileSync('truncate', ['-s', '100000', model.path('model.safetensors')]);
    expect(await message('E_SAFETENSORS', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: the tensors do not cover the file: expected a file of 165912 bytes, found 100000 bytes
        hint: The file is cut short: copy or download it again."
    `);
  });

  test('tensors are missing', async () => {
    const model = copyModel();
    model.editTensors(tensors => {
      for (const name of [...tensors.keys()]) if (name.startsWith('encoder.layer.1')) tensors.delete(name);
    });
    expect(await message('E_TENSOR_MISSING', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: 16 tensors missing: encoder.layer.1.attention.self.query.weight [32, 32]; encoder.layer.1.attention.self.query.bias [32]; encoder.layer.1.attention.self.key.weight [32, 32]; encoder.layer.1.attention.self.key.bias [32]; encoder.layer.1.attention.self.value.weight [32, 32]; and 11 more
        hint: The weights are of another model or were not saved whole; nothing is made up in their place."
    `);
  });

  test('a tensor has another shape than config.json says', async () => {
    const model = copyModel();
    model.edit('config.json', json => {
      json.intermediate_size = 65;
    });
    expect(await message('E_TENSOR_SHAPE', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: 6 tensors of the wrong shape: encoder.layer.0.intermediate.dense.weight: expected [65, 32], found [64, 32]; encoder.layer.0.intermediate.dense.bias: expected [65], found [64]; encoder.layer.0.output.dense.weight: expected [32, 65], found [32, 64]; encoder.layer.1.intermediate.dense.weight: expected [65, 32], found [64, 32]; encoder.layer.1.intermediate.dense.bias: expected [65], found [64]; and 1 more
        hint: config.json and the weights are not of the same model."
    `);
  });

  test('the weights hold more layers than config.json counts', async () => {
    const model = copyModel();
    model.edit('config.json', json => {
      json.num_hidden_layers = 1;
    });
    expect(await message('E_CONFIG', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: the weights hold encoder tensors that config.json does not account for: expected "num_hidden_layers": 1, found encoder.layer.1.attention.output.LayerNorm.bias
        hint: config.json and the weights are not of the same model."
    `);
  });

  test('weights are NaN or infinite', async () => {
    const model = copyModel();
    model.editTensors(tensors => {
      const { data } = tensors.get('encoder.layer.0.output.dense.weight') as unknown as { data: Uint8Array };
      new DataView(data.buffer).setFloat32(4 * 7, Number.NaN, true);
      const { data: bias } = tensors.get('encoder.layer.1.output.dense.bias') as unknown as { data: Uint8Array };
      new DataView(bias.buffer).setFloat32(0, Number.NEGATIVE_INFINITY, true);
    });
    expect(await message('E_TENSOR_VALUE', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: 2 tensors with NaN or infinite elements: encoder.layer.0.output.dense.weight (element 7 is NaN); encoder.layer.1.output.dense.bias (element 0 is -Infinity)
        hint: The file is damaged, or the training diverged. Compare its checksum with the publisher's."
    `);
  });

  test('weights are integers', async () => {
    const model = copyModel();
    model.editTensors(tensors => {
      const tensor = tensors.get('embeddings.word_embeddings.weight') as TensorToWrite;
      tensors.set('embeddings.word_embeddings.weight', { ...tensor, dtype: 'I32' });
    });
    expect(await message('E_TENSOR_DTYPE', model)).toMatchInlineSnapshot(`
      "model/model.safetensors: 1 tensor of an unsupported dtype: embeddings.word_embeddings.weight: I32
        hint: F64, F32, F16 and BF16 are. Quantized checkpoints are not supported."
    `);
  });

  test.each([
    ['hidden_size', 0],
    ['num_hidden_layers', 1e9],
    ['num_attention_heads', 5],
    ['vocab_size', 1.5],
    ['vocab_size', '600'],
    ['layer_norm_eps', -1],
    ['hidden_act', 'glu'],
    ['position_embedding_type', 'relative_key'],
  ])('config.json: %s is %j', async (key, value) => {
    const model = copyModel();
    model.edit('config.json', json => {
      json[key] = value;
    });
    expect(await message('E_CONFIG', model)).toMatchSnapshot();
  });

  test('the architecture is another', async () => {
    const model = copyModel();
    model.edit('config.json', json => {
      json.model_type = 'llama';
      json.architectures = ['LlamaModel'];
    });
    expect(await message('E_ARCHITECTURE', model)).toMatchInlineSnapshot(
      `"model/config.json: models of this type are not supported: expected "bert" or "dpr", found "llama" ("LlamaModel")"`,
    );
  });

  test('the tokenizer is of another model', async () => {
    const model = copyModel();
    model.edit('tokenizer.json', json => {
      json.model.vocab.zebra = 600;
    });
    expect(await message('E_TOKENIZER', model)).toMatchInlineSnapshot(`
      "model/tokenizer.json: the vocabulary has more tokens than can be used: expected at most 600, the "vocab_size" of config.json, found 601
        hint: The tokenizer and the weights are of different models."
    `);
    model.edit('tokenizer.json', json => {
      delete json.model.vocab.the;
    });
    expect(await message('E_TOKENIZER', model)).toMatchInlineSnapshot(`
      "model/tokenizer.json: the tokenizer has ids that the embedding table has no row for: expected ids below 600, the "vocab_size" of config.json, found an id of 600
        hint: The tokenizer and the weights are of different models."
    `);
  });

  test('the tokenizer was not copied', async () => {
    const model = copyModel();
    model.remove('tokenizer.json');
    expect(await message('E_FILE_MISSING', model)).toMatchInlineSnapshot(`
      "model/tokenizer.json: the tokenizer is not there: expected tokenizer.json, or vocab.txt
        hint: Copy the whole model directory."
    `);
  });

  test('the module 1_Pooling was not copied', async () => {
    const model = copyModel();
    model.remove('1_Pooling');
    expect(await message('E_FILE_MISSING', model)).toMatchInlineSnapshot(`
      "model/1_Pooling/config.json: the configuration of the module Pooling is not there
        hint: Copy the whole model directory, with its subdirectories."
    `);
  });

  test('modules of two models are mixed', async () => {
    const model = copyModel();
    model.edit('1_Pooling/config.json', json => {
      json.word_embedding_dimension = 768;
    });
    expect(await message('E_MODULE', model)).toMatchInlineSnapshot(
      `"model/1_Pooling/config.json: the pooling is for token vectors of another width: expected 32, the "hidden_size" of the transformer, found 768"`,
    );
    const dense = copyModel('bert-mean-dense-layernorm');
    dense.edit('2_Dense/config.json', json => {
      json.in_features = 33;
    });
    expect(await message('E_MODULE', dense)).toMatchInlineSnapshot(`
      "model/2_Dense/config.json: "in_features" does not fit the module before it: expected 32, found 33
        hint: The modules are of different models, or the pooling was overridden by one of another width."
    `);
  });

  test('a module is of an unknown type', async () => {
    const model = copyModel();
    model.edit('modules.json', json => {
      json[2].type = 'custom_st.Transformer';
    });
    expect(await message('E_MODULE', model)).toMatchInlineSnapshot(`
      "model/modules.json: a module of this type is not supported: expected Transformer, Pooling, Dense, LayerNorm, Normalize, Dropout, found "custom_st.Transformer"
        hint: It would run code that comes with the model; only modules of sentence-transformers itself are known."
    `);
  });

  test('a shard is missing, or is not what the index says', async () => {
    const model = copyModel('bert-sharded');
    renameSync(model.path('model-00002-of-00003.safetensors'), model.path('kept.safetensors'));
    expect(await message('E_FILE_MISSING', model)).toMatchInlineSnapshot(`
      "model/model-00002-of-00003.safetensors: there is no such file
        hint: Copy the whole model directory."
    `);
    renameSync(model.path('kept.safetensors'), model.path('model-00002-of-00003.safetensors'));
    model.edit('model.safetensors.index.json', json => {
      json.weight_map['embeddings.LayerNorm.bias'] = 'model-00001-of-00003.safetensors';
    });
    expect(await message('E_TENSOR_MISSING', model)).toMatchInlineSnapshot(`
      "model/model.safetensors.index.json: the tensor "embeddings.LayerNorm.bias" is not in the shard the index names: expected model-00001-of-00003.safetensors, found model/model-00002-of-00003.safetensors
        hint: Index and shards are of different models or versions: copy them again, together."
    `);
  });

  test('an option has a value that does not exist', async () => {
    const model = copyModel();
    expect(await message('E_ARGUMENT', model, { pooling: 'average' as 'mean' })).toMatchInlineSnapshot(
      `"pooling has an unknown value: expected cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken, found average"`,
    );
    expect(await message('E_ARGUMENT', model, { kernels: 'gpu' as 'auto' })).toMatchInlineSnapshot(
      `"there are no kernels of this name: expected auto, simd, int8, reference, oracle, found gpu"`,
    );
    expect(await message('E_ARGUMENT', model, { maxSeqLength: 129 })).toMatchInlineSnapshot(
      `"maxSeqLength is out of range: expected an integer from 1 to 128, the positions the model has, found 129"`,
    );
  });
});

describe('a directory that means harm', () => {
  test('nothing outside it is opened, whatever modules.json says', async () => {
    for (const path of ['../other', '/etc', '1_Pooling/../../x', '..', 'C:\\x', '\\\\host\\share', 'a\u0000b', 'NUL']) {
      const model = copyModel();
      model.edit('modules.json', json => {
        json[1].path = path;
      });
      await refusal('E_PATH_UNSAFE', () => SentenceEncoder.load(model.directory));
    }
  });

  test('nor whatever a shard index says', async () => {
    for (const shard of [
      '../model.safetensors',
      '/etc/passwd',
      'sub/model.safetensors',
      'weights.bin',
      '.safetensors',
    ]) {
      const model = copyModel('bert-sharded');
      model.edit('model.safetensors.index.json', json => {
        json.weight_map['embeddings.LayerNorm.bias'] = shard;
      });
      await refusal('E_PATH_UNSAFE', () => SentenceEncoder.load(model.directory));
    }
  });

  test('nor by way of a link', async () => {
    const model = copyModel();
    renameSync(model.path('config.json'), join(model.parent, 'config.json'));
    symlinkSync('../config.json', model.path('config.json'));
    await refusal('E_PATH_UNSAFE', () => SentenceEncoder.load(model.directory));
  });

  test('a billion layers cost nothing', async () => {
    const model = copyModel();
    model.edit('config.json', json => {
      json.num_hidden_layers = 512;
      json.vocab_size = 2_000_000;
      json.hidden_size = 16384;
    });
    const before = process.memoryUsage().arrayBuffers;
    await refusal('E_MODULE', () => SentenceEncoder.load(model.directory)); // the pooling is of another width
    model.remove('modules.json');
    await refusal('E_TENSOR_MISSING', () => SentenceEncoder.load(model.directory, { onWarning: () => {} }));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
  });
});
