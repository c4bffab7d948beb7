/**
 * An X.509 certificate (RFC 5280), as far as a chain of them is checked by it: names, validity, key, signature, and the
 * extensions that say what a certificate may be used for. What chain.ts refuses is still read here, so that a file of many
 * roots can be used although one of them is odd.
 *
 * Stricter than RFC 5280 and OpenSSL: everything must be DER. As lenient as they are in one thing: a FALSE that DER would
 * leave out may be written out, as many authorities do.
 */
import { X509Certificate } from 'node:crypto';
import { GlassbertError } from '../errors.ts';
import {
  type Der,
  DerError,
  parseDer,
  readBits,
  readBoolean,
  readBytes,
  readInteger,
  readNatural,
  readOid,
  readTime,
  Sequence,
  TAG,
} from './der.ts';
import { decodePem } from './pem.ts';

export interface Certificate {
  readonly der: Uint8Array;
  /** The part that the signature is over. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** Of the algorithm that the issuer signed with. */
  readonly signatureOid: string;
  /** Names as they are written: RFC 5280 7.1 would compare some of them more leniently, and no genuine chain needs it. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** To be read: CN=intermediate-ca, O=Example. */
  readonly name: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The public key, as SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly isAuthority: boolean;
  /** How many authorities may stand between this one and the leaf. */
  readonly pathLength: number | undefined;
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Critical extensions that are not acted on here: they forbid the use of the certificate. */
  readonly unheeded: readonly string[];
}

/** The largest genuine ones, with long lists of names, have 10 KB. */
const MAX_CERTIFICATE_BYTES = 64 * 2 ** 10;

/** The roots of a whole operating system are 140 to 400. */
const MAX_CERTIFICATES_OF_A_FILE = 1000;

/**
 * @param der - hostile bytes end in E_CERTIFICATE
 * @param file - named in errors
 */
export function parseCertificate(der: Uint8Array, file?: string): Certificate {
  try {
    if (der.length > MAX_CERTIFICATE_BYTES) throw new DerError(`it is longer than ${MAX_CERTIFICATE_BYTES} bytes`);
    const certificate = readCertificate(der);
    checkOpenssl(der);
    return certificate;
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new GlassbertError('E_CERTIFICATE', `a certificate is malformed: ${cause.message}`, { file, cause });
  }
}

/**
 * OpenSSL, which will use the key, must be able to read the certificate too: it also looks into names and keys, where one
 * program's string is another's malformed byte.
 */
function checkOpenssl(der: Uint8Array): void {
  try {
    new X509Certificate(der);
  } catch (cause) {
    throw new DerError(`OpenSSL cannot read it (${(cause as Error).message})`);
  }
}

/**
 * All certificates of a PEM file.
 *
 * @throws E_CERTIFICATE also when there is none
 */
export function parseCertificates(pem: string, file?: string): Certificate[] {
  const found = decodePem(pem, 'CERTIFICATE', 'E_CERTIFICATE', file);
  if (found.length > MAX_CERTIFICATES_OF_A_FILE) {
    throw new GlassbertError('E_CERTIFICATE', 'the file holds more certificates than any system trusts', {
      file,
      expected: `at most ${MAX_CERTIFICATES_OF_A_FILE}`,
      found: `${found.length}`,
    });
  }
  return found.map(der => parseCertificate(der, file));
}

// ---------------------------------------------------------------------------------------------------------------------

const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  extKeyUsage: '2.5.29.37',
} as const;

/**
 * Extensions that may be critical. Other names of the subject are not used; and no policy is required, so any will do
 * (what would make one required, policyConstraints, is always critical and not among these).
 */
const HEEDED: readonly string[] = [
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.certificatePolicies,
  OID.extKeyUsage,
];

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue } */
function readCertificate(der: Uint8Array): Certificate {
  const certificate = new Sequence(parseDer(der), 'the certificate');
  const signed = certificate.next(TAG.sequence);
  const algorithm = certificate.next(TAG.sequence);
  const signature = readBytes(certificate.next(TAG.bitString));
  certificate.end();

  const tbs = new Sequence(signed, 'the signed part');
  const version = tbs.optional(explicit(0));
  if (version !== undefined) readVersion(version);
  readInteger(tbs.next(TAG.integer)); // the serial number
  // What is signed names the algorithm too, or somebody could put another one beside the signature.
  if (!equal(tbs.next(TAG.sequence).bytes, algorithm.bytes)) throw new DerError('it names two signature algorithms');
  const issuer = tbs.next(TAG.sequence);
  const validity = new Sequence(tbs.next(TAG.sequence), 'the validity');
  const subject = tbs.next(TAG.sequence);
  const spki = tbs.next(TAG.sequence);
  tbs.optional(0x81); // issuerUniqueID and subjectUniqueID, which nobody uses
  tbs.optional(0x82);
  const extensions = tbs.optional(explicit(3));
  tbs.end();

  const [notBefore, notAfter] = [validity.any(), validity.any()];
  validity.end();
  if (notBefore === undefined || notAfter === undefined) throw new DerError('a time of the validity is missing');

  return {
    der,
    signed: signed.bytes,
    signature,
    signatureOid: readAlgorithm(algorithm),
    issuer: issuer.bytes,
    subject: subject.bytes,
    name: formatName(subject),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spki: spki.bytes,
    ...readExtensions(extensions),
  };
}

