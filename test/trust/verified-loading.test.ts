/** Loading with `verify`: nothing is used before everything is compared, and what was hashed is what is used. */
import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { defaultModel, type LoadOptions, SentenceEncoder, type VerifyOptions, type Warning } from '../../src/index.ts';
import * as json from '../../src/io/json.ts';
import { RegularFile } from '../../src/io/regular-file.ts';
import { findFiles, hashFiles, rootDigest } from '../../src/trust/digests.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { formatSha256sums } from '../../src/trust/sha256sums.ts';
import { createSigner, signStatement } from '../../src/trust/signature.ts';
import { openVerifiedFiles } from '../../src/trust/verified-files.ts';
import * as verifying from '../../src/trust/verify.ts';
import { copyModel } from '../support/model-copy.ts';
import { maxDifference } from '../support/numbers.ts';
import { refusal } from '../support/refusal.ts';

type Model = ReturnType<typeof copyModel>;

async function recordOf(directory: string, left: readonly string[] = []): Promise<RecordedFile[]> {
  const { files } = await findFiles(directory, name => left.includes(name), true);
  const { digests } = await hashFiles(files, () => 'sha256');
  return files.map(({ name }) => ({ name, algorithm: 'sha256', digest: digests.get(name) as string }));
}

/** A model with its SHA256SUMS. */
async function listedModel(name?: string): Promise<Model> {
  const model = copyModel(name);
  model.write('SHA256SUMS', formatSha256sums(await recordOf(model.directory)));
  return model;
}

/** A model with its model.sig, and the public key. */
async function signedModel(left: readonly string[] = []) {
  const model = copyModel();
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const signer = createSigner({ text: privateKey });
  const files = await recordOf(model.directory, left);
  model.write('model.sig', signStatement(files, 'model', ['model.sig', ...left], signer));
  return { model, publicKey };
}

async function load(directory: string, verify: VerifyOptions, options: LoadOptions = {}) {
  const warnings: Warning[] = [];
  const onWarning = (warning: Warning): void => {
    warnings.push(warning);
  };
  const encoder = await SentenceEncoder.load(directory, { kernels: 'reference', onWarning, ...options, verify });
  return { encoder, report: encoder.report, warnings };
}

describe('a verified model', () => {
  test('gives the vectors of one that is not verified', async () => {
    const model = await listedModel();
    const { encoder } = await load(model.directory, {});
    const plain = await SentenceEncoder.load(model.directory, { kernels: 'reference' });
    const [a, b] = [await encoder.encode('Hello, world!'), await plain.encode('Hello, world!')];
    expect(maxDifference(a.data, b.data)).toBe(0);
    expect(encoder.report.files).toEqual(plain.report.files);
  });

  test.each(['bert-sharded', 'bert-mean-dense-layernorm'])('may have shards and weights of modules: %s', async name => {
    const model = await listedModel(name);
    const { report } = await load(model.directory, {});
    expect(report.verification?.files).toBeGreaterThan(8);
  });

  test('may be reached through a link', async () => {
    const model = await listedModel();
    symlinkSync(model.directory, join(model.parent, 'link'));
    await load(join(model.parent, 'link'), {});
  });

  test('is told from one that is not, in the report', async () => {
    const model = await listedModel();
    const root = rootDigest(await recordOf(model.directory, ['SHA256SUMS']));
    model.write('.gitignore', '*');
    const { report, warnings } = await load(model.directory, { expect: root });
    expect(report.verification).toMatchObject({
      by: 'digest',
      source: root,
      rootDigest: root,
      files: 10,
      ignored: ['.gitignore', 'SHA256SUMS'],
      signer: null,
      warnings: [],
    });
    expect(warnings).toEqual([]);
    expect((await SentenceEncoder.load(model.directory, { kernels: 'reference' })).report.verification).toBe(null);
  });

  test('warns when only its own list vouches for it', async () => {
    const model = await listedModel();
    expect((await load(model.directory, {})).warnings.map(({ code }) => code)).toEqual(['W_MANIFEST_UNPINNED']);
    renameSync(model.path('SHA256SUMS'), join(model.parent, 'sums'));
    expect((await load(model.directory, { manifest: join(model.parent, 'sums') })).warnings).toEqual([]);
  });

  test('is signed, and the report says by whom', async () => {
    const { model, publicKey } = await signedModel();
    const { report } = await load(model.directory, { publicKey });
    expect(report.verification).toMatchObject({ by: 'signature', source: model.path('model.sig'), files: 10 });
    expect(report.verification?.signer).toMatch(/^the key [0-9a-f]{64}$/);
    expect(report.verification?.rootDigest).toBe(rootDigest(await recordOf(model.directory, ['model.sig'])));
  });

  test('may lie in the cache of the Hugging Face hub, where links are allowed by name', async () => {
    const model = copyModel();
    const cache = join(model.parent, 'models--org--name');
    const snapshot = join(cache, 'snapshots', 'abc');
    mkdirSync(join(cache, 'blobs'), { recursive: true });
    mkdirSync(join(snapshot, '1_Pooling'), { recursive: true });
    model.remove('expected');
    for (const { name, digest } of await recordOf(model.directory)) {
      renameSync(model.path(name), join(cache, 'blobs', digest));
      symlinkSync(`${name.includes('/') ? '../' : ''}../../blobs/${digest}`, join(snapshot, name));
    }
    const root = rootDigest(await recordOf(snapshot));
    await refusal('E_PATH_UNSAFE', () => load(snapshot, { expect: root }));
    expect((await load(snapshot, { expect: root, allowSymlinks: true })).report.verification?.files).toBe(8);
  });
});

