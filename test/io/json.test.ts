import { describe, expect, test } from 'vitest';
import {
  type Json,
  type JsonLimits,
  type JsonObject,
  type JsonTable,
  parseJson,
  parseRecord,
  quote,
  WrittenNumber,
} from '../../src/io/json.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const refused = (source: string | Uint8Array, limits?: JsonLimits) =>
  refusal('E_JSON', () => parseJson(source, 'x.json', limits));

describe('what is JSON is read', () => {
  test.each<[string, Json]>([
    ['null', null],
    [' \t\r\n true ', true],
    ['[]', []],
    ['[1, -2.5, 1e3, 0.1, -0]', [1, -2.5, 1000, 0.1, -0]],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['1e300', 1e300],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é😀"', '"\\/\b\f\n\r\té😀é😀'],
    ['[[], [{}], ""]', [[], [{}], '']],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toEqual(value);
    expect(parseJson(utf8(text))).toEqual(value);
  });

  test('-0 stays -0, so that a caller can refuse it', () => {
    expect(Object.is(parseJson('-0'), -0)).toBe(true);
  });

  test('__proto__ and constructor are keys like any other', () => {
    const object = parseJson('{"__proto__": 1, "constructor": 2, "hasOwnProperty": 3}') as Record<string, Json>;
    expect(Object.entries(object)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ['hasOwnProperty', 3],
    ]);
  });

  test('whatever JSON.stringify writes is read back, for 2,000 random values', () => {
    const { integer, pick } = random(1);
    const text = (): string => String.fromCodePoint(...Array.from({ length: integer(6) }, () => pick(SCALARS)));
    const value = (level: number): unknown => {
      const kind = integer(level > 4 ? 5 : 7);
      if (kind === 0) return pick([null, true, false]);
      if (kind === 1) return integer(2 ** 32) - 2 ** 31;
      if (kind === 2) return (integer(2 ** 32) - 2 ** 31) / 2 ** integer(60);
      if (kind <= 4) return text();
      const members = Array.from({ length: integer(5) }, () => value(level + 1));
      return kind === 5 ? members : Object.fromEntries(members.map(member => [text(), member]));
    };
    for (let i = 0; i < 2000; i++) {
      const json = JSON.stringify(value(1), null, integer(3));
      expect(JSON.stringify(parseJson(utf8(json)))).toBe(JSON.stringify(JSON.parse(json)));
    }
  });
});

const SCALARS = [
  0, 0x1f, 0x22, 0x2f, 0x41, 0x5c, 0x7f, 0xe9, 0x2028, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x1f600, 0x10ffff,
];

