/** Weights that a model cannot be made of, though the format allows them. What the format refuses: safetensors.ts. */
import type { TensorToWrite } from '../../src/io/safetensors.ts';
import type { Case, Model } from './case.ts';

type Tensors = Map<string, TensorToWrite>;

const tensors = (
  name: string,
  code: Case['code'],
  change: (tensors: Tensors) => void,
  more: Partial<Case> = {},
): Case => ({
  name: `model.safetensors: ${name}`,
  code,
  make: (model: Model) => model.editTensors(change),
  ...more,
});

const WORDS = 'embeddings.word_embeddings.weight';
const BIAS = 'encoder.layer.0.output.dense.bias';

const number =
  (value: number) =>
  (all: Tensors): void => {
    const { data } = all.get(BIAS) as TensorToWrite;
    new DataView(data.buffer, data.byteOffset).setFloat32(4, value, true);
  };

const replaced =
  (name: string, change: (tensor: TensorToWrite) => TensorToWrite) =>
  (all: Tensors): void => {
    all.set(name, change(all.get(name) as TensorToWrite));
  };

export const WEIGHTS: readonly Case[] = [
  tensors('no tensor at all', 'E_TENSOR_MISSING', all => all.clear()),
  ...['embeddings.', 'encoder.layer.1.', BIAS, WORDS].map(prefix =>
    tensors(`no ${prefix}*`, 'E_TENSOR_MISSING', all => {
      for (const name of [...all.keys()]) if (name.startsWith(prefix)) all.delete(name);
    }),
  ),
  tensors(
    'a matrix that lies on its side',
    'E_TENSOR_SHAPE',
    replaced('encoder.layer.0.intermediate.dense.weight', t => ({ ...t, shape: t.shape.toReversed() })),
  ),
  tensors(
    'a matrix laid out in a row',
    'E_TENSOR_SHAPE',
    replaced(WORDS, t => ({ ...t, shape: [t.shape.reduce((a, b) => a * b)] })),
  ),
  tensors(
    'a vector with a dimension more',
    'E_TENSOR_SHAPE',
    replaced(BIAS, t => ({ ...t, shape: [...t.shape, 1] })),
  ),
  tensors(
    'a table of no rows',
    'E_TENSOR_SHAPE',
    replaced(WORDS, t => ({ ...t, shape: [0, 32], data: new Uint8Array() })),
  ),
  ...(['I32', 'U32'] as const).map(dtype =>
    tensors(
      `floats said to be ${dtype}`,
      'E_TENSOR_DTYPE',
      replaced(WORDS, t => ({ ...t, dtype })),
    ),
  ),
  tensors(
    'floats said to be F8',
    'E_TENSOR_DTYPE',
    replaced(BIAS, t => ({ dtype: 'F8_E4M3', shape: t.shape, data: new Uint8Array(32) })),
  ),
  tensors('NaN', 'E_TENSOR_VALUE', number(Number.NaN)),
  tensors('an infinity', 'E_TENSOR_VALUE', number(Number.POSITIVE_INFINITY)),
  tensors('minus infinity', 'E_TENSOR_VALUE', number(Number.NEGATIVE_INFINITY)),
  tensors(
    'F16 with an infinity',
    'E_TENSOR_VALUE',
    replaced(BIAS, t => ({ dtype: 'F16', shape: t.shape, data: new Uint16Array(32).fill(0x7c00) })),
  ),
  tensors(
    'BF16 with NaN',
    'E_TENSOR_VALUE',
    replaced(BIAS, t => ({ dtype: 'BF16', shape: t.shape, data: new Uint16Array(32).fill(0x7fc0) })),
  ),
  tensors(
    'F64 beyond f32',
    'E_TENSOR_VALUE',
    replaced(BIAS, t => ({ dtype: 'F64', shape: t.shape, data: new Float64Array(32).fill(1e300) })),
  ),
  tensors('-0, subnormal and the largest numbers', 'loads', all => {
    number(-0)(all);
    number(1e-45)(all);
  }),
  tensors('two encoders', 'E_TENSOR_DUPLICATE', all => {
    for (const [name, tensor] of [...all]) all.set(`bert.${name}`, tensor);
  }),
  tensors('a layer more than the configuration says', 'E_CONFIG', all => {
    for (const [name, tensor] of [...all])
      if (name.includes('.layer.1.')) all.set(name.replace('.layer.1.', '.layer.2.'), tensor);
  }),
  tensors(
    'a thousand tensors that no BERT has',
    'loads',
    all => {
      for (let i = 0; i < 1000; i++) all.set(`evil.${i}`, { dtype: 'U8', shape: [0], data: new Uint8Array() });
    },
    { warning: 'W_TENSORS_UNUSED' },
  ),
  tensors(
    'tensors named __proto__, constructor and with a terminal escape',
    'loads',
    all => {
      for (const name of ['__proto__', 'constructor', '\u001b[2J', ''])
        all.set(name, { dtype: 'U8', shape: [0], data: new Uint8Array() });
    },
    { warning: 'W_TENSORS_UNUSED' },
  ),
];
