#!/usr/bin/env node
/**
 * The command line: one file per command.
 *
 * Data goes to stdout, talk to stderr. Whatever goes wrong ends in one line with a code, a hint, and an exit code
 * of exit-codes.ts; a stack trace is for bugs, and GLASSBERT_DEBUG=1 shows it.
 */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { Command, CommanderError } from 'commander';
import { GlassbertError } from '../errors.ts';
import { quote } from '../io/json.ts';
import { addCheck } from './check.ts';
import { addCompletion } from './completion.ts';
import { addDemo } from './demo.ts';
import { addEmbed } from './embed.ts';
import { environment } from './environment.ts';
import { EXIT, exitCodeOf, givesVerdict } from './exit-codes.ts';
import { addInspect } from './inspect.ts';
import { endOnSignals } from './interrupt.ts';
import { addManifest } from './manifest.ts';
import { outputError } from './output.ts';
import { addSign } from './sign.ts';
import { addSimilar } from './similar.ts';
import { talk, visible } from './terminal.ts';
import { addTokens } from './tokens.ts';
import { addVerify } from './verify.ts';

const COMMANDS = [
  ...[addEmbed, addSimilar, addTokens, addInspect, addCheck, addManifest, addSign, addVerify, addDemo],
  ...[addCompletion, addHelp],
];

/** As other programs have it. */
const SYNONYMS: Readonly<Record<string, string>> = { '-V': '--version', version: '--version' };

endOnSignals();
process.once('uncaughtException', error => process.exit(fail(error)));
// A reader that has seen enough (`| head -1`) is no failure; but no verdict is lost by it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(fail(outputError(error, 'stdout')));
  if (!givesVerdict(process.argv[2])) process.exit(EXIT.ok);
});
process.stderr.on('error', () => {});

process.exitCode = await run(process.argv.slice(2));

/** @returns the exit code */
async function run(args: readonly string[]): Promise<number> {
  try {
    const [first = 'demo', ...rest] = args;
    await createProgram().parseAsync([SYNONYMS[first] ?? first, ...rest], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok); // a check that failed has set another
  } catch (error) {
    return fail(error);
  }
}

function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  // What stands before the commands is inherited by them.
  const program = new Command('glassbert')
    .description('Sentence embeddings in which nothing is hidden: a Sentence Transformers directory in, vectors out.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false) // it takes every name for a command
    .exitOverride()
    .showHelpAfterError('  hint: --help shows how it is used.')
    .configureOutput({ outputError: (text, write) => write(styleError(text)) })
    .addHelpText(
      'after',
      `
Examples:
  glassbert                                             three sentences
  glassbert embed "The weather is lovely today."        a line of JSON
  glassbert embed --input docs.jsonl --output docs.npy  a NumPy array
  glassbert similar "a cat" "a dog" --model models/all-MiniLM-L6-v2
  glassbert inspect models/all-MiniLM-L6-v2

Exit codes:
  0  done                      6    the disk is full
  2  wrong usage               70   a bug in glassbert
  3  the model cannot be read  129, 130, 143  interrupted: SIGHUP,
  5  the input cannot be read       SIGINT (Ctrl-C), SIGTERM
Those of check, manifest, sign and verify stand in their own --help.`,
    );
  for (const add of COMMANDS) add(program);
  return program;
}

function addHelp(program: Command): void {
  program
    .command('help')
    .argument('[command]')
    .summary('print the help of a command')
    .description('Prints the help of a command, or of all.')
    .action((name: string | undefined) => {
      const command = name === undefined ? program : program.commands.find(command => command.name() === name);
      if (command !== undefined) return command.outputHelp();
      throw new GlassbertError('E_ARGUMENT', `unknown command ${quote(name as string)}`, {
        hint: 'glassbert --help lists the commands.',
      });
    });
}

/** Says what went wrong. @returns the exit code */
function fail(error: unknown): number {
  const exitCode = exitCodeOf(error, process.argv[2]);
  if (error instanceof CommanderError) return exitCode; // it has written its message, or the help that was asked for
  if (error instanceof GlassbertError) {
    talk(`${red(`error ${error.code}`)}: ${visible(error.message)}`);
    if (error.hint !== undefined) talk(`  hint: ${visible(error.hint)}`);
    return exitCode;
  }
  talk(`${red('internal error')}: ${visible(error instanceof Error ? error.message : String(error))}`);
  if (environment('GLASSBERT_DEBUG') === '1' && error instanceof Error) {
    talk(`${error.stack}`.split('\n').map(visible).join('\n'));
  } else talk('  hint: This is a bug in glassbert. Please report it with the output of GLASSBERT_DEBUG=1.');
  return exitCode;
}

/** "error: ..." of commander, which repeats arguments as they came. */
function styleError(text: string): string {
  const lines = text.trimEnd().split('\n').map(visible);
  return `${lines.join('\n  ').replace(/^error/, red)}\n`;
}

function red(text: string): string {
  return styleText('red', text, { stream: process.stderr });
}
