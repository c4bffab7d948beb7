/**
 * Every error of this library is a GlassbertError: a stable code to program against, the file it is about, what was
 * expected and what was found, and a hint that says what to do.
 */

/** The stable codes, each with its cause. A code is never renamed and never reused. */
export const ERROR_CODES = {
  // What the caller passed
  E_ARGUMENT: 'An argument of a call has the wrong type or value.',
  E_INPUT: 'An input file or one of its lines cannot be read as text to embed.',
  E_OUTPUT: 'An output file cannot be written.',
  E_PROMPT_UNKNOWN: 'A prompt name is not among the prompts of the model.',
  // The directory
  E_DIRECTORY_MISSING: 'The model directory does not exist.',
  E_NOT_A_DIRECTORY: 'The path names a file where a model directory is expected.',
  E_FILE_MISSING: 'A file that the model needs is not in the directory.',
  E_FILE_TYPE: 'A path names something that is not a regular file (a directory, a pipe, a device).',
  E_FILE_TOO_LARGE: 'A file is larger than any genuine file of its kind.',
  E_FILE_READ: 'The operating system refused to read a file, or the file changed while it was read.',
  E_MEMORY: 'The model or a batch needs more memory than there is.',
  E_PATH_UNSAFE: 'A name written in a model file points outside the directory, or is not a plain name.',
  E_PICKLE_REFUSED: 'The only weights are a Python pickle, which is a program; it is never opened.',
  E_WEIGHTS_PLACEHOLDER:
    'A file stands where weights should be but holds something else (Git LFS pointer, HTML, a partial download).',
  // Formats
  E_JSON: 'A JSON file is malformed or ambiguous.',
  E_SAFETENSORS: 'A safetensors file breaks the format.',
  E_TENSOR_MISSING: 'Tensors that the architecture needs are not in the weights.',
  E_TENSOR_SHAPE: 'A tensor has another shape than the configuration says.',
  E_TENSOR_DTYPE: 'A tensor has a dtype that cannot be used where it stands.',
  E_TENSOR_VALUE: 'A tensor holds NaN or an infinity.',
  E_TENSOR_DUPLICATE: 'A tensor is present twice, or the shard index and the shards disagree.',
  // Trust
  E_MANIFEST: 'A list of checksums is malformed, or one name stands in it twice.',
  E_DIGEST: 'Files are not those that were recorded: changed, missing, added or renamed.',
  E_UNCOVERED: 'A file that would be loaded is not among those that were signed or recorded.',
  E_BUNDLE: 'A signature file breaks the format of OpenSSF Model Signing, or uses a part of it that is refused.',
  E_SIGNATURE: 'A signature was not made with the expected key, or not over this content.',
  E_CERTIFICATE: 'A certificate is malformed or may not sign, or leads to no trusted root.',
  E_KEY: 'A key cannot be used: malformed, of a kind that is refused, or encrypted with another passphrase.',
  E_DEPENDENCY: 'An optional package that was asked for is not installed.',
  // The model
  E_CONFIG: 'A configuration value is missing, of the wrong type or out of range.',
  E_ARCHITECTURE: 'The architecture is not one of those supported.',
  E_MODULE: 'modules.json names a module that is not supported, or the modules do not fit together.',
  E_THREAD: 'A thread ended before its texts were embedded.',
  E_TOKENIZER: 'The tokenizer files are unusable, or do not fit the embedding table.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** The file the error is about, as a path the user can open. */
  file?: string | undefined;
  expected?: string | undefined;
  found?: string | undefined;
  /** What to do about it. */
  hint?: string | undefined;
  cause?: unknown;
}

export class GlassbertError extends Error {
  override readonly name = 'GlassbertError';
  readonly code: ErrorCode;
  readonly file: string | undefined;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly hint: string | undefined;

  /**
   * @param code - one of ERROR_CODES
   * @param summary - one sentence, without file and hint; `message` is built from all parts:
   *   "model.safetensors: tensor "x" has the wrong shape: expected [384], found [385]"
   */
  constructor(code: ErrorCode, summary: string, details: ErrorDetails = {}) {
    const { file, expected, found, hint, cause } = details;
    let message = file === undefined ? summary : `${file}: ${summary}`;
    if (expected !== undefined) message += `: expected ${expected}`;
    if (found !== undefined) message += `${expected === undefined ? ':' : ','} found ${found}`;
    super(printable(message), cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file;
    this.expected = expected;
    this.found = found;
    this.hint = hint;
  }
}

/**
 * What is done about a problem. Loading throws the first one; who wants to know them all collects them, and the work goes on
 * with what is left.
 */
export type Refuse = (error: unknown) => void;

export const refuseFirst: Refuse = error => {
  throw error;
};

/** Longer messages are cut in the middle of nowhere: no genuine one comes near. */
const MAX_MESSAGE = 2000;

/**
 * Text that may hold words from a hostile file, as it may stand in a log or on a terminal: what is invisible there (controls,
 * terminal escapes, overrides of direction) as escapes, and not too much of it.
 */
export function printable(text: string): string {
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, c => `\\u{${(c.codePointAt(0) as number).toString(16)}}`);
}
