/**
 * Bundles that somebody made to deceive, or a bad tool by accident: each is edited from a good one, and signed again where
 * the signature would give it away. And every single bit of a bundle flipped.
 */
import { createHash, sign } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { type ErrorCode, GlassbertError } from '../../src/errors.ts';
import { parseBundle } from '../../src/trust/bundle.ts';
import { createSigner, type SignaturePolicy, signStatement, verifyBundle } from '../../src/trust/signature.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';
import {
  type Editable,
  FILES,
  GOOD,
  IGNORED,
  KEYS,
  PAYLOAD,
  POLICY,
  preAuthEncoding,
  privatePem,
  SIGNER,
  signedAs,
  withBundle,
  withStatement,
  withText,
} from '../support/signatures.ts';
import { authority, ecKeys, type KeyPair, publicPem, rsaKeys, signing } from '../support/x509.ts';

const verify = (bytes: Uint8Array, policy: SignaturePolicy = POLICY) => verifyBundle(bytes, 'm/model.sig', policy);

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`\nHostile bundles\n${report.join('\n')}\n\n`);
});

const rename = (name: string): Uint8Array =>
  withStatement(statement => {
    statement.predicate.resources[0].name = name;
  });
const serialization = (fields: Editable): Uint8Array =>
  withStatement(({ predicate }) => Object.assign(predicate.serialization, fields));
const hashedWith = (algorithm: string): Uint8Array =>
  withStatement(({ predicate }) => {
    predicate.serialization.hash_type = algorithm;
    for (const resource of predicate.resources) resource.algorithm = algorithm;
  });
const payloadText = (change: (base64: string) => string): Uint8Array =>
  withBundle(({ dsseEnvelope }) => {
    dsseEnvelope.payload = change(dsseEnvelope.payload);
  });
/** A payload whose base64 ends in "==", so that two bits of its last digit mean nothing. */
const padded = [PAYLOAD, `${PAYLOAD} `, `${PAYLOAD}  `].find(text => Buffer.byteLength(text) % 3 === 1) as string;
const other = ecKeys();

