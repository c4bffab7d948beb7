/**
 * From ids to pooled vectors: the part of the pipeline that takes the time, and that threads share.
 */
import { forward, type Observe, type PackedIds } from './bert/bert.ts';
import type { BertConfig } from './bert/config.ts';
import type { BertWeights } from './bert/weights.ts';
import { type PoolingMode, pool } from './pooling/pooling.ts';
import type { Kernels } from './tensor/kernels.ts';
import type { Floats } from './tensor/tensor.ts';

/** What the pass needs of a loaded model. Plain data over shared memory, so that it can be sent to a thread. */
export interface Encoder {
  readonly config: BertConfig;
  readonly weights: BertWeights;
  readonly modes: readonly PoolingMode[];
}

/** The texts of one pass. */
export interface Packed extends PackedIds {
  /** [B], how many tokens at the start of each text belong to a prompt that the pooling leaves out. */
  readonly skip: Int32Array;
}

/** @returns [B, modes * D], in the memory of the pass */
export function pooledVectors(
  kernels: Kernels,
  { config, weights, modes }: Encoder,
  packed: Packed,
  observe?: Observe,
): Floats {
  const B = packed.starts.length - 1;
  const D = config.hidden_size;
  const tokens = forward(kernels, config, weights, packed, observe); // [N, D]
  const vectors = kernels.floats(B, modes.length * D);
  pool(vectors, tokens, modes, packed.starts, packed.skip, D); // [N, D] -> [B, modes * D]
  observe?.('pooling', { data: vectors, shape: [B, modes.length * D] });
  return vectors;
}

/**
 * Multiplications of the linear layers for one token, L · (4 D² + 2 D F): nearly all that a pass of short texts costs. With
 * the speed of a machine it tells how long a pass will take.
 */
export function multiplicationsPerToken({ config }: Encoder): number {
  const { num_hidden_layers: L, hidden_size: D, intermediate_size: F } = config;
  return L * (4 * D * D + 2 * D * F);
}
