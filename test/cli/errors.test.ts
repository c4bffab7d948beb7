import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { finish, fixture, glassbert, MAIN, makeDirectory, makeFile, start } from './run.ts';

const SMALL = ['--model', fixture('bert-mean-normalize')];

test.concurrent.each([
  [
    'an unknown option',
    ['embed', '--modle', 'x'],
    /^error: unknown option '--modle'\n {2}\(Did you mean --model\?\)\n/,
  ],
  ['an unknown command', ['embd'], /^error: unknown command 'embd'\n {2}\(Did you mean embed\?\)\n/],
  ['a terminal escape in an option', ['embed', '--\x1b[31m'], /^error: unknown option '--\\u\{1b\}\[31m'\n/],
  ['a missing argument', ['tokens'], /^error: missing required argument 'text'\n {2}hint: /],
  ['one argument too many', ['tokens', 'a', 'b'], /^error: too many arguments/],
  ['a number that is none', ['embed', '--batch-size', '1e3', 'a'], /Expected an integer from 1\.\n/],
  ['an unknown format', ['embed', '--format', 'xml', 'a'], /Allowed choices are jsonl, json, base64, npy, csv\.\n/],
  ['an unknown pooling', ['similar', '--pooling', 'mean,avg', 'a', 'b'], /of cls, max, mean, /],
  ['two prompts', ['embed', '--prompt', 'a', '--prompt-name', 'b', 'c'], /cannot be used with option/],
  ['unknown kernels', ['embed', '--kernels', 'gpu', 'a'], /^error E_ARGUMENT: .*reference.*gpu\n/],
  [
    'an unknown prompt',
    ['embed', ...SMALL, '--prompt-name', 'qury', 'a'],
    /^error E_PROMPT_UNKNOWN: .*"qury".*\n {2}hint: /,
  ],
  ['one text alone', ['similar', 'a'], /^error E_ARGUMENT: .*\n {2}hint: /],
  ['texts from two places', ['embed', 'a', '--input', 'b'], /^error E_ARGUMENT: .*not from both\n/],
  ['two inputs', ['embed', '--input', 'a', '--input', 'b'], /^error: .*'b' is invalid\. It is given twice; /],
  ['a model given twice', ['inspect', 'a', '--model', 'b'], /^error E_ARGUMENT: /],
  [
    'an output in no directory',
    ['embed', ...SMALL, 'a', '--output', '/no/such/x'],
    /^error E_OUTPUT: \/no\/such\/x: .*ENOENT/,
  ],
  [
    'a directory as output',
    ['embed', ...SMALL, 'a', '--output', fixture('')],
    /^error E_OUTPUT: .*not a regular file\n/,
  ],
])('wrong usage, exit code 2: %s', async (_, args, message) => {
  const { status, stdout, stderr } = await glassbert(args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test.concurrent.each([
  ['no directory', '/no/such/model', /^error E_DIRECTORY_MISSING: \/no\/such\/model: .*\n {2}hint: /],
  ['a file', fixture('bert-mean-normalize/config.json'), /^error E_NOT_A_DIRECTORY: .*\n {2}hint: /],
  ['a directory that is no model', fixture(''), /^error E_FILE_MISSING: /],
  ['a name with a terminal escape', '/no/\x1b[31mred', /^error E_DIRECTORY_MISSING: \/no\/\\u\{1b\}\[31mred: /],
])('no model, exit code 3: %s', async (_, model, message) => {
  const { status, stdout, stderr } = await glassbert(['inspect', model]);
  expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  expect(stderr).toMatch(message);
});

test.concurrent.each([
  ['malformed JSON', '{"text": b}\n', 'jsonl', /in: line 1, column 10: malformed JSON/],
  ['a line that is no object', '["b"]\n', 'jsonl', /in: line 1: .*expected \{"text": "\.\.\."\}, found an array/],
  ['an empty line', '\n{"text": "a"}\n', 'jsonl', /in: line 1, column 1: the line is empty\n {2}hint: Remove it: /],
  ['no text', '{"id": 1}', 'jsonl', /in: line 1: .*expected "text", a string, found no "text"/],
  ['a text that is none', '{"text": ["a"]}', 'jsonl', /in: line 1: .*found "text": an array/],
  ['an id that is none', '{"text": "a", "id": null}', 'jsonl', /in: line 1: .*found null/],
  ['a key twice', '{"text": "a", "text": "b"}', 'jsonl', /in: line 1, column 15: /],
  [
    'invalid UTF-8',
    Buffer.from('Gr\xf6\xdfe\n', 'latin1'),
    'lines',
    /in: line 1: the text is not valid UTF-8\n {2}hint: /,
  ],
  ['UTF-16', Buffer.from('\ufeffa', 'utf16le'), 'lines', /in: this is UTF-16, not text in UTF-8\n {2}hint: .*iconv/],
  ['a line without end', 'x'.repeat(17 * 2 ** 20), 'lines', /in: line 1 is longer than 16777216 bytes\n {2}hint: /],
])('unreadable input, exit code 5: %s', async (_, content, format, message) => {
  const file = await makeFile('in', content);
  const { status, stdout, stderr } = await glassbert(['embed', ...SMALL, '--input', file, '--input-format', format]);
  expect({ status, stdout }).toEqual({ status: 5, stdout: '' });
  expect(stderr).toMatch(/^error E_INPUT: /);
  expect(stderr).toMatch(message);
});

test.concurrent('input that is not there, or not a file, exit code 5', async () => {
  const directory = await makeDirectory();
  for (const input of [`${directory}/missing.txt`, directory]) {
    const { status, stderr } = await glassbert(['embed', ...SMALL, '--input', input]);
    expect(status).toBe(5);
    expect(stderr).toMatch(/^error E_INPUT: .*(there is no such file|this is a directory, not a file\n {2}hint: )/);
  }
});

test.concurrent('an error on stdin does not wait for the rest of it', async () => {
  const child = start(['embed', ...SMALL, '--input-format', 'jsonl']);
  child.stdin.write('{"text": 1}\n'); // and never an end
  expect(await finish(child)).toMatchObject({ status: 5, stderr: expect.stringContaining('stdin: line 1: ') });
});

test.skipIf(!existsSync('/dev/full')).concurrent('a full disk behind stdout is told', async () => {
  const stderr = await new Promise<string>(resolve => {
    const args = ['-c', '"$0" "$1" --version > /dev/full', process.execPath, MAIN];
    execFile('sh', args, (_, __, text) => resolve(text));
  });
  expect(stderr).toBe(
    'error E_DISK_FULL: stdout: the output cannot be written (ENOSPC)\n  hint: Make room, or write to another disk.\n',
  );
});

test.concurrent('a bug is called one; its stack is for who asks', async () => {
  const bug = 'process.stdout.write=()=>{throw new TypeError("boom")}';
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(bug)}`;
  const { status, stderr } = await glassbert(['tokens', 'a'], { env: { NODE_OPTIONS } });
  expect(status).toBe(70);
  expect(stderr).toMatch(/^internal error: boom\n {2}hint: .*report.*GLASSBERT_DEBUG=1\.\n$/);

  const debugged = start(['tokens', 'a'], { NODE_OPTIONS, GLASSBERT_DEBUG: '1' });
  expect((await finish(debugged)).stderr).toMatch(/^internal error: boom\nTypeError: boom\n +at /);
});