const SIGNED: [string, ErrorCode, () => Uint8Array][] = [
  [
    'a file twice',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => predicate.resources.push(predicate.resources[0])),
  ],
  [
    'a file twice with two digests',
    'E_BUNDLE',
    () =>
      withStatement(({ predicate }) => predicate.resources.push({ ...predicate.resources[0], digest: '9'.repeat(64) })),
  ],
  ['a key twice', 'E_BUNDLE', () => signedAs(PAYLOAD.replace('"digest"', '"digest":"","digest"'))],
  [
    'a key twice, one of them escaped',
    'E_BUNDLE',
    () => signedAs(PAYLOAD.replace('"name"', '"n\\u0061me":"x","name"')),
  ],
  ['the name ../config.json', 'E_BUNDLE', () => rename('../config.json')],
  ['the name a/../../config.json', 'E_BUNDLE', () => rename('a/../../config.json')],
  ['the name ..', 'E_BUNDLE', () => rename('..')],
  ['the name . among others', 'E_BUNDLE', () => rename('.')],
  ['the name ./config.json', 'E_BUNDLE', () => rename('./config.json')],
  ['the name /etc/passwd', 'E_BUNDLE', () => rename('/etc/passwd')],
  ['the name C:/Windows/system.ini', 'E_BUNDLE', () => rename('C:/Windows/system.ini')],
  ['the name a//b', 'E_BUNDLE', () => rename('a//b')],
  ['the name a/', 'E_BUNDLE', () => rename('a/')],
  ['no name', 'E_BUNDLE', () => rename('')],
  ['a name with NUL', 'E_BUNDLE', () => rename('config.json\0.txt')],
  ['a name of 1,025 bytes', 'E_BUNDLE', () => rename('x'.repeat(1025))],
  ['a name with half a character', 'E_BUNDLE', () => signedAs(PAYLOAD.replace('config.json', '\\ud800'))],
  ['another type of statement', 'E_BUNDLE', () => withStatement(s => Object.assign(s, { _type: `${s._type}.1` }))],
  [
    'another type of predicate',
    'E_BUNDLE',
    () => withStatement(s => Object.assign(s, { predicateType: 'https://slsa.dev/provenance/v1' })),
  ],
  [
    'the type of predicate of model_signing 0.2.0',
    'E_BUNDLE',
    () => withStatement(s => Object.assign(s, { predicateType: 'https://model_signing/Digests/v0.1' })),
  ],
  ['two subjects', 'E_BUNDLE', () => withStatement(({ subject }) => subject.push(subject[0]))],
  ['no subject', 'E_BUNDLE', () => withStatement(s => Object.assign(s, { subject: [] }))],
  [
    'a subject without a name',
    'E_BUNDLE',
    () => withStatement(({ subject }) => Object.assign(subject[0], { name: '' })),
  ],
  [
    'a subject without SHA-256',
    'E_BUNDLE',
    () => withStatement(({ subject }) => Object.assign(subject[0], { digest: { sha512: '0'.repeat(128) } })),
  ],
  [
    'another root digest',
    'E_BUNDLE',
    () => withStatement(({ subject }) => Object.assign(subject[0].digest, { sha256: '0'.repeat(64) })),
  ],
  [
    'files in another order than the root digest',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => predicate.resources.reverse()),
  ],
  ['no files', 'E_BUNDLE', () => withStatement(({ predicate }) => Object.assign(predicate, { resources: [] }))],
  [
    'files that are no list',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate, { resources: {} })),
  ],
  ['MD5', 'E_BUNDLE', () => hashedWith('md5')],
  ['BLAKE3', 'E_BUNDLE', () => hashedWith('blake3')],
  [
    'one file hashed with another function',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate.resources[0], { algorithm: 'blake2b' })),
  ],
  [
    'a digest of 63 digits',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate.resources[0], { digest: '1'.repeat(63) })),
  ],
  [
    'a digest that is not hexadecimal',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate.resources[0], { digest: 'g'.repeat(64) })),
  ],
  ['shards', 'E_BUNDLE', () => serialization({ method: 'shards', shard_size: 8 })],
  ['an unknown method', 'E_BUNDLE', () => serialization({ method: 'tree' })],
  ['a size of shards without shards', 'E_BUNDLE', () => serialization({ shard_size: 8 })],
  ['links followed', 'E_BUNDLE', () => serialization({ allow_symlinks: true })],
  ['links followed, in words', 'E_BUNDLE', () => serialization({ allow_symlinks: 'false' })],
  ['an ignored path that leads elsewhere', 'E_BUNDLE', () => serialization({ ignore_paths: ['../x'] })],
  ['an ignored path that is everything', 'E_BUNDLE', () => serialization({ ignore_paths: ['.'] })],
  [
    'a field of the predicate that is none',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate, { x: 1 })),
  ],
  ['a field of the serialization that is none', 'E_BUNDLE', () => serialization({ x: 1 })],
  // A reader that does not look closely takes these for the fields whose names they nearly have.
  [
    'another predicate under a name in capitals',
    'E_BUNDLE',
    () => withStatement(s => Object.assign(s, { Predicate: { ...s.predicate, resources: [] } })),
  ],
  [
    'another type as protobuf spells it',
    'E_BUNDLE',
    () => withStatement(s => Object.assign(s, { predicate_type: 'x' })),
  ],
  ['another subject with a long s', 'E_BUNDLE', () => withStatement(s => Object.assign(s, { ſubject: [] }))],
  [
    'another name of the subject',
    'E_BUNDLE',
    () => withStatement(({ subject }) => Object.assign(subject[0], { NAME: 'other' })),
  ],
  [
    'another digest of the subject',
    'E_BUNDLE',
    () => withStatement(({ subject }) => Object.assign(subject[0].digest, { SHA256: '0'.repeat(64) })),
  ],
  [
    'another name of a file',
    'E_BUNDLE',
    () => withStatement(({ predicate }) => Object.assign(predicate.resources[1], { Name: 'evil.py' })),
  ],
  [
    'a field that is none, nested 100 levels',
    'E_BUNDLE',
    () => signedAs(PAYLOAD.replace('{', `{"x":${'['.repeat(100)}${']'.repeat(100)},`)),
  ],
  ['a field that is none, twice', 'E_BUNDLE', () => signedAs(PAYLOAD.replace('{', '{"x":1,"x":2,'))],
  ['a field that is none and holds NaN', 'E_BUNDLE', () => signedAs(PAYLOAD.replace('{', '{"x":NaN,'))],
  ['a byte order mark in the payload', 'E_BUNDLE', () => signedAs(`\ufeff${PAYLOAD}`)],
  ['a payload that is no JSON', 'E_BUNDLE', () => signedAs('hello')],
  ['a payload nested 100,000 levels', 'E_BUNDLE', () => signedAs('['.repeat(100_000))],
];

