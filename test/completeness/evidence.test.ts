/** What `checkDirectory` says about checksums, signatures and the notes of a download that lie in the directory. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDirectory } from '../../src/completeness/check-directory.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { formatSha256sums } from '../../src/trust/sha256sums.ts';
import { createSigner, signStatement } from '../../src/trust/signature.ts';
import { copyModel } from '../support/model-copy.ts';

type Model = ReturnType<typeof copyModel>;

function namesIn(model: Model): string[] {
  const names = readdirSync(model.directory, { recursive: true, encoding: 'utf8' });
  return names.filter(name => statSync(model.path(name)).isFile()).sort();
}

const hashOf = (model: Model, name: string, algorithm = 'sha256', prefix = ''): string =>
  createHash(algorithm)
    .update(prefix)
    .update(readFileSync(model.path(name)))
    .digest('hex');

const gitBlobOf = (model: Model, name: string): string =>
  hashOf(model, name, 'sha1', `blob ${statSync(model.path(name)).size}\0`);

const recorded = (model: Model): RecordedFile[] =>
  namesIn(model).map(name => ({ name, algorithm: 'sha256', digest: hashOf(model, name) }));

const writeSums = (model: Model): void => model.write('SHA256SUMS', formatSha256sums(recorded(model)));

function sign(model: Model): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  model.write('model.sig', signStatement(recorded(model), 'model', [], createSigner({ text: pem })));
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** As huggingface_hub notes the download of every file: large ones by SHA-256, the others by git's SHA-1. */
function noteDownload(model: Model): void {
  for (const name of namesIn(model)) {
    const note = `.cache/huggingface/download/${name}.metadata`;
    mkdirSync(dirname(model.path(note)), { recursive: true });
    const etag = name.endsWith('.safetensors') ? hashOf(model, name) : gitBlobOf(model, name);
    model.write(note, `${COMMIT}\n${etag}\n1700000000.0\n`);
  }
}

async function errorsOf(model: Model) {
  const report = await checkDirectory(model.directory);
  const errors = report.findings.filter(({ severity }) => severity === 'error');
  return { ...report, errors: errors.map(({ code, file }) => `${code} ${file}`) };
}

test('a signature that leaves out 100,000 names takes no longer than one that leaves out none', async () => {
  const model = copyModel();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = createSigner({ text: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() });
  const files = Array.from({ length: 1000 }, (_, i): RecordedFile => ({ name: `f${i}`, algorithm: 'sha256', digest: '0'.repeat(64) })); // biome-ignore format: one line
  const left = Array.from({ length: 100_000 }, (_, i) => `left/${i}`);
  model.write('model.sig', signStatement(files, 'model', left, signer));
  const before = process.cpuUsage();
  await checkDirectory(model.directory);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(5);
});

describe('SHA256SUMS', () => {
  test('is verified, and says how many files it covers', async () => {
    const model = copyModel();
    writeSums(model);
    const { errors, verdict, evidence } = await errorsOf(model);
    expect({ errors, verdict }).toEqual({ errors: [], verdict: 'complete' });
    expect(evidence).toMatchObject([
      { kind: 'checksums', state: 'verified', covered: namesIn(model).length - 1, uncovered: 0 },
    ]);
    expect(evidence[0].limit).toContain('accidents alone');
  });

  test('a weight that was changed is told, though it fits', async () => {
    const model = copyModel();
    writeSums(model);
    const bytes = readFileSync(model.path('model.safetensors'));
    bytes[bytes.length - 1] ^= 1;
    model.write('model.safetensors', bytes);
    const { errors, verdict, evidence } = await errorsOf(model);
    expect({ errors, verdict }).toEqual({ errors: ['E_DIGEST model.safetensors'], verdict: 'integrity' });
    expect(evidence[0].state).toBe('failed');
  });

  test('a file that is gone or has another name is told', async () => {
    const model = copyModel();
    model.write('LICENSE', 'MIT');
    model.write('NOTES', 'none');
    writeSums(model);
    model.remove('LICENSE');
    renameSync(model.path('NOTES'), model.path('NOTES.txt'));
    const { errors, verdict } = await errorsOf(model);
    expect({ errors, verdict }).toEqual({ errors: ['E_DIGEST LICENSE', 'E_DIGEST NOTES.txt'], verdict: 'integrity' });
  });

  test('a file beside it is counted; one that loading reads is an error', async () => {
    const model = copyModel();
    writeSums(model);
    model.write('notes.txt', 'x');
    expect((await errorsOf(model)).evidence[0]).toMatchObject({ state: 'verified', uncovered: 1 });
    const other = copyModel();
    other.remove('sentence_bert_config.json');
    writeSums(other);
    other.write('sentence_bert_config.json', '{"max_seq_length": 8}');
    const { errors, verdict } = await errorsOf(other);
    expect({ errors, verdict }).toEqual({
      errors: ['E_UNCOVERED sentence_bert_config.json'],
      verdict: 'integrity',
    });
  });

  test('one that is malformed is no list', async () => {
    const model = copyModel();
    model.write('SHA256SUMS', 'x\n');
    const { errors, verdict, evidence } = await errorsOf(model);
    expect({ errors, verdict }).toEqual({ errors: ['E_MANIFEST SHA256SUMS'], verdict: 'unsafe' });
    expect(evidence).toMatchObject([{ state: 'failed' }]);
  });
});

