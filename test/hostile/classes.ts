/** All hostile directories by class. */
import type { Case } from './case.ts';
import { CONFIGURATION } from './config.ts';
import { FILES } from './files.ts';
import { SIZES } from './sizes.ts';
import { TOKENIZERS } from './tokenizers.ts';
import { WEIGHTS } from './weights.ts';

export const CLASSES: Readonly<Record<string, readonly Case[]>> = {
  'files and paths': FILES,
  'JSON and configuration': CONFIGURATION,
  tokenizers: TOKENIZERS,
  weights: WEIGHTS,
  sizes: SIZES,
};
