/**
 * A directory may say four times what its tokens are: tokenizer.json, vocab.txt, tokenizer_config.json and
 * special_tokens_map.json. Loading goes by the first of them that decides, other programs and versions by another; where they
 * contradict each other, somebody has to look: two tokens that have changed places show nowhere else. What loading itself
 * refuses has been told before; all of this is warnings.
 */
import { GlassbertError } from '../errors.ts';
import { type ModelFiles, nameIn } from '../io/files.ts';
import { type JsonObject, quote } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import { readVocabTxt, type TransformerFiles, VOCAB_TXT } from '../io/tokenizer-files.ts';
import { readTemplate } from '../text/template.ts';
import { contentOf } from '../text/tokenizer-arguments.ts';
import { SPECIAL_NAMES } from '../text/tokenizer-classes.ts';
import { fromVocabTxt } from '../text/vocab-txt.ts';
import { readVocabulary } from '../text/vocabulary.ts';
import type { Findings } from './findings.ts';

/** The ids of all tokens, and which of them are added. Of a million tokens no second table is made. */
interface Ids extends Iterable<[token: string, id: number]> {
  readonly added: ReadonlyMap<string, number>;
  get(token: string): number | undefined;
}

/** How many of many differences a message lists. */
const LISTED = 3;

/** @param transformer - whose tokenizer could be made of its files */
export async function compareTokenizerFiles(
  files: ModelFiles,
  transformer: TransformerFiles,
  findings: Findings,
): Promise<void> {
  const { path, tokenizer, tokenizerConfig } = transformer;
  const name = (file: string): string => nameIn(path, file);
  const doubt = <Result>(run: () => Result | Promise<Result>): Promise<Result | undefined> =>
    findings.attempt(run, 'W_TOKENIZER_FILES');
  const vocabJson = ({ file, vocab }: { file: string; vocab: string }): JsonObject => fromVocabTxt(vocab, file);

  const json = 'json' in tokenizer ? tokenizer.json : vocabJson(tokenizer);
  const ids = idsOf(json, tokenizer.file);
  await doubt(() => checkTemplate(json, ids, tokenizer.file));
  if ('json' in tokenizer) {
    await doubt(async () => {
      if (!(await files.has(name(VOCAB_TXT)))) return;
      const vocab = await readVocabTxt(files, path);
      checkSame(ids, idsOf(vocabJson(vocab), vocab.file), vocab.file);
    });
  }

  const decoder = Object.values((tokenizerConfig.added_tokens_decoder ?? {}) as JsonObject);
  const listed = new Set([...decoder.map(contentOf), ...Object.keys(transformer.addedTokens ?? {})]);
  const configFile = files.pathOf(transformer.tokenizerConfigName);
  const known = (token: string): boolean => ids.get(token) !== undefined || listed.has(token);
  await doubt(() => checkSpecials(tokenizerConfig, known, configFile));
  await doubt(() => checkDecoder(tokenizerConfig, ids, configFile));
  const map = transformer.specialTokensMap;
  if (map === undefined) return;
  const mapName = name('special_tokens_map.json');
  await doubt(() => checkSpecials(map, known, files.pathOf(mapName)));
  for (const key of SPECIAL_NAMES) {
    const [here, there] = [contentOf(map[key]), contentOf(tokenizerConfig[key])];
    if (here === undefined || there === undefined || here === there) continue;
    const message = `"${key}" is ${quote(here)}, in tokenizer_config.json ${quote(there)}.`;
    findings.warn('W_SPECIAL_TOKENS', 'incomplete', mapName, message, 'One of the two is of another model.');
  }
}

/** @param json - of which a tokenizer could be made, so that it has what is read here */
function idsOf({ model, added_tokens }: JsonObject, file: string): Ids {
  const own = readVocabulary({ model: model ?? null }, file);
  const listed = Array.isArray(added_tokens) ? (added_tokens as { content: string; id: number }[]) : [];
  const added = new Map(listed.map(({ content, id }) => [content, id]));
  return {
    added,
    get: token => own.get(token) ?? added.get(token),
    *[Symbol.iterator]() {
      yield* own;
      for (const entry of added) if (!own.has(entry[0])) yield entry;
    },
  };
}

