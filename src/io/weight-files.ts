/** What files of weights are called, and why there are none where none of that name is found. */
import { type ErrorCode, GlassbertError } from '../errors.ts';
import { isPlainName, type ModelFiles, nameIn } from './files.ts';
import { RECOGNIZED_BYTES, recognizePlaceholder } from './foreign.ts';
import { quote } from './json.ts';

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

/** The codes of errors that say that weights are not there, not that they are wrong. */
export const WEIGHTS_MISSING: readonly ErrorCode[] = ['E_FILE_MISSING', 'E_PICKLE_REFUSED', 'E_WEIGHTS_PLACEHOLDER'];

/** The only pickles that hold weights: transformers and sentence-transformers look for no others. */
const PICKLED_WEIGHTS = /^pytorch_model([.-].*)?\.bin$/i;

/** Files and directories that hold weights for other programs. */
const OTHER_FORMATS =
  /\.(h5|msgpack|onnx|ot|gguf|tflite|mlmodel|mlpackage|pt|pth|ckpt|npz|bin)$|^(onnx|openvino|coreml|gguf)$/i;

/** Weights that a training run saved in the pieces that its processes held (DeepSpeed, FSDP, torch.distributed.checkpoint). */
const PIECES = /^(global_step[0-9]+|zero_to_fp32\.py|(pytorch_)?model_fsdp.*|.*\.distcp)$/i;

/** What training leaves beside the weights, or a classifier puts there. None of it is weights of the encoder. */
const NO_WEIGHTS: readonly [name: RegExp, what: string][] = [
  [/^model_head\.(pkl|joblib)$/i, 'the classification head of SetFit'],
  [
    /^((rng_state|random_states)(_[0-9]+)?\.(pth|pkl)|(optimizer|scheduler|scaler|sampler)(_[0-9]+)?\.(pt|bin|safetensors)|training_args\.bin|trainer_state\.json)$/i,
    'the state of a training run',
  ],
  [/^pytorch_model(\..*)?\.bin\.index\.json$/i, 'the index of pickles'],
  [/\.(pkl|pickle|joblib)$/i, 'a pickle, of something else than an encoder'],
];

/** Why there are no safetensors in the directory of a module, as exactly as the other files tell. */
export async function explainNoWeights(files: ModelFiles, path: string): Promise<GlassbertError> {
  const all: string[] = await files.list(path === '' ? undefined : path).catch(() => []);
  const names = all.filter(name => !NO_WEIGHTS.some(([pattern]) => pattern.test(name)));
  const like = (pattern: RegExp): string | undefined => names.find(name => pattern.test(name));
  const file = files.pathOf(nameIn(path, SINGLE));

  const partial = like(/\.(incomplete|part|crdownload|download|aria2|tmp)$/i);
  if (partial !== undefined) {
    return new GlassbertError('E_WEIGHTS_PLACEHOLDER', 'the weights are not there, only a download that did not end', {
      file,
      found: partial,
      hint: 'Download the file again until it is complete.',
    });
  }
  const single = like(/-0*1-of-0*1\.safetensors$/);
  const shard = like(/-[0-9]+-of-[0-9]+\.safetensors$/);
  if (shard !== undefined && single === undefined) {
    const index = like(/\.safetensors\..*index.*\.json$|\.index\..*json$/);
    return new GlassbertError('E_FILE_MISSING', 'the index of the shards is not there', {
      file: files.pathOf(nameIn(path, INDEX)),
      found: index ?? shard,
      hint:
        index === undefined
          ? 'Copy the whole model directory.'
          : `If it is the index of these weights, rename it to ${INDEX}.`,
    });
  }
  // A link of the very name leads nowhere, else the weights would be here.
  const renamed = names.filter(
    name =>
      /\.safetensors($|[^\w]|_)/i.test(name) &&
      !/\.json$/i.test(name) &&
      name !== SINGLE &&
      !name.startsWith('adapter_'),
  );
  if (renamed.length > 0) {
    return new GlassbertError('E_FILE_MISSING', 'the weights are there under another name', {
      file,
      expected: SINGLE,
      found: listed(renamed),
      hint: /\.(zip|gz|zst|xz|tar|7z)$/i.test(renamed[0])
        ? `Unpack it to ${SINGLE}.`
        : `If ${renamed.length === 1 ? 'it holds' : 'one of them holds'} the weights of this model, rename it to ${SINGLE}.`,
    });
  }
  const elsewhere = await findElsewhere(files, path, all);
  if (elsewhere.length > 0) {
    return new GlassbertError('E_FILE_MISSING', 'the weights are not here, but in a directory below', {
      file,
      expected: SINGLE,
      found: listed(elsewhere),
      hint: /^checkpoint-/.test(elsewhere[0])
        ? 'Training saved these: give the directory of the one that is wanted, or copy its files here.'
        : `If ${elsewhere.length === 1 ? 'it is' : 'one of them is'} of this model, copy it here.`,
    });
  }
  const pickle = like(PICKLED_WEIGHTS);
  if (pickle !== undefined) return refusePickle(files, nameIn(path, pickle));
  const pieces = names.filter(name => PIECES.test(name));
  if (pieces.length > 0) {
    return new GlassbertError(
      'E_FILE_MISSING',
      'the weights are not there, only the pieces that a training run saved',
      {
        file,
        expected: SINGLE,
        found: listed(pieces),
        hint:
          'Join them in Python where they were saved: "python zero_to_fp32.py . out --safe_serialization" (DeepSpeed) or ' +
          `"accelerate merge-weights DIRECTORY out" (FSDP), and copy ${SINGLE}.`,
      },
    );
  }
  const other = names.filter(name => OTHER_FORMATS.test(name));
  if (other.length > 0) {
    return new GlassbertError('E_FILE_MISSING', 'the weights are not there, only those for other programs', {
      file,
      expected: `${SINGLE}, or ${INDEX} with its shards`,
      found: listed(other),
      hint: `Only safetensors are read. Most models on the Hugging Face hub have ${SINGLE}; else save the model again in Python.`,
    });
  }
  const aside = NO_WEIGHTS.flatMap(([pattern, what]) => {
    const found = all.filter(name => pattern.test(name));
    return found.length === 0 ? [] : `${listed(found)} (${what})`;
  });
  return new GlassbertError('E_FILE_MISSING', 'the weights are not there', {
    file,
    expected: `${SINGLE}, or ${INDEX} with its shards`,
    found: aside.length > 0 ? aside.join(', ') : all.length === 0 ? 'no files' : `${all.length} other files`,
    hint:
      aside.length > 0
        ? `What is there holds no weights. Copy ${SINGLE} from where the model was saved or published.`
        : 'Copy the whole model directory.',
  });
}

