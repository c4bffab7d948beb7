import { expect, test, vi } from 'vitest';
import { verifyBundle } from '../../src/trust/signature.ts';
import { refusal } from '../support/refusal.ts';
import { POLICY, withBundle } from '../support/signatures.ts';
import { signing } from '../support/x509.ts';

vi.mock('@sigstore/verify', () => {
  throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
});

const keyless = { trustedRoot: '{}', identity: 'a@example.org', issuer: 'https://example.org' };
const bytes = withBundle(bundle => {
  const rawBytes = Buffer.from(signing({ name: 'x' }).der).toString('base64');
  bundle.verificationMaterial = { certificate: { rawBytes }, tlogEntries: [{}] };
});

test('a keyless signature without the package for it says which to install', async () => {
  const { message, hint } = await refusal('E_DEPENDENCY', () => verifyBundle(bytes, 'model.sig', keyless));
  expect(message).toContain('@sigstore/verify');
  expect(hint).toContain('npm install @sigstore/verify@3.1.1');
});

test('without a keyless policy nobody asks for the package', async () => {
  await refusal('E_SIGNATURE', () => verifyBundle(bytes, 'model.sig', POLICY));
});