const EDITED: [string, ErrorCode, () => Uint8Array][] = [
  ['an empty file', 'E_BUNDLE', () => Buffer.of()],
  ['a byte order mark', 'E_BUNDLE', () => withText(text => `\ufeff${text}`)],
  ['UTF-16', 'E_BUNDLE', () => Buffer.from(Buffer.from(GOOD).toString(), 'utf16le')],
  ['no object', 'E_BUNDLE', () => withText(text => `[${text}]`)],
  ['text after the end', 'E_BUNDLE', () => withText(text => `${text}{}`)],
  ['nested 100,000 levels', 'E_BUNDLE', () => Buffer.from('{"a":'.repeat(100_000))],
  ['more than 32 MiB', 'E_BUNDLE', () => new Uint8Array(32 * 2 ** 20 + 1)],
  ['a key twice', 'E_BUNDLE', () => withText(text => text.replace('"sig"', '"sig":"AAAA","sig"'))],
  ['a field that is none', 'E_BUNDLE', () => withBundle(bundle => Object.assign(bundle, { x: 1 }))],
  ['a field of the envelope that is none', 'E_BUNDLE', () => withBundle(b => Object.assign(b.dsseEnvelope, { x: 1 }))],
  [
    'a field of the key that is none',
    'E_BUNDLE',
    () => withBundle(b => Object.assign(b.verificationMaterial.publicKey, { x: 1 })),
  ],
  [
    'another media type',
    'E_BUNDLE',
    () => withText(text => text.replace('bundle.v0.3+json', 'bundle+json;version=0.3')),
  ],
  ['another type of payload', 'E_BUNDLE', () => withText(text => text.replace('vnd.in-toto+json', 'json'))],
  ['no envelope', 'E_BUNDLE', () => withBundle(bundle => Object.assign(bundle, { dsseEnvelope: undefined }))],
  ['no method', 'E_BUNDLE', () => withBundle(bundle => Object.assign(bundle, { verificationMaterial: {} }))],
  [
    'two methods',
    'E_BUNDLE',
    () => withBundle(b => Object.assign(b.verificationMaterial, { certificate: { rawBytes: 'AAAA' } })),
  ],
  [
    'nine certificates',
    'E_BUNDLE',
    () =>
      withBundle(bundle => {
        const certificates = Array.from({ length: 9 }, () => ({ rawBytes: 'AAAA' }));
        bundle.verificationMaterial = { x509CertificateChain: { certificates } };
      }),
  ],
  [
    'no certificates',
    'E_BUNDLE',
    () => withBundle(b => Object.assign(b, { verificationMaterial: { x509CertificateChain: { certificates: [] } } })),
  ],
  [
    'keyless without a log',
    'E_BUNDLE',
    () =>
      withBundle(b =>
        Object.assign(b, { verificationMaterial: { certificate: { rawBytes: 'AAAA' }, tlogEntries: [] } }),
      ),
  ],
  ['a broken key of its own', 'E_BUNDLE', () => withKey(Buffer.of(0, 0, 0))],
  ['a broken key of its own, in DER', 'E_BUNDLE', () => withKey(derOf(KEYS).subarray(0, -1))],
  [
    'a key of its own in DER with a byte behind it',
    'E_BUNDLE',
    () => withKey(Buffer.concat([derOf(KEYS), Buffer.of(0)])),
  ],
  ['a key of its own of RSA, in DER', 'E_BUNDLE', () => withKey(derOf(rsaKeys(2048)))],
  ['a key of its own of 30 MB', 'E_BUNDLE', () => withKey(Buffer.alloc(20_000_000, 0x30))],
  [
    'the signature of a single file',
    'E_BUNDLE',
    () => withBundle(b => Object.assign(b, { messageSignature: { signature: 'AAAA' } })),
  ],
  ['a field that is none and null', 'E_BUNDLE', () => withBundle(b => Object.assign(b, { x: null }))],
  ['no signatures', 'E_BUNDLE', () => withBundle(b => Object.assign(b.dsseEnvelope, { signatures: [] }))],
  ['a second signature', 'E_BUNDLE', () => withBundle(b => b.dsseEnvelope.signatures.push({ sig: 'AAAA', keyid: '' }))],
  ['an empty signature', 'E_BUNDLE', () => withBundle(b => Object.assign(b.dsseEnvelope.signatures[0], { sig: '' }))],
  ['an empty payload', 'E_BUNDLE', () => payloadText(() => '')],
  [
    'a keyid that is no text',
    'E_BUNDLE',
    () => withBundle(b => Object.assign(b.dsseEnvelope.signatures[0], { keyid: 1 })),
  ],
  ['base64 with line breaks', 'E_BUNDLE', () => payloadText(base64 => base64.replace(/.{76}/g, '$&\n'))],
  ['base64 with junk', 'E_BUNDLE', () => payloadText(base64 => `!${base64.slice(0, 8)}*${base64.slice(8)}`)],
  ['base64url', 'E_BUNDLE', () => payloadText(base64 => `${base64.slice(0, -8)}-_-_-_-_`)],
  ['base64 without its padding', 'E_BUNDLE', () => signedText(padded, base64 => base64.replaceAll('=', ''))],
  [
    'base64 with other bits at its end',
    'E_BUNDLE',
    () => signedText(padded, base64 => base64.replace(/.==$/, digit => `${nextDigit(digit[0])}==`)),
  ],
  ['a payload that is garbage', 'E_SIGNATURE', () => payloadText(() => 'AAAA')],
  ['a payload with a bit flipped', 'E_SIGNATURE', () => payloadText(base64 => base64.replace(/^e/, 'f'))],
  [
    'a payload with a space more',
    'E_SIGNATURE',
    () => payloadText(() => Buffer.from(`${PAYLOAD} `).toString('base64')),
  ],
  ['another payload of the same signer', 'E_SIGNATURE', () => moved('payload')],
  ['another signature of the same signer', 'E_SIGNATURE', () => moved('signatures')],
  ['another key', 'E_SIGNATURE', () => signedAs(PAYLOAD, other)],
  [
    'another key under the hint of this one',
    'E_SIGNATURE',
    () =>
      edited(signedAs(PAYLOAD, other), bundle => {
        bundle.verificationMaterial.publicKey.hint = JSON.parse(
          Buffer.from(GOOD).toString(),
        ).verificationMaterial.publicKey.hint;
      }),
  ],
  [
    'another hint',
    'E_SIGNATURE',
    () => withBundle(b => Object.assign(b.verificationMaterial.publicKey, { hint: '0'.repeat(64) })),
  ],
  [
    'the hint in upper case',
    'E_SIGNATURE',
    () =>
      withText(text =>
        text.replace(/"hint":"([0-9a-f]*[a-f][0-9a-f]*)"/, (_, hint) => `"hint":"${hint.toUpperCase()}"`),
      ),
  ],
  ['another key of its own', 'E_SIGNATURE', () => withKey(Buffer.from(publicPem(other)))],
  ['another key of its own, in DER', 'E_SIGNATURE', () => withKey(derOf(other))],
  ['a key of its own on another curve, in DER', 'E_SIGNATURE', () => withKey(derOf(ecKeys('P-521')))],
  ['SHA-384 with P-256', 'E_SIGNATURE', () => signedAs(PAYLOAD, KEYS, 'sha384')],
  [
    'a signature of the bare payload',
    'E_SIGNATURE',
    () => signatureOf(sign('sha256', Buffer.from(PAYLOAD), KEYS.privateKey)),
  ],
  [
    'a signature that is not in DER',
    'E_SIGNATURE',
    () => signatureOf(sign('sha256', preAuthEncoding(PAYLOAD), { key: KEYS.privateKey, dsaEncoding: 'ieee-p1363' })),
  ],
  ['a signature of zeros', 'E_SIGNATURE', () => signatureOf(Buffer.from('3006020100020100', 'hex'))],
];