/** Extensions came with version 3, which is written as 2; version 1 is not written. */
function readVersion(der: Der): void {
  if (readNatural(inside(der, 'the version', TAG.integer)) > 2) throw new DerError('it is of an unknown version');
}

/** None of the algorithms in use here has parameters; with RSA their absence is written as NULL. */
function readAlgorithm(der: Der): string {
  const algorithm = new Sequence(der, 'the signature algorithm');
  const oid = readOid(algorithm.next(TAG.oid));
  algorithm.any();
  algorithm.end();
  return oid;
}

type Extensions = Pick<Certificate, 'isAuthority' | 'pathLength' | 'keyUsage' | 'extendedKeyUsage' | 'unheeded'>;

/** Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
function readExtensions(der: Der | undefined): Extensions {
  const values = new Map<string, Der>();
  const unheeded: string[] = [];
  for (const extension of der === undefined ? [] : inside(der, 'the extensions').children) {
    const fields = new Sequence(extension, 'an extension');
    const oid = readOid(fields.next(TAG.oid));
    const criticality = fields.optional(TAG.boolean);
    const critical = criticality !== undefined && readBoolean(criticality);
    const value = fields.next(TAG.octetString);
    fields.end();
    if (values.has(oid)) throw new DerError(`the extension ${oid} stands in it twice`);
    values.set(oid, value);
    // A name constraint binds everything below it. It is not evaluated here, so it is never passed over.
    if ((critical && !HEEDED.includes(oid)) || oid === OID.nameConstraints) unheeded.push(oid);
  }

  const contentOf = (oid: string): Der | undefined => {
    const value = values.get(oid);
    return value && parseDer(value.content);
  };
  return {
    ...readBasicConstraints(contentOf(OID.basicConstraints)),
    keyUsage: readKeyUsage(contentOf(OID.keyUsage)),
    extendedKeyUsage: readExtendedKeyUsage(contentOf(OID.extKeyUsage)),
    unheeded,
  };
}

/** BasicConstraints ::= SEQUENCE { cA DEFAULT FALSE, pathLenConstraint OPTIONAL } */
function readBasicConstraints(der: Der | undefined): Pick<Certificate, 'isAuthority' | 'pathLength'> {
  if (der === undefined) return { isAuthority: false, pathLength: undefined };
  const constraints = new Sequence(der, 'BasicConstraints');
  const authority = constraints.optional(TAG.boolean);
  const pathLength = constraints.optional(TAG.integer);
  constraints.end();
  return {
    isAuthority: authority !== undefined && readBoolean(authority),
    pathLength: pathLength && readNatural(pathLength),
  };
}

/** Bits are counted from the highest of the first byte: 0 is digitalSignature, 5 keyCertSign. */
function readKeyUsage(der: Der | undefined): Certificate['keyUsage'] {
  if (der === undefined) return undefined;
  if (der.tag !== TAG.bitString) throw new DerError('KeyUsage is no bit string');
  const [first = 0] = readBits(der);
  return { digitalSignature: (first & 0x80) !== 0, keyCertSign: (first & 0x04) !== 0 };
}

function readExtendedKeyUsage(der: Der | undefined): readonly string[] | undefined {
  if (der === undefined) return undefined;
  const usages = new Sequence(der, 'ExtendedKeyUsage');
  return der.children.map(() => readOid(usages.next(TAG.oid)));
}

// ---------------------------------------------------------------------------------------------------------------------

/** Short names of RFC 4514 section 3; others stand as identifiers. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};

/** For messages only. Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } */
function formatName(name: Der): string {
  const parts = name.children.flatMap(set => {
    if (set.tag !== TAG.set) throw new DerError('a name is malformed');
    return set.children.map(attribute => {
      const fields = new Sequence(attribute, 'a part of a name');
      const oid = readOid(fields.next(TAG.oid));
      const value = fields.any();
      fields.end();
      if (value === undefined) throw new DerError('a part of a name is empty');
      return `${ATTRIBUTES[oid] ?? oid}=${Buffer.from(value.content).toString()}`;
    });
  });
  return parts.join(', ');
}

/** The tag [n] around another element. */
function explicit(n: number): number {
  return 0xa0 + n;
}

/** The one element in such a tag. */
function inside(der: Der, what: string, tag: number = TAG.sequence): Der {
  const wrapped = new Sequence(der, what, der.tag);
  const element = wrapped.next(tag);
  wrapped.end();
  return element;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
