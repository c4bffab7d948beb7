/**
 * Signatures of models by OpenSSF Model Signing 1.0 (https://github.com/ossf/model-signing-spec), as the Python tool
 * `model_signing` makes and verifies them: with a key, with a certificate, or keyless.
 *
 * Verifying is, in this order: take the file apart (bundle.ts); establish whose key it is (keys.ts, chain.ts, keyless.ts);
 * verify the signature over the payload's bytes as they came (dsse.ts); and only then read what they say (statement.ts).
 * Nothing here touches the disk: that the directory is what was signed is for compare.ts to find.
 *
 * A signature says nothing of: what it lists as ignored, git's own files at the top, empty directories, times, permissions,
 * and the name of the directory.
 */
import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import type { Warning } from '../io/load-report.ts';
import { type Bundle, type Material, parseBundle, serializeBundle } from './bundle.ts';
import { type Certificate, equal, parseCertificate, parseCertificates } from './certificate.ts';
import { checkSigner, orderChain, verifyChain } from './chain.ts';
import { parseDer, TAG } from './der.ts';
import { signPayload, verifyPayload } from './dsse.ts';
import { type KeylessPolicy, verifyKeyless } from './keyless.ts';
import { type Curve, curveOf, fingerprint, readPrivateKey, readPublicKey, readPublicKeyDer } from './keys.ts';
import { type FileRecord, GIT_NAMES, type RecordedFile } from './record.ts';
import { oldTypeError, parseStatement, serializeStatement } from './statement.ts';

/** Whose signature is expected. */
export type SignaturePolicy =
  /** PEM text of the public key. */
  | { readonly publicKey: string }
  /** PEM text of one or more roots, and intermediate certificates if the signature lacks them. */
  | {
      readonly certificateRoots: string;
      /**
       * When the certificates must have been valid. `signing` (default) is the first moment of the signing certificate's
       * own validity, so that a signature outlives it, as in the reference implementation; nothing proves when it was made.
       */
      readonly at?: 'signing' | 'now';
    }
  | KeylessPolicy;

export interface VerifyOptions {
  /** Accepts signatures made by following links. */
  readonly allowSymlinks?: boolean;
  /** Names to be left out beside those that the signature leaves out; those before version 1.1 do not record them. */
  readonly ignorePaths?: readonly string[];
  /** The name of the directory; a warning tells when it was signed under another. */
  readonly directory?: string;
}

export interface SignedStatement {
  readonly record: FileRecord;
  /** 'sha256:' and 64 hexadecimal digits. */
  readonly rootDigest: string;
  /** What the model was called where it was signed. */
  readonly subject: string;
  /** To be read. */
  readonly signer: string;
  readonly warnings: readonly Warning[];
}

/**
 * @param bytes - of the signature file, of any origin
 * @param file - its path, for messages
 * @throws E_BUNDLE, E_SIGNATURE, E_CERTIFICATE, E_KEY, E_DEPENDENCY, E_ARGUMENT for the policy
 */
export async function verifyBundle(
  bytes: Uint8Array,
  file: string,
  policy: SignaturePolicy,
  options: VerifyOptions = {},
): Promise<SignedStatement> {
  const warnings: Warning[] = [];
  const warn = (code: string, message: string): void => {
    warnings.push({ code, message: `${file}: ${message}` });
  };

  const bundle = parseBundle(bytes, file);
  const signer = await verifySigner(bundle, policy, file, warn);
  const statement = parseStatement(bundle.payload, file, options, warning => warnings.push(warning));

  const { files, subject, rootDigest, ignorePaths } = statement;
  const own = [...GIT_NAMES, file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1)];
  const leftOut = ignorePaths.filter(path => !own.includes(path));
  if (leftOut.length > 0) {
    const listed = leftOut.slice(0, 5).map(quote).join(', ') + (leftOut.length > 5 ? ' …' : '');
    warn('W_IGNORE_PATHS', `whoever signed left out what is named ${listed}: it may have changed`);
  }
  if (options.directory !== undefined && options.directory !== subject) {
    warn('W_SUBJECT', `it was signed under the name ${quote(subject)}, which is not bound to the directory's`);
  }
  return {
    record: {
      source: file,
      files: new Map(files.map(recorded => [recorded.name, recorded])),
      ignored: [...ignorePaths, ...(options.ignorePaths ?? [])],
    },
    rootDigest,
    subject,
    signer,
    warnings,
  };
}

