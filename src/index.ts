/**
 * glassbert: a sentence-embedding engine in which nothing is hidden.
 *
 * Read in this order: sentence-encoder.ts (the pipeline), bert/bert.ts (the forward pass), tensor/layer-norm.ts (what a
 * kernel looks like), pooling/pooling.ts, text/bert-normalizer.ts, io/safetensors.ts, load-model.ts, settings.ts and schedule.ts
 * (many calls over several threads).
 */
export type { Progress, Signal } from './call.ts';
export {
  type Capability,
  type CheckOptions,
  type CompletenessReport,
  checkDirectory,
  type ModelSummary,
} from './completeness/check-directory.ts';
export type { Evidence } from './completeness/evidence.ts';
export { CHECK_CODES, type Finding } from './completeness/findings.ts';
export { ERROR_CODES, type ErrorCode, GlassbertError } from './errors.ts';
export {
  formatSource,
  type LoadReport,
  type Setting,
  type Source,
  type Verification,
  type Warning,
} from './io/load-report.ts';
export type { AnyLoadOptions, LoadOptions, OracleOptions } from './load-model.ts';
export { POOLING_MODES, type PoolingMode } from './pooling/pooling.ts';
export { type SimilarityName, similarity } from './pooling/similarity.ts';
export {
  defaultModel,
  type EncodeOptions,
  type FileUrl,
  type Input,
  type Observe,
  SentenceEncoder,
} from './sentence-encoder.ts';
export { type Floats, type NestedArray, rowOf, Tensor, type TensorLike, view } from './tensor/tensor.ts';
export type { Encoding } from './text/tokenizer.ts';
export type { VerifyOptions } from './trust/verify.ts';
