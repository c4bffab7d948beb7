import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { SentenceEncoder } from '../../src/index.ts';
import { fixture, glassbert, output } from './run.ts';

test.concurrent('without arguments it does its job on three sentences', async () => {
  const { status, stdout, stderr } = await glassbert([]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\[2\] It's so sunny outside! +0\.\d{4} {2}1\.0000 {2}0\.\d{4}$/m);
  expect(stdout).toMatch(/^the closest {2}\[1\] and \[2\], 0\.\d{4}$/m);
  expect(stdout).toMatch(/^dimension +192$/m);
  expect(stderr).toContain('glassbert embed');
});

test.concurrent('npm start passes its arguments on', async () => {
  const { stdout } = await promisify(execFile)('npm', ['start', '--silent', '--', 'tokens', 'hello']);
  expect(stdout).toContain('[CLS]');
}, 20_000);

test.concurrent('similar gives the matrix of the API', async () => {
  const texts = ['a cat', 'a \x1b[31mdog', 'a house'];
  const encoder = await SentenceEncoder.load();
  const vectors = await encoder.encode(texts);
  const { data } = encoder.similarity(vectors, vectors);

  const parsed = JSON.parse(await output(['similar', ...texts, '--json']));
  expect(parsed).toMatchObject({ similarity: 'cosine', texts });
  expect(Float32Array.from(parsed.matrix.flat())).toEqual(data);

  const human = await output(['similar', ...texts]);
  expect(human).toContain(`[1] a cat            1.0000  ${data[1].toFixed(4)}  ${data[2].toFixed(4)}\n`);
  expect(human).toContain('[2] a \\u{1b}[31mdog');
  expect(human).toContain('similarity: cosine');
});

test.concurrent('tokens shows what the model sees', async () => {
  const text = await output(['tokens', "It's unbelievable."]);
  expect(text).toMatch(/^ +id +type +token\n *0 +\d+ +0 +\[CLS\]\n *1 +\d+ +0 +it\n/);
  expect(text).toMatch(/\n11 tokens of at most 256\n$/);

  const encoder = await SentenceEncoder.load();
  const { ids, typeIds, tokens } = encoder.tokenize(['a question', 'an answer']);
  expect(JSON.parse(await output(['tokens', 'a question', '--pair', 'an answer', '--json']))).toEqual({
    tokens,
    ids: [...ids],
    typeIds: [...typeIds],
    count: ids.length,
    max: 256,
    truncated: false,
    leftOut: null,
  });
});

test.concurrent('tokens shows where a text is cut', async () => {
  const args = ['tokens', `${'a '.repeat(254)}b c`];
  expect(await output(args)).toMatch(/\n256 tokens of at most 256\ncut: 2 more did not fit, the first is b at 255\n$/);
  expect(JSON.parse(await output([...args, '--json'])).leftOut).toEqual({ count: 2, first: 'b', at: 255 });
});

test.concurrent('inspect says which file decided what', async () => {
  const text = await output(['inspect']);
  expect(text).toMatch(/^ {2}pooling +\["mean"\] +1_Pooling\/config\.json: pooling_mode_mean_tokens$/m);
  expect(text).toMatch(/^ {2}parameters +3,402,240$/m);
  expect(text).toMatch(/^ {2}model\.safetensors +6,811,960 bytes$/m);

  const overruled = await output(['inspect', fixture('bert-mean-normalize'), '--pooling', 'cls']);
  expect(overruled).toMatch(
    /^ {2}pooling +\["cls"\] +option pooling\n +overrules \["mean"\] of 1_Pooling\/config\.json/m,
  );
});

test.concurrent('inspect --json is the report of the API', async () => {
  const { report } = await SentenceEncoder.load(fixture('dpr-question-encoder'), { onWarning: () => {} });
  expect(JSON.parse(await output(['inspect', fixture('dpr-question-encoder'), '--json']))).toEqual(
    JSON.parse(JSON.stringify(report)),
  );
});

test.concurrent('a warning is told on stderr; inspect has it in its report', async () => {
  const bare = fixture('bert-bare-directory');
  const { status, stderr } = await glassbert(['embed', '--model', bare, 'a']);
  expect(status).toBe(0);
  expect(stderr).toMatch(/^warning W_BARE_DIRECTORY: .*\n$/);
  expect(await output(['inspect', bare])).toMatch(/^Warnings\n {2}W_BARE_DIRECTORY/m);
});

test.concurrent('help and version go to stdout', async () => {
  expect(await output(['--version'])).toBe(`${packageJson.version}\n`);
  expect(await output(['--help'])).toMatch(/^Usage: glassbert .*Exit codes:\n/s);
  expect(await output(['help', 'embed'])).toMatch(/^Usage: glassbert embed .*Examples:\n/s);
});

test.concurrent('colour is for terminals and for who asks for it', async () => {
  expect(await output(['inspect'], { env: { FORCE_COLOR: '1' } })).toContain('\x1b[1mModel\x1b[22m');
  expect(await output(['inspect'])).not.toContain('\x1b');
  expect(await output(['inspect'], { env: { NO_COLOR: '1' } })).not.toContain('\x1b');
});
