/** Options are what their names and rules say, or refused: never ignored, never a bare TypeError. */
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkDirectory,
  formatSource,
  GlassbertError,
  rowOf,
  SentenceEncoder,
  similarity,
  Tensor,
  view,
} from '../src/index.ts';
import { openSafetensors, parseSafetensors, serializeSafetensors } from '../src/io/safetensors.ts';
import { BOOLEAN, FUNCTION, integer, nameOf, oneOf, orNull, type Rules, readOptions, STRING } from '../src/options.ts';
import { loadTokenizer } from '../src/text/index.ts';
import { FIXTURES } from './support/model-copy.ts';
import { refusal } from './support/refusal.ts';

interface Options {
  readonly name?: string | null;
  readonly count?: number;
  readonly loud?: boolean;
  readonly see?: () => void;
  readonly how?: 'fast' | 'slow';
}

const RULES = {
  name: orNull(STRING),
  count: integer(1, 9),
  loud: BOOLEAN,
  see: FUNCTION,
  how: oneOf(['fast', 'slow']),
} satisfies Rules<Options>;
const read = (options: unknown): Options => readOptions<Options>('call', options, RULES);

describe('what is allowed', () => {
  test('each value comes back, and undefined counts as not given', () => {
    const options = { name: 'a', count: 9, loud: false, see: () => {}, how: 'slow' };
    expect(read(options)).toEqual(options);
    expect(Object.keys(read({ name: undefined, count: 1 }))).toEqual(['count']);
    expect(read({ name: null })).toEqual({ name: null });
    expect(read({})).toEqual({});
  });

  test('what is used is what was checked, even of options that change', () => {
    let reads = 0;
    const options = {
      get count(): number {
        reads++;
        return reads === 1 ? 3 : 1e9;
      },
    };
    expect(read(options).count).toBe(3);
    expect(reads).toBe(1);
  });
});

describe('what is refused', () => {
  test.each([
    [null, 'the options of call are an object: found null'],
    ['fast', 'the options of call are an object: found "fast"'],
    [[], 'the options of call are an object: found an array of 0'],
    [() => {}, 'the options of call are an object: found a function'],
    [{ Name: 'a' }, 'call has no such option: expected name, count, loud, see, how, found "Name"'],
    [{ '\u001b[2J': 1 }, 'call has no such option: expected name, count, loud, see, how, found "\\u001b[2J"'],
    [{ name: 5 }, 'the option name of call cannot be used: expected a string, found 5'],
    [{ count: 10 }, 'the option count of call cannot be used: expected an integer from 1 to 9, found 10'],
    [{ count: '3' }, 'the option count of call cannot be used: expected an integer from 1 to 9, found "3"'],
    [{ count: 1n }, 'the option count of call cannot be used: expected an integer from 1 to 9, found 1'],
    [{ count: Object.create(null) }, /found an object$/],
    [{ count: Symbol('a') }, /found Symbol\(a\)$/],
    [{ loud: 'false' }, 'the option loud of call cannot be used: expected true or false, found "false"'],
    [{ loud: null }, /found null$/],
    [{ see: {} }, /expected a function, found an object$/],
    [{ how: 'toString' }, /expected fast, slow, found "toString"$/],
  ])('%#', async (options, message) => {
    const error = await refusal('E_ARGUMENT', () => read(options));
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
  });

  test('a long value is cut in its message', () => {
    expect(nameOf('x'.repeat(1000))).toHaveLength(83);
  });
});

