/** Signatures made here and verified here; those of others are in interop.test.ts, hostile ones in hostile-bundles.test.ts. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseBundle } from '../../src/trust/bundle.ts';
import { fingerprint } from '../../src/trust/keys.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { createSigner, type SignaturePolicy, signStatement, verifyBundle } from '../../src/trust/signature.ts';
import { refusal } from '../support/refusal.ts';
import { FILES, file, GOOD, IGNORED, KEYS, POLICY, privatePem, SIGNER, signedAs } from '../support/signatures.ts';
import { authority, ecKeys, publicPem, rsaKeys, signing } from '../support/x509.ts';

const verify = (bytes: Uint8Array, policy: SignaturePolicy = POLICY) => verifyBundle(bytes, 'm/model.sig', policy);

describe('what is signed is verified', () => {
  test.each(['P-256', 'P-384', 'P-521'])('with a key on %s', async curve => {
    const keys = ecKeys(curve);
    for (const type of ['pkcs8', 'sec1'] as const) {
      const signer = createSigner({ text: keys.privateKey.export({ type, format: 'pem' }).toString() });
      const signed = await verify(signStatement(FILES, 'm', IGNORED, signer), { publicKey: publicPem(keys) });
      expect(signed).toMatchObject({ subject: 'm', signer: `the key ${fingerprint(keys.publicKey)}`, warnings: [] });
      expect([...signed.record.files.values()]).toEqual([FILES[2], FILES[0], FILES[1]]);
      expect([...signed.record.ignored].sort()).toEqual([...IGNORED].sort());
    }
  });

  test.each(['P-256', 'P-384', 'P-521'])('with a certificate on %s, two authorities below the root', async curve => {
    const root = authority({ name: 'root', keys: rsaKeys(2048) });
    const upper = authority({ name: 'upper', issuer: root, keys: ecKeys('P-384') });
    const lower = authority({ name: 'lower', issuer: upper });
    const keys = ecKeys(curve);
    const leaf = signing({ name: 'leaf', issuer: lower, keys });
    const signer = createSigner(
      { text: privatePem(keys) },
      { certificate: { text: leaf.pem }, chain: [{ text: upper.pem + root.pem }, { text: lower.pem }] },
    );
    const bytes = signStatement(FILES, 'm', IGNORED, signer);
    for (const at of ['signing', 'now'] as const) {
      const signed = await verify(bytes, { certificateRoots: root.pem, at });
      expect(signed.signer).toBe('the certificate "CN=leaf", issued under the root "CN=root"');
      expect(signed.warnings).toEqual([]);
    }
    await refusal('E_CERTIFICATE', () => verify(bytes, { certificateRoots: authority({ name: 'root' }).pem }));
  });

  test('an expired certificate verifies what it signed, but not now', async () => {
    const root = authority({ name: 'root' });
    const { der, keys } = signing({ name: 'leaf', issuer: root, from: 2021, until: 2022 });
    const bundle = JSON.parse(Buffer.from(signedAs('{}', keys)).toString());
    const [rawBytes, statement] = [Buffer.from(der).toString('base64'), parseBundle(GOOD).payload];
    const bytes = Buffer.from(
      JSON.stringify({
        ...bundle,
        verificationMaterial: { x509CertificateChain: { certificates: [{ rawBytes }] } },
        dsseEnvelope: JSON.parse(Buffer.from(signedAs(Buffer.from(statement).toString(), keys)).toString())
          .dsseEnvelope,
      }),
    );
    expect((await verify(bytes, { certificateRoots: root.pem })).subject).toBe('m');
    const { message } = await refusal('E_CERTIFICATE', () => verify(bytes, { certificateRoots: root.pem, at: 'now' }));
    expect(message).toContain('"CN=leaf" was not valid');
  });

  test('the root digest is SHA-256 over the digests in the order of the names, whatever the order given', async () => {
    const digests = [FILES[2], FILES[0], FILES[1]].map(({ digest }) => digest).join('');
    const expected = `sha256:${createHash('sha256').update(digests, 'hex').digest('hex')}`;
    expect((await verify(GOOD)).rootDigest).toBe(expected);
    expect((await verify(signStatement([...FILES].reverse(), 'm', IGNORED, SIGNER))).rootDigest).toBe(expected);
  });

  test('names are in the order of their code points: not of UTF-16, not of the parts of a path', async () => {
    const names = ['a/b', 'a-b', '\u{1f600}', '\uffee', '1_Pooling/config.json', '1_Pooling.md'];
    const bytes = signStatement(
      names.map(name => file(name, '0')),
      'm',
      IGNORED,
      SIGNER,
    );
    const sorted = ['1_Pooling.md', '1_Pooling/config.json', 'a-b', 'a/b', '\uffee', '\u{1f600}'];
    expect([...(await verify(bytes)).record.files.keys()]).toEqual(sorted);
  });

  test('the same files give the same payload, and the keys are in the order of the reference implementation', () => {
    const again = signStatement([...FILES].reverse(), 'm', [...IGNORED, ...IGNORED].reverse(), SIGNER);
    expect(parseBundle(again).payload).toEqual(parseBundle(GOOD).payload);
    const keys = [
      ...Buffer.from(GOOD)
        .toString()
        .matchAll(/"(\w+)":/g),
    ].map(([, key]) => key);
    expect(keys.join(' ')).toBe(
      'mediaType verificationMaterial publicKey hint tlogEntries dsseEnvelope payload payloadType signatures sig keyid',
    );
  });

  test.each<[string, RecordedFile[]]>([
    ['no files', []],
    ['a file twice', [FILES[0], FILES[0]]],
    ['a name that leads elsewhere', [file('../x', '0')]],
  ])('not signed: %s', async (_, files) => {
    await refusal('E_ARGUMENT', () => signStatement(files, 'm', IGNORED, SIGNER));
  });
});

describe('keys and certificates', () => {
  test.each(['pkcs8', 'sec1'] as const)('an encrypted key needs its passphrase (%s)', async type => {
    const encryption = { cipher: 'aes-256-cbc', passphrase: 'open' };
    const text = KEYS.privateKey.export({ type, format: 'pem', ...encryption }).toString();
    expect(createSigner({ text }, { passphrase: 'open' }).fingerprint).toBe(SIGNER.fingerprint);
    for (const passphrase of [undefined, '', 'shut']) {
      const error = await refusal('E_KEY', () => createSigner({ text, file: 'key.pem' }, { passphrase }));
      expect(error.file).toBe('key.pem');
    }
  });

  const ed25519 = generateKeyPairSync('ed25519');

  test.each([
    ['RSA', privatePem(rsaKeys(2048)), /found rsa of 2048 bits/],
    ['secp256k1', privatePem(ecKeys('secp256k1')), /found ec on secp256k1/],
    ['Ed25519', privatePem(ed25519), /found ed25519/],
    ['a public key', publicPem(KEYS), /cannot be read/],
    ['no key', 'hello', /cannot be read/],
  ])('refused to sign with: %s', async (_, text, message) => {
    expect((await refusal('E_KEY', () => createSigner({ text }))).message).toMatch(message);
  });

  test.each([
    ['RSA', publicPem(rsaKeys(2048)), /found rsa of 2048 bits/],
    ['secp256k1', publicPem(ecKeys('secp256k1')), /found ec on secp256k1/],
    ['Ed25519', publicPem(ed25519), /found ed25519/],
    ['a private key', privatePem(KEYS), /found -----BEGIN PRIVATE KEY-----/],
    ['a certificate', signing({ name: 'x' }).pem, /found -----BEGIN CERTIFICATE-----/],
    ['two keys', publicPem(KEYS).repeat(2), /more than one/],
    ['a broken key', publicPem(KEYS).replace('MFkw', 'MFkx'), /cannot be read/],
    ['no key', '', /found no PEM/],
  ])('refused to verify with: %s', async (_, publicKey, message) => {
    expect((await refusal('E_KEY', () => verify(GOOD, { publicKey }))).message).toMatch(message);
  });

  test('text around a public key does not matter, as openssl pkey -text writes it', async () => {
    const publicKey = `Public-Key: (256 bit)\n${POLICY.publicKey}\n`;
    expect((await verify(GOOD, { publicKey })).subject).toBe('m');
  });

  test('a certificate of another key, or that may not sign, or is over, is refused before anything is signed', async () => {
    const using = (certificate: string) => () =>
      createSigner({ text: privatePem(KEYS) }, { certificate: { text: certificate } });
    await refusal('E_KEY', using(signing({ name: 'x' }).pem));
    await refusal('E_CERTIFICATE', using(authority({ name: 'x', keys: KEYS }).pem));
    await refusal('E_CERTIFICATE', using(signing({ name: 'x', keys: KEYS, until: 2021 }).pem));
  });

  test('a signature by one method is not verified by another', async () => {
    const { message, hint } = await refusal('E_SIGNATURE', () =>
      verify(GOOD, { certificateRoots: authority({ name: 'root' }).pem }),
    );
    expect(message).toContain('expected certificate, found key');
    expect(hint).toContain('--public-key');
  });
});
