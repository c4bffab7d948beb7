/**
 * What is fuzzed. A target takes any bytes and returns; it throws for a finding and for nothing else, so any engine can
 * drive it (`export function fuzz(data: Uint8Array)` is also what Jazzer.js and libFuzzer's JavaScript front ends call).
 */
import { type ErrorCode, GlassbertError } from '../src/errors.ts';
import type { Mutator } from './mutator.ts';

export interface Target {
  /**
   * @returns what became of the input: a refusal without its numbers and quotations, or the shape of what was read. An input
   *   with a new one is kept. Every refusal has a sentence of its own, so this tells branches apart as coverage would, for nothing.
   * @throws for a finding
   */
  fuzz(data: Uint8Array): string;
  /** Words of the format. */
  readonly dictionary: readonly string[];
  /** In bytes; larger inputs are cut. */
  readonly largest: number;
  /** A mutation that keeps right what would hide everything behind it: a length in front, an inner encoding. */
  reshape?(data: Uint8Array, other: Uint8Array, mutator: Mutator): Uint8Array;
}

/** Runs `read` and gives what it returns as a shape; a refusal must be typed, and of a code that fits. */
export function outcome(codes: readonly ErrorCode[], read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GlassbertError) || !codes.includes(error.code)) throw error;
    const { code, message } = error;
    return `${code} ${message
      .replace(/,? found .*/s, '')
      .replace(/"(?:[^"\\]|\\.)*"|[0-9a-f]{16,}|0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)*|\\u\{\w+\}/g, '_')
      .slice(0, 120)}`;
  }
}

/** @throws when `holds` is false: the finding */
export function claim(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`finding: ${what}`);
}

/** Sizes of one order of magnitude are one shape. */
export function magnitude(count: number): number {
  return Math.ceil(Math.log2(count + 1));
}
