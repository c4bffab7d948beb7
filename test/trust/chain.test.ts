/** Certificates made for the purpose: chains that lead to a root, and every way in which one does not. */
import { expect, test } from 'vitest';
import { type Certificate, parseCertificate } from '../../src/trust/certificate.ts';
import { orderChain, verifyChain } from '../../src/trust/chain.ts';
import { refusal } from '../support/refusal.ts';
import {
  authority,
  basicConstraints,
  CODE_SIGNING,
  ecKeys,
  extendedKeyUsage,
  extension,
  type Issued,
  issue,
  keyUsage,
  octets,
  rsaKeys,
  SERVER_AUTH,
  sequence,
  signing,
  type Wanted,
} from '../support/x509.ts';

const root = authority({ name: 'root' });
const middle = authority({ name: 'middle', issuer: root });
const leaf = signing({ name: 'leaf', issuer: middle });
const now = new Date('2026-06-01');

const parse = ({ der }: Issued): Certificate => parseCertificate(der);

function verify(leaf: Issued, others: Issued[], roots: Issued[] = [root], at = now): string[] {
  const chain = verifyChain(parse(leaf), others.map(parse), roots.map(parse), at, 'model.sig');
  return chain.map(({ name }) => name.replace('CN=', ''));
}

test('a leaf leads to its root over the certificates between', () => {
  expect(verify(leaf, [middle])).toEqual(['leaf', 'middle', 'root']);
});

test('the order of the certificates does not matter, nor a copy of the root among them', () => {
  const upper = authority({ name: 'upper', issuer: root });
  const lower = authority({ name: 'lower', issuer: upper });
  const leaf = signing({ name: 'leaf', issuer: lower });
  expect(verify(leaf, [root, upper, lower])).toEqual(['leaf', 'lower', 'upper', 'root']);
  expect(verify(leaf, [upper, lower])).toEqual(['leaf', 'lower', 'upper', 'root']);
});

test('certificates between may come with the roots, but only a self-signed one is a root', async () => {
  expect(verify(leaf, [], [middle, root])).toEqual(['leaf', 'middle', 'root']);
  await refusal('E_CERTIFICATE', () => verify(leaf, [middle], [middle]));
});

test('keys of RSA with 2,048 bits and of all three curves may issue certificates', () => {
  for (const keys of [rsaKeys(2048), ecKeys('P-256'), ecKeys('P-384'), ecKeys('P-521')]) {
    const root = authority({ name: 'root', keys });
    expect(verify(signing({ name: 'leaf', issuer: root }), [], [root])).toEqual(['leaf', 'root']);
  }
  for (const algorithm of ['sha384', 'sha512'] as const) {
    expect(verify(signing({ name: 'leaf', issuer: root, algorithm }), [])).toEqual(['leaf', 'root']);
  }
});

test('a self-signed signing certificate that is trusted itself is a chain of one', () => {
  const alone = signing({ name: 'alone' });
  expect(verify(alone, [], [alone])).toEqual(['alone']);
});

test('a leaf with the name of its issuer is not taken for a root, and may be called an authority', () => {
  const extensions = [basicConstraints(true), keyUsage('digitalSignature'), extendedKeyUsage(CODE_SIGNING)];
  const namesake = issue({ name: 'middle', issuer: middle, extensions });
  expect(verify(namesake, [middle])).toEqual(['middle', 'middle', 'root']);
});

test('two certificates of one name and two keys: the one that signed is found', () => {
  const other = authority({ name: 'middle', issuer: root });
  expect(verify(leaf, [other, middle])).toEqual(['leaf', 'middle', 'root']);
});

test('cross-signed authorities that lead to each other do not hang, and lead to the root if one of them does', async () => {
  const [a, b] = [ecKeys(), ecKeys()];
  const [aSelf, bSelf] = [authority({ name: 'a', keys: a }), authority({ name: 'b', keys: b })];
  const aByB = authority({ name: 'a', keys: a, issuer: bSelf });
  const bByA = authority({ name: 'b', keys: b, issuer: aSelf });
  const leaf = signing({ name: 'leaf', issuer: aSelf });
  await refusal('E_CERTIFICATE', () => verify(leaf, [aByB, bByA]));
  const bByRoot = authority({ name: 'b', keys: b, issuer: root });
  expect(verify(leaf, [aByB, bByA, bByRoot])).toEqual(['leaf', 'a', 'b', 'root']);
});

