/** Files that are as large as their kind may be, and hold what costs a reader most. */
import { closeSync, mkdirSync, openSync, truncateSync, writeSync } from 'node:fs';
import type { Case, Model } from './case.ts';

const MB = 2 ** 20;

const written = (file: string, name: string, code: Case['code'], content: () => string): Case => ({
  name: `${file}: ${name}`,
  code,
  heavy: true,
  make: model => model.write(file, content()),
});

/** A file of safetensors from its header and the number of bytes after it, which are a hole of the file system. */
function writeSafetensors(model: Model, header: string, bytes: number, name = 'model.safetensors'): void {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(model.path(name), 'w');
  writeSync(file, length);
  writeSync(file, json);
  closeSync(file);
  truncateSync(model.path(name), 8 + json.length + bytes);
}

const safetensors = (name: string, code: Case['code'], header: () => string, bytes = 0): Case => ({
  name: `model.safetensors: ${name}`,
  code,
  heavy: true,
  make: model => writeSafetensors(model, header(), bytes),
});

const TOKENIZER = 64 * MB;
const list = (count: number, each: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => each(i)).join(',');
const same = (count: number, text: string): string => `${`${text},`.repeat(count - 1)}${text}`;
const whole = (model: string): string =>
  `{"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"model":${model}}`;

const shardName = (shard: number): string => `s${shard}.safetensors`;

/**
 * Shards that each hold as many tensors as one header may, of shape [0]: 57 bytes of the disk a tensor. The index lists one of
 * each, and what `add` adds.
 */
