/**
 * The weights of one module: `model.safetensors`, or the shards that `model.safetensors.index.json` lists, as one set of
 * named tensors. And how a model takes what it needs from them: it says every name and shape first, and only when all are
 * there is anything read.
 */
import { type ErrorCode, GlassbertError, printable, type Refuse, refuseFirst } from '../errors.ts';
import type { Halves, Kernels, LayerNorm, Linear } from '../tensor/kernels.ts';
import { type Floats, formatShape, sizeOf } from '../tensor/tensor.ts';
import { isFloatDtype, valuesOfHalves } from './dtypes.ts';
import { isPlainName, type ModelFiles, nameIn } from './files.ts';
import { parseJson, quote } from './json.ts';
import { type Fields, fields } from './json-fields.ts';
import { openSafetensors, type SafetensorsFile, type TensorInfo } from './safetensors.ts';
import { type HeaderBudget, headerBudget, MAX_TENSORS } from './safetensors-header.ts';
import { explainNoWeights, INDEX, SINGLE } from './weight-files.ts';

export { INDEX, SINGLE } from './weight-files.ts';

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

const MAX_INDEX_BYTES = 16 * 2 ** 20; // the index of a model with 100,000 tensors has 10 MB
const MAX_SHARDS = 256; // the largest published models have under 200

/** One budget for all weights of a directory: its shards, and its modules, count together. */
const budgets = new WeakMap<ModelFiles, HeaderBudget>();

/**
 * @param path - the module's directory inside the model's: '' or '2_Dense'
 * @throws E_FILE_MISSING, E_PICKLE_REFUSED, E_WEIGHTS_PLACEHOLDER when there are no safetensors; E_PATH_UNSAFE,
 *   E_TENSOR_DUPLICATE, E_TENSOR_MISSING when shards and index do not fit; and as openSafetensors
 * @param refuse - takes what is wrong with single shards and tensors; the shards that are left are opened
 */
