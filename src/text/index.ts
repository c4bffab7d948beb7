/** The tokenizer of a model directory by itself, importable as `glassbert/tokenizer`. */
export { loadTokenizer } from './load-tokenizer.ts';
export type { EncodeOptions, Encoding, Tokenizer } from './tokenizer.ts';
