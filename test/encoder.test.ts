/** The API beside its numbers: prompts, pairs, options, overrides, and what it refuses. */
import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { rowOf, SentenceEncoder, similarity, type Warning } from '../src/index.ts';
import type { TensorToWrite } from '../src/io/safetensors.ts';
import { copyModel, FIXTURES } from './support/model-copy.ts';
import { maxDifference } from './support/numbers.ts';
import { refusal } from './support/refusal.ts';

const load = (name: string): Promise<SentenceEncoder> => SentenceEncoder.load(FIXTURES + name, { onWarning: () => {} });

function f32(shape: number[], value: (i: number) => number): TensorToWrite {
  const size = shape.reduce((a, b) => a * b, 1);
  return { dtype: 'F32', shape, data: Float32Array.from({ length: size }, (_, i) => value(i)) };
}

/** A few values that are no symmetric function of their place. */
const wave = (i: number): number => Math.fround(Math.sin(i + 1) / 8);

describe('prompts', () => {
  test('a query and a document have the prompts of their names', async () => {
    const encoder = await load('bert-prompts');
    const { query, document } = encoder.prompts;
    expect(await encoder.encodeQuery('a')).toEqual(await encoder.encode('a', { prompt: query }));
    expect(await encoder.encodeDocument('a')).toEqual(await encoder.encode('a', { prompt: document }));
    expect(await encoder.encodeQuery('a')).not.toEqual(await encoder.encodeDocument('a'));
    // An option that is handed on without a value is not there.
    expect(await encoder.encodeQuery('a', { promptName: undefined } as object)).toEqual(await encoder.encodeQuery('a'));
    expect(await encoder.encode('a', { prompt: null } as object)).toEqual(await encoder.encode('a'));
  });

  test('a model without prompts has empty ones, and an unknown name is an error', async () => {
    const encoder = await load('bert-cased');
    expect(await encoder.encodeQuery('a')).toEqual(await encoder.encode('a'));
    const error = await refusal('E_PROMPT_UNKNOWN', () => encoder.encode('a', { promptName: 'passage' }));
    expect(error.message).toBe('the model has no prompt named "passage": expected "query", "document"');
  });

  test('the similarity is that of the model', async () => {
    const encoder = await load('bert-prompts'); // dot
    const vectors = { data: Float32Array.of(2, 0, 0, 3), shape: [2, 2] };
    expect([...encoder.similarity(vectors, vectors).data]).toEqual([4, 0, 0, 9]);
  });
});

describe('pairs', () => {
  /** Saved as the class that keeps its file, the model is fed no types; as a BertTokenizer it is. */
  const typed = (): ReturnType<typeof copyModel> => {
    const model = copyModel();
    model.edit('tokenizer_config.json', json => ({ ...json, tokenizer_class: 'BertTokenizer' }));
    return model;
  };

  test('a pair is one input: its second text has type 1, where the tokenizer class has types', async () => {
    const encoder = await SentenceEncoder.load(typed().directory);
    const generic = await load('bert-mean-normalize');
    expect(new Set(generic.tokenize(['hello', 'world']).typeIds)).toEqual(new Set([0]));
    const { ids, typeIds } = encoder.tokenize(['hello', 'world']);
    const [a, b] = [encoder.tokenize('hello').ids, encoder.tokenize('world').ids];
    expect([...ids]).toEqual([...a, ...b.subarray(1)]);
    expect([...typeIds]).toEqual([...Array(a.length).fill(0), ...Array(b.length - 1).fill(1)]);
  });

  test('types reach the embeddings, whatever stands before in the batch', async () => {
    const encoder = await SentenceEncoder.load(typed().directory);
    const pair = ['hello', 'world'] as const;
    const alone = await encoder.encode([pair]);
    const batch = await encoder.encode(['hello', pair, ['world', 'hello']]);
    expect(rowOf(batch, 1)).toEqual(rowOf(alone, 0));
    expect(maxDifference(rowOf(batch, 1), rowOf(batch, 2))).toBeGreaterThan(1e-3);

    const untyped = typed();
    untyped.edit('tokenizer_config.json', json => ({ ...json, model_input_names: ['input_ids', 'attention_mask'] }));
    expect(await (await SentenceEncoder.load(untyped.directory)).encode([pair])).not.toEqual(alone);
  });

  test('a model with one token type takes no pairs', async () => {
    const model = typed();
    model.edit('config.json', json => ({ ...json, type_vocab_size: 1 }));
    model.editTensors(tensors => {
      tensors.set('embeddings.token_type_embeddings.weight', f32([1, 32], wave));
    });
    const encoder = await SentenceEncoder.load(model.directory);
    expect((await encoder.encode('hello')).shape).toEqual([32]);
    await refusal('E_ARGUMENT', () => encoder.encode([['hello', 'world']]));
  });
});