/** PEM text, and where it is from. */
export interface Pem {
  readonly text: string;
  readonly file?: string;
}

export interface Signer {
  readonly privateKey: KeyObject;
  /** Of the public key: SHA-256 of its PEM text, which verifiers see as the hint. */
  readonly fingerprint: string;
  /** The signing certificate and those above it, without the root; none when signing with a bare key. */
  readonly certificates: readonly Certificate[];
}

/**
 * Who signs. A certificate is checked before anything is signed with it: that it belongs to the key, may sign models, is
 * valid now, and was issued by the certificates of the chain.
 *
 * @throws E_KEY, E_CERTIFICATE
 */
export function createSigner(
  privateKey: Pem,
  options: { passphrase?: string | undefined; certificate?: Pem | undefined; chain?: readonly Pem[] } = {},
): Signer {
  const { passphrase, certificate, chain = [] } = options;
  const key = readPrivateKey(privateKey.text, { passphrase, ...(privateKey.file && { file: privateKey.file }) });
  const publicKey = createPublicKey(key);
  const signer = { privateKey: key, fingerprint: fingerprint(publicKey) };
  if (certificate === undefined) return { ...signer, certificates: [] };

  const file = certificate.file ?? 'the certificate';
  const [leaf, ...more] = parseCertificates(certificate.text, file);
  const now = new Date();
  if (!checkSigner(leaf, now, file).equals(publicKey)) {
    throw new GlassbertError('E_KEY', 'the private key is not that of the certificate', { file });
  }
  const others = [...more, ...chain.flatMap(({ text, file }) => parseCertificates(text, file))];
  return { ...signer, certificates: orderChain(leaf, others, now, file) };
}

/**
 * @param files - in any order; SHA-256, as every implementation reads it
 * @param subject - the name of the model
 * @param ignorePaths - what was left out, git's own names and that of the signature included
 * @returns the bytes of the signature file
 * @throws E_ARGUMENT for files that cannot be signed
 */
