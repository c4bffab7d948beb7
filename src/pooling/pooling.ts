/**
 * Pooling: the token vectors of a text to one vector.
 *
 *   cls                    x[first]
 *   max                    max over t of x[t], by column
 *   mean                   sum over t of x[t] / T
 *   mean_sqrt_len_tokens   sum over t of x[t] / sqrt(T)
 *   weightedmean           sum over t of (t + 1) x[t] / sum over t of (t + 1)
 *   lasttoken              x[last]
 *
 * Several strategies give their vectors side by side. Reimers, Gurevych 2019 (arXiv:1908.10084) section 3; Muennighoff
 * 2022 (arXiv:2202.08904) for weightedmean. Reference: sentence_transformer/modules/pooling.py of sentence-transformers
 * 6.0.1, which multiplies by a mask; here the rows of a text are all real tokens, and a prompt that the model leaves out of
 * its pooling (`include_prompt: false`) is left out by starting after it.
 *
 * Numerics. Sums run in f64 in token order and are rounded once. Denominators are at least 1e-9, as there. Where nothing is
 * left after the prompt: cls takes token 0, max gives -Infinity, the others 0, as there.
 */
import { GlassbertError } from '../errors.ts';
import type { Fields } from '../io/json-fields.ts';
import type { Floats } from '../tensor/tensor.ts';

/** In the order in which the reference library concatenates them. */
export const POOLING_MODES = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;

export type PoolingMode = (typeof POOLING_MODES)[number];

export interface PoolingConfig {
  readonly modes: readonly PoolingMode[];
  readonly includePrompt: boolean;
  /** The width of the token vectors it was saved for; null where the file does not say. */
  readonly dimension: number | null;
  /** The keys that decided the modes, for the load report. */
  readonly key: string;
}

const MIN_DENOMINATOR = 1e-9;

/** Before sentence-transformers 5.4 each mode had a key of its own. */
const LEGACY_KEYS: Readonly<Record<PoolingMode, string>> = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
};

/** All keys of either generation; the reference library fails on others. */
const KEYS = [
  ...['embedding_dimension', 'word_embedding_dimension', 'pooling_mode', 'include_prompt'],
  ...Object.values(LEGACY_KEYS),
];

/**
 * 1_Pooling/config.json of either generation: `pooling_mode`, a name or a list of names in their order; or one boolean per
 * mode in the fixed order, none of them true meaning mean.
 *
 * @throws E_CONFIG
 */
export function parsePoolingConfig(config: Fields): PoolingConfig {
  config.only(KEYS);
  config.neverNull(['pooling_mode']); // the older keys do not count where it stands
  if (config.keys.includes('include_prompt') && !config.has('include_prompt')) {
    // Where Python has None for a default everywhere else, this one counts as false.
    throw new GlassbertError('E_CONFIG', '"include_prompt" is null', { file: config.file, expected: 'true or false' });
  }
  const dimensionKey = config.has('embedding_dimension') ? 'embedding_dimension' : 'word_embedding_dimension';
  const common = {
    includePrompt: config.boolean('include_prompt', { default: true }),
    dimension: config.has(dimensionKey) ? config.integer(dimensionKey, { min: 1, max: 16384 }) : null,
  };
  const oneOf = POOLING_MODES;
  if (Array.isArray(config.raw('pooling_mode'))) {
    const names = config.array('pooling_mode');
    if (!areModes(names)) {
      throw new GlassbertError('E_CONFIG', '"pooling_mode" has an unknown value', {
        file: config.file,
        expected: `a list of ${POOLING_MODES.join(', ')}`,
        found: JSON.stringify(names).slice(0, 200),
      });
    }
    return { ...common, modes: names, key: 'pooling_mode' };
  }
  if (config.has('pooling_mode')) {
    return { ...common, modes: [config.string('pooling_mode', { oneOf }) as PoolingMode], key: 'pooling_mode' };
  }
  const modes = POOLING_MODES.filter(mode => config.boolean(LEGACY_KEYS[mode], { default: false }));
  if (modes.length === 0) return { ...common, modes: ['mean'], key: 'no pooling_mode_*' };
  return { ...common, modes, key: modes.map(mode => LEGACY_KEYS[mode]).join(', ') };
}

/** One to six names of modes. */
export function areModes(names: readonly unknown[]): names is readonly PoolingMode[] {
  const known = names.every(name => POOLING_MODES.includes(name as PoolingMode));
  return known && names.length >= 1 && names.length <= POOLING_MODES.length;
}

/**
 * Pools every text of a batch.
 *
 * @param out - [B, modes × D]
 * @param x - [N, D], the token vectors of all texts under one another
 * @param starts - [B + 1], text b is rows starts[b] .. starts[b + 1] - 1
 * @param skip - [B], how many tokens at the start of each text belong to a prompt that is left out
 */
export function pool(
  out: Floats,
  x: Floats,
  modes: readonly PoolingMode[],
  starts: Int32Array,
  skip: Int32Array,
  D: number,
): void {
  const B = starts.length - 1;
  for (let b = 0; b < B; b++) {
    const T = starts[b + 1] - starts[b];
    const first = Math.min(skip[b], T);
    for (const [m, mode] of modes.entries()) {
      const outRow = (b * modes.length + m) * D;
      for (let d = 0; d < D; d++) out[outRow + d] = poolColumn(mode, x, starts[b] * D + d, first, T, D);
    }
  }
}

/** One element: tokens first .. T - 1 of a text whose column d starts at x[column], D apart. */
function poolColumn(mode: PoolingMode, x: Floats, column: number, first: number, T: number, D: number): number {
  let sum = 0;
  let weights = 0;
  switch (mode) {
    case 'cls':
      return x[column + (first < T ? first : 0) * D];
    case 'lasttoken':
      return first < T ? x[column + (T - 1) * D] : 0;
    case 'max': {
      let max = Number.NEGATIVE_INFINITY;
      for (let t = first; t < T; t++) max = Math.max(max, x[column + t * D]);
      return max;
    }
    case 'mean':
      for (let t = first; t < T; t++) sum += x[column + t * D];
      return sum / Math.max(T - first, MIN_DENOMINATOR);
    case 'mean_sqrt_len_tokens':
      for (let t = first; t < T; t++) sum += x[column + t * D];
      return sum / Math.sqrt(Math.max(T - first, MIN_DENOMINATOR));
    case 'weightedmean':
      // The weight is the place in the whole text, a prompt that is left out included.
      for (let t = first; t < T; t++) {
        sum += x[column + t * D] * (t + 1);
        weights += t + 1;
      }
      return sum / Math.max(weights, MIN_DENOMINATOR);
  }
}
