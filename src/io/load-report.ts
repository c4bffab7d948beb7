/**
 * What loading decided, and why: every effective setting with the file and key that decided it, the values that lost, the
 * module graph, the weights, everything unused, every warning. It is `encoder.report`, and what `glassbert inspect` prints.
 */
import { checkArgument, OBJECT } from '../options.ts';

/** Where a value came from: a key of a file, an option of the caller, or a default with its reason. */
export type Source =
  | { readonly file: string; readonly key: string }
  | { readonly option: string }
  | { readonly default: string };

export interface Setting<Value = unknown> {
  readonly value: Value;
  readonly from: Source;
  /** Other places that state this setting and lost, in the order of their rank. */
  readonly overruled: readonly { readonly value: unknown; readonly from: Source }[];
}

export interface Warning {
  /** Stable: W_BARE_DIRECTORY, W_TENSORS_UNUSED ... */
  readonly code: string;
  readonly message: string;
}

export interface ModuleReport {
  /** As in modules.json; '(not in a file)' where there is none. */
  readonly type: string;
  readonly path: string;
  readonly summary: string;
}

export interface WeightsReport {
  readonly files: readonly string[];
  /** What stands before the names of the encoder's tensors, such as 'bert.'. */
  readonly prefix: string;
  readonly tensors: number;
  readonly parameters: number;
  /** How many tensors of each dtype are on disk. */
  readonly dtypes: Readonly<Record<string, number>>;
  /** Tensors in the files that nothing uses. */
  readonly unused: readonly string[];
}

export interface TokenizerReport {
  readonly kind: string;
  /** The class that transformers 5.18.0 makes of the directory; the ids are those of this class. */
  readonly class: string;
  readonly vocabSize: number;
  /** What was decided and might surprise; where transformers 4.57.6 or tokenizer.json by itself would give other ids. */
  readonly notes: readonly string[];
}

/** What a directory was compared with, completely, before anything in it was used. */
export interface Verification {
  readonly by: 'signature' | 'manifest' | 'digest';
  /** The path of the signature or manifest, or the digest that was expected. */
  readonly source: string;
  /** 'sha256:' and the digest of the digests of all covered files. */
  readonly rootDigest: string;
  /** How many files are covered, and their size. */
  readonly files: number;
  readonly bytes: number;
  /** Files that are there and not covered; none of them was loaded. */
  readonly ignored: readonly string[];
  /** Whose signature it is; null where there is none. */
  readonly signer: string | null;
  readonly warnings: readonly Warning[];
  /** What this way of verifying cannot show, in sentences. */
  readonly limits: readonly string[];
}

/** A file that was opened, by its name in the directory, for the load report. */
export interface OpenedFile {
  readonly name: string;
  readonly bytes: number;
}

/** The element type of the computation, here and in Python. */
export interface DtypeReport {
  /** What the kernels compute in. */
  readonly here: 'float32' | 'float64';
  /** What sentence-transformers 6 computes in with these files: the dtype that they state, or that of the weights. */
  readonly python: string;
  readonly from: Source;
  /** Where the two differ: what to pass to Python for the same numbers, or that it takes none. Null where they do not. */
  readonly note: string | null;
}

export interface LoadReport {
  readonly directory: string;
  /** Null where nothing was verified. */
  readonly verification: Verification | null;
  readonly layout: 'Sentence Transformers' | 'Hugging Face, without modules.json';
  readonly architecture: string;
  readonly kernels: string;
  readonly threads: number;
  readonly modules: readonly ModuleReport[];
  readonly settings: {
    readonly maxSeqLength: Setting<number>;
    readonly pooling: Setting<readonly string[]>;
    readonly includePrompt: Setting<boolean>;
    readonly prompts: Setting<Readonly<Record<string, string>>>;
    readonly defaultPromptName: Setting<string | null>;
    readonly similarityFnName: Setting<string>;
    readonly truncateDim: Setting<number | null>;
    readonly doLowerCase: Setting<boolean>;
  };
  readonly dtype: DtypeReport;
  readonly tokenizer: TokenizerReport;
  readonly weights: readonly WeightsReport[];
  /** The width of the vectors. */
  readonly dimension: number;
  /** The version of sentence-transformers that saved the directory, where it says. */
  readonly savedBy: string | null;
  /** Every file that was opened. */
  readonly files: readonly OpenedFile[];
  readonly warnings: readonly Warning[];
}

/** The first candidate that states a value wins; the rest that state one are overruled. */
export function decide<Value>(
  candidates: readonly { readonly value: Value | undefined; readonly from: Source }[],
  fallback: { readonly value: Value; readonly from: Source },
): Setting<Value> {
  const stated = candidates.filter((c): c is { value: Value; from: Source } => c.value !== undefined);
  const [winner = fallback, ...overruled] = stated;
  return { ...winner, overruled };
}

/**
 * `sentence_bert_config.json: max_seq_length`, `option pooling`, `default (...)`.
 *
 * @throws E_ARGUMENT for something else than a source
 */
export function formatSource(from: Source): string {
  checkArgument('the source', from, OBJECT);
  if ('file' in from) return `${from.file}: ${from.key}`;
  return 'option' in from ? `option ${from.option}` : `default: ${from.default}`;
}
