/** Files that are there by name only: each is named, what to do is said once, and none is called unneeded that may be needed. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CompletenessReport, checkDirectory } from '../../src/completeness/check-directory.ts';
import { glassbert } from '../cli/run.ts';
import { copyModel } from '../support/model-copy.ts';

type Model = ReturnType<typeof copyModel>;

const pointer = (bytes = 349): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${'84e4'.repeat(16)}\nsize ${bytes}\n`;

const LOADED = /\.(json|safetensors)$/;

/** The files that loading reads. */
function filesOf(model: Model): string[] {
  const names = readdirSync(model.directory, { recursive: true, encoding: 'utf8' });
  return names.filter(name => LOADED.test(name) && !name.startsWith('expected') && statSync(model.path(name)).isFile());
}

function errorsIn({ findings }: CompletenessReport): string[] {
  return findings.filter(({ severity }) => severity === 'error').map(({ file }) => file);
}

function timesIn(text: string, what: string): number {
  return text.split(what).length - 1;
}

describe('pointers of Git LFS', () => {
  test.each(['bert-mean-normalize', 'bert-mean-dense-layernorm', 'bert-sharded', 'bert-bare-directory'])(
    'in place of all files of %s: told for each, and what to do once',
    async name => {
      const model = copyModel(name);
      const files = filesOf(model);
      for (const file of files) model.write(file, pointer());
      const report = await checkDirectory(model.directory);
      expect([...new Set(errorsIn(report))].sort()).toEqual(files.sort());
      expect(JSON.stringify(report.findings)).not.toContain('not needed');
      const hints = report.findings.map(({ hint }) => hint ?? '');
      expect(hints.filter(hint => hint.includes('git lfs pull'))).toHaveLength(1);
      const { stdout } = await glassbert(['check', model.directory]);
      expect(timesIn(stdout, 'git lfs pull')).toBe(1);
    },
  );

  test.each([
    ['a pointer', pointer()],
    ['a web page', `<!DOCTYPE html>${'x'.repeat(2000)}`],
    ['an empty file', ''],
    ['no JSON', '[{"idx": 0,}]'],
  ])(
    'where modules.json is %s, the configuration of a module is needed, and is among what to get',
    async (_, content) => {
      const model = copyModel('bert-mean-dense-layernorm');
      model.write('README.md', "SentenceTransformer('me/model')");
      model.write('modules.json', content);
      const needed = ['1_Pooling/config.json', '2_Dense/config.json', '2_Dense/model.safetensors'];
      for (const file of needed) model.write(file, pointer());
      const report = await checkDirectory(model.directory);
      expect(errorsIn(report)).toEqual(expect.arrayContaining(['modules.json', ...needed]));
      expect(JSON.stringify(report.findings)).not.toContain('not needed');
      const { stdout } = await glassbert(['check', model.directory]);
      for (const file of needed) expect(stdout).toMatch(new RegExp(`hf download me/model .*${file}`));
    },
  );

  test('a link of the cache that was copied as text is one too; a page in the place of a page is none', async () => {
    const model = copyModel();
    model.write('model.safetensors', `../../blobs/${'ab'.repeat(32)}`);
    mkdirSync(model.path('openvino'));
    model.write('openvino/openvino_model.xml', '<?xml version="1.0"?><net/>');
    model.write('index.html', '<!DOCTYPE html>');
    const { findings } = await checkDirectory(model.directory);
    const [first, ...others] = findings.filter(({ severity }) => severity !== 'note');
    expect(first).toMatchObject({ code: 'E_WEIGHTS_PLACEHOLDER', file: 'model.safetensors' });
    expect(first.hint).toContain('cp -rL');
    expect(others).toEqual([]);
  });

  test('a module that modules.json does not name is not needed, and nothing is said to be fetched', async () => {
    const model = copyModel();
    for (const file of ['3_Dense/config.json', 'onnx/model.onnx', 'pytorch_model.bin', 'openvino/openvino_model.bin']) {
      mkdirSync(dirname(model.path(file)), { recursive: true });
      model.write(file, pointer(95_843_657));
    }
    const { verdict, findings } = await checkDirectory(model.directory);
    expect(verdict).toBe('complete');
    expect(findings.map(({ code, file, hint }) => [code, file, hint]).sort()).toEqual([
      ['W_PLACEHOLDER', '3_Dense/config.json', null],
      ['W_PLACEHOLDER', 'onnx/model.onnx', null],
      ['W_PLACEHOLDER', 'openvino/openvino_model.bin', null],
      ['W_PLACEHOLDER', 'pytorch_model.bin', null],
    ]);
  });
});
