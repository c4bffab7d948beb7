/**
 * X.509 certificates, in DER or in PEM. What is accepted, OpenSSL reads too, and finds the same bytes, dates and key in it: a
 * certificate that two programs read differently is two certificates. And only the one that a root has signed leads to it,
 * whatever was done to its bytes.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Certificate, parseCertificate, parseCertificates } from '../../src/trust/certificate.ts';
import { verifyChain } from '../../src/trust/chain.ts';
import type { Mutator } from '../mutator.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 4096;

const oid = (...bytes: number[]): string => String.fromCharCode(0x06, bytes.length, ...bytes);

// biome-ignore format: a table
export const dictionary = [
  '0\x80', '\0\0', '\x30\x00', '\x31\x00', '\x02\x01\x00', '\x02\x02\x00\x01', '\x02\x01\x81', '\x01\x01\x7f', '\x01\x01', '\x03\x02\x07', '\x05\x00', '\x04\x00', '\x30\x81\x7f',
  '\x30\x84\x01', '\xa0\x03\x02\x01\x02', '\xa3\x00', '\x1f\x81\x01', '\x17\x0d991231235959Z', '\x18\x0f20491231235959Z', '\x18\x0f99991231235959Z', '\x17\x0b9912312359Z',
  oid(0x55, 0x1d, 0x0f), oid(0x55, 0x1d, 0x13), oid(0x55, 0x1d, 0x25), oid(0x55, 0x1d, 0x1e), oid(0x55, 4, 3), oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2), oid(0x80, 1), oid(),
  '-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n', '-----BEGIN TRUSTED CERTIFICATE-----\n', '=', 'MII', '\r\n',
];

/** Of corpus/certificate, whose private keys were not kept: a root, and the signed part of the one certificate below it. */
const ROOT = parseCertificate(readFileSync(new URL('../fixtures/root.der', import.meta.url)));
const SIGNED = '252ba529d4a6201f43d23efb49f37c7aa9af1e076fc7a7b5a94c40c1fb2ae39e';

export function fuzz(data: Uint8Array): string {
  return outcome(['E_CERTIFICATE'], () => {
    if (data[0] === 0x2d) {
      const found = parseCertificates(new TextDecoder('latin1').decode(data), 'x.pem');
      for (const certificate of found) check(certificate);
      return `accepted ${found.length} in PEM`;
    }
    const certificate = parseCertificate(data, 'x.der');
    claim(Buffer.compare(certificate.der, data) === 0, 'other bytes');
    check(certificate);
    const { isAuthority, pathLength, keyUsage, extendedKeyUsage, unheeded } = certificate;
    const use = keyUsage && [keyUsage.digitalSignature, keyUsage.keyCertSign];
    const chain = outcome(['E_CERTIFICATE'], () => {
      verifyChain(certificate, [], [ROOT], certificate.notBefore, 'x.der');
      const digest = createHash('sha256').update(certificate.signed).digest('hex');
      claim(digest === SIGNED, 'a certificate that the root did not sign leads to it');
      return 'verified';
    });
    return `accepted ${chain} ${isAuthority} ${pathLength !== undefined} ${use} ${magnitude(extendedKeyUsage?.length ?? 0)} ${magnitude(unheeded.length)}`;
  });
}

function check({ der, notBefore, notAfter, spki }: Certificate): void {
  const theirs = new X509Certificate(der);
  claim(Buffer.compare(theirs.raw, der) === 0, 'OpenSSL reads other bytes');
  claim(theirs.validFromDate.getTime() === notBefore.getTime(), `not before ${theirs.validFrom}`);
  claim(theirs.validToDate.getTime() === notAfter.getTime(), `not after ${theirs.validTo}`);
  // Not the bytes: OpenSSL writes a key in its own way.
  const key = exported(() => theirs.publicKey);
  const ours = exported(() => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
  claim(key === ours, 'another key');
}

/** Undefined where OpenSSL cannot use it. */
function exported(key: () => KeyObject): string | undefined {
  try {
    return key().export({ type: 'spki', format: 'pem' }).toString();
  } catch {
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** An element of DER, as far as tags and lengths tell. */
interface Element {
  readonly tag: number;
  /** The elements inside it, or its bytes. */
  content: Element[] | Uint8Array;
}

/** Changes one element and gives every element around it the length that it now has. */
export function reshape(data: Uint8Array, other: Uint8Array, mutator: Mutator): Uint8Array {
  const [root] = elements(data);
  const [theirs] = elements(other);
  if (root === undefined || theirs === undefined) return mutator.mutate(data, other);
  const { integer, pick } = mutator.random;
  const all = flat(root);
  const { parent, at, element } = pick(all);
  const donor = pick(flat(theirs)).element;
  const kind = parent === undefined ? 5 : integer(6);
  if (kind === 0) parent?.splice(at, 1);
  else if (kind === 1) parent?.splice(at, 0, element);
  else if (kind === 2) parent?.splice(at, 1, donor);
  else if (kind === 3) parent?.splice(at, 0, donor);
  else if (kind === 4)
    parent?.splice(at, 1, {
      tag: pick([1, 2, 3, 4, 5, 6, 0x0c, 0x17, 0x18, 0x30, 0x31, 0xa0, 0xa3, integer(256)]),
      content: element.content,
    });
  else element.content = mutator.mutate(Buffer.from(encodeContent(element)), Buffer.from(encodeContent(donor)));
  return Buffer.from(encode(root));
}

/** Those that fill the bytes, or none. */
function elements(bytes: Uint8Array, depth = 0): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] as number;
    const first = bytes[at + 1] ?? 0x80;
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || more > 2) return [];
    const length =
      more === 0 ? first : Number.parseInt(Buffer.from(bytes.subarray(at + 2, at + 2 + more)).toString('hex'), 16);
    const begin = at + 2 + more;
    if (!(begin + length <= bytes.length)) return [];
    const content = bytes.subarray(begin, begin + length);
    // Constructed ones; and extensions hold DER in an octet string.
    const inside = ((tag & 0x20) !== 0 || tag === 0x04) && depth < 12 ? elements(content, depth + 1) : [];
    found.push({ tag, content: inside.length > 0 ? inside : content });
    at = begin + length;
  }
  return found;
}

function flat(root: Element): { parent?: Element[]; at: number; element: Element }[] {
  const found: { parent?: Element[]; at: number; element: Element }[] = [{ at: 0, element: root }];
  for (const { element } of found) {
    const { content } = element;
    if (Array.isArray(content))
      for (const [at, inner] of content.entries()) found.push({ parent: content, at, element: inner });
  }
  return found;
}

function encode(element: Element): number[] {
  const content = encodeContent(element);
  const n = content.length;
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff];
  return [element.tag, ...length, ...content];
}

function encodeContent({ content }: Element): number[] {
  return Array.isArray(content) ? content.flatMap(encode) : [...content];
}
