/** What an input is taken for: right, or refused by name; never vectors of brackets and columns. */
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { guessFormat } from '../../src/cli/input/format.ts';
import { type Element, readElements } from '../../src/cli/input/json-array.ts';
import { Source } from '../../src/cli/input/source.ts';
import { type Entry, type InputFlags, TextInput } from '../../src/cli/input/texts.ts';
import { GlassbertError } from '../../src/index.ts';
import { serializeNpy } from '../../src/io/npy.ts';
import { makeFile } from './run.ts';

let said = '';

const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(text => {
  said += String(text);
  return true;
});

afterEach(() => {
  said = '';
});

type Content = string | Uint8Array;

/** [id, text] of each entry, and the code of the warning. An id that is a number as it is written. */
async function read(name: string, content: Content, flags: Partial<InputFlags> = {}): Promise<unknown[]> {
  said = '';
  const entries: Entry[] = [];
  for await (const entry of new TextInput(await makeFile(name, content), { inputFormat: 'auto', ...flags })) {
    entries.push(entry);
  }
  const warning = /W_[A-Z_]+/.exec(said)?.[0];
  return [
    ...entries.map(({ id, text }) => [typeof id === 'object' ? Symbol.for(id.digits) : id, text]),
    ...(warning === undefined ? [] : [warning]),
  ];
}

async function refusal(name: string, content: Content, flags?: Partial<InputFlags>): Promise<string> {
  const error = await read(name, content, flags).then(
    entries => expect.fail(`read as ${JSON.stringify(entries)}`),
    error => error,
  );
  expect(error).toBeInstanceOf(GlassbertError);
  expect(error.hint, error.message).toBeTypeOf('string');
  return `${error.code} ${error.message}\n${error.hint}`;
}

const AN_ITEM = [
  ['1', 'An item'],
  ['2', 'Another'],
];

describe('a JSON array is read as one, named or not', () => {
  const items = [
    { id: '1', text: 'An item' },
    { id: '2', text: 'Another' },
  ];
  test.each([
    ['on one line', JSON.stringify(items)],
    ['over several lines', JSON.stringify(items, null, 2)],
    ['with a byte order mark and CRLF', `\ufeff${JSON.stringify(items, null, 2).replaceAll('\n', '\r\n')}\r\n`],
    ['with one object on each line', `[\n${items.map(item => JSON.stringify(item)).join(',\n')}\n]\n`],
    ['after blank lines', `\n\n${JSON.stringify(items)}`],
  ])('%s', async (_, content) => {
    expect(await read('in.json', content)).toEqual(AN_ITEM);
    expect(await read('in.txt', content)).toEqual([...AN_ITEM, 'W_READ_AS_JSON']);
  });

  test('strings are texts, an array of two strings under "text" is a pair', async () => {
    expect(await read('in.json', '["a", "b,]\\"", "\\u00e9"]')).toEqual([
      [0, 'a'],
      [1, 'b,]"'],
      [2, 'é'],
    ]);
    expect(await read('in.json', '[{"text": ["a", "b"]}]')).toEqual([[0, ['a', 'b']]]);
    expect(await read('in.json', ' [ ] ')).toEqual([]);
  });

  test('longer than the first bytes that are looked at', async () => {
    const texts = Array.from({ length: 9000 }, (_, i) => `text number ${i}`);
    expect(await read('in', JSON.stringify(texts))).toEqual([...texts.map((text, i) => [i, text]), 'W_READ_AS_JSON']);
  });

  test.each([
    ['an object with an array inside', '{"data": [{"text": "a"}]}', /line 1: there is no text: .* but "data"/],
    [
      'the same over several lines',
      '{\n  "data": ["a"]\n}',
      /a JSON object, not an array of texts\n.*jq -c "\.KEY\[\]"/,
    ],
    ['an array in an array', '[["a"], ["b"]]', /line 1, column 2: .*found an array of 1/],
    ['an array of numbers', '[1, 2]', /line 1, column 2: .*found a number/],
    ['what follows the array', '["a"]\n["b"]', /line 2, column 1: .*expected nothing after the array/],
    ['a comma too many', '["a",\n]', /line 2, column 1: malformed JSON: expected a text, found "\]"/],
    ['an array that was cut', '["a",\n "b', /line 2, column \d: malformed JSON: .*the end of the file/],
    ['malformed elements', '[{"text": "é𝕏"},\n {"text": b}]', /line 2, column 11: malformed JSON: .*found "b"/],
    ['what Python prints', "[{'text': 'a'}]", /line 1, column 3: malformed JSON: expected a key in double quotes/],
  ])('%s is refused', async (_, content, message) => {
    for (const name of ['in.json', 'in.txt']) expect(await refusal(name, content)).toMatch(message);
  });

  test('cut anywhere, its elements are the same', async () => {
    const bytes = Buffer.from('\ufeff[{"text": "é𝕏\\"]"} ,\r\n["x", {"a": [1]}], -1.5e3 ]\n');
    const elements = async (...chunks: Uint8Array[]): Promise<Element[]> => {
      const all: Element[] = [];
      for await (const element of readElements(chunks, 'in')) all.push(element);
      return all;
    };
    const whole = await elements(bytes);
    expect(whole.map(({ text, start }) => [text.trim(), start.line, start.column])).toEqual([
      ['{"text": "é𝕏\\"]"}', 1, 2],
      ['["x", {"a": [1]}]', 2, 1],
      ['-1.5e3', 2, 20],
    ]);
    for (let cut = 3; cut < bytes.length; cut++) {
      const parts = await elements(bytes.subarray(0, cut), bytes.subarray(cut));
      expect(parts).toEqual(whole);
    }
  });
});