describe('a changed model is refused before a byte of it is parsed', () => {
  const parse = vi.spyOn(json, 'parseJson');
  const parsed = () => parse.mock.calls.map(([, file]) => file).filter(file => file?.endsWith('.json'));

  test.each([
    ['by its list', async () => ({ model: await listedModel(), options: {} })],
    [
      'by a root digest',
      async () => {
        const model = copyModel();
        return { model, options: { expect: rootDigest(await recordOf(model.directory)) } };
      },
    ],
    [
      'by its signature',
      async () => {
        const { model, publicKey } = await signedModel();
        return { model, options: { publicKey } };
      },
    ],
  ])('%s: malformed JSON is a digest that differs', async (_, make) => {
    const { model, options } = await make();
    model.write('config.json', '{"not": json');
    parse.mockClear();
    await refusal('E_JSON', () => SentenceEncoder.load(model.directory));
    expect(parsed()).toContain(model.path('config.json'));
    parse.mockClear();
    const { message } = await refusal('E_DIGEST', () => load(model.directory, options));
    expect(message).toMatch(/config\.json|another digest/);
    expect(parsed()).toEqual([]);
  });

  test('and before one is hashed, where names are enough', async () => {
    const model = await listedModel();
    model.write('notes.txt', '');
    const read = vi.spyOn(RegularFile.prototype, 'read');
    onTestFinished(() => read.mockRestore());
    await refusal('E_DIGEST', () => load(model.directory, {}));
    expect(read.mock.contexts.map(file => (file as RegularFile).name)).toEqual([model.path('SHA256SUMS')]);
  });

  test('with another key, nothing in the directory is even listed', async () => {
    const { model } = await signedModel();
    const { publicKey } = await signedModel();
    await refusal('E_SIGNATURE', () => load(model.directory, { publicKey }));
  });
});