/** The good one, which says in the file itself which key it was made with. */
function withKey(publicKey: Uint8Array): Uint8Array {
  return withBundle(({ verificationMaterial }) => {
    verificationMaterial.publicKey.rawBytes = Buffer.from(publicKey).toString('base64');
  });
}

function derOf({ publicKey }: KeyPair): Uint8Array {
  return publicKey.export({ type: 'spki', format: 'der' });
}

function edited(bytes: Uint8Array, change: (bundle: Editable) => void): Uint8Array {
  const bundle = JSON.parse(Buffer.from(bytes).toString());
  change(bundle);
  return Buffer.from(JSON.stringify(bundle));
}

function signedText(payload: string, change: (base64: string) => string): Uint8Array {
  return edited(signedAs(payload), ({ dsseEnvelope }) => {
    const changed = change(dsseEnvelope.payload);
    expect(changed).not.toBe(dsseEnvelope.payload);
    dsseEnvelope.payload = changed;
  });
}

/** The digit of base64 that differs in its lowest bit. */
function nextDigit(digit: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return alphabet[alphabet.indexOf(digit) ^ 1];
}

function signatureOf(signature: Uint8Array): Uint8Array {
  return withBundle(({ dsseEnvelope }) => {
    dsseEnvelope.signatures[0].sig = Buffer.from(signature).toString('base64');
  });
}

