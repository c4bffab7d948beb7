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
  const refuse = (summary: string, found?: string): GlassbertError =>
    new GlassbertError(code, summary, { file, expected: begin, found });

  const blocks: Uint8Array[] = [];
  for (let start = pem.indexOf(begin); start >= 0; start = pem.indexOf(begin, start + 1)) {
    const stop = pem.indexOf(end, start);
    const bytes = stop < 0 ? undefined : decodeBase64(pem.slice(start + begin.length, stop).replace(/[ \t\r\n]/g, ''));
    if (bytes === undefined) throw refuse('a PEM block is broken');
    blocks.push(bytes);
  }
  if (blocks.length === 0) throw refuse('this is not the PEM file that is needed', labelOf(pem));
  return blocks;
}

/** What the first block says it is. */
function labelOf(pem: string): string {
  const start = pem.indexOf('-----BEGIN ');
  return start < 0 ? 'no PEM' : pem.slice(start, pem.indexOf('-----', start + 5) + 5).slice(0, 60);
}

/**
 * Standard base64 (RFC 4648 section 4) with its padding and nothing else: Buffer skips what it does not know, so that one
 * text would stand for many. undefined for anything else, and for the empty text.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