describe('model.sig', () => {
  test('is unverified without a key, but its digests are compared', async () => {
    const model = copyModel();
    sign(model);
    const { errors, evidence } = await errorsOf(model);
    expect(errors).toEqual([]);
    expect(evidence).toMatchObject([
      { kind: 'signature', state: 'unverified', covered: namesIn(model).length - 1, uncovered: 0 },
    ]);
    expect(evidence[0].limit).toContain('glassbert verify DIR --public-key');

    model.edit('sentence_bert_config.json', json => void json.max_seq_length--);
    const changed = await errorsOf(model);
    expect(changed.errors).toEqual(['E_DIGEST sentence_bert_config.json']);
    expect(changed).toMatchObject({ verdict: 'integrity', evidence: [{ state: 'failed' }] });
  });

  test('that is no bundle is a failure of the signature', async () => {
    const model = copyModel();
    model.write('model.sig', '{}');
    const { errors, verdict } = await errorsOf(model);
    expect({ errors, verdict }).toEqual({ errors: ['E_BUNDLE model.sig'], verdict: 'signature' });
  });
});

describe('the notes of a download', () => {
  test('are compared, and what they cannot show is said', async () => {
    const model = copyModel();
    const files = namesIn(model).length;
    noteDownload(model);
    const { errors, evidence } = await errorsOf(model);
    expect(errors).toEqual([]);
    expect(evidence).toMatchObject([{ kind: 'download', state: 'verified', covered: files, uncovered: 0 }]);
    expect(evidence[0].limit).toContain("git's SHA-1, against which collisions can be made");
  });

  test('a changed file is told, by SHA-256 and by SHA-1', async () => {
    const model = copyModel();
    noteDownload(model);
    const bytes = readFileSync(model.path('model.safetensors'));
    bytes[bytes.length - 1] ^= 1;
    model.write('model.safetensors', bytes);
    model.edit('sentence_bert_config.json', json => void json.max_seq_length--);
    const { errors, verdict, evidence } = await errorsOf(model);
    expect(errors.sort()).toEqual(['E_DIGEST model.safetensors', 'E_DIGEST sentence_bert_config.json']);
    expect({ verdict, state: evidence[0].state }).toEqual({ verdict: 'integrity', state: 'failed' });
  });

  test('a file that a model can do without, and that was downloaded, must be there', async () => {
    const model = copyModel();
    noteDownload(model);
    model.remove('config_sentence_transformers.json');
    model.write('.cache/huggingface/download/model.onnx.incomplete', 'x');
    const { errors, findings } = await errorsOf(model);
    expect(errors).toEqual(['E_FILE_MISSING config_sentence_transformers.json']);
    expect(findings.map(({ code }) => code)).toContain('W_LEFTOVER');
  });

  test('of missing weights the list of the commit knows size and SHA-256; other forms of the model may be missing', async () => {
    const model = copyModel();
    const size = statSync(model.path('model.safetensors')).size;
    const lfs_sha256 = hashOf(model, 'model.safetensors');
    const files = {
      'config.json': { size: statSync(model.path('config.json')).size, blob_id: gitBlobOf(model, 'config.json') },
      'model.safetensors': { size: 133, blob_id: 'a'.repeat(40), lfs_sha256, lfs_size: size },
      'onnx/model.onnx': { size: 5, blob_id: 'b'.repeat(40) },
    };
    mkdirSync(model.path('.cache/huggingface/trees'), { recursive: true });
    model.write(`.cache/huggingface/trees/${COMMIT}.json`, JSON.stringify({ format_version: 1, files }));
    model.remove('model.safetensors');
    const { errors, findings } = await errorsOf(model);
    expect(errors).toEqual(['E_FILE_MISSING model.safetensors']);
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: 'W_LISTED_BY_HUB',
        message: `The hub lists this file, ${size.toLocaleString('en-US')} bytes, SHA-256 ${lfs_sha256}.`,
      }),
    );
  });

  test('in the cache of the hub the names of the blobs are the digests, and the path says where the model is from', async () => {
    const model = copyModel();
    const cache = join(model.parent, 'models--me--model');
    const snapshot = join(cache, 'snapshots', COMMIT);
    mkdirSync(join(cache, 'blobs'), { recursive: true });
    mkdirSync(join(snapshot, '1_Pooling'), { recursive: true });
    for (const name of namesIn(model).filter(name => !name.startsWith('expected'))) {
      const etag = name.endsWith('.safetensors') ? hashOf(model, name) : gitBlobOf(model, name);
      renameSync(model.path(name), join(cache, 'blobs', etag));
      if (!name.includes('/')) symlinkSync(`../../blobs/${etag}`, join(snapshot, name));
      else symlinkSync(`../../../blobs/${etag}`, join(snapshot, name));
    }
    const report = await checkDirectory(snapshot);
    expect(report.verdict).toBe('complete');
    expect(report.evidence).toMatchObject([{ kind: 'download', state: 'verified' }]);
    expect(report.findings.map(({ code }) => code)).toEqual(['W_LINKS']);
    expect(report.origin).toEqual({ id: 'me/model', revision: COMMIT, source: 'the path of the cache', guess: false });
  });
});
