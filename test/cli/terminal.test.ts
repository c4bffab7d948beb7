import { expect, test } from 'vitest';
import { formatClosest, formatMatrix } from '../../src/cli/matrix.ts';
import { clip, json, progressLine, table, visible } from '../../src/cli/terminal.ts';

test('what a terminal would obey or hide is shown instead', () => {
  expect(visible('\x1b[31mred\x07\n')).toBe('\\u{1b}[31mred\\u{7}\\n');
  expect(visible('a\u202eb\u200b\u009b')).toBe('a\\u{202e}b\\u{200b}\\u{9b}');
  expect(visible('Größe 日本 👍')).toBe('Größe 日本 👍');
});

test('JSON for a terminal means what plain JSON means', () => {
  const value = { 'k\u009b': ['\x1b', '\u202e', '\u{e0001}', 'é', '日本'] };
  expect(json(value)).toBe(String.raw`{"k\u009b":["\u001b","\u202e","\udb40\udc01","é","日本"]}`);
  expect(JSON.parse(json(value, 2))).toEqual(value);
});

test('a text is cut to columns, never within a character', () => {
  expect(clip('exactly', 7)).toBe('exactly');
  expect(clip('too long', 7)).toBe('too lo…');
  expect(clip('日本語日本語', 6)).toBe('日本…');
  expect(clip('e\u0301e\u0301e\u0301', 2)).toBe('e\u0301…');
});

test('columns stand under one another, whatever the script', () => {
  const rows = [
    ['日本', '1'],
    ['cafe\u0301', '12'],
  ];
  expect(table(rows, ['left', 'right'])).toBe('日本   1\ncafe\u0301  12\n');
});

test('a matrix names its rows and numbers its columns', () => {
  const matrix = { data: Float32Array.of(1, 0.25, -0.5, 0.25, 1, 0.75, -0.5, 0.75, 1), shape: [3, 3] };
  expect(formatMatrix(['a cat', 'a\tdog', ''], matrix).split('\n')).toEqual([
    '                [1]     [2]      [3]',
    '[1] a cat    1.0000  0.2500  -0.5000',
    '[2] a\\tdog   0.2500  1.0000   0.7500',
    '[3]         -0.5000  0.7500   1.0000',
    '',
  ]);
  expect(formatClosest(matrix)).toBe('[2] and [3], 0.7500');
});

test('progress: how many, how fast, and what is left where the total is known', () => {
  expect(progressLine(1152, 2.35)).toBe('1,152 texts, 490 texts/s');
  expect(progressLine(1152, 2, 0)).toBe('1,152 texts, 576 texts/s');
  expect(progressLine(1152, 2, 0.25)).toBe('1,152 texts, 576 texts/s, 25 %, 6 s left');
  expect(progressLine(10, 100, 0.4444)).toBe('10 texts, 0 texts/s, 44 %, 2 min 6 s left');
  expect(progressLine(10, 7200, 0.5)).toBe('10 texts, 0 texts/s, 50 %, 2 h 0 min left');
  expect(progressLine(10, 1, 1)).toBe('10 texts, 10 texts/s, 100 %, 0 s left');
});
