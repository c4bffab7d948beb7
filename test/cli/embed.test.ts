import { once } from 'node:events';
import { readdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import {
  type AnyLoadOptions,
  type EncodeOptions,
  rowOf,
  SentenceEncoder,
  type Tensor,
  type TensorLike,
} from '../../src/index.ts';
import { finish, fixture, glassbert, makeDirectory, makeFile, output, start } from './run.ts';

const TEXTS = ['The weather is lovely today.', '', "It's so sunny outside!"];

const SMALL = fixture('bert-mean-normalize');

async function api(texts: string[], model?: string, options: AnyLoadOptions & EncodeOptions = {}): Promise<Tensor> {
  const { kernels, pooling, ...encodeOptions } = options;
  const encoder = await SentenceEncoder.load(model, { ...(kernels && { kernels }), ...(pooling && { pooling }) });
  return encoder.encode(texts, encodeOptions);
}

/** The bytes of both must be equal, which equal numbers need not be. */
function expectSameBits(rows: readonly (readonly number[])[], vectors: Tensor): void {
  expect(rows.length).toBe(vectors.shape[0]);
  const Type = vectors.data instanceof Float64Array ? Float64Array : Float32Array;
  for (const [b, row] of rows.entries()) {
    const [got, wanted] = [Type.from(row), Type.from(rowOf(vectors, b))];
    expect(Buffer.from(got.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
  }
}

interface Line {
  id: string | number;
  embedding: number[];
}

function parseLines(text: string): Line[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line));
}

/** Only what the command line writes. */
function readNpy(bytes: Buffer): TensorLike {
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const [, type, shape] = /'descr': '<(f4|f8)', 'fortran_order': False, 'shape': \(([0-9, ]+)\)/.exec(header) ?? [];
  const Type = type === 'f8' ? Float64Array : Float32Array;
  return { data: new Type(new Uint8Array(bytes.subarray(start)).buffer), shape: shape.split(',').map(Number) };
}

// ---------------------------------------------------------------------------------------------------------------------

test.concurrent('texts become lines of JSON in their order, to the bit what the API gives', async () => {
  const lines = parseLines(await output(['embed', ...TEXTS]));
  expect(lines.map(({ id }) => id)).toEqual([0, 1, 2]);
  expectSameBits(
    lines.map(line => line.embedding),
    await api(TEXTS),
  );
});

test.concurrent('the options mean what they mean in the API', async () => {
  const options = {
    kernels: 'oracle',
    pooling: ['mean', 'cls'],
    prompt: 'say: ',
    truncateDim: 40,
    normalize: true,
  } as const;
  const flags = '--kernels oracle --pooling mean,cls --truncate-dim 40 --normalize --batch-size 2'.split(' ');
  const lines = parseLines(await output(['embed', '--model', SMALL, ...flags, '--prompt', 'say: ', ...TEXTS]));
  expectSameBits(
    lines.map(line => line.embedding),
    await api(TEXTS, SMALL, options),
  );
});

test.concurrent('a prompt is taken by its name', async () => {
  const model = fixture('bert-prompts');
  const { prompts } = await SentenceEncoder.load(model);
  const [name] = Object.keys(prompts).filter(key => prompts[key] !== '');
  const lines = parseLines(await output(['embed', '--model', model, '--prompt-name', name, 'a text']));
  expectSameBits([lines[0].embedding], await api(['a text'], model, { promptName: name }));
});

test.concurrent('CSV has a header and quotes the ids that need it', async () => {
  const ids = ['plain', 'a,b', 'say "hi"', 'two\nlines', 7];
  const jsonl = ids.map(id => JSON.stringify({ id, text: 'x', more: [{}] })).join('\n');
  const file = await makeFile('in.NDJSON', jsonl);
  const csv = await output(['embed', '--model', SMALL, '--input', file, '--format', 'csv', '--truncate-dim', '2']);
  const [x, y] = (await api(['x'], SMALL)).data;
  const row = csv.slice(csv.indexOf('plain,') + 'plain'.length, csv.indexOf('\n"a,b"'));
  expect(csv).toBe(
    `id,e0,e1\n${['plain', '"a,b"', '"say ""hi"""', '"two\nlines"', '7'].map(id => `${id + row}\n`).join('')}`,
  );
  expect(row.split(',').slice(1).map(Number).map(Math.fround)).toEqual([x, y]);
});

test.concurrent('.npy: the header gets its count of rows when the input has ended', async () => {
  const directory = await makeDirectory();
  const path = join(directory, 'out.npy');
  await output(['embed', '--model', SMALL, '--batch-size', '2', '--output', path], { input: TEXTS.join('\n') });
  expect(readNpy(await readFile(path))).toEqual(await api(TEXTS, SMALL));
  expect(await readdir(directory)).toEqual(['out.npy']);
});

test.concurrent('.npy on stdout works where the number of texts is known', async () => {
  const { bytes } = await glassbert(['embed', '--model', SMALL, '--kernels', 'oracle', '--format', 'npy', ...TEXTS]);
  expect(readNpy(bytes)).toEqual(await api(TEXTS, SMALL, { kernels: 'oracle' }));

  const { status, stderr, stdout } = await glassbert(['embed', '--model', SMALL, '--format', 'npy'], { input: 'a' });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^error E_ARGUMENT: .*\n {2}hint: .*--output FILE\.\n$/);
});