describe('load', () => {
  const wrongOptions: unknown[] = [
    null,
    'simd',
    { maxSeqLength: Symbol('a') },
    { maxSeqLength: '12' },
    { maxSeqLength: 0 },
    { threads: Object.create(null) },
    { threads: Number.POSITIVE_INFINITY },
    { wide: 'yes' },
    { wide: 1 },
    { kernels: 5 },
    { kernels: 'toString' },
    { pooling: 5 },
    { pooling: 'average' },
    { pooling: [Symbol('mean')] },
    { verify: { expect: Symbol('a') } },
    { verify: { publicKey: 'x', certificateRoots: 'y', at: Object.create(null) } },
    { onWarning: 'stderr' },
    { onWarning: null },
    { verify: null },
    { max_seq_length: 5 },
  ];

  test.each(wrongOptions.map(options => [options]))('refuses the options %o', async options => {
    await refusal('E_ARGUMENT', () => SentenceEncoder.load(`${FIXTURES}bert-mean-normalize`, options as object));
  });

  test('a URL object of a file is a path, and nothing else is', async () => {
    const expected = await (await load('bert-mean-normalize')).encode('a');
    const url = pathToFileURL(`${FIXTURES}bert-mean-normalize`);
    expect(await (await SentenceEncoder.load(url)).encode('a')).toEqual(expected);

    const wrong: unknown[] = [
      new URL('http://a/b'),
      new URL('data:,a'),
      { href: 'file:///a' },
      5,
      null,
      ['a'],
      () => {},
    ];
    for (const directory of wrong) await refusal('E_ARGUMENT', () => SentenceEncoder.load(directory as string));
    const error = await refusal('E_ARGUMENT', () => SentenceEncoder.load(new URL('http://a/b')));
    expect(error.message).toContain('expected a string, or a URL object with file:, found "http://a/b"');
  });

  test('the vectors of the oracle have a type of their own', async () => {
    const vector: Float32Array = (await (await load('bert-mean-normalize')).encode('a')).data;
    const oracle = await SentenceEncoder.load(`${FIXTURES}bert-mean-normalize`, { kernels: 'oracle' });
    const exact: Float64Array = (await oracle.encode('a')).data;
    expect(maxDifference(vector, exact)).toBeLessThan(1e-6);
    const similar: Float64Array = oracle.similarity(await oracle.encode('a'), await oracle.encode(['a', 'b'])).data;
    expect(similar).toHaveLength(2);
    // @ts-expect-error: one is not the other
    const wrong: Float32Array = (await oracle.encode('a')).data;
    expect(wrong).toBeInstanceOf(Float64Array);
  });
});

