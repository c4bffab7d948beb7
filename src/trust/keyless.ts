/**
 * Keyless signatures: the signer proved who they are to Sigstore, which issued a certificate for some minutes and keeps the
 * signature in a public log. Verified offline, with a file of Sigstore's keys (`trusted_root.json`) that came with the tool
 * or by another way.
 *
 * Certificate transparency, the inclusion in the log, timestamps and the chain at the time they give are the business of
 * the package @sigstore/verify, the maintainers' own. It is an optional peer dependency, loaded here and only when a keyless
 * signature is verified. Who signed is compared here: the package takes the expected identity for a regular expression.
 *
 * The bytes of payload, certificate and signature are as fixed as with the other methods. Of the log entries and timestamps
 * the package passes over some that are not signed (unknown fields, the last bits of base64, copies of certificates in a
 * timestamp): the file can be written in several ways there, none of which changes what was signed or by whom.
 */
import { GlassbertError } from '../errors.ts';
import { parseJson, quote } from '../io/json.ts';
import type { Bundle } from './bundle.ts';
import { parseCertificate } from './certificate.ts';
import { checkSigner } from './chain.ts';

export interface KeylessPolicy {
  /** The text of trusted_root.json. */
  readonly trustedRoot: string;
  /** Exactly as in the certificate: an e-mail address, or the URI of a workflow. */
  readonly identity: string;
  /** Who vouched for the identity: https://accounts.google.com */
  readonly issuer: string;
}

/** @throws E_DEPENDENCY, E_CERTIFICATE, E_SIGNATURE */
export async function verifyKeyless(
  bundle: Bundle,
  certificate: Uint8Array,
  { trustedRoot, identity, issuer }: KeylessPolicy,
  file: string,
): Promise<void> {
  const { Verifier, bundleFromJSON, toSignedEntity, toTrustMaterial, TrustedRoot } = await loadSigstore();

  // What the certificate is for is not looked at by the package.
  const leaf = parseCertificate(certificate, file);
  checkSigner(leaf, leaf.notBefore, file);

  const root = attempt('E_CERTIFICATE', 'the trusted root cannot be read', undefined, () =>
    toTrustMaterial(TrustedRoot.fromJSON(parseJson(trustedRoot, 'the trusted root'))),
  );
  const { identity: signer } = attempt('E_SIGNATURE', 'the keyless signature is not valid', file, () =>
    new Verifier(root).verify(toSignedEntity(bundleFromJSON(bundle.json))),
  );
  const [foundIdentity, foundIssuer] = [signer?.subjectAlternativeName, signer?.extensions?.issuer];
  if (foundIdentity === identity && foundIssuer === issuer) return;
  throw new GlassbertError('E_SIGNATURE', 'somebody else signed', {
    file,
    expected: `${quote(identity)} by ${quote(issuer)}`,
    found: `${quote(foundIdentity ?? '')} by ${quote(foundIssuer ?? '')}`,
  });
}

async function loadSigstore() {
  try {
    // Written so that bundlers leave what is not installed to the time when it is asked for: esbuild where an import that is
    // awaited stands in `try`, webpack and Next where they are told, the others anyway.
    const verify = await import(/* webpackIgnore: true */ '@sigstore/verify');
    const { bundleFromJSON } = await import(/* webpackIgnore: true */ '@sigstore/bundle');
    const { TrustedRoot } = await import(/* webpackIgnore: true */ '@sigstore/protobuf-specs');
    return { ...verify, bundleFromJSON, TrustedRoot };
  } catch (cause) {
    throw new GlassbertError('E_DEPENDENCY', 'keyless signatures need the package @sigstore/verify', {
      hint: 'npm install @sigstore/verify@3.1.1 (it brings @sigstore/bundle and @sigstore/protobuf-specs)',
      cause,
    });
  }
}

/** The package throws errors of its own, and on some malformed input those of the language. */
function attempt<Result>(
  code: 'E_CERTIFICATE' | 'E_SIGNATURE',
  summary: string,
  file: string | undefined,
  act: () => Result,
): Result {
  try {
    return act();
  } catch (cause) {
    throw new GlassbertError(code, summary, { file, found: cause instanceof Error ? cause.message : undefined, cause });
  }
}