describe('JSON lines', () => {
  test.each([
    ['under another key', '{"id":"a","content":"x"}\n{"id":"b","content":"y"}\n', 'content'],
    ['under a key with a blank', '{"the text": "x", "id": "a"}\n{"the text": "y", "id": "b"}', 'the text'],
    [
      'under another key, with broken JSON around',
      '\ufeff{"id":"a","v":[{}],"body":"x"}\r\n{"id":"b","body":"y"}\r\n',
      'body',
    ],
  ])('%s: the text is named or nothing is read', async (_, content, textField) => {
    for (const name of ['in.txt', 'in.jsonl', 'in.json']) {
      expect(await refusal(name, content)).toMatch(
        /line 1: there is no text: expected "text", a string, .*--text-field/s,
      );
      const entries = await read(name, content, { textField });
      expect(entries.slice(0, 2)).toEqual([
        ['a', 'x'],
        ['b', 'y'],
      ]);
    }
  });

  test('an array or an object over several lines under the name of lines is called what it is', async () => {
    for (const content of ['["a", "b"]', '[\n"a"\n]', '[{"text": "a"}]']) {
      expect(await refusal('in.jsonl', content)).toMatch(/line 1: this is not a JSON object: .*\n--input-format json /);
    }
    expect(await refusal('in.jsonl', '{\n"text": "a"\n}')).toMatch(
      /line 1: the object does not end in its line\n.*jq -c/,
    );
    expect(await refusal('in.jsonl', '{"text": "a",\n"id": 1}')).toMatch(/line 1.*the end of the line/);
  });

  test('a malformed first line is malformed, not a text', async () => {
    for (const line of ['{"text": "a"', '{"text": undefined}', '{"text": "a",}', '{"a": NaN}']) {
      expect(await refusal('in.txt', `${line}\n`)).toMatch(/malformed JSON|there is no text/);
    }
  });

  test('what only resembles JSON is text', async () => {
    for (const text of [
      '[1] Introduction',
      '[CLS] is a token',
      '{x | x > 0}',
      '[ ] buy milk',
      '"Yes", she said.',
      "{'s",
    ]) {
      expect(await read('in.txt', `${text}\n`)).toEqual([[0, text]]);
    }
    expect(await read('in.txt', '["a"]\n', { inputFormat: 'lines' })).toEqual([[0, '["a"]']]);
  });

  test('a blank line is named; at the end there is none', async () => {
    for (const blank of ['\n', '\r\n', ' \t\n', '\n\n\n']) {
      expect(await read('in.jsonl', `{"text":"a"}\n{"text":"b"}\n${blank}`)).toEqual([
        [0, 'a'],
        [1, 'b'],
      ]);
      const middle = await refusal('in.jsonl', `{"text":"a"}\n${blank}{"text":"b"}\n`);
      expect(middle).toMatch(/line 2, column 1: the line is empty\nRemove it: sed .*\{"text": ""\}/);
    }
    expect(await read('in.jsonl', '\n')).toEqual([]);
  });

  test.each([
    ['integers that no double holds', '{"tweet": 1580661436132757506}'],
    ['numbers beyond every range', '[1e999, -1e999, 0.1000000000000000055511151231257827]'],
    ['a key that stands twice', '{"a": 1, "a": 2, "text": "no"}'],
    ['half a surrogate pair', '"\\ud83d"'],
    ['depth', `${'['.repeat(5000)}{"a": {}}${']'.repeat(5000)}`],
    ['every kind of value', '[true, false, null, "\\"\\u0041", {}, [], {"k": [{"k": -0.5E-7}]}]'],
  ])('what stands under another key does not matter: %s', async (_, value) => {
    for (const line of [`{"id":"a","text":"x","meta":${value}}`, `{"meta": ${value} ,"text":"x","id":"a"}`]) {
      expect(await read('in.jsonl', `${line}\n${line}`)).toEqual([
        ['a', 'x'],
        ['a', 'x'],
      ]);
    }
    expect(await read('in.jsonl', `{"meta":${value},"meta":${value},"text":"x"}`)).toEqual([[0, 'x']]);
  });

  test.each(['{"a": tru}', '[1,]', '{"a" 1}', '"\\x"', '01', '{a: 1}', '[1', '}', '"a\tb"', '[[], {}'])(
    'but it is JSON: %s',
    async value => {
      expect(await refusal('in.jsonl', `{"text":"x","meta":${value}}`).catch(String)).toMatch(/line 1, column \d+: /);
    },
  );

  test('NaN under another key: what to do', async () => {
    expect(await refusal('in.jsonl', '{"id":"a","text":"a","score":NaN}')).toMatch(
      /column 30: .*\n.*null.*allow_nan=False/,
    );
  });

  test('a key that matters stands once', async () => {
    for (const line of ['{"text":"a","text":"a"}', '{"text":"a","id":1,"id":1}', '{"text":"a","\\u0074ext":"b"}']) {
      await expect(read('in.jsonl', line)).rejects.toThrow(/stands twice/);
    }
  });

  test.each(['1580661436132757506', '-9007199254740993', '1.0', '1e400', '-0', '0.1000000000000000055', '7'])(
    'the id %s comes back digit for digit',
    async digits => {
      expect(await read('in.jsonl', `{"id":${digits},"text":"a"}`)).toEqual([[Symbol.for(digits), 'a']]);
      expect(await read('in.json', `[{"text":"a","id": ${digits} }]`)).toEqual([[Symbol.for(digits), 'a']]);
    },
  );

  test('an id under another key; one that is none', async () => {
    const line = '{"key": "k", "id": [1], "text": "a"}';
    expect(await read('in.jsonl', line, { idField: 'key' })).toEqual([['k', 'a']]);
    expect(await refusal('in.jsonl', line)).toMatch(
      /"id" is no id: expected a string or a number, found an array of 1/,
    );
    expect(await refusal('in.jsonl', line, { idField: 'nr' })).toMatch(/"nr" is no id: .*found no "nr"/);
  });
});

