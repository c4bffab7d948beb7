/**
 * Adapters (LoRA and its kin, by PEFT): small matrices beside a base model that change what it computes. Python applies one
 * wherever there is an adapter_config.json, in the directory or in that of the transformer, and refuses where PEFT is not
 * installed; it never gives the vectors of the base alone (sentence-transformers 6.0.1, base/modules/transformer.py
 * _load_config; transformers 5.18, AutoModel.from_pretrained). Here it must be merged first.
 */
import { GlassbertError } from '../errors.ts';
import { type ModelFiles, nameIn } from './files.ts';
import { parseJson, quote } from './json.ts';
import { fields } from './json-fields.ts';
import { INDEX, SINGLE } from './weight-files.ts';

const CONFIG = 'adapter_config.json';
const ADAPTER_FILES = [CONFIG, 'adapter_model.safetensors', 'adapter_model.bin'];
const MAX_BYTES = 2 ** 20;

/** @throws E_MODULE when there is an adapter in this directory of the model */
export async function refuseAdapter(files: ModelFiles, path: string): Promise<void> {
  const adapter = await findAdapter(files, path);
  if (adapter !== undefined) throw adapter;
}

/** @returns the refusal */
export async function findAdapter(files: ModelFiles, path: string): Promise<GlassbertError | undefined> {
  const found: string[] = [];
  for (const name of ADAPTER_FILES) if (await files.has(nameIn(path, name))) found.push(nameIn(path, name));
  if (found.length === 0) return undefined;

  const { kind, base, remedy } = await describeAdapter(files, path);
  const of = base === undefined ? kind : `${kind} for the base model ${quote(base)}`;
  let whole = false;
  for (const place of [path, '0_Transformer']) {
    for (const name of [SINGLE, INDEX]) whole ||= await files.has(nameIn(place, name));
  }
  const applied = found.includes(nameIn(path, CONFIG)) ? ', which Python applies to it' : `, without its ${CONFIG}`;
  const where = whole ? `beside the model lies ${of}${applied}` : `the directory holds only ${of}`;
  const aside = whole ? ` If the base model alone is wanted, move ${found.join(' and ')} away.` : '';
  return new GlassbertError('E_MODULE', `${where}; adapters are not applied here`, {
    file: files.pathOf(found[0]),
    expected: 'a model into which it is merged',
    found: found.join(', '),
    hint: remedy + aside,
  });
}

const THEN = 'then copy the tokenizer, modules.json and the directories of modules beside it.';

function mergeIn(base: string): string {
  return `Merge it in Python: PeftModel.from_pretrained(AutoModel.from_pretrained(${base}), directory).merge_and_unload().save_pretrained(new_directory); ${THEN}`;
}

/** Kinds of PEFT that put vectors before the text or between the layers, instead of changing weights. */
const NOT_MERGEABLE = /^(PREFIX_TUNING|PROMPT_TUNING|MULTITASK_PROMPT_TUNING|P_TUNING|ADAPTION_PROMPT|CPT|CARTRIDGE)$/;

const CANNOT_BE_MERGED = 'An adapter of this kind changes no weights, so it cannot be merged: use another model.';

/** As far as its configuration can be read. */
async function describeAdapter(
  files: ModelFiles,
  path: string,
): Promise<{ kind: string; base?: string; remedy: string }> {
  const name = nameIn(path, CONFIG);
  try {
    const file = files.pathOf(name);
    const config = fields(parseJson(await files.read(name, MAX_BYTES), file), file);
    const type = config.raw('peft_type');
    if (type === undefined && ['model_class', 'model_name', 'config'].some(config.has)) {
      const remedy = `Merge it in Python with the package "adapters": model.merge_adapter(name), model.save_pretrained(new_directory); ${THEN}`;
      return { kind: 'an adapter of the package "adapters"', remedy };
    }
    const base = config.raw('base_model_name_or_path');
    const other = typeof type === 'string' ? `an adapter (${quote(type)})` : 'an adapter';
    const kind = type === 'LORA' ? 'a LoRA adapter' : other;
    const fixed = typeof type === 'string' && NOT_MERGEABLE.test(type);
    const remedy = fixed ? CANNOT_BE_MERGED : mergeIn(typeof base === 'string' ? quote(base) : 'base');
    return typeof base === 'string' ? { kind, base, remedy } : { kind, remedy };
  } catch (error) {
    if (error instanceof GlassbertError) return { kind: 'an adapter', remedy: mergeIn('base') };
    throw error;
  }
}
