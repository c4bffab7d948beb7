/**
 * What others signed: the models that five releases of the reference implementation signed for their own tests, the test
 * vectors of the specification, and the payloads it is tested with. They lie outside the repository.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { type ErrorCode, GlassbertError } from '../../src/errors.ts';
import type { RecordedFile } from '../../src/trust/record.ts';
import { type SignaturePolicy, signStatement, verifyBundle } from '../../src/trust/signature.ts';
import { parseStatement } from '../../src/trust/statement.ts';
import { examine, readStatement } from '../../src/trust/verify.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';
import { SIGNER } from '../support/signatures.ts';
import { authority, ecKeys, publicPem } from '../support/x509.ts';

const OMS = fileURLToPath(new URL('../../../shared/interop/oms/', import.meta.url));
const read = (path: string): string => readFileSync(OMS + path, 'utf8');

/** What each fixture is signed with, and something else of the same kind. */
function policies(): Record<string, [right: SignaturePolicy, wrong: SignaturePolicy, ErrorCode]> {
  const keyless = {
    trustedRoot: read('sigstore-root/targets/trusted_root.json'),
    identity: 'stefanb@us.ibm.com',
    issuer: 'https://sigstore.verify.ibm.com/oauth2',
  };
  const keys = 'oms-model-transparency/keys/certificate/';
  return {
    'elliptic-key': [
      { publicKey: read(`${keys}signing-key-pub.pem`) },
      { publicKey: publicPem(ecKeys('P-384')) },
      'E_SIGNATURE',
    ],
    certificate: [
      { certificateRoots: read(`${keys}ca-cert.pem`) },
      { certificateRoots: authority({ name: 'root-ca' }).pem },
      'E_CERTIFICATE',
    ],
    // A regular expression would match, and so would a part of the address.
    sigstore: [keyless, { ...keyless, identity: 'stefanb@us.ibm.co.' }, 'E_SIGNATURE'],
  };
}

/** Not all 65,000: the package takes 7 ms for each, and 20 on a busy machine. */
const FLIPS = 100;

const SHA256 = /^sha256:[0-9a-f]{64}$/;

const FIELDS = fileURLToPath(new URL('../../../shared/cases/audit/sig/', import.meta.url));

if (existsSync(FIELDS)) {
  test.each([
    ['statement-extra', '"extra"'],
    ['subject-extra', '"subject[0].annotations"'],
    ['resource-extra', '"predicate.resources[0].annotations"'],
    ['predicate-extra', undefined],
    ['serialization-extra', undefined],
  ])('%s: fields of no specification are passed over where in-toto asks for it', async (name, field) => {
    const options = { signature: `${FIELDS}${name}.sig`, publicKey: readFileSync(`${FIELDS}key.pub`, 'utf8') };
    if (field === undefined) {
      await refusal('E_BUNDLE', () => readStatement(`${FIELDS}simple`, options));
      return;
    }
    const statement = await readStatement(`${FIELDS}simple`, options);
    const { comparison } = await examine(`${FIELDS}simple`, statement, {});
    expect(comparison.unchanged).toEqual(['config.json', 'sub/a.txt', 'weights.bin']);
    const told = statement.warnings.filter(({ code }) => code === 'W_STATEMENT_FIELD');
    expect(told.map(({ message }) => message.replace(/^.* at: /, ''))).toEqual([field]);
  });
} else {
  test.skip('fields of no specification: not run: ../shared/cases is not here', () => {});
}