describe('dispose', () => {
  test.each([1, 2])('afterwards every call says so, whatever its size (%d threads)', async threads => {
    const encoder = await SentenceEncoder.load(undefined, { threads });
    const vectors = await encoder.encode(['a', 'b']);
    const underWay = [
      encoder.encode('a'),
      encoder.encode(new Array(500).fill('some words that take a while')),
      encoder.encode('word '.repeat(300)),
    ].map(call => refusal('E_DISPOSED', () => call));
    const [first, second] = [encoder.dispose(), encoder.dispose()];
    await Promise.all([first, second, ...underWay]);
    await encoder.dispose();

    for (const input of ['a', [], ['a'], new Array(500).fill('a'), 'word '.repeat(300)]) {
      await refusal('E_DISPOSED', () => encoder.encode(input));
      await refusal('E_DISPOSED', () => encoder.encodeQuery(input));
    }
    const error = await refusal('E_DISPOSED', () => encoder.tokenize('a'));
    expect(error.message).toBe('the encoder was disposed of');
    // What needs no model is left.
    expect([encoder.report.dimension, encoder.dimension, encoder.maxSeqLength]).toEqual([192, 192, 256]);
    expect(encoder.similarity(vectors, vectors)).toEqual(similarity('cosine', vectors, vectors));
  });

  test('comes at the end of a block with await using', async () => {
    let kept: SentenceEncoder;
    {
      await using encoder = await SentenceEncoder.load();
      kept = encoder;
      expect((await encoder.encode('a')).shape).toEqual([192]);
    }
    await refusal('E_DISPOSED', () => kept.encode('a'));
  });

  /** Resident memory in MB after five encoders and after all, of which each is used by `body`. */
  function memoryOf(count: number, body: string): [five: number, all: number] {
    const program = `
      import { SentenceEncoder } from '${new URL('../src/index.ts', import.meta.url).href}';
      const rss = () => process.memoryUsage.rss() / 2 ** 20;
      const kept = [];
      let five = 0;
      for (let i = 0; i < ${count}; i++) {
        ${body}
        globalThis.gc();
        await new Promise(resolve => setTimeout(resolve, 20));
        if (i === 4) five = rss();
      }
      process.stdout.write(JSON.stringify([five, rss()]));
    `;
    const args = ['--expose-gc', '--input-type=module', '-e', program];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  }

  test('lets go of the model, though the encoder and its report are kept', () => {
    const [five, all] = memoryOf(
      20,
      `
        const encoder = await SentenceEncoder.load(undefined, { threads: 2 });
        await encoder.dispose();
        kept.push(encoder);`,
    );
    expect(all).toBeLessThan(five + 80); // the weights take some 13 MB in f32: 15 of them would be 200
  });

  test('what nothing can reach any more is freed without it', { timeout: 240_000 }, () => {
    const [five, all] = memoryOf(
      30,
      `
        const encoder = await SentenceEncoder.load('${FIXTURES}bert-mean-normalize', { threads: 2, onWarning: () => {} });
        await encoder.encode(Array.from({ length: 40 }, (_, n) => 'text number ' + n), { batchSize: 4 });`,
    );
    expect(all).toBeLessThan(five + 400); // an encoder with two threads holds some 45 MB: that would be 1,100
  });
});

describe('modules', () => {
  test('Dense with a residual adds what it was given, projected where the widths differ', async () => {
    const model = copyModel('bert-cls-dense-tanh');
    const plain = await (await SentenceEncoder.load(model.directory, { kernels: 'oracle' })).encode('hello');
    model.edit('2_Dense/config.json', json => ({ ...json, use_residual: true }));
    model.editTensors(tensors => tensors.set('residual.weight', f32([20, 32], wave)), '2_Dense/model.safetensors');
    const encoder = await SentenceEncoder.load(model.directory, { kernels: 'oracle' });
    const seen = new Map<string, Float64Array>();
    const vector = await encoder.encode('hello', {
      observe: (name, { data }) => seen.set(name, Float64Array.from(data)),
    });
    expect(vector).not.toEqual(plain);

    const pooled = seen.get('pooling') as Float64Array;
    const expected = Array.from({ length: 20 }, (_, f) => pooled.reduce((sum, p, d) => sum + p * wave(f * 32 + d), 0));
    const dense = seen.get('modules.2.Dense') as Float64Array;
    const without = new Map<string, Float64Array>();
    model.edit('2_Dense/config.json', json => ({ ...json, use_residual: false }));
    model.editTensors(tensors => tensors.delete('residual.weight'), '2_Dense/model.safetensors');
    const other = await SentenceEncoder.load(model.directory, { kernels: 'oracle' });
    await other.encode('hello', { observe: (name, { data }) => without.set(name, Float64Array.from(data)) });
    const difference = dense.map((value, i) => value - (without.get('modules.2.Dense') as Float64Array)[i]);
    expect(maxDifference(difference, expected)).toBeLessThan(1e-12);
  });

  test('the projection of DPR follows its first token, and only that', async () => {
    const model = copyModel('dpr-ctx-encoder');
    const cls = await (await SentenceEncoder.load(model.directory, { pooling: 'cls', kernels: 'oracle' })).encode(
      'hello',
    );
    model.edit('config.json', json => ({ ...json, projection_dim: 5 }));
    model.editTensors(tensors => {
      tensors.set('ctx_encoder.encode_proj.weight', f32([5, 32], wave));
      tensors.set('ctx_encoder.encode_proj.bias', f32([5], wave));
    });
    const encoder = await SentenceEncoder.load(model.directory, { pooling: 'cls', kernels: 'oracle' });
    const { data, shape } = await encoder.encode('hello');
    expect(shape).toEqual([5]);
    const expected = Array.from({ length: 5 }, (_, f) =>
      [...cls.data].reduce((sum, p, d) => sum + p * wave(f * 32 + d), wave(f)),
    );
    expect(maxDifference(data, expected)).toBeLessThan(1e-12);

    const warnings: Warning[] = [];
    const mean = await SentenceEncoder.load(model.directory, { pooling: 'mean', onWarning: w => warnings.push(w) });
    expect(mean.dimension).toBe(32);
    expect(warnings.map(({ code }) => code)).toEqual(['W_PROJECTION_UNUSED']);
  });
});

