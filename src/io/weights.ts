/**
 * The weights of one module: `model.safetensors`, or the shards that `model.safetensors.index.json` lists, as one set of
 * named tensors. And how a model takes what it needs from them: it says every name and shape first, and only when all are
 * there is anything read.
 */
import { GlassbertError, type Refuse, refuseFirst } from '../errors.ts';
import type { Halves, Kernels, LayerNorm, Linear } from '../tensor/kernels.ts';
import { type Floats, formatShape, sizeOf } from '../tensor/tensor.ts';
import { isFloatDtype, valuesOfHalves } from './dtypes.ts';
import type { ModelFiles } from './files.ts';
import { parseJson, quote } from './json.ts';
import { type Fields, fields } from './json-fields.ts';
import { openSafetensors, type SafetensorsFile, type TensorInfo } from './safetensors.ts';

export interface Weights {
  /** The files, by their names in the directory. */
  readonly files: readonly string[];
  /** The path of the file, or of the index of the shards. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The index of the shards, where there is one. */
  readonly index?: Fields;
  /** Takes what is wrong with the tensors. */
  readonly refuse: Refuse;
  /** The path of the file that a tensor lies in, for errors. */
  fileOf(name: string): string;
  readFloats(name: string, into: Floats): Promise<void>;
  /** The elements as they lie in the file. */
  readInto(name: string, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';
const MAX_INDEX_BYTES = 16 * 2 ** 20; // the index of a model with 100,000 tensors has 10 MB
const MAX_SHARDS = 256; // the largest published models have under 200

/** A shard lies beside its index. */
const SHARD_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/;

/**
 * @param path - the module's directory inside the model's: '' or '2_Dense'
 * @throws E_FILE_MISSING, E_PICKLE_REFUSED, E_WEIGHTS_PLACEHOLDER when there are no safetensors; E_PATH_UNSAFE,
 *   E_TENSOR_DUPLICATE, E_TENSOR_MISSING when shards and index do not fit; and as openSafetensors
 * @param refuse - takes what is wrong with single shards and tensors; the shards that are left are opened
 */
export async function openWeights(files: ModelFiles, path: string, refuse: Refuse = refuseFirst): Promise<Weights> {
  const at = (name: string): string => (path === '' ? name : `${path}/${name}`);
  if (await files.has(at(SINGLE))) return openShards(files, [at(SINGLE)], files.pathOf(at(SINGLE)), refuse);
  if (!(await files.has(at(INDEX)))) throw await noWeights(files, path);

  const file = files.pathOf(at(INDEX));
  const index = fields(parseJson(await files.read(at(INDEX), MAX_INDEX_BYTES), file), file);
  const map = index.object('weight_map');
  const shardOf = new Map(map.keys.map(tensor => [tensor, map.string(tensor)]));
  const shards = [...new Set(shardOf.values())].filter(shard => {
    if (SHARD_NAME.test(shard)) return true;
    const error = new GlassbertError('E_PATH_UNSAFE', 'the index names a shard that does not lie beside it', {
      file,
      expected: 'a plain name that ends in .safetensors',
      found: quote(shard),
      hint: 'No genuine index does this. Do not trust this directory.',
    });
    refuse(error);
    return false;
  });
  if (shards.length > MAX_SHARDS) {
    throw new GlassbertError('E_TENSOR_DUPLICATE', 'the index lists more shards than any model has', {
      file,
      expected: `at most ${MAX_SHARDS}`,
      found: `${shards.length}`,
    });
  }

  const weights = await openShards(files, shards.map(at), file, refuse);
  try {
    checkIndex(weights, shardOf, files, at, file);
    return { ...weights, index };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

async function openShards(files: ModelFiles, names: readonly string[], file: string, refuse: Refuse): Promise<Weights> {
  const shards: SafetensorsFile[] = [];
  const opened: string[] = [];
  const tensors = new Map<string, TensorInfo>();
  const shardOf = new Map<string, number>();
  const close = async (): Promise<void> => {
    await Promise.all(shards.map(shard => shard.close()));
  };
  try {
    for (const name of names) {
      const shard = await openShard(files, name).catch(refuse);
      if (!shard) continue;
      shards.push(shard);
      opened.push(name);
      for (const [tensor, info] of shard.tensors) {
        const earlier = shardOf.get(tensor);
        if (earlier !== undefined) {
          const error = new GlassbertError('E_TENSOR_DUPLICATE', `the tensor ${quote(tensor)} is in two shards`, {
            file: files.pathOf(name),
            found: `it is also in ${opened[earlier]}`,
          });
          refuse(error);
          continue;
        }
        shardOf.set(tensor, shards.length - 1);
        tensors.set(tensor, info);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  const shard = (name: string): number => shardOf.get(name) as number;
  return {
    files: opened,
    file,
    tensors,
    refuse,
    fileOf: name => files.pathOf(opened[shard(name)]),
    readFloats: async (name, into) => {
      await shards[shard(name)].readFloats(name, into);
    },
    readInto: (name, into) => shards[shard(name)].readInto(name, into),
    close,
  };
}

async function openShard(files: ModelFiles, name: string): Promise<SafetensorsFile> {
  return openSafetensors((await files.open(name)).handle, { file: files.pathOf(name) });
}

/** The index and the shards must say the same: what is listed is there, where it is listed, and nothing else is. */
function checkIndex(
  weights: Weights,
  shardOf: ReadonlyMap<string, string>,
  files: ModelFiles,
  at: (name: string) => string,
  file: string,
): void {
  const opened = new Set(weights.files);
  for (const [tensor, shard] of shardOf) {
    if (!opened.has(at(shard))) continue; // refused as a whole
    const there = weights.tensors.has(tensor);
    if (there && weights.fileOf(tensor) === files.pathOf(at(shard))) continue;
    const error = new GlassbertError(
      'E_TENSOR_MISSING',
      `the tensor ${quote(tensor)} is not in the shard the index names`,
      {
        file,
        expected: shard,
        found: there ? weights.fileOf(tensor) : 'nowhere',
        hint: 'Index and shards are of different models or versions: copy them again, together.',
      },
    );
    weights.refuse(error);
  }
  for (const tensor of weights.tensors.keys()) {
    if (shardOf.has(tensor)) continue;
    const error = new GlassbertError(
      'E_TENSOR_DUPLICATE',
      `the tensor ${quote(tensor)} is in a shard but not in the index`,
      {
        file: weights.fileOf(tensor),
        hint: 'Index and shards are of different models or versions: copy them again, together.',
      },
    );
    weights.refuse(error);
  }
}

/** Why there are no safetensors, as exactly as the other files tell. */
async function noWeights(files: ModelFiles, path: string): Promise<GlassbertError> {
  const file = files.pathOf(path === '' ? SINGLE : `${path}/${SINGLE}`);
  const names: string[] = await files.list(path === '' ? undefined : path).catch(() => []);
  const like = (pattern: RegExp): string | undefined => names.find(name => pattern.test(name));

  const partial = like(/\.(incomplete|part|crdownload|download|aria2|tmp)$/i);
  if (partial !== undefined) {
    return new GlassbertError('E_WEIGHTS_PLACEHOLDER', 'the weights are not there, only a download that did not end', {
      file,
      found: partial,
      hint: 'Download the file again until it is complete.',
    });
  }
  const shard = like(/-[0-9]+-of-[0-9]+\.safetensors$/);
  if (shard !== undefined) {
    return new GlassbertError('E_FILE_MISSING', 'the index of the shards is not there', {
      file: files.pathOf(path === '' ? INDEX : `${path}/${INDEX}`),
      found: shard,
      hint: 'Copy the whole model directory.',
    });
  }
  const pickle = like(/\.(bin|pt|pth|ckpt|pkl)$/i);
  if (pickle !== undefined) {
    return new GlassbertError('E_PICKLE_REFUSED', 'the only weights are a Python pickle, and a pickle is a program', {
      file: files.pathOf(path === '' ? pickle : `${path}/${pickle}`),
      expected: SINGLE,
      hint:
        'Where you trust the file and have Python: SentenceTransformer(directory).save(new_directory) writes ' +
        'model.safetensors. Most models on the Hugging Face hub have one already.',
    });
  }
  const other = like(/\.(h5|msgpack|onnx|ot|gguf)$/i) ?? (names.includes('onnx') ? 'onnx/' : undefined);
  return new GlassbertError('E_FILE_MISSING', 'the weights are not there', {
    file,
    expected: `${SINGLE}, or ${INDEX} with its shards`,
    found: other ?? (names.length === 0 ? 'no files' : `${names.length} other files`),
    hint: other === undefined ? 'Copy the whole model directory.' : 'Only safetensors are read.',
  });
}

// ---------------------------------------------------------------------------------------------------------------------

/** How many of many problems an error lists. */
const LISTED = 5;

/**
 * What a model needs of its weights. Each call registers a tensor and returns the array it will stand in; `read` then
 * either fills them all or says everything that is wrong. A tensor that is absent or has another shape allocates nothing,
 * so a configuration cannot make this allocate more than the files hold.
 */
export class TensorPlan {
  readonly weights: Weights;
  /** The tensors asked for so far that are there, by their names in the files. */
  readonly taken: Set<string> = new Set();
  private readonly prefix: string;
  private readonly kernels: Kernels;
  private readonly reads: { name: string; into: Floats | Halves; linear?: Linear }[] = [];
  private readonly missing: string[] = [];
  private readonly misshapen: string[] = [];
  private readonly notFloats: string[] = [];

  /**
   * @param prefix - stands before every name in the files: 'bert.'
   * @param kernels - whose memory the tensors are read into
   */
  constructor(weights: Weights, prefix: string, kernels: Kernels) {
    this.weights = weights;
    this.prefix = prefix;
    this.kernels = kernels;
  }

  has(name: string): boolean {
    return this.weights.tensors.has(this.prefix + name);
  }

  tensor(name: string, ...shape: number[]): Floats {
    const full = this.prefix + name;
    if (!this.isThere(full, shape)) return this.kernels.floats(0);
    const into = this.allocate(shape, full);
    this.reads.push({ name: full, into });
    return into;
  }

  /** A tensor [V, D] of which single rows are looked up: floats of 16 bits are kept as they are. */
  table(name: string, V: number, D: number): Floats | Halves {
    const full = this.prefix + name;
    const dtype = this.weights.tensors.get(full)?.dtype;
    if (dtype !== 'F16' && dtype !== 'BF16') return this.tensor(name, V, D);
    if (!this.isThere(full, [V, D])) return this.kernels.floats(0);
    const room = this.allocate([V, Math.ceil(D / 2)], full);
    // A plan that is not carried out (completeness) has kernels without memory.
    const codes = new Uint16Array(room.buffer, room.byteOffset, Math.min(V * D, room.byteLength / 2));
    const into = { codes, values: valuesOfHalves(dtype) };
    this.reads.push({ name: full, into });
    return into;
  }

  /** Registers a tensor, or what is wrong with it. */
  private isThere(full: string, shape: readonly number[]): boolean {
    const info = this.weights.tensors.get(full);
    if (info !== undefined) this.taken.add(full);
    if (info === undefined) {
      this.missing.push(`${full} ${formatShape(shape)}`);
    } else if (formatShape(info.shape) !== formatShape(shape)) {
      this.misshapen.push(`${full}: expected ${formatShape(shape)}, found ${formatShape(info.shape)}`);
    } else if (!isFloatDtype(info.dtype)) {
      this.notFloats.push(`${full}: ${info.dtype}`);
    } else {
      return true;
    }
    return false;
  }

  private allocate(shape: readonly number[], name: string): Floats {
    try {
      return this.kernels.floats(shape[0], sizeOf(shape.slice(1)));
    } catch (cause) {
      const found = `${name} ${formatShape(shape)}`;
      throw new GlassbertError('E_MEMORY', 'a tensor does not fit into memory', {
        file: this.weights.file,
        found,
        cause,
      });
    }
  }

  /** The tensors in the files that nothing has taken, sorted. */
  unused(): string[] {
    return [...this.weights.tensors.keys()].filter(name => !this.taken.has(name)).sort();
  }

  /** `name.weight` [F, D] and `name.bias` [F]. */
  linear(name: string, F: number, D: number, options: { bias?: boolean } = {}): Linear {
    const linear = {
      weight: this.tensor(`${name}.weight`, F, D),
      bias: options.bias === false ? null : this.tensor(`${name}.bias`, F),
      inFeatures: D,
      outFeatures: F,
    };
    // When both are there, the kernels may lay them out anew.
    const last = linear.bias ?? linear.weight;
    const read = this.reads.find(({ into }) => into === last);
    if (read) read.linear = linear;
    return linear;
  }

  /** `name.weight` and `name.bias`, [D] each; in checkpoints converted from TensorFlow before 2020 `gamma` and `beta`. */
  layerNorm(name: string, D: number, epsilon: number): LayerNorm {
    const legacy = !this.has(`${name}.weight`) && this.has(`${name}.gamma`);
    return {
      weight: this.tensor(`${name}.${legacy ? 'gamma' : 'weight'}`, D),
      bias: this.tensor(`${name}.${legacy ? 'beta' : 'bias'}`, D),
      epsilon,
    };
  }

  /**
   * Reads every registered tensor.
   *
   * @throws E_TENSOR_MISSING, E_TENSOR_SHAPE, E_TENSOR_DTYPE, E_TENSOR_VALUE, each with the first five and the count
   */
  async read(): Promise<void> {
    const file = this.weights.file;
    const refuse = (
      code: 'E_TENSOR_MISSING' | 'E_TENSOR_SHAPE' | 'E_TENSOR_DTYPE' | 'E_TENSOR_VALUE',
      what: string,
      problems: string[],
      hint: string,
    ): void => {
      if (problems.length === 0) return;
      const more = problems.length > LISTED ? `; and ${problems.length - LISTED} more` : '';
      const count = `${problems.length} tensor${problems.length === 1 ? '' : 's'}`;
      const summary = `${count} ${what}: ${problems.slice(0, LISTED).join('; ')}${more}`;
      this.weights.refuse(new GlassbertError(code, summary, { file, hint }));
    };
    refuse(
      'E_TENSOR_MISSING',
      'missing',
      this.missing,
      'The weights are of another model or were not saved whole; nothing is made up in their place.',
    );
    refuse(
      'E_TENSOR_SHAPE',
      'of the wrong shape',
      this.misshapen,
      'config.json and the weights are not of the same model.',
    );
    refuse(
      'E_TENSOR_DTYPE',
      'of an unsupported dtype',
      this.notFloats,
      'F64, F32, F16 and BF16 are. Quantized checkpoints are not supported.',
    );

    const broken: string[] = [];
    // The next tensor is on its way from the disk while this one is checked and laid out.
    const start = (i: number): Promise<void> | undefined => {
      const next = this.reads[i];
      const reading = next && this.fill(next.name, next.into);
      reading?.catch(() => {}); // told when it is awaited, unless an earlier one failed
      return reading;
    };
    let reading = start(0);
    for (const [i, { name, into, linear }] of this.reads.entries()) {
      await reading;
      reading = start(i + 1);
      const at = findNonFinite(into);
      if (at < 0) {
        if (linear) this.kernels.prepare(linear);
        continue;
      }
      const tooLarge = this.weights.tensors.get(name)?.dtype === 'F64' && into instanceof Float32Array;
      const value = 'codes' in into ? into.values[into.codes[at]] : into[at];
      broken.push(`${name} (element ${at} is ${value}${tooLarge ? ' as f32' : ''})`);
    }
    refuse(
      'E_TENSOR_VALUE',
      'with NaN or infinite elements',
      broken,
      "The file is damaged, or the training diverged. Compare its checksum with the publisher's.",
    );
  }

  private async fill(name: string, into: Floats | Halves): Promise<void> {
    if (!('codes' in into)) return this.weights.readFloats(name, into);
    const { buffer, byteOffset, byteLength } = into.codes;
    await this.weights.readInto(name, new Uint8Array(buffer, byteOffset, byteLength));
  }
}

/** The first NaN or infinity, -1 for none. In f32 these are the numbers whose exponent is all ones. */
function findNonFinite(x: Floats | Halves): number {
  if ('codes' in x) return x.codes.findIndex(code => !Number.isFinite(x.values[code]));
  if (x instanceof Float64Array) return x.findIndex(value => !Number.isFinite(value));
  const bits = new Int32Array(x.buffer, x.byteOffset, x.length);
  for (let i = 0; i < bits.length; i++) if ((bits[i] & 0x7f800000) === 0x7f800000) return i;
  return -1;
}
