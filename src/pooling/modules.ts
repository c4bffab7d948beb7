/**
 * The modules that may follow the pooling: Dense, LayerNorm, Normalize, Dropout. Each takes the vectors of a batch, [B, D],
 * and gives vectors, [B, D'].
 *
 * Reference: base/modules/dense.py, base/modules/normalize.py and sentence_transformer/modules/layer_norm.py of
 * sentence-transformers 6.0.1.
 */
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import type { Fields } from '../io/json-fields.ts';
import { formOf, TensorPlan, type Weights } from '../io/weights.ts';
import { activate, TORCH_ACTIVATIONS } from '../tensor/activations.ts';
import type { Kernels, Linear } from '../tensor/kernels.ts';
import type { Floats } from '../tensor/tensor.ts';

export interface VectorModule {
  readonly kind: 'Dense' | 'LayerNorm' | 'Normalize' | 'Dropout' | 'Projection';
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** One line for the load report, such as `Dense 768 -> 512, torch.nn.modules.activation.Tanh`. */
  readonly summary: string;
  /** x [B, inFeatures] -> [B, outFeatures], both in the memory of the kernels. */
  run(x: Floats, B: number): Floats;
}

/** The widest vectors. */
export const MAX_FEATURES = 65536;
const TANH = 'torch.nn.modules.activation.Tanh';

/**
 * y = activation(x Wᵀ + b), plus x (or x Rᵀ where the widths differ) with `use_residual`.
 *
 * @param D - the width of the vectors that arrive
 * @throws E_CONFIG, E_MODULE, and what TensorPlan throws
 */
export async function loadDense(k: Kernels, config: Fields, weights: Weights, D: number): Promise<VectorModule> {
  checkNames(config);
  // Without a bias is what None means there, and of an activation it is an error.
  config.neverNull(['bias', 'activation_function']);
  const inFeatures = config.integer('in_features', { min: 1, max: MAX_FEATURES });
  const outFeatures = config.integer('out_features', { min: 1, max: MAX_FEATURES });
  const residual = config.boolean('use_residual', { default: false });
  // An absent key means Tanh, the constructor's default.
  const name = config.string('activation_function', { oneOf: [...TORCH_ACTIVATIONS.keys()], default: TANH });
  const activation = TORCH_ACTIVATIONS.get(name) as (x: number) => number;
  checkWidth('in_features', inFeatures, D, config.file);

  const plan = new TensorPlan(weights, '', k);
  const linear = plan.linear('linear', outFeatures, inFeatures, { bias: config.boolean('bias', { default: true }) });
  const project =
    residual && inFeatures !== outFeatures ? plan.linear('residual', outFeatures, inFeatures, { bias: false }) : null;
  await plan.read();
  refuseUnused(plan);

  return {
    kind: 'Dense',
    inFeatures,
    outFeatures,
    summary: `Dense ${inFeatures} -> ${outFeatures}, ${name}${residual ? ', residual' : ''}`,
    run(x, B) {
      const out = k.floats(B, outFeatures);
      k.linear(out, x, linear, B);
      activate(out, activation, B * outFeatures);
      if (!residual) return out;
      let beside = x;
      if (project !== null) {
        beside = k.floats(B, outFeatures);
        k.linear(beside, x, project, B);
      }
      for (let i = 0; i < out.length; i++) out[i] += beside[i];
      return out;
    },
  };
}

/** torch.nn.LayerNorm over each vector, with its default epsilon. */
export async function loadLayerNorm(k: Kernels, config: Fields, weights: Weights, D: number): Promise<VectorModule> {
  config.only(['dimension']); // the reference library fails on others
  const dimension = config.integer('dimension', { min: 1, max: MAX_FEATURES });
  checkWidth('dimension', dimension, D, config.file);
  const plan = new TensorPlan(weights, '', k);
  const norm = plan.layerNorm('norm', dimension, 1e-5);
  await plan.read();
  refuseUnused(plan);
  return {
    kind: 'LayerNorm',
    inFeatures: dimension,
    outFeatures: dimension,
    summary: `LayerNorm ${dimension}`,
    run(x, B) {
      const out = k.floats(B, dimension);
      k.layerNorm(out, x, null, norm, B);
      return out;
    },
  };
}

/** A linear layer alone, as DPR has it after its first token. */
export function projectionModule(k: Kernels, linear: Linear, name: string): VectorModule {
  const { inFeatures, outFeatures } = linear;
  return {
    kind: 'Projection',
    inFeatures,
    outFeatures,
    summary: `${name} ${inFeatures} -> ${outFeatures}`,
    run(x, B) {
      const out = k.floats(B, outFeatures);
      k.linear(out, x, linear, B);
      return out;
    },
  };
}

export function normalizeModule(k: Kernels, config: Fields, D: number): VectorModule {
  config.only(['module_input_name', 'module_output_name']);
  checkNames(config);
  return {
    kind: 'Normalize',
    inFeatures: D,
    outFeatures: D,
    summary: 'Normalize to length 1',
    run(x, B) {
      const out = k.floats(B, D);
      out.set(x);
      normalize(out, B, D);
      return out;
    },
  };
}

/** For training; nothing is dropped here. */
export function dropoutModule(D: number): VectorModule {
  return {
    kind: 'Dropout',
    inFeatures: D,
    outFeatures: D,
    summary: 'Dropout (nothing at inference)',
    run: x => x,
  };
}

/**
 * Each row divided by its length, x / max(|x|, 1e-12), in place. Reference: torch.nn.functional.normalize. The squares are
 * summed in f64 in column order, each element rounded once.
 *
 * @param x - [B, D]
 */
export function normalize(x: Floats, B: number, D: number): void {
  for (let b = 0; b < B; b++) {
    let squares = 0;
    for (let d = 0; d < D; d++) squares += x[b * D + d] * x[b * D + d];
    const length = Math.max(Math.sqrt(squares), 1e-12);
    for (let d = 0; d < D; d++) x[b * D + d] /= length;
  }
}

/** Python fails on tensors that a module does not have: its configuration is of another, or its weights are of another form. */
function refuseUnused(plan: TensorPlan): void {
  if (!plan.isWhole) return;
  const [name, ...others] = plan.unused();
  if (name === undefined) return;
  const form = formOf(name);
  throw new GlassbertError(form?.code ?? 'E_CONFIG', 'the weights hold tensors that the module does not have', {
    file: plan.weights.fileOf(name),
    found: quote(name) + (others.length > 0 ? `, and ${others.length} more` : ''),
    hint: form?.hint ?? 'config.json and the weights are not of the same module: copy them together.',
  });
}

/** Modules may be told to work on something other than the sentence vector; here they do not. */
function checkNames(config: Fields): void {
  config.neverNull(['module_input_name']);
  for (const key of ['module_input_name', 'module_output_name']) {
    config.string(key, { oneOf: ['sentence_embedding'], default: 'sentence_embedding' });
  }
}

function checkWidth(key: string, width: number, D: number, file: string): void {
  if (width === D) return;
  throw new GlassbertError('E_MODULE', `"${key}" does not fit the module before it`, {
    file,
    expected: `${D}`,
    found: `${width}`,
    hint: 'The modules are of different models, or the pooling was overridden by one of another width.',
  });
}