/** A part of another signature by the same key. */
function moved(part: 'payload' | 'signatures'): Uint8Array {
  const another = JSON.parse(
    Buffer.from(withStatement(({ subject }) => Object.assign(subject[0], { name: 'n' }))).toString(),
  );
  return withBundle(({ dsseEnvelope }) => {
    dsseEnvelope[part] = another.dsseEnvelope[part];
  });
}

test.each([...SIGNED, ...EDITED])('refused: %s', async (_, code, make) => {
  await refusal(code, () => verify(make()));
});

test('the good one is accepted, without a warning', async () => {
  expect((await verify(GOOD)).warnings).toEqual([]);
  expect((await verify(signedAs(PAYLOAD))).warnings).toEqual([]);
  expect((await verify(signedAs(padded))).warnings).toEqual([]);
  report.push(`${SIGNED.length} signed by the right key and ${EDITED.length} edited afterwards: all refused`);
});

const WARNED: [string, string[], () => Uint8Array][] = [
  [
    'an empty hint',
    ['W_HINT_ABSENT'],
    () => withBundle(b => Object.assign(b.verificationMaterial.publicKey, { hint: '' })),
  ],
  ['no hint', ['W_HINT_ABSENT'], () => withBundle(b => Object.assign(b.verificationMaterial, { publicKey: {} }))],
  [
    'digests in upper case',
    ['W_DIGEST_CASE'],
    () =>
      signedAs(
        PAYLOAD.replace(/"sha256":"[0-9a-f]{64}"/, text => text.replace(/"[0-9a-f]{64}"/, hex => hex.toUpperCase())),
      ),
  ],
  ['files in no order', ['W_UNSORTED'], () => signedAs(unsorted())],
  ['a path left out', ['W_IGNORE_PATHS'], () => serialization({ ignore_paths: ['.git', 'model.sig', 'notes'] })],
  [
    'a path left out that is signed nevertheless',
    ['W_IGNORED_AND_SIGNED', 'W_IGNORE_PATHS'],
    () => serialization({ ignore_paths: ['1_Pooling'] }),
  ],
  [
    'entries of a log that a key does not need',
    ['W_NOT_CHECKED'],
    () => withBundle(b => b.verificationMaterial.tlogEntries.push({})),
  ],
  [
    'details of the key that are wrong',
    ['W_NOT_CHECKED'],
    () => withBundle(b => Object.assign(b.verificationMaterial.publicKey, { keyDetails: 'PKIX_ECDSA_P384_SHA_384' })),
  ],
  ['a single file', ['W_SINGLE_FILE'], () => signedAs(singleFile())],
  [
    'a field of the statement that is none',
    ['W_STATEMENT_FIELD'],
    () => withStatement(statement => Object.assign(statement, { x: { predicate: {} } })),
  ],
  [
    'annotations of the subject',
    ['W_STATEMENT_FIELD'],
    () => withStatement(({ subject }) => Object.assign(subject[0], { annotations: { a: 1 } })),
  ],
  [
    'a second digest of the subject',
    ['W_STATEMENT_FIELD'],
    () => withStatement(({ subject }) => Object.assign(subject[0].digest, { sha512: '0'.repeat(128) })),
  ],
  [
    'a field of a file beside its three',
    ['W_STATEMENT_FIELD'],
    () => withStatement(({ predicate }) => Object.assign(predicate.resources[0], { size: 1 })),
  ],
  [
    'fields that are none, and files in no order',
    ['W_STATEMENT_FIELD', 'W_UNSORTED'],
    () => signedAs(unsorted().replace('{', '{"__proto__":{"subject":[]},"constructor":1,')),
  ],
];

