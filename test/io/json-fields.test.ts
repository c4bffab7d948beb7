import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/io/json.ts';
import { type Fields, fields } from '../../src/io/json-fields.ts';
import { refusal } from '../support/refusal.ts';

const config = fields(
  parseJson(`{
    "hidden_size": 384, "layer_norm_eps": 1e-12, "zero": 0, "minus_zero": -0, "half": 0.5, "text": "512",
    "hidden_act": "gelu", "flag": false, "none": null, "list": [1], "nested": {"deep": "x"}
  }`),
  'config.json',
);

test('fields are read by name and type', () => {
  expect(config.integer('hidden_size', { min: 1, max: 16384 })).toBe(384);
  expect(config.number('layer_norm_eps', { min: 0, max: 1, exclusive: true })).toBe(1e-12);
  expect(config.string('hidden_act', { oneOf: ['gelu', 'relu'] })).toBe('gelu');
  expect(config.boolean('flag')).toBe(false);
  expect(config.array('list')).toEqual([1]);
  expect(config.object('nested').string('deep')).toBe('x');
  expect(config.raw('half')).toBe(0.5);
  expect(config.keys).toContain('none');
});

test('a default stands in for what is absent or null, and for nothing else', async () => {
  expect(config.integer('absent', { min: 1, max: 2, default: 2 })).toBe(2);
  expect(config.boolean('none', { default: true })).toBe(true);
  expect(config.has('none')).toBe(false);
  expect(config.raw('none')).toBeUndefined();
  await refusal('E_CONFIG', () => config.string('flag', { default: 'x' }));
});

test('-0 as an integer is 0', () => {
  expect(Object.is(config.integer('minus_zero', { min: 0, max: 1 }), 0)).toBe(true);
});

describe('an error names the key, what was expected and what was found', () => {
  const size = { min: 1, max: 16384 };
  test.each<[(config: Fields) => unknown, string]>([
    [c => c.integer('zero', size), '"zero" is out of range: expected an integer from 1 to 16384, found 0'],
    [c => c.integer('half', size), '"half" has the wrong type: expected an integer from 1 to 16384, found 0.5'],
    [
      c => c.integer('text', size),
      '"text" has the wrong type: expected an integer from 1 to 16384, found the string "512"',
    ],
    [c => c.integer('absent', size), '"absent" is missing: expected an integer from 1 to 16384'],
    [c => c.integer('none', size), '"none" is missing: expected an integer from 1 to 16384'],
    [
      c => c.number('zero', { min: 0, max: 1, exclusive: true }),
      '"zero" is out of range: expected a number between 0 and 1, found 0',
    ],
    [
      c => c.number('hidden_size', { min: 0, max: 1 }),
      '"hidden_size" is out of range: expected a number from 0 to 1, found 384',
    ],
    [
      c => c.string('hidden_act', { oneOf: ['relu'] }),
      '"hidden_act" has an unknown value: expected one of "relu", found the string "gelu"',
    ],
    [c => c.boolean('list'), '"list" has the wrong type: expected true or false, found an array of 1'],
    [c => c.array('nested'), '"nested" has the wrong type: expected an array, found an object'],
    [c => c.object('list'), '"list" has the wrong type: expected an object, found an array of 1'],
    [
      c => c.object('nested').boolean('deep'),
      '"nested.deep" has the wrong type: expected true or false, found the string "x"',
    ],
    [c => c.string('toString'), '"toString" is missing: expected a string'],
  ])('%s', async (read, message) => {
    expect((await refusal('E_CONFIG', () => read(config))).message).toBe(`config.json: ${message}`);
  });

  test('a file that holds no object', async () => {
    const { message } = await refusal('E_CONFIG', () => fields(parseJson('[]'), 'config.json'));
    expect(message).toBe(
      'config.json: the file holds something else than an object: expected an object, found an array of 0',
    );
    const member = await refusal('E_CONFIG', () => fields(7, 'modules.json', '[2]'));
    expect(member.message).toBe('modules.json: "[2]" has the wrong type: expected an object, found 7');
  });
});
