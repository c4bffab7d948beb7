/**
 * BERT: token ids to one vector per token. The forward pass, as a list of calls.
 *
 *   x = LayerNorm(word + token type + position)
 *   L times:
 *     x = LayerNorm(x + SelfAttention(x))
 *     x = LayerNorm(x + FeedForward(x))
 *
 * Devlin et al. 2019 (arXiv:1810.04805); Vaswani et al. 2017 (arXiv:1706.03762) section 3.1. Reference: BertModel of
 * transformers, without the pooler, which sentence embeddings do not use. Dropout is for training and left out.
 *
 * Packed rows: the tokens of all texts stand under one another in one matrix [N, D], and `starts` says where each text
 * begins. Linear layers and LayerNorm do not care where a text ends, and attention stays within a text; so there is no
 * padding and no mask, and a text's vectors do not depend on its neighbours.
 *
 * Legend: B texts, N tokens in all, T tokens of one text, D hidden size, H heads, F intermediate size, L layers.
 */
import type { Kernels } from '../tensor/kernels.ts';
import type { Floats, TensorLike } from '../tensor/tensor.ts';
import type { BertConfig } from './config.ts';
import type { BertWeights, LayerWeights } from './weights.ts';

/** Ids of B texts, one after the other. */
export interface PackedIds {
  readonly ids: Int32Array; // [N]
  readonly typeIds: Int32Array; // [N]
  readonly starts: Int32Array; // [B + 1]: text b is rows starts[b] .. starts[b + 1] - 1
}

/**
 * Sees every intermediate value under its checkpoint-like name, in the order of computation. The tensor is the memory that
 * the pass goes on working in: copy what you keep. Attention probabilities come once per text, with its number:
 * `encoder.layer.3.attention.self.probs` [H, T, T]; all others once for the whole batch, [N, ...].
 */
export type Observe = (name: string, tensor: TensorLike, text?: number) => void;

/** The memory of a pass, named after what stands in it. */
interface Scratch {
  readonly x: Floats; // [N, D]
  readonly query: Floats; // [N, D]
  readonly key: Floats; // [N, D]
  readonly value: Floats; // [N, D]
  readonly context: Floats; // [N, D]
  readonly output: Floats; // [N, D]
  readonly intermediate: Floats; // [N, F]
}

/** @returns the hidden state of the last layer, [N, D] */
export function forward(k: Kernels, config: BertConfig, w: BertWeights, batch: PackedIds, observe?: Observe): Floats {
  const { hidden_size: D, intermediate_size: F } = config;
  const N = batch.ids.length;
  const t: Scratch = {
    x: k.floats(N, D),
    query: k.floats(N, D),
    key: k.floats(N, D),
    value: k.floats(N, D),
    context: k.floats(N, D),
    output: k.floats(N, D),
    intermediate: k.floats(N, F),
  };

  k.embed(t.x, batch.ids, batch.typeIds, batch.starts, w.embeddings, D);
  observe?.('embeddings.sum', { data: t.x, shape: [N, D] });
  k.layerNorm(t.x, t.x, null, w.embeddings.LayerNorm, N);
  observe?.('embeddings', { data: t.x, shape: [N, D] });

  for (const [l, weights] of w.layer.entries()) {
    const see =
      observe &&
      ((name: string, data: Floats, ...shape: number[]) => observe(`encoder.layer.${l}.${name}`, { data, shape }));
    const seeProbs =
      observe &&
      ((text: number, data: Floats, T: number) =>
        observe(`encoder.layer.${l}.attention.self.probs`, { data, shape: [config.num_attention_heads, T, T] }, text));
    layer(k, config, weights, t, batch.starts, see, seeProbs);
  }
  return t.x;
}

/** One encoder layer, in place: t.x is its input and its output. */
function layer(
  k: Kernels,
  config: BertConfig,
  w: LayerWeights,
  t: Scratch,
  starts: Int32Array,
  see?: (name: string, data: Floats, ...shape: number[]) => void,
  seeProbs?: (text: number, probabilities: Floats, T: number) => void,
): void {
  const { hidden_size: D, intermediate_size: F, num_attention_heads: H } = config;
  const N = starts[starts.length - 1];

  const { query, key, value } = w.attention.self;
  k.linears([t.query, t.key, t.value], t.x, [query, key, value], N); // [N, D] -> [N, D] each
  see?.('attention.self.query', t.query, N, D);
  see?.('attention.self.key', t.key, N, D);
  see?.('attention.self.value', t.value, N, D);
  k.attention(t.context, t.query, t.key, t.value, starts, D, H, seeProbs); // softmax(Q Kᵀ / sqrt(K)) V within each text
  see?.('attention.self.context', t.context, N, D);
  k.linear(t.output, t.context, w.attention.output.dense, N);
  see?.('attention.output.dense', t.output, N, D);
  k.layerNorm(t.x, t.output, t.x, w.attention.output.LayerNorm, N);
  see?.('attention.output', t.x, N, D);

  const seeBefore = see && (() => see('intermediate.dense', t.intermediate, N, F));
  k.linearActivation(t.intermediate, t.x, w.intermediate.dense, config.hidden_act, N, seeBefore); // [N, D] -> [N, F]
  see?.('intermediate', t.intermediate, N, F);
  k.linear(t.output, t.intermediate, w.output.dense, N); // [N, F] -> [N, D]
  see?.('output.dense', t.output, N, D);
  k.layerNorm(t.x, t.output, t.x, w.output.LayerNorm, N);
  see?.('output', t.x, N, D);
}