describe('warnings', () => {
  const codes = async (directory: string): Promise<string[]> => {
    const warnings: Warning[] = [];
    await SentenceEncoder.load(directory, { onWarning: warning => warnings.push(warning) });
    return warnings.map(({ code }) => code);
  };

  test('tensors that nothing uses, code that is not run, a limit beyond the positions', async () => {
    const model = copyModel();
    expect(await codes(model.directory)).toEqual([]);
    model.editTensors(tensors => tensors.set('adapter.weight', f32([2], wave)));
    expect(await codes(model.directory)).toEqual(['W_TENSORS_UNUSED']);
    model.edit('config.json', json => ({ ...json, auto_map: { AutoModel: 'modeling.Model' } }));
    model.edit('sentence_bert_config.json', json => ({ ...json, max_seq_length: 512 }));
    expect(await codes(model.directory)).toEqual(['W_LENGTH_CLAMPED', 'W_CODE_IGNORED', 'W_TENSORS_UNUSED']);
    const encoder = await SentenceEncoder.load(model.directory, { onWarning: () => {} });
    expect(encoder.maxSeqLength).toBe(128);
    expect((await encoder.encode('word '.repeat(600))).shape).toEqual([32]);
  });

  test('a file that a bare directory does not have read', async () => {
    const model = copyModel('bert-bare-directory');
    model.write('config_sentence_transformers.json', '{"default_prompt_name": "query", "prompts": {"query": "q: "}}');
    expect(await codes(model.directory)).toEqual(['W_FILE_IGNORED', 'W_BARE_DIRECTORY']);
  });
});

describe('settings that are not supported are refused, not ignored', () => {
  test.each([
    ['sentence_bert_config.json', { transformer_task: 'fill-mask' }],
    ['sentence_bert_config.json', { config_args: { num_hidden_layers: 1 } }],
    ['sentence_bert_config.json', { query_length: 8 }],
    [
      'sentence_bert_config.json',
      { modality_config: { text: { method: 'forward', method_output_name: 'pooler_output' } } },
    ],
    ['config_sentence_transformers.json', { model_type: 'SparseEncoder' }],
  ])('%s: %j', async (file, changed) => {
    const model = copyModel();
    model.edit(file, json => ({ ...json, ...changed }));
    await refusal('E_CONFIG', () => SentenceEncoder.load(model.directory));
  });

  test('a RoBERTa without its model_type is not taken for a BERT', async () => {
    const model = copyModel();
    model.edit('config.json', ({ model_type: _, ...json }) => ({ ...json, architectures: ['RobertaModel'] }));
    await refusal('E_ARCHITECTURE', () => SentenceEncoder.load(model.directory));
  });

  test('a length for the tokenizer alone wins over max_seq_length', async () => {
    const model = copyModel();
    model.edit('sentence_bert_config.json', json => ({ ...json, processor_kwargs: { model_max_length: 16 } }));
    expect((await SentenceEncoder.load(model.directory)).maxSeqLength).toBe(16);
  });
});