test.concurrent('an empty input is no texts', async () => {
  const flags = ['embed', '--model', SMALL, '--truncate-dim', '2'];
  for (const [format, nothing] of Object.entries({ jsonl: '', csv: 'id,e0,e1\n', base64: '' })) {
    const { status, stdout, stderr } = await glassbert([...flags, '--format', format]);
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: nothing,
      stderr: '0 texts: there is none in stdin\n',
    });
  }
  expect(JSON.parse((await glassbert([...flags, '--format', 'json'])).stdout)).toEqual([]);
});

test.concurrent('a byte order mark and CRLF are no text, an empty line is one', async () => {
  const input = '\ufeffa\r\n\r\nb \ufeff\nc';
  const lines = parseLines(await output(['embed', '--model', SMALL, '--input', '-'], { input }));
  expectSameBits(
    lines.map(line => line.embedding),
    await api(['a', '', 'b \ufeff', 'c'], SMALL),
  );
});

test.concurrent('JSONL on stdin is known by its first line, which is said; lines stay lines on request', async () => {
  const input = '{"text": "a", "id": "x"}\n{"text": "b"}\n';
  const jsonl = await glassbert(['embed', '--model', SMALL], { input });
  expect(parseLines(jsonl.stdout).map(({ id }) => id)).toEqual(['x', 1]);
  expect(jsonl.stderr).toMatch(/^warning W_READ_AS_JSONL: .*--input-format lines/);

  const lines = await output(['embed', '--model', SMALL, '--input-format', 'lines'], { input });
  expectSameBits([parseLines(lines)[0].embedding], await api(['{"text": "a", "id": "x"}'], SMALL));
});

test.concurrent('vectors come out while texts still come in', async () => {
  const child = start(['embed', '--model', SMALL, '--batch-size', '8']);
  const texts = Array.from({ length: 2000 }, (_, i) => `text ${i}\n`);
  const out: Line[] = [];
  const half = new Promise<void>(resolve => {
    createInterface(child.stdout).on('line', line => {
      if (out.push(JSON.parse(line)) === 1000) resolve();
    });
  });
  child.stdin.write(texts.slice(0, 1000).join(''));
  await half;
  child.stdin.end(texts.slice(1000).join(''));
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(out.map(({ id }) => id)).toEqual(texts.map((_, i) => i));
});

test.concurrent('memory does not grow with the input', async () => {
  const lines = 2000;
  const line = `${'a long text '.repeat(8000)}\n`;
  const child = start(['embed', '--model', fixture('bert-max-seq-16'), '--batch-size', '8', '--truncate-dim', '1'], {
    NODE_OPTIONS: '--max-old-space-size=60', // the input is 190 MB
  });
  const finished = finish(child);
  for (let i = 0; i < lines; i++) if (!child.stdin.write(line)) await once(child.stdin, 'drain');
  child.stdin.end();
  const { status, stdout } = await finished;
  expect(status).toBe(0);
  expect(parseLines(stdout).length).toBe(lines);
});

test.concurrent('a reader that has seen enough ends the program silently', async () => {
  const child = start(['embed', '--model', SMALL, '--batch-size', '1']);
  child.stdin.on('error', () => {});
  child.stdin.write('text\n'.repeat(2000));
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await finish(child)).toMatchObject({ status: 0, stderr: '' });
});

const EARLIER = '{"id": 0, "embedding": [0]}\n';

test.concurrent('a run that fails leaves what was there before, and nothing else', async () => {
  const path = await makeFile('out.jsonl', EARLIER);
  const input = '{"text": "a"}\n{"text": 1}\n';
  const flags = ['--input-format', 'jsonl', '--batch-size', '1'];
  const { status, stderr } = await glassbert(['embed', '--model', SMALL, ...flags, '--output', path], { input });
  expect(status).toBe(5);
  expect(stderr).toMatch(/ No file was written\.\n$/);
  expect(await readFile(path, 'utf8')).toBe(EARLIER);
  expect(await readdir(dirname(path))).toEqual(['out.jsonl']);
});

test.concurrent('the good lines before a bad one are embedded, and their number is said', async () => {
  const input = '{"text": "a"}\n{"text": "b"}\n{"text": 1}\n';
  const { status, stdout, stderr } = await glassbert(['embed', '--model', SMALL, '--input-format', 'jsonl'], { input });
  expect(status).toBe(5);
  expect(parseLines(stdout).map(({ id }) => id)).toEqual([0, 1]);
  expect(stderr).toMatch(/line 3: there is no text.*\n {2}hint: .* 2 vectors of the texts before it were written\.\n$/);
});

test.concurrent('the output goes through a link to the file behind it', async () => {
  const path = await makeFile('real.jsonl', EARLIER);
  const link = join(dirname(path), 'link.jsonl');
  await symlink('real.jsonl', link);
  await output(['embed', '--model', SMALL, 'a', '--output', link]);
  expect(parseLines(await readFile(path, 'utf8'))[0].embedding.length).toBe(32);
});
