/** The JSON files of configuration: their names in a module's directory, how large they may be, and their reading. */
import type { ModelFiles } from './files.ts';
import { type JsonLimits, type JsonObject, parseJson } from './json.ts';
import { asObject, type Fields, fields } from './json-fields.ts';

export const MAX_CONFIG_BYTES = 2 ** 20;

/** A name in a module's directory, '' being the root. */
export function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

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
export async function readFields(files: ModelFiles, name: string): Promise<Fields> {
  const file = files.pathOf(name);
  if (!(await files.has(name))) return fields({}, file);
  return fields(parseJson(await files.read(name, MAX_CONFIG_BYTES), file), file);
}
