/** Certificates of any kind, good and bad, for tests: a writer of DER and an authority that signs whatever it is told. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Issued {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly name: string;
  readonly keys: KeyPair;
}

export interface Wanted {
  readonly name: string;
  /** Who issues it; without one it signs itself. */
  readonly issuer?: Issued;
  readonly keys?: KeyPair;
  /** Years of the validity. */
  readonly from?: number;
  readonly until?: number;
  readonly extensions?: readonly Uint8Array[];
  /** SHA-256 unless told. */
  readonly algorithm?: Algorithm;
  /** Written instead of what the issuer is called. */
  readonly issuerName?: string;
}

export function ecKeys(namedCurve = 'P-256'): KeyPair {
  return generateKeyPairSync('ec', { namedCurve });
}

export function rsaKeys(modulusLength: number): KeyPair {
  return generateKeyPairSync('rsa', { modulusLength });
}

export function publicPem({ publicKey }: KeyPair): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/** An authority that may do everything. */
export function authority(wanted: Wanted, pathLength?: number): Issued {
  return issue({ extensions: [basicConstraints(true, pathLength), keyUsage('keyCertSign')], ...wanted });
}

/** A certificate that may sign models. */
export function signing(wanted: Wanted): Issued {
  return issue({ extensions: [keyUsage('digitalSignature'), extendedKeyUsage(CODE_SIGNING)], ...wanted });
}

export function issue({
  name,
  issuer,
  keys = ecKeys(),
  from = 2020,
  until = 2090,
  extensions = [],
  algorithm = 'sha256',
  issuerName = issuer?.name ?? name,
}: Wanted): Issued {
  const { privateKey } = issuer?.keys ?? keys;
  const { hash, oid: signature, parameters } = ALGORITHMS[`${algorithm} ${privateKey.asymmetricKeyType}`];
  const algorithmIdentifier = sequence(oid(signature), ...parameters);
  const tbs = sequence(
    tlv(0xa0, integer(2)),
    integer(4711),
    algorithmIdentifier,
    distinguishedName(issuerName),
    sequence(time(from), time(until)),
    distinguishedName(name),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))]),
  );
  const der = sequence(tbs, algorithmIdentifier, bits(sign(hash, tbs, privateKey)));
  return { der, pem: toPem(der), name, keys };
}

export function toPem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const base64 = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}

// Extensions ------------------------------------------------------------------------------------------------------------

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

export function extension(id: string, value: Uint8Array, critical = true): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

export function basicConstraints(isAuthority: boolean, pathLength?: number): Uint8Array {
  const limit = pathLength === undefined ? [] : [integer(pathLength)];
  return extension('2.5.29.19', sequence(...(isAuthority ? [boolean(true)] : []), ...limit));
}

export function keyUsage(usage: 'digitalSignature' | 'keyCertSign' | 'keyEncipherment'): Uint8Array {
  return extension('2.5.29.15', bits([{ digitalSignature: 0x80, keyCertSign: 0x04, keyEncipherment: 0x20 }[usage]]));
}

export function extendedKeyUsage(...usages: string[]): Uint8Array {
  return extension('2.5.29.37', sequence(...usages.map(oid)), false);
}

// DER -------------------------------------------------------------------------------------------------------------------

export function tlv(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(content);
  const length = bytes.length < 128 ? [bytes.length] : lengthOf(bytes.length);
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

function lengthOf(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 + bytes.length, ...bytes];
}

export function sequence(...content: Uint8Array[]): Uint8Array {
  return tlv(0x30, ...content);
}

export function octets(bytes: Uint8Array): Uint8Array {
  return tlv(0x04, bytes);
}

function boolean(value: boolean): Uint8Array {
  return tlv(0x01, Buffer.from([value ? 0xff : 0]));
}

function integer(value: number): Uint8Array {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return tlv(0x02, ...(bytes[0] < 0x80 ? [] : [Buffer.from([0])]), bytes);
}

function bits(bytes: ArrayLike<number>): Uint8Array {
  return tlv(0x03, Buffer.from([0]), Uint8Array.from(bytes));
}

export function oid(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  const bytes = [40 * first + second, ...rest].flatMap(arc => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(128 + (left % 128));
    return groups;
  });
  return tlv(0x06, Buffer.from(bytes));
}

function time(year: number): Uint8Array {
  const [tag, text] = year < 2050 ? [0x17, `${year}`.slice(2)] : [0x18, `${year}`];
  return tlv(tag, Buffer.from(`${text}0101000000Z`));
}

function distinguishedName(name: string): Uint8Array {
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(name)))));
}

type Algorithm = 'sha256' | 'sha384' | 'sha512' | 'sha1';

const NULL = tlv(0x05);

const ALGORITHMS: Readonly<Record<string, { hash: string; oid: string; parameters: Uint8Array[] }>> = {
  'sha1 rsa': { hash: 'sha1', oid: '1.2.840.113549.1.1.5', parameters: [NULL] },
  'sha256 rsa': { hash: 'sha256', oid: '1.2.840.113549.1.1.11', parameters: [NULL] },
  'sha1 ec': { hash: 'sha1', oid: '1.2.840.10045.4.1', parameters: [] },
  'sha256 ec': { hash: 'sha256', oid: '1.2.840.10045.4.3.2', parameters: [] },
  'sha384 ec': { hash: 'sha384', oid: '1.2.840.10045.4.3.3', parameters: [] },
  'sha512 ec': { hash: 'sha512', oid: '1.2.840.10045.4.3.4', parameters: [] },
};