export function signStatement(
  files: readonly RecordedFile[],
  subject: string,
  ignorePaths: readonly string[],
  { privateKey, fingerprint, certificates }: Signer,
): Uint8Array {
  const payload = serializeStatement(files, subject, ignorePaths);
  try {
    parseStatement(payload, subject); // what would not be accepted is not signed
  } catch (cause) {
    throw new GlassbertError('E_ARGUMENT', 'these files cannot be signed', {
      found: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  const material =
    certificates.length > 0 ? { certificates: certificates.map(({ der }) => der) } : { hint: fingerprint };
  return serializeBundle(material, payload, signPayload(payload, privateKey));
}

// ---------------------------------------------------------------------------------------------------------------------

type Warn = (code: string, message: string) => void;

/** Verifies the signature by the method that the policy asks for. @returns who signed */
async function verifySigner(bundle: Bundle, policy: SignaturePolicy, file: string, warn: Warn): Promise<string> {
  const { material } = bundle;
  if (material.method !== 'keyless' && bundle.witnesses > 0) {
    warn('W_NOT_CHECKED', `log entries or timestamps are there, which no signature by ${material.method} needs`);
  }
  if ('publicKey' in policy) {
    if (material.method !== 'key') throw otherMethod(material, 'key', file);
    const key = readPublicKey(policy.publicKey, 'the public key');
    checkClaims(material, key, file, warn);
    checkSignature(bundle, key, file);
    return `the key ${fingerprint(key)}`;
  }
  if ('certificateRoots' in policy) {
    if (material.method !== 'certificate') throw otherMethod(material, 'certificate', file);
    const roots = parseCertificates(policy.certificateRoots, 'the certificate roots');
    const [leaf, ...others] = material.certificates.map(der => parseCertificate(der, file));
    const chain = verifyChain(leaf, others, roots, policy.at === 'now' ? new Date() : leaf.notBefore, file);
    for (const { name, der } of others) {
      if (chain.some(used => equal(used.der, der))) continue;
      warn('W_NOT_CHECKED', `the certificate ${quote(name)} is no part of the chain`);
    }
    checkSignature(bundle, checkSigner(leaf, leaf.notBefore, file), file);
    return `the certificate ${quote(leaf.name)}, issued under the root ${quote(chain[chain.length - 1].name)}`;
  }
  if (material.method !== 'keyless') throw otherMethod(material, 'keyless', file);
  await verifyKeyless(bundle, material.certificate, policy, file);
  return `${quote(policy.identity)}, vouched for by ${quote(policy.issuer)}`;
}

/**
 * What a signature says about its key is not signed. If it says that this is not the one, that is the better message; if it
 * says nothing, that is worth a warning and changes nothing.
 */
function checkClaims(
  { hint, publicKey, keyDetails }: Extract<Material, { method: 'key' }>,
  key: KeyObject,
  file: string,
  warn: Warn,
): void {
  const own = fingerprint(key);
  const claims = [publicKey && fingerprintIn(publicKey, file), hint].filter(
    claim => claim !== undefined && claim !== '',
  );
  for (const claim of claims) {
    if (claim === own) continue;
    throw new GlassbertError('E_SIGNATURE', 'the signature was made with another key', {
      file,
      expected: `the key ${own}`,
      found: quote(claim as string),
    });
  }
  if (claims.length === 0) warn('W_HINT_ABSENT', 'the signature does not say which key it was made with');
  const { name, hash } = curveOf(key) as Curve;
  const details = `PKIX_ECDSA_${name.replace('-', '')}_${hash.replace('sha', 'SHA_')}`;
  if (keyDetails !== undefined && keyDetails !== details) {
    warn('W_NOT_CHECKED', `the key is said to be ${quote(keyDetails)}, and is ${details}`);
  }
}

/** Of P-521 one has 158 bytes in DER and 268 in PEM. */
const MAX_KEY_BYTES = 1024;

/**
 * Of the key that is in the file itself: in DER, as the definition of PublicKey in sigstore's protobuf-specs has it, or in
 * PEM, as the reference implementation wrote it before version 1.1.
 */
function fingerprintIn(publicKey: Uint8Array, file: string): string {
  try {
    if (publicKey.length > MAX_KEY_BYTES) throw new RangeError(`it is longer than ${MAX_KEY_BYTES} bytes`);
    const isDer = publicKey[0] === TAG.sequence; // no text begins with "0"
    if (!isDer) return fingerprint(readPublicKey(Buffer.from(publicKey).toString(), file));
    parseDer(publicKey); // OpenSSL passes over bytes behind the key
    return fingerprint(readPublicKeyDer(publicKey, file));
  } catch (cause) {
    throw new GlassbertError('E_BUNDLE', 'the public key in the signature cannot be read', {
      file,
      expected: 'an elliptic curve key on P-256, P-384 or P-521, in DER or PEM',
      found: cause instanceof Error ? cause.message : undefined,
      cause,
    });
  }
}

function checkSignature({ payload, signature }: Bundle, key: KeyObject, file: string): void {
  if (verifyPayload(payload, signature, key)) return;
  throw (
    oldTypeError(payload, file) ??
    new GlassbertError('E_SIGNATURE', 'the signature is not of this content by this key', {
      file,
      hint: 'The file was changed after it was signed, or it is of somebody else. Do not trust the directory.',
    })
  );
}

function otherMethod({ method }: Material, expected: string, file: string): GlassbertError {
  return new GlassbertError('E_SIGNATURE', 'the signature was made by another method than the one that is trusted', {
    file,
    expected,
    found: method,
    hint: {
      key: 'It is verified with the public key of whoever signed (--public-key).',
      certificate: 'It is verified with the root certificate of whoever signed (--certificate-root).',
      keyless: 'It is verified with the trusted root of Sigstore, and the identity and issuer of whoever signed.',
    }[method],
  });
}
