/** `glassbert manifest` and `glassbert verify`, as scripts and people see them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultModel } from '../../src/index.ts';
import { findFiles, hashBytes, hashFiles, rootDigest } from '../../src/trust/digests.ts';
import { formatSha256sums } from '../../src/trust/sha256sums.ts';
import { copyModel } from '../support/model-copy.ts';
import { KEYS, privatePem } from '../support/signatures.ts';
import { finish, glassbert, makeFile, output, start } from './run.ts';

/** A model with its SHA256SUMS, and its two digests. */
async function listed() {
  const model = copyModel();
  const { files } = await findFiles(model.directory, () => false);
  const { digests } = await hashFiles(files, () => 'sha256');
  const record = files.map(({ name }) => ({ name, algorithm: 'sha256' as const, digest: digests.get(name) as string }));
  model.write('SHA256SUMS', formatSha256sums(record));
  const list = `sha256:${hashBytes(Buffer.from(formatSha256sums(record)), 'sha256')}`;
  return { ...model, root: rootDigest(record), list };
}

describe('manifest', () => {
  test('prints what sha256sum prints, and the digests on stderr', async context => {
    if (spawnSync('sha256sum', ['--version']).status !== 0) context.skip('not run: there is no sha256sum here');
    const model = copyModel();
    model.write('.gitattributes', '');
    const { status, stdout, stderr } = await glassbert(['manifest', model.directory]);
    const names = stdout.split('\n').map(line => line.slice(66));
    expect(names.slice(0, 2)).toEqual(['1_Pooling/config.json', 'config.json']);
    const expected = execFileSync('sha256sum', names.slice(0, -1), { cwd: model.directory, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expected });
    const { root, list } = await listed();
    expect(stderr).toBe(
      `10 files, 0.3 MB; 0 empty directories left out\nlist digest  ${list}\n` +
        `root digest  ${root}, which does not know the names\n`,
    );
  });

  test('does not list its own output, whatever its name, and leaves no other file', async () => {
    const model = copyModel();
    const before = readdirSync(model.directory);
    for (let i = 0; i < 2; i++) {
      await glassbert(['manifest', model.directory, '--output', model.path('sums.txt')]);
      expect(readFileSync(model.path('sums.txt'), 'utf8')).not.toContain('sums.txt');
    }
    expect(readdirSync(model.directory)).toEqual([...before, 'sums.txt'].sort());
    expect(await output(['verify', model.directory, '--manifest', model.path('sums.txt')])).toMatch(/^verified\n/);
  });

  test('leaves out what it is told to', async () => {
    const model = copyModel();
    const { stdout } = await glassbert([
      'manifest',
      model.directory,
      '--ignore-path',
      'expected',
      '--ignore-path',
      'x',
    ]);
    expect(stdout).not.toContain('expected/');
  });
});

describe('verify', () => {
  test('says what was compared, what it shows, and what it cannot show', async () => {
    const { directory, root, list } = await listed();
    const text = await output(['verify', directory, '--expect', root]);
    expect(text).toMatch(/^verified\n/);
    expect(text).toContain(`root digest    ${root}\n  list digest    ${list}\n`);
    expect(text).toMatch(/not shown +The names: a root digest pins .*/);
    expect(text).toMatch(/not shown +\.git, \.gitattributes, .* empty directories, .* the name of the directory\./);
    expect(text).toContain('\nIgnored\n  SHA256SUMS\n');
    expect(await output(['verify', directory])).toContain('W_MANIFEST_UNPINNED');
  });

  test('tells apart what was changed, added, removed and renamed, in words and as JSON', async () => {
    const { directory, path, list } = await listed();
    writeFileSync(path('config.json'), '{}');
    writeFileSync(path('notes\x1b[31m'), 'new');
    renameSync(path('tokenizer.json'), path('tokens.json'));
    renameSync(path('modules.json'), join(directory, '../modules.json'));
    mkdirSync(path('empty'));
    const { status, stdout, stderr } = await glassbert(['verify', directory]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error E_DIGEST: .*1 changed .*1 missing .*1 added .*1 renamed .*\n {2}hint: /);
    expect(stdout).toMatch(/^NOT VERIFIED\n/);
    expect(stdout).toContain('\nChanged\n  config.json\n\nMissing\n  modules.json\n\nAdded\n  notes\\u{1b}[31m\n');
    expect(stdout).toContain('\nRenamed\n  tokenizer.json  ->  tokens.json\n');
    expect(stdout).toContain('\nEmpty\n  empty\n');

    const json = await glassbert(['verify', directory, '--json']);
    expect(json.status).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({
      directory,
      verified: false,
      by: 'manifest',
      expectedDigest: expect.stringMatching(/^sha256:/),
      listDigest: expect.not.stringContaining(list),
      unchanged: 7,
      changed: ['config.json'],
      missing: ['modules.json'],
      added: ['notes\x1b[31m'],
      renamed: [{ from: 'tokenizer.json', to: 'tokens.json' }],
      ignored: ['SHA256SUMS'],
      emptyDirectories: ['empty'],
    });
  });

  test('goes by one digest alone', async () => {
    const model = await listed();
    model.remove('SHA256SUMS');
    expect(await output(['verify', model.directory, '--expect', model.root])).toContain(
      'compared with  digest sha256:',
    );
    model.write('config.json', '{}');
    const { status, stdout, stderr } = await glassbert(['verify', model.directory, '--expect', model.root]);
    expect(status).toBe(2);
    expect(stdout).toContain(`expected       ${model.root}\n`);
    expect(stderr).toMatch(/^error E_DIGEST: .*another digest/);
  });
});