test('certificates that can be put together in very many ways are refused in time', async () => {
  const keys = ecKeys();
  const issuer = authority({ name: 'same', keys });
  const same = Array.from({ length: 7 }, () => authority({ name: 'same', keys, issuer }));
  const { message } = await refusal('E_CERTIFICATE', () => verify(signing({ name: 'leaf', issuer }), same));
  expect(message).toContain('too many ways');
});

test('the validity that counts is that at the time asked about', async () => {
  const old = signing({ name: 'leaf', issuer: middle, from: 2021, until: 2023 });
  expect(verify(old, [middle], [root], new Date('2021-01-01T00:00:00Z'))).toEqual(['leaf', 'middle', 'root']);
  expect(verify(old, [middle], [root], new Date('2023-01-01T00:00:00Z'))).toHaveLength(3);
  await refusal('E_CERTIFICATE', () => verify(old, [middle], [root], new Date('2023-01-01T00:00:01Z')));
  await refusal('E_CERTIFICATE', () => verify(old, [middle], [root], new Date('2020-12-31T23:59:59Z')));
});

/** An authority of its own below the root, with something wrong about it or its leaf. */
const below = (wanted: Partial<Wanted>, leafWanted: Partial<Wanted> = {}): Issued[] => {
  const between = authority({ name: 'between', issuer: root, ...wanted });
  return [signing({ name: 'leaf', issuer: between, ...leafWanted }), between];
};

const certSign = keyUsage('keyCertSign');
const chainOf = (length: number): Issued[] => {
  const chain = [root];
  for (let i = 2; i < length; i++) chain.unshift(authority({ name: `authority ${i}`, issuer: chain[0] }));
  return [signing({ name: 'leaf', issuer: chain[0] }), ...chain.slice(0, -1)];
};

