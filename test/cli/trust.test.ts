/** `glassbert manifest` and `glassbert verify`, as scripts and people see them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultModel } from '../../src/index.ts';
import { findFiles, hashBytes, hashFiles, rootDigest } from '../../src/trust/digests.ts';
import { formatSha256sums } from '../../src/trust/sha256sums.ts';
import { copyModel } from '../support/model-copy.ts';
import { GOOD, KEYS, POLICY, privatePem } from '../support/signatures.ts';
import { authority } from '../support/x509.ts';
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

  const TERMINAL = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent('process.stdout.isTTY = true')}`,
  };

  test('gives a terminal no name that it would obey, and everybody else the names as they are', async context => {
    const model = copyModel();
    const names = ['\x1b]0;PWNED\x07\x1b[31mname', '\u202etxt.exe', 'tab\t', 'line\nend', '\u2028'];
    try {
      for (const name of names) model.write(name, '');
    } catch {
      context.skip('this file system takes no such names');
    }
    const piped = await glassbert(['manifest', model.directory]);
    for (const name of names) expect(piped.stdout).toContain(name.replace('\n', '\\n'));
    const seen = await glassbert(['manifest', model.directory], { env: TERMINAL });
    expect(seen.stdout.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(seen.stdout).toContain('  \\u{1b}]0;PWNED\\u{7}\\u{1b}[31mname\n');
    expect(seen.stdout.split('\n').length).toBe(piped.stdout.split('\n').length);
    expect(seen.stderr).toMatch(/^note: names are shown with escapes here, .* --output, /m);
    expect(seen.stderr).toContain(/list digest.*/.exec(piped.stderr)?.[0]); // of the list as it is
    await glassbert(['manifest', model.directory, '--output', model.path('SHA256SUMS')], { env: TERMINAL });
    expect(model.read('SHA256SUMS')).toBe(piped.stdout);
  });

  test('on a terminal is what it is elsewhere where every name can be shown', async () => {
    const { directory } = copyModel();
    const piped = await glassbert(['manifest', directory]);
    expect(await glassbert(['manifest', directory], { env: TERMINAL })).toEqual(piped);
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

describe('a hint names the true cause', () => {
  type Listed = Awaited<ReturnType<typeof listed>>;
  const linked = ({ directory, path }: Listed): string => {
    symlinkSync('config.json', path('link'));
    return directory;
  };

  test.each<[string, (model: Listed) => string[] | Promise<string[]>, RegExp]>([
    [
      'a list that is not there',
      m => ['verify', m.directory, '--manifest', m.path('no-such')],
      /E_FILE_MISSING: .*no such list of checksums\n {2}hint: .*--manifest.*glassbert manifest DIR/,
    ],
    [
      'a list in a directory that is not there',
      m => ['verify', m.directory, '--manifest', m.path('no/such')],
      /E_FILE_MISSING: .*no such list of checksums\n {2}hint: /,
    ],
    [
      'a signature that is not there',
      async m => ['verify', m.directory, '--signature', m.path('x.sig'), ...(await publicKey())],
      /E_FILE_MISSING: .*no such signature\n {2}hint: .*--signature/,
    ],
    [
      'a directory in place of a list',
      m => ['verify', m.directory, '--manifest', m.directory],
      /E_FILE_TYPE: .*no list of checksums: .*found a directory\n {2}hint: .*DIR\/SHA256SUMS/,
    ],
    [
      'a directory in place of a signature',
      async m => ['verify', m.directory, '--signature', m.parent, ...(await publicKey())],
      /E_FILE_TYPE: .*no signature: .*found a directory\n {2}hint: .*DIR\/model\.sig/,
    ],
    [
      'a directory in the usual place of the list',
      m => {
        m.remove('SHA256SUMS');
        mkdirSync(m.path('SHA256SUMS'));
        return ['verify', m.directory];
      },
      /E_FILE_TYPE: .*no list of checksums: .*found a directory\n {2}hint: /,
    ],
    [
      'a directory without a file to record',
      m => {
        mkdirSync(m.path('empty/.git'), { recursive: true });
        m.write('empty/.git/config', '');
        return ['manifest', m.path('empty')];
      },
      /E_FILE_MISSING: .*no file to record: found 1 that are left out\n {2}hint: /,
    ],
    [
      'weights in place of a list',
      m => {
        m.write('big', new Uint8Array(33 * 2 ** 20));
        return ['verify', m.directory, '--manifest', m.path('big')];
      },
      /E_FILE_TOO_LARGE: .*no list of checksums: .*\n {2}hint: Name the file/,
    ],
    [
      'a configuration in place of a list',
      m => ['verify', m.directory, '--manifest', m.path('modules.json')],
      /E_MANIFEST: /,
    ],
    [
      'a signature in place of a list',
      async m => ['verify', m.directory, '--manifest', await makeFile('model.sig', GOOD)],
      /E_MANIFEST: .*\n {2}hint: This is JSON\..*--signature/,
    ],
    [
      'a list in place of a signature',
      async m => ['verify', m.directory, '--signature', m.path('SHA256SUMS'), ...(await publicKey())],
      /E_BUNDLE: .*a list of checksums.*\n {2}hint: .*--manifest/,
    ],
    [
      'an empty list',
      async m => ['verify', m.directory, '--manifest', await makeFile('empty', '')],
      /E_MANIFEST: .*the list is empty.*\n {2}hint: /,
    ],
    [
      'a pointer in place of the list',
      async m => {
        const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12\n`;
        return ['verify', m.directory, '--manifest', await makeFile('SHA256SUMS', pointer)];
      },
      /E_FILE_MISSING: .*a Git LFS pointer.*\n {2}hint: Run "git lfs pull"/,
    ],
    [
      'a list of comments',
      async m => ['verify', m.directory, '--manifest', await makeFile('list', '# nothing\n')],
      /E_MANIFEST: .*holds no file.*\n {2}hint: /,
    ],
    [
      'a digest without its kind',
      m => ['verify', m.directory, '--expect', m.list.slice(7).toUpperCase()],
      /E_ARGUMENT: .*\n {2}hint: Write it as sha256:[0-9a-f]{64}\n/,
    ],
    [
      'a key that is not there',
      m => ['verify', m.directory, '--public-key', m.path('no.pem')],
      /E_ARGUMENT: .*no such file\n {2}hint: .*--public-key\./,
    ],
    [
      'a directory in place of a key',
      m => ['verify', m.directory, '--public-key', m.directory],
      /E_ARGUMENT: .*expected a file, found a directory\n {2}hint: .*--public-key/,
    ],
    [
      'a private key in place of the public one',
      async m => ['verify', ...(await signed(m)), '--public-key', await makeFile('k', privatePem(KEYS))],
      /E_KEY: .*found -----BEGIN PRIVATE KEY-----\n {2}hint: .*openssl pkey -in FILE -pubout/,
    ],
    [
      'a certificate in place of a key',
      async m => ['verify', ...(await signed(m)), '--public-key', await makeFile('k', authority({ name: 'x' }).pem)],
      /E_KEY: .*\n {2}hint: This is a certificate: .*--certificate-root/,
    ],
    [
      'a public key of another program in place of one',
      async m => ['verify', ...(await signed(m)), '--public-key', await makeFile('k', 'ecdsa-sha2-nistp256 AAAA')],
      /E_KEY: .*found no PEM\n {2}hint: /,
    ],
    [
      'a root that is not there',
      m => ['verify', m.directory, '--certificate-root', m.path('no.pem')],
      /E_ARGUMENT: .*\n {2}hint: .*--certificate-root/,
    ],
    [
      'a trusted root that is not there',
      m => ['verify', m.directory, '--trusted-root', m.path('no.json'), '--identity', 'a', '--issuer', 'b'],
      /E_ARGUMENT: .*\n {2}hint: .*--trusted-root/,
    ],
    [
      'a private key that is not there',
      m => ['sign', m.directory, '--private-key', m.path('no.pem')],
      /E_ARGUMENT: .*no such file\n {2}hint: .*--private-key/,
    ],
    [
      'a public key in place of the private one',
      async m => ['sign', m.directory, '--private-key', await makeFile('k', POLICY.publicKey)],
      /E_KEY: .*found -----BEGIN PUBLIC KEY-----\n {2}hint: This is a public key/,
    ],
    [
      'a key of OpenSSH',
      async m => [
        'sign',
        m.directory,
        '--private-key',
        await makeFile('k', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n'),
      ],
      /E_KEY: .*\n {2}hint: .*ssh-keygen -p -m PKCS8/,
    ],
    [
      'a private key that is damaged',
      async m => ['sign', m.directory, '--private-key', await makeFile('k', privatePem(KEYS).replace(/\n.{9}/, '\n'))],
      /E_KEY: .*\n {2}hint: The text below that line is damaged/,
    ],
    [
      'a certificate that is not there',
      async m => [
        'sign',
        m.directory,
        '--private-key',
        await makeFile('k', privatePem(KEYS)),
        '--signing-certificate',
        m.path('no.pem'),
      ],
      /E_ARGUMENT: .*\n {2}hint: .*--signing-certificate/,
    ],
    [
      'a link, of a list',
      m => ['manifest', linked(m)],
      /E_PATH_UNSAFE: .*links are not followed: .*\n {2}hint: .*--allow-symlinks/,
    ],
    [
      'a link, of a signature',
      async m => ['sign', linked(m), '--private-key', await makeFile('k', privatePem(KEYS))],
      /E_PATH_UNSAFE: .*\n {2}hint: .*cp -rL/,
    ],
    [
      'a link to elsewhere',
      m => {
        symlinkSync('/etc/hostname', m.path('link'));
        return ['manifest', m.directory];
      },
      /E_PATH_UNSAFE: .*\n {2}hint: It leads to no file of the directory\./,
    ],
    [
      'an output that was never finished',
      m => {
        m.write('.glassbert-0123456789abcdef.tmp', '{');
        return ['verify', m.directory];
      },
      /E_DIGEST: .*1 added .*\n {2}hint: A glassbert that was killed left it behind/,
    ],
    [
      'a file of another kind that was added',
      m => {
        m.write('.glassbert-0123456789abcdef.tmp', '{');
        m.write('notes.tmp', '{');
        return ['verify', m.directory];
      },
      /E_DIGEST: .*2 added .*\n {2}hint: Remove what does not belong there/,
    ],
  ])('%s', async (_, args, message) => {
    const { status, stderr } = await glassbert(await args(await listed()));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('Copy the whole model directory');
  });

  async function publicKey(): Promise<string[]> {
    return ['--public-key', await makeFile('key.pub', POLICY.publicKey)];
  }

  /** A directory with a signature in it. */
  async function signed({ directory, write }: Listed): Promise<string[]> {
    write('model.sig', GOOD);
    return [directory];
  }

  test('and the cache of the Hugging Face hub is recorded with its links', async () => {
    const { parent, directory } = copyModel();
    const revision = join(parent, 'models--a--b', 'snapshots', '0123abcd');
    mkdirSync(revision, { recursive: true });
    mkdirSync(join(parent, 'models--a--b', 'blobs'));
    for (const name of ['config.json', 'modules.json']) {
      renameSync(join(directory, name), join(parent, 'models--a--b', 'blobs', name));
      symlinkSync(join('../../blobs', name), join(revision, name));
    }
    const refused = await glassbert(['manifest', revision]);
    expect(refused.stderr).toMatch(/^error E_PATH_UNSAFE: .*\n {2}hint: .*hub, give --allow-symlinks/);
    const { status, stdout } = await glassbert(['manifest', revision, '--allow-symlinks']);
    expect({ status, names: stdout.match(/\S+$/gm) }).toEqual({ status: 0, names: ['config.json', 'modules.json'] });
  });

  test('and what is recorded together with a leftover says so', async () => {
    const model = copyModel();
    model.write('.glassbert-0123456789abcdef.tmp', '');
    const { status, stderr } = await glassbert(['manifest', model.directory]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^note: \.glassbert-\w+\.tmp was left behind by a glassbert that was killed/m);
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
    model.write('config.json', '{]');
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
