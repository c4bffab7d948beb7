/**
 * Is everything there? `checkDirectory` establishes offline, before a model is loaded or carried into a closed network, that
 * its directory is complete and consistent, and lists everything that is not:
 *
 *   the directory   names and links that survive the way, no placeholders, no remains of a download
 *   the model       modules, configuration, tokenizer, every tensor's name and shape       by the loader's own functions
 *   its record      checksums, signature, the metadata of the download                    verified, unverified or failed
 *
 * No weights are read but for checksums, no code runs, nothing outside the directory is opened.
 */
import { GlassbertError } from '../errors.ts';
import { openModelFiles } from '../io/files.ts';
import type { LoadReport, OpenedFile, WeightsReport } from '../io/load-report.ts';
import { WEIGHTS_MISSING } from '../io/weight-files.ts';
import { architectureOf, savedBy } from '../load-model.ts';
import { FUNCTION, readOptions } from '../options.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { type Evidence, gatherEvidence } from './evidence.ts';
import { type Finding, Findings, type Kind } from './findings.ts';
import { type CheckedModel, checkModel } from './model.ts';
import { checkKinds, checkNames } from './names.ts';
import { findOrigin, type Origin } from './origin.ts';
import { explainPlaceholders, tellOfPlaceholders, warnOfLeftovers } from './placeholders.ts';
import { type UnusedFiles, unusedFiles } from './purposes.ts';
import { compareTokenizerFiles } from './tokenizer-files.ts';
import { plant } from './tree.ts';

export interface CompletenessReport {
  readonly directory: string;
  /** `complete` unless there are errors; then the worst of their kinds: unsafe, signature, integrity, incomplete. */
  readonly verdict: 'complete' | Kind;
  readonly counts: { readonly errors: number; readonly warnings: number; readonly notes: number };
  readonly findings: readonly Finding[];
  /** How many more there are of a code than are listed. */
  readonly unlisted: Readonly<Record<string, number>>;
  readonly model: ModelSummary;
  readonly works: readonly Capability[];
  readonly evidence: readonly Evidence[];
  readonly files: { readonly read: readonly OpenedFile[]; readonly unused: readonly UnusedFiles[] };
  /** Where to get what is missing. */
  readonly origin: Origin | null;
}

/** What the files say, as far as they can be read; null for what they do not. */
export interface ModelSummary {
  readonly layout: LoadReport['layout'] | null;
  readonly architecture: string | null;
  readonly dimension: number | null;
  readonly maxSeqLength: number | null;
  readonly pooling: readonly string[] | null;
  /** The largest id + 1. */
  readonly vocabulary: number | null;
  readonly savedBy: string | null;
  readonly weights: readonly WeightsReport[];
}

/** Something that one does with a model, and whether this directory allows it. */
export interface Capability {
  readonly what: string;
  readonly works: boolean;
}

export interface CheckOptions {
  /** Told often while files are hashed: bytes so far, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

const BY_WEIGHT: readonly Kind[] = ['unsafe', 'signature', 'integrity', 'incomplete'];

/**
 * Whatever is wrong with the directory is in the report.
 *
 * @throws E_ARGUMENT, E_DIRECTORY_MISSING, E_NOT_A_DIRECTORY when there is no directory to check
 *
 * @example
 * const { verdict, findings } = await checkDirectory('models/glassbert-mini');
 * verdict;  // 'complete'
 */
export async function checkDirectory(directory: string, options: CheckOptions = {}): Promise<CompletenessReport> {
  if (typeof directory !== 'string') {
    throw new GlassbertError('E_ARGUMENT', 'the model directory is given as a path', {
      expected: 'a string',
      found: typeof directory,
    });
  }
  const { onProgress } = readOptions<CheckOptions>('checkDirectory', options, { onProgress: FUNCTION });
  const files = await openModelFiles(directory);
  const findings = new Findings(directory);
  const tree = await plant(directory, findings);
  findings.expect(tree.entries.map(({ name }) => name));
  await explainPlaceholders(tree, findings);
  const before = findings.counts.error;
  const model = await checkModel(files, findings);
  const loads = findings.counts.error === before;
  if (model.absent !== undefined) findings.refuse(model.absent);
  const read: OpenedFile[] = [...new Map(files.opened.map(file => [file.name, file])).values()];

  const { transformer, tokenizer } = model;
  if (transformer && tokenizer) {
    const others = await openModelFiles(directory); // what it opens is not needed for loading
    await findings.attempt(() => compareTokenizerFiles(others, transformer, findings));
  }
  tellOfPlaceholders(findings);
  warnOfLeftovers(tree, findings);
  checkNames(tree.entries, findings);
  await checkKinds(tree, directory, findings);
  const evidence = await gatherEvidence(files, tree, read, findings, onProgress);

  const { error: errors, warning: warnings, note: notes } = findings.counts;
  return {
    directory,
    verdict: BY_WEIGHT.find(kind => findings.kinds.has(kind)) ?? 'complete',
    counts: { errors, warnings, notes },
    findings: findings.all,
    unlisted: findings.unlisted(),
    model: summarize(model),
    works: await capabilities(directory, loads, model),
    evidence,
    files: { read, unused: unusedFiles(tree.entries, new Set(read.map(({ name }) => name))) },
    origin: await findOrigin(directory, tree, model),
  };
}

async function capabilities(directory: string, loads: boolean, { wrong }: CheckedModel): Promise<Capability[]> {
  const areMissing = wrong.weights !== undefined && WEIGHTS_MISSING.includes(wrong.weights);
  return [
    { what: 'embedding texts', works: loads },
    {
      what: "tokenizing (loadTokenizer of 'glassbert/tokenizer', glassbert tokens)",
      // Where more is wrong than the weights it is tried, for a part of the files may suffice.
      works: !wrong.description || (await isDone(() => loadTokenizer(directory))),
    },
    {
      what: 'reading the settings, as listed here (glassbert inspect)',
      works: loads || (!wrong.description && areMissing),
    },
  ];
}

async function isDone(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (error instanceof GlassbertError) return false;
    throw error;
  }
}

function summarize(model: CheckedModel): ModelSummary {
  const { config, settings } = model;
  return {
    layout: model.layout,
    architecture: config === null ? null : architectureOf(config),
    dimension: model.dimension,
    maxSeqLength: settings?.maxSeqLength.value ?? null,
    pooling: settings?.pooling.value ?? null,
    vocabulary: model.tokenizer?.vocabSize ?? null,
    savedBy: savedBy(model),
    weights: model.weights,
  };
}
