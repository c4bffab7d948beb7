/**
 * SHA256SUMS: a list of files with their SHA-256, in the form of GNU coreutils, so that `sha256sum -c` verifies it on any
 * host. Form: https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html
 *
 *   <64 hex digits><space><space, or * for "binary"><name>
 *   SHA256 (<name>) = <64 hex digits>                              the BSD form, read and not written
 *
 * A "\" before either says that "\\", "\n" and "\r" in the name are escapes. As `sha256sum -c` (9.1, tried) does it, a CR
 * before the end of a line belongs to the end (Windows), lines that begin with "#" are comments, and "./" before a name
 * means nothing. Unlike it, a line that is anything else refuses the whole list, and so do names that leave the directory
 * and names given twice: what one reader skips, another may understand.
 */
import { type ErrorDetails, GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { inOrder } from './digests.ts';
import { badName, MAX_RECORDED_FILES, type RecordedFile } from './record.ts';

/**
 * The text of the list, sorted by the bytes of the names.
 *
 * @throws E_ARGUMENT for digests that are not SHA-256
 */
export function formatSha256sums(files: Iterable<RecordedFile>): string {
  const lines = inOrder(files).map(({ name, algorithm, digest }) => {
    if (algorithm !== 'sha256') {
      throw new GlassbertError('E_ARGUMENT', 'this list holds SHA-256 alone', { found: algorithm });
    }
    const escaped = name.replace(/[\\\n\r]/g, character => ESCAPES[character]);
    return `${escaped === name ? '' : '\\'}${digest}  ${escaped}\n`;
  });
  return lines.join('');
}

/**
 * @param bytes - UTF-8
 * @param file - named in errors
 * @returns the files by name, in the order of the list
 * @throws E_MANIFEST with the line
 */
export function parseSha256sums(bytes: Uint8Array, file: string): Map<string, RecordedFile> {
  const files = new Map<string, RecordedFile>();
  let number = 0;
  for (const line of linesOf(decode(bytes, file))) {
    number++;
    if (line.startsWith('#')) continue;
    const refuse = (summary: string, details: LineProblem = {}) =>
      new GlassbertError('E_MANIFEST', `line ${number}: ${summary}`, { file, ...details });
    const { name, digest } = parseLine(line.endsWith('\r') ? line.slice(0, -1) : line, refuse);
    const bad = badName(name);
    if (bad !== undefined) {
      const hint = 'No list of a directory names files elsewhere. Do not trust it.';
      throw refuse(`this cannot be the name of a file in the directory: ${bad}`, { found: quote(name), hint });
    }
    if (files.has(name)) throw refuse('this name was given before', { found: quote(name) });
    if (files.size === MAX_RECORDED_FILES) throw refuse(`there are more than ${MAX_RECORDED_FILES} files`);
    files.set(name, { name, algorithm: 'sha256', digest });
  }
  if (files.size > 0) return files;
  throw new GlassbertError('E_MANIFEST', bytes.length === 0 ? 'the list is empty' : 'the list holds no file', {
    file,
    expected: FORM,
    hint: 'Nothing can be compared with it: what made it failed, or its copy did. Make it again where the model was tested.',
  });
}

type LineProblem = Pick<ErrorDetails, 'expected' | 'found' | 'hint'>;

const FORM = '64 hexadecimal digits, two spaces and a name';

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };

const HEX = /^[0-9a-fA-F]+$/;
const DIGITS = 64;

/** The name of an algorithm in the BSD form, such as "SHA512 (", or what coreutils writes before it. */
const TAG = /^([A-Za-z0-9/-]{1,20}) ?\(/;

/** One after the other: a list may be millions of line ends. */
function* linesOf(text: string): Generator<string> {
  for (let begin = 0; begin < text.length; ) {
    const end = text.indexOf('\n', begin);
    yield text.slice(begin, end < 0 ? undefined : end);
    begin = end < 0 ? text.length : end + 1;
  }
}

function parseLine(
  line: string,
  refuse: (summary: string, details?: LineProblem) => GlassbertError,
): { name: string; digest: string } {
  const escaped = line.startsWith('\\');
  const text = escaped ? line.slice(1) : line;
  const malformed = (): GlassbertError =>
    refuse('this is no checksum', {
      expected: FORM,
      found: quote(line),
      hint: text.startsWith('{')
        ? 'This is JSON. A signature is given as the signature (--signature), with the key of whoever signed.'
        : undefined,
    });
  const otherAlgorithm = (found: string): GlassbertError =>
    refuse('this is a checksum of another kind', {
      expected: 'SHA-256',
      found,
      hint: 'Make the list with `sha256sum` or `glassbert manifest`.',
    });

  let name: string;
  let digest: string;
  const tag = TAG.exec(text)?.[1];
  if (tag !== undefined) {
    const end = text.lastIndexOf(') = ');
    if (tag !== 'SHA256') throw otherAlgorithm(quote(tag));
    if (end < 0 || !text.startsWith('SHA256 (')) throw malformed();
    name = text.slice('SHA256 ('.length, end);
    digest = text.slice(end + ') = '.length);
  } else {
    const end = text.indexOf(' ');
    if (end < 0 || !(text[end + 1] === ' ' || text[end + 1] === '*')) throw malformed();
    name = text.slice(end + 2);
    digest = text.slice(0, end);
  }
  if (!HEX.test(digest)) throw malformed();
  if (digest.length !== DIGITS) throw otherAlgorithm(`${digest.length} digits`);
  if (escaped) name = unescapeName(name, malformed);
  return { name: name.startsWith('./') ? name.slice(2) : name, digest: digest.toLowerCase() };
}

function unescapeName(name: string, malformed: () => GlassbertError): string {
  return name.replace(/\\(.?)/gs, (_, character: string) => {
    if (character === '\\') return '\\';
    if (character === 'n') return '\n';
    if (character === 'r') return '\r';
    throw malformed();
  });
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.startsWith('\ufeff')) return text;
  } catch {
    // told below
  }
  throw new GlassbertError('E_MANIFEST', 'the list is not plain UTF-8', {
    file,
    hint: 'Save it as UTF-8 without a byte order mark; PowerShell writes UTF-16 where it is not told otherwise.',
  });
}