describe('encode', () => {
  test('gives a vector for a string, rows for an array, no rows for none', async () => {
    const encoder = await load('bert-mean-normalize');
    expect((await encoder.encode('a')).shape).toEqual([32]);
    expect((await encoder.encode(['a'])).shape).toEqual([1, 32]);
    expect(await encoder.encode([])).toEqual({ data: new Float32Array(0), shape: [0, 32] });
    expect((await encoder.encode('a', { truncateDim: 32 })).shape).toEqual([32]);
  });

  test('computes what it was given, though the array changes meanwhile', async () => {
    const encoder = await load('bert-mean-normalize');
    const texts = ['a', 'b', 'c', 'd'];
    const expected = await encoder.encode([...texts]);
    const vectors = encoder.encode(texts, { batchSize: 1 });
    texts.length = 1;
    expect(await vectors).toEqual(expected);
  });

  test('does not take for a text what is none', async () => {
    const encoder = await load('bert-mean-normalize');
    const hole = Object.assign(new Array(2), { 1: 'b' });
    const wrong: unknown[] = [5, null, undefined, {}, Symbol('a'), [5], [['a']], [['a', 'b', 'c']], [hole]];
    for (const input of wrong) {
      await refusal('E_ARGUMENT', () => encoder.encode(input as string));
      await refusal('E_ARGUMENT', () => encoder.tokenize((Array.isArray(input) ? input[0] : input) as string));
    }
  });

  test('an invalid text among many is named by its number', async () => {
    const encoder = await load('bert-mean-normalize');
    const texts: unknown[] = new Array(10_000).fill('a');
    texts[4711] = undefined;
    const error = await refusal('E_ARGUMENT', () => encoder.encode(texts as string[]));
    expect(error.message).toBe(
      'text 4711 is no text: expected a string, or a pair as an array of two strings, found undefined',
    );
    texts[4711] = ['a', 'b', 'c'];
    expect((await refusal('E_ARGUMENT', () => encoder.encode(texts as string[]))).found).toBe('an array of 3');
    texts[4711] = null;
    expect((await refusal('E_ARGUMENT', () => encoder.encode(texts as string[]))).found).toBe('null');
  });

  const wrongOptions: unknown[] = [
    null,
    5,
    'normalize',
    [],
    { batchSize: 0 },
    { batchSize: Number.NaN },
    { batchSize: '3' },
    { batchSize: Object.create(null) },
    { batchSize: 2 ** 60 },
    { truncateDim: 1.5 },
    { truncateDim: 33 },
    { truncateDim: 10_000 },
    { truncateDim: null },
    { normalize: 'false' },
    { normalize: 'no' },
    { normalize: 0 },
    { normalize: null },
    { prompt: 5 },
    { prompt: ['a'] },
    { promptName: {} },
    { promptName: Symbol('query') },
    { observe: 5 },
    { signal: true },
    { signal: { aborted: 'no' } },
    { onProgress: 'yes' },
    { truncate_dim: 5 },
    { __proto__: null, promptname: 'query' },
  ];

  test.each(wrongOptions.map(options => [options]))('refuses the options %j, in all three calls', async options => {
    const encoder = await load('bert-mean-normalize');
    for (const call of ['encode', 'encodeQuery', 'encodeDocument'] as const) {
      // A rejection, not a throw.
      const rejected = encoder[call]('a', options as object);
      expect(rejected).toBeInstanceOf(Promise);
      await refusal('E_ARGUMENT', () => rejected);
    }
  });

  test('null is said as null', async () => {
    const encoder = await load('bert-mean-normalize');
    const error = await refusal('E_ARGUMENT', () => encoder.encode('a', null as never));
    expect(error.message).toBe('the options of encode are an object: found null');
    const normalize = await refusal('E_ARGUMENT', () => encoder.encode('a', { normalize: 'false' } as never));
    expect(normalize.message).toBe(
      'the option normalize of encode cannot be used: expected true or false, found "false"',
    );
  });

  test('tokenize checks its options too', async () => {
    const encoder = await load('bert-mean-normalize');
    for (const options of [null, 5, { truncate: 'no' }, { maxLength: 5 }, { truncate: null }]) {
      await refusal('E_ARGUMENT', () => encoder.tokenize('a', options as object));
    }
    expect(encoder.tokenize('word '.repeat(300), { truncate: false }).truncated).toBe(false);
    expect(encoder.tokenize('word '.repeat(300), { truncate: undefined } as object).truncated).toBe(true);
  });

  test('a vector that is not finite is an error, not a vector', async () => {
    const model = copyModel('bert-cls-dense-tanh');
    model.edit('2_Dense/config.json', json => ({ ...json, activation_function: 'torch.nn.modules.linear.Identity' }));
    model.editTensors(
      tensors =>
        tensors.set(
          'linear.weight',
          f32([20, 32], i => (i % 2 === 0 ? 3e38 : -3e38)),
        ),
      '2_Dense/model.safetensors',
    );
    const encoder = await SentenceEncoder.load(model.directory, { threads: 1 });
    const error = await refusal('E_TENSOR_VALUE', () => encoder.encode(['a', 'b']));
    expect(error.message).toMatch(/^the vector of text 0 is not finite/);
  });

  test('the report cannot be written to', async () => {
    const { report } = await load('bert-mean-normalize');
    expect(() => Object.assign(report.settings.maxSeqLength, { value: 3 })).toThrow(TypeError);
  });
});
