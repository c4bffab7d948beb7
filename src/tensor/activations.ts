/**
 * The activation functions that BERT configurations (`hidden_act`) and Dense modules name.
 *
 * Reference: transformers 5.18 `activations.py` (ACT2FN) and torch.nn.modules.activation 2.13, whose defaults are used:
 * Sentence Transformers constructs them without arguments.
 *
 * Numerics. Each value is computed in f64 with the functions of elementary.ts and rounded to the element type once. "gelu"
 * is the exact one, by erf; the tanh approximations have names of their own and differ from it by up to 5e-4.
 */
import { erf, exp, expm1, log1p, tanh } from './elementary.ts';
import type { Floats } from './tensor.ts';

export type Activation = (x: number) => number;

const SQRT_2_OVER_PI = 0.7978845608028654;

const sigmoid: Activation = x => (x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)));
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** x Phi(x), Phi the normal distribution function. Hendrycks, Gimpel 2016 (arXiv:1606.08415), section 2. */
const gelu: Activation = x => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

/** The tanh approximation of the same paper. */
const geluTanh: Activation = x => 0.5 * x * (1 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));

/** log(1 + e^x), linear beyond 20 as torch.nn.Softplus has it. */
const softplus: Activation = x => (x > 20 ? x : log1p(exp(x)));

const silu: Activation = x => x * sigmoid(x);
const relu: Activation = x => Math.max(x, 0);
const elu: Activation = x => (x > 0 ? x : expm1(x));

/** By the names of `hidden_act` in config.json, of those that transformers 5 has. */
export const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['gelu', gelu],
  ['gelu_python', gelu],
  ['gelu_new', geluTanh],
  ['gelu_fast', x => 0.5 * x * (1 + tanh(0.7978845608 * x * (1 + 0.044715 * x * x)))], // ten digits, as it is defined
  ['gelu_accurate', geluTanh],
  ['gelu_pytorch_tanh', geluTanh],
  ['gelu_python_tanh', geluTanh],
  ['gelu_10', x => clamp(gelu(x), -10, 10)],
  ['quick_gelu', x => x * sigmoid(1.702 * x)],
  ['relu', relu],
  ['relu2', x => relu(x) * relu(x)],
  ['relu6', x => clamp(x, 0, 6)],
  ['leaky_relu', x => (x > 0 ? x : 0.01 * x)],
  ['silu', silu],
  ['swish', silu],
  ['mish', x => x * tanh(softplus(x))],
  ['tanh', tanh],
  ['sigmoid', sigmoid],
  ['linear', x => x],
]);

/** By the class names that Dense modules save as `activation_function`. */
export const TORCH_ACTIVATIONS: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['torch.nn.modules.linear.Identity', x => x],
  ['torch.nn.modules.activation.Tanh', tanh],
  ['torch.nn.modules.activation.ReLU', relu],
  ['torch.nn.modules.activation.ReLU6', x => clamp(x, 0, 6)],
  ['torch.nn.modules.activation.GELU', gelu],
  ['torch.nn.modules.activation.Sigmoid', sigmoid],
  ['torch.nn.modules.activation.SiLU', silu],
  ['torch.nn.modules.activation.Mish', x => x * tanh(softplus(x))],
  ['torch.nn.modules.activation.ELU', elu],
  ['torch.nn.modules.activation.CELU', elu], // alpha 1: the same function
  ['torch.nn.modules.activation.SELU', x => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x))],
  ['torch.nn.modules.activation.LeakyReLU', x => (x > 0 ? x : 0.01 * x)],
  ['torch.nn.modules.activation.Softplus', softplus],
  ['torch.nn.modules.activation.Softsign', x => x / (1 + Math.abs(x))],
  ['torch.nn.modules.activation.LogSigmoid', x => -softplus(-x)],
  ['torch.nn.modules.activation.Hardtanh', x => clamp(x, -1, 1)],
  ['torch.nn.modules.activation.Softshrink', x => (x > 0.5 ? x - 0.5 : x < -0.5 ? x + 0.5 : 0)],
  ['torch.nn.modules.activation.Hardshrink', x => (x > 0.5 || x < -0.5 ? x : 0)],
  ['torch.nn.modules.activation.Hardsigmoid', x => clamp(x + 3, 0, 6) / 6],
  ['torch.nn.modules.activation.Hardswish', x => (x * clamp(x + 3, 0, 6)) / 6],
  ['torch.nn.modules.activation.Tanhshrink', x => x - tanh(x)],
]);

/** x[i] = activation(x[i]) for the first `length` elements. */
export function activate(x: Floats, activation: Activation, length: number): void {
  for (let i = 0; i < length; i++) x[i] = activation(x[i]);
}
