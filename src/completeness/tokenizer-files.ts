/**
 * A directory may say four times what its tokens are: tokenizer.json, vocab.txt, tokenizer_config.json and
 * special_tokens_map.json. Python reads one or the other depending on the class and version; so they must agree, and a
 * vocabulary in which two tokens have changed places must not hide behind one that is right.
 */
import { GlassbertError } from '../errors.ts';
import { readObject } from '../io/config-files.ts';
import type { ModelFiles } from '../io/files.ts';
import { type Json, type JsonObject, quote } from '../io/json.ts';
import { fields } from '../io/json-fields.ts';
import { readVocabTxt, type TransformerFiles, VOCAB_TXT } from '../io/tokenizer-files.ts';
import { readTemplate } from '../text/template.ts';
import { contentOf } from '../text/tokenizer-arguments.ts';
import { SPECIAL_NAMES } from '../text/tokenizer-classes.ts';
import { fromVocabTxt } from '../text/vocab-txt.ts';
import { readAddedTokens, readVocabulary } from '../text/vocabulary.ts';
import type { Findings } from './findings.ts';

/** The ids of all tokens, added ones included. */
type Ids = ReadonlyMap<string, number>;

/** How many of many differences a message lists. */
const LISTED = 3;

/** @param transformer - whose tokenizer could be made of its files */
export async function compareTokenizerFiles(
  files: ModelFiles,
  transformer: TransformerFiles,
  findings: Findings,
): Promise<void> {
  const { path, tokenizer, tokenizerConfig } = transformer;
  const name = (file: string): string => (path === '' ? file : `${path}/${file}`);
  const has = (file: string) => findings.attempt(() => files.has(name(file)));
  const vocabJson = ({ file, vocab }: { file: string; vocab: string }): JsonObject => fromVocabTxt(vocab, file);

  const json = 'json' in tokenizer ? tokenizer.json : vocabJson(tokenizer);
  const ids = idsOf(json, tokenizer.file);
  await findings.attempt(() => checkTemplate(json, ids, tokenizer.file));
  if ('json' in tokenizer && (await has(VOCAB_TXT))) {
    await findings.attempt(async () => {
      const vocab = await readVocabTxt(files, path);
      checkSame(ids, addedOf(json), idsOf(vocabJson(vocab), vocab.file), vocab.file);
    });
  }

  const configFile = files.pathOf(transformer.tokenizerConfigName);
  await findings.attempt(() => checkSpecials(tokenizerConfig, ids, configFile));
  await findings.attempt(() => checkDecoder(tokenizerConfig, ids, configFile));
  const mapName = name('special_tokens_map.json');
  if (!(await has('special_tokens_map.json'))) return;
  const map = await findings.attempt(() => readObject(files, mapName));
  if (map === undefined) return;
  await findings.attempt(() => checkSpecials(map, ids, files.pathOf(mapName)));
  for (const key of SPECIAL_NAMES) {
    const [here, there] = [contentOf(map[key]), contentOf(tokenizerConfig[key])];
    if (here === undefined || there === undefined || here === there) continue;
    const message = `"${key}" is ${quote(here)}, in tokenizer_config.json ${quote(there)}.`;
    findings.warn('W_SPECIAL_TOKENS', 'incomplete', mapName, message, 'One of the two is of another model.');
  }
}

function idsOf(json: JsonObject, file: string): Ids {
  const added = readAddedTokens(json.added_tokens ?? [], file);
  return new Map([...readVocabulary(json, file), ...added.map(({ id, token }) => [token.content, id] as const)]);
}

function addedOf({ added_tokens }: JsonObject): ReadonlySet<string | undefined> {
  return new Set(Array.isArray(added_tokens) ? added_tokens.map((token: Json) => contentOf(token)) : []);
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

/** @param added - tokens that vocab.txt may lack */
function checkSame(ids: Ids, added: ReadonlySet<string | undefined>, others: Ids, file: string): void {
  const differences: string[] = [];
  for (const [token, id] of ids) {
    const other = others.get(token);
    if (other === id || (other === undefined && added.has(token))) continue;
    differences.push(`${quote(token)} is ${id} in tokenizer.json and ${other ?? 'not'} here`);
  }
  for (const [token, id] of others) {
    if (!ids.has(token)) differences.push(`${quote(token)} is not in tokenizer.json and ${id} here`);
  }
  if (differences.length === 0) return;
  const more = differences.length > LISTED ? `; and ${differences.length - LISTED} more` : '';
  throw refuse(file, 'this is another vocabulary than that of tokenizer.json', {
    found: differences.slice(0, LISTED).join('; ') + more,
  });
}

/** Python adds a special token that the vocabulary lacks at its end, where the embedding table has no row. */
function checkSpecials(config: JsonObject, ids: Ids, file: string): void {
  const named = SPECIAL_NAMES.flatMap(key => contentOf(config[key]) ?? []);
  const missing = named.filter(token => !ids.has(token));
  if (missing.length === 0) return;
  throw refuse(file, 'special tokens are not in the vocabulary', { found: missing.map(quote).join(', ') });
}

/** `added_tokens_decoder`: {"0": {"content": "[PAD]"}, ...}. */
function checkDecoder(config: JsonObject, ids: Ids, file: string): void {
  const configFields = fields(config, file);
  if (!configFields.has('added_tokens_decoder')) return;
  const decoder = configFields.object('added_tokens_decoder');
  const wrong = decoder.keys.find(id => `${ids.get(decoder.object(id).string('content'))}` !== id);
  if (wrong === undefined) return;
  const token = decoder.object(wrong).string('content');
  throw refuse(file, `"added_tokens_decoder" gives ${quote(token)} another id than the vocabulary`, {
    expected: `${ids.get(token) ?? 'a token of the vocabulary'}`,
    found: quote(wrong),
  });
}

function refuse(file: string, summary: string, details: { expected?: string; found: string }): GlassbertError {
  const hint = 'The tokenizer files are of different models: copy them again, together.';
  return new GlassbertError('E_TOKENIZER', summary, { file, ...details, hint });
}
