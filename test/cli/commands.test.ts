import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { SentenceEncoder } from '../../src/index.ts';
import { fixture, glassbert, makeDirectory, makeFile, output } from './run.ts';

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
  const { report } = await SentenceEncoder.load(fixture('dpr-question-encoder'), { onWarning: () => {}, wide: 'auto' });
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
  for (const flag of ['--version', '-v', '-V', 'version'])
    expect(await output([flag])).toBe(`${packageJson.version}\n`);
  expect(await output(['--help'])).toMatch(/^Usage: glassbert .*Exit codes:\n/s);
  expect(await output(['help'])).toBe(await output(['--help']));
  expect(await output(['help', 'embed'])).toMatch(/^Usage: glassbert embed .*Examples:\n/s);
});

test.concurrent('every help fits a terminal of 80 columns, and no line ends early', async () => {
  const main = await output(['--help']);
  const names = [...main.matchAll(/^ {2}([a-z]+) .*/gm)].map(([, name]) => name).filter(name => name !== 'glassbert');
  expect(names).toEqual(
    expect.arrayContaining(['embed', 'similar', 'tokens', 'inspect', 'check', 'sign', 'completion']),
  );
  for (const text of [main, ...(await Promise.all(names.map(name => output(['help', name]))))]) {
    expect(text.split('\n').filter(line => line.length > 80)).toEqual([]);
    // A description in one piece is wrapped as late as it can be.
    const [, description] = text.split('\n\n');
    for (const [i, line] of description.split('\n').slice(0, -1).entries()) {
      const [next] = description.split('\n')[i + 1].split(' ');
      expect(`${line} ${next}`.length).toBeGreaterThan(80);
    }
  }
});

