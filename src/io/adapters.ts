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

  const { kind, base } = await describeAdapter(files, path);
  const of = base === undefined ? kind : `${kind} for the base model ${quote(base)}`;
  let whole = false;
  for (const place of [path, '0_Transformer']) {
    for (const name of [SINGLE, INDEX]) whole ||= await files.has(nameIn(place, name));
  }
  const where = whole ? `beside the model lies ${of}, which Python applies to it` : `the directory holds only ${of}`;
  return new GlassbertError('E_MODULE', `${where}; adapters are not applied here`, {
    file: files.pathOf(found[0]),
    expected: 'a model into which it is merged',
    found: found.join(', '),
    hint:
      `Merge it in Python: PeftModel.from_pretrained(AutoModel.from_pretrained(${base === undefined ? 'base' : quote(base)}), ` +
      'directory).merge_and_unload().save_pretrained(new_directory); then copy the tokenizer, modules.json and the directories of ' +
      `modules beside it.${whole ? ` If the base model alone is wanted, move ${found.join(' and ')} away.` : ''}`,
  });
}

/** As far as its configuration can be read. */
async function describeAdapter(files: ModelFiles, path: string): Promise<{ kind: string; base?: string }> {
  const name = nameIn(path, CONFIG);
  try {
    const file = files.pathOf(name);
    const config = fields(parseJson(await files.read(name, MAX_BYTES), file), file);
    const base = config.raw('base_model_name_or_path');
    const type = config.raw('peft_type');
    const other = typeof type === 'string' ? `an adapter (${quote(type)})` : 'an adapter';
    const kind = type === 'LORA' ? 'a LoRA adapter' : other;
    return typeof base === 'string' ? { kind, base } : { kind };
  } catch (error) {
    if (error instanceof GlassbertError) return { kind: 'an adapter' };
    throw error;
  }
}