test('inspect says that nothing vouches for what is loaded without verifying', async () => {
  expect(await output(['inspect'])).toMatch(/^Verification\n {2}none +the files were taken as they are/m);
});

describe('the exit code tells a script what is wrong', () => {
  test.each<[number, string, (model: Awaited<ReturnType<typeof listed>>) => string[]]>([
    [0, 'nothing', ({ directory }) => ['verify', directory]],
    [
      1,
      'there is no list',
      model => {
        model.remove('SHA256SUMS');
        return ['verify', model.directory];
      },
    ],
    [1, 'there is no signature', ({ directory, path }) => ['verify', directory, '--public-key', path('config.json')]],
    [
      2,
      'another list than the one expected',
      ({ directory, path }) => [
        ...['verify', directory, '--manifest', path('SHA256SUMS'), '--expect'],
        `sha256:${'0'.repeat(64)}`,
      ],
    ],
    [
      4,
      'a malformed list',
      model => {
        model.write('SHA256SUMS', 'hello');
        return ['verify', model.directory];
      },
    ],
    [
      4,
      'a link',
      model => {
        symlinkSync('config.json', model.path('link'));
        return ['verify', model.directory];
      },
    ],
    [
      4,
      'a link, when a list is to be made',
      model => {
        symlinkSync('config.json', model.path('link'));
        return ['manifest', model.directory];
      },
    ],
    [64, 'an unknown option', ({ directory }) => ['verify', directory, '--sha256']],
    [64, 'no directory', () => ['verify']],
    [64, 'a directory that is not there', () => ['manifest', '/no/such']],
    [64, 'a file in place of a directory', ({ path }) => ['manifest', path('config.json')]],
    [64, 'a malformed root digest', ({ directory }) => ['verify', directory, '--expect', 'abc']],
    [
      64,
      'two ways at once',
      ({ directory, path }) => [...['verify', directory, '--public-key', path('config.json'), '--manifest', 'x']],
    ],
    [64, 'an output nowhere', ({ directory }) => ['manifest', directory, '--output', '/no/such/x']],
    [
      64,
      'a pattern to ignore that leaves the directory',
      ({ directory }) => [...['verify', directory, '--ignore-path', '../x']],
    ],
  ])('%i: %s', async (code, _, args) => {
    const { status, stderr } = await glassbert(args(await listed()));
    expect(status, stderr).toBe(code);
    if (code !== 0) expect(stderr).toMatch(/^error/);
  });
});

test('the model that ships with glassbert is what its list says, and loads verified', async () => {
  expect(await output(['verify', defaultModel()])).toMatch(/^verified\n.*covered +11 unchanged\n/s);
  const signed = await output(['verify', defaultModel(), '--public-key', `${defaultModel()}.pem`]);
  expect(signed).toMatch(/^verified\n.*signed by +the key 695dd6edb0dc.*covered +12 unchanged\n/s);
});

describe('a verdict', () => {
  test.each(['verify', 'check'])('of %s holds where nobody reads it to its end', async command => {
    const model = await listed();
    for (let i = 0; i < 6000; i++) model.write(`${i}.txt`, '');
    model.write('config.json', '{');
    const child = start([command, model.directory]);
    child.stdout.once('data', () => child.stdout.destroy());
    const { status, stderr } = await finish(child);
    expect(status).toBe(command === 'verify' ? 2 : 4);
    if (command === 'verify') expect(stderr).toMatch(/^error E_DIGEST: /);
  });

  test('is JSON where JSON is asked for, whatever goes wrong', async () => {
    const { directory, path } = await listed();
    symlinkSync('config.json', path('link.json'));
    expect(JSON.parse((await glassbert(['verify', directory, '--json'])).stdout)).toMatchObject({ error: { code: 'E_PATH_UNSAFE' } }); // biome-ignore format: one line
    rmSync(path('link.json'));
    for (const args of [
      ['--expect', `sha256:${'0'.repeat(64)}`],
      ['--manifest', path('config.json')],
    ]) {
      // biome-ignore format: one line
      const { status, stdout } = await glassbert(['verify', directory, ...args, '--json']);
      expect(status).not.toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ verified: false, error: { code: expect.stringMatching(/^E_/) } });
    }
  });
});

test.each([
  ['manifest', []],
  ['sign', ['--private-key']],
])('%s replaces no file that is something else', async (command, flags) => {
  const { directory, path } = await listed();
  const before = readFileSync(path('config.json'), 'utf8');
  const key = await makeFile('key.pem', privatePem(KEYS));
  const args = flags.length === 0 ? [] : [...flags, key];
  const { status, stderr } = await glassbert([command, directory, ...args, '--output', path('config.json')]);
  expect(status).toBe(64);
  expect(stderr).toMatch(/^error E_OUTPUT: .*it is not replaced/);
  expect(readFileSync(path('config.json'), 'utf8')).toBe(before);
});
