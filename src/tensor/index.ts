/** The kernels, importable as `glassbert/tensor`. Start with layer-norm.ts: it is the shortest complete page. */
export { ACTIVATIONS, type Activation, activate, TORCH_ACTIVATIONS } from './activations.ts';
export { attention } from './attention.ts';
export { erf, exp, expm1, log, log1p, tanh } from './elementary.ts';
export {
  type EmbeddingTables,
  type Kernels,
  type LayerNorm,
  type Linear,
  oracleKernels,
  referenceKernels,
} from './kernels.ts';
export { layerNorm } from './layer-norm.ts';
export { linear, linearPlain } from './matmul.ts';
export { hasSimd, simdKernels } from './simd/kernels.ts';
export { softmax } from './softmax.ts';
export {
  type Floats,
  formatShape,
  type NestedArray,
  rowOf,
  sizeOf,
  Tensor,
  type TensorLike,
  view,
  zerosLike,
} from './tensor.ts';
