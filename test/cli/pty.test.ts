/** What a terminal is given and gives: with the program `script` of util-linux, which makes one. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finish, fixture, MAIN, makeFile } from './run.ts';

const MODEL = fixture('bert-mean-normalize');

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

function onTerminal(args: readonly string[]): ChildProcessWithoutNullStreams {
  const words = [process.execPath, MAIN, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`);
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
  return spawn('script', ['-qec', words.join(' '), '/dev/null'], { env: { ...env, TERM: 'xterm' } });
}

/** Resolves when the child has shown what is looked for. */
function shown(child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<void> {
  let text = '';
  return new Promise(resolve => {
    child.stdout.on('data', chunk => {
      text += chunk;
      if (pattern.test(text)) resolve();
    });
  });
}

describe.skipIf(!hasScript())('on a terminal', () => {
  test.concurrent('npy is not poured over it', async () => {
    const { status, stdout } = await finish(onTerminal(['embed', '--model', MODEL, '--format', 'npy', 'a']));
    expect(status).toBe(2);
    expect(stdout).toMatch(/E_ARGUMENT.*: npy is binary, and stdout is a terminal\r\n {2}hint: Give a file to write/);
    expect(stdout).not.toContain('NUMPY');
  });

  test.concurrent('ids in CSV are shown, not obeyed', async () => {
    const file = await makeFile('in.jsonl', '{"text": "a", "id": "\\u001b]0;PWNED\\u0007\\u202ex"}\n');
    const flags = ['embed', '--model', MODEL, '--truncate-dim', '1', '--format', 'csv', '--input', file];
    const { stdout } = await finish(onTerminal(flags));
    expect(stdout).toContain('\\u{1b}]0;PWNED\\u{7}\\u{202e}x,');
    for (const obeyed of ['\x1b]', '\x07', '\u202e']) expect(stdout).not.toContain(obeyed);
  });

  test.concurrent('progress has a rate and what is left; Ctrl-C ends its line and says what was kept', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `text number ${i}, and ${'some words '.repeat(20)}`);
    const input = await makeFile('in.txt', lines.join('\n'));
    const path = join(dirname(input), 'out.jsonl');
    const child = onTerminal(['embed', '--model', MODEL, '--input', input, '--output', path]);
    const finished = finish(child);
    await shown(child, / texts, [\d,]+ texts\/s, \d+ %, (?:\d+ (?:h|min|s) ?)+ left/);
    child.stdin.write('\x03');
    const { stdout, status } = await finished;
    expect(status).toBe(130);
    const [, kept] =
      /left(?:\^C)?\r\ninterrupted: ([\d,]+) vectors were kept in .*--resume goes on from there\r\n$/.exec(stdout) ??
      [];
    expect(Number(kept.replace(',', ''))).toBeGreaterThan(0);
    expect((await readdir(dirname(input))).sort()).toEqual(['in.txt', 'out.jsonl.partial']);
  });
});