describe('what has two readings, or none, is refused', () => {
  test.each([
    ['a key that stands twice', '{"a": 1, "a": 1}', 'the key "a" stands twice'],
    ['a key whose twin is hidden by an escape', '{"tt": 1, "\\u0074t": 2}', 'the key "tt" stands twice'],
    ['a key named __proto__ that stands twice', '{"__proto__": 1, "__proto__": 2}', 'stands twice'],
    ['text after the value', '{} {}', 'expected the end of the file, found "{"'],
    ['nothing', '', 'found the end of the file'],
    ['a file cut short', '{"a": [1, 2', 'found the end of the file'],
    ['a string cut short', '"abc', 'found the end of the file'],
    ['a trailing comma in an object', '{"a": 1,}', 'expected a key in double quotes, found "}"'],
    ['a trailing comma in an array', '[1,]', 'expected a value, found "]"'],
    ['a missing comma', '[1 2]', 'expected "," or "]", found "2"'],
    ['a missing colon', '{"a" 1}', 'expected ":", found "1"'],
    ['a comment', '{/* c */}', 'found "/"'],
    ['single quotes', "{'a': 1}", `found "'"`],
    ['a key without quotes', '{a: 1}', 'expected a key in double quotes'],
    ['NaN', '[NaN]', 'expected a value'],
    ['minus infinity', '[-Infinity]', 'expected a value'],
    ['a number beyond the range of a double', '1e400', 'beyond the range'],
    ['2^53, which 2^53 + 1 would become as well', '9007199254740992', 'too large to be read exactly'],
    ['a leading zero', '[01]', 'may not begin with 0'],
    ['a leading plus', '+1', 'expected a value'],
    ['a number without digits after its point', '[1.]', 'found "."'],
    ['a number without digits before its point', '.5', 'expected a value'],
    ['hexadecimal', '0x10', 'found "x"'],
    ['half a surrogate pair as an escape', '"\\ud800"', 'half of a surrogate pair'],
    ['the halves of a surrogate pair in the wrong order', '"\\ude00\\ud83d"', 'half of a surrogate pair'],
    ['a raw line feed inside a string', '"a\nb"', 'must be escaped'],
    ['an escape that JSON does not have', '"\\x41"', 'unknown escape'],
    ['an escape of three digits', '"\\u12g4"', 'unknown escape'],
    ['a word misspelt', '[nul]', 'expected a value'],
    ['white space that is not of JSON', '[1,\u00a02]', 'expected a value, found'],
    ['a byte order mark', '\ufeff{}', 'byte order mark'],
  ])('%s', async (_, text, problem) => {
    expect((await refused(text)).message).toContain(problem);
    await refused(utf8(text));
  });

  test.each([
    ['UTF-16, little-endian', [0x7b, 0, 0x7d, 0]],
    ['UTF-16, big-endian', [0, 0x7b, 0, 0x7d]],
    ['UTF-16 with its mark', [0xff, 0xfe, 0x7b, 0]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate as UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a byte that begins nothing', [0x22, 0xff, 0x22]],
    ['a character cut short', [0x22, 0xe2, 0x82]],
    ['a character beyond U+10FFFF', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
  ])('%s', async (_, bytes) => {
    const { hint } = await refused(Uint8Array.from(bytes));
    expect(hint).toBe('Save the file as UTF-8.');
  });

  test('nesting deeper than 32 levels, also 100,000 levels of it', async () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(parseJson(nested(32))).toBeInstanceOf(Array);
    expect((await refused(nested(33))).message).toContain('more than 32 levels');
    await refused(nested(100_000));
    await refused('[['.concat(']]'), { depth: 1 });
  });

  test('more values than the caller wants, or than any genuine file has', async () => {
    expect(parseJson('[1, [2], {"a": 3}]', undefined, { values: 6 })).toHaveLength(3);
    await refused('[1, [2], {"a": 3}]', { values: 5 });
    const { message } = await refused(`[${'0,'.repeat(8_000_000)}0]`);
    expect(message).toContain('more than 2200000 values');
  });

  test('more objects or keys than any genuine file has, or keys as long as none', async () => {
    const objects = (count: number): string => `[${'{},'.repeat(count - 1)}{}]`;
    expect(parseJson(objects(120_000))).toHaveLength(120_000);
    expect((await refused(objects(120_001))).message).toContain('more than 120000 objects');
    const keys = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"${i}":0`)}}`;
    expect((await refused(keys(1_000_001))).message).toContain('more than 1000000 keys');
    expect(parseJson(`{"${'x'.repeat(65_536)}":0}`)).toBeTypeOf('object');
    expect((await refused(`{"${'x'.repeat(65_537)}":0}`)).message).toContain('longer than 65536 characters');
  });
});

test('an error or a string does not cost many times its text', { timeout: 30_000 }, async () => {
  const memory = () => process.memoryUsage().rss;
  const before = memory();
  const { message } = await refused('\n'.repeat(20_000_000));
  expect(message).toContain('line 20000001, column 1:');
  expect(parseJson(`"${'\\n'.repeat(10_000_000)}"`)).toBe('\n'.repeat(10_000_000));
  expect(memory() - before).toBeLessThan(200e6);
});

describe('where numbers are sizes, only digits are numbers', () => {
  test.each(['-1', '-0', '1.0', '1e0', '1E3', '9007199254740993'])('%s is refused', async text => {
    await refused(text, { numbers: 'natural' });
  });
  test('digits are read', () => {
    expect(parseJson('[0, 30522]', undefined, { numbers: 'natural' })).toEqual([0, 30522]);
  });
});

test('the "no limit" of tokenizer_config.json is read where asked for, and nowhere else', async () => {
  const text = '{"model_max_length": 1000000000000000019884624838656}';
  expect(parseJson(text, 'tokenizer_config.json', { numbers: 'rounded' })).toEqual({ model_max_length: 1e30 });
  await refused(text);
});

describe('an error says where', () => {
  test('in line and column of the text', async () => {
    const { message, file } = await refused('{\n  "a": 1,\n  "é😀": 1, "a": 2\n}');
    expect(message).toBe('x.json: line 3, column 13: the key "a" stands twice in one object');
    expect(file).toBe('x.json');
  });

  test('in line, column and offset of the first byte that is not UTF-8, wherever it stands', async () => {
    for (const at of [0, 1, 2, 3, 1000, 4095, 4096, 100_000]) {
      const bytes = utf8(`${'é\n'.repeat(at)}"?"`);
      const offset = bytes.indexOf(0x3f);
      bytes[offset] = 0xff;
      expect((await refused(bytes)).message).toBe(
        `x.json: line ${at + 1}, column 2: the text is not valid UTF-8: found byte 0xff at offset ${offset}`,
      );
    }
  });

  test('what a hostile file says reaches a terminal harmless and short', () => {
    expect(quote('\x1b[2J\u202e\u0085')).toBe('"\\u001b[2J\\u{202e}\\u{85}"');
    expect(quote('模型.é')).toBe('"模型.é"');
    expect(quote('x'.repeat(1e6)).length).toBeLessThan(100);
  });
});

describe('a table', () => {
  const read = (json: string): Json => parseJson(json, 'tokenizer.json', { table: 'model.vocab' });

  test('is the object at the path that is named, and no other, in the order of the text', () => {
    const text = '{"model": {"vocab": {"b": 0, "7": 1, "__proto__": 2}}, "vocab": {"b": 0}, "all": [{"vocab": {}}]}';
    const { model, ...others } = read(text) as JsonObject;
    const { vocab } = model as JsonObject;
    expect(vocab).toEqual(new Map([['b', 0], ['7', 1], ['__proto__', 2]])); // biome-ignore format: pairs
    expect([...(vocab as JsonTable).keys()]).toEqual(['b', '7', '__proto__']);
    expect(others).toEqual({ vocab: { b: 0 }, all: [{ vocab: {} }] });
  });

  test('has every key once, like an object', async () => {
    const { message } = await refusal('E_JSON', () => read('{"model": {"vocab": {"a": 0, "\\u0061": 1}}}'));
    expect(message).toContain('"a" stands twice');
  });
});

describe('a record', () => {
  const KEYS = new Set(['text', 'id']);
  const read = (text: string): unknown => parseRecord(text, KEYS);

  test('has its numbers as they are written, and null under the keys that nobody wants', () => {
    expect(read('{"id": 1580661436132757506, "meta": {"a": [1e999]}, "text": ["a", {"n": -0.50}]}')).toEqual({
      id: new WrittenNumber('1580661436132757506'),
      meta: null,
      text: ['a', { n: new WrittenNumber('-0.50') }],
    });
    expect(read(' -1E+2 ')).toEqual(new WrittenNumber('-1E+2'));
    expect(read('"a"')).toBe('a');
  });

  test('what is passed over has no depth and no twins, and is JSON', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(read(`{"x": ${deep}, "x": {"a": 1, "a": 2}, "text": "a"}`)).toEqual({ x: null, text: 'a' });
    for (const value of ['[1 2]', '{"a": 1,}', '{"a"}', '[', '"', 'nul', '-', '1.', '\u00a01', '[}', '{]']) {
      await refusal('E_JSON', () => read(`{"x": ${value}}`));
    }
  });

  test('within what is wanted everything is as strict as elsewhere', async () => {
    for (const value of ['{"a": 1, "a": 1}', '"\\ud800"', deepObject(40)]) {
      await refusal('E_JSON', () => read(`{"text": ${value}}`));
    }
    await refusal('E_JSON', () => read('{"id": 1, "id": 1}'));
  });

  test('an error counts from where the record begins', async () => {
    const at = async (text: string): Promise<string> =>
      (await refusal('E_JSON', () => parseRecord(text, KEYS, { start: { line: 7, column: 5 } }))).message;
    expect(await at('{"x": b}')).toMatch(/^line 7, column 11: /);
    expect(await at('{"x":\n b}')).toMatch(/^line 8, column 2: /);
    expect(await at('{"x": 1')).toMatch(/found the end of the line$/);
  });
});

function deepObject(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}