describe('the bytes that were hashed are the bytes that are used', () => {
  /** The last look at the directory is over, and nothing of it is used yet: now somebody changes it. */
  function onceCompared(change: () => void): void {
    const { checkExamined } = verifying;
    const check = vi.spyOn(verifying, 'checkExamined');
    onTestFinished(() => check.mockRestore());
    check.mockImplementationOnce((...args) => {
      checkExamined(...args);
      change();
    });
  }

  test.each([
    ['replaced', (path: string) => writeFileSync(path, '{"not": json')],
    ['gone', (path: string) => rmSync(path)],
    ['a link elsewhere', (path: string) => renameSync(path, `${path}.old`) ?? symlinkSync('/etc/passwd', path)],
  ])('a model loads as it was compared, though every file of it is %s', async (_, change) => {
    const model = await listedModel();
    const plain = await (await SentenceEncoder.load(model.directory, { kernels: 'reference' })).encode('Hello');
    const changed: string[] = [];
    onceCompared(() => {
      for (const { name } of files) {
        change(model.path(name));
        changed.push(name);
      }
    });
    const files = await recordOf(model.directory);
    const { encoder } = await load(model.directory, {});
    expect(changed.length).toBe(11);
    expect(maxDifference((await encoder.encode('Hello')).data, plain.data)).toBe(0);
  });

  test('what is asked for a second time is hashed a second time, and refused if it is another', async () => {
    const model = await listedModel();
    const files = await openVerifiedFiles(model.directory, {});
    const first = await files.read('config.json', 2 ** 20);
    expect(await files.read('config.json', 2 ** 20)).toEqual(first);
    appendFileSync(model.path('config.json'), ' ');
    const { message } = await refusal('E_DIGEST', () => files.read('config.json', 2 ** 20));
    expect(message).toContain('changed after it was verified');
  });

  test('weights of any size take no memory before they are known to be genuine', async () => {
    const model = await listedModel();
    const genuine = readFileSync(model.path('model.safetensors'));
    truncateSync(model.path('model.safetensors'), 2 ** 29); // zeros that take no room on the disk
    const before = process.memoryUsage().rss;
    await refusal('E_DIGEST', () => load(model.directory, {}));
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);

    // Genuine ones of that size are read when they are asked for, and hashed again.
    model.write('SHA256SUMS', formatSha256sums(await recordOf(model.directory, ['SHA256SUMS'])));
    const files = await openVerifiedFiles(model.directory, {});
    const weights = await files.open('model.safetensors');
    expect(weights.size).toBe(2 ** 29);
    const start = new Uint8Array(genuine.length);
    await weights.read(start, 0);
    expect(Buffer.from(start)).toEqual(genuine);
    await weights.close();
    truncateSync(model.path('model.safetensors'), 2 ** 29 - 1);
    await refusal('E_DIGEST', () => files.open('model.safetensors'));
  });

  test('a file that changes while it is hashed is refused', async () => {
    const model = await listedModel();
    const { read } = RegularFile.prototype;
    const spy = vi.spyOn(RegularFile.prototype, 'read');
    onTestFinished(() => spy.mockRestore());
    spy.mockImplementation(async function (this: RegularFile, into, position) {
      if (this.name === model.path('config.json')) appendFileSync(this.name, '\n');
      return read.call(this, into, position);
    });
    const { file } = await refusal('E_FILE_READ', () => load(model.directory, {}));
    expect(file).toBe(model.path('config.json'));
  });
});

describe('what no record covers is never loaded', () => {
  test.each([
    ['config.json', 'ignored by the caller', 'list'],
    ['modules.json', 'ignored by the caller', 'list'],
    ['tokenizer.json', 'left out by the signer', 'signature'],
    ['model.safetensors', 'left out by the signer', 'signature'],
    ['1_Pooling/config.json', 'left out by the signer', 'signature'],
  ])('%s, %s', async (name, _, by) => {
    if (by === 'signature') {
      const { model, publicKey } = await signedModel([name]);
      const { file } = await refusal('E_UNCOVERED', () => load(model.directory, { publicKey }));
      expect(file).toBe(model.path(name));
      return;
    }
    const model = copyModel();
    const list = formatSha256sums((await recordOf(model.directory)).filter(file => file.name !== name));
    model.write('SHA256SUMS', list);
    await refusal('E_DIGEST', () => load(model.directory, {}));
    const { hint } = await refusal('E_UNCOVERED', () => load(model.directory, { ignorePaths: [name] }));
    expect(hint).toContain('left out');
  });

  test('nor is a file that was put there beside those that are, under a name that is ignored', async () => {
    const { model, publicKey } = await signedModel(['extra']);
    mkdirSync(model.path('extra'));
    writeFileSync(model.path('extra/config.json'), '{}');
    const { report } = await load(model.directory, { publicKey });
    expect(report.verification?.ignored).toEqual(['extra/config.json', 'model.sig']);
    const files = await openVerifiedFiles(model.directory, { publicKey });
    await refusal('E_UNCOVERED', () => files.has('extra/config.json'));
    expect(await files.list()).not.toContain('extra');
  });
});

describe('verified files behave as others', () => {
  test('names are checked, missing files missing, sizes bounded, lists sorted', async () => {
    const files = await openVerifiedFiles((await listedModel()).directory, {});
    await refusal('E_PATH_UNSAFE', () => files.has('../x'));
    await refusal('E_PATH_UNSAFE', () => files.read('/etc/passwd', 10));
    await refusal('E_FILE_MISSING', () => files.open('vocab.txt'));
    await refusal('E_FILE_TOO_LARGE', () => files.read('config.json', 10));
    expect(await files.has('vocab.txt')).toBe(false);
    expect(await files.list('1_Pooling')).toEqual(['config.json']);
    expect(await files.list()).toContain('1_Pooling');
  });
});

