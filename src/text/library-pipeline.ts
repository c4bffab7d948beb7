/**
 * The way of a text through any other tokenizer, up to the special tokens: through the dependency as a whole. A text is read
 * to its end, however long.
 */
import { GlassbertError } from '../errors.ts';
import type { JsonObject } from '../io/json.ts';
import { components, type Tokenize, typeOf } from './bert-pipeline.ts';
import { constructLibrary } from './huggingface.ts';

/** @throws E_TOKENIZER with the words of the dependency where it cannot construct a component */
export function libraryPipeline(
  json: JsonObject,
  kind: string,
  doLowerCase: boolean,
  file: string,
  notes: string[],
): Tokenize {
  const normalizers = components(json, 'normalizer', file).map(typeOf);
  notes.push(
    `${file}: a ${kind} tokenizer (normalizer ${normalizers.join(', ') || 'none'}) goes through @huggingface/tokenizers as it is; rare characters can get other ids than in Python.`,
  );
  const normalizer =
    doLowerCase && !normalizers.includes('Lowercase') ? lowercaseBefore(json) : (json.normalizer ?? null);
  try {
    const library = constructLibrary({ ...json, normalizer });
    return text => {
      const { ids, tokens } = library.tokenize(text);
      // A token without id is one that the vocabulary lacks where there is no unknown token: the reference drops it.
      return ids.flatMap((id, n) => (id === undefined ? [] : [{ id, token: tokens[n] as string }]));
    };
  } catch (cause) {
    throw new GlassbertError('E_TOKENIZER', 'a component of the tokenizer is not supported', {
      file,
      found: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

function lowercaseBefore(json: JsonObject): JsonObject {
  const own = json.normalizer ?? null;
  return { type: 'Sequence', normalizers: own === null ? [{ type: 'Lowercase' }] : [{ type: 'Lowercase' }, own] };
}