export async function openWeights(files: ModelFiles, path: string, refuse: Refuse = refuseFirst): Promise<Weights> {
  const at = (name: string): string => nameIn(path, name);
  if (await files.has(at(SINGLE))) return openShards(files, [at(SINGLE)], files.pathOf(at(SINGLE)), refuse);
  if (!(await files.has(at(INDEX)))) throw await explainNoWeights(files, path);

  const file = files.pathOf(at(INDEX));
  const index = fields(parseJson(await files.read(at(INDEX), MAX_INDEX_BYTES), file), file);
  const map = index.object('weight_map');
  if (map.keys.length > MAX_TENSORS) {
    throw new GlassbertError('E_FILE_TOO_LARGE', 'the index lists more tensors than any model has', {
      file,
      expected: `at most ${MAX_TENSORS}`,
      found: `${map.keys.length}`,
    });
  }
  const shardOf = new Map(map.keys.map(tensor => [tensor, map.string(tensor)]));
  const shards = [...new Set(shardOf.values())].filter(shard => {
    if (isShardName(shard)) return true;
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

  const listed = new Map([...shardOf].map(([tensor, shard]) => [tensor, at(shard)]));
  const weights = await openShards(files, shards.map(at), file, refuse, listed);
  return { ...weights, index };
}

/** A shard lies beside its index. */
function isShardName(name: string): boolean {
  return isPlainName(name) && !name.includes('/') && /^[^.-].*\.safetensors$/s.test(name);
}

/**
 * Opens the files one after the other. Index and shards must say the same: a shard that holds a tensor which the index does
 * not list there, or lacks one, is refused before the next is opened, so that what many shards hold is never in memory at once.
 *
 * @param names - of the files in the directory
 * @param file - where they are listed, for errors
 * @param listed - the file of each tensor, where there is an index
 */
async function openShards(
  files: ModelFiles,
  names: readonly string[],
  file: string,
  refuse: Refuse,
  listed?: ReadonlyMap<string, string>,
): Promise<Weights> {
  const shards = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, TensorInfo>();
  const shardOf = new Map<string, string>();
  const close = async (): Promise<void> => {
    await Promise.all([...shards.values()].map(shard => shard.close()));
  };
  const budget = budgets.get(files) ?? headerBudget();
  budgets.set(files, budget);
  const expected = new Set(names);
  try {
    for (const name of names) {
      const shard = await openShard(files, name, budget).catch(refuse);
      if (!shard) continue;
      shards.set(name, shard);
      const foreign: string[] = [];
      for (const [tensor, info] of shard.tensors) {
        const wanted = listed === undefined ? name : listed.get(tensor);
        // Where the index names no file of its own beside it, it was refused for this tensor.
        if (wanted !== name && (wanted === undefined || expected.has(wanted))) foreign.push(tensor);
        if (wanted !== name && shardOf.has(tensor)) continue;
        tensors.set(tensor, info);
        shardOf.set(tensor, name);
      }
      if (foreign.length === 0 || listed === undefined) continue;
      refuse(notListed(foreign, listed, shardOf, files, name, file));
    }
    for (const error of notFound(listed, tensors, shards, file)) refuse(error);
  } catch (error) {
    await close();
    throw error;
  }
  const shard = (name: string): SafetensorsFile => shards.get(shardOf.get(name) as string) as SafetensorsFile;
  return {
    files: [...shards.keys()],
    file,
    tensors,
    refuse,
    fileOf: name => files.pathOf(shardOf.get(name) as string),
    readFloats: async (name, into) => {
      await shard(name).readFloats(name, into);
    },
    readInto: (name, into) => shard(name).readInto(name, into),
    close,
  };
}

async function openShard(files: ModelFiles, name: string, budget: HeaderBudget): Promise<SafetensorsFile> {
  return openSafetensors((await files.open(name)).handle, { file: files.pathOf(name), budget });
}

const OTHER_VERSIONS = 'Index and shards are of different models or versions: copy them again, together.';

/** @param foreign - tensors that this shard holds and the index does not list there: one error for all of them */
function notListed(
  foreign: readonly string[],
  listed: ReadonlyMap<string, string>,
  shardOf: ReadonlyMap<string, string>,
  files: ModelFiles,
  name: string,
  file: string,
): GlassbertError {
  const tensor = `the tensor ${quote(foreign[0])}`;
  const expected = listed.get(foreign[0]);
  const [here, hint] = [files.pathOf(name), OTHER_VERSIONS];
  if (expected === undefined) {
    const summary = `${tensor} is in a shard but not in the index${andMore(foreign)}`;
    return new GlassbertError('E_TENSOR_DUPLICATE', summary, { file: here, hint });
  }
  if (shardOf.get(foreign[0]) === expected) {
    const summary = `${tensor} is in two shards${andMore(foreign)}`;
    return new GlassbertError('E_TENSOR_DUPLICATE', summary, { file: here, found: `it is also in ${expected}`, hint });
  }
  return notThere(foreign, file, expected, here);
}

/** @param found - where it is instead */
function notThere(lacking: readonly string[], file: string, expected: string, found?: string): GlassbertError {
  const summary = `the tensor ${quote(lacking[0])} is not in the shard the index names${andMore(lacking)}`;
  return new GlassbertError('E_TENSOR_MISSING', summary, { file, expected, found, hint: OTHER_VERSIONS });
}

/** One error for each shard that lacks tensors; those that could not be opened are refused already. */
function notFound(
  listed: ReadonlyMap<string, string> | undefined,
  tensors: ReadonlyMap<string, TensorInfo>,
  shards: ReadonlyMap<string, SafetensorsFile>,
  file: string,
): GlassbertError[] {
  const lackingOf = new Map<string, string[]>();
  for (const [tensor, name] of listed ?? []) {
    if (tensors.has(tensor) || !shards.has(name)) continue;
    const lacking = lackingOf.get(name) ?? [];
    lacking.push(tensor);
    lackingOf.set(name, lacking);
  }
  return [...lackingOf].map(([name, lacking]) => notThere(lacking, file, name, 'nowhere'));
}

function andMore({ length }: readonly string[]): string {
  return length > 1 ? `, and ${length - 1} more` : '';
}

// ---------------------------------------------------------------------------------------------------------------------

/** How many of many problems an error lists. */
const LISTED = 5;

/** How many prefixes are tried for tensors that are missing. */
const MAX_PREFIXES = 16;

/** Tensors of a form in which training or a quantizer keeps a layer, by their names: what they are, and what to do. */
const FORMS: readonly [name: RegExp, what: string, code: ErrorCode, hint: string][] = [
  [
    /\.(lora_\w+|base_layer|modules_to_save|ia3_l|hada_w\d\w*|lokr_w\d\w*)(\.|$)/,
    'an adapter that is not merged',
    'E_MODULE',
    'Merge it in Python: model.merge_and_unload().save_pretrained(new_directory).',
  ],
  [
    // Without ".*" before an end: a hostile name may have megabytes.
    /\.(qweight|qzeros|scales|g_idx|SCB|weight_format|(nested_)?(absmax|quant_map)|(weight|input)_(scale|scale_inv|zero_point|packed|shape))$|\.weight\.(_data|_scale|_shift)$|\.quant_state\./,
    'a quantized model',
    'E_TENSOR_DTYPE',
    'Quantized checkpoints are not supported: use the model as it was before it was quantized.',
  ],
  [
    /\.parametrizations\.|\.weight_[gv]$/,
    'weights that are computed from others (parametrizations)',
    'E_CONFIG',
    'Remove them in Python (torch.nn.utils.parametrize.remove_parametrizations), then save the model again.',
  ],
];

/** What the name of a tensor says of the form of the weights; undefined for an ordinary one. */
export function formOf(name: string): { what: string; code: ErrorCode; hint: string } | undefined {
  const form = FORMS.find(([pattern]) => pattern.test(name));
  return form && { what: form[1], code: form[2], hint: form[3] };
}

/** As it was in checkpoints converted from TensorFlow before 2020. */
function legacyName(name: string): string {
  return name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
}

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
  private readonly missing: { name: string; shape: readonly number[] }[] = [];
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
      this.missing.push({ name: full, shape });
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
    const either = (key: string): string => {
      const today = `${name}.${key}`;
      const legacy = legacyName(today);
      if (legacy === today || !this.has(legacy)) return today;
      if (this.has(today)) this.refuseBoth(today, legacy);
      return legacy;
    };
    return { weight: this.tensor(either('weight'), D), bias: this.tensor(either('bias'), D), epsilon };
  }

  /** Python reads both into one tensor, and one of them stays. */
  private refuseBoth(today: string, legacy: string): void {
    const error = new GlassbertError('E_TENSOR_DUPLICATE', 'a tensor is there under two names', {
      file: this.weights.fileOf(this.prefix + legacy),
      expected: 'one of them',
      found: `${quote(this.prefix + today)} and ${quote(this.prefix + legacy)}`,
      hint: 'The weights of two checkpoints were joined: use the model as it was published.',
    });
    this.weights.refuse(error);
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
    const prefixed = this.explainPrefix();
    if (prefixed !== undefined) this.weights.refuse(prefixed);
    else {
      refuse(
        'E_TENSOR_MISSING',
        'missing',
        this.missing.map(({ name, shape }) => `${name} ${formatShape(shape)}`),
        this.explainForm() ??
          'The weights are of another model or were not saved whole; nothing is made up in their place.',
      );
    }
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

  /** Whether all that was asked for is there and can be read. */
  get isWhole(): boolean {
    return this.missing.length + this.misshapen.length + this.notFloats.length === 0;
  }

  private explainForm(): string | undefined {
    if (this.missing.length === 0) return undefined;
    const name = this.unused().find(name => formOf(name) !== undefined);
    const form = name === undefined ? undefined : formOf(name);
    return form && `There is ${printable(name as string)}, of ${form.what}. ${form.hint}`;
  }

  /**
   * Tools save a model under the name that it has in them: `_orig_mod.` (torch.compile), `module.` (DataParallel), `model.`,
   * `0.auto_model.` Where most of the missing tensors are there under one such prefix, that is what is wrong. PyTorch would
   * start from random numbers in their place; to guess which of several encoders is meant would be no better.
   */
  private explainPrefix(): GlassbertError | undefined {
    const { tensors, file } = this.weights;
    if (this.missing.length === 0) return undefined;
    const bare = this.missing.map(({ name }) => name.slice(this.prefix.length));
    const isThere = (name: string): boolean => tensors.has(name) || tensors.has(legacyName(name));
    let [best, count] = ['', 0];
    let others: string[] = [];
    let tried = 0;
    for (const name of tensors.keys()) {
      if (!name.endsWith(bare[0])) continue;
      if (++tried > MAX_PREFIXES) break;
      const prefix = name.slice(0, name.length - bare[0].length);
      const found = bare.filter(wanted => isThere(prefix + wanted)).length;
      if (found === count && found > 0) others.push(prefix);
      if (found > count) [best, count, others] = [prefix, found, []];
    }
    if (2 * count <= bare.length) return undefined;
    const all =
      bare.length === 1
        ? 'the missing tensor is'
        : `all ${bare.length}${this.taken.size > 0 ? ' missing' : ''} tensors are`;
    const which = count === bare.length ? all : `${count} of the ${bare.length} missing tensors are`;
    const under = best === '' ? 'without the prefix' : `under ${[best, ...others].map(quote).join(' and ')}`;
    const from = best === '' ? `${quote(this.prefix)}, as config.json says` : 'the name that the architecture has';
    return new GlassbertError('E_TENSOR_MISSING', `${which} there ${under}, and not under ${from}`, {
      file,
      expected: this.missing[0].name,
      found: best + bare[0],
      hint:
        best === ''
          ? 'config.json and the weights are not of the same model.'
          : others.length > 0
            ? 'These are several encoders: save the one that is wanted alone, without its prefix.'
            : `Save the weights again without the prefix: {name.removeprefix(${quote(best)}): tensor for name, tensor in state_dict.items()}.`,
    });
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
