/** `glassbert embed`: texts to vectors, streaming. */
import { type Command, Option } from 'commander';
import { GlassbertError } from '../errors.ts';
import type { EncodeOptions } from '../sentence-encoder.ts';
import { encodeOptions, type LoadFlags, loadEncoder, parseCount, withLoading, withPrompts } from './options.ts';
import { type Output, openOutputFile, STDOUT } from './output.ts';
import { Progress } from './terminal.ts';
import { batchesOf, type Entry, INPUT_FORMATS, type InputFormat, readTexts } from './texts.ts';
import { checkFinite, FORMATS, type FormatName, vectorFormat } from './vector-formats.ts';

type EmbedFlags = LoadFlags &
  EncodeOptions & {
    readonly input?: string;
    readonly inputFormat: InputFormat;
    readonly format?: FormatName;
    readonly output?: string;
    readonly batchSize: number;
  };

export function addEmbed(program: Command): void {
  const command = program
    .command('embed')
    .summary('texts to vectors')
    .description('Turns texts into vectors, in the order of the input: arguments, or a file, or stdin.')
    .argument('[text...]', 'the texts; without any and without --input, lines of stdin')
    .option('--input <file>', 'read the texts from a file, - for stdin')
    .addOption(
      new Option(
        '--input-format <format>',
        'lines: one text a line; jsonl: {"text": ..., "id": ...} a line; auto: jsonl for *.jsonl, *.ndjson and where the first line is one, else lines',
      )
        .choices(INPUT_FORMATS)
        .default('auto'),
    )
    .addOption(
      new Option(
        '--format <format>',
        'jsonl: {"id", "embedding"} a line; csv: id,e0,e1,...; npy: NumPy, without ids (default: by the name of --output, else jsonl)',
      ).choices(FORMATS),
    )
    .option('--output <file>', 'write to a file, which appears when it is complete (default: stdout)');
  withPrompts(withLoading(command))
    .option('--truncate-dim <n>', 'keep the first n elements', parseCount)
    .option('--normalize', 'scale each vector to length 1')
    .option('--batch-size <n>', 'texts computed at a time; changes memory, never a vector', parseCount, 32)
    .addHelpText(
      'after',
      `
Input is UTF-8; a byte order mark at its start is dropped. An empty line is an empty text.
The id is the one given, else the number of the text from 0. Decimals read back to the same bits.

Examples:
  glassbert embed "The weather is lovely today."
  glassbert embed --input docs.jsonl --output docs.npy
  cut -f2 table.tsv | glassbert embed --format csv > vectors.csv`,
    )
    .action(embed);
}

async function embed(args: readonly string[], flags: EmbedFlags): Promise<void> {
  const isFile = flags.output !== undefined && flags.output !== '-';
  const name = flags.format ?? formatOf(flags.output);
  const entries = chooseInput(args, flags);
  if (name === 'npy' && !isFile && !Array.isArray(entries)) {
    throw new GlassbertError('E_ARGUMENT', 'a .npy file begins with the number of its rows, which is not known yet', {
      hint: 'Give a file to write, where it can be put in at the end: --output FILE.',
    });
  }

  const encoder = await loadEncoder(flags);
  const options = encodeOptions(flags);
  // Before the first text is read: the shape [0, D] for the header, and an error if an option does not suit the model.
  const format = vectorFormat(name, await encoder.encode([], options));
  const output: Output = isFile ? await openOutputFile(flags.output) : STDOUT;
  const progress = new Progress(!isFile);

  let done = 0;
  try {
    await output.write(format.header(args.length));
    for await (const batch of batchesOf(entries, flags.batchSize)) {
      const texts = batch.map(entry => entry.text);
      const vectors = await encoder.encode(texts, options);
      checkFinite(batch, vectors);
      await output.write(format.rows(batch, vectors));
      done += batch.length;
      progress.update(done);
    }
    if (format.countsRows) await output.overwriteStart?.(format.header(done));
    await output.commit();
  } finally {
    progress.clear();
    await output.close();
  }
}

function formatOf(output: string | undefined): FormatName {
  return FORMATS.find(format => output?.toLowerCase().endsWith(`.${format}`)) ?? 'jsonl';
}

function chooseInput(texts: readonly string[], { input, inputFormat }: EmbedFlags): Entry[] | AsyncIterable<Entry> {
  if (texts.length > 0 && input !== undefined) {
    throw new GlassbertError('E_ARGUMENT', 'texts come from arguments or from --input, not from both');
  }
  if (texts.length > 0) return texts.map((text, id) => ({ id, text }));
  if (input !== undefined) return readTexts(input, inputFormat);
  if (!process.stdin.isTTY) return readTexts('-', inputFormat);
  throw new GlassbertError('E_ARGUMENT', 'there is no text to embed', {
    hint: 'Give texts as arguments, a file with --input FILE, or lines through a pipe.',
  });
}
