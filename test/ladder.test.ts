/**
 * Imports only go down the ladder. What stands on one rung does not know what stands beside it or above:
 *
 *   errors < options < tensor < io < text, bert, pooling, trust < settings, pooled, call < threads (and their thread) < schedule
 *     < load-model < completeness < sentence-encoder < index < cli
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const LADDER = [
  ['errors'],
  ['options'],
  ['tensor'],
  ['io'],
  ['text', 'bert', 'pooling', 'trust'],
  ['settings', 'pooled', 'call'],
  ['threads'],
  ['schedule'],
  ['load-model'],
  ['completeness'],
  ['sentence-encoder'],
  ['index'],
  ['cli'],
];

const SRC = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));

/** 'bert/weights.ts' is of the part 'bert', 'errors.ts' of the part 'errors'. */
const partOf = (file: string): string =>
  file
    .split('/')[0]
    .replace(/\.ts$/, '')
    .replace(/^thread$/, 'threads');
const rungOf = (file: string): number => LADDER.findIndex(parts => parts.includes(partOf(file)));

/** The relative imports of a file, type imports and dynamic ones too, as paths below src/. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(SRC, file), 'utf8');
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]*)['"]/g)].map(match => match[1]);
  return specifiers.map(specifier => relative(SRC, join(dirname(join(SRC, file)), specifier)));
}

test('every file stands on a rung', () => {
  expect(files.filter(file => rungOf(file) < 0)).toEqual([]);
  expect(files.length).toBeGreaterThan(30);
});

test('no import goes up or sideways', () => {
  const climbing = files.flatMap(file =>
    importsOf(file)
      .filter(target => partOf(target) !== partOf(file) && rungOf(target) >= rungOf(file))
      .map(target => `${file} -> ${target}`),
  );
  expect(climbing).toEqual([]);
});

test('only io and the command line touch the disk, and nothing touches the network', () => {
  const uses = (pattern: RegExp): string[] => files.filter(file => pattern.test(readFileSync(join(SRC, file), 'utf8')));
  expect(uses(/['"](?:node:)?fs[/'"]/).filter(file => !/^(io|cli)\//.test(file))).toEqual([]);
  expect(
    uses(
      /['"](?:node:)?(?:net|http|https|http2|dgram|dns|tls|child_process|vm)[/'"]|\bfetch\(|\beval\(|new Function\(/,
    ),
  ).toEqual([]);
});
