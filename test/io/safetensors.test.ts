import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { GlassbertError } from '../../src/errors.ts';
import { DTYPE_BITS, DTYPES } from '../../src/io/dtypes.ts';
import {
  openSafetensors,
  parseSafetensors,
  serializeSafetensors,
  type TensorToWrite,
  type Values,
} from '../../src/io/safetensors.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';

/** A file from the text of its header and the number of bytes after it, which are 1, 2, 3, ... */
function fileOf(header: string, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  for (let i = 0; i < dataBytes; i++) file[8 + json.length + i] = i + 1;
  return file;
}

const tensor = (dtype: string, shape: string, begin: number, end: number): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

const T = tensor('F32', '[2,2]', 0, 16);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glassbert-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function saved(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${createHash('sha256').update(bytes).digest('hex')}.safetensors`);
  await writeFile(path, bytes);
  return path;
}

// ---------------------------------------------------------------------------------------------------------------------

describe('a file by hand', () => {
  const bytes = fileOf(
    `{"__metadata__":{"format":"pt"},"b":${tensor('I16', '[2]', 8, 12)},"a":${tensor('U8', '[2,4]', 0, 8)}}`,
    12,
  );

  test('says what it holds, in the order in which it lies there', () => {
    const { metadata, tensors } = parseSafetensors(bytes);
    expect([...metadata]).toEqual([['format', 'pt']]);
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    const begin = bytes.length - 4;
    expect(tensors.get('b')).toEqual({ dtype: 'I16', shape: [2], byteLength: 4, begin, end: begin + 4 });
  });

  test('gives each tensor in the type of its dtype', () => {
    const { read } = parseSafetensors(bytes);
    expect(read('a')).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect(read('b')).toEqual(Int16Array.of(9 + 256 * 10, 11 + 256 * 12));
  });

  test('hands out copies: the file in memory cannot be changed through them', () => {
    const { read } = parseSafetensors(Buffer.from(bytes));
    read('a').fill(0 as never);
    expect(read('a')).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  });

  test('tells a tensor that is missing from one that holds no floats, and from an array too short', async () => {
    const path = await saved(bytes);
    const f32 = fileOf(`{"t":${T}}`, 16);
    const file = await openSafetensors(path);
    onTestFinished(() => file.close());
    for (const source of [parseSafetensors(bytes), file]) {
      await refusal('E_TENSOR_MISSING', () => source.read('c'));
      await refusal('E_TENSOR_MISSING', () => source.read('__metadata__'));
      await refusal('E_TENSOR_DTYPE', () => source.readFloats('b', 'f32'));
    }
    await refusal('E_ARGUMENT', () => parseSafetensors(f32).readFloats('t', new Float32Array(3)));
  });
});

describe('unusual, and accepted', () => {
  test.each<[string, Uint8Array, string[]]>([
    ['a file without tensors', fileOf('{}'), []],
    ['white space around the header', fileOf(' \r\n\t{} \r\n\t'), []],
    ['a scalar', fileOf(`{"t":${tensor('F32', '[]', 0, 4)}}`, 4), ['t']],
    ['a tensor of no elements', fileOf(`{"t":${tensor('F32', '[2,0]', 0, 0)}}`), ['t']],
    [
      'a tensor of no elements where another begins',
      fileOf(`{"t":${T},"e":${tensor('F32', '[0]', 0, 0)}}`, 16),
      ['e', 't'],
    ],
    [
      'names that mean something to JavaScript',
      fileOf(
        `{"__proto__":${tensor('U8', '[1]', 0, 1)},"constructor":${tensor('U8', '[1]', 1, 2)},"":${tensor('U8', '[1]', 2, 3)}}`,
        3,
      ),
      ['__proto__', 'constructor', ''],
    ],
    ['a name written with escapes', fileOf(`{"\\u0061\\/b":${tensor('U8', '[1]', 0, 1)}}`, 1), ['a/b']],
    ['32 dimensions', fileOf(`{"t":${tensor('U8', `[${Array(32).fill(1)}]`, 0, 1)}}`, 1), ['t']],
  ])('%s', (_, bytes, names) => {
    expect([...parseSafetensors(bytes).tensors.keys()]).toEqual(names);
  });

  test('data that begins at an odd address, as old writers left it', () => {
    const bytes = fileOf(`{"t":${tensor('F64', '[1]', 0, 8)}} `.padEnd(57), 8);
    new DataView(bytes.buffer).setFloat64(bytes.length - 8, 0.1, true);
    expect((bytes.length - 8) % 2).toBe(1);
    expect(parseSafetensors(bytes).read('t')).toEqual(Float64Array.of(0.1));
    expect(parseSafetensors(bytes).readFloats('t', 'f32')).toEqual(Float32Array.of(0.1));
  });
});

describe('refused', () => {
  const N = (n: bigint): Uint8Array => {
    const bytes = fileOf(`{"t":${T}}`, 16);
    new DataView(bytes.buffer).setBigUint64(0, n, true);
    return bytes;
  };
  const one = (fields: string, data = 4): Uint8Array => fileOf(`{"t":{${fields}}}`, data);

  test.each<[string, Uint8Array, string]>([
    ['seven bytes', new Uint8Array(7), 'a file of 7 bytes'],
    ['a header of no bytes', new Uint8Array(8), 'the end of the file'],
    ['a header length of 2^64 - 1', N(2n ** 64n - 1n), '18446744073709551615'],
    ['a header length of 2^53 + 1', N(2n ** 53n + 1n), '9007199254740993'],
    ['a header length over 100,000,000', N(100_000_001n), '100000001'],
    ['a header longer than the file', N(1000n), '1000 in a file'],
    ['a header one byte short', N(56n), 'not JSON'],
    ['a header one byte long', N(58n), 'not JSON'],
    ['a header that is an array', fileOf('[]'), 'not an object'],
    ['a byte order mark', fileOf('\ufeff{}'), 'byte order mark'],
    [
      'two tensors of one name',
      fileOf(`{"t":${tensor('U8', '[4]', 0, 4)},"t":${tensor('F32', '[1]', 0, 4)}}`, 4),
      'twice',
    ],
    ['two tensors of one name, one escaped', fileOf(`{"t":${T},"\\u0074":${T}}`, 16), 'twice'],
    ['a metadata key that stands twice', fileOf('{"__metadata__":{"a":"1","a":"2"}}'), 'twice'],
    ['metadata that is null', fileOf('{"__metadata__":null}'), 'not an object'],
    ['metadata with a number', fileOf('{"__metadata__":{"a":1}}'), 'not a string'],
    ['a tensor that is null', fileOf('{"t":null}'), 'not described by an object'],
    ['a tensor given by position', fileOf('{"t":["F32",[1],[0,4]]}', 4), 'not described by an object'],
    ['an unknown field', one('"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1'), 'unknown field "x"'],
    ['a missing dtype', one('"shape":[1],"data_offsets":[0,4]'), 'unknown dtype'],
    ['a dtype in lower case', one('"dtype":"f32","shape":[1],"data_offsets":[0,4]'), 'found "f32"'],
    [
      'a dtype from the prototype of Object',
      one('"dtype":"toString","shape":[1],"data_offsets":[0,4]'),
      'unknown dtype',
    ],
    ['a dtype as an object', one('"dtype":{"F32":0},"shape":[1],"data_offsets":[0,4]'), 'unknown dtype'],
    ['a missing shape', one('"dtype":"F32","data_offsets":[0,4]'), 'no shape'],
    ['a shape of strings', one('"dtype":"F32","shape":["1"],"data_offsets":[0,4]'), 'no shape'],
    ['a size of -1', one('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), 'only digits'],
    ['a size of -0', one('"dtype":"F32","shape":[-0],"data_offsets":[0,0]', 0), 'only digits'],
    ['a size of 1.0', one('"dtype":"F32","shape":[1.0],"data_offsets":[0,4]'), 'only digits'],
    ['a size of 1e0', one('"dtype":"F32","shape":[1e0],"data_offsets":[0,4]'), 'only digits'],
    ['a size of 2^53 + 1', one('"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,4]'), 'too large'],
    [
      'sizes whose product passes 2^64',
      one('"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]'),
      'that large',
    ],
    [
      'sizes whose product passes 2^53',
      one('"dtype":"U8","shape":[94906267,94906267],"data_offsets":[0,4]'),
      'that large',
    ],
    [
      'a product too large before it becomes 0',
      one('"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]', 0),
      'that large',
    ],
    ['33 dimensions', one(`"dtype":"U8","shape":[${Array(33).fill(1)}],"data_offsets":[0,1]`, 1), '33 dimensions'],
    ['three numbers of 4 bits', one('"dtype":"F4","shape":[3],"data_offsets":[0,2]', 2), 'that large'],
    ['missing offsets', one('"dtype":"F32","shape":[1]'), 'no data_offsets'],
    ['three offsets', one('"dtype":"F32","shape":[1],"data_offsets":[0,4,8]'), 'no data_offsets'],
    ['offsets in reverse', one('"dtype":"F32","shape":[1],"data_offsets":[4,0]'), 'found -4'],
    ['more bytes than the shape needs', one('"dtype":"F32","shape":[1],"data_offsets":[0,16]', 16), 'expected 4 bytes'],
    ['fewer bytes than the shape needs', one('"dtype":"F32","shape":[2,2],"data_offsets":[0,4]'), 'expected 16 bytes'],
    ['a hole at the start', fileOf(`{"t":${tensor('U8', '[4]', 4, 8)}}`, 8), 'to begin at 0, found 4'],
    [
      'a hole in the middle',
      fileOf(`{"a":${tensor('U8', '[4]', 0, 4)},"b":${tensor('U8', '[4]', 8, 12)}}`, 12),
      'to begin at 4, found 8',
    ],
    ['two tensors in one place', fileOf(`{"a":${T},"b":${T}}`, 16), 'overlaps'],
    ['a tensor of no elements inside another', fileOf(`{"t":${T},"e":${tensor('U8', '[0]', 8, 8)}}`, 16), 'overlaps'],
    ['a tensor of no elements behind the end', fileOf(`{"t":${T},"e":${tensor('U8', '[0]', 17, 17)}}`, 16), 'hole'],
    ['a file cut short', fileOf(`{"t":${T}}`, 14), 'do not cover'],
    ['bytes after the last tensor', fileOf(`{"t":${T}}`, 50), 'do not cover'],
    ['bytes without a tensor', fileOf('{}', 22), 'do not cover'],
  ])('%s', async (_, bytes, problem) => {
    const { message, file } = await refusal('E_SAFETENSORS', () => parseSafetensors(bytes, 'm.safetensors'));
    expect(message).toContain(problem);
    expect(file).toBe('m.safetensors');
    const path = await saved(bytes);
    await refusal('E_SAFETENSORS', () => openSafetensors(path));
  });

  test('a header padded with NUL, saying which writers do that', async () => {
    const { hint } = await refusal('E_SAFETENSORS', () => parseSafetensors(fileOf('{}\0\0\0\0\0\0')));
    expect(hint).toContain('padded the header with NUL');
  });

  test('a header that is UTF-16', async () => {
    const utf16 = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}', 'utf16le')]);
    await refusal('E_SAFETENSORS', () => parseSafetensors(utf16));
  });

  test.each([
    [
      'E_WEIGHTS_PLACEHOLDER',
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
      'git lfs pull',
    ],
    ['E_WEIGHTS_PLACEHOLDER', 'a web page', '\n<!DOCTYPE html><html><title>Sign in</title>', 'download it again'],
    ['E_WEIGHTS_PLACEHOLDER', 'a web page', '<html>', 'download it again'],
    ['E_WEIGHTS_PLACEHOLDER', 'an empty file', '', 'download it again'],
    ['E_WEIGHTS_PLACEHOLDER', 'nothing but zeros', '\0'.repeat(4000), 'download it again'],
    ['E_WEIGHTS_PLACEHOLDER', 'the error message of a server', 'Entry not found', 'download it again'],
    ['E_SAFETENSORS', 'a ZIP archive', 'PK\x03\x04\x14\0\x08\x08 and so on', 'safe_serialization'],
    ['E_SAFETENSORS', 'a Python pickle', '\x80\x02\x8a\nl\xfc\x9cF\xf9 and so on', 'safe_serialization'],
    ['E_SAFETENSORS', 'a GGUF file', `GGUF\x03\0\0\0${'\0'.repeat(40)}`, 'original model'],
    ['E_SAFETENSORS', 'a gzip archive', `\x1f\x8b\x08\0\0\0\0\0${'x'.repeat(600_000)}`, 'gunzip'],
  ] as const)('%s: %s, with what to do', async (code, kind, content, advice) => {
    const bytes = Buffer.from(content, 'latin1');
    for (const attempt of [() => parseSafetensors(bytes), async () => openSafetensors(await saved(bytes))]) {
      const { found, hint } = await refusal(code, attempt);
      expect(found).toContain(kind);
      expect(hint).toContain(advice);
    }
  });
});

// ---------------------------------------------------------------------------------------------------------------------

describe('from a file', () => {
  test('every float dtype reads the same as from bytes, also through several chunks', async () => {
    const { integer } = random(2);
    const tensors: Record<string, TensorToWrite> = {};
    for (const [dtype, size] of [
      ['F16', 700_001],
      ['BF16', 600_000],
      ['F32', 300_001],
      ['F64', 200_003],
      ['F32', 0],
    ] as const) {
      const data = Uint8Array.from({ length: (size * DTYPE_BITS[dtype]) / 8 }, () => integer(256));
      tensors[`${dtype}.${size}`] = { dtype, shape: [size], data };
    }
    const bytes = serializeSafetensors(tensors);
    const memory = parseSafetensors(bytes);
    const file = await openSafetensors(await saved(bytes));
    onTestFinished(() => file.close());
    expect(file.tensors).toEqual(memory.tensors);
    for (const name of Object.keys(tensors)) {
      const [f32, f64] = await Promise.all([file.readFloats(name, 'f32'), file.readFloats(name, 'f64')]);
      expect(differing(f32, memory.readFloats(name, 'f32'))).toBe(-1);
      expect(differing(f64, memory.readFloats(name, 'f64'))).toBe(-1);
      expect(differing(await file.read(name), memory.read(name))).toBe(-1);
    }
  });

  test('a tensor is read into a part of a larger array, and nothing beside it', async () => {
    const data = Float32Array.of(1, 2, 3);
    const file = await openSafetensors(await saved(serializeSafetensors({ t: { dtype: 'F32', shape: [3], data } })));
    onTestFinished(() => file.close());
    const room = new Float32Array(5).fill(9);
    expect(await file.readFloats('t', room.subarray(1, 4))).toEqual(data);
    expect(room).toEqual(Float32Array.of(9, 1, 2, 3, 9));
  });

  test('a file that shrinks, grows or is written to after it was opened is not read', async () => {
    const bytes = fileOf(`{"t":${T}}`, 16);
    const path = join(folder, 'changing.safetensors');
    for (const change of [
      () => truncate(path, bytes.length - 1),
      () => appendFile(path, 'x'),
      () => writeFile(path, bytes.with(bytes.length - 1, 77)),
    ]) {
      await writeFile(path, bytes);
      const file = await openSafetensors(path);
      onTestFinished(() => file.close());
      expect(await file.readFloats('t', 'f32')).toHaveLength(4);
      await new Promise(resolve => setTimeout(resolve, 20)); // the clock of a file system ticks every few milliseconds
      await change();
      const { message, hint } = await refusal('E_FILE_READ', () => file.readFloats('t', 'f32'));
      expect(message).toContain('changed while it was read');
      expect(hint).toContain('load again');
    }
  });

  test('an open handle is taken over, and closed also when the file is refused', async () => {
    const good = await open(await saved(fileOf(`{"t":${T}}`, 16)));
    const file = await openSafetensors(good, { file: 'shard' });
    expect((await refusal('E_TENSOR_MISSING', () => file.read('x'))).file).toBe('shard');
    await file.close();
    expect(good.fd).toBe(-1);

    const bad = await open(await saved(fileOf('{', 0)));
    await refusal('E_SAFETENSORS', () => openSafetensors(bad));
    expect(bad.fd).toBe(-1);
  });

  test('what is not there, or no file, or closed, is said so', async () => {
    await refusal('E_FILE_MISSING', () => openSafetensors(join(folder, 'nothing')));
    await refusal('E_FILE_TYPE', () => openSafetensors(folder));
    const file = await openSafetensors(await saved(fileOf(`{"t":${T}}`, 16)));
    await file.close();
    await refusal('E_FILE_READ', () => file.read('t'));
  });
});

/** The first index at which two arrays differ, or -1. Object.is, as -0 is not 0, while one NaN is as good as another. */
function differing(a: Values, b: Values): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return i;
  return -1;
}

// ---------------------------------------------------------------------------------------------------------------------

describe('writing', () => {
  test('500 random files come back as they were written', () => {
    const { integer, pick } = random(3);
    for (let i = 0; i < 500; i++) {
      const tensors = new Map<string, TensorToWrite>();
      for (let n = integer(8); n > 0; n--) {
        const dtype = pick(DTYPES);
        const shape = Array.from({ length: integer(5) }, () => integer(5));
        if (DTYPE_BITS[dtype] < 8) shape.push(4); // whole bytes
        const size = shape.reduce((product, size) => product * size, 1);
        const data = Uint8Array.from({ length: (size * DTYPE_BITS[dtype]) / 8 }, () => integer(256));
        tensors.set(pick(['weight', '7', '模型', '__proto__', 'a"\\\n', '😀', '\uffff']) + n, { dtype, shape, data });
      }
      const bytes = serializeSafetensors(tensors, { format: 'pt', 键: '值"' });
      const back = parseSafetensors(bytes);
      expect(Object.fromEntries(back.metadata)).toEqual({ format: 'pt', 键: '值"' });
      expect(back.tensors.size).toBe(tensors.size);
      for (const [name, { dtype, shape, data }] of tensors) {
        const info = back.tensors.get(name);
        expect(info).toMatchObject({ dtype, shape, byteLength: data.byteLength });
        expect(bytes.subarray(info?.begin, info?.end)).toEqual(data);
      }
    }
  });

  test('lies as the Rust writer lays it: widest first, then by name, the header padded to 8', () => {
    const bytes = serializeSafetensors({
      b: { dtype: 'F32', shape: [], data: Float32Array.of(1) },
      a: { dtype: 'F32', shape: [], data: Float32Array.of(2) },
      f16: { dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) },
      i64: { dtype: 'I64', shape: [1], data: BigInt64Array.of(-1n) },
    });
    expect([...parseSafetensors(bytes).tensors.keys()]).toEqual(['i64', 'a', 'b', 'f16']);
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
    expect(parseSafetensors(bytes).read('f16')).toEqual(Float32Array.of(1));
  });

  test('what could not be read back is not written', async () => {
    const data = Float32Array.of(1, 2);
    for (const shape of [[], [3], [-1, -2], [0.5, 4], [Number.NaN]]) {
      await refusal('E_ARGUMENT', () => serializeSafetensors({ t: { dtype: 'F32', shape, data } }));
    }
    for (const name of ['__metadata__', '\ud800']) {
      await refusal('E_ARGUMENT', () => serializeSafetensors({ [name]: { dtype: 'F32', shape: [2], data } }));
    }
  });
});

// ---------------------------------------------------------------------------------------------------------------------

/** 100,000 tensors of no elements: a header of 5.8 MB in a file without data. */
const bloated = (): Uint8Array =>
  fileOf(`{${Array.from({ length: 100_000 }, (_, i) => `"t${i}":${tensor('F32', '[0]', 0, 0)}`)}}`);

describe('a header of 100,000 tensors', () => {
  /** Of this thread alone: the machine may be busy with others. */
  const milliseconds = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };

  test('is read in less than 2 s and 300 MB', () => {
    const bytes = bloated();
    const before = process.memoryUsage.rss();
    const start = milliseconds();
    const { tensors } = parseSafetensors(bytes);
    expect(milliseconds() - start).toBeLessThan(2000);
    expect(tensors.size).toBe(100_000);
    expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(300);
  });

  test('is about the longest that is read: a larger one is given up early', async () => {
    const zeros = fileOf(`{"t":[${'0,'.repeat(40_000_000)}0]}`);
    const start = milliseconds();
    const { message } = await refusal('E_SAFETENSORS', () => parseSafetensors(zeros));
    expect(message).toContain('more than 1000000 values');
    expect(milliseconds() - start).toBeLessThan(2000);
  });
});

test('3,000 random mutations of a file end in a typed error or in tensors that can be read', () => {
  const { integer, pick } = random(4);
  const original = fileOf(`{"__metadata__":{"a":"b"},"t":${T},"u":${tensor('F16', '[3]', 16, 22)}}`, 22);
  let accepted = 0;
  for (let i = 0; i < 3000; i++) {
    const bytes = original.slice(0, integer(20) === 0 ? integer(original.length) : original.length);
    for (let n = integer(3); n >= 0; n--)
      bytes[integer(bytes.length)] = pick([integer(256), 0x22, 0x2c, 0x30, 0x5b, 0x7d]);
    try {
      const { tensors, readFloats } = parseSafetensors(bytes);
      for (const [name, { dtype }] of tensors) if (dtype === 'F32' || dtype === 'F16') readFloats(name, 'f64');
      accepted++;
    } catch (error) {
      expect(error).toBeInstanceOf(GlassbertError);
    }
  }
  expect(accepted).toBeGreaterThan(100); // the data may be anything
});

// ---------------------------------------------------------------------------------------------------------------------

const SHARED = new URL('../../../shared/', import.meta.url).pathname;
const CORPUS = join(SHARED, 'interop/safetensors');

interface Case {
  name: string;
  ours: string;
  file: string | null;
  sha256: string;
}

if (existsSync(CORPUS)) {
  test('every file of the corpus ends as it should', async () => {
    const cases = JSON.parse(readFileSync(join(CORPUS, 'corpus.json'), 'utf8')) as Case[];
    const verdict = (run: () => unknown): Promise<string> =>
      Promise.resolve()
        .then(run)
        .then(() => 'accept')
        .catch(error => (error instanceof GlassbertError ? 'reject' : `crash: ${error}`));

    const disagree: string[] = [];
    for (const { name, ours, file } of cases) {
      // The one case without a file is too large to be kept: it is made here.
      const bytes = file === null ? bloated() : readFileSync(join(CORPUS, file));
      const path = file === null ? await saved(bytes) : join(CORPUS, file);
      const inMemory = await verdict(() => parseSafetensors(bytes));
      const onDisk = await verdict(async () => (await openSafetensors(path)).close());
      if (!ours.startsWith(inMemory) || inMemory !== onDisk)
        disagree.push(`${name}: ${ours}, got ${inMemory} and ${onDisk}`);
    }
    // biome-ignore lint/suspicious/noConsole: the count is the result
    console.log(`safetensors corpus: ${cases.length - disagree.length} of ${cases.length} agree`);
    expect(disagree).toEqual([]);
  });
} else {
  test.skip('the corpus of safetensors files: not run: ../shared/interop is not here', () => {});
}

const CONFORMANCE = join(SHARED, 'conformance');

if (existsSync(CONFORMANCE)) {
  test('what the Rust library wrote is written again byte for byte', () => {
    const paths = readdirSync(CONFORMANCE, { recursive: true, encoding: 'utf8' }).filter(path =>
      path.endsWith('.safetensors'),
    );
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) {
      const bytes = readFileSync(join(CONFORMANCE, path));
      const { metadata, tensors } = parseSafetensors(bytes, path);
      const again = [...tensors].map(
        ([name, { dtype, shape, begin, end }]) => [name, { dtype, shape, data: bytes.subarray(begin, end) }] as const,
      );
      const written = serializeSafetensors(new Map(again.reverse()), Object.fromEntries(metadata));
      expect(Buffer.compare(written, bytes), path).toBe(0);
    }
  });
} else {
  test.skip('files of the Rust library: not run: ../shared/conformance is not here', () => {});
}
