/**
 * Changes bytes at random, and always in the same way for the same seed: bits and bytes, pieces moved about, words of a
 * dictionary, pieces of another input, and, where the bytes are JSON, whole values and numbers.
 *
 * Nothing here knows a format beyond JSON's brackets. What a format needs to stay readable under changes (lengths, an inner
 * encoding) is kept right by the target's own `reshape`.
 */
import type { random } from '../test/support/random.ts';

export type Random = ReturnType<typeof random>;

/** Texts that programs stumble over, put in the place of a JSON value. */
const VALUES = [
  'null', 'true', '{}', '[]', '""', '0', '-0', '-1', '1.0', '1e0', '1e400', '0.1', '4294967296', '9007199254740993',
  '18446744073709551616', '1000000000000000019884624838656', '"\\ud800"', '"\\u0000"', '"__proto__"', '[[[[]]]]', 'NaN',
]; // biome-ignore format: a table

const NUMBERS = ['0', '1', '2', '3', '4', '8', '15', '16', '17', '31', '32', '255', '256', '65536', '4294967295'];

export class Mutator {
  readonly random: Random;
  private readonly dictionary: readonly Uint8Array[];
  private readonly largest: number;

  /** @param largest - in bytes, of what is given back */
  constructor(random: Random, dictionary: readonly string[], largest: number) {
    this.random = random;
    this.dictionary = dictionary.map(word => Buffer.from(word));
    this.largest = largest;
  }

  /** A few changes, one after the other. @param other - another input, of which pieces may be taken */
  mutate(data: Uint8Array, other: Uint8Array): Uint8Array {
    const { random } = this;
    let changed = data;
    // One change most often; now and then a row of up to 16.
    for (let n = random.pick([1, 1, 1, 2, 2, 3, 4, 8, 16]); n > 0; n--) changed = this.change(changed, other);
    return changed.subarray(0, this.largest);
  }

  private change(data: Uint8Array, other: Uint8Array): Uint8Array {
    const { integer, pick } = this.random;
    const at = integer(data.length + 1);
    switch (integer(16)) {
      case 0: // one bit
        return data.length === 0
          ? data
          : data.with(at % data.length, (data[at % data.length] as number) ^ (1 << integer(8)));
      case 1: // one byte
        return data.length === 0
          ? data
          : data.with(at % data.length, pick([0, 0xff, 0x80, 0x7f, 0x22, 0x5c, integer(256)]));
      case 2: // some are lost
        return splice(data, at, this.some(data.length - at), EMPTY);
      case 3: // some are new
        return splice(
          data,
          at,
          0,
          Uint8Array.from({ length: 1 + integer(8) }, () => integer(256)),
        );
      case 4: // some stand twice, or far too often
        return splice(data, at, 0, repeated(data.subarray(at, at + 1 + integer(32)), pick([1, 1, 1, 2, 40])));
      case 5: // some are written over by others
        return splice(data, at, this.some(data.length - at), this.piece(data));
      case 6: // the end is lost
        return data.subarray(0, at);
      case 7: // a piece of another input
        return splice(data, at, pick([0, this.some(data.length - at)]), this.piece(other));
      case 8: // a word
        return splice(data, at, pick([0, 0, this.some(data.length - at)]), this.word());
      case 9: // a number
        return this.changeNumber(data);
      default: // a JSON value, which most changes would make unreadable before anything is asked of it
        return this.changeValue(data, other);
    }
  }

  private word(): Uint8Array {
    return this.dictionary.length === 0 ? EMPTY : this.random.pick(this.dictionary);
  }

  /** Mostly few, at most all. */
  private some(available: number): number {
    return Math.min(available, this.random.pick([1, 1, 2, 3, 4, 8, 16, available]));
  }

  private piece(data: Uint8Array): Uint8Array {
    const from = this.random.integer(data.length + 1);
    return data.subarray(from, from + 1 + this.random.integer(64));
  }

  private changeNumber(data: Uint8Array): Uint8Array {
    const numbers = spans(data, /-?[0-9]+/g);
    if (numbers.length === 0) return data;
    const [start, end] = this.random.pick(numbers);
    const value = Number(latin1(data.subarray(start, end)));
    const near = `${value + this.random.pick([-1, 1, -8, 8, value])}`;
    return splice(data, start, end - start, Buffer.from(this.random.pick([near, near, this.random.pick(NUMBERS)])));
  }

  /** A value is lost, doubled (with its key), exchanged for a strange one, for another of the same text or of another. */
  private changeValue(data: Uint8Array, other: Uint8Array): Uint8Array {
    const { integer, pick } = this.random;
    const values = jsonValues(data);
    if (values.length === 0) return data;
    const [start, end] = pick(values);
    switch (integer(5)) {
      case 0: {
        // With the comma behind it, or before it where it is the last.
        const [after, before] = [Number(data[end] === COMMA), Number(data[end] !== COMMA && data[start - 1] === COMMA)];
        return splice(data, start - before, before + end - start + after, EMPTY);
      }
      case 1:
        return splice(data, start, 0, Buffer.concat([data.subarray(start, end), Buffer.from(',')]));
      case 2:
        return splice(data, start, end - start, Buffer.from(pick(VALUES)));
      case 3: {
        const theirs = jsonValues(other);
        if (theirs.length === 0) return data;
        const [from, to] = pick(theirs);
        return splice(data, start, end - start, other.subarray(from, to));
      }
      default: {
        const [from, to] = pick(values);
        return splice(data, start, end - start, data.subarray(from, to));
      }
    }
  }
}

const EMPTY = new Uint8Array(0);
const COMMA = 0x2c;

function splice(data: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const result = new Uint8Array(data.length - removed + added.length);
  result.set(data.subarray(0, at));
  result.set(added, at);
  result.set(data.subarray(at + removed), at + added.length);
  return result;
}

function repeated(data: Uint8Array, times: number): Uint8Array {
  return Buffer.concat(Array(times).fill(data));
}

/** One character a byte, so that places in the text are places in the bytes. */
function latin1(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
}

type Span = readonly [start: number, end: number];

function spans(data: Uint8Array, pattern: RegExp): Span[] {
  return Array.from(latin1(data).matchAll(pattern), ({ index, 0: { length } }) => [index, index + length] as const);
}

/** Where strings, words, numbers, members ("key": value), objects and arrays stand, as far as brackets and quotes tell. */
function jsonValues(data: Uint8Array): Span[] {
  const found: Span[] = [];
  const open: number[] = [];
  let key = -1; // where the last key begins, while its value is being read
  for (const [start, end] of spans(data, /"(?:[^"\\]|\\.)*"(?:\s*:\s*)?|[[\]{}]|[-+.\w]+/gs)) {
    const last = data[end - 1] as number;
    if (last === 0x5b || last === 0x7b) {
      open.push(key < 0 ? start : key, start);
      key = -1;
    } else if (last === 0x5d || last === 0x7d) {
      const [member, value] = open.splice(-2);
      if (value !== undefined) found.push([value, end]);
      if (member !== value && member !== undefined) found.push([member, end]);
    } else if (data[start] === 0x22 && last !== 0x22) {
      key = start;
    } else {
      found.push([start, end]);
      if (key >= 0) found.push([key, end]);
      key = -1;
    }
  }
  return found;
}
