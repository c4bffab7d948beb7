/** `glassbert inspect` of a directory whose weights are missing or only stand for what is not there. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyModel } from '../support/model-copy.ts';
import { glassbert, output } from './run.ts';

/** As far as it is looked at. */
interface Printed {
  readonly weights: readonly { readonly unused: string[]; readonly unlisted?: number }[];
  readonly model: Pick<Printed, 'weights'>;
}

test.each<[string, (weights: string) => void, string]>([
  ['are missing', weights => rmSync(weights), 'E_FILE_MISSING: .*the weights are not there'],
  ['are a pickle', weights => renameSync(weights, join(weights, '../pytorch_model.bin')), 'E_PICKLE_REFUSED: '],
  [
    'are a pointer',
    weights => writeFileSync(weights, 'version https://git-lfs.github.com/spec/v1\nsize 9\n'),
    'E_WEIGHTS_PLACEHOLDER: .*a Git LFS pointer',
  ],
])('the settings are shown where the weights %s, and that they are', async (_, make, said) => {
  const { directory, path } = copyModel();
  make(path('model.safetensors'));
  const text = await output(['inspect', directory]);
  expect(text).toMatch(/^Settings\n {2}maxSeqLength +64 +sentence_bert_config\.json: max_seq_length/m);
  expect(text).toMatch(/^ {2}vocabulary +600$/m);
  expect(text).toMatch(new RegExp(`^Weights\\n {2}not there +${said}`, 'm'));
  const { missing, settings } = JSON.parse(await output(['inspect', directory, '--json']));
  expect(missing.code).toBe(said.split(':')[0]);
  expect(settings.pooling.value).toEqual(['mean']);
});

test('of 2,000 tensors that are not used a hundred are listed, and the others counted', async () => {
  const { directory, editTensors } = copyModel();
  editTensors(all => {
    for (let i = 0; i < 2000; i++) all.set(`cls.${i}`, { dtype: 'F32', shape: [1], data: new Uint8Array(4) });
  });
  const text = await output(['inspect', directory]);
  expect(text.match(/^ {2}unused +cls\.\d+$/gm)).toHaveLength(100);
  expect(text).toMatch(/^ +and 1,900 more$/m);
  for (const [command, of] of [
    ['inspect', (report: Printed) => report.weights],
    ['check', (report: Printed) => report.model.weights],
  ] as const) {
    const [weights] = of(JSON.parse(await output([command, directory, '--json'])));
    expect([weights.unused.length, weights.unlisted]).toEqual([100, 1900]);
  }
});

test('whatever else is missing is an error', async () => {
  const { directory, remove } = copyModel();
  remove('tokenizer.json');
  const { status, stdout, stderr } = await glassbert(['inspect', directory]);
  expect([status, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/^error E_FILE_MISSING: .*tokenizer\.json/);
});

test('what Python computes in stands beside what is computed in here', async () => {
  const { directory, edit } = copyModel();
  edit('config.json', json => {
    json.dtype = 'bfloat16';
  });
  expect(await output(['inspect', directory])).toMatch(
    /^ {2}dtype +float32\n +sentence-transformers computes this model in bfloat16\..* \(config\.json: dtype\)$/m,
  );
});