describe('a table', () => {
  test.each([
    ['csv', 'id,text\n1,An item\n2,"Another, item"\n', 'Another, item'],
    ['csv', 'id,text\r\n1,An item\r\n2,"Another ""one"""\r\n', 'Another "one"'],
    ['csv', '\ufeff"id","text"\n"1","An item"\n"2","over\r\ntwo\n\nlines"', 'over\r\ntwo\n\nlines'],
    ['csv', 'text,id,other\nAn item,1,\n"",2,"x"\n\n\n', ''],
    ['tsv', 'id\ttext\n1\tAn item\n2\tAnother, "one"\n', 'Another, "one"'],
    ['tsv', 'id\ttext\n1\tAn item\n2\t"a\tb"\n', 'a\tb'],
  ])('%s: %j', async (format, content, second) => {
    const rows = [
      ['1', 'An item'],
      ['2', second],
    ];
    expect(await read(`in.${format}`, content)).toEqual(rows);
    expect(await read('in.txt', content)).toEqual([...rows, 'W_READ_AS_TABLE']);
    expect(await read('in', content, { inputFormat: format as 'csv' })).toEqual(rows);
  });

  test('without ids the rows are numbered; an id is what is written', async () => {
    expect(await read('in.csv', 'text\na\n"b"\n')).toEqual([
      [0, 'a'],
      [1, 'b'],
    ]);
    expect(await read('in.csv', 'id,text\n007,a\n1580661436132757506,b\n')).toEqual([
      ['007', 'a'],
      ['1580661436132757506', 'b'],
    ]);
  });

  test('other columns, by name', async () => {
    const content = 'Nr,Body,x\n7,An item,\n';
    expect(await read('in.csv', content, { textField: 'Body', idField: 'Nr' })).toEqual([['7', 'An item']]);
    expect(await read('in', content, { textField: 'Body' })).toEqual([[0, 'An item'], 'W_READ_AS_TABLE']);
    expect(await read('in', 'Body\nAn item\n', { textField: 'Body' })).toEqual([[0, 'An item'], 'W_READ_AS_TABLE']);
    expect(await refusal('in.csv', content)).toMatch(
      /line 1: the header has no column "text": found "Nr", "Body", "x"\n.*--text-field/,
    );
    expect(await refusal('in.csv', 'text,text\na,b', {})).toMatch(/two columns "text"/);
    expect(await refusal('in.csv', 'a,text\n1,b', { idField: 'nr' })).toMatch(/no column "nr".*\n.*--id-field/);
  });

  test('a header alone is no text', async () => {
    expect(await read('in.csv', 'id,text\n')).toEqual([]);
    expect(await read('in', 'id,text')).toEqual(['W_READ_AS_TABLE']);
    expect(await read('in.csv', '')).toEqual([]);
  });

  test.each([
    [
      'too many fields',
      'id,text\n1,a,b\n',
      /line 2: the row has another number of fields .*expected 2, found 3\n.*in quotes/,
    ],
    ['too few fields', 'id,text\n1,"a\nb"\n2\n', /line 4: .*expected 2, found 1/],
    ['an empty line between', 'id,text\n1,a\n\n2,b\n', /line 3, column 1: the line is empty/],
    ['a quote in a field', 'id,text\n1,5" disk\n', /line 2: a quote stands inside a field/],
    ['text after a quote', 'id,text\n1,"a" b\n', /line 2: text follows the closing quote/],
    ['a quote that is not closed', 'id,text\n1,"a\n2,b\n', /line 2: a quote is opened in this record and never closed/],
    ['lines of an old Macintosh', 'id,text\r1,a\r', /line 1: a carriage return stands without a line feed/],
    [
      'a record without end',
      `id,text\n1,"${`${'x'.repeat(1023)}\n`.repeat(17 * 2 ** 10)}`,
      /the record from line 2 on is longer than 16777216 bytes/,
    ],
    ['Latin-1', Buffer.from('id,text\n1,Gr\xf6\xdfe\n', 'latin1'), /line 2: the text is not valid UTF-8/],
  ])('%s is refused', async (_, content, message) => {
    expect(await refusal('in.csv', content).catch(String)).toMatch(message);
  });

  test.each([
    ['another column', 'id,content\n1,An item\n'],
    ['a header of words', 'Order ID,Full text\n1,An item\n2,Another\n'],
    ['a ragged row', 'id,content\n1,a,b\n'],
    ['a quoted field over lines', 'id,content\n1,"a\nb"\n'],
    ['tabs and no header', '1\tAn item\n2\tAnother\n'],
    ['another column, with tabs', 'label\tsentence\n0\tAn item\n'],
    ['numbered rows and no header', '1,An item\n2,Another\n'],
    ['quoted cells and no header', '"a","An item"\n"b","Another"\n'],
    ['semicolons', 'id;text\n1;An item\n'],
    ['bars', 'id|content\n1|An item\n'],
  ])('by its content alone it is refused, with the options: %s', async (_, content) => {
    for (const name of ['in', 'in.txt']) {
      expect(await refusal(name, content)).toMatch(/this looks like a table with .*--input-format lines/s);
    }
    const lines = await read('in', content, { inputFormat: 'lines' });
    expect(lines.length).toBe(content.split('\n').length - 1);
  });

  test('sentences with commas are lines', async () => {
    for (const content of [
      'Hello, world\nGoodbye, moon\n',
      'Well, yes.\n',
      'cat,dog\n',
      'One line\nand, another\n',
      'a;\nb\n',
    ]) {
      expect((await read('in.txt', content)).length).toBe(content.split('\n').length - 1);
    }
    expect(await refusal('in.txt', 'One line\n', { textField: 'text' })).toMatch(/^E_ARGUMENT .*no fields/);
    expect(await refusal('in', 'a', { inputFormat: 'lines', idField: 'id' })).toMatch(/^E_ARGUMENT /);
  });
});