test.concurrent('help for a command that there is not is an error', async () => {
  const { status, stdout, stderr } = await glassbert(['help', 'nope\x1b[31m']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(
    /^error E_ARGUMENT: unknown command "nope\\+u001b\[31m"\n {2}hint: glassbert --help lists the commands\.\n$/,
  );
});

describe('completion', () => {
  test.concurrent('of bash is right at commands, options, values', async () => {
    const script = await makeFile('completion', await output(['completion', 'bash']));
    const complete = async (...words: string[]): Promise<string[]> => {
      const line = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _glassbert; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await promisify(execFile)('bash', ['-c', line, script, 'glassbert', ...words]);
      return stdout.trim().split('\n');
    };
    expect(await complete('em')).toEqual(['embed']);
    expect(await complete('embed', '--input-f')).toEqual(['--input-format']);
    expect(await complete('embed', '--format', 'b')).toEqual(['base64']);
    expect(await complete('verify', '--at', '')).toEqual(['signing', 'now']);
    expect(await complete('completion', 'z')).toEqual(['zsh']);
    expect(await complete('help', 'ver')).toEqual(['verify']);
  });

  test.concurrent('of zsh and fish has every command and option', async () => {
    const help = await output(['help', 'embed']);
    const flags = [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag);
    expect(flags.length).toBeGreaterThan(15);
    const [zsh, fish] = await Promise.all([output(['completion', 'zsh']), output(['completion', 'fish'])]);
    for (const flag of flags) {
      expect(zsh).toContain(`'${flag}[`);
      expect(fish).toMatch(new RegExp(`seen_subcommand_from embed' .*-l ${flag.slice(2)} `));
    }
    // A quote in a text ends no word of the shell.
    expect(zsh).toContain(String.raw`override the model'\''s pooling`);
    expect(fish).toContain(String.raw`override the model'\''s pooling`);
  });

  test.concurrent('of another shell is refused', async () => {
    expect((await glassbert(['completion', 'tcsh'])).stderr).toMatch(/Allowed choices are bash, zsh, fish\.\n/);
  });
});

describe('the model of the environment', () => {
  const env = { GLASSBERT_MODEL: fixture('bert-mean-normalize') };

  test.concurrent('is taken where none is named', async () => {
    const named = await output(['embed', 'a', '--model', env.GLASSBERT_MODEL]);
    expect(await output(['embed', 'a'], { env })).toBe(named);
    expect(await output(['tokens', 'a', '--json'], { env })).toBe(
      await output(['tokens', 'a', '--json', '--model', env.GLASSBERT_MODEL]),
    );
    expect(JSON.parse(await output(['inspect', '--json'], { env })).directory).toBe(env.GLASSBERT_MODEL);
    const other = fixture('bert-prompts');
    expect(JSON.parse(await output(['inspect', other, '--json'], { env })).directory).toBe(other);
    expect(await output(['tokens', 'a'], { env: { GLASSBERT_MODEL: '' } })).toBe(await output(['tokens', 'a']));
  });

  test.concurrent('is named where it is not there', async () => {
    for (const args of [['embed', 'a'], ['tokens', 'a'], ['inspect']]) {
      const { status, stderr } = await glassbert(args, { env: { GLASSBERT_MODEL: '/no/such' } });
      expect(status).toBe(3);
      expect(stderr).toMatch(
        /^error E_DIRECTORY_MISSING: \/no\/such: .*\n {2}hint: The environment variable GLASSBERT_MODEL /,
      );
    }
  });
});

describe('tokens needs the tokenizer alone', () => {
  test.concurrent.each([
    ['weights', (name: string) => !name.endsWith('.safetensors')],
    ['a pooling', (name: string) => !name.startsWith('1_Pooling')],
    ['weights and a pooling', (name: string) => !/safetensors|1_Pooling/.test(name)],
  ])('not %s', async (_, keeps) => {
    const model = fixture('bert-mean-normalize');
    const directory = join(await makeDirectory(), 'model');
    await cp(model, directory, { recursive: true, filter: path => keeps(path.slice(model.length + 1)) });
    expect(await output(['tokens', "It's unbelievable.", '--model', directory])).toBe(
      await output(['tokens', "It's unbelievable.", '--model', model]),
    );
    const { status } = await glassbert(['embed', 'a', '--model', directory]);
    expect(status === 0).toBe(keeps('model.safetensors') && keeps('1_Pooling'));
  });
});

describe('long texts', () => {
  const long = 'a '.repeat(300);

  test.concurrent('that are cut are counted, once', async () => {
    const input = `${long}\nshort\n${long}\n`;
    const cut =
      /^warning W_TEXTS_CUT: 2 texts of 3 were longer than 256 tokens: .*glassbert tokens TEXT shows where\.\n$/;
    for (const size of ['1', '2', '32']) {
      const { stderr, stdout } = await glassbert(['embed', '--batch-size', size], { input });
      expect(stderr).toMatch(cut);
      expect(stdout.split('\n').length).toBe(4);
    }
    expect((await glassbert(['embed', long])).stderr).toMatch(/ 1 text of 1 was longer than 256 tokens/);
    await output(['embed', 'a '.repeat(254)]); // exactly full
  });

  test.concurrent('are cut at --max-seq-length, which tokens shows', async () => {
    const flags = ['--max-seq-length', '5'];
    expect(await output(['tokens', 'a b c d e', ...flags])).toMatch(
      /\n5 tokens of at most 5\ncut: 2 more did not fit, the first is d at 4\n$/,
    );
    const { stdout, stderr } = await glassbert(['embed', 'a b c d e', ...flags]);
    expect(stderr).toMatch(/1 text of 1 was longer than 5 tokens/);
    expect(stdout).toBe(await output(['embed', 'a b c']));
  });
});

test.concurrent('a pair is one input, from arguments and from a file', async () => {
  const encoder = await SentenceEncoder.load(undefined, { wide: 'auto' });
  const { data } = await encoder.encode([['a question', 'an answer']]);
  const pair = await output(['embed', 'a question', '--pair', 'an answer']);
  expect(Float32Array.from(JSON.parse(pair).embedding)).toEqual(data);

  const input = '{"text": ["a question", "an answer"]}\n';
  const flags = ['embed', '--input-format', 'jsonl'];
  expect(await output(flags, { input })).toBe(pair);
  const { status, stderr } = await glassbert([...flags, '--pair', 'b'], { input });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error E_ARGUMENT: the input has pairs, and --pair gives a second text too\n/);
});

test.concurrent('vectors of 256 bits are the default where they change no bit, and never warn then', async () => {
  for (const name of ['bert-mean-normalize', '../../../models/glassbert-mini']) {
    const args = ['embed', '--model', fixture(name), 'a', 'The weather is lovely today.'];
    expect(await output(args)).toBe(await output([...args, '--no-wide']));
  }
  const { kernels } = JSON.parse(await output(['inspect', '--json', '--no-wide']));
  expect(kernels).toBe('simd');
});

test.concurrent('colour is for terminals and for who asks for it', async () => {
  expect(await output(['inspect'], { env: { FORCE_COLOR: '1' } })).toContain('\x1b[1mModel\x1b[22m');
  expect(await output(['inspect'])).not.toContain('\x1b');
  expect(await output(['inspect'], { env: { NO_COLOR: '1' } })).not.toContain('\x1b');
});
