/** Compiled against the package by run.ts, and never run. */
import { GlassbertError, type LoadReport, SentenceEncoder } from 'glassbert';
import { parseSafetensors } from 'glassbert/safetensors';
import { referenceKernels, type Tensor, view } from 'glassbert/tensor';
import { Tokenizer } from 'glassbert/tokenizer';

const encoder = await SentenceEncoder.load('model', { kernels: 'auto', threads: 2, onWarning: ({ code }) => code });
export const vector: Float32Array = (await encoder.encode('a')).data;
export const vectors: Float32Array = (await encoder.encode(['a', ['b', 'c']], { normalize: true })).data;
export const similarities: readonly number[] = encoder.similarity(
  await encoder.encode('a'),
  await encoder.encode('b'),
).shape;
export const report: LoadReport = encoder.report;
export const tensor: Tensor = await encoder.encode('a');
export const strided: number = view(tensor).get(0);
export const code = (error: unknown): string | undefined => (error instanceof GlassbertError ? error.code : undefined);
export { parseSafetensors, referenceKernels, Tokenizer };

const oracle = await SentenceEncoder.load('model', { kernels: 'oracle' });
export const exact: Float64Array = (await oracle.encode('a')).data;

// @ts-expect-error: f64 is what the oracle gives
export const wrong: Float32Array = (await oracle.encode('a')).data;
// @ts-expect-error: there are no such kernels
await SentenceEncoder.load('model', { kernels: 'fast' });
// @ts-expect-error: a text is a string
await encoder.encode(1);
