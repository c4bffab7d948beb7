/** The README's examples run as they stand, against the source. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(match => match[1]);
const index = new URL('../src/index.ts', import.meta.url).href;

/** What an example prints. */
function run(example: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-readme-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'example.mts');
  writeFileSync(file, example.replaceAll("'glassbert'", `'${index}'`));
  return execFileSync(process.execPath, [file], { encoding: 'utf8' });
}

test('usage', () => {
  const output = run(examples[0]);
  expect(output).toContain('[ 3, 192 ]');
  expect(output).toMatch(/0\.477\d*,\s+0\.180\d*/);
  expect(output).toContain("value: 256,\n  from: { file: 'sentence_bert_config.json', key: 'max_seq_length' }");
});

test('watching', () => {
  expect(run(examples[1])).toContain('encoder.layer.3.attention.self.probs [ 6, 6, 6 ]');
  expect(examples).toHaveLength(2);
});