describe('what is no text in UTF-8 is named', () => {
  const utf16 = Buffer.from('id,text\n1,An item\n', 'utf16le');
  test.each([
    ['UTF-16 with a mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), /this is UTF-16, .*\n.*iconv -f UTF-16 /],
    ['UTF-16, big endian', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]), /this is UTF-16,/],
    ['UTF-16 without a mark', utf16, /UTF-16 without a byte order mark/],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /this is UTF-32,/],
    ['gzip', gzipSync('{"text": "a"}\n'), /this is a gzip file, .*\n.*gunzip -c/],
    ['Parquet', Buffer.from('PAR1\x15\x04\x15\x0c'), /this is a Parquet file, .*\n.*to_json/],
    ['.npy', serializeNpy({ data: Float32Array.of(1), shape: [1, 1] }), /this is a NumPy array/],
    ['Excel', Buffer.from('PK\x03\x04\x14\0'), /this is a zip file, or one of Excel/],
    ['SQLite', Buffer.from('SQLite format 3\0\x10\0'), /this is an SQLite database/],
    ['PDF', Buffer.from('%PDF-1.7\n'), /this is a PDF/],
  ])('%s', async (_, content, message) => {
    for (const name of ['in.txt', 'in.csv', 'in.jsonl', 'in']) expect(await refusal(name, content)).toMatch(message);
    expect(await refusal('in', content, { inputFormat: 'lines' })).toMatch(message);
  });

  test('words that begin like it are words', async () => {
    for (const text of ['PAR1 is a word', 'BZh', 'PK', 'GIF89', 'A', '%PDF', '\0']) {
      expect(await read('in', text)).toEqual([[0, text]]);
    }
  });
});

