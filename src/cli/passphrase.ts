/**
 * The passphrase of an encrypted key. It comes from the environment or from the terminal and never from an argument, which
 * every user of the machine can see and which the shell writes down.
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { GlassbertError } from '../errors.ts';
import { environment } from './environment.ts';
import { EXIT } from './exit-codes.ts';
import { visible } from './terminal.ts';

export const PASSPHRASE_VARIABLE = 'GLASSBERT_KEY_PASSPHRASE';

/** @param file - the key, for the question */
export async function readPassphrase(file: string): Promise<string> {
  const given = environment(PASSPHRASE_VARIABLE);
  if (given !== undefined) return given;
  if (process.stdin.isTTY) return ask(`Passphrase of ${visible(file)}: `);
  throw new GlassbertError(
    'E_KEY',
    'the private key is encrypted, and there is no terminal to ask for its passphrase',
    {
      file,
      hint: `Put it into the environment variable ${PASSPHRASE_VARIABLE}.`,
    },
  );
}

/** What is typed is echoed to nowhere. */
async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  terminal.once('SIGINT', () => process.exit(EXIT.sigint));
  terminal.once('close', () => process.stderr.write('\n'));
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
  }
}
