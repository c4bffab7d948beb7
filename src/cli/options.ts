/**
 * Options that several commands have. Their long names are those of the API's options.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { GlassbertError } from '../errors.ts';
import type { Warning } from '../io/load-report.ts';
import type { LoadOptions } from '../load-model.ts';
import { areModes, POOLING_MODES, type PoolingMode } from '../pooling/pooling.ts';
import { type EncodeOptions, SentenceEncoder } from '../sentence-encoder.ts';
import { environment } from './environment.ts';
import { warn } from './terminal.ts';

export interface ModelFlags {
  readonly model?: string;
}

export type LoadFlags = ModelFlags & Pick<LoadOptions, 'kernels' | 'pooling' | 'wide' | 'threads' | 'maxSeqLength'>;

/** The model directory where no argument names one. */
export const MODEL_VARIABLE = 'GLASSBERT_MODEL';

/** SIMD vectors of 256 bits where the engine has them: the flag of V8 holds for the whole process, and the process is ours. */
export function loadEncoder(
  { model, kernels, pooling, wide = 'auto', threads, maxSeqLength }: LoadFlags,
  onWarning: (warning: Warning) => void = warn,
): Promise<SentenceEncoder> {
  const options = { ...defined({ kernels, pooling, wide, threads, maxSeqLength }), onWarning };
  return namedBy(model, directory => SentenceEncoder.load(directory, options));
}

/** @param flag - the directory that an argument names */
export function modelOf(flag: string | undefined): string | undefined {
  return flag ?? (environment(MODEL_VARIABLE) || undefined);
}

/** @param load - given the directory of the flag or of the environment; undefined for the model that ships with glassbert */
export async function namedBy<Result>(
  model: string | undefined,
  load: (directory: string | undefined) => Promise<Result>,
): Promise<Result> {
  const directory = modelOf(model);
  try {
    return await load(directory);
  } catch (error) {
    const isNamed = model === undefined && directory !== undefined && error instanceof GlassbertError;
    if (!isNamed || !['E_DIRECTORY_MISSING', 'E_NOT_A_DIRECTORY'].includes(error.code)) throw error;
    const hint = `The environment variable ${MODEL_VARIABLE} names it. ${error.hint ?? ''}`.trim();
    throw new GlassbertError(error.code, error.message, { hint, cause: error });
  }
}

/** What `encode` takes of what commander parsed. */
export function encodeOptions(flags: EncodeOptions): EncodeOptions {
  const { promptName, prompt, batchSize, normalize, truncateDim } = flags;
  return defined({ promptName, prompt, batchSize, normalize, truncateDim });
}

type Defined<Options> = { [Key in keyof Options]?: Exclude<Options[Key], undefined> };

/** Without the options that were not given. */
export function defined<Options extends object>(options: Options): Defined<Options> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<Options>;
}

export function withModel(command: Command): Command {
  return command.option(
    '--model <dir>',
    `model directory (default: $${MODEL_VARIABLE}, else the model that ships with glassbert)`,
  );
}

export function withLoading(command: Command): Command {
  return withModel(command)
    .option(
      '--kernels <name>',
      'what computes: auto, simd, int8 (approximate), reference, or oracle for f64 (default: auto)',
    )
    .option('--wide', 'compute in SIMD vectors of 256 bits, even where that changes the last bit of a result')
    .option('--no-wide', 'compute in SIMD vectors of 128 bits (default: 256 where V8 has them and no bit changes)')
    .option('--threads <n>', 'how many threads compute (default: as many as processors)', parseCount)
    .option('--max-seq-length <n>', 'cut texts after n tokens, special ones included', parseCount)
    .option('--pooling <modes>', `override the model's pooling: ${POOLING_MODES.join(', ')}`, parsePooling);
}

export function withPrompts(command: Command): Command {
  return command
    .addOption(new Option('--prompt-name <name>', 'put this prompt of the model before each text').conflicts('prompt'))
    .option('--prompt <text>', "put this text before each text; '' for none");
}

/** For an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** For an option that nobody gives twice and means the last one. */
export function once(value: string, earlier: string | undefined): string {
  if (earlier === undefined) return value;
  throw new InvalidArgumentError('It is given twice; one run has one input: cat FILE FILE | glassbert embed');
}

export function parseCount(value: string): number {
  const count = Number(value);
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('Expected an integer from 1.');
}

function parsePooling(value: string): readonly PoolingMode[] {
  const modes: readonly string[] = value.split(',');
  if (areModes(modes)) return modes;
  throw new InvalidArgumentError(`Expected one or more, with commas between, of ${POOLING_MODES.join(', ')}.`);
}
