/**
 * Every error of this library is a GlassbertError: a stable code to program against, the file it is about, what was
 * expected and what was found, and a hint that says what to do.
 */

/**
 * The stable codes, each with its cause and what to do about it; docs/errors.md is made of this table. A code is never renamed
 * and never reused. An error's own `hint`, where it has one, knows more.
 */
// biome-ignore format: a table
export const ERROR_CODES = {
  // What the caller passed
  E_ARGUMENT: {
    cause: 'An argument of a call has the wrong type or value.',
    fix: 'Pass one of the values that the message expects.' },
  E_INPUT: {
    cause: 'An input file or one of its lines cannot be read as text to embed.',
    fix: 'Correct the line that the message names, or state the format with --input-format.' },
  E_OUTPUT: {
    cause: 'An output file cannot be written, or would replace a file of another kind.',
    fix: 'Name a new file in a directory that exists and may be written to.' },
  E_DISPOSED: {
    cause: 'The encoder was disposed of before or during the call.',
    fix: 'Call dispose when nothing needs the encoder any more, or load the model again.' },
  E_DISK_FULL: {
    cause: 'The disk, or the quota on it, has no room for the output.',
    fix: 'Make room, or write to another disk. `--format npy` takes a third of the room of JSON lines.' },
  E_PROMPT_UNKNOWN: {
    cause: 'A prompt name is not among the prompts of the model.',
    fix: 'Take one of the names in the message, or give the text itself as `prompt`.' },
  // The directory
  E_DIRECTORY_MISSING: {
    cause: 'The model directory does not exist.',
    fix: 'Give the path of a directory on this disk. Names are never looked up and nothing is downloaded.' },
  E_NOT_A_DIRECTORY: {
    cause: 'The path names a file where a model directory is expected.',
    fix: 'Give the directory that the file lies in.' },
  E_FILE_MISSING: {
    cause: 'A file that the model needs is not in the directory, or only something that stands for it (a Git LFS pointer, a web page).',
    fix: 'Copy the whole model directory, with its subdirectories; `glassbert check` lists all that is missing.' },
  E_FILE_TYPE: {
    cause: 'A path names something that is not a regular file (a directory, a pipe, a device).',
    fix: 'Put the file itself in its place.' },
  E_FILE_TOO_LARGE: {
    cause: 'A file is larger than any genuine file of its kind.',
    fix: 'Copy the file again from where the model was published. If it is genuine, report it.' },
  E_FILE_READ: {
    cause: 'The operating system refused to read a file, or the file changed while it was read.',
    fix: 'Check who may read it and the disk; wait until a copy or download has ended, then load again.' },
  E_MEMORY: {
    cause: 'The model or a batch needs more memory than there is.',
    fix: 'Use a smaller batchSize or fewer threads, or a machine with more memory.' },
  E_PATH_UNSAFE: {
    cause: 'A name written in a model file points outside the directory, or is not a plain name.',
    fix: 'No genuine model does this: do not trust the directory. Links out of it: put the files themselves in their place.' },
  E_PICKLE_REFUSED: {
    cause: 'The only weights are a Python pickle, which is a program; it is never opened.',
    fix: 'Where you trust it, save the model again in Python, which writes model.safetensors.' },
  E_WEIGHTS_PLACEHOLDER: {
    cause: 'A file stands where weights should be but holds something else (Git LFS pointer, HTML, a partial download).',
    fix: 'Run `git lfs pull`, or download the file again until it is complete.' },
  // Formats
  E_JSON: {
    cause: 'A JSON file is malformed or ambiguous.',
    fix: 'Correct it at the line and column of the message: UTF-8, every key once, no comments, no NaN.' },
  E_SAFETENSORS: {
    cause: 'A safetensors file breaks the format.',
    fix: 'Copy or download it again; if that does not help, save the model again with the safetensors library.' },
  E_TENSOR_MISSING: {
    cause: 'Tensors that the architecture needs are not in the weights.',
    fix: 'The weights are of another model or were not saved whole: copy configuration and weights together.' },
  E_TENSOR_SHAPE: {
    cause: 'A tensor has another shape than the configuration says.',
    fix: 'config.json and the weights are not of the same model: copy them together.' },
  E_TENSOR_DTYPE: {
    cause: 'A tensor has a dtype that cannot be used where it stands.',
    fix: 'Save the weights as F64, F32, F16 or BF16. Quantized checkpoints are not supported.' },
  E_TENSOR_VALUE: {
    cause: 'A tensor holds NaN or an infinity.',
    fix: 'The file is damaged or the training diverged: compare its checksum with the publisher\'s.' },
  E_TENSOR_DUPLICATE: {
    cause: 'A tensor is present twice, or the shard index and the shards disagree.',
    fix: 'Index and shards are of different models or versions: copy them again, together.' },
  // Trust
  E_MANIFEST: {
    cause: 'A list of checksums is malformed, or one name stands in it twice.',
    fix: 'Make it again with `glassbert manifest` or `sha256sum` where the model was tested.' },
  E_DIGEST: {
    cause: 'Files are not those that were recorded: changed, missing, added or renamed.',
    fix: 'Do not use the directory: bring it over again, or find out who changed it.' },
  E_UNCOVERED: {
    cause: 'A file that would be loaded is not among those that were signed or recorded.',
    fix: 'Take the file away, or have the whole directory recorded or signed again.' },
  E_BUNDLE: {
    cause: 'A signature file breaks the format of OpenSSF Model Signing, or uses a part of it that is refused.',
    fix: 'Have the model signed again with `glassbert sign` or model_signing 1.0 or later.' },
  E_SIGNATURE: {
    cause: 'A signature was not made with the expected key, or not over this content.',
    fix: 'Make sure that this is the key of the signer; if it is, do not use the directory.' },
  E_CERTIFICATE: {
    cause: 'A certificate is malformed or may not sign, or leads to no trusted root.',
    fix: 'Give the root that the signer names, self-signed, in PEM.' },
  E_KEY: {
    cause: 'A key cannot be used: malformed, of a kind that is refused, or encrypted with another passphrase.',
    fix: 'Use an elliptic curve key on P-256, P-384 or P-521, in PEM.' },
  E_DEPENDENCY: {
    cause: 'An optional package that was asked for is not installed.',
    fix: 'Install the package that the message names, in the version it names.' },
  // The model
  E_CONFIG: {
    cause: 'A configuration value is missing, of the wrong type or out of range.',
    fix: 'Compare the file with the one that was published; the message names the key and what is expected.' },
  E_ARCHITECTURE: {
    cause: 'The architecture is not one of those supported.',
    fix: 'Use a BERT or DPR model; the README lists what is supported.' },
  E_MODULE: {
    cause: 'modules.json names a module that is not supported, the modules do not fit together, or there is an adapter (LoRA).',
    fix: 'Use a model of the modules that the message lists, from one version. Merge an adapter into its base model.' },
  E_THREAD: {
    cause: 'A thread ended before its texts were embedded.',
    fix: 'Load the model again; with `threads: 1` the cause shows. If it comes back, report it.' },
  E_TOKENIZER: {
    cause: 'The tokenizer files are unusable, or do not fit the embedding table.',
    fix: 'Copy tokenizer and weights from one model. Only the WordPiece tokenizers of BERT are supported.' },
} as const satisfies Readonly<Record<string, { readonly cause: string; readonly fix: string }>>;

