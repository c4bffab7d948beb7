/**
 * From a certificate that signed a model to a root that the caller trusts: path validation after RFC 5280 section 6, as
 * far as signing models needs it and strict where it is simple.
 *
 * Every issuer on the way: signed the one below it with SHA-2 and a key of at least 2,048 bits (RSA) or on a NIST curve; has
 * the very bytes of the issuer's name as its subject; is an authority (cA) that may sign certificates; allows as many
 * authorities below it as there are; is valid at the time asked about; may sign code, where it restricts what its
 * certificates are for; and has no critical extension that is not understood here, nor name constraints, which are not
 * evaluated. The way ends at a self-signed certificate among the given roots and nowhere else: no system store, no partial
 * chain. There is no revocation: it needs a network.
 *
 * Whether a certificate is self-signed its signature tells, not its names: in the reference implementation's own test
 * data the signing certificate has the name of its issuer.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { type Certificate, equal } from './certificate.ts';
import { curveOf, describeKey } from './keys.ts';

/** Leaf and root included. The longest in use have four. */
const MAX_CHAIN = 8;

/**
 * How many signatures are checked at most, as in Go's crypto/x509: certificates that all bear one name could otherwise ask
 * for as many as there are orders of them.
 */
const MAX_SIGNATURE_CHECKS = 100;

const MIN_RSA_BITS = 2048; // NIST SP 800-131A

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_USAGE = '2.5.29.37.0';