/** The ids that the template puts in are those that the vocabulary gives these tokens. */
function checkTemplate(json: JsonObject, ids: Ids, file: string): void {
  const { single, pair = [] } = readTemplate(json.post_processor ?? null, file);
  const wrong = [...single, ...pair].find(slot => 'id' in slot && ids.get(slot.token) !== slot.id);
  if (wrong === undefined || !('id' in wrong)) return;
  throw refuse(file, `"post_processor" puts in ${quote(wrong.token)} with another id than it has`, {
    expected: `${ids.get(wrong.token) ?? 'a token of the vocabulary'}`,
    found: `${wrong.id}`,
  });
}

/**
 * The same tokens in the same order. Python writes vocab.txt in the order of the ids, a line for each token and none for an
 * id that no token has (BertTokenizer.save_vocabulary), so behind such a gap the lines no longer are the ids; other writers
 * leave a blank line there. Added tokens it may lack.
 */
function checkSame(ids: Ids, others: Ids, file: string): void {
  const differing: string[] = [];
  for (const [token] of ids) if (others.get(token) === undefined && !ids.added.has(token)) differing.push(token);
  for (const [token] of others) if (ids.get(token) === undefined && token !== '') differing.push(token);
  const here = tokensInOrder(others, ids);
  for (const [place, token] of tokensInOrder(ids, others).entries()) if (here[place] !== token) differing.push(token);
  if (differing.length === 0) return;

  const listed = differing
    .slice(0, LISTED)
    .map(
      token => `${quote(token)} is ${ids.get(token) ?? 'not'} in tokenizer.json and ${others.get(token) ?? 'not'} here`,
    );
  const more = differing.length > LISTED ? `; and ${differing.length - LISTED} more` : '';
  throw refuse(file, 'this is another vocabulary than that of tokenizer.json', { found: listed.join('; ') + more });
}

/** Those that `others` has too, by their ids. */
function tokensInOrder(ids: Ids, others: Ids): string[] {
  const common: string[] = [];
  for (const [token] of ids) if (others.get(token) !== undefined) common.push(token);
  return common.sort((a, b) => (ids.get(a) as number) - (ids.get(b) as number));
}

/** Python adds a special token that the vocabulary lacks at its end, where the embedding table has no row. */
function checkSpecials(config: JsonObject, known: (token: string) => boolean, file: string): void {
  const named = SPECIAL_NAMES.flatMap(key => contentOf(config[key]) ?? []);
  const missing = named.filter(token => !known(token));
  if (missing.length === 0) return;
  throw refuse(file, 'special tokens are not in the vocabulary', { found: missing.map(quote).join(', ') });
}

/** `added_tokens_decoder`: {"0": {"content": "[PAD]"}, ...}. A token that the vocabulary has keeps the id that it has there. */
function checkDecoder(config: JsonObject, ids: Ids, file: string): void {
  const configFields = fields(config, file);
  if (!configFields.has('added_tokens_decoder')) return;
  const decoder = configFields.object('added_tokens_decoder');
  const wrong = decoder.keys.find(id => `${ids.get(decoder.object(id).string('content')) ?? id}` !== id);
  if (wrong === undefined) return;
  const token = decoder.object(wrong).string('content');
  throw refuse(file, `"added_tokens_decoder" gives ${quote(token)} another id than the vocabulary`, {
    expected: `${ids.get(token)}`,
    found: quote(wrong),
  });
}

function refuse(file: string, summary: string, details: { expected?: string; found: string }): GlassbertError {
  const hint = 'The tokenizer files are of different models: copy them again, together.';
  return new GlassbertError('E_TOKENIZER', summary, { file, ...details, hint });
}
