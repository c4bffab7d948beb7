/** Files and paths: what modules.json and a shard index name, links, and what is no file. */
import { execFileSync } from 'node:child_process';
import { cpSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, edited, type Model, SHARDED, values } from './case.ts';

/** By the rules of Unix and of Windows, on every system. */
const UNSAFE = [
  '..', '../model', '../../etc', '/etc', '/', '//host/share', '\\\\host\\share\\x', 'C:\\x', 'C:x', 'c:/x', '1_Pooling/../..',
  '1_Pooling/../1_Pooling', ' ', '1_Pooling ', '1_Pooling.', 'x\0y', 'x\ny', 'x\u001b[31m', 'x\u202ey',
  'CON', 'nul', 'aux.json', 'com1/x', '1_Pooling:stream', '．．/x', 'a／b', '1_Pooling\\config.json', 'file:///etc', '*', 'a?',
  'https://example.org/x', 'x'.repeat(256), 'x'.repeat(5000), 'x/'.repeat(2000),
]; // biome-ignore format: a table

/** What stays inside is what it says; that it is not there is another matter. */
const INSIDE = ['~', '~root', '%2e%2e/x', '..%2f', 'e\u0301', '1_Pooling/x', 'a b', 'a (1)', 'a+b', '模型'];

const SHARD = 'model-00001-of-00003.safetensors';

const shard = (value: string): Case => ({
  name: `model.safetensors.index.json: a shard named ${JSON.stringify(value).slice(0, 60)}`,
  base: SHARDED,
  code: 'E_PATH_UNSAFE',
  make: model =>
    model.edit('model.safetensors.index.json', ({ weight_map }) => {
      for (const tensor of Object.keys(weight_map)) if (weight_map[tensor] === SHARD) weight_map[tensor] = value;
    }),
});

/** A file is moved out of the directory and a link put in its place. */
const linkedOut = (file: string, target: (model: Model) => string, more: Partial<Case> = {}): Case => ({
  name: `a link out of the directory in the place of ${file}`,
  code: 'E_PATH_UNSAFE',
  make: model => {
    renameSync(model.path(file), join(model.parent, 'outside'));
    symlinkSync(target(model), model.path(file));
  },
  ...more,
});

const replaced = (file: string, what: string, code: Case['code'], make: (path: string) => void): Case => ({
  name: `${what} in the place of ${file}`,
  code,
  make: model => {
    model.remove(file);
    make(model.path(file));
  },
});

const EVERY = [
  'modules.json',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'model.safetensors',
  '1_Pooling/config.json',
];
const OPTIONAL = ['sentence_bert_config.json', 'config_sentence_transformers.json'];

