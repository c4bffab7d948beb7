/**
 * The file of a signature, `model.sig`: a Sigstore bundle 0.3 in JSON, which holds a DSSE envelope, which holds the
 * statement that is signed (OpenSSF Model Signing 1.0, section 4).
 *
 * Here it is only taken apart, and strictly: nothing outside the payload is signed, so every field that is there must be one
 * that is known and looked at. The reference implementation skips junk in base64 and looks at the first of several
 * signatures; here there is one signature and one way to write it.
 */
import { GlassbertError } from '../errors.ts';
import { type JsonObject, parseJson } from '../io/json.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import { PAYLOAD_TYPE } from './dsse.ts';
import { decodeBase64 } from './pem.ts';
import { MAX_RECORD_BYTES } from './record.ts';

/** What the signature is said to be made with: one of three methods. */
export type Material =
  | {
      readonly method: 'key';
      /** The fingerprint of the public key, since version 1.1 of the reference implementation. */
      readonly hint: string | undefined;
      /** The public key itself in PEM, before. Both are claims: trust comes from the key that the caller has. */
      readonly publicKey: Uint8Array | undefined;
      readonly keyDetails: string | undefined;
    }
  /** The leaf, then others in any order; in DER. */
  | { readonly method: 'certificate'; readonly certificates: readonly Uint8Array[] }
  /** The leaf that Sigstore's authority issued for a few minutes. */
  | { readonly method: 'keyless'; readonly certificate: Uint8Array };

export interface Bundle {
  readonly material: Material;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** How many entries of a transparency log and timestamps there are; only the keyless method has a use for them. */
  readonly witnesses: number;
  /** All of it as it was read. */
  readonly json: JsonObject;
}

const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const MAX_CERTIFICATES = 8; // as many as a chain may have

/** Apart from the payload, which is one string, bundles hold less than 100 values. */
const MAX_VALUES = 10_000;

/**
 * @param bytes - of any origin
 * @param file - named in errors
 * @throws E_BUNDLE
 */
export function parseBundle(bytes: Uint8Array, file = 'the signature'): Bundle {
  if (bytes.length > MAX_RECORD_BYTES) {
    throw new GlassbertError('E_BUNDLE', 'the file is larger than any signature', {
      file,
      expected: `at most ${MAX_RECORD_BYTES} bytes`,
      found: `${bytes.length}`,
    });
  }
  if (/^\\?[0-9a-fA-F]{64} [ *]/.test(Buffer.from(bytes.subarray(0, 67)).toString('latin1'))) {
    throw new GlassbertError('E_BUNDLE', 'this is a list of checksums, not a signature', {
      file,
      hint: 'Give it as the list (manifest, --manifest).',
    });
  }
  const { json, object } = readObject(bytes, file, '', MAX_VALUES);
  // The other content that a bundle may have. Absent, some writers of protobuf's JSON write it as null.
  if (object.has('messageSignature')) {
    throw new GlassbertError('E_BUNDLE', 'this is the signature of a single file, not of a model', {
      file,
      expected: 'dsseEnvelope',
      found: 'messageSignature',
    });
  }
  object.only(['mediaType', 'verificationMaterial', 'dsseEnvelope', 'messageSignature']);
  object.string('mediaType', { oneOf: [MEDIA_TYPE] });

  const material = object.object('verificationMaterial');
  const envelope = object.object('dsseEnvelope').only(['payload', 'payloadType', 'signatures']);
  envelope.string('payloadType', { oneOf: [PAYLOAD_TYPE] });
  const signatures = envelope.array('signatures');
  if (signatures.length !== 1) {
    throw new GlassbertError('E_BUNDLE', 'there must be one signature', { file, found: `${signatures.length}` });
  }
  const signature = fields(signatures[0], file, 'dsseEnvelope.signatures[0]', 'E_BUNDLE').only(['sig', 'keyid']);
  signature.string('keyid', { default: '' }); // not used by this format

  const method = readMaterial(material, file);
  const witnesses = countWitnesses(material);
  if (method.method === 'keyless' && witnesses.entries === 0) {
    throw new GlassbertError('E_BUNDLE', 'a keyless signature is in no transparency log', {
      file,
      expected: 'at least one entry in "verificationMaterial.tlogEntries"',
    });
  }
  return {
    material: method,
    payload: base64(envelope, 'payload'),
    signature: base64(signature, 'sig'),
    witnesses: witnesses.entries + witnesses.timestamps,
    json,
  };
}

