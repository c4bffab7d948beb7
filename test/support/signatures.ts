/** A signed statement, and whatever can be made of it by editing: for tests that must not trust what they read. */
import { sign } from 'node:crypto';
import { fingerprint } from '../../src/trust/keys.ts';
import { GIT_NAMES, type RecordedFile } from '../../src/trust/record.ts';
import { createSigner, signStatement } from '../../src/trust/signature.ts';
import { ecKeys, type KeyPair, publicPem } from './x509.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape is edited in tests
export type Editable = any;

export const file = (name: string, digit: string): RecordedFile => ({
  name,
  algorithm: 'sha256',
  digest: digit.repeat(64),
});
export const FILES = [file('config.json', '1'), file('model.safetensors', '2'), file('1_Pooling/config.json', '3')];
export const IGNORED = [...GIT_NAMES, 'model.sig'];

export const KEYS: KeyPair = ecKeys();
export const POLICY = { publicKey: publicPem(KEYS) };
export const SIGNER = createSigner({ text: privatePem(KEYS) });

/** A good signature, made by the library. */
export const GOOD: Uint8Array = signStatement(FILES, 'm', IGNORED, SIGNER);

export function privatePem({ privateKey }: KeyPair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The good one with its text edited. */
export function withText(change: (text: string) => string): Uint8Array {
  return Buffer.from(change(Buffer.from(GOOD).toString()));
}

/** The good one with its JSON edited; the payload and its signature stay. */
export function withBundle(change: (bundle: Editable) => void): Uint8Array {
  return withText(text => {
    const bundle = JSON.parse(text);
    change(bundle);
    return JSON.stringify(bundle);
  });
}

/** The payload of the good one. */
export const PAYLOAD: string = Buffer.from(
  JSON.parse(Buffer.from(GOOD).toString()).dsseEnvelope.payload,
  'base64',
).toString();

/** Any payload, signed as a signer with bad intentions could: independent of the library's own signing. */
export function signedAs(payload: string, by: KeyPair = KEYS, hash = 'sha256'): Uint8Array {
  const bytes = Buffer.from(payload);
  return withBundle(bundle => {
    bundle.verificationMaterial = { publicKey: { hint: fingerprint(by.publicKey) } };
    bundle.dsseEnvelope.payload = bytes.toString('base64');
    bundle.dsseEnvelope.signatures[0].sig = sign(hash, preAuthEncoding(payload), by.privateKey).toString('base64');
  });
}

/** What is signed in place of a payload, written out. */
export function preAuthEncoding(payload: string): Uint8Array {
  return Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${Buffer.byteLength(payload)} ${payload}`);
}

/** The statement edited, then signed. */
export function withStatement(change: (statement: Editable) => void): Uint8Array {
  const statement = JSON.parse(PAYLOAD);
  change(statement);
  return signedAs(JSON.stringify(statement));
}
