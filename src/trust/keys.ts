/**
 * Keys that sign a model: ECDSA on three curves, and with each curve its hash, as OpenSSF Model Signing 1.0 has them.
 * RSA, Ed25519 and other curves are refused by name.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { GlassbertError } from '../errors.ts';
import { decodePem, foundInstead } from './pem.ts';

export interface Curve {
  readonly name: 'P-256' | 'P-384' | 'P-521';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

/** By OpenSSL's names. */
const CURVES: Readonly<Record<string, Curve>> = {
  prime256v1: { name: 'P-256', hash: 'sha256' },
  secp384r1: { name: 'P-384', hash: 'sha384' },
  secp521r1: { name: 'P-521', hash: 'sha512' },
};

/** undefined for a key that cannot sign a model. */
export function curveOf(key: KeyObject): Curve | undefined {
  return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
}

/** 'rsa of 3072 bits', 'ec on secp256k1', 'ed25519'. */
export function describeKey(key: KeyObject): string {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return `${key.asymmetricKeyType} of ${modulusLength} bits`;
  return namedCurve === undefined ? `${key.asymmetricKeyType}` : `${key.asymmetricKeyType} on ${namedCurve}`;
}

/**
 * The `hint` of a signature: SHA-256, in hexadecimal, of the public key's PEM text as OpenSSL writes it.
 */
export function fingerprint(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'pem' }))
    .digest('hex');
}

/**
 * @param pem - "-----BEGIN PUBLIC KEY-----"
 * @throws E_KEY
 */
export function readPublicKey(pem: string, file?: string): KeyObject {
  const [der, ...more] = decodePem(pem, 'PUBLIC KEY', 'E_KEY', file);
  if (more.length > 0) throw new GlassbertError('E_KEY', 'the file holds more than one public key', { file });
  return readPublicKeyDer(der, file);
}

/**
 * @param der - SubjectPublicKeyInfo
 * @throws E_KEY
 */
export function readPublicKeyDer(der: Uint8Array, file?: string): KeyObject {
  try {
    return checkCurve(
      createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }),
      file,
      'It cannot have signed.',
    );
  } catch (cause) {
    throw keyError(cause, 'the public key cannot be read', file);
  }
}

/** Whether a private key can be read only with its passphrase: in PKCS#8, and in the older form of OpenSSL. */
export function isEncrypted(pem: string): boolean {
  return pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED');
}

/**
 * @param pem - SEC1 ("EC PRIVATE KEY") or PKCS#8 ("PRIVATE KEY"), encrypted or not
 * @throws E_KEY
 */
export function readPrivateKey(
  pem: string,
  options: { passphrase?: string | undefined; file?: string } = {},
): KeyObject {
  const { passphrase, file } = options;
  const encrypted = isEncrypted(pem);
  if (encrypted && passphrase === undefined) {
    throw new GlassbertError('E_KEY', 'the private key is encrypted and no passphrase was given', { file });
  }
  try {
    // A passphrase that is not needed is not looked at.
    return checkCurve(createPrivateKey({ key: pem, format: 'pem', passphrase: passphrase ?? '' }), file, MAKE_ONE);
  } catch (cause) {
    if (cause instanceof GlassbertError) throw cause;
    if (encrypted) {
      throw new GlassbertError('E_KEY', 'the private key cannot be read', {
        file,
        expected: 'another passphrase',
        cause,
      });
    }
    const [found, hint] = foundInstead(pem);
    const isRight = PRIVATE_KEYS.includes(found);
    throw new GlassbertError('E_KEY', 'the private key cannot be read', {
      file,
      expected: PRIVATE_KEYS.join(' or '),
      found,
      hint: isRight ? `The text below that line is damaged. ${MAKE_ONE}` : hint,
      cause,
    });
  }
}

/** SEC1 and PKCS#8. */
const PRIVATE_KEYS = ['-----BEGIN PRIVATE KEY-----', '-----BEGIN EC PRIVATE KEY-----'];

const MAKE_ONE = 'Make one with: openssl ecparam -name prime256v1 -genkey -noout -out key.pem';

function checkCurve(key: KeyObject, file: string | undefined, hint: string): KeyObject {
  if (curveOf(key) !== undefined) return key;
  throw new GlassbertError('E_KEY', 'a key of this kind does not sign models', {
    file,
    expected: 'an elliptic curve key on P-256, P-384 or P-521',
    found: describeKey(key),
    hint,
  });
}

function keyError(cause: unknown, summary: string, file: string | undefined): GlassbertError {
  if (cause instanceof GlassbertError) return cause;
  return new GlassbertError('E_KEY', summary, { file, cause });
}