const bad: [string, () => Issued[], RegExp][] = [
  ['an issuer that expired', () => below({ from: 2020, until: 2022 }), /"CN=between" was not valid/],
  ['a leaf that is not valid yet', () => below({}, { from: 2027 }), /"CN=leaf" was not valid/],
  ['an issuer that is no authority', () => below({ extensions: [certSign] }), /is no authority/],
  ['an authority that is said to be none', () => below({ extensions: [basicConstraints(false), certSign] }), /no auth/],
  [
    'an issuer that may only sign data',
    () => below({ extensions: [basicConstraints(true), keyUsage('digitalSignature')] }),
    /may not sign certificates/,
  ],
  ['an issuer without KeyUsage', () => below({ extensions: [basicConstraints(true)] }), /may not sign certificates/],
  [
    'an issuer for servers',
    () => below({ extensions: [basicConstraints(true), certSign, extendedKeyUsage(SERVER_AUTH)] }),
    /may not issue certificates that sign code/,
  ],
  [
    'an issuer with an unknown critical extension',
    () => below({ extensions: [basicConstraints(true), certSign, extension('1.2.3.4', octets(Buffer.of(1)))] }),
    /not understood here: found 1\.2\.3\.4/,
  ],
  [
    'a leaf with an unknown critical extension',
    () => below({}, { extensions: [keyUsage('digitalSignature'), extension('1.2.3.4', octets(Buffer.of(1)))] }),
    /"CN=leaf" has an extension/,
  ],
  [
    'an issuer with name constraints',
    () => below({ extensions: [basicConstraints(true), certSign, extension('2.5.29.30', sequence(), true)] }),
    /2\.5\.29\.30/,
  ],
  [
    'an issuer with name constraints that are not critical',
    () => below({ extensions: [basicConstraints(true), certSign, extension('2.5.29.30', sequence(), false)] }),
    /2\.5\.29\.30/,
  ],
  [
    'more authorities than the path length allows',
    () => {
      const upper = authority({ name: 'upper', issuer: root }, 0);
      const lower = authority({ name: 'lower', issuer: upper });
      return [signing({ name: 'leaf', issuer: lower }), lower, upper];
    },
    /"CN=upper" has more authorities below it than it allows: expected at most 0, found 1/,
  ],
  [
    'a leaf for servers',
    () => below({}, { extensions: [keyUsage('digitalSignature'), extendedKeyUsage(SERVER_AUTH)] }),
    /may not sign:/,
  ],
  [
    'a leaf for encryption',
    () => below({}, { extensions: [keyUsage('keyEncipherment'), extendedKeyUsage(CODE_SIGNING)] }),
    /may not sign:/,
  ],
  ['a leaf that says nothing of its use', () => below({}, { extensions: [] }), /may not sign:/],
  ['a leaf with a key of RSA', () => below({}, { keys: rsaKeys(2048) }), /found rsa of 2048 bits/],
  ['a leaf on secp256k1', () => below({}, { keys: ecKeys('secp256k1') }), /found ec on secp256k1/],
  ['an issuer with a key of RSA with 1,024 bits', () => below({ keys: rsaKeys(1024) }), /too weak.*rsa of 1024 bits/],
  ['an issuer on secp256k1', () => below({ keys: ecKeys('secp256k1') }), /found ec on secp256k1/],
  ['a leaf signed with SHA-1', () => below({}, { algorithm: 'sha1' }), /found SHA-1 with ECDSA/],
  ['an issuer signed with SHA-1', () => below({ algorithm: 'sha1' }), /found SHA-1 with ECDSA/],
  ['a leaf signed with SHA-1 and RSA', () => below({ keys: rsaKeys(2048) }, { algorithm: 'sha1' }), /SHA-1 with RSA/],
  [
    'an issuer that has the name but did not sign',
    () => [leaf, authority({ name: 'middle', issuer: root })],
    /"CN=leaf" was not signed by "CN=middle"/,
  ],
  [
    'an issuer that signed but has another name',
    () => [below({}, { issuerName: 'someone' })[0], middle],
    /leads to none/,
  ],
  ['an issuer that is missing', () => [leaf], /leads to none of the trusted roots/],
  ['a chain of nine', () => chainOf(9), /has a chain of more than 8/],
  [
    'a root that is not the trusted one',
    () => {
      const root = authority({ name: 'root' });
      return [signing({ name: 'leaf', issuer: root }), root];
    },
    /was not signed by "CN=root"/,
  ],
  ['a self-signed leaf that nobody trusts', () => [signing({ name: 'alone' })], /leads to none of the trusted roots/],
];

test.each(bad)('refused: %s', async (_, make, message) => {
  const [leaf, ...others] = make();
  const refused = await refusal('E_CERTIFICATE', () => verify(leaf, others));
  expect(refused.message).toMatch(message);
});

test('a chain of eight is the longest', () => {
  const [leaf, ...others] = chainOf(8);
  expect(verify(leaf, others)).toHaveLength(8);
});

test.each<[string, Wanted]>([
  ['expired', { name: 'root', from: 2000, until: 2001 }],
  ['no authority', { name: 'root', extensions: [certSign] }],
  ['signed with SHA-1', { name: 'root', algorithm: 'sha1' }],
  ['of 1,024 bits', { name: 'root', keys: rsaKeys(1024) }],
])('a root is held to what its certificates are held to: %s', async (_, wanted) => {
  const root = authority(wanted);
  await refusal('E_CERTIFICATE', () => verify(signing({ name: 'leaf', issuer: root }), [], [root]));
});

test('for signing, the chain is put in order and the root left out', async () => {
  const order = (...others: Issued[]): string[] =>
    orderChain(parse(leaf), others.map(parse), now, 'cert.pem').map(({ name }) => name);
  expect(order(root, middle)).toEqual(['CN=leaf', 'CN=middle']);
  expect(order()).toEqual(['CN=leaf']);
  const { message } = await refusal('E_CERTIFICATE', () => order(middle, authority({ name: 'stranger' })));
  expect(message).toContain('"CN=stranger" is no part of the chain');
});