/** The codes of warnings of loading, verifying and the command line; those of `check` alone stand in completeness/findings.ts. */
export const WARNING_CODES = {
  W_BARE_DIRECTORY: 'There is no modules.json: mean pooling is assumed, as in the reference library.',
  W_CHAT_TEMPLATE: 'Python puts the texts into a chat template, which is not run here: its vectors are others.',
  W_CODE_IGNORED: 'config.json names code that comes with the model. It is not run.',
  W_CROSS_ENCODER:
    'The model is a cross-encoder or a classifier: its pooled vectors were never trained to be compared.',
  W_DIGEST_CASE: 'A signed statement writes digests in capitals.',
  W_FILE_IGNORED: 'A file is there that the reference library does not read either in a directory of this layout.',
  W_HINT_ABSENT: 'A signature does not say which key it was made with.',
  W_IGNORED_AND_SIGNED: 'A signed statement lists a file that it says is left out.',
  W_IGNORE_PATHS: 'Whoever signed left more out than the files of git and the signature.',
  W_LENGTH_CLAMPED: 'The files allow longer texts than the model has positions: texts are cut there.',
  W_MANIFEST_UNPINNED: 'A list of checksums was itself not pinned: it shows accidents, not attacks.',
  W_NO_SIMD:
    'The engine has no WebAssembly SIMD, or no leave to compile it: the reference kernels run, which are slower.',
  W_NO_THREADS: 'The script of the threads is not beside the program, which was probably bundled: one thread computes.',
  W_NOT_WIDE: 'SIMD vectors of 256 bits were asked for and cannot be used: the kernels run as they would without.',
  W_PROJECTION_UNUSED: 'The pooling is not the one that the projection of DPR follows: it is not used.',
  W_READ_AS_JSON: 'An input was taken for a JSON array because of its content.',
  W_READ_AS_JSONL: 'An input was taken for lines of JSON because of its name or content.',
  W_READ_AS_TABLE: 'An input was taken for a table because of its first line.',
  W_SINGLE_FILE: 'A signature is of a single file.',
  W_SPREADSHEET_FORMULA: 'Ids of a CSV output begin as formulas do: a spreadsheet that opens the file would run them.',
  W_STATEMENT_FIELD: 'A signed statement has fields that are of no meaning here. They were not looked at.',
  W_SUBJECT: 'A signed statement names a model otherwise than its directory.',
  W_TENSORS_UNUSED: 'The weights hold tensors that are not part of this architecture.',
  W_TEXTS_CUT: 'Texts were longer than the model takes; `glassbert tokens` shows where one is cut.',
  W_UNSORTED: 'A signed statement lists its files in no known order.',
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
  /** As it is on the disk. Not enumerable, so that no runtime prints it, where characters of it are not to be shown. */
  readonly file: string | undefined;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly hint: string | undefined;

  /**
   * All but `file` may stand in a log or on a terminal as it is: a runtime prints an error that nobody catches with its
   * fields, its cause, and the causes of that.
   *
   * @param code - one of ERROR_CODES
   * @param summary - one sentence, without file and hint; `message` is built from all parts:
   *   "model.safetensors: tensor "x" has the wrong shape: expected [384], found [385]"
   */
  constructor(code: ErrorCode, summary: string, details: ErrorDetails = {}) {
    const { file, expected, found, hint, cause } = details;
    let message = file === undefined ? summary : `${file || '""'}: ${summary}`; // an empty path is seen
    if (expected !== undefined) message += `: expected ${expected}`;
    if (found !== undefined) message += `${expected === undefined ? ':' : ','} found ${found}`;
    super(printable(message), cause === undefined ? undefined : { cause: printableCause(cause) });
    this.code = code;
    this.file = file;
    if (file !== undefined && !isPrintable(file)) Object.defineProperty(this, 'file', { enumerable: false });
    this.expected = expected === undefined ? undefined : printable(expected);
    this.found = found === undefined ? undefined : printable(found);
    this.hint = hint === undefined ? undefined : printable(hint);
  }
}

