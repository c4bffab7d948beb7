/** `glassbert tokens`: what the model sees of a text. */
import type { Command } from 'commander';
import { defaultModel } from '../sentence-encoder.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import type { Encoding } from '../text/tokenizer.ts';
import { defined, type ModelFlags, namedBy, parseCount, withModel } from './options.ts';
import { json, print, table, visible } from './terminal.ts';

type TokensFlags = ModelFlags & {
  readonly pair?: string;
  readonly prompt?: string;
  readonly maxSeqLength?: number;
  readonly json?: boolean;
};

export function addTokens(program: Command): void {
  withModel(program.command('tokens'))
    .summary('the tokens of a text, and where it is cut')
    .description(
      'Shows the tokens of a text as the model sees them, special ones included, and where the text is cut. The tokenizer is enough: no weights are read.',
    )
    .argument('<text>')
    .option('--pair <text>', 'a second text, seen together with the first')
    .option('--prompt <text>', 'put this text before it, as embed does')
    .option('--max-seq-length <n>', 'cut after n tokens, special ones included', parseCount)
    .option('--json', 'print {"tokens", "ids", "typeIds", "count", "max", "truncated", "leftOut"}')
    .addHelpText(
      'after',
      `
Examples:
  glassbert tokens "It's unbelievable."
  glassbert tokens "A question?" --pair "An answer."`,
    )
    .action(showTokens);
}

async function showTokens(text: string, flags: TokensFlags): Promise<void> {
  const tokenizer = await namedBy(flags.model, (directory = defaultModel()) => loadTokenizer(directory));
  const { pair, prompt = '', maxSeqLength: max = tokenizer.maxLength } = flags;
  const encode = (truncate: boolean): Encoding =>
    tokenizer.encode(prompt + text, { ...defined({ pair }), truncate, maxLength: max });
  const seen = encode(true);
  // The whole of it: operating systems keep the arguments of a program to some megabytes.
  const leftOut = seen.truncated ? compare(seen, encode(false)) : null;

  if (flags.json) {
    const { tokens, ids, typeIds, truncated } = seen;
    const counts = { count: ids.length, max };
    await print(`${json({ tokens, ids: [...ids], typeIds: [...typeIds], ...counts, truncated, leftOut })}\n`);
    return;
  }
  await print(format(seen));
  await print(`\n${seen.ids.length} tokens of at most ${max}\n`);
  if (leftOut === null) return;
  const { count, first, at } = leftOut;
  await print(`cut: ${count} more did not fit, the first is ${visible(first)} at ${at}\n`);
}

function format({ tokens, ids, typeIds }: Encoding): string {
  const rows = tokens.map((token, t) => [`${t}`, `${ids[t]}`, `${typeIds[t]}`, visible(token)]);
  return table([['', 'id', 'type', 'token'], ...rows], ['right', 'right', 'right', 'left']);
}

interface LeftOut {
  readonly count: number;
  /** The first token that did not fit. */
  readonly first: string;
  /** Where it would have stood. */
  readonly at: number;
}

function compare(seen: Encoding, whole: Encoding): LeftOut {
  const parted = whole.ids.findIndex((id, t) => id !== seen.ids[t]);
  const at = parted < 0 ? seen.ids.length : parted;
  return { count: whole.ids.length - seen.ids.length, first: whole.tokens[at], at };
}