if (existsSync(OMS)) {
  const report: string[] = [];
  afterAll(() => {
    process.stdout.write(`\nOpenSSF Model Signing, third-party data\n${report.join('\n')}\n\n`);
  });
  const signed = policies();

  const MODELS = ['v0.3.1', 'v1.0.0', 'v1.0.1', 'v1.1.0'].flatMap(version =>
    Object.keys(signed).map(method => ({
      version,
      method,
      path: `oms-model-transparency/${version}-${method}/model.sig`,
    })),
  );

  describe('models signed by the reference implementation', () => {
    test.each(MODELS)('$version by $method', async ({ version, method, path }) => {
      const [right, wrong, code] = signed[method];
      const bytes = readFileSync(OMS + path);
      const statement = await verifyBundle(bytes, path, right, { directory: `${version}-${method}` });
      expect(statement.rootDigest).toMatch(SHA256);
      // The first two releases signed the only file of a model as a model of its own.
      const single = method === 'elliptic-key' && version < 'v1.0.1';
      expect([...statement.record.files.keys()]).toEqual(single ? ['.'] : ['signme-1', 'signme-2']);
      const codes = statement.warnings.map(warning => warning.code).filter(code => code !== 'W_SUBJECT');
      expect(codes).toEqual(single ? ['W_SINGLE_FILE'] : version === 'v1.1.0' ? ['W_IGNORE_PATHS'] : []);
      await refusal(code, () => verifyBundle(bytes, path, wrong));
    });

    test('v0.2.0 is refused by its type', async () => {
      const path = 'oms-model-transparency/v0.2.0-certificate/model.sig';
      const [right, wrong, code] = signed.certificate;
      const { message } = await refusal('E_BUNDLE', () => verifyBundle(readFileSync(OMS + path), path, right));
      expect(message).toContain('https://model_signing/Digests/v0.1');
      await refusal(code, () => verifyBundle(readFileSync(OMS + path), path, wrong));
      report.push(`${MODELS.length} of ${MODELS.length + 1} signed models verify, v0.2.0 is refused by its type`);
      report.push(`${MODELS.length + 1} are refused with another key, root or identity`);
    });

    test('what is signed here of the same model says the same, in the same form', () => {
      const directory = `${OMS}oms-model-transparency/v1.1.0-elliptic-key/`;
      const theirs = JSON.parse(readFileSync(`${directory}model.sig`, 'utf8'));
      const payloadOf = (bundle: typeof theirs) => {
        const payload = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());
        payload.predicate.serialization.ignore_paths.sort();
        return payload;
      };
      const { subject, predicate } = payloadOf(theirs);
      const files = ['signme-2', 'signme-1'].map((name): RecordedFile => {
        const digest = createHash('sha256')
          .update(readFileSync(directory + name))
          .digest('hex');
        return { name, algorithm: 'sha256', digest };
      });
      const ignored = predicate.serialization.ignore_paths;
      const ours = JSON.parse(Buffer.from(signStatement(files, subject[0].name, ignored, SIGNER)).toString());

      expect(payloadOf(ours)).toEqual(payloadOf(theirs));
      const { payload, signatures } = theirs.dsseEnvelope;
      const { hint } = theirs.verificationMaterial.publicKey;
      ours.dsseEnvelope.payload = payload;
      ours.dsseEnvelope.signatures[0].sig = signatures[0].sig;
      ours.verificationMaterial.publicKey.hint = hint;
      expect(JSON.stringify(ours)).toBe(JSON.stringify(theirs));
    });

    test('no fixture is verified by a method it was not signed with', async () => {
      let refused = 0;
      for (const { method, path } of MODELS) {
        for (const [other, [policy]] of Object.entries(signed)) {
          if (other === method) continue;
          await refusal('E_SIGNATURE', () => verifyBundle(readFileSync(OMS + path), path, policy));
          refused++;
        }
      }
      report.push(`${refused} are refused by another method`);
    });

    test('who vouched for the identity must be the one expected too', async () => {
      const [keyless] = signed.sigstore;
      const [path] = MODELS.filter(({ method }) => method === 'sigstore').map(model => model.path);
      const bytes = readFileSync(OMS + path);
      const { message } = await refusal('E_SIGNATURE', () =>
        verifyBundle(bytes, path, { ...keyless, issuer: 'https://accounts.google.com' } as SignaturePolicy),
      );
      expect(message).toContain('found "stefanb@us.ibm.com" by "https://sigstore.verify.ibm.com/oauth2"');
      // A root without keys vouches for nobody.
      await refusal('E_SIGNATURE', () =>
        verifyBundle(bytes, path, { ...keyless, trustedRoot: '{}' } as SignaturePolicy),
      );
      await refusal('E_CERTIFICATE', () =>
        verifyBundle(bytes, path, { ...keyless, trustedRoot: '{' } as SignaturePolicy),
      );
    });

    test('bits flipped in what a keyless signature signs, in its certificate and in itself', async () => {
      const path = 'oms-model-transparency/v1.1.0-sigstore/model.sig';
      const text = read(path);
      const { verificationMaterial, dsseEnvelope } = JSON.parse(text);
      const parts = [verificationMaterial.certificate.rawBytes, dsseEnvelope.payload, dsseEnvelope.signatures[0].sig];
      const { integer, pick } = random(5);
      for (let n = 0; n < FLIPS; n++) {
        const part: string = pick(parts);
        const bytes = Buffer.from(text);
        bytes[bytes.indexOf(part) + integer(part.length)] ^= 1 << integer(8);
        const verified = await verifyBundle(bytes, path, signed.sigstore[0]).catch(error => error);
        expect(verified).toBeInstanceOf(GlassbertError);
      }
      report.push(`${FLIPS} random bits of a keyless signature's payload, certificate and signature: all refused`);
    });
  });

  describe('test vectors of the specification', () => {
    test.each([
      ['valid/key', 'elliptic-key', undefined],
      ['valid/certificate', 'certificate', undefined],
      ['valid/sigstore', 'sigstore', undefined],
      ['invalid/empty', 'elliptic-key', 'E_BUNDLE'],
      ['invalid/missing-envelope', 'elliptic-key', 'E_BUNDLE'],
      ['invalid/missing-tlog-entries', 'sigstore', 'E_BUNDLE'],
      ['invalid/missing-verification-material', 'elliptic-key', 'E_BUNDLE'],
      // Its signature is that of another payload, so it does not come to the predicate.
      ['invalid-payload/wrong-predicate', 'elliptic-key', 'E_SIGNATURE'],
    ] as const)('%s', async (name, method, code) => {
      const path = `oms-spec-test-vectors/v1.0/${name}.bundle.json`;
      const bytes = readFileSync(OMS + path);
      if (code === undefined) expect((await verifyBundle(bytes, path, signed[method][0])).rootDigest).toMatch(SHA256);
      else await refusal(code, () => verifyBundle(bytes, path, signed[method][0]));
    });

    test('the predicate of the wrong type is refused for itself', async () => {
      const bundle = JSON.parse(read('oms-spec-test-vectors/v1.0/invalid-payload/wrong-predicate.bundle.json'));
      const payload = Buffer.from(bundle.dsseEnvelope.payload, 'base64');
      const { message } = await refusal('E_BUNDLE', () => parseStatement(payload, 'wrong-predicate'));
      expect(message).toContain('predicateType');
      report.push('3 valid and 5 invalid vectors of the specification: as it says');
    });
  });

  describe('payloads of the reference implementation', () => {
    const path = (name: string): string => `oms-payload-golden/_signing/testdata/signing/TestPayload/${name}`;
    const parse = (name: string) =>
      parseStatement(readFileSync(OMS + path(name)), name, { allowSymlinks: true }).files.length;

    // The root digest that it computed is compared with ours when a statement is read.
    const READ = {
      sample_model_file: 1,
      sample_model_folder: 10,
      deep_model_folder: 4,
      empty_model_file: 1,
      model_folder_with_empty_file: 1,
      symlink_model_folder: 1,
    };

    test.each(Object.entries(READ))('%s has the root digest that we compute', (name, files) => {
      expect(parse(name)).toBe(files);
    });

    test('a model without files, and shards of any size, are refused', async () => {
      await refusal('E_BUNDLE', () => parse('empty_model_folder'));
      const shards = ['_shard', '_small_shards'].flatMap(kind =>
        [...Object.keys(READ), 'empty_model_folder'].map(name => name + kind),
      );
      for (const name of shards) {
        const { message } = await refusal('E_BUNDLE', () => parse(name));
        expect(message).toContain('found "shards"');
      }
      report.push(
        `payloads: ${Object.keys(READ).length} with our root digest, ${shards.length} of shards and 1 without files refused`,
      );
    });
  });
} else {
  test.skip('signatures of others: not run: ../shared/interop is not here', () => {});
}
