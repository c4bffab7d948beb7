/** `glassbert embed`: texts to vectors, streaming. */
import { rmSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { GlassbertError } from '../errors.ts';
import type { EncodeOptions } from '../sentence-encoder.ts';
import { checkDestination, keptFile } from './destination.ts';
import { Embedding } from './embedding.ts';
import { INPUT_FORMATS } from './input/format.ts';
import { type Entry, type InputFlags, TextInput } from './input/texts.ts';
import { encodeOptions, type LoadFlags, loadEncoder, once, parseCount, withLoading, withPrompts } from './options.ts';
import { openOutputFile, STDOUT } from './output.ts';
import { partialOf, RESUMABLE } from './resume.ts';
import { talk, visible } from './terminal.ts';
import { FORMATS, type FormatName, vectorFormat } from './vector-formats.ts';

type EmbedFlags = LoadFlags &
  EncodeOptions &
  InputFlags & {
    readonly input?: string;
    readonly pair?: string;
    readonly format?: FormatName;
    readonly output?: string;
    readonly resume?: boolean;
    readonly batchSize: number;
  };

export function addEmbed(program: Command): void {
  const command = program
    .command('embed')
    .summary('texts to vectors')
    .description('Turns texts into vectors, in the order of the input: arguments, or a file, or stdin.')
    .argument('[text...]', 'the texts; without any and without --input, lines of stdin')
    .option('--input <file>', 'read the texts from a file, - for stdin', once)
    .addOption(
      new Option('--input-format <format>', 'how the input is written, see below')
        .choices(INPUT_FORMATS)
        .default('auto'),
    )
    .option('--text-field <name>', 'key or column of the text (default: text)')
    .option('--id-field <name>', 'key or column of the id (default: id)')
    .option('--pair <text>', 'a second text, which the model sees together with each')
    .addOption(
      new Option(
        '--format <format>',
        'how vectors are written, see below (default: by the name of --output, else jsonl)',
      ).choices(FORMATS),
    )
    .option('--output <file>', 'write to a file, which appears when it is complete (default: stdout)')
    .option('--resume', 'go on with what an interrupted run left of --output');
  withPrompts(withLoading(command))
    .option('--truncate-dim <n>', 'keep the first n elements', parseCount)
    .option('--normalize', 'scale each vector to length 1')
    .option('--batch-size <n>', 'texts computed at a time; changes memory, never a vector', parseCount, 32)
    .addHelpText(
      'after',
      `
Input formats, in UTF-8:
  lines   a text on each line; an empty line is an empty text
  jsonl   {"text": "...", "id": "..."} on each line; a pair: "text": ["a", "b"]
  json    one array of such objects, or of strings
  csv     a header with a column text, and perhaps id; tsv has tabs
  auto    by the name of the file, else by its first lines, which is then said
Other keys and columns are passed over. The id comes out as it came in; a text
without one gets its number, from 0.

Output formats:
  jsonl   {"id": 0, "embedding": [0.1, -0.2]} on each line
  json    the same, as one array
  base64  the same lines, the floats as bytes, little-endian, in base64
  csv     id,e0,e1,...
  npy     a NumPy array, without ids
Decimals read back to the same bits. Ids stand in CSV as they came in; where one
begins as a formula does, a warning says so.

Interrupted (Ctrl-C), a run leaves its complete jsonl, base64 or csv lines in
FILE.partial, where --resume finds them. It compares ids and computes some of
the vectors again, and refuses those of another input, model or option. A file
that glassbert embed did not write is never replaced.

Examples:
  glassbert embed "The weather is lovely today."
  glassbert embed --input docs.jsonl --output docs.npy
  glassbert embed --input table.csv --text-field body --output vectors.csv
  cut -f2 table.tsv | glassbert embed > vectors.jsonl`,
    )
    .action(embed);
}

async function embed(args: readonly string[], flags: EmbedFlags): Promise<void> {
  const name = flags.format ?? formatOf(flags.output);
  const file = flags.output === '-' ? undefined : flags.output;
  const texts = chooseInput(args, flags);
  const isStreamed = texts instanceof TextInput;
  checkDestination(name, file, isStreamed ? texts.source : undefined, flags.resume ?? false);

  const encoder = await loadEncoder(flags);
  const options = encodeOptions(flags);
  // Before the first text is read: the shape [0, D] for the header, and an error if an option does not suit the model.
  const like = await encoder.encode([], options);
  const format = vectorFormat(name, like, file === undefined && process.stdout.isTTY);
  const keptAs = file !== undefined && RESUMABLE.includes(name) ? partialOf(file) : undefined;
  const output = file === undefined ? STDOUT : await openOutputFile(file, keptAs);
  const embedding = new Embedding(encoder, options, format, output, texts);
  try {
    await output.write(format.header(args.length));
    const kept = flags.resume && file !== undefined ? keptFile(file) : undefined;
    if (kept !== undefined) await embedding.resume(kept, flags.pair);
    await embedding.run(flags.batchSize, flags.pair);
    await output.write(format.footer);
    if (format.countsRows) await output.overwriteStart?.(format.header(embedding.done));
    await output.commit();
    if (kept !== undefined && kept === keptAs) rmSync(kept);
  } catch (error) {
    throw embedding.explain(error);
  } finally {
    embedding.end();
    await output.close();
  }
  if (embedding.done === 0) talk(`0 texts${isStreamed ? `: there is none in ${visible(texts.source.file)}` : ''}`);
}

function formatOf(output: string | undefined): FormatName {
  return FORMATS.find(format => output?.toLowerCase().endsWith(`.${format}`)) ?? 'jsonl';
}

function chooseInput(texts: readonly string[], flags: EmbedFlags): Entry[] | TextInput {
  const { input, textField, idField, inputFormat } = flags;
  if (texts.length > 0 && input !== undefined) {
    throw new GlassbertError('E_ARGUMENT', 'texts come from arguments or from --input, not from both');
  }
  if (texts.length > 0) {
    if (textField === undefined && idField === undefined && inputFormat === 'auto')
      return texts.map((text, id) => ({ id, text }));
    throw new GlassbertError('E_ARGUMENT', 'texts that are arguments have no format and no fields', {
      hint: '--input-format, --text-field and --id-field are for --input and for stdin.',
    });
  }
  if (input !== undefined) return new TextInput(input, flags);
  if (!process.stdin.isTTY) return new TextInput('-', flags);
  throw new GlassbertError('E_ARGUMENT', 'there is no text to embed', {
    hint: 'Give texts as arguments, a file with --input FILE, or lines through a pipe.',
  });
}
