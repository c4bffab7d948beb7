import { expect } from 'vitest';
import { type ErrorCode, GlassbertError } from '../../src/errors.ts';

/** The error that `run` ends in, which must be a GlassbertError of this code. */
export async function refusal(code: ErrorCode, run: () => unknown): Promise<GlassbertError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(GlassbertError);
    const refused = error as GlassbertError;
    expect(refused.code, refused.message).toBe(code);
    return refused;
  }
  return expect.fail(`nothing was refused, ${code} was expected`);
}
