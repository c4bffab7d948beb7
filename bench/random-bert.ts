/** A BERT of any shape with random weights, and random texts for it: what a benchmark needs, without a checkpoint. */
import type { PackedIds } from '../src/bert/bert.ts';
import type { BertConfig } from '../src/bert/config.ts';
import type { BertWeights } from '../src/bert/weights.ts';
import type { Kernels, LayerNorm, Linear } from '../src/tensor/kernels.ts';
import type { Floats } from '../src/tensor/tensor.ts';
import { random } from '../test/support/random.ts';

/** The shape of all-MiniLM-L6-v2. */
export const MINI_LM: BertConfig = {
  model_type: 'bert',
  architecture: 'BertModel',
  vocab_size: 30522,
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  projection_dim: 0,
};

/** Weights of BERT's initialization, normal with deviation 0.02 but for the sum of three uniforms in place of a normal. */
export function randomWeights(kernels: Kernels, config: BertConfig, seed: number): BertWeights {
  const { real } = random(seed);
  const { hidden_size: D, intermediate_size: F, layer_norm_eps: epsilon } = config;
  const floats = (N: number, width = 1): Floats => {
    const data = kernels.floats(N, width);
    for (let i = 0; i < data.length; i++) data[i] = Math.fround(0.04 * (real() + real() + real() - 1.5));
    return data;
  };
  const linear = (outFeatures: number, inFeatures: number): Linear => {
    const w = { weight: floats(outFeatures, inFeatures), bias: floats(outFeatures), inFeatures, outFeatures };
    kernels.prepare(w);
    return w;
  };
  const norm = (): LayerNorm => ({ weight: kernels.floats(D).fill(1), bias: floats(D), epsilon });
  return {
    embeddings: {
      word: floats(config.vocab_size, D),
      position: floats(config.max_position_embeddings, D),
      tokenType: floats(config.type_vocab_size, D),
      LayerNorm: norm(),
    },
    layer: Array.from({ length: config.num_hidden_layers }, () => ({
      attention: {
        self: { query: linear(D, D), key: linear(D, D), value: linear(D, D) },
        output: { dense: linear(D, D), LayerNorm: norm() },
      },
      intermediate: { dense: linear(F, D) },
      output: { dense: linear(D, F), LayerNorm: norm() },
    })),
    encode_proj: null,
  };
}

/** B texts of T random tokens each. */
export function randomIds(config: BertConfig, B: number, T: number, seed: number): PackedIds {
  const { integer } = random(seed);
  return {
    ids: Int32Array.from({ length: B * T }, () => integer(config.vocab_size)),
    typeIds: new Int32Array(B * T),
    starts: Int32Array.from({ length: B + 1 }, (_, b) => b * T),
  };
}

/** Floating-point operations of a forward pass: two for each multiply-add of the linear layers and of attention. */
export function flops(config: BertConfig, B: number, T: number): number {
  const { hidden_size: D, intermediate_size: F, num_hidden_layers: L } = config;
  return 2 * L * B * T * (4 * D * D + 2 * D * F + 2 * T * D);
}
