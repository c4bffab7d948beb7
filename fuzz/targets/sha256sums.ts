/**
 * Lists of checksums. What is accepted names files that a directory can hold, each once; and written as this library writes
 * lists it says the same.
 */
import { posix } from 'node:path';
import { formatSha256sums, parseSha256sums } from '../../src/trust/sha256sums.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 4096;

const DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

// biome-ignore format: a table
export const dictionary = [
  DIGEST, DIGEST.toUpperCase(), `${DIGEST}  `, `${DIGEST} *`, `SHA256 (x) = ${DIGEST}\n`, 'SHA256 (', 'SHA512 (', ') = ', '\n', '\r\n', '\r', '\\', '\\\\', '\\n', '\\r', '\\x',
  '#', './', '../', '/', '//', '.', '..', '/etc/passwd', 'C:\\x', '\\\\host\\x', '\0', '\ufeff', 'e\u0301', ' ', '  ', '*', 'a'.repeat(64), '(', ')', '\x1b[31m',
];

export function fuzz(data: Uint8Array): string {
  return outcome(['E_MANIFEST'], () => {
    const files = parseSha256sums(data, 'SHA256SUMS');
    for (const [name, file] of files) {
      claim(file.name === name && /^[0-9a-f]{64}$/.test(file.digest), `the digest of ${name}`);
      claim(posix.normalize(name) === name && !posix.isAbsolute(name), `the name ${name}`);
      claim(name !== '' && name !== '..' && !name.startsWith('../') && !name.includes('\0'), `the name ${name}`);
    }
    const written = formatSha256sums(files.values());
    const again = parseSha256sums(Buffer.from(written), 'SHA256SUMS');
    claim(again.size === files.size, 'written, it holds another number of files');
    for (const [name, { digest }] of files) claim(again.get(name)?.digest === digest, `written, ${name} is another`);
    claim(formatSha256sums(again.values()) === written, 'written twice, it is another');
    return `accepted ${magnitude(files.size)} ${written.includes('\\')}`;
  });
}