/**
 * What is done about a problem. Loading throws the first one; a check collects all of them, and goes on with what is left.
 */
export type Refuse = (error: unknown) => void;

export const refuseFirst: Refuse = error => {
  throw error;
};

// ---------------------------------------------------------------------------------------------------------------------

/** Longer messages are cut, wherever that is: no genuine one comes near. */
const MAX_MESSAGE = 2000;

/** What is invisible on a terminal: controls, escapes, overrides of direction, separators of lines. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Text that may hold words from a hostile file, as it may stand in a log or on a terminal: what is invisible there as
 * escapes, and not too much of it.
 */
export function printable(text: string): string {
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
  return cut.replace(INVISIBLE, c => `\\u{${(c.codePointAt(0) as number).toString(16)}}`);
}

function isPrintable(text: string): boolean {
  return text.search(INVISIBLE) < 0;
}

/** Genuine errors have fewer causes of causes; those beyond are left out. */
const MAX_CAUSES = 16;

/** Of a stack. V8 gives ten unless it is told otherwise (Error.stackTraceLimit). */
const MAX_FRAMES = 100;

/** What Node says of a failed call of the system beside the message. */
const SYSTEM_FIELDS = ['code', 'errno', 'syscall', 'path', 'dest'];

/**
 * An error of the system, of the language or of another package, as it may be printed: the message of Node names the file,
 * that of JSON.parse quotes the text. It is a copy with the fields that are known here, for the original may belong to another
 * part of the program.
 */
function printableCause(cause: unknown, budget = { left: MAX_CAUSES }): unknown {
  if (cause instanceof GlassbertError) return cause;
  if (!isError(cause)) return printable(typeof cause === 'object' ? TAG.call(cause) : String(cause));

  budget.left--;
  const { cause: next, errors } = cause as Error & { errors?: unknown };
  const inner = next !== undefined && budget.left > 0 ? { cause: printableCause(next, budget) } : undefined;
  const copy = new Error(printable(textOf(cause.message)), inner);
  const name = printable(textOf(cause.name));
  Object.defineProperty(copy, 'name', { value: name });
  copy.stack = [`${name}: ${copy.message}`, ...framesOf(cause)].join('\n');
  for (const field of SYSTEM_FIELDS) {
    const value = (cause as unknown as Record<string, unknown>)[field];
    if (typeof value === 'number') Object.assign(copy, { [field]: value });
    if (typeof value === 'string') Object.assign(copy, { [field]: printable(value) });
  }
  if (!Array.isArray(errors)) return copy;
  const several: unknown[] = []; // of an AggregateError
  for (const error of errors.slice(0, MAX_CAUSES)) if (budget.left > 0) several.push(printableCause(error, budget));
  return Object.assign(copy, { errors: several });
}

const TAG = Object.prototype.toString;

/** Also one of another realm: where tests run in contexts of node:vm, what Node throws is no instance of theirs. */
function isError(cause: unknown): cause is Error {
  return cause instanceof Error || TAG.call(cause) === '[object Error]';
}

/** Of a field that is a string in most errors, and anything in one that a program made. */
function textOf(field: unknown): string {
  return typeof field === 'string' ? field : typeof field;
}

/** The lines of a stack behind the message, which may have lines of its own. */
function framesOf(error: Error): string[] {
  const [message, stack] = [textOf(error.message), typeof error.stack === 'string' ? error.stack : ''];
  const begin = Math.max(0, stack.indexOf(message)) + message.length;
  return stack.slice(begin).split('\n', MAX_FRAMES).slice(1).map(printable);
}