/** Files of one digest, so that the root digest fits any order. */
function unsorted(): string {
  return signedPayload(['b', 'a', 'c']);
}

function singleFile(): string {
  return signedPayload(['.']);
}

function signedPayload(names: readonly string[]): string {
  const files = names.map((_, i) => ({ ...FILES[0], name: `${i}` }));
  const { payload } = parseBundle(signStatement(files, 'm', IGNORED, SIGNER));
  const statement = JSON.parse(Buffer.from(payload).toString());
  for (const [i, name] of names.entries()) statement.predicate.resources[i].name = name;
  return JSON.stringify(statement);
}

test.each(WARNED)('accepted with a warning: %s', async (_, codes, make) => {
  expect((await verify(make())).warnings.map(({ code }) => code)).toEqual(codes);
});

const SILENT: [string, () => Uint8Array][] = [
  ['no keyid', () => withBundle(b => Object.assign(b.dsseEnvelope.signatures[0], { keyid: undefined }))],
  ['a keyid of null', () => withBundle(b => Object.assign(b.dsseEnvelope.signatures[0], { keyid: null }))],
  ['no list of log entries', () => withBundle(b => Object.assign(b.verificationMaterial, { tlogEntries: undefined }))],
  ['spaces in the JSON of the file', () => withText(text => JSON.stringify(JSON.parse(text), null, 2))],
  ['spaces in the JSON of the payload', () => signedAs(JSON.stringify(JSON.parse(PAYLOAD), null, 2))],
  ['no ignored paths', () => serialization({ ignore_paths: undefined })],
  ['files in the order of the reference implementation', () => signedAs(signedPayload(['a/b', 'a-b', 'a.c']))],
  ['its key in DER', () => withKey(derOf(KEYS))],
  ['its key in PEM', () => withKey(Buffer.from(publicPem(KEYS)))],
  ['a message signature of null', () => withBundle(b => Object.assign(b, { messageSignature: null }))],
  [
    'null for what is absent',
    () =>
      withBundle(b => {
        Object.assign(b.verificationMaterial, {
          certificate: null,
          x509CertificateChain: null,
          tlogEntries: null,
          timestampVerificationData: null,
        });
        Object.assign(b.verificationMaterial.publicKey, { rawBytes: null, keyDetails: null });
      }),
  ],
  ['the name of a file with a backslash', () => rename('0\\..\\x')],
];

test.each(SILENT)('accepted: %s', async (_, make) => {
  expect((await verify(make())).warnings).toEqual([]);
});

test('of many fields that are not looked at a few are named and all are counted, in time and in words', async () => {
  const evil = '\x1b]0;x\x07\u202e';
  const statement = JSON.parse(PAYLOAD);
  for (let i = 0; i < 100_000; i++) statement[`${evil}${i}`] = i;
  const { warnings } = await verify(signedAs(JSON.stringify(statement)));
  expect(warnings).toHaveLength(1);
  expect(warnings[0].message).toMatch(/not looked at: (?:"\\u\S+0;x\S+", ){5}and 99995 more$/);
  expect(warnings[0].message.length).toBeLessThan(500);
  expect(warnings[0].message).not.toMatch(/[\p{C}]/u);
});

