/** `glassbert check`: what it prints, and the exit codes that scripts go by. */
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { defaultModel } from '../../src/index.ts';
import { glassbert, output } from '../cli/run.ts';
import { copyModel } from '../support/model-copy.ts';

test('a complete directory ends with 0 and says so in the first line', async () => {
  const text = await output(['check', defaultModel()]);
  expect(text.split('\n')[0]).toBe(
    `${defaultModel()}: complete: all that loading needs is there and fits (0 errors, 0 warnings, 0 notes)`,
  );
  expect(text).toContain('  weights        69 tensors, 3,402,240 parameters\n');
  expect(text).toContain('  yes  embedding texts\n');
});

test('each kind of failure has its exit code, and the worst one wins', async () => {
  const check = async (damage: (model: ReturnType<typeof copyModel>) => void): Promise<number | null> => {
    const model = copyModel();
    damage(model);
    const { status, stderr } = await glassbert(['check', model.directory]);
    expect(stderr).toBe('');
    return status;
  };
  const missing = (model: ReturnType<typeof copyModel>): void => model.remove('model.safetensors');
  const changed = (model: ReturnType<typeof copyModel>): void =>
    model.write('SHA256SUMS', `${'0'.repeat(64)}  config.json\n`);
  const unsigned = (model: ReturnType<typeof copyModel>): void => model.write('model.sig', '{}');
  const unsafe = (model: ReturnType<typeof copyModel>): void => symlinkSync('/etc/passwd', model.path('x'));
  const all = [missing, changed, unsigned, unsafe];
  for (const [i, damage] of all.entries()) {
    expect(await check(damage)).toBe(i + 1);
    expect(await check(model => all.slice(0, i + 1).forEach(each => void each(model)))).toBe(i + 1);
  }
});

test('wrong usage ends with 64: no directory, one that is not there, an unknown option', async () => {
  for (const args of [[], ['/no/such/model'], [defaultModel(), '--fix']]) {
    const { status, stdout, stderr } = await glassbert(['check', ...args]);
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
    expect(stderr).toMatch(/^error/);
  }
});

test('what is missing, what to do, where it is from, what works all the same', async () => {
  const model = copyModel();
  model.remove('model.safetensors');
  model.write('README.md', "```python\nmodel = SentenceTransformer('me/model')\n```\n");
  model.write('pytorch_model.bin.tmp', 'x');
  mkdirSync(model.path('onnx'));
  model.write('onnx/model.onnx', 'x');
  const { stdout } = await glassbert(['check', model.directory]);
  expect(stdout.replaceAll(model.directory, 'DIR')).toMatchInlineSnapshot(`
    "DIR: NOT COMPLETE (1 error, 1 warning, 2 notes)

    Errors
      E_WEIGHTS_PLACEHOLDER  model.safetensors
        the weights are not there, only a download that did not end: found pytorch_model.bin.tmp
        hint: Download the file again until it is complete.

    Warnings
      W_LEFTOVER  pytorch_model.bin.tmp
        This is what a download that did not end leaves behind.
        hint: Where nothing is missing any more, remove it.

    Notes
      W_NOT_CHECKED  model.safetensors
        The tensors were not compared with the configuration, as weights are missing or cannot be read.
      W_WEIGHTS_EXPECTED  model.safetensors
        The configuration is of an encoder with 40,512 parameters: 0.2 MB in F32, 0.1 MB in F16 or BF16.

    To get what is missing
      published as    me/model, as an example in README.md says
      with a network  hf download me/model model.safetensors --local-dir DIR

    Model
      layout         Sentence Transformers, saved by sentence-transformers 5.1.1
      architecture   BertModel, L 2, D 32, H 4, F 64, gelu
      pooling        mean
      dimension      32
      longest input  64 tokens
      vocabulary     600
      weights        not known

    Works
      no   embedding texts
      yes  tokenizing (loadTokenizer of 'glassbert/tokenizer', glassbert tokens)
      yes  reading the settings, as listed here (glassbert inspect)

    On record
      nothing  Whether the files are unchanged is not known; glassbert manifest makes a list.

    Read by loading
      7 files  15,601 bytes

    Not needed by glassbert
      documentation                       1 file       54 bytes  README.md
      records of training and evaluation  1 file   11,793 bytes  expected/expected.json
      weights that nothing refers to      1 file  110,280 bytes  expected/expected.safetensors
      the model for other programs        1 file        1 bytes  onnx/model.onnx
      left behind by a download           1 file        1 bytes  pytorch_model.bin.tmp
    "
  `);
});

test('as JSON it is the report of the library', async () => {
  const model = copyModel();
  model.remove('modules.json');
  const { status, stdout } = await glassbert(['check', model.directory, '--json']);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    directory: model.directory,
    verdict: 'incomplete',
    counts: { errors: 1, warnings: 0, notes: 0 },
    findings: [{ severity: 'error', kind: 'incomplete', code: 'E_FILE_MISSING', file: 'modules.json' }],
    works: [{ what: 'embedding texts', works: true }, { works: true }, { works: true }],
  });
});

test('nothing that a directory holds reaches the terminal as more than text', async () => {
  const model = copyModel();
  model.write('\x1b[31mred\u202e', 'x');
  model.edit('modules.json', json => void Object.assign(json[2], { type: '\x1b]0;title\x07' }));
  const { stdout } = await glassbert(['check', model.directory]);
  expect(stdout).toContain('\\u{1b}[31mred\\u{202e}');
  expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
  expect(readFileSync(model.path('modules.json'), 'utf8')).toContain('title');
});
