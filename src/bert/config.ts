/**
 * config.json of a BERT, with the names it has there. Only what the forward pass needs is kept; what would change the
 * forward pass and is not supported is refused by name.
 *
 * Defaults, where one cannot change a shape: those of BertConfig in transformers, for the files of 2019 that leave fields out.
 */
import { GlassbertError } from '../errors.ts';
import { type Json, quote } from '../io/json.ts';
import type { Fields } from '../io/json-fields.ts';
import { ACTIVATIONS } from '../tensor/activations.ts';

export interface BertConfig {
  readonly model_type: 'bert' | 'dpr';
  /** The class that saved it, such as BertModel or DPRContextEncoder; '' where the file does not say. */
  readonly architecture: string;
  readonly vocab_size: number; // V
  readonly hidden_size: number; // D
  readonly num_hidden_layers: number; // L
  readonly num_attention_heads: number; // H
  readonly intermediate_size: number; // F
  readonly hidden_act: string;
  readonly layer_norm_eps: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  /** DPR only: the width of its projection, 0 for none. */
  readonly projection_dim: number;
}

/**
 * Keys that change what Python computes, or which files it reads, and that are not supported: each with what it does. Those of
 * them that need a value of their own are looked at below; all others of the keys that transformers 5.18 knows (dropout,
 * `use_cache`, `chunk_size_feed_forward`, `tie_word_embeddings`, `attn_implementation` ...) leave a BERT's hidden states alone.
 */
const REFUSED_KEYS: readonly [key: string, why: string, hint?: string][] = [
  [
    'quantization_config',
    'Python computes with quantized weights',
    'Use the model as it was before it was quantized, or remove the key if the weights are plain and that is what is wanted.',
  ],
  [
    'transformers_weights',
    'Python takes the weights from another file',
    `Name that file model.safetensors and remove the key.`,
  ],
  ['per_layer_config', 'the layers differ'],
  ['fusion_config', 'Python replaces parts of the model'],
  ['pruned_heads', 'heads of attention are left out'],
];

/** The keys with a default, in whose place transformers 5 takes no null (BertConfig is checked by `strict` of huggingface_hub). */
const NEVER_NULL = [
  'hidden_act',
  'layer_norm_eps',
  'type_vocab_size',
  'is_decoder',
  'add_cross_attention',
  'projection_dim',
];

/**
 * The longest BERTs published have 8,192 positions. What attention costs grows with the square of a text's tokens, and this is
 * where a file's bound on them is bounded itself.
 */
const MAX_POSITIONS = 32_768;

/** @throws E_ARCHITECTURE, E_CONFIG */
export function parseBertConfig(config: Fields): BertConfig {
  const architectures = config.array('architectures', { default: [] });
  const architecture = typeof architectures[0] === 'string' ? architectures[0] : '';
  // The files of 2019 name no type. RoBERTa's tensors have the names of BERT's, so the class must not say otherwise.
  const model_type = config.string('model_type', { default: /^(Bert|$)/.test(architecture) ? 'bert' : architecture });
  if (model_type !== 'bert' && model_type !== 'dpr') {
    throw new GlassbertError('E_ARCHITECTURE', 'models of this type are not supported', {
      file: config.file,
      expected: '"bert" or "dpr"',
      found: architecture === '' ? quote(model_type) : `${quote(model_type)} (${quote(architecture)})`,
    });
  }
  if (architecture === 'DPRReader') {
    throw new GlassbertError('E_ARCHITECTURE', 'a DPR reader gives no embeddings', {
      file: config.file,
      expected: 'DPRQuestionEncoder or DPRContextEncoder',
      found: architecture,
    });
  }
  for (const key of ['is_decoder', 'add_cross_attention']) {
    if (config.boolean(key, { default: false })) {
      throw new GlassbertError('E_ARCHITECTURE', `"${key}": true is not supported: this is a decoder`, {
        file: config.file,
      });
    }
  }
  if (config.boolean('is_causal', { default: false })) {
    // PyTorch's attention takes it where it has no mask, and a batch without padding has none.
    throw new GlassbertError('E_ARCHITECTURE', '"is_causal": true is not supported', {
      file: config.file,
      hint: 'Python then hides later tokens from texts of one length, and not from those that are padded: remove the key.',
    });
  }
  config.string('position_embedding_type', { oneOf: ['absolute'], default: 'absolute' });
  config.string('feed_forward_type', { oneOf: ['original'], default: 'original' }); // of JinaBERT, which has a type of BERT
  config.neverNull(NEVER_NULL);
  for (const [key, why, hint] of REFUSED_KEYS) {
    if (isEmpty(config.raw(key))) continue;
    throw new GlassbertError('E_CONFIG', `"${key}" is not supported: ${why}`, { file: config.file, hint });
  }

  const hidden_size = config.integer('hidden_size', { min: 1, max: 16384 });
  const num_attention_heads = config.integer('num_attention_heads', { min: 1, max: 256 });
  if (hidden_size % num_attention_heads !== 0) {
    throw new GlassbertError('E_CONFIG', '"hidden_size" is not a multiple of "num_attention_heads"', {
      file: config.file,
      found: `${hidden_size} and ${num_attention_heads}`,
    });
  }
  return {
    model_type,
    architecture,
    vocab_size: config.integer('vocab_size', { min: 1, max: 2_000_000 }),
    hidden_size,
    num_hidden_layers: config.integer('num_hidden_layers', { min: 0, max: 512 }),
    num_attention_heads,
    intermediate_size: config.integer('intermediate_size', { min: 1, max: 65536 }),
    hidden_act: config.string('hidden_act', { oneOf: [...ACTIVATIONS.keys()], default: 'gelu' }),
    layer_norm_eps: config.number('layer_norm_eps', { min: 0, max: 1, exclusive: true, default: 1e-12 }),
    max_position_embeddings: config.integer('max_position_embeddings', { min: 1, max: MAX_POSITIONS }),
    type_vocab_size: config.integer('type_vocab_size', { min: 1, max: 16, default: 2 }),
    projection_dim: config.integer('projection_dim', { min: 0, max: 16384, default: 0 }),
  };
}

/** Of the heads that transformers has for BERT, those that a model is trained with to judge a text, not to embed it. */
const CLASSIFIER =
  /For(SequenceClassification|TokenClassification|MultipleChoice|QuestionAnswering|NextSentencePrediction)$/;

/** What in config.json says that the model was trained to classify texts or to score pairs; null where nothing does. */
export function signOfClassifier(config: Fields): string | null {
  const architectures = config.raw('architectures'); // of a configuration that may have been refused
  const head = [architectures].flat().find(name => typeof name === 'string' && CLASSIFIER.test(name));
  if (head !== undefined) return `"architectures" of config.json names ${quote(String(head))}`;
  // What CrossEncoder writes, since sentence-transformers 4 and before.
  if (config.has('sentence_transformers')) {
    const own = config.raw('sentence_transformers');
    if (typeof own === 'object' && 'activation_fn' in own)
      return 'config.json has "sentence_transformers.activation_fn"';
  }
  const legacy = 'sbert_ce_default_activation_function';
  return config.has(legacy) ? `config.json has "${legacy}"` : null;
}

/** Absent, null, {} or []. */
function isEmpty(value: Json | undefined): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}