/** RFC 8017 appendix C, RFC 5758 section 3.2. */
const ALGORITHMS: Readonly<Record<string, { readonly type: 'rsa' | 'ec'; readonly hash: string }>> = {
  '1.2.840.113549.1.1.11': { type: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { type: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { type: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { type: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { type: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { type: 'ec', hash: 'sha512' },
};

/** The refused ones that certificates still have, to be named in errors. */
const REFUSED_ALGORITHMS: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'MD5 with RSA',
  '1.2.840.113549.1.1.5': 'SHA-1 with RSA',
  '1.2.840.113549.1.1.10': 'RSASSA-PSS',
  '1.2.840.10045.4.1': 'SHA-1 with ECDSA',
  '1.3.101.112': 'Ed25519',
};

/**
 * @param others - untrusted certificates that may be part of the chain, in any order
 * @param trusted - those that are self-signed are roots, the rest is as good as untrusted
 * @param at - when all of them must have been valid
 * @returns the chain from the leaf to the root
 * @throws E_CERTIFICATE
 */
export function verifyChain(
  leaf: Certificate,
  others: readonly Certificate[],
  trusted: readonly Certificate[],
  at: Date,
  file: string,
): readonly Certificate[] {
  checkSigner(leaf, at, file);
  const search = new Search(others, trusted, at, file);
  const chain = search.from([leaf]);
  if (chain !== undefined) return chain;
  throw (
    search.refusal ??
    new GlassbertError('E_CERTIFICATE', `the certificate ${quote(leaf.name)} leads to none of the trusted roots`, {
      file,
      expected: trusted
        .map(({ name }) => quote(name))
        .slice(0, 3)
        .join(' or '),
      hint: 'A root is the self-signed certificate at the end of a chain; an intermediate one alone is no root.',
    })
  );
}

/**
 * That a certificate may sign models: KeyUsage allows signatures and, where it is restricted at all, ExtendedKeyUsage
 * allows signing code. Without KeyUsage, ExtendedKeyUsage must.
 *
 * @returns its key
 */
export function checkSigner(leaf: Certificate, at: Date, file: string): KeyObject {
  checkCertificate(leaf, at, file);
  const mayCode = leaf.extendedKeyUsage?.some(isCodeSigning);
  const may = leaf.keyUsage === undefined ? mayCode === true : leaf.keyUsage.digitalSignature && mayCode !== false;
  if (!may) {
    throw refuse(leaf, 'may not sign', file, {
      expected: 'KeyUsage digitalSignature, and codeSigning where ExtendedKeyUsage is restricted',
    });
  }
  const key = keyOf(leaf, file);
  if (curveOf(key) !== undefined) return key;
  throw refuse(leaf, 'has a key of a kind that does not sign models', file, {
    expected: 'an elliptic curve key on P-256, P-384 or P-521',
    found: describeKey(key),
  });
}

/** The certificates that lead up from the leaf, in order, without the root; for a signature that is about to be made. */
export function orderChain(leaf: Certificate, others: readonly Certificate[], at: Date, file: string): Certificate[] {
  const chain = [leaf];
  const left = others.filter(other => !equal(other.der, leaf.der));
  for (;;) {
    const below = chain[chain.length - 1];
    const next = left.findIndex(other => equal(other.subject, below.issuer) && isSignedBy(below, other, file));
    if (next < 0 || chain.length === MAX_CHAIN) break;
    const [issuer] = left.splice(next, 1);
    checkIssuer(issuer, chain, at, file);
    if (isSignedBy(issuer, issuer, file)) break;
    chain.push(issuer);
  }
  if (left.length > 0) throw refuse(left[0], 'is no part of the chain of the signing certificate', file);
  return chain;
}

// ---------------------------------------------------------------------------------------------------------------------

/** A search in depth: a certificate may have been issued by several that bear the issuer's name (cross-signing). */
class Search {
  /** Why the first way that looked possible was none. */
  refusal: GlassbertError | undefined;
  private readonly candidates: readonly Certificate[];
  private readonly trusted: readonly Certificate[];
  private readonly at: Date;
  private readonly file: string;
  private checks = 0;

  constructor(others: readonly Certificate[], trusted: readonly Certificate[], at: Date, file: string) {
    // Roots first, so that the shortest way is found.
    this.candidates = [...trusted, ...others];
    this.trusted = trusted;
    this.at = at;
    this.file = file;
  }

  /** @param chain - from the leaf up to the certificate whose issuer is looked for */
  from(chain: readonly Certificate[]): readonly Certificate[] | undefined {
    const last = chain[chain.length - 1];
    if (this.isRoot(last)) return chain;
    for (const issuer of this.candidates) {
      if (!equal(issuer.subject, last.issuer) || chain.some(({ der }) => equal(der, issuer.der))) continue;
      const longer = this.extend(chain, issuer);
      const found = longer && this.from(longer);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private extend(chain: readonly Certificate[], issuer: Certificate): readonly Certificate[] | undefined {
    try {
      if (chain.length === MAX_CHAIN) throw refuse(chain[0], `has a chain of more than ${MAX_CHAIN}`, this.file);
      checkIssuer(issuer, chain, this.at, this.file);
      this.count();
      checkSignature(chain[chain.length - 1], issuer, this.file);
      return [...chain, issuer];
    } catch (error) {
      if (!(error instanceof GlassbertError) || this.checks > MAX_SIGNATURE_CHECKS) throw error;
      this.refusal ??= error;
      return undefined;
    }
  }

  private isRoot(certificate: Certificate): boolean {
    if (!equal(certificate.subject, certificate.issuer)) return false;
    if (!this.trusted.some(({ der }) => equal(der, certificate.der))) return false;
    this.count();
    return isSignedBy(certificate, certificate, this.file);
  }

  private count(): void {
    if (++this.checks <= MAX_SIGNATURE_CHECKS) return;
    throw new GlassbertError('E_CERTIFICATE', 'the certificates can be put together in too many ways', {
      file: this.file,
      expected: `at most ${MAX_SIGNATURE_CHECKS} signatures to check`,
    });
  }
}

/** @param below - the chain from the leaf up to the certificate that this one is said to have issued */
function checkIssuer(issuer: Certificate, below: readonly Certificate[], at: Date, file: string): void {
  checkCertificate(issuer, at, file);
  if (!issuer.isAuthority) throw refuse(issuer, 'is no authority, but issued another one', file);
  if (issuer.keyUsage?.keyCertSign !== true) throw refuse(issuer, 'may not sign certificates', file);
  if (issuer.extendedKeyUsage?.some(isCodeSigning) === false) {
    throw refuse(issuer, 'may not issue certificates that sign code', file);
  }
  // Authorities that issue themselves a new certificate do not count (RFC 5280 6.1.4 l).
  const authorities = below.slice(1).filter(({ subject, issuer }) => !equal(subject, issuer)).length;
  if (issuer.pathLength !== undefined && authorities > issuer.pathLength) {
    throw refuse(issuer, 'has more authorities below it than it allows', file, {
      expected: `at most ${issuer.pathLength}`,
      found: `${authorities}`,
    });
  }
}

function checkCertificate(certificate: Certificate, at: Date, file: string): void {
  const { notBefore, notAfter, unheeded } = certificate;
  if (at < notBefore || at > notAfter) {
    throw refuse(certificate, 'was not valid at the time that counts', file, {
      expected: `${notBefore.toISOString()} to ${notAfter.toISOString()}`,
      found: at.toISOString(),
    });
  }
  if (unheeded.length > 0) {
    throw refuse(certificate, 'has an extension that cannot be ignored and is not understood here', file, {
      found: unheeded[0],
    });
  }
}

function isSignedBy(certificate: Certificate, issuer: Certificate, file: string): boolean {
  try {
    checkSignature(certificate, issuer, file);
    return true;
  } catch {
    return false;
  }
}

function checkSignature(certificate: Certificate, issuer: Certificate, file: string): void {
  const { signatureOid, signed, signature } = certificate;
  const algorithm = ALGORITHMS[signatureOid];
  if (algorithm === undefined) {
    throw refuse(certificate, 'is signed with an algorithm that is refused', file, {
      expected: 'SHA-256, SHA-384 or SHA-512 with RSA (PKCS #1) or ECDSA',
      found: REFUSED_ALGORITHMS[signatureOid] ?? signatureOid,
    });
  }
  const key = keyOf(issuer, file);
  const strong = curveOf(key) !== undefined || (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
  if (!strong || key.asymmetricKeyType !== algorithm.type) {
    throw refuse(issuer, 'has a key that is too weak, or of another kind than it signed with', file, {
      expected: `RSA of at least ${MIN_RSA_BITS} bits, or P-256, P-384 or P-521`,
      found: describeKey(key),
    });
  }
  if (!verify(algorithm.hash, signed, key, signature)) {
    throw refuse(certificate, `was not signed by ${quote(issuer.name)}`, file);
  }
}

function keyOf(certificate: Certificate, file: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(certificate.spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw refuse(certificate, 'has a key that cannot be read', file, { cause });
  }
}

function isCodeSigning(usage: string): boolean {
  return usage === CODE_SIGNING || usage === ANY_USAGE;
}

function refuse(
  { name }: Certificate,
  what: string,
  file: string,
  details: { expected?: string; found?: string | undefined; cause?: unknown } = {},
): GlassbertError {
  return new GlassbertError('E_CERTIFICATE', `the certificate ${quote(name)} ${what}`, { file, ...details });
}