/** The file of a signature by key (with its hint) or certificate, with its keys in the order of the reference implementation. */
export function serializeBundle(
  material: { readonly hint: string } | { readonly certificates: readonly Uint8Array[] },
  payload: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const verificationMaterial =
    'hint' in material
      ? { publicKey: { hint: material.hint } }
      : { x509CertificateChain: { certificates: material.certificates.map(der => ({ rawBytes: encode(der) })) } };
  const bundle = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: { ...verificationMaterial, tlogEntries: [] },
    dsseEnvelope: {
      payload: encode(payload),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: encode(signature), keyid: '' }],
    },
  };
  return Buffer.from(JSON.stringify(bundle));
}

/**
 * An object in strict JSON, with E_BUNDLE for whatever is wrong with it.
 *
 * @param what - 'the payload: ', before what is said of it
 */
export function readObject(
  bytes: Uint8Array,
  file: string,
  what: string,
  values: number,
): { readonly json: JsonObject; readonly object: Fields } {
  try {
    const json = parseJson(bytes, undefined, { values });
    return { json: json as JsonObject, object: fields(json, file, '', 'E_BUNDLE') };
  } catch (cause) {
    if (!(cause instanceof GlassbertError) || cause.code !== 'E_JSON') throw cause;
    throw new GlassbertError('E_BUNDLE', what + cause.message, { file, hint: cause.hint, cause });
  }
}

// ---------------------------------------------------------------------------------------------------------------------

function readMaterial(material: Fields, file: string): Material {
  const methods = ['publicKey', 'x509CertificateChain', 'certificate'];
  material.only([...methods, 'tlogEntries', 'timestampVerificationData']);
  const there = methods.filter(method => material.has(method));
  if (there.length !== 1) {
    throw new GlassbertError('E_BUNDLE', 'a signature is made with one method', {
      file,
      expected: `one of ${methods.join(', ')}`,
      found: there.join(' and ') || 'none',
    });
  }
  if (material.has('publicKey')) {
    const key = material.object('publicKey').only(['hint', 'rawBytes', 'keyDetails']);
    return {
      method: 'key',
      hint: key.has('hint') ? key.string('hint') : undefined,
      publicKey: key.has('rawBytes') ? base64(key, 'rawBytes') : undefined,
      keyDetails: key.has('keyDetails') ? key.string('keyDetails') : undefined,
    };
  }
  if (material.has('certificate')) {
    return { method: 'keyless', certificate: base64(material.object('certificate').only(['rawBytes']), 'rawBytes') };
  }
  const certificates = material.object('x509CertificateChain').only(['certificates']).array('certificates');
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES) {
    throw new GlassbertError('E_BUNDLE', 'the number of certificates is out of range', {
      file,
      expected: `1 to ${MAX_CERTIFICATES}`,
      found: `${certificates.length}`,
    });
  }
  return {
    method: 'certificate',
    certificates: certificates.map((certificate, i) =>
      base64(
        fields(certificate, file, `verificationMaterial.x509CertificateChain.certificates[${i}]`, 'E_BUNDLE').only([
          'rawBytes',
        ]),
        'rawBytes',
      ),
    ),
  };
}

function countWitnesses(material: Fields): { entries: number; timestamps: number } {
  const entries = material.array('tlogEntries', { default: [] }).length;
  if (!material.has('timestampVerificationData')) return { entries, timestamps: 0 };
  const timestamps = material.object('timestampVerificationData').only(['rfc3161Timestamps']);
  return { entries, timestamps: timestamps.array('rfc3161Timestamps', { default: [] }).length };
}

function base64(object: Fields, key: string): Uint8Array {
  const bytes = decodeBase64(object.string(key));
  if (bytes !== undefined) return bytes;
  throw new GlassbertError('E_BUNDLE', `"${key}" is not in base64`, {
    file: object.file,
    expected: 'the standard alphabet with padding, nothing else, and not nothing',
  });
}
