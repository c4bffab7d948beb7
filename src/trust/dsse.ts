/**
 * The signature of a DSSE envelope: ECDSA over the payload and its type, encoded so that neither can be taken for a part of
 * the other (PAE, secure-systems-lab/dsse, protocol.md, version 1.0). The curve decides the hash.
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import { type Curve, curveOf } from './keys.ts';

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** @param key - on one of the three curves, as keys.ts lets pass; the signature is the SEQUENCE { r, s } in DER */
export function signPayload(payload: Uint8Array, key: KeyObject): Uint8Array {
  return sign(hashOf(key), preAuthEncoding(payload), key);
}

export function verifyPayload(payload: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  return verify(hashOf(key), preAuthEncoding(payload), key, signature);
}

/** "DSSEv1 28 application/vnd.in-toto+json 1234 " and the payload, lengths in bytes. */
function preAuthEncoding(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]);
}

function hashOf(key: KeyObject): string {
  return (curveOf(key) as Curve).hash;
}
