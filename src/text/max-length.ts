/**
 * The longest input of a model. A directory states up to four limits, and they often differ: all-MiniLM-L6-v2 is published
 * with 128, 256, 512 and 512.
 *
 * As in sentence-transformers 6: a `model_max_length` for the tokenizer in sentence_bert_config.json wins, then its
 * `max_seq_length`, else the smaller of `model_max_length` of
 * tokenizer_config.json and `max_position_embeddings` of config.json. The truncation in tokenizer.json never counts. Unlike
 * there, a limit beyond the positions is lowered to them, with a warning, instead of failing on the first long text.
 */
import { relative } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { type Fields, fields } from '../io/json-fields.ts';
import { decide, type Setting, type Source, type Warning } from '../io/load-report.ts';
import type { ModelDirectory } from '../io/model-directory.ts';

/** Beyond this a limit is none: Hugging Face writes "no limit" as 10^30. */
const NO_LIMIT = 1e9;

/**
 * @param wanted - the caller's own limit
 * @returns tokens, special ones included
 * @throws E_ARGUMENT when `wanted` is beyond the positions the model has, E_CONFIG for limits that are no positive numbers
 */
export function decideMaxLength(
  { files, transformer }: Pick<ModelDirectory, 'files' | 'transformer'>,
  wanted: number | undefined,
  warn: (warning: Warning) => void,
): Setting<number> {
  const { config, sentenceConfig, tokenizer } = transformer;
  const tokenizerConfig = fields(transformer.tokenizerConfig, files.pathOf(transformer.tokenizerConfigName));
  const truncation = 'json' in tokenizer ? tokenizer.json.truncation : undefined;

  const stated = (file: Fields, key: string, where = key): { value: number | undefined; from: Source } => {
    const value = file.has(key) ? file.number(key, { min: 1, max: Number.MAX_VALUE }) : NO_LIMIT;
    const from = { file: relative(files.directory, file.file), key: where };
    return { value: value < NO_LIMIT ? Math.floor(value) : undefined, from };
  };
  const none = config.raw('max_position_embeddings') === -1; // so sentence-transformers reads it
  const ofPositions = stated(none ? fields({}, config.file) : config, 'max_position_embeddings');
  // Null is no limit there, and no reason to read the older key.
  const legacy = !tokenizerConfig.keys.includes('model_max_length') && tokenizerConfig.has('max_len');
  const ofTokenizer = stated(tokenizerConfig, legacy ? 'max_len' : 'model_max_length');
  const positions = ofPositions.value ?? NO_LIMIT;

  if (wanted !== undefined && !(Number.isInteger(wanted) && 1 <= wanted && wanted <= positions)) {
    throw new GlassbertError('E_ARGUMENT', 'maxSeqLength is out of range', {
      expected: `an integer from 1 to ${positions}, the positions the model has`,
      found: `${wanted}`,
    });
  }
  const candidates = [
    { value: wanted, from: { option: 'maxSeqLength' } },
    ...['processor_kwargs', 'tokenizer_args']
      .filter(key => sentenceConfig.has(key))
      .map(key => stated(sentenceConfig.object(key), 'model_max_length', `${key}.model_max_length`)),
    stated(sentenceConfig, 'max_seq_length'),
    ...((ofTokenizer.value ?? NO_LIMIT) <= positions ? [ofTokenizer, ofPositions] : [ofPositions, ofTokenizer]),
  ];
  const decided = decide(candidates, { value: NO_LIMIT, from: { default: 'no file states it' } });
  const ofFile = truncation
    ? [stated(fields(truncation, tokenizer.file, 'truncation'), 'max_length', 'truncation.max_length')]
    : [];
  const setting = {
    ...decided,
    overruled: [...decided.overruled, ...ofFile.filter(({ value }) => value !== undefined)],
  };
  if (setting.value <= positions) return setting;

  warn({
    code: 'W_LENGTH_CLAMPED',
    message: `The files allow ${setting.value} tokens but the model has ${positions} positions: texts are cut there.`,
  });
  const overruled = [{ value: setting.value, from: setting.from }, ...setting.overruled];
  return {
    value: positions,
    from: ofPositions.from,
    overruled: overruled.filter(({ from }) => from !== ofPositions.from),
  };
}
