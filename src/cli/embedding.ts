/**
 * Texts on their way through the encoder into an output, and what is said of them: how far they are, how many were cut, and
 * when it ends early, what was written.
 */
import { GlassbertError } from '../errors.ts';
import type { EncodeOptions, Input, SentenceEncoder } from '../sentence-encoder.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { batchesOf, type Entry, TextInput } from './input/texts.ts';
import { onInterrupt } from './interrupt.ts';
import { type Output, STDOUT } from './output.ts';
import { resume } from './resume.ts';
import { count, Progress, progressLine, talk, visible, warn } from './terminal.ts';
import { checkFinite, isFormula, type VectorFormat } from './vector-formats.ts';

/** Rows of an earlier run that are written at a time. */
const COPIED = 256;

export class Embedding {
  /** Rows in the output. */
  done = 0;
  /** How many of them an earlier run had computed, and how much of the input that was. */
  #kept = { rows: 0, fraction: 0 };
  #isCopying = false;
  #cut = 0;
  #hasFormulas = false;
  readonly #encoder: SentenceEncoder;
  readonly #options: EncodeOptions;
  readonly #format: VectorFormat;
  readonly #output: Output;
  readonly #texts: readonly Entry[] | TextInput;
  readonly #entries: AsyncGenerator<Entry, void, void>;
  readonly #progress: Progress;
  readonly #forget: () => void;

  constructor(
    encoder: SentenceEncoder,
    options: EncodeOptions,
    format: VectorFormat,
    output: Output,
    texts: readonly Entry[] | TextInput,
  ) {
    this.#encoder = encoder;
    this.#options = options;
    this.#format = format;
    this.#output = output;
    this.#texts = texts;
    this.#entries = each(texts);
    this.#progress = new Progress(output === STDOUT);
    this.#forget = onInterrupt(() => this.#interrupted());
  }

  /** Takes over what an earlier run left. */
  async resume(path: string, pair: string | undefined): Promise<void> {
    this.#isCopying = true;
    const rows = resume(path, this.#entries, this.#format, async entry => {
      const vectors = await this.#encoder.encode([pairOf(entry.text, pair)], this.#options);
      return this.#format.rows([entry], vectors, 0);
    });
    for await (const batch of batchesOf(rows, COPIED)) {
      await this.#output.write(batch.map(row => `${row}\n`).join(''));
      this.done += batch.length;
    }
    this.#isCopying = false;
    this.#kept = { rows: this.done, fraction: this.#fraction ?? 0 };
    talk(`${plural(this.done, 'vector')} taken over from ${visible(path)}`);
  }

  async run(batchSize: number, pair: string | undefined): Promise<void> {
    for await (const batch of batchesOf(this.#entries, batchSize)) {
      const vectors = await this.#encode(batch.map(({ text }) => pairOf(text, pair)));
      checkFinite(batch, vectors);
      this.#hasFormulas ||= this.#format.name === 'csv' && batch.some(({ id }) => isFormula(id));
      await this.#output.write(this.#format.rows(batch, vectors, this.done));
      this.done += batch.length;
      this.#progress.show(seconds => {
        const { rows, fraction } = this.#kept;
        const total = this.#fraction;
        const embedded = total === undefined ? undefined : (total - fraction) / (1 - fraction);
        return progressLine(this.done - rows, seconds, embedded);
      });
    }
  }

  async #encode(texts: readonly Input[]): Promise<Tensor> {
    let cut = 0;
    const onProgress = (progress: { readonly cut: number }): void => {
      cut = progress.cut;
    };
    const vectors = await this.#encoder.encode(texts, { ...this.#options, onProgress });
    this.#cut += cut;
    return vectors;
  }

  /** Of the input, from 0 to 1; undefined where its size is not known. */
  get #fraction(): number | undefined {
    return this.#texts instanceof TextInput ? this.#texts.fraction : this.done / this.#texts.length;
  }

  /** What the texts made worth saying, once. */
  end(): void {
    this.#forget();
    this.#progress.clear();
    if (this.#cut > 0) {
      const [be, it] = this.#cut === 1 ? ['was', 'it'] : ['were', 'them'];
      warn({
        code: 'W_TEXTS_CUT',
        message:
          `${plural(this.#cut, 'text')} of ${count(this.done - this.#kept.rows)} ${be} longer than ` +
          `${this.#encoder.maxSeqLength} tokens: the model sees the beginning of ${it}. glassbert tokens TEXT shows where.`,
      });
    }
    if (this.#hasFormulas) {
      warn({
        code: 'W_SPREADSHEET_FORMULA',
        message:
          'Ids begin as formulas do and stand in the CSV as they came: import that column as text, or use jsonl.',
      });
    }
  }

  /** The error, with what has become of the vectors before it. */
  explain(error: unknown): unknown {
    if (!(error instanceof GlassbertError) || error.code !== 'E_INPUT') return error;
    const told =
      this.#output === STDOUT
        ? this.done > 0 && `${plural(this.done, 'vector')} of the texts before it ${verb(this.done)} written.`
        : 'No file was written.';
    const hint = [error.hint, told].filter(Boolean).join(' ');
    return new GlassbertError(error.code, error.message, { hint: hint === '' ? undefined : hint, cause: error });
  }

  #interrupted(): void {
    const [vectors, be] = [plural(this.done, 'vector'), verb(this.done)];
    if (this.#output === STDOUT) talk(`interrupted: ${vectors} ${be} written`);
    else if (this.#isCopying) talk('interrupted: nothing was written, and what was kept before is kept');
    else if (this.#output.keep === undefined || this.done === 0) talk('interrupted: no file was written');
    else {
      try {
        const file = this.#output.keep();
        talk(
          `interrupted: ${vectors} ${be} kept in ${visible(file)}; the same command with --resume goes on from there`,
        );
      } catch (error) {
        talk(`interrupted: nothing was kept: ${visible((error as Error).message)}`);
      }
    }
  }
}

async function* each(texts: Iterable<Entry> | AsyncIterable<Entry>): AsyncGenerator<Entry, void, void> {
  yield* texts;
}

function pairOf(text: Input, pair: string | undefined): Input {
  if (pair === undefined) return text;
  if (typeof text === 'string') return [text, pair];
  throw new GlassbertError('E_ARGUMENT', 'the input has pairs, and --pair gives a second text too', {
    hint: 'Leave --pair away.',
  });
}

function plural(number: number, what: string): string {
  return `${count(number)} ${what}${number === 1 ? '' : 's'}`;
}

function verb(number: number): string {
  return number === 1 ? 'was' : 'were';
}