test.each<[string, VerifyOptions]>([
  ['a word', 'yes' as unknown as VerifyOptions],
  ['null', null as unknown as VerifyOptions],
  ['an option that is none', { key: 'x' } as VerifyOptions],
  ['a key that is a buffer', { publicKey: Buffer.from('x') } as unknown as VerifyOptions],
  ['two ways at once', { publicKey: 'x', manifest: 'y' }],
  ['a root digest for a signature', { publicKey: 'x', expect: `sha256:${'a'.repeat(64)}` }],
  ['a signature without a key', { signature: 'model.sig' }],
  ['an identity without its issuer', { trustedRoot: '{}', identity: 'a@b' }],
  ['half a digest', { expect: 'sha256:12' }],
  ['a digest in upper case', { expect: `sha256:${'A'.repeat(64)}` }],
  ['another algorithm', { expect: `sha512:${'a'.repeat(128)}` }],
  ['a time that is none', { certificateRoots: 'x', at: 'later' as 'now' }],
  ['links allowed by a word', { allowSymlinks: 'yes' as unknown as boolean }],
  ['an absolute path to ignore', { ignorePaths: ['/etc'] }],
  ['a path outside to ignore', { ignorePaths: ['../x'] }],
  ['everything to ignore', { ignorePaths: ['.'] }],
  ['a key that was not found', { publicKey: undefined as unknown as string }],
  ['a digest that was not found', { expect: undefined as unknown as string }],
  ['a time without certificates', { publicKey: 'x', at: 'now' }],
  ['a list in brackets', [] as unknown as VerifyOptions],
])('an argument that cannot be meant is refused: %s', async (_, verify) => {
  await refusal('E_ARGUMENT', () => SentenceEncoder.load(defaultModel(), { verify }));
});

test('a policy that was computed and came out undefined does not load unverified', async () => {
  const options = { verify: undefined } as unknown as LoadOptions;
  await refusal('E_ARGUMENT', () => SentenceEncoder.load(defaultModel(), options));
});

test.each(['model.sig', 'SHA256SUMS'])('%s that is a link out of the directory is not read', async name => {
  const { model, publicKey } = await signedModel();
  const outside = join(model.parent, 'secret.json');
  writeFileSync(outside, '{"secret": 1}');
  rmSync(model.path(name), { force: true });
  symlinkSync(outside, model.path(name));
  const policy = name === 'model.sig' ? { publicKey } : {};
  const { message } = await refusal('E_PATH_UNSAFE', () => load(model.directory, policy));
  expect(message).toContain('a link leads out of the model directory');
});

test('a root digest says nothing of names, wherever the list lies that it pins', async () => {
  const model = copyModel();
  const files = await recordOf(model.directory);
  const list = join(model.parent, 'list');
  writeFileSync(list, formatSha256sums(files));
  const { report } = await load(model.directory, { manifest: list, expect: rootDigest(files) });
  expect(report.verification?.limits.join()).toContain('a file that was renamed and kept its place goes unseen');
});

test('a directory without a list says what to give', async () => {
  const { message } = await refusal('E_FILE_MISSING', () => load(copyModel().directory, {}));
  expect(message).toContain('SHA256SUMS: there is nothing to compare the directory with');
});

test('no way it ends leaves a file open', async context => {
  const descriptors = (): number => {
    try {
      return readdirSync('/proc/self/fd').length;
    } catch {
      return context.skip('there is no /proc here');
    }
  };
  const model = await listedModel();
  await load(model.directory, {});
  const before = descriptors();
  await load(model.directory, {});
  await load(model.directory, { ignorePaths: ['.'] }).catch(() => {});
  const files = await openVerifiedFiles(model.directory, {});
  await files.read('config.json', 1).catch(() => {});
  model.write('config.json', '{}');
  await load(model.directory, {}).catch(() => {});
  model.write('SHA256SUMS', 'x');
  await load(model.directory, {}).catch(() => {});
  expect(descriptors()).toBe(before);
});
