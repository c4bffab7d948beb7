/**
 * Signature files. Whatever the bytes: a bundle is read or refused, and so is the statement inside it, as if its signature
 * were good; names are such as a directory can hold, each once; and the signature is good for one payload alone, the one that
 * was signed, whatever was done to the file.
 */
import { createHash, createPublicKey } from 'node:crypto';
import { posix } from 'node:path';
import { parseBundle } from '../../src/trust/bundle.ts';
import { verifyPayload } from '../../src/trust/dsse.ts';
import { parseStatement } from '../../src/trust/statement.ts';
import type { Mutator } from '../mutator.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 8192;

// biome-ignore format: a table
export const dictionary = [
  '"mediaType":', '"application/vnd.dev.sigstore.bundle.v0.3+json"', '"verificationMaterial":', '"publicKey":', '"hint":', '"rawBytes":',
  '"keyDetails":', '"x509CertificateChain":', '"certificates":', '"certificate":', '"tlogEntries":', '[]', '{}', '"timestampVerificationData":',
  '"rfc3161Timestamps":', '"dsseEnvelope":', '"payload":', '"payloadType":', '"application/vnd.in-toto+json"', '"signatures":', '"sig":', '"keyid":',
  '"_type":', '"https://in-toto.io/Statement/v1"', '"subject":', '"name":', '"digest":', '"sha256":', '"predicateType":', '"predicate":',
  '"https://model_signing/signature/v1.0"', '"https://model_signing/Digests/v0.1"', '"serialization":', '"method":', '"files"', '"shards"',
  '"hash_type":', '"blake2b"', '"blake3"', '"md5"', '"allow_symlinks":', 'true', 'null', '"ignore_paths":', '"resources":', '"algorithm":', '"../x"',
  '"/etc"', '"."', '"a/./b"', '"a//b"', '"a\\\\b"', '"C:\\\\x"', '"config.json"', '=', '==', 'AA==', '\n', '-', '_', '!*', '\\u0061',
];

/** Made for corpus/bundle, whose private key was not kept; and what it signed. */
const PUBLIC_KEY = createPublicKey(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIEC3cUfD3BLWd08EoSU+fX8UHN+/
43UHtPAtOZzxWSfZOGm4ut92iiTdyDzBjlAq8+P5lyP5WWLGGeoBUv0ZEg==
-----END PUBLIC KEY-----
`);
const SIGNED = 'ecf2d165018dae50c844cb08990e08cf513450558928f440870bd7001f1d5442';

export function fuzz(data: Uint8Array): string {
  return outcome(['E_BUNDLE'], () => {
    const { material, payload, signature, witnesses } = parseBundle(data, 'model.sig');
    if (verifyPayload(payload, signature, PUBLIC_KEY)) {
      const digest = createHash('sha256').update(payload).digest('hex');
      claim(digest === SIGNED, 'a signature is good for a payload that was not signed');
    }
    const text = new TextDecoder().decode(data);
    claim(
      text.includes(Buffer.from(payload).toString('base64')) || text.includes('\\'),
      'the payload is not the one in the file',
    );
    const shape = `${material.method} ${magnitude(witnesses)}`;

    return outcome(['E_BUNDLE'], () => {
      const warnings: string[] = [];
      const { files, rootDigest, subject } = parseStatement(payload, 'model.sig', {}, ({ code }) =>
        warnings.push(code),
      );
      claim(/^sha256:[0-9a-f]{64}$/.test(rootDigest) && subject !== '', 'no root digest or no subject');
      const { predicate } = JSON.parse(new TextDecoder().decode(payload));
      claim(predicate.resources.length === files.length, 'a resource is lost');
      for (const { name, digest, algorithm } of files) {
        claim(
          posix.normalize(name) === name && !posix.isAbsolute(name) && !name.startsWith('../') && name !== '..',
          `the name ${name}`,
        );
        claim(
          /^[0-9a-f]+$/.test(digest) && digest.length === (algorithm === 'sha256' ? 64 : 128),
          `the digest ${digest}`,
        );
      }
      return `accepted ${shape} ${magnitude(files.length)} ${[...new Set(warnings)].sort()}`;
    });
  });
}

/** Changes what stands in base64; in a payload, mostly so that the digest of all files is right again. */
export function reshape(data: Uint8Array, other: Uint8Array, mutator: Mutator): Uint8Array {
  const [text, theirs] = [latin1(data), latin1(other)];
  const encoded = [...text.matchAll(BASE64)];
  const inside = [...theirs.matchAll(BASE64)];
  if (encoded.length === 0 || mutator.random.integer(3) === 0) return mutator.mutate(data, other);
  const { 0: all, 1: key = '', 2: base64 = '', index } = mutator.random.pick(encoded);
  const donor = inside.length === 0 ? '' : (mutator.random.pick(inside)[2] as string);
  const changed = mutator.mutate(Buffer.from(base64, 'base64'), Buffer.from(donor, 'base64'));
  const bytes = mutator.random.integer(4) === 0 ? changed : withRootDigest(changed);
  const value = `${key}"${Buffer.from(bytes).toString('base64')}"`;
  return Buffer.from(text.slice(0, index) + value + text.slice(index + all.length), 'latin1');
}

const BASE64 = /("(?:payload|sig|rawBytes)":\s*)"([A-Za-z0-9+/=]*)"/g;

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** The bytes with SHA-256 over the digests that stand behind "digest": as text, which is what the statement has to say. */
function withRootDigest(payload: Uint8Array): Uint8Array {
  const text = latin1(payload);
  const digests = [...text.matchAll(/"digest":\s*"([0-9a-fA-F]*)"/g)].map(([, digest]) => digest as string);
  const root = createHash('sha256')
    .update(Buffer.from(digests.join(''), 'hex'))
    .digest('hex');
  return Buffer.from(text.replace(/("sha256":\s*")[^"]*/, `$1${root}`), 'latin1');
}
