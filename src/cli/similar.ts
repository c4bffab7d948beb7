/** `glassbert similar`: how similar texts are to one another. */
import type { Command } from 'commander';
import { GlassbertError } from '../errors.ts';
import type { EncodeOptions } from '../sentence-encoder.ts';
import { rowOf } from '../tensor/tensor.ts';
import { decimals } from './decimal.ts';
import { formatClosest, formatMatrix } from './matrix.ts';
import { encodeOptions, type LoadFlags, loadEncoder, withLoading, withPrompts } from './options.ts';
import { json, print } from './terminal.ts';
import { checkFinite } from './vector-formats.ts';

type SimilarFlags = LoadFlags & EncodeOptions & { readonly json?: boolean };

export function addSimilar(program: Command): void {
  const command = program
    .command('similar')
    .summary('how similar texts are to one another')
    .description("Compares every text with every other one, by the model's similarity function.")
    .argument('<text...>', 'two texts or more');
  withPrompts(withLoading(command))
    .option('--json', 'print {"similarity", "texts", "matrix"}')
    .addHelpText(
      'after',
      `
Examples:
  glassbert similar "The weather is lovely today." "It's so sunny outside!"
  glassbert similar --pooling cls --json "a cat" "a dog"`,
    )
    .action(similar);
}

async function similar(texts: readonly string[], flags: SimilarFlags): Promise<void> {
  if (texts.length < 2) {
    throw new GlassbertError('E_ARGUMENT', 'one text alone cannot be compared', { hint: 'Give two texts or more.' });
  }
  const encoder = await loadEncoder(flags);
  const vectors = await encoder.encode(texts, encodeOptions(flags));
  checkFinite(
    texts.map((text, a) => ({ id: a + 1, text })),
    vectors,
  );
  const matrix = encoder.similarity(vectors, vectors);
  const name = encoder.report.settings.similarityFnName.value;

  if (flags.json) {
    const rows = texts.map((_, a) => decimals(rowOf(matrix, a)).map(Number));
    await print(`${json({ similarity: name, texts, matrix: rows })}\n`);
  } else {
    await print(`${formatMatrix(texts, matrix)}\nsimilarity: ${name}; the closest: ${formatClosest(matrix)}\n`);
  }
}