describe('lines that are hardly meant as texts are refused, and read with --input-format lines', () => {
  test.each([
    ['a table of one column', 'text\na\nb\n', /one column "text"\n--input-format csv reads it/],
    ['the same as a spreadsheet writes it', '"text"\n"a, b"\n', /one column "text"\n/],
    ['strings of JSON, as jq prints them', '"a"\n"b \\"c\\""\n', /strings in quotes\njq -r /],
    ['fields of CSV without a header', '"a, ""b"""\n"c"\n', /strings in quotes\n.*--input-format csv/],
    ['a table with a blank behind each comma', 'id, text\n1, a\n', /a table with commas .* found "id", " text"/],
    ['the same with other names, numbered', 'No, Sentence\n1, a\n2, b\n', /a table with commas .* found "No"/],
    ['a table below the line of Excel', 'sep=,\nid,text\n1,a\n', /no column "text": found "sep="/],
    ['a JSON text sequence', '\x1e{"text": "a"}\n\x1e{"text": "b"}\n', /line 1, column 1: malformed JSON/],
    ['pairs as arrays', '[["a", "b"], ["c", "d"]]', /found an array of 2\nA pair of texts is \{"text": \["a", "b"\]\}/],
  ])('%s', async (_, content, message) => {
    expect(await refusal('in.txt', content)).toMatch(message);
    const lines = content.trimEnd().split('\n');
    expect(await read('in.txt', content, { inputFormat: 'lines' })).toEqual(lines.map((line, i) => [i, line]));
  });

  test.each([
    ['prose with commas', 'Hello, world\nGood, bad\n'],
    ['one text in quotes', '"To be, or not to be."\n'],
    ['speech', '"To be," he said.\n"Not to be."\n'],
    ['the word text', 'text\n'],
    ['the word text, again', 'text\ntext\n'],
    ['a carriage return within lines', 'a\rb\nc\n'],
  ])('%s is text', async (_, content) => {
    const lines = content.trimEnd().split('\n');
    expect(await read('in.txt', content)).toEqual(lines.map((line, i) => [i, line]));
  });

  test('line ends of the first Macintosh', async () => {
    expect(await refusal('in.txt', 'a\rb\rc\r')).toMatch(/carriage returns alone\n.*tr "\\r" "\\n"/);
    expect(await read('in.txt', 'a\rb', { inputFormat: 'lines' })).toEqual([[0, 'a\rb']]);
  });

  test('a table whose columns are parted by something else says by what', async () => {
    expect(await refusal('in.csv', 'id;text\n1;a\n')).toMatch(/no column "text".*\nSave it with commas or tabs/);
    expect(await refusal('in.csv', 'id\ttext\n1\ta\n')).toMatch(/\nTabs .*--input-format tsv/);
    expect(await refusal('in.tsv', 'id,text\n1,a\n')).toMatch(/\nCommas .*--input-format csv/);
  });

  test('a byte order mark alone is no text', async () => {
    for (const name of ['in.txt', 'in.csv', 'in.jsonl', 'in.json']) expect(await read(name, '\ufeff')).toEqual([]);
  });
});