function hostileShards(
  shards: number,
  code: Case['code'],
  add: (weightMap: Record<string, string>, shard: number) => void,
  { tensors = 100_000, metadata = 0 } = {},
): Case {
  return {
    name: `${shards} shards of ${tensors} tensors${metadata > 0 ? ` and ${metadata} lines of metadata` : ''}`,
    code,
    heavy: true,
    make: model => {
      const weight_map: Record<string, string> = {};
      const lines = list(metadata, i => `"m${i}":""`);
      for (let shard = 0; shard < shards; shard++) {
        weight_map[`s${shard}.t0`] = shardName(shard);
        add(weight_map, shard);
        const all = list(tensors, i => `"s${shard}.t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
        writeSafetensors(model, `{"__metadata__":{${lines}},${all}}`, 0, shardName(shard));
      }
      model.remove('model.safetensors');
      model.write('model.safetensors.index.json', JSON.stringify({ weight_map }));
    },
  };
}

/** Dense modules whose files hold as many tensors as one may, of which the first is one too many for the module. */
function hostileModules(count: number): Case {
  return {
    name: `${count} Dense modules of 90,000 tensors each`,
    base: 'bert-mean-dense-layernorm',
    code: 'E_CONFIG',
    heavy: true,
    make: model => {
      const linear = [
        '"linear.weight":{"dtype":"F32","shape":[32,32],"data_offsets":[0,4096]}',
        '"linear.bias":{"dtype":"F32","shape":[32],"data_offsets":[4096,4224]}',
      ];
      const others = list(90_000, i => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
      const type = 'sentence_transformers.models.Dense';
      model.edit('modules.json', json => {
        json.length = 2;
        for (let i = 2; i < 2 + count; i++) {
          json.push({ idx: i, name: `${i}`, path: `${i}_D`, type });
          mkdirSync(model.path(`${i}_D`));
          model.write(`${i}_D/config.json`, '{"in_features":32,"out_features":32}');
          writeSafetensors(model, `{${others},${linear}}`, 4224, `${i}_D/model.safetensors`);
        }
      });
    },
  };
}

export const SIZES: readonly Case[] = [
  written('tokenizer.json', '64 MB of line feeds and no value', 'E_JSON', () => '\n'.repeat(TOKENIZER)),
  written(
    'tokenizer.json',
    'one string of 64 MB of escapes',
    'E_CONFIG',
    () => `"${'\\u0041'.repeat((TOKENIZER - 2) / 6)}"`,
  ),
  written(
    'tokenizer.json',
    'one string of 64 MB beyond Latin',
    'E_CONFIG',
    () => `"${'北'.repeat((TOKENIZER - 2) / 3)}"`,
  ),
  written('tokenizer.json', 'as many empty objects as may be', 'E_CONFIG', () => `[${same(120_000, '{}')}]`),
  written('tokenizer.json', 'as many objects of one key as may be', 'E_CONFIG', () => `[${same(120_000, '{"a":0}')}]`),
  written('tokenizer.json', 'as many arrays as may be', 'E_CONFIG', () => `[${same(2_199_000, '[]')}]`),
  written('tokenizer.json', 'as many arrays of one element as may be', 'E_CONFIG', () => `[${same(1_099_000, '[0]')}]`),
  written(
    'tokenizer.json',
    'as many strings as may be',
    'E_CONFIG',
    () => `[${list(2_199_000, i => `"${i} and some more"`)}]`,
  ),
  written('tokenizer.json', 'a vocabulary of a million words', 'E_TOKENIZER', () =>
    whole(`{"type":"WordPiece","vocab":{"[UNK]":0,${list(999_999, i => `"w${i}":${i + 1}`)}}}`),
  ),
  written('tokenizer.json', 'a vocabulary of two million words', 'E_JSON', () =>
    whole(`{"type":"WordPiece","vocab":{${list(2_000_000, i => `"w${i}":${i}`)}}}`),
  ),
  written('tokenizer.json', 'a vocabulary of 60 MB of long words', 'E_TOKENIZER', () =>
    whole(`{"type":"WordPiece","vocab":{"[UNK]":0,${list(60_000, i => `"${'x'.repeat(1000)}${i}":${i + 1}`)}}}`),
  ),
  written(
    'tokenizer.json',
    'ten thousand added tokens of 128 characters',
    'E_TOKENIZER',
    () =>
      `{"added_tokens":[${list(10_000, i => `{"id":${i + 1},"content":"${`${i}`.padStart(128, 'x')}","normalized":true}`)}],"normalizer":null,` +
      '"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"model":{"type":"WordPiece","vocab":{"[UNK]":0}}}',
  ),
  {
    name: 'vocab.txt: two million words',
    code: 'E_TOKENIZER',
    heavy: true,
    make: model => {
      model.remove('tokenizer.json');
      model.write(
        'vocab.txt',
        `[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n${Array.from({ length: 1_900_000 }, (_, i) => i).join('\n')}`,
      );
    },
  },
  {
    name: 'vocab.txt: 16 MB of line feeds',
    code: 'E_TOKENIZER',
    heavy: true,
    make: model => {
      model.remove('tokenizer.json');
      model.write('vocab.txt', '\n'.repeat(16 * MB));
    },
  },
  written('modules.json', 'a megabyte of arrays', 'E_MODULE', () => `[${same(349_000, '[]')}]`),
  written('config.json', 'as many arrays as may be', 'E_CONFIG', () => `[${same(499_000, '[]')}]`),
  written('config.json', '16 MB of one string', 'E_CONFIG', () => `"${'x'.repeat(16 * MB - 2)}"`),
  written('config.json', '16 MB of small values', 'E_JSON', () => `[${same(5_000_000, '[]')}]`),
  {
    name: 'model.safetensors.index.json: 16 MB of one shard',
    base: 'bert-sharded',
    code: 'E_FILE_TOO_LARGE',
    heavy: true,
    make: model => {
      const map = list(300_000, i => `"tensor.${i}":"model-00001-of-00003.safetensors"`);
      model.write('model.safetensors.index.json', `{"weight_map":{${map}}}`);
    },
  },
  ...[10, 20, 165].map((shards): Case => hostileShards(shards, 'E_TENSOR_DUPLICATE', () => {})),
  hostileShards(
    165,
    'E_SAFETENSORS',
    (weight_map, shard) => {
      for (let i = 0; i < 600; i++) weight_map[`s${shard}.t${i}`] = shardName(shard);
    },
    { tensors: 600, metadata: 100_000 },
  ),
  hostileModules(14),
  safetensors('a header of 100 MB of white space', 'E_TENSOR_MISSING', () => `{}${' '.repeat(99_000_000)}`),
  safetensors('a header of one name of 99 MB', 'E_SAFETENSORS', () => `{"${'x'.repeat(99_000_000)}":0}`),
  safetensors('a header of one name of 99 MB beyond Latin', 'E_SAFETENSORS', () => `{"${'北'.repeat(33_000_000)}":0}`),
  safetensors('a header of a million numbers', 'E_SAFETENSORS', () => `{"t":{"shape":[${same(999_000, '1')}]}}`),
  safetensors('a header of half a million objects', 'E_SAFETENSORS', () => `{${list(999_000, i => `"${i}":{}`)}}`),
  safetensors(
    'a hundred thousand tensors of no elements',
    'E_TENSOR_MISSING',
    () => `{${list(100_000, i => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`)}}`,
  ),
  safetensors(
    'a tensor of 4 GB that nobody needs',
    'E_TENSOR_MISSING',
    () => `{"evil":{"dtype":"U8","shape":[4294967296],"data_offsets":[0,4294967296]}}`,
    2 ** 32,
  ),
  {
    name: 'model.safetensors: an embedding table of 8 GB, as large as config.json says',
    code: 'E_MEMORY',
    heavy: true,
    make: model => {
      const [V, D] = [2_000_000, 1024];
      const table = { dtype: 'F32', shape: [V, D], data_offsets: [0, 4 * V * D] };
      writeSafetensors(model, JSON.stringify({ 'embeddings.word_embeddings.weight': table }), 4 * V * D);
      model.edit('config.json', json =>
        Object.assign(json, { vocab_size: V, hidden_size: D, num_attention_heads: 16 }),
      );
      model.edit('1_Pooling/config.json', json => Object.assign(json, { word_embedding_dimension: D }));
    },
  },
];