test('a signature of links can be accepted, and the name of the directory compared', async () => {
  const links = serialization({ allow_symlinks: true });
  const { warnings } = await verifyBundle(links, 'm/model.sig', POLICY, { allowSymlinks: true, directory: 'n' });
  expect(warnings.map(({ code }) => code)).toEqual(['W_SUBJECT']);
  report.push(`${WARNED.length} accepted with a warning, ${SILENT.length} without`);
});

test('BLAKE2b is verified', async () => {
  const payload = JSON.parse(signedPayload(['a']));
  const digest = '5'.repeat(128);
  payload.predicate.serialization.hash_type = 'blake2b';
  payload.predicate.resources = [{ name: 'a', algorithm: 'blake2b', digest }];
  payload.subject[0].digest.sha256 = createHash('sha256').update(digest, 'hex').digest('hex');
  const { record } = await verify(signedAs(JSON.stringify(payload)));
  expect(record.files.get('a')).toEqual({ name: 'a', algorithm: 'blake2b', digest });
});

test('100,000 files are read in time, and one more is refused', async () => {
  const resources = Array.from({ length: 100_000 }, (_, i) => ({ ...FILES[0], name: `${i}`.padStart(6, '0') }));
  const bytes = signStatement(resources, 'm', IGNORED, SIGNER);
  const start = performance.now();
  expect((await verify(bytes)).record.files.size).toBe(100_000);
  expect(performance.now() - start).toBeLessThan(5_000);
  const more = [...resources, { ...FILES[0], name: 'x' }];
  await refusal('E_ARGUMENT', () => signStatement(more, 'm', IGNORED, SIGNER));
});

// ---------------------------------------------------------------------------------------------------------------------

describe('every bit of a bundle flipped', () => {
  /** What became of each, and where one was accepted. */
  async function flip(
    bytes: Uint8Array,
    policy: SignaturePolicy,
  ): Promise<{ codes: Map<string, number>; accepted: number[] }> {
    const codes = new Map<string, number>();
    const accepted: number[] = [];
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      try {
        await verify(flipped, policy);
        accepted.push(bit);
      } catch (error) {
        if (!(error instanceof GlassbertError)) throw error;
        codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      }
    }
    return { codes, accepted };
  }

  const tell = (what: string, bytes: Uint8Array, codes: Map<string, number>): void => {
    const counts = [...codes].map(([code, number]) => `${number} ${code}`).join(', ');
    report.push(`bits flipped, ${what}: all ${8 * bytes.length} refused (${counts})`);
  };

  test('by key', async () => {
    const { codes, accepted } = await flip(GOOD, POLICY);
    expect(accepted).toEqual([]);
    tell('by key', GOOD, codes);
  });

  test('by certificate', async () => {
    const root = authority({ name: 'root' });
    const middle = authority({ name: 'middle', issuer: root });
    const leaf = signing({ name: 'leaf', issuer: middle, keys: KEYS });
    const signer = createSigner(
      { text: privatePem(KEYS) },
      { certificate: { text: leaf.pem }, chain: [{ text: middle.pem }] },
    );
    // One file: most of the bits are the certificates'.
    const bytes = signStatement([FILES[0]], 'm', [], signer);
    const { codes, accepted } = await flip(bytes, { certificateRoots: root.pem });
    expect(accepted).toEqual([]);
    tell('by certificate', bytes, codes);
  });
});

test('whatever becomes of its bytes, the end is an error of this library', async () => {
  const { integer } = random(11);
  for (let n = 0; n < 5_000; n++) {
    const bytes = Uint8Array.from(GOOD);
    for (let changes = 1 + integer(4); changes > 0; changes--) bytes[integer(bytes.length)] = integer(256);
    const cut = bytes.subarray(0, integer(4) === 0 ? integer(bytes.length) : bytes.length);
    await verify(cut).catch(error => expect(error).toBeInstanceOf(GlassbertError));
  }
});