test('a pipe is waited for no longer than the format needs', async () => {
  for (const text of ['Hello, world', 'Well; yes', '{x}', '1st, 2nd']) {
    const source = Object.assign(new Source(await makeFile('in', `${text}\n`)), { stats: undefined });
    const heads: number[] = [];
    const { peek } = source;
    source.peek = async isEnough =>
      peek.call(source, head => {
        if (isEnough(head)) return true;
        heads.push(head.length);
        return false;
      });
    expect(await guessFormat(source, undefined)).toEqual({ format: 'lines', byContent: false });
    expect(heads).toEqual([0]); // never after the first line
    await source.close();
  }
});

test('what is looked at costs no more than it is long', async () => {
  const beginnings = ['x', '[', '{"', '"', ' ', '[ ', '["\\', 'a,', '1,', "{'", '[1'];
  const before = process.cpuUsage();
  for (const beginning of beginnings) {
    await read('in', beginning.repeat(80_000), { inputFormat: 'auto' }).catch(error => error);
  }
  const { user } = process.cpuUsage(before); // microseconds, however busy the machine is
  expect(user).toBeLessThan(1_200_000); // 0.1 s; one search with the square of 65,536 steps takes 1.4 s
});

test('how much of a file has been given is known', async () => {
  for (const [name, content] of [
    ['in.txt', 'aaa\nbbb\n'],
    ['in.jsonl', '{"text":"a"}\n{"text":"b"}\n'],
    ['in.json', '["aa","bb"]'],
    ['in.csv', 'text\nab\ncd\n'],
  ]) {
    const input = new TextInput(await makeFile(name, content), { inputFormat: 'auto' });
    const fractions: (number | undefined)[] = [];
    for await (const _ of input) fractions.push(input.fraction);
    expect(fractions.length).toBe(2);
    expect(fractions[0]).toBeGreaterThan(0.2);
    expect(fractions[0]).toBeLessThan(0.8);
    expect(fractions[1]).toBeGreaterThan(0.85);
  }
});

test('nothing was written to stderr but warnings', () => {
  expect(stderr.mock.calls.every(([text]) => /^\S*warning W_READ_AS_/.test(String(text)))).toBe(true);
});
