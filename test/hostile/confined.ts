/**
 * Loads the directories that are given on stdin, one after the other, in a process that confinement.test.ts has confined, and
 * says on stdout how each ended: a JSON line a directory, and a last one for the process.
 *
 *   {"directories": [...], "threads": 1}  ->  {"code": "E_JSON", "milliseconds": 12}  ...  {"peak": 123456789}
 *
 * Those that load embed a text: of `text`, so many of a piece of it; else a short one.
 */
import { json } from 'node:stream/consumers';
import { GlassbertError, SentenceEncoder } from '../../src/index.ts';

export interface Order {
  readonly directories: readonly string[];
  readonly threads?: number | undefined;
  readonly text?: { readonly of: string; readonly count: number } | undefined;
}

const { directories, threads, text } = (await json(process.stdin)) as Order;
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

process.on('uncaughtException', error => tell({ uncaught: String(error) }));

for (const directory of directories) {
  const start = process.threadCpuUsage();
  let code = 'loads';
  let vector: number[] | undefined;
  try {
    const encoder = await SentenceEncoder.load(directory, {
      onWarning: () => {},
      ...(threads === undefined ? {} : { threads }),
    });
    const input = text === undefined ? 'It works.' : text.of.repeat(text.count);
    const { data } = await encoder.encode(input);
    if (!data.every(Number.isFinite)) throw new Error('the vector is not finite');
    vector = [...data.slice(0, 2)];
    await encoder.dispose();
  } catch (error) {
    code = error instanceof GlassbertError ? error.code : `untyped: ${error}`;
  }
  const { user, system } = process.threadCpuUsage(start);
  tell({ code, milliseconds: Math.round((user + system) / 1000), vector });
}
tell({ peak: process.resourceUsage().maxRSS * 1024, touched: (globalThis as { touched?: string[] }).touched ?? [] });