/** How many directories are looked into: those of modules and of checkpoints are fewer. */
const MAX_LOOKS = 64;

/** Weights in the directories right below. Those of numbered modules are their own. */
async function findElsewhere(files: ModelFiles, path: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names.filter(name => isPlainName(name) && !/\.|^[1-9][0-9]*_/.test(name)).slice(0, MAX_LOOKS)) {
    for (const weights of [SINGLE, INDEX]) {
      const there = await files.has(nameIn(path, `${name}/${weights}`)).catch(() => false); // a link that leads out is not looked at
      if (there) found.push(`${name}/${weights}`);
    }
  }
  return found;
}

async function refusePickle(files: ModelFiles, name: string): Promise<GlassbertError> {
  const placeholder = await placeholderAt(files, name);
  const summary = 'the only weights are a Python pickle, and a pickle is a program';
  if (placeholder === undefined) {
    return new GlassbertError('E_PICKLE_REFUSED', summary, {
      file: files.pathOf(name),
      expected: SINGLE,
      hint:
        'Where you trust the file and have Python: SentenceTransformer(directory).save(new_directory) writes ' +
        'model.safetensors. Most models on the Hugging Face hub have one already.',
    });
  }
  return new GlassbertError('E_PICKLE_REFUSED', summary, {
    file: files.pathOf(name),
    expected: SINGLE,
    found: `${placeholder} in the place of one`,
    hint:
      'What it stands for would be refused too: do not fetch it. Get model.safetensors, from a later revision or from where the ' +
      'model was converted, or convert it in Python where you trust it.',
  });
}

/** What a small file stands for; undefined where it is no placeholder or cannot be read. */
async function placeholderAt(files: ModelFiles, name: string): Promise<string | undefined> {
  try {
    const file = await files.open(name);
    try {
      const start = new Uint8Array(Math.min(RECOGNIZED_BYTES, file.size));
      await file.read(start, 0);
      return recognizePlaceholder(start, file.size)?.what;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof GlassbertError) return undefined; // it would not have been read either
    throw error;
  }
}

/** How many of many names an error lists. */
const LISTED = 3;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
  return names.slice(0, LISTED).map(shown).join(', ') + more;
}

/** Plain names as they are. */
function shown(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : quote(name);
}
