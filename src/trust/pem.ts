/**
 * PEM (RFC 7468): bytes in base64 between two lines that say what they are. Text between the blocks is passed over, as it
 * often stands in files that `openssl x509 -text` wrote.
 */
import { type ErrorCode, GlassbertError } from '../errors.ts';

/**
 * The content of every block with this label.
 *
 * @param label - 'CERTIFICATE'
 * @param code - of the error for a file without such a block, or with a broken one
 */
export function decodePem(pem: string, label: string, code: ErrorCode, file?: string): Uint8Array[] {
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  const refuse = (summary: string, found?: string, hint?: string): GlassbertError =>
    new GlassbertError(code, summary, { file, expected: begin, found, hint });

  const blocks: Uint8Array[] = [];
  for (let start = pem.indexOf(begin); start >= 0; start = pem.indexOf(begin, start + 1)) {
    const stop = pem.indexOf(end, start);
    const bytes = stop < 0 ? undefined : decodeBase64(pem.slice(start + begin.length, stop).replace(/[ \t\r\n]/g, ''));
    if (bytes === undefined) throw refuse('a PEM block is broken');
    blocks.push(bytes);
  }
  if (blocks.length === 0) throw refuse('this is not the PEM file that is needed', ...foundInstead(pem));
  return blocks;
}

/** What the first block says it is, and what a block of that kind is for. */
export function foundInstead(pem: string): [found: string, hint: string] {
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem)?.[1];
  if (label === undefined) return ['no PEM', NO_PEM];
  const kind = [...USES.keys()].find(kind => label.endsWith(kind));
  return [`-----BEGIN ${label}-----`, USES.get(kind ?? '') ?? NO_PEM];
}

const NO_PEM = 'Give the file in PEM, which has that line; in a program the text of it, not its path.';

/** By the end of the label; the first that fits. */
const USES: ReadonlyMap<string, string> = new Map([
  ['OPENSSH PRIVATE KEY', 'This is a key in the form of OpenSSH: `ssh-keygen -p -m PKCS8 -f FILE` writes it in PEM.'],
  [
    'PRIVATE KEY',
    'This is a private key: it signs, and should be nowhere else. `openssl pkey -in FILE -pubout` gives its public key.',
  ],
  [
    'RSA PUBLIC KEY',
    'This is a key of RSA, which signs no models: they are signed with a key on P-256, P-384 or P-521.',
  ],
  ['PUBLIC KEY', 'This is a public key: what it signed is verified with it (publicKey, --public-key).'],
  [
    'CERTIFICATE',
    'This is a certificate: a root is for certificateRoots (--certificate-root). `openssl x509 -in FILE -noout -pubkey` gives its public key.',
  ],
]);

/**
 * Standard base64 (RFC 4648 section 4) with its padding and nothing else: Buffer skips what it does not know, so that one
 * text would stand for many. undefined for anything else, and for the empty text.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
