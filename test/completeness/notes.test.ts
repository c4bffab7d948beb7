/** What a check says of a directory that is complete: not everything that is unusual is wrong. */
import { expect, test } from 'vitest';
import { checkDirectory } from '../../src/completeness/check-directory.ts';
import { copyModel } from '../support/model-copy.ts';

test('a file that a model can do without, an empty one, and rows that no token has are noted, and the model is complete', async () => {
  const model = copyModel();
  model.remove('sentence_bert_config.json');
  model.write('notes.txt', '');
  model.edit('tokenizer.json', ({ model: { vocab } }) => {
    delete vocab[Object.keys(vocab).at(-1) as string];
  });
  const { verdict, findings } = await checkDirectory(model.directory);
  const notes = findings.filter(({ severity }) => severity === 'note').map(({ code, file }) => `${code} ${file}`);
  expect(notes).toEqual(
    expect.arrayContaining([
      'W_FILE_ABSENT sentence_bert_config.json',
      'W_FILE_EMPTY notes.txt',
      'W_VOCABULARY_PADDED config.json',
    ]),
  );
  expect(verdict).toBe('complete');
});
