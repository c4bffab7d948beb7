/**
 * Options that several commands have. Their long names are those of the API's options, so that what commander parsed can
 * be handed to `load` and `encode` as it is.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Warning } from '../io/load-report.ts';
import type { LoadOptions } from '../load-model.ts';
import { isPoolingMode, POOLING_MODES, type PoolingMode } from '../pooling/pooling.ts';
import { SentenceEncoder } from '../sentence-encoder.ts';
import { warn } from './terminal.ts';

export interface ModelFlags {
  readonly model?: string;
}

export type LoadFlags = ModelFlags & Pick<LoadOptions, 'kernels' | 'pooling'>;

export function loadEncoder(
  { model, ...options }: LoadFlags,
  onWarning: (warning: Warning) => void = warn,
): Promise<SentenceEncoder> {
  return SentenceEncoder.load(model, { ...options, onWarning });
}

export function withModel(command: Command): Command {
  return command.option('--model <dir>', 'model directory (default: the model that ships with glassbert)');
}

export function withLoading(command: Command): Command {
  return withModel(command)
    .option('--kernels <name>', 'who computes: auto, reference, or oracle for f64 (default: auto)')
    .option('--pooling <modes>', `override the model's pooling: ${POOLING_MODES.join(', ')}`, parsePooling);
}

export function withPrompts(command: Command): Command {
  return command
    .addOption(new Option('--prompt-name <name>', 'put this prompt of the model before each text').conflicts('prompt'))
    .option('--prompt <text>', "put this text before each text; '' for none");
}

export function parseCount(value: string): number {
  const count = Number(value);
  if (/^[0-9]+$/.test(value) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('Expected an integer from 1.');
}

function parsePooling(value: string): PoolingMode[] {
  const modes = value.split(',');
  if (modes.every(isPoolingMode)) return modes;
  throw new InvalidArgumentError(`Expected one or more, with commas between, of ${POOLING_MODES.join(', ')}.`);
}
