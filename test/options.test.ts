/** Options are what their names and rules say, or refused: never ignored, never a bare TypeError. */
import { describe, expect, test } from 'vitest';
import { BOOLEAN, FUNCTION, integer, nameOf, oneOf, orNull, type Rules, readOptions, STRING } from '../src/options.ts';
import { refusal } from './support/refusal.ts';

interface Options {
  readonly name?: string | null;
  readonly count?: number;
  readonly loud?: boolean;
  readonly see?: () => void;
  readonly how?: 'fast' | 'slow';
}

const RULES = {
  name: orNull(STRING),
  count: integer(1, 9),
  loud: BOOLEAN,
  see: FUNCTION,
  how: oneOf(['fast', 'slow']),
} satisfies Rules<Options>;
const read = (options: unknown): Options => readOptions<Options>('call', options, RULES);

describe('what is allowed', () => {
  test('each value comes back, and undefined counts as not given', () => {
    const options = { name: 'a', count: 9, loud: false, see: () => {}, how: 'slow' };
    expect(read(options)).toEqual(options);
    expect(Object.keys(read({ name: undefined, count: 1 }))).toEqual(['count']);
    expect(read({ name: null })).toEqual({ name: null });
    expect(read({})).toEqual({});
  });

  test('what is used is what was checked, even of options that change', () => {
    let reads = 0;
    const options = {
      get count(): number {
        reads++;
        return reads === 1 ? 3 : 1e9;
      },
    };
    expect(read(options).count).toBe(3);
    expect(reads).toBe(1);
  });
});

describe('what is refused', () => {
  test.each([
    [null, 'the options of call are an object: found null'],
    ['fast', 'the options of call are an object: found "fast"'],
    [[], 'the options of call are an object: found an array of 0'],
    [() => {}, 'the options of call are an object: found a function'],
    [{ Name: 'a' }, 'call has no such option: expected name, count, loud, see, how, found "Name"'],
    [{ '\u001b[2J': 1 }, 'call has no such option: expected name, count, loud, see, how, found "\\u001b[2J"'],
    [{ name: 5 }, 'the option name of call cannot be used: expected a string, found 5'],
    [{ count: 10 }, 'the option count of call cannot be used: expected an integer from 1 to 9, found 10'],
    [{ count: '3' }, 'the option count of call cannot be used: expected an integer from 1 to 9, found "3"'],
    [{ count: 1n }, 'the option count of call cannot be used: expected an integer from 1 to 9, found 1'],
    [{ count: Object.create(null) }, /found an object$/],
    [{ count: Symbol('a') }, /found Symbol\(a\)$/],
    [{ loud: 'false' }, 'the option loud of call cannot be used: expected true or false, found "false"'],
    [{ loud: null }, /found null$/],
    [{ see: {} }, /expected a function, found an object$/],
    [{ how: 'toString' }, /expected fast, slow, found "toString"$/],
  ])('%#', async (options, message) => {
    const error = await refusal('E_ARGUMENT', () => read(options));
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
  });

  test('a long value is cut in its message', () => {
    expect(nameOf('x'.repeat(1000))).toHaveLength(83);
  });
});
