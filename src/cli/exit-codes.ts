/**
 * What the command line ends with. The commands about trust (`check`, `manifest`, `sign`, `verify`) have a table of their
 * own, so that a script can tell a model that is not whole from one that was changed and from one whose signature is false.
 */
import { CommanderError } from 'commander';
import { type ErrorCode, GlassbertError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  usage: 2,
  model: 3,
  input: 5,
  diskFull: 6,
  internal: 70,
  sighup: 129,
  sigint: 130,
  sigterm: 143,
} as const;

export const TRUST_EXIT = {
  ok: 0,
  incomplete: 1,
  integrity: 2,
  signature: 3,
  unsafe: 4,
  diskFull: 6,
  usage: 64,
} as const;

const TRUST_COMMANDS = ['check', 'manifest', 'sign', 'verify'];

/** Whether the command gives a verdict, which holds whether or not anybody reads what it prints. */
export function givesVerdict(command: string | undefined): boolean {
  return TRUST_COMMANDS.includes(command ?? '');
}

/** For the help of a command. */
export const TRUST_EXIT_HELP: string = `
Exit codes:
  0   fine
  1   something is not there
  2   files are not as recorded
  3   the signature is not valid, or not by the one expected
  4   unsafe or malformed, or it could not be read
  6   the disk is full
  64  wrong usage`;

/** The codes that are not about the model. */
const EXIT_OF_CODE: Partial<Record<ErrorCode, number>> = {
  E_ARGUMENT: EXIT.usage,
  E_OUTPUT: EXIT.usage,
  E_DISK_FULL: EXIT.diskFull,
  E_PROMPT_UNKNOWN: EXIT.usage,
  E_INPUT: EXIT.input,
};

/** All others are `unsafe`. */
const TRUST_EXIT_OF_CODE: Partial<Record<ErrorCode, number>> = {
  E_ARGUMENT: TRUST_EXIT.usage,
  E_OUTPUT: TRUST_EXIT.usage,
  E_DISK_FULL: TRUST_EXIT.diskFull,
  E_DIRECTORY_MISSING: TRUST_EXIT.usage,
  E_NOT_A_DIRECTORY: TRUST_EXIT.usage,
  E_KEY: TRUST_EXIT.usage,
  E_DEPENDENCY: TRUST_EXIT.usage,
  E_FILE_MISSING: TRUST_EXIT.incomplete,
  E_DIGEST: TRUST_EXIT.integrity,
  E_UNCOVERED: TRUST_EXIT.integrity,
  E_SIGNATURE: TRUST_EXIT.signature,
  E_CERTIFICATE: TRUST_EXIT.signature,
};

/** @param command - the first argument of the command line */
export function exitCodeOf(error: unknown, command: string | undefined): number {
  const trust = givesVerdict(command);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    return trust ? TRUST_EXIT.usage : EXIT.usage;
  }
  if (!(error instanceof GlassbertError)) return EXIT.internal;
  return trust ? (TRUST_EXIT_OF_CODE[error.code] ?? TRUST_EXIT.unsafe) : (EXIT_OF_CODE[error.code] ?? EXIT.model);
}
