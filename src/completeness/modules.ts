/** modules.json, and the modules after the pooling, each of which takes what the one before it gives. */
import { GlassbertError } from '../errors.ts';
import { MAX_CONFIG_BYTES } from '../io/config-files.ts';
import type { ModelFiles } from '../io/files.ts';
import { parseJson } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import type { WeightsReport } from '../io/load-report.ts';
import { kindOf, type ModuleEntry, notAModel, readModules, SAVED } from '../io/model-directory.ts';
import { openWeights } from '../io/weights.ts';
import { hasWeights, loadWeightedModule, plainModule, reportWeights } from '../load-model.ts';
import { parsePoolingConfig } from '../pooling/pooling.ts';
import type { Findings } from './findings.ts';
import { checkSource, headersOf, NO_MEMORY, NO_WEIGHTS } from './weights.ts';

/** What a directory of Sentence Transformers has beside modules.json and a bare one has not. */
const SIGNS_OF_MODULES = ['1_Pooling', SAVED, 'sentence_bert_config.json'];

export interface CheckedModules {
  /** Whether there is a modules.json. */
  readonly present: boolean;
  /** That modules.json is not there though other files of its layout are: loading takes the directory for a bare one. */
  readonly absent?: GlassbertError | undefined;
  /** Whether the model begins with something else than a transformer: its files are then not those that are known here. */
  readonly foreign: boolean;
  readonly transformerPath?: string | undefined;
  /** The transformer and the pooling; nothing unless both are there. */
  readonly pooling: readonly ModuleEntry[];
  readonly after: readonly ModuleEntry[];
  /** Whether every module that is listed is there, so that what one gives is what the next one takes. */
  readonly whole: boolean;
}

export async function checkModules(files: ModelFiles, findings: Findings): Promise<CheckedModules> {
  const present = (await findings.attempt(() => files.has('modules.json'))) ?? true;
  if (!present) {
    const absent = await explainAbsentModules(files, findings);
    return { present, absent, foreign: false, pooling: [], after: [], whole: true };
  }
  const before = findings.counts.error;
  const refused: unknown[] = [];
  const modules = (await findings.attempt(() => readModules(files, error => void refused.push(error)))) ?? [];
  const foreign = (await isForeign(files)) ?? false;
  // What is missing is the first module; what the others lack follows from it.
  for (const error of foreign ? refused.slice(0, 1) : unexplained(refused)) findings.refuse(error);
  if (!foreign) await findings.attempt(() => checkNumbers(files, findings));
  const transformer = modules.find(({ kind }) => kind === 'Transformer');
  const pooling = modules.find(({ kind }) => kind === 'Pooling');
  if (pooling !== undefined) await findings.attempt(() => parsePoolingConfig(pooling.config));
  return {
    present,
    foreign,
    transformerPath: transformer?.path,
    pooling: transformer && pooling ? [transformer, pooling] : [],
    after: modules.filter(module => module !== transformer && module !== pooling),
    whole: findings.counts.error === before,
  };
}

/** Without the files whose absence the hint of another error explains: one lies in the place of another. */
function unexplained(errors: readonly unknown[]): readonly unknown[] {
  const hints = errors.flatMap(error =>
    error instanceof GlassbertError && error.code === 'E_CONFIG' ? error.hint : [],
  );
  return errors.filter(error => {
    if (!(error instanceof GlassbertError) || error.code !== 'E_FILE_MISSING') return true;
    const [, module] = /([^/\\]+)[/\\]config\.json$/.exec(error.file ?? '') ?? [];
    return !hints.some(hint => hint?.includes(`${module}/config.json`));
  });
}

/** Undefined where modules.json cannot be read, which has been told. */
async function isForeign(files: ModelFiles): Promise<boolean | undefined> {
  try {
    const file = files.pathOf('modules.json');
    const entries = parseJson(await files.read('modules.json', MAX_CONFIG_BYTES), file);
    const first = Array.isArray(entries) ? entries[0] : undefined;
    if (first === undefined) return undefined;
    return kindOf(fields(first, file, '[0]').string('type'), file) !== 'Transformer';
  } catch (error) {
    if (error instanceof GlassbertError) return error.code === 'E_MODULE' ? true : undefined;
    throw error;
  }
}

/** `idx` counts the modules. */
async function checkNumbers(files: ModelFiles, findings: Findings): Promise<void> {
  const file = files.pathOf('modules.json');
  const entries = parseJson(await files.read('modules.json', MAX_CONFIG_BYTES), file);
  if (!Array.isArray(entries)) return;
  for (const [i, entry] of entries.entries()) {
    const module = fields(entry, file, `[${i}]`);
    if (module.has('idx') && module.raw('idx') !== i) {
      const message = `"[${i}].idx" is ${JSON.stringify(module.raw('idx')).slice(0, 20)}, expected ${i}: the order of the file counts.`;
      findings.warn('W_MODULE_NUMBER', 'incomplete', 'modules.json', message);
    }
  }
}

async function explainAbsentModules(files: ModelFiles, findings: Findings): Promise<GlassbertError | undefined> {
  const names = (await findings.attempt(() => files.list())) ?? [];
  const sign = SIGNS_OF_MODULES.find(name => names.includes(name));
  if (sign === undefined) {
    if (!names.includes('config.json')) findings.refuse(await notAModel(files));
    return undefined;
  }
  return new GlassbertError('E_FILE_MISSING', `the list of modules is not there, though ${sign} is`, {
    file: files.pathOf('modules.json'),
    hint: 'Without it the directory is taken for a bare one: mean pooling, no prompts. Copy the whole model directory.',
  });
}

export async function checkModule(
  files: ModelFiles,
  entry: ModuleEntry,
  D: number | null,
  findings: Findings,
): Promise<{ outFeatures: number | null; report?: WeightsReport }> {
  const own = (key: string): number | null => {
    const value = entry.config.raw(key);
    return typeof value === 'number' ? value : null;
  };
  if (!hasWeights(entry)) {
    if (D !== null) await findings.attempt(() => plainModule(NO_MEMORY, entry, D));
    return { outFeatures: D };
  }
  // A width that is not known is taken to be the right one.
  const width = D ?? own(entry.kind === 'Dense' ? 'in_features' : 'dimension') ?? 0;
  const stated = own(entry.kind === 'Dense' ? 'out_features' : 'dimension');
  const opened = await findings.attempt(() => openWeights(files, entry.path, findings.refuse));
  try {
    await checkSource(files, entry.path, opened, findings);
    const weights = headersOf(opened) ?? NO_WEIGHTS;
    const module = await findings.attempt(() => loadWeightedModule(NO_MEMORY, entry, weights, width));
    if (!module || !opened) return { outFeatures: stated };
    return { outFeatures: module.outFeatures, report: reportWeights(opened, '', []) };
  } finally {
    await opened?.close();
  }
}
