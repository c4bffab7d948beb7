/**
 * The names, shapes and dtypes of all tensors, beside what the configuration says they must be.
 *
 * The headers alone are read, and nothing is allocated: a configuration cannot make this use memory, and what only the
 * numbers show (a NaN, a changed weight) is for loading and for checksums.
 */
import type { BertConfig } from '../bert/config.ts';
import { loadBert } from '../bert/weights.ts';
import { type ModelFiles, nameIn } from '../io/files.ts';
import type { WeightsReport } from '../io/load-report.ts';
import { INDEX, openWeights, SINGLE, type Weights } from '../io/weights.ts';
import { reportWeights, warnOfUnused } from '../load-model.ts';
import { type Kernels, referenceKernels } from '../tensor/kernels.ts';
import type { Findings } from './findings.ts';

export async function checkEncoderWeights(
  files: ModelFiles,
  path: string,
  config: BertConfig | undefined,
  findings: Findings,
): Promise<{ report: WeightsReport; projected: boolean } | undefined> {
  const opened = await findings.attempt(() => openWeights(files, path, findings.refuse));
  try {
    const whole = await checkSource(files, path, opened, findings);
    const weights = whole ? headersOf(opened) : undefined;
    if (!weights || !config) {
      const why = weights ? 'the architecture is not known' : 'weights are missing or cannot be read';
      const message = `The tensors were not compared with the configuration, as ${why}.`;
      findings.note('W_NOT_CHECKED', 'incomplete', nameIn(path, SINGLE), message);
      if (config && !opened?.files.length) noteSize(path, config, findings);
      return weights && { report: reportWeights(weights, '', []), projected: false };
    }
    const before = findings.counts.error;
    const bert = await findings.attempt(() => loadBert(weights, config, NO_MEMORY));
    if (bert === undefined) return { report: reportWeights(weights, '', []), projected: false };
    if (findings.counts.error === before) warnOfUnused(bert.unused, findings.warnAsLoading);
    const projected = bert.weights.encode_proj !== null;
    return { report: reportWeights(weights, bert.prefix, bert.unused), projected };
  } finally {
    await opened?.close();
  }
}

/** Whether there are weights under the names that are looked for. */
export async function areThere(files: ModelFiles, path: string): Promise<boolean> {
  return (await files.has(nameIn(path, SINGLE))) || (await files.has(nameIn(path, INDEX)));
}

/** Tells how large the missing file must be, so that it can be recognized. */
function noteSize(path: string, config: BertConfig, findings: Findings): void {
  const parameters = parametersOf(config);
  const megabytes = (bytes: number): string => `${((parameters * bytes) / 1e6).toFixed(1)} MB`;
  const count = parameters.toLocaleString('en-US');
  const message = `The configuration is of an encoder with ${count} parameters: ${megabytes(4)} in F32, ${megabytes(2)} in F16 or BF16.`;
  findings.note('W_WEIGHTS_EXPECTED', 'incomplete', nameIn(path, SINGLE), message);
}

/** All that bert/weights.ts takes: three tables and a LayerNorm; per layer 4 + 2 linear layers with bias and 2 LayerNorms. */
export function parametersOf(config: BertConfig): number {
  const { hidden_size: D, intermediate_size: F, num_hidden_layers: L, projection_dim: P } = config;
  const tables = (config.vocab_size + config.max_position_embeddings + config.type_vocab_size) * D + 2 * D;
  const layer = 4 * (D * D + D) + (F * D + F) + (D * F + D) + 2 * 2 * D;
  return tables + L * layer + (config.model_type === 'dpr' && P > 0 ? P * D + P : 0);
}

/**
 * One source of weights, and an index that counts its bytes right.
 *
 * @returns whether every file of it could be opened
 */
export async function checkSource(
  files: ModelFiles,
  path: string,
  weights: Weights | undefined,
  findings: Findings,
): Promise<boolean> {
  if (weights === undefined) return false;
  if (weights.index === undefined) {
    const index = nameIn(path, INDEX);
    if (await findings.attempt(() => files.has(index))) {
      const message = `It is ignored, as ${SINGLE} is there too and comes first, here as in transformers.`;
      findings.warn('W_WEIGHTS_TWICE', 'incomplete', index, message, 'Remove the one that is not wanted.');
    }
    return weights.files.length > 0;
  }
  const map = weights.index.object('weight_map');
  const listed = new Set(map.keys.map(tensor => map.string(tensor)));
  if (weights.files.length < listed.size) return false;

  // Old versions of transformers counted shared tensors twice, so a wrong sum is no proof of a wrong file.
  const metadata = weights.index.raw('metadata');
  const stated = typeof metadata === 'object' && 'total_size' in metadata ? metadata.total_size : undefined;
  let bytes = 0;
  for (const { byteLength } of weights.tensors.values()) bytes += byteLength;
  if (typeof stated === 'number' && stated !== bytes) {
    const message = `"metadata.total_size" is ${stated}, the tensors have ${bytes} bytes.`;
    findings.warn('W_TOTAL_SIZE', 'incomplete', nameIn(path, INDEX), message, 'Copy index and shards again, together.');
  }
  return true;
}

/** The tensors' names, shapes and dtypes; to read them gives nothing. */
export function headersOf<Opened extends Weights | undefined>(weights: Opened): Opened {
  return weights && { ...weights, readFloats: async () => {}, readInto: async () => {} };
}

export const NO_WEIGHTS: Weights = {
  files: [],
  file: '',
  tensors: new Map(),
  refuse: () => {}, // that they are missing has been said
  fileOf: () => '',
  readFloats: async () => {},
  readInto: async () => {},
  close: async () => {},
};

const NOTHING = new Float32Array(0);

/** For plans that are made and not carried out. */
export const NO_MEMORY: Kernels = { ...referenceKernels, name: 'none', floats: () => NOTHING };