export const FILES: readonly Case[] = [
  ...UNSAFE.flatMap(path => values('modules.json', '1', 'path', 'E_PATH_UNSAFE', [path])),
  ...values('modules.json', '1', 'path', 'E_FILE_MISSING', INSIDE),
  ...values('modules.json', '1', 'path', 'loads', ['./1_Pooling', '1_Pooling/', '1_Pooling//', './/1_Pooling/./.']),
  ...values('modules.json', '0', 'path', 'loads', ['.', './', './.']),
  ...values('modules.json', '1', 'path', 'E_MODULE', ['.', './']),
  ...['../x', '/etc', '/', '..', 'C:\\x', 'a\0b'].flatMap(path =>
    values('modules.json', '0', 'path', 'E_PATH_UNSAFE', [path]),
  ),
  ...values('modules.json', '1', 'path', 'E_MODULE', ['']), // for the transformer alone it is the directory itself
  ...values('modules.json', '1', 'path', 'E_CONFIG', [1, null, undefined, ['1_Pooling']]),
  ...UNSAFE.map(shard),
  ...INSIDE.map(shard), // none of them a .safetensors
  ...[
    '',
    '.',
    './model.safetensors',
    'sub/x.safetensors',
    'weights.bin',
    '.safetensors',
    'model.safetensors.index.json',
    '-.safetensors',
    `${SHARD}/`,
    `${SHARD}:ads`,
  ].map(shard),

  ...[...EVERY, ...OPTIONAL].map(file => linkedOut(file, model => join(model.parent, 'outside'))),
  linkedOut('1_Pooling', model => join(model.parent, 'outside'), {
    name: 'a link in the place of the directory of a module',
  }),
  linkedOut('config.json', () => '../outside', { name: 'a relative link out of the directory' }),
  linkedOut('config.json', () => '../model-2/config.json', {
    name: 'a link into a directory whose name begins with that of the model',
    make: model => {
      cpSync(model.directory, `${model.directory}-2`, { recursive: true });
      model.remove('config.json');
      symlinkSync('../model-2/config.json', model.path('config.json'));
    },
  }),
  linkedOut('config.json', () => '/proc/self/environ', { name: 'a link to /proc/self/environ' }),
  linkedOut('config.json', () => '/dev/zero', { name: 'a link to /dev/zero' }),
  linkedOut('model.safetensors', () => '../../blobs/0', {
    name: 'a link to blobs where there is no cache of the hub',
    make: model => {
      mkdirSync(join(model.parent, 'blobs'));
      renameSync(model.path('model.safetensors'), join(model.parent, 'blobs/0'));
      symlinkSync('../blobs/0', model.path('model.safetensors'));
    },
  }),
  linkedOut('config.json', model => join(model.parent, 'outside'), {
    name: 'a link to a link that leads out',
    make: model => {
      renameSync(model.path('config.json'), join(model.parent, 'outside'));
      symlinkSync(join(model.parent, 'outside'), model.path('innocent'));
      symlinkSync('innocent', model.path('config.json'));
    },
  }),
  ...[...EVERY, ...OPTIONAL].flatMap(file => [
    replaced(file, 'a link to itself', 'E_PATH_UNSAFE', path => symlinkSync(path, path)),
    replaced(file, 'a directory', 'E_FILE_TYPE', path => mkdirSync(path)),
    replaced(file, 'a pipe', 'E_FILE_TYPE', path => execFileSync('mkfifo', [path])),
  ]),
  replaced('config.json', 'a link to nothing', 'E_FILE_MISSING', path => symlinkSync('nothing', path)),
  replaced('model.safetensors', 'a link to nothing', 'E_FILE_MISSING', path => symlinkSync('../../blobs/feed', path)),
  replaced('1_Pooling', 'a file', 'E_FILE_MISSING', path => writeFileSync(path, '')),
  {
    name: 'a hard link, which cannot be told from a file',
    code: 'loads',
    make: model => {
      linkSync(model.path('config.json'), join(model.parent, 'twin'));
    },
  },
  {
    name: 'a link inside the directory',
    code: 'loads',
    make: model => {
      renameSync(model.path('config.json'), model.path('moved.json'));
      symlinkSync('moved.json', model.path('config.json'));
    },
  },

  ...['modules.json', 'config.json', 'tokenizer.json', '1_Pooling/config.json', ...OPTIONAL].map(file =>
    replaced(file, 'no byte', 'E_FILE_MISSING', path => writeFileSync(path, '')),
  ),
  replaced('model.safetensors', 'no byte', 'E_WEIGHTS_PLACEHOLDER', path => writeFileSync(path, '')),
  ...[...EVERY, ...OPTIONAL].map(file => ({
    ...replaced(
      file,
      'a terabyte of nothing',
      file === 'model.safetensors' ? 'E_WEIGHTS_PLACEHOLDER' : 'E_FILE_TOO_LARGE',
      path => {
        writeFileSync(path, '');
        truncateSync(path, 2 ** 40);
      },
    ),
  })),
  {
    name: 'model.safetensors, followed by four gigabytes of nothing',
    code: 'E_SAFETENSORS',
    make: model => {
      truncateSync(model.path('model.safetensors'), 2 ** 32 + 2 ** 20);
    },
  },

  ...['pytorch_model.bin', 'pytorch_model-00001-of-00002.bin', 'pytorch_model.fp16.bin'].map(
    (name): Case => ({
      name: `weights only as a Python pickle, ${name}`,
      code: 'E_PICKLE_REFUSED',
      make: model => renameSync(model.path('model.safetensors'), model.path(name)),
    }),
  ),
  ...['adapter_config.json', 'adapter_model.safetensors', 'adapter_model.bin'].map(
    (name): Case => ({
      name: `${name} beside the model`,
      code: 'E_MODULE',
      make: model => model.write(name, '\0\0\0'),
    }),
  ),
  ...['pt', 'pth', 'ckpt', 'pkl', 'h5', 'onnx', 'msgpack', 'gguf'].map(
    (suffix): Case => ({
      name: `weights only as .${suffix}`,
      code: 'E_FILE_MISSING',
      make: model => renameSync(model.path('model.safetensors'), model.path(`model.${suffix}`)),
    }),
  ),
  ...['incomplete', 'part', 'crdownload', 'aria2'].map(
    (suffix): Case => ({
      name: `weights left by a download that did not end, .${suffix}`,
      code: 'E_WEIGHTS_PLACEHOLDER',
      make: model => renameSync(model.path('model.safetensors'), model.path(`model.safetensors.${suffix}`)),
    }),
  ),
  ...(
    [
      [
        'a Git LFS pointer',
        'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
        'E_WEIGHTS_PLACEHOLDER',
      ],
      ['a login page', '<!DOCTYPE html><title>Sign in</title>', 'E_WEIGHTS_PLACEHOLDER'],
      ['a gzip archive', '\x1f\x8b\x08\0\0\0\0\0', 'E_SAFETENSORS'],
      ['a pickle by another name', '\x80\x02cos\nsystem\n', 'E_SAFETENSORS'],
      ['a ZIP archive', 'PK\x03\x04', 'E_SAFETENSORS'],
      ['a GGUF file', 'GGUF\x03\0\0\0', 'E_SAFETENSORS'],
    ] as const
  ).map(([what, content, code]) =>
    replaced('model.safetensors', what, code, path => writeFileSync(path, content, 'latin1')),
  ),
  ...['config.json', 'tokenizer.json', 'modules.json'].flatMap(file => [
    replaced(file, 'a Git LFS pointer', 'E_FILE_MISSING', path =>
      writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\n'),
    ),
    replaced(file, 'a login page', 'E_FILE_MISSING', path => writeFileSync(path, '<!DOCTYPE html>')),
  ]),
  ...EVERY.map(
    (file): Case => ({
      name: `${file} in capitals: another name`,
      code: file === 'modules.json' || file === 'tokenizer_config.json' ? 'loads' : 'E_FILE_MISSING',
      make: model => renameSync(model.path(file), model.path(file.replace(/[^/]*$/, name => name.toUpperCase()))),
    }),
  ),
  edited('modules.json', 'ten thousand modules', 'E_MODULE', json => {
    for (let i = 0; i < 10_000; i++) json.push(json[2]);
  }),
  {
    name: 'ten thousand files that no model needs',
    code: 'loads',
    make: model => {
      mkdirSync(model.path('many'));
      for (let i = 0; i < 2_000; i++) writeFileSync(model.path(`many/${i}`), '');
    },
  },
];
