import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KEYS, POLICY, privatePem, SIGNER } from '../support/signatures.ts';
import { authority, ecKeys, rsaKeys, signing } from '../support/x509.ts';
import { fixture, glassbert, makeDirectory, output } from './run.ts';

/** A copy of a small model, and files beside it. */
async function makeModel(files: Record<string, string> = {}) {
  const parent = await makeDirectory();
  const path = (name: string): string => join(parent, name);
  cpSync(fixture('bert-mean-normalize'), path('model'), { recursive: true });
  const all = { 'key.pem': privatePem(KEYS), 'key.pub': POLICY.publicKey, ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(path(name), text);
  return { path, model: path('model') };
}

const encrypted = KEYS.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' })
  .toString();

describe('glassbert sign', () => {
  test('a directory signed with a key is verified with its public key, and the signature lies in it', async () => {
    const { path, model } = await makeModel();
    const said = await output(['sign', model, '--private-key', path('key.pem')]);
    expect(said).toMatch(/^signed\n {2}signature +\S+model\.sig\n {2}subject +model\n {2}files +\d+, /);
    expect(said).toContain(`key          ${SIGNER.fingerprint}\n`);
    const root = /root digest +(sha256:[0-9a-f]{64})/.exec(said)?.[1];
    expect(await output(['verify', model, '--public-key', path('key.pub')])).toContain(`root digest    ${root}\n`);
    writeFileSync(join(model, 'config.json'), '{}');
    expect((await glassbert(['verify', model, '--public-key', path('key.pub')])).status).toBe(2);
  });

  test('signing again replaces the signature, which never covers itself', async () => {
    const { path, model } = await makeModel();
    const [first, second] = [
      await output(['sign', model, '--private-key', path('key.pem')]),
      await output(['sign', model, '--private-key', path('key.pem')]),
    ];
    const root = (said: string) => /sha256:[0-9a-f]{64}/.exec(said)?.[0];
    expect(root(second)).toBe(root(first));
    expect(second).toContain('1 ignored');
  });

  test('with a certificate, the chain put in order, to a file elsewhere', async () => {
    const root = authority({ name: 'root' });
    const middle = authority({ name: 'middle', issuer: root });
    const leaf = signing({ name: 'leaf', issuer: middle, keys: KEYS });
    const { path, model } = await makeModel({
      'leaf.pem': leaf.pem,
      'chain.pem': root.pem + middle.pem,
      'ca.pem': root.pem,
    });
    const certificate = ['--signing-certificate', path('leaf.pem'), '--certificate-chain', path('chain.pem')];
    const to = ['--output', path('m.sig')];
    const said = await output(['sign', model, '--private-key', path('key.pem'), ...certificate, ...to]);
    expect(said).toContain('certificate  CN=leaf\n  certificate  CN=middle\n');
    expect(existsSync(join(model, 'model.sig'))).toBe(false);
    const verified = await output([
      'verify',
      model,
      '--signature',
      path('m.sig'),
      '--certificate-root',
      path('ca.pem'),
    ]);
    expect(verified).toContain('"CN=leaf", issued under the root "CN=root"');
  });

  test('an ignored path may change, and the signature says that it was left out', async () => {
    const { path, model } = await makeModel();
    writeFileSync(join(model, 'notes.txt'), 'a');
    await output(['sign', model, '--private-key', path('key.pem'), '--ignore-path', 'notes.txt']);
    writeFileSync(join(model, 'notes.txt'), 'b');
    const verified = await glassbert(['verify', model, '--public-key', path('key.pub')]);
    expect(verified.status).toBe(0);
    expect(verified.stdout).toMatch(/W_IGNORE_PATHS.*"notes\.txt"/);
  });

  test('an encrypted key takes its passphrase from the environment', async () => {
    const { path, model } = await makeModel({ 'key.pem': encrypted });
    const env = { GLASSBERT_KEY_PASSPHRASE: 'open sesame' };
    expect(await output(['sign', model, '--private-key', path('key.pem')], { env })).toMatch(/^signed/);
    const wrong = await glassbert(['sign', model, '--private-key', path('key.pem')], {
      env: { GLASSBERT_KEY_PASSPHRASE: 'open barley' },
    });
    expect(wrong.status).toBe(64);
    expect(wrong.stderr).toMatch(/^error E_KEY: .*another passphrase\n/);
    const none = await glassbert(['sign', model, '--private-key', path('key.pem')]);
    expect(none.stderr).toContain('hint: Put it into the environment variable GLASSBERT_KEY_PASSPHRASE.');
  });

  test('there is no option for a passphrase', async () => {
    expect(await output(['sign', '--help'])).not.toMatch(/--pass/);
  });

  test.each<[string, Record<string, string>, string[], RegExp]>([
    ['no such key', {}, ['--private-key', '/no/such/key.pem'], /^error E_ARGUMENT/],
    ['a key of RSA', { 'key.pem': privatePem(rsaKeys(2048)) }, [], /^error E_KEY: .*found rsa/],
    [
      'a certificate of another key',
      { 'leaf.pem': signing({ name: 'x', keys: ecKeys() }).pem },
      ['--signing-certificate', 'leaf.pem'],
      /^error E_KEY/,
    ],
    [
      'a certificate that may not sign',
      { 'leaf.pem': authority({ name: 'x', keys: KEYS }).pem },
      ['--signing-certificate', 'leaf.pem'],
      /^error E_CERTIFICATE/,
    ],
    [
      'a chain without a certificate',
      { 'chain.pem': authority({ name: 'x' }).pem },
      ['--certificate-chain', 'chain.pem'],
      /^error E_ARGUMENT/,
    ],
    ['an ignored path that leads elsewhere', {}, ['--ignore-path', '../x'], /^error E_ARGUMENT/],
  ])('refused, and no signature is written: %s', async (_, files, args, message) => {
    const { path, model } = await makeModel(files);
    const given = args.map(arg => (arg in files ? path(arg) : arg));
    const key = args.includes('--private-key') ? [] : ['--private-key', path('key.pem')];
    const { status, stdout, stderr } = await glassbert(['sign', model, ...key, ...given]);
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(existsSync(join(model, 'model.sig'))).toBe(false);
  });

  test('nothing is written through a link that was planted in the place of the signature', async () => {
    const { path, model } = await makeModel({ 'other.py': '' });
    symlinkSync(path('other.py'), join(model, 'model.sig'));
    const { status, stderr } = await glassbert(['sign', model, '--private-key', path('key.pem')]);
    expect(status).toBe(4);
    expect(stderr).toMatch(/^error E_PATH_UNSAFE: .*a link is in the place of the output/);
    expect(readFileSync(path('other.py'), 'utf8')).toBe('');
  });

  test('a signature that was there stays as it was when signing fails', async () => {
    const { path, model } = await makeModel();
    writeFileSync(join(model, 'model.sig'), 'old');
    writeFileSync(path('key.pem'), 'no key');
    expect((await glassbert(['sign', model, '--private-key', path('key.pem')])).status).toBe(64);
    expect(readFileSync(join(model, 'model.sig'), 'utf8')).toBe('old');
  });
});
