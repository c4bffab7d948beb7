/** Several threads give the bits of one, and are gone when nothing needs them. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Threads } from '../src/threads.ts';
import { FIXTURES } from './support/model-copy.ts';
import { refusal } from './support/refusal.ts';
import { LONG_TEXT, load, TEXTS } from './support/texts.ts';

test('one, two and three threads give the same bits, whatever the batch', async () => {
  const expected = await (await load({ threads: 1 })).encode(TEXTS);
  for (const threads of [2, 3]) {
    const encoder = await load({ threads });
    expect(encoder.report.threads).toBe(threads);
    expect(await encoder.encode(TEXTS)).toEqual(expected);
    expect(await encoder.encode(TEXTS, { batchSize: 5 })).toEqual(expected);
    const [a, b] = await Promise.all([encoder.encode(TEXTS), encoder.encode(TEXTS, { batchSize: 3 })]);
    expect([a, b]).toEqual([expected, expected]);
  }
});

test('a text alone is computed by all threads together, with the bits of one', async () => {
  const expected = await (await load({ threads: 1 })).encode(LONG_TEXT);
  for (const threads of [2, 3]) {
    const encoder = await load({ threads });
    for (let i = 0; i < 3; i++) expect(await encoder.encode(LONG_TEXT)).toEqual(expected);
    // While one call has the threads, another takes its turn or does without.
    const all = await Promise.all([encoder.encode(LONG_TEXT), encoder.encode(LONG_TEXT), encoder.encode(TEXTS)]);
    expect(all.slice(0, 2)).toEqual([expected, expected]);
  }
});

test('modules after the pooling run on what threads give back', async () => {
  for (const name of ['bert-mean-dense-layernorm', 'bert-cls-dense-tanh']) {
    const many = TEXTS.concat(TEXTS, TEXTS);
    const expected = await (await load({ threads: 1 }, FIXTURES + name)).encode(many);
    expect(await (await load({ threads: 2 }, FIXTURES + name)).encode(many, { batchSize: 7 })).toEqual(expected);
  }
});

test('only the fast kernels have threads; a number that makes no sense is refused', async () => {
  expect((await load({ kernels: 'reference', threads: 2 })).report.threads).toBe(1);
  for (const threads of [0, 1.5, 17, '2']) await refusal('E_ARGUMENT', () => load({ threads: threads as number }));
});

test('after dispose a call fails with a typed error, and so does one under way', async () => {
  const encoder = await load({ threads: 2 });
  const underWay = refusal('E_DISPOSED', () => encoder.encode(TEXTS, { batchSize: 4 }));
  await new Promise(resolve => setTimeout(resolve, 20));
  await encoder.dispose();
  const error = await underWay;
  expect(error.message).toBe('the encoder was disposed of');
  await refusal('E_DISPOSED', () => encoder.encode(TEXTS));
  await refusal('E_DISPOSED', () => encoder.encode(TEXTS.join(' ')));
});

test('a thread that dies fails what it had, and the next call gets another', async () => {
  // No module: the thread ends as soon as it starts.
  const broken = { memory: null, module: {}, columns: 8, int8: false, dot: 'bytes', start: 0, end: 0 } as const;
  const threads = new Threads({} as never, [broken]);
  const packed = {
    ids: Int32Array.of(1),
    typeIds: Int32Array.of(0),
    starts: Int32Array.of(0, 1),
    skip: Int32Array.of(0),
  };
  for (let i = 0; i < 2; i++) {
    const [a, b] = [threads.run(packed), threads.run(packed)];
    await refusal('E_THREAD', () => a);
    await refusal('E_THREAD', () => b);
  }
  // The next call may come in the very moment in which the last one fails.
  const [together, beside] = [threads.runTogether(packed), threads.run(packed)];
  const next = beside.catch(() => threads.run(packed));
  for (const call of [together, beside, next]) await refusal('E_THREAD', () => call);
  await threads.dispose();
});

test.each([0, 1, 2])(
  'a thread that dies in the midst of a long text fails that call at once, and is replaced (%d)',
  async which => {
    const workers = new Set<Worker>();
    const { postMessage } = Worker.prototype;
    const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...args) {
      workers.add(this);
      return postMessage.apply(this, args);
    });
    onTestFinished(() => spy.mockRestore());
    const encoder = await load({ threads: 3 });
    const expected = await encoder.encode(LONG_TEXT);
    expect(workers.size).toBe(3);

    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const underWay = refusal('E_THREAD', () => encoder.encode(LONG_TEXT));
    await new Promise(resolve => setImmediate(resolve));
    const begin = performance.now();
    await [...workers][which].terminate();
    await underWay;
    // Not the ten seconds that an answer was waited for once, and the program went on meanwhile.
    expect(performance.now() - begin).toBeLessThan(8000);
    clearInterval(timer);
    expect(await encoder.encode(LONG_TEXT)).toEqual(expected);
    expect(workers.size).toBe(4);
    expect(turns).toBeGreaterThan(0);
  },
);

test('a process that is stopped and goes on has its vectors', async () => {
  const index = new URL('../src/index.ts', import.meta.url).href;
  const program = `
    import { SentenceEncoder } from '${index}';
    const encoder = await SentenceEncoder.load(undefined, { threads: 2 });
    const text = 'The weather is lovely today, and so it was. '.repeat(40);
    const expected = await encoder.encode(text);
    process.stdout.write('ready');
    for (let i = 0; i < 40; i++) {
      const { data } = await encoder.encode(text);
      if (!data.every((value, d) => value === expected.data[d])) throw new Error('other bits');
    }
    process.stdout.write(' done');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', data => (output += data));
  const exit = new Promise(resolve => child.once('exit', resolve));
  await vi.waitUntil(() => output.includes('ready'), 30_000);
  for (let i = 0; i < 3; i++) {
    child.kill('SIGSTOP');
    await new Promise(resolve => setTimeout(resolve, 700));
    child.kill('SIGCONT');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  await exit;
  expect(output).toBe('ready done');
});

test('a program that forgets its encoder ends by itself', () => {
  const index = new URL('../src/index.ts', import.meta.url).href;
  const program = `
    import { SentenceEncoder } from '${index}';
    const encoder = await SentenceEncoder.load(undefined, { threads: 2 });
    const { shape } = await encoder.encode(Array.from({ length: 40 }, (_, i) => 'text number ' + i), { batchSize: 4 });
    process.stdout.write(shape.join());
  `;
  const args = ['--input-type=module', '-e', program];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })).toBe('40,192');
});

/** A copy of the program as a bundler may leave it, changed by `change`, which gets its directory. */
function programAfter(change: (directory: string) => void): URL {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const root = fileURLToPath(new URL('..', import.meta.url));
  const src = join(directory, 'src');
  cpSync(join(root, 'src'), src, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type": "module"}');
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'), 'dir');
  change(src);
  return pathToFileURL(join(src, 'index.ts'));
}

const FOREIGN = "import { parentPort } from 'node:worker_threads';\nparentPort?.on('message', () => {});\n";

test.each([
  { script: 'none', change: (file: string) => rmSync(file) },
  { script: 'that of somebody else, which never answers', change: (file: string) => writeFileSync(file, FOREIGN) },
  { script: 'a directory', change: (file: string) => [rmSync(file), mkdirSync(file)] },
])('where the script of the threads is $script, one thread computes, and loading says so', ({ change }) => {
  const program = `
    import { GlassbertError, SentenceEncoder, checkDirectory } from '${programAfter(src => void change(join(src, 'thread.ts')))}';
    const load = options => SentenceEncoder.load('${FIXTURES}bert-mean-normalize', { onWarning: () => {}, ...options });
    const encoder = await load({ threads: 4 });
    const { shape } = await encoder.encode(Array.from({ length: 300 }, (_, i) => 'text number ' + i));
    const alone = await load({ threads: 1 });
    const noModel = await SentenceEncoder.load().catch(error => error instanceof GlassbertError && error.code);
    process.stdout.write(JSON.stringify({ shape, noModel, report: encoder.report, alone: alone.report.warnings }));
  `;
  const args = ['--input-type=module', '-e', program];
  const { shape, noModel, report, alone } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(shape).toEqual([300, 32]);
  expect(report.threads).toBe(1);
  expect(report.warnings.map(({ code }: { code: string }) => code)).toEqual(['W_NO_THREADS']);
  expect(report.warnings[0].message).toMatch(/thread\.js is not beside the program. Was it bundled\?/);
  expect(alone).toEqual([]); // nobody asked for more
  expect(noModel).toBe('E_DIRECTORY_MISSING');
});

test('nothing asks where the program lies while it is imported, nor does a model that is given by its path', () => {
  // As in a bundle of CommonJS, where there is no import.meta; and whoever asks is told at once.
  const index = programAfter(src => {
    for (const name of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const source = readFileSync(join(src, name), 'utf8');
      writeFileSync(join(src, name), source.replaceAll('import.meta.url', '(globalThis.asked(), undefined)'));
    }
  });
  const program = `
    let asked = 0;
    globalThis.asked = () => asked++;
    const { SentenceEncoder } = await import('${index}');
    const encoder = await SentenceEncoder.load('${FIXTURES}bert-mean-normalize', { threads: 1 });
    const { shape } = await encoder.encode(['a', 'b']);
    const atFirst = asked;
    const codes = [];
    const many = await SentenceEncoder.load('${FIXTURES}bert-mean-normalize', { onWarning: ({ code }) => codes.push(code), threads: 2 });
    await SentenceEncoder.load().catch(({ code }) => codes.push(code));
    process.stdout.write(JSON.stringify([shape, atFirst, many.report.threads, codes]));
  `;
  const args = ['--input-type=module', '-e', program];
  const output = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(output).toEqual([[2, 32], 0, 1, ['W_NO_THREADS', 'E_DIRECTORY_MISSING']]);
});
