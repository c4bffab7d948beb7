/** What the files are for that glassbert does not read: most directories hold the model in several forms at once. */
import type { Entry } from '../io/walk.ts';
import { LEFTOVER } from './placeholders.ts';

export interface UnusedFiles {
  readonly purpose: string;
  readonly count: number;
  readonly bytes: number;
  /** The first ones. */
  readonly names: readonly string[];
}

/** How many names of one purpose are listed. */
const LISTED = 20;

const UNKNOWN = 'not known to glassbert';

/** In this order: the first that fits. */
const PURPOSES: readonly [RegExp, string][] = [
  [/^(.*\/)?\.(git|cache)\/|^\.git(attributes|ignore)$/, 'kept by git or the download tool'],
  [LEFTOVER, 'left behind by a download'],
  [/^(SHA256SUMS|.*\.sig)$/, 'checksums and signatures'],
  [/(^|\/)(README|LICENSE|LICENCE|NOTICE|COPYING)[^/]*$|\.(md|png|jpe?g|gif|svg|pdf)$/i, 'documentation'],
  // Before the models: all of these are pickles by their endings, and none holds the weights of an encoder.
  [
    /(^|\/)(rng_state(_\d+)?\.pth|(optimizer|scheduler|scaler)\.(pt|bin)|training_args\.bin)$/,
    'the state of a training',
  ],
  [/(^|\/)model_head\.(pkl|joblib)$|(^|\/)config_setfit\.json$/, 'the classification head of SetFit'],
  [/(^|\/)adapter_(config\.json|model\.(safetensors|bin))$/, 'an adapter (LoRA)'],
  [/\.(pkl|pickle|joblib)$/i, 'pickles, which are never opened'],
  [/(^|\/)(onnx|openvino|coreml|gguf)\//i, 'the model for other programs'],
  [/\.(bin|pt|pth|ckpt|h5|msgpack|ot|onnx|onnx_data|gguf|tflite)$/i, 'the model for other programs'],
  [/\.safetensors(\.index\.json)?$/, 'weights that nothing refers to'],
  [
    /(^|\/)(vocab\.(txt|json)|special_tokens_map\.json|added_tokens\.json|merges\.txt|.*\.model)$/,
    'the tokenizer for other programs',
  ],
  [/\.(py|ipynb|sh)$/, 'code, which is never run'],
  [/(^|\/)(eval|runs|logs?|checkpoint-[0-9]+|expected)\//, 'records of training and evaluation'],
  [
    /(trainer_state|train_results|eval_results|all_results|data_config|_evaluation_)[^/]*$/,
    'records of training and evaluation',
  ],
];

/** @param read - the names that loading reads */
export function unusedFiles(entries: readonly Entry[], read: ReadonlySet<string>): UnusedFiles[] {
  const byPurpose = new Map<string, { count: number; bytes: number; names: string[] }>();
  for (const { name, kind, bytes } of entries) {
    if (kind === 'directory' || read.has(name)) continue;
    const purpose = PURPOSES.find(([pattern]) => pattern.test(name))?.[1] ?? UNKNOWN;
    const group = byPurpose.get(purpose) ?? { count: 0, bytes: 0, names: [] };
    group.count++;
    group.bytes += bytes;
    if (group.names.length < LISTED) group.names.push(name);
    byPurpose.set(purpose, group);
  }
  return [...byPurpose].map(([purpose, group]) => ({ purpose, ...group }));
}
