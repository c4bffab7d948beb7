/** `glassbert inspect`: the load report, to be read. */
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { GlassbertError } from '../errors.ts';
import { openModelFiles } from '../io/files.ts';
import {
  formatSource,
  type LoadReport,
  type Setting,
  type Verification,
  type WeightsReport,
} from '../io/load-report.ts';
import { WEIGHTS_MISSING } from '../io/weight-files.ts';
import { describeModel, type ModelDescription } from '../load-model.ts';
import type { SettingOptions } from '../settings.ts';
import { type LoadFlags, loadEncoder, modelOf, withLoading } from './options.ts';
import { count, dim, json, print, section, visible } from './terminal.ts';
import { listUnused, withFewUnused } from './unused.ts';

type InspectFlags = LoadFlags & { readonly json?: boolean };

export function addInspect(program: Command): void {
  withLoading(
    program
      .command('inspect')
      .summary('what a model directory is, and which file decided what')
      .description(
        'Loads a model and reports what was read and decided: each setting with its source and what it overruled. ' +
          'Where the weights are not there, it says so and reports the rest.',
      )
      .argument('[dir]', 'model directory, the same as --model'),
  )
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  glassbert inspect
  glassbert inspect models/all-MiniLM-L6-v2
  glassbert inspect models/all-MiniLM-L6-v2 --json | jq .settings.maxSeqLength`,
    )
    .action(inspect);
}

async function inspect(directory: string | undefined, flags: InspectFlags): Promise<void> {
  if (directory !== undefined && flags.model !== undefined) {
    throw new GlassbertError('E_ARGUMENT', 'the model directory is given twice', { hint: 'Leave --model away.' });
  }
  const model = directory ?? flags.model;
  const report = await reportOf({ ...flags, ...(model === undefined ? {} : { model }) });
  const printed = 'missing' in report ? report : withFewUnused(report);
  await print(flags.json ? `${json(printed, 2)}\n` : formatReport(report));
}

/** The report of a model without its weights, and why they are not there. */
type PartialReport = ModelDescription & {
  readonly missing: { readonly code: string; readonly message: string; readonly hint: string | null };
};

/** @throws GlassbertError, unless only the weights are missing */
async function reportOf(flags: LoadFlags): Promise<LoadReport | PartialReport> {
  try {
    // Warnings are part of the report and need not be told twice.
    return (await loadEncoder(flags, () => {})).report;
  } catch (error) {
    const directory = modelOf(flags.model);
    if (!(error instanceof GlassbertError) || !WEIGHTS_MISSING.includes(error.code) || directory === undefined)
      throw error;
    const { code, message, hint = null } = error;
    const options = flags.pooling === undefined ? {} : { pooling: flags.pooling };
    const described = await describe(directory, options).catch(() => {
      throw error; // what is missing is something else
    });
    return { ...described, missing: { code, message, hint } };
  }
}

async function describe(directory: string, options: SettingOptions): Promise<ModelDescription> {
  return describeModel(await openModelFiles(directory), options);
}

/** @returns the report in sections, each with a heading; what comes from files is made visible */
function formatReport(report: LoadReport | PartialReport): string {
  const { tokenizer, savedBy } = report;
  return [
    section('Model', [
      ['directory', visible(report.directory)],
      ['layout', report.layout + (savedBy === null ? '' : `, saved by sentence-transformers ${visible(savedBy)}`)],
      ['architecture', visible(report.architecture)],
      ['dimension', `${report.dimension ?? 'not known'}`],
      ...('missing' in report ? [] : computationRows(report)),
    ]),
    section(
      'Pipeline',
      report.modules.map(({ type, path, summary }, m) => [
        `${m}`,
        visible(path || '.'),
        visible(summary),
        dim(visible(type)),
      ]),
    ),
    section(
      'Settings',
      Object.entries(report.settings).flatMap(([name, setting]) => settingRows(name, setting)),
    ),
    section('Tokenizer', [
      ['kind', tokenizer.kind],
      ['class', visible(tokenizer.class)],
      ['vocabulary', count(tokenizer.vocabSize)],
      ...tokenizer.notes.map(note => ['note', visible(note)]),
    ]),
    ...('missing' in report
      ? [section('Weights', missingRows(report))]
      : report.weights.map(weights => section('Weights', weightsRows(weights)))),
    section(
      'Files read',
      report.files.map(({ name, bytes }) => [visible(name), `${count(bytes)} bytes`]),
      ['left', 'right'],
    ),
    section('Verification', verificationRows(report.verification)),
    section(
      'Warnings',
      report.warnings.map(({ code, message }) => [styleText('yellow', code), visible(message)]),
    ),
  ]
    .filter(text => text !== '')
    .join('\n');
}

function computationRows({ kernels, threads, dtype }: LoadReport): string[][] {
  return [
    ['kernels', `${kernels}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`],
    ['dtype', dtype.here],
    ...(dtype.note === null ? [] : [['', `${visible(dtype.note)} (${visible(formatSource(dtype.from))})`]]),
  ];
}

function missingRows({ missing: { code, message, hint } }: PartialReport): string[][] {
  return [
    ['not there', `${code}: ${visible(message)}`],
    ...(hint === null ? [] : [['', dim(`hint: ${visible(hint)}`)]]),
  ];
}

/** The value that holds and its source, then the places that state another value, or the same. */
function settingRows(name: string, { value, from, overruled }: Setting): string[][] {
  const prompts = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  const shown = json(value);
  return [
    [name, prompts.length > 0 ? `${prompts.length}` : visible(shown), dim(visible(formatSource(from)))],
    // Prompts are long: in the last column they push nothing aside.
    ...prompts.map(([prompt, text]) => ['', '', visible(`${prompt}: ${json(text)}`)]),
    ...overruled.map(other => {
      const same = json(other.value) === shown;
      const source = visible(formatSource(other.from));
      return ['', '', dim(same ? `also ${source}` : `overrules ${visible(json(other.value))} of ${source}`)];
    }),
  ];
}

function verificationRows(verification: Verification | null): string[][] {
  if (verification === null) return [['none', 'the files were taken as they are: nothing vouches for them']];
  const { by, source, rootDigest, files, bytes, ignored, signer, limits } = verification;
  return [
    ['by', `${by}, ${visible(source)}`],
    ...(signer === null ? [] : [['signer', visible(signer)]]),
    ['root digest', rootDigest],
    ['files', `${count(files)} covered, ${count(bytes)} bytes; ${count(ignored.length)} not covered and not loaded`],
    ...limits.map(limit => ['not shown', limit]),
  ];
}

function weightsRows(report: WeightsReport): string[][] {
  const { files, prefix, tensors, parameters, dtypes } = report;
  const { listed, beyond } = listUnused(report);
  const types = Object.entries(dtypes).map(([dtype, number]) => `${number} ${visible(dtype)}`);
  return [
    ...files.map(file => ['file', visible(file)]),
    ['tensors', `${count(tensors)} (${types.join(', ')})`],
    ['parameters', count(parameters)],
    ...(prefix === '' ? [] : [['prefix', visible(prefix)]]),
    ...listed.map(name => ['unused', visible(name)]),
    ...(beyond === 0 ? [] : [['', `and ${count(beyond)} more`]]),
  ];
}
