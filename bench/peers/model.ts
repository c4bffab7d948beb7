/**
 * One model for everybody: the shape of all-MiniLM-L6-v2 with random weights, as a Sentence Transformers directory and as
 * the ONNX graphs of `graphs/`, whose weights lie in a file beside them.
 *
 *   f32/                       glassbert, transformers.js with dtype fp32
 *     model.safetensors, config.json, modules.json, 1_Pooling/, sentence_bert_config.json, tokenizer.json ...
 *     onnx/model.onnx, onnx/weights.bin
 *   q8/                        transformers.js with dtype q8
 *     config.json, tokenizer.json ...
 *     onnx/model_quantized.onnx, onnx/weights.bin
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serializeSafetensors, type TensorToWrite } from '../../src/io/safetensors.ts';
import { random } from '../../test/support/random.ts';
import { MINI_LM } from '../random-bert.ts';

const GRAPHS = join(import.meta.dirname, 'graphs');
const ROOT = join(import.meta.dirname, '..', '..');

/** The first that is there: the tokenizer is the genuine one, or that of the model in this repository. */
const TOKENIZERS = [
  join(ROOT, '..', 'shared', 'real-directory', 'all-MiniLM-L6-v2'),
  join(ROOT, 'models', 'glassbert-mini'),
];

/** The table beside a graph: what its weights.bin holds where. */
interface Table {
  readonly bytes: number;
  readonly initializers: readonly Initializer[];
}

interface Initializer {
  /** Its name in the checkpoint. */
  readonly tensor: string;
  readonly how: 'none' | 'transpose' | 'int8 of transpose' | 'scale of int8';
  readonly shape: readonly number[];
  readonly offset: number;
}

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Model {
  /** The file whose tokenizer all use. */
  readonly tokenizer: string;
  /** Words that are one token each. */
  readonly words: readonly string[];
  /** Of model.safetensors. */
  readonly weightBytes: number;
}

/** Writes f32/ and q8/ into the directory. */
export function writeModel(directory: string): Model {
  const [f32, q8] = [readTable('minilm-f32'), readTable('minilm-q8')];
  const tensors = randomTensors(f32);
  const weights = serializeSafetensors(
    new Map([...tensors].map(([name, tensor]): [string, TensorToWrite] => [name, { dtype: 'F32', ...tensor }])),
    { format: 'pt' },
  );
  const source = TOKENIZERS.find(candidate => existsSync(join(candidate, 'tokenizer.json')));
  if (source === undefined) throw new Error(`there is no tokenizer at ${TOKENIZERS.join(' or ')}`);

  for (const [name, graph, table] of [
    ['f32', 'model.onnx', f32],
    ['q8', 'model_quantized.onnx', q8],
  ] as const) {
    const at = join(directory, name);
    mkdirSync(join(at, 'onnx'), { recursive: true });
    copyFileSync(join(GRAPHS, `minilm-${name}.onnx`), join(at, 'onnx', graph));
    writeFileSync(join(at, 'onnx', 'weights.bin'), weightsOf(table, tensors));
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) copyFileSync(join(source, file), join(at, file));
    writeJson(join(at, 'config.json'), { ...MINI_LM, architectures: [MINI_LM.architecture] });
  }

  const glass = join(directory, 'f32');
  mkdirSync(join(glass, '1_Pooling'));
  mkdirSync(join(glass, '2_Normalize'));
  writeFileSync(join(glass, 'model.safetensors'), weights);
  writeJson(join(glass, 'sentence_bert_config.json'), { max_seq_length: 256, do_lower_case: false });
  writeJson(join(glass, '1_Pooling', 'config.json'), {
    word_embedding_dimension: MINI_LM.hidden_size,
    pooling_mode_mean_tokens: true,
  });
  writeJson(
    join(glass, 'modules.json'),
    [
      ['', 'Transformer'],
      ['1_Pooling', 'Pooling'],
      ['2_Normalize', 'Normalize'],
    ].map(([path, type], idx) => ({ idx, name: `${idx}`, path, type: `sentence_transformers.models.${type}` })),
  );

  const tokenizer = join(source, 'tokenizer.json');
  const { vocab } = JSON.parse(readFileSync(tokenizer, 'utf8')).model;
  const words = Object.keys(vocab).filter(token => /^[a-z]{3,}$/.test(token));
  return { tokenizer, words, weightBytes: weights.length };
}

/** The tensors of the checkpoint: scales of 1, all else with deviation 0.02 as BERT is initialized. */
function randomTensors({ initializers }: Table): Map<string, Tensor> {
  const { real } = random(1);
  return new Map(
    initializers.map(({ tensor, how, shape }) => {
      const data = new Float32Array(sizeOf(shape));
      if (tensor.endsWith('LayerNorm.weight')) data.fill(1);
      else for (let i = 0; i < data.length; i++) data[i] = 0.07 * (real() - 0.5);
      return [tensor, { shape: how === 'transpose' ? [...shape].reverse() : shape, data }];
    }),
  );
}

/** weights.bin of a graph. */
function weightsOf({ bytes, initializers }: Table, tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const file = new Uint8Array(bytes);
  for (const { tensor: name, how, offset } of initializers) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`the tables of the graphs disagree about ${name}`);
    const { data } = derive(tensor, how);
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
  }
  return file;
}

function derive({ shape, data }: Tensor, how: Initializer['how']): { data: Float32Array | Int8Array } {
  switch (how) {
    case 'none':
      return { data };
    case 'transpose':
      return { data: transpose(shape, data) };
    case 'int8 of transpose': {
      const scale = int8Scale(data);
      return { data: Int8Array.from(transpose(shape, data), value => Math.round(value / scale)) };
    }
    case 'scale of int8':
      return { data: Float32Array.of(int8Scale(data)) };
  }
}

function transpose([rows, columns]: readonly number[], data: Float32Array): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return out;
}

/** One for the whole tensor, as quantize_dynamic has it. */
function int8Scale(data: Float32Array): number {
  return Math.fround(data.reduce((max, value) => Math.max(max, Math.abs(value)), 0) / 127);
}

function readTable(graph: string): Table {
  return JSON.parse(readFileSync(join(GRAPHS, `${graph}.json`), 'utf8'));
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value, null, 2));
}
