import type { FileRecord } from './record.ts';
export type SignaturePolicy =
  | { readonly publicKey: string }
  | { readonly certificateRoots: string; readonly at?: 'signing' | 'now' }
  | { readonly trustedRoot: string; readonly identity: string; readonly issuer: string };
export interface SignedStatement {
  readonly record: FileRecord;
  readonly rootDigest: string;
  readonly subject: string;
  readonly signer: string;
  readonly warnings: readonly { code: string; message: string }[];
}
export async function verifyBundle(
  _bytes: Uint8Array,
  _file: string,
  _policy: SignaturePolicy,
  _options?: { allowSymlinks?: boolean; ignorePaths?: readonly string[] },
): Promise<SignedStatement> {
  throw new Error('stub');
}
