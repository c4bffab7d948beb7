/**
 * What lies where another file should be, told by its first bytes. Whoever reads a file of a model asks here: JSON,
 * vocabularies and records by way of RegularFile.readAll, weights by way of safetensors-header.ts.
 *
 * A pointer of Git LFS (https://github.com/git-lfs/git-lfs, docs/spec.md) is a text below 1,024 bytes:
 *
 *   version https://git-lfs.github.com/spec/v1
 *   oid sha256:<64 hexadecimal digits>
 *   size <bytes>
 */

export interface Foreign {
  /** Such as `a Git LFS pointer to 349 bytes`. */
  readonly what: string;
  readonly hint: string;
  /** Whether it only stands for the file, which is therefore not here. */
  readonly placeholder: boolean;
}

/** Enough of a file to say what it is. */
export const RECOGNIZED_BYTES = 256;

const MAX_POINTER_BYTES = 1023;

/** Fewer zeros may be anything. */
const MIN_ZEROS = 32;

/** @param start - the first RECOGNIZED_BYTES of a file, or all of it */
export function recognize(start: Uint8Array, size: number): Foreign | undefined {
  return recognizePlaceholder(start, size) ?? recognizeFormat(textOf(start));
}

/** What servers answer instead of a file, the hub of Hugging Face among them; programs save it under the file's name. */
const SERVER_MESSAGE =
  /^(entry|repository|revision|file|page)? ?not found|^invalid (username|credentials|rev)|^access (to|denied)|^unauthorized|^forbidden|^\{"error" ?:/i;

/**
 * What stands for a file that is not here: nothing at all, a pointer, a web page, a link that was copied as text.
 *
 * @param start - the first RECOGNIZED_BYTES of a file, or all of it
 */
export function recognizePlaceholder(start: Uint8Array, size: number): Foreign | undefined {
  const again = 'Copy or download it again.';
  if (size === 0) return { what: 'an empty file', hint: again, placeholder: true };
  if (start.length >= MIN_ZEROS && start.every(byte => byte === 0))
    return {
      what: 'nothing but zeros, as a download leaves that only reserved its room',
      hint: again,
      placeholder: true,
    };

  const text = textOf(start).replace(/^ï»¿/, '');
  if (size <= MAX_POINTER_BYTES && /^version https:\/\/(git-lfs|hawser)\.github\.com\/spec\//.test(text)) {
    const oid = /^oid sha256:([0-9a-f]{64})\r?$/m.exec(text)?.[1];
    const bytes = /^size ([0-9]{1,15})\r?$/m.exec(text)?.[1];
    const stated = bytes === undefined ? '' : ` to ${Number(bytes).toLocaleString('en-US')} bytes`;
    return {
      what: `a Git LFS pointer${stated}${oid === undefined ? '' : ` with SHA-256 ${oid}`}`,
      hint: 'Run "git lfs pull" where the repository was cloned, then copy the directory again.',
      placeholder: true,
    };
  }
  if (/^\s*<(!doctype html|html|\?xml|!--)/i.test(text)) {
    return {
      what: 'a web page',
      hint: 'A login or error page was saved instead of the file: download it again.',
      placeholder: true,
    };
  }
  if (size <= MAX_POINTER_BYTES && SERVER_MESSAGE.test(text.trimStart())) {
    return {
      what: 'the error message of a server',
      hint: 'It was saved instead of the file: download it again, signed in where the model asks for it.',
      placeholder: true,
    };
  }
  if (size < RECOGNIZED_BYTES && /^(\.\.\/)+blobs\/[0-9a-f]{40,64}\s*$/.test(text)) {
    return {
      what: 'a link that was copied as text',
      hint: 'The cache of the hub holds links: copy what they lead to (cp -rL), or download to a directory (hf download --local-dir).',
      placeholder: true,
    };
  }
  return undefined;
}

/** Other formats of weights and archives. */
function recognizeFormat(text: string): Foreign | undefined {
  const format = (what: string, hint: string): Foreign => ({ what, hint, placeholder: false });
  const convert = 'Save the model again on a machine you trust: model.save_pretrained(path, safe_serialization=True).';
  if (text.startsWith('PK')) return format('a ZIP archive, as PyTorch writes (.bin, .pt)', convert);
  if (text.startsWith('\x80') && text.charCodeAt(1) <= 5) return format('a Python pickle', convert);
  if (text.startsWith('GGUF')) return format('a GGUF file', 'Use the safetensors file of the original model.');
  if (text.startsWith('\x1f\x8b')) return format('a gzip archive', 'Unpack it with gunzip.');
  return undefined;
}

/** One character for each byte. */
function textOf(start: Uint8Array): string {
  return String.fromCharCode(...start.subarray(0, RECOGNIZED_BYTES));
}
