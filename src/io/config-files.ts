/** The JSON files of configuration: their names in a module's directory, how large they may be, and their reading. */
import type { ModelFiles } from './files.ts';
import { type JsonLimits, type JsonObject, parseJson } from './json.ts';
import { asObject, type Fields, fields } from './json-fields.ts';

/** modules.json and the configurations of modules have some hundred bytes, a model's prompts a few thousand. */
export const MAX_MODULE_BYTES = 2 ** 20;

/**
 * Genuine files reach 4 MB: 60,000 labels in config.json, 8,000 added tokens in tokenizer_config.json. What a larger one could
 * hold is bounded by the reader of JSON.
 */
export const MAX_CONFIG_BYTES = 16 * 2 ** 20;

/** Values of a configuration file; 60,000 labels stand in it twice. */
const MAX_CONFIG_VALUES = 500_000;

export async function readObject(
  files: ModelFiles,
  name: string,
  maxBytes: number = MAX_CONFIG_BYTES,
  limits: JsonLimits = {},
): Promise<JsonObject> {
  const file = files.pathOf(name);
  return asObject(parseJson(await files.read(name, maxBytes), file, limits), file);
}

/** The fields of a configuration file; none where the file is absent. */
export async function readFields(
  files: ModelFiles,
  name: string,
  maxBytes: number = MAX_MODULE_BYTES,
): Promise<Fields> {
  const file = files.pathOf(name);
  if (!(await files.has(name))) return fields({}, file);
  // Keys that nobody reads may hold any integer; those that are read have bounds.
  const limits: JsonLimits = { values: MAX_CONFIG_VALUES, numbers: 'rounded' };
  return fields(parseJson(await files.read(name, maxBytes), file, limits), file);
}