describe('every public function', () => {
  const hostile = {
    toString: (): never => {
      throw new Error('asked');
    },
  };
  const values: unknown[] = [
    ...[undefined, null, 0, -1, 1.5, Number.NaN, 1n, '', 'x', true, Symbol('s'), {}, [], [1], [1n], [Symbol('s')]],
    ...[Object.create(null), () => {}, new Map(), new Proxy({}, {}), hostile, { data: 1 }],
  ];

  /** Each either works or ends in a GlassbertError; how many did what. */
  async function attempt(calls: Record<string, (value: never) => unknown>) {
    const counts = { works: 0, refused: 0 };
    const raw: string[] = [];
    for (const [name, call] of Object.entries(calls)) {
      for (const value of values) {
        try {
          await call(value as never);
          counts.works++;
        } catch (error) {
          counts.refused++;
          if (!(error instanceof GlassbertError)) raw.push(`${name}: ${error}`);
        }
      }
    }
    return { raw, ...counts };
  }

  const DIRECTORY = `${FIXTURES}bert-mean-normalize`;
  const each = <Options>(names: readonly string[], call: (options: Options) => unknown) =>
    Object.fromEntries(names.map(name => [name, (value: unknown) => call({ [name]: value } as Options)]));

  test('of the encoder refuses what it cannot use, typed', async () => {
    const encoder = await SentenceEncoder.load(DIRECTORY, { threads: 1 });
    const { raw, works, refused } = await attempt({
      input: input => encoder.encode(input),
      inputs: input => encoder.encode([input]),
      pair: input => encoder.encode([[input, input]]),
      options: options => encoder.encode('a', options),
      query: options => encoder.encodeQuery('a', options),
      document: options => encoder.encodeDocument('a', options),
      token: input => encoder.tokenize(input),
      tokens: options => encoder.tokenize('a', options),
      ...each(['truncate'], options => encoder.tokenize('a', options as object)),
      ...each(
        ['promptName', 'prompt', 'batchSize', 'normalize', 'truncateDim', 'observe', 'signal', 'onProgress'],
        options => encoder.encode('a', options as object),
      ),
    });
    expect(raw).toEqual([]);
    expect(works).toBeLessThan(refused / 2);
  });

  test('of tensors', async () => {
    const tensor = { data: Float32Array.of(1, 2), shape: [2] };
    const { raw, works } = await attempt({
      view: value => view(value),
      'view data': data => view({ ...tensor, data }),
      'view shape': shape => view({ ...tensor, shape }),
      'view size': size => view({ ...tensor, shape: [size] }),
      tensor: data => new Tensor(data, [2]),
      'tensor shape': shape => new Tensor(tensor.data, shape),
      rowOf: value => rowOf(value, 0),
      row: n => rowOf(tensor, n),
      left: value => similarity('cosine', value, tensor),
      right: value => similarity('cosine', tensor, value),
      name: name => similarity(name, tensor, tensor),
    });
    expect(raw).toEqual([]);
    expect(works).toBe(1); // row 0
  });

  test('of safetensors', async () => {
    const path = `${DIRECTORY}/model.safetensors`;
    const open = async (options: object): Promise<void> => (await openSafetensors(path, options)).close();
    const [file, bytes] = [await openSafetensors(path), parseSafetensors(readFileSync(path))];
    onTestFinished(() => file.close());
    const [name] = file.tensors.keys();
    const tensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) } as const;
    const { raw } = await attempt({
      open: source => openSafetensors(source),
      options: options => open(options),
      ...each(['file', 'budget', 'x'], options => open(options as object)),
      parse: source => parseSafetensors(source),
      'file of parse': file => parseSafetensors(readFileSync(path), file),
      ...Object.fromEntries(
        Object.entries({ file, bytes }).flatMap(([from, reader]) => [
          [`name in ${from}`, (name: never) => reader.read(name)],
          [`floats in ${from}`, (name: never) => reader.readFloats(name, 'f32')],
          [`into from ${from}`, (into: never) => reader.readFloats(name, into)],
        ]),
      ),
      readInto: into => file.readInto(name, into),
      tensors: tensors => serializeSafetensors(tensors),
      tensor: tensor => serializeSafetensors({ tensor }),
      'name to write': name => serializeSafetensors(new Map([[name, tensor]])),
      ...each(['dtype', 'shape', 'data'], part => serializeSafetensors({ t: { ...tensor, ...(part as object) } })),
      metadata: metadata => serializeSafetensors({}, metadata),
      'metadata value': value => serializeSafetensors({}, { value }),
    });
    expect(raw).toEqual([]);
    // Without a word, each of these would have been a file of something else.
    for (const tensors of [5, 'x', [tensor]] as never[])
      await refusal('E_ARGUMENT', () => serializeSafetensors(tensors));
    await refusal('E_ARGUMENT', () => serializeSafetensors({}, { epoch: 3 as never }));
    await refusal('E_ARGUMENT', () => file.readFloats(name, [1, 2] as never));
  });

  test('of the tokenizer, and what tells a source', async () => {
    const tokenizer = await loadTokenizer(DIRECTORY);
    const { raw } = await attempt({
      directory: directory => loadTokenizer(directory),
      text: text => tokenizer.encode(text),
      options: options => tokenizer.encode('a', options),
      ...each(['pair', 'truncate', 'maxLength'], options => tokenizer.encode('a', options as object)),
      source: source => formatSource(source),
    });
    expect(raw).toEqual([]);
    for (const maxLength of [0, 4.5, Number.NaN, Number.POSITIVE_INFINITY])
      await refusal('E_ARGUMENT', () => tokenizer.encode('a', { maxLength }));
  });

  test('of loading and checking', async () => {
    const quiet = { threads: 1, onWarning: (): void => {} };
    const load = async (directory: string, options: object): Promise<void> => {
      await (await SentenceEncoder.load(directory, { ...quiet, ...options })).dispose();
    };
    const names = ['verify', 'kernels', 'wide', 'threads', 'pooling', 'maxSeqLength', 'onWarning'];
    const ways = [
      'publicKey',
      'certificateRoots',
      'expect',
      'manifest',
      'at',
      'signature',
      'ignorePaths',
      'allowSymlinks',
    ];
    const { raw } = await attempt({
      directory: directory => load(directory, {}),
      options: options => SentenceEncoder.load(DIRECTORY, options),
      ...each(names, options => load(DIRECTORY, options as object)),
      ...each(ways, verify => load(DIRECTORY, { verify })),
      check: directory => checkDirectory(directory),
      checking: options => checkDirectory(DIRECTORY, options),
      ...each(['onProgress'], options => checkDirectory(DIRECTORY, options as object)),
    });
    expect(raw).toEqual([]);
    const error = await refusal('E_ARGUMENT', () => load(DIRECTORY, { maxSeqLength: 1 }));
    expect(error.message).toBe(
      'the maximum length has no room for the special tokens: expected an integer from 2 on, found 1',
    );
  });
});
