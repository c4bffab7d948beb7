/** Where to get what is missing: a README names a model in an example, and often it is another one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BertConfig } from '../../src/bert/config.ts';
import { checkDirectory } from '../../src/completeness/check-directory.ts';
import { Findings } from '../../src/completeness/findings.ts';
import { findOrigin, type Origin } from '../../src/completeness/origin.ts';
import { plant } from '../../src/completeness/tree.ts';
import { glassbert } from '../cli/run.ts';
import { copyModel } from '../support/model-copy.ts';

interface Directory {
  readonly name?: string;
  readonly hidden_size?: number;
  readonly num_hidden_layers?: number;
  readonly dimension?: number | null;
}

async function originOf(readme: string, directory: Directory = {}): Promise<Origin | null> {
  const { name = 'model', hidden_size = 384, num_hidden_layers = 6, dimension = hidden_size } = directory;
  const parent = await mkdtemp(join(tmpdir(), 'glassbert-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  const path = join(parent, name);
  mkdirSync(path);
  writeFileSync(join(path, 'README.md'), readme);
  const config = { hidden_size, num_hidden_layers } as BertConfig;
  return findOrigin(path, await plant(path, new Findings(path)), { config, dimension });
}

const example = (...ids: string[]): string => ids.map(id => `model = SentenceTransformer('${id}')\n`).join('');

test('an example is a guess, unless the directory or the heading has the same name', async () => {
  const source = 'an example in README.md';
  const guessed = { id: 'me/model-x', revision: null, source, guess: true };
  expect(await originOf(example('me/model-x'))).toEqual(guessed);
  expect(await originOf(`# A model of sentences\n${example('me/model-x')}`)).toEqual(guessed);
  expect(await originOf(example('me/model-x'), { name: 'model-x' })).toEqual({ ...guessed, guess: false });
  expect(await originOf(`# me/model-x\n${example('me/model-x')}`)).toEqual({ ...guessed, guess: false });
  expect(await originOf(`# Model-X\n${example('me/model-x')}`)).toEqual({ ...guessed, guess: false });
});

test.each<[string, string, Directory]>([
  ['the heading names another one', `# m3e-small\n${example('moka-ai/m3e-base')}`, {}],
  ['it is "base", and the model is not 768 wide', example('moka-ai/m3e-base'), { hidden_size: 512 }],
  ['it is "large", and the model is not 1024 wide', example('BAAI/bge-large-zh'), { hidden_size: 768 }],
  ['it is "small", and the model is not', example('thenlper/gte-small'), { hidden_size: 768 }],
  ['it has another number of layers', example('sentence-transformers/all-MiniLM-L12-v2'), {}],
  ['it has another width', example('google/bert_uncased_L-6_H-128_A-2'), {}],
  ['the directory has another size in its name', example('me/embed-s'), { name: 'embed-m' }],
  ['the text states another width', `maps to a 768 dimensional dense vector space\n${example('me/model-x')}`, {}],
  ['the card states another width', `- **Output Dimensionality:** 768 dimensions\n${example('me/model-x')}`, {}],
  ['two examples remain', example('me/model-x', 'me/model-y'), {}],
  ['there is none', '# A model', {}],
])('nothing is claimed where %s', async (_what, readme, directory) => {
  expect(await originOf(readme, directory)).toBeNull();
});

test('of several examples the one that fits is taken', async () => {
  const family = example('BAAI/bge-large-en', 'BAAI/bge-base-en', 'BAAI/bge-small-en');
  expect(await originOf(family, { num_hidden_layers: 12 })).toMatchObject({ id: 'BAAI/bge-small-en', guess: true });
  expect(await originOf(family, { hidden_size: 768 })).toMatchObject({ id: 'BAAI/bge-base-en' });
  expect(await originOf(family, { name: 'bge-small-en' })).toMatchObject({ id: 'BAAI/bge-small-en', guess: false });
  const distil = example('sentence-transformers/distiluse-base-multilingual-cased-v2');
  expect(await originOf(distil, { hidden_size: 768, dimension: 512 })).not.toBeNull();
});

test('check says that it is a guess, and asks for no pickle', async () => {
  const model = copyModel();
  model.write('README.md', example('me/model-x'));
  model.remove('model.safetensors');
  const { stdout } = await glassbert(['check', model.directory]);
  expect(stdout).toContain('perhaps         me/model-x: a guess, from an example in README.md');
  expect(stdout).toContain('hf download me/model-x model.safetensors --local-dir DIR');

  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 95843657\n`;
  for (const name of ['pytorch_model.bin', 'pytorch_model-00001-of-00002.bin']) {
    const pickled = copyModel();
    pickled.write('README.md', example('me/model-x'));
    pickled.remove('model.safetensors');
    pickled.write(name, pointer);
    const { findings } = await checkDirectory(pickled.directory);
    expect(findings[0]).toMatchObject({ code: 'E_PICKLE_REFUSED', file: name });
    const { stdout } = await glassbert(['check', pickled.directory]);
    expect(stdout).not.toContain('hf download');
    expect(stdout).not.toContain('git lfs pull');
  }
});

test('check asks for both files where one lies in the place of the other', async () => {
  const model = copyModel();
  model.write('README.md', example('me/model-x'));
  model.write('config.json', model.read('1_Pooling/config.json'));
  model.remove('1_Pooling');
  const flattened = await glassbert(['check', model.directory]);
  expect(flattened.stdout).toContain('hf download me/model-x config.json 1_Pooling/config.json --local-dir DIR');

  const other = copyModel();
  other.write('README.md', example('me/model-x'));
  other.write('1_Pooling/config.json', other.read('config.json'));
  const { stdout } = await glassbert(['check', other.directory]);
  expect(stdout).toContain('hf download me/model-x 1_Pooling/config.json --local-dir DIR');
});
