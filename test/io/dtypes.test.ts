import { describe, expect, test } from 'vitest';
import { DTYPES, type Dtype, isDtype, valuesOf, widen } from '../../src/io/dtypes.ts';
import { refusal } from '../support/refusal.ts';

const CODES = Uint16Array.from({ length: 65536 }, (_, code) => code);
const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** The same bytes at an odd address. */
const misaligned = (bytes: Uint8Array): Uint8Array => {
  const room = new Uint8Array(bytes.length + 1);
  room.set(bytes, 1);
  return room.subarray(1);
};

describe('16-bit floats widen exactly, all 65,536 of them', () => {
  /** Any binary float from its fields: independent of the table, in powers of two only. */
  const byFields = (code: number, exponentBits: number, fractionBits: number): number => {
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code & 0x7fff) >> fractionBits;
    const fraction = code & (2 ** fractionBits - 1);
    const bias = 2 ** (exponentBits - 1) - 1;
    if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    const integer = exponent === 0 ? fraction : fraction + 2 ** fractionBits;
    return sign * integer * 2 ** (Math.max(exponent, 1) - bias - fractionBits);
  };

  test.each([
    ['F16', 5, 10],
    ['BF16', 8, 7],
  ] as const)('%s', (dtype, exponentBits, fractionBits) => {
    for (const into of [new Float32Array(65536), new Float64Array(65536)]) {
      for (const bytes of [bytesOf(CODES), misaligned(bytesOf(CODES))]) {
        into.fill(7);
        widen(bytes, dtype, into);
        const wrong = CODES.filter(code => !Object.is(into[code], byFields(code, exponentBits, fractionBits)));
        expect(wrong).toEqual(new Uint16Array(0));
      }
    }
  });

  test('the values that everyone knows', () => {
    const into = new Float32Array(4);
    widen(bytesOf(Uint16Array.of(0x3c00, 0x7bff, 0x0001, 0x8000)), 'F16', into);
    expect([...into]).toEqual([1, 65504, 2 ** -24, -0]);
    widen(bytesOf(Uint16Array.of(0x3f80, 0x4049, 0x0001, 0xff80)), 'BF16', into);
    expect([...into]).toEqual([1, 3.140625, 2 ** -133, Number.NEGATIVE_INFINITY]);
  });
});

test('F32 and F64 reach both kinds of array, at any alignment; only F64 to f32 rounds', () => {
  const values = [0, -0, 1.5, 0.1, 1e-45, 1e300, Number.NaN, Number.NEGATIVE_INFINITY];
  for (const bytes of [bytesOf(Float64Array.from(values)), misaligned(bytesOf(Float64Array.from(values)))]) {
    const [f32, f64] = [new Float32Array(8), new Float64Array(8)];
    widen(bytes, 'F64', f64);
    expect([...f64]).toEqual(values);
    widen(bytes, 'F64', f32);
    expect([...f32]).toEqual(values.map(Math.fround));
  }
  for (const bytes of [bytesOf(Float32Array.from(values)), misaligned(bytesOf(Float32Array.from(values)))]) {
    for (const into of [new Float32Array(8), new Float64Array(8)]) {
      widen(bytes, 'F32', into);
      expect([...into]).toEqual(values.map(Math.fround));
    }
  }
});

test('a destination of the wrong length is refused', async () => {
  await refusal('E_ARGUMENT', () => widen(new Uint8Array(8), 'F32', new Float32Array(3)));
  await refusal('E_ARGUMENT', () => widen(new Uint8Array(7), 'F16', new Float32Array(3)));
});

describe('every dtype has its typed array', () => {
  test.each<[Dtype, ArrayBufferView]>([
    ['I8', Int8Array.of(-1, 2)],
    ['U8', Uint8Array.of(255, 2)],
    ['BOOL', Uint8Array.of(1, 0)],
    ['I16', Int16Array.of(-2, 3)],
    ['U16', Uint16Array.of(65535, 3)],
    ['I32', Int32Array.of(-3, 4)],
    ['U32', Uint32Array.of(4294967295, 4)],
    ['I64', BigInt64Array.of(-4n, 5n)],
    ['U64', BigUint64Array.of(18446744073709551615n, 5n)],
    ['F32', Float32Array.of(0.5, 6)],
    ['F64', Float64Array.of(0.1, 6)],
    ['F8_E4M3', Uint8Array.of(56, 0)],
    ['C64', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
  ])('%s', (dtype, values) => {
    expect(valuesOf(bytesOf(values), dtype)).toEqual(values);
    expect(valuesOf(misaligned(bytesOf(values)), dtype)).toEqual(values);
  });

  test('16-bit floats become f32', () => {
    expect(valuesOf(Uint8Array.of(0x00, 0x3c), 'F16')).toEqual(Float32Array.of(1));
  });

  test('there are 22, and no name from the prototype of Object is one', () => {
    expect(DTYPES).toHaveLength(22);
    expect(['F32', 'BOOL'].every(isDtype)).toBe(true);
    expect(['f32', 'F128', 'constructor', '__proto__', '', 5, null].some(isDtype)).toBe(false);
  });
});
