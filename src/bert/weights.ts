/**
 * The weights of a BERT under the names of the checkpoint: `w.layer[l].attention.self.query` is
 * `encoder.layer.{l}.attention.self.query` in model.safetensors.
 */
import { GlassbertError } from '../errors.ts';
import { formOf, TensorPlan, type Weights } from '../io/weights.ts';
import type { EmbeddingTables, Kernels, LayerNorm, Linear } from '../tensor/kernels.ts';
import type { BertConfig } from './config.ts';

export interface BertWeights {
  readonly embeddings: EmbeddingTables & { readonly LayerNorm: LayerNorm };
  readonly layer: readonly LayerWeights[];
  /** DPR's projection of the first token, where it has one. */
  readonly encode_proj: Linear | null;
}

export interface LayerWeights {
  readonly attention: {
    readonly self: { readonly query: Linear; readonly key: Linear; readonly value: Linear };
    readonly output: { readonly dense: Linear; readonly LayerNorm: LayerNorm };
  };
  readonly intermediate: { readonly dense: Linear };
  readonly output: { readonly dense: Linear; readonly LayerNorm: LayerNorm };
}

export interface LoadedBert {
  readonly weights: BertWeights;
  /** What stands before the names: '', 'bert.', 'ctx_encoder.bert_model.' ... */
  readonly prefix: string;
  /** Tensors in the files that the forward pass does not use, sorted. */
  readonly unused: readonly string[];
}

/** One encoder saved by itself, inside a model with a head, and inside DPR. Each is tried; none is guessed. */
const PREFIXES = ['', 'bert.'];
const ALL_PREFIXES = [...PREFIXES, 'question_encoder.bert_model.', 'ctx_encoder.bert_model.'];

/** DPR saves its two encoders under different names; the class in config.json tells which one a directory holds. */
const DPR_PREFIXES: ReadonlyMap<string, string> = new Map([
  ['DPRQuestionEncoder', 'question_encoder.'],
  ['DPRContextEncoder', 'ctx_encoder.'],
]);

/**
 * @param kernels - whose memory the tensors are read into
 * @throws E_TENSOR_MISSING, E_TENSOR_SHAPE, E_TENSOR_DTYPE, E_TENSOR_VALUE
 */
export async function loadBert(files: Weights, config: BertConfig, kernels: Kernels): Promise<LoadedBert> {
  const prefix = findPrefix(files, config);
  const plan = new TensorPlan(files, prefix, kernels);
  const { hidden_size: D, intermediate_size: F, layer_norm_eps: epsilon } = config;

  const embeddings = {
    word: plan.table('embeddings.word_embeddings.weight', config.vocab_size, D),
    position: plan.tensor('embeddings.position_embeddings.weight', config.max_position_embeddings, D),
    tokenType: plan.tensor('embeddings.token_type_embeddings.weight', config.type_vocab_size, D),
    LayerNorm: plan.layerNorm('embeddings.LayerNorm', D, epsilon),
  };
  const layer = Array.from({ length: config.num_hidden_layers }, (_, l): LayerWeights => {
    const at = `encoder.layer.${l}`;
    return {
      attention: {
        self: {
          query: plan.linear(`${at}.attention.self.query`, D, D),
          key: plan.linear(`${at}.attention.self.key`, D, D),
          value: plan.linear(`${at}.attention.self.value`, D, D),
        },
        output: {
          dense: plan.linear(`${at}.attention.output.dense`, D, D),
          LayerNorm: plan.layerNorm(`${at}.attention.output.LayerNorm`, D, epsilon),
        },
      },
      intermediate: { dense: plan.linear(`${at}.intermediate.dense`, F, D) },
      output: {
        dense: plan.linear(`${at}.output.dense`, D, F),
        LayerNorm: plan.layerNorm(`${at}.output.LayerNorm`, D, epsilon),
      },
    };
  });
  await plan.read();

  let encode_proj: Linear | null = null;
  if (config.model_type === 'dpr' && config.projection_dim > 0) {
    const outer = new TensorPlan(files, prefix.replace(/bert_model\.$/, ''), kernels);
    encode_proj = outer.linear('encode_proj', config.projection_dim, D);
    await outer.read();
    for (const name of outer.taken) plan.taken.add(name);
  }

  const unused = plan.unused();
  if (plan.isWhole) refuseLayersBeyond(unused, prefix, config, files);
  return { weights: { embeddings, layer, encode_proj }, prefix, unused };
}

function findPrefix(files: Weights, config: BertConfig): string {
  const expected = DPR_PREFIXES.get(config.architecture);
  if (expected !== undefined) return `${expected}bert_model.`;
  const prefixes = config.model_type === 'dpr' ? ALL_PREFIXES : PREFIXES;
  const present = prefixes.filter(prefix => files.tensors.has(`${prefix}embeddings.word_embeddings.weight`));
  if (present.length > 1) {
    const found = present.map(prefix => `"${prefix}"`).join(' and ');
    throw new GlassbertError('E_TENSOR_DUPLICATE', 'the weights hold more than one encoder', {
      file: files.file,
      expected: 'one',
      found,
    });
  }
  return present[0] ?? '';
}

/**
 * Heads and buffers that a checkpoint may hold besides the encoder are its own affair. Encoder layers that the
 * configuration does not count are not: one of the two is wrong, and the vectors would be.
 */
function refuseLayersBeyond(unused: readonly string[], prefix: string, config: BertConfig, files: Weights): void {
  const layer = unused.find(name => name.startsWith(`${prefix}encoder.layer.`));
  if (layer === undefined) return;
  const [l] = layer.slice(`${prefix}encoder.layer.`.length).split('.');
  if (Number(l) < config.num_hidden_layers) {
    const form = formOf(layer);
    const summary = `the weights are ${form === undefined ? 'of an encoder with more tensors than a BERT has' : `those of ${form.what}`}`;
    throw new GlassbertError(form?.code ?? 'E_CONFIG', summary, {
      file: files.fileOf(layer),
      found: layer,
      hint: form?.hint ?? 'The model is of another architecture than config.json says.',
    });
  }
  throw new GlassbertError('E_CONFIG', 'the weights hold encoder tensors that config.json does not account for', {
    file: files.fileOf(layer),
    expected: `"num_hidden_layers": ${config.num_hidden_layers}`,
    found: layer,
    hint: 'config.json and the weights are not of the same model.',
  });
}

/** Tensors that checkpoints are known to hold and embeddings are known not to need. */
const KNOWN_UNUSED =
  /(^|\.)(embeddings\.(position_ids|token_type_ids)$|pooler\.|cls\.|classifier\.|qa_outputs\.|dropout\.)/;

/** The heads among them that judge a text or score a pair. */
const CLASSIFIER_HEAD = /^(bert\.)?(classifier|qa_outputs)\./;

export function isClassifierHead(name: string): boolean {
  return CLASSIFIER_HEAD.test(name);
}

export function isKnownUnused(name: string): boolean {
  return KNOWN_UNUSED.test(name);
}
