import { createHash } from 'node:crypto';
import { SentenceEncoder } from 'glassbert';

// Not top-level await: what is built for CommonJS has none.
(async () => {
  const warnings = [];
  const encoder = await SentenceEncoder.load(process.argv[2], {
    threads: 2,
    onWarning: ({ code }) => warnings.push(code),
  });
  const texts = Array.from({ length: 300 }, (_, i) => `text number ${i} with a few words`);
  const { data, shape } = await encoder.encode(texts);
  const sha256 = createHash('sha256').update(data).digest('hex');
  await encoder.dispose();

  // A keyless signature needs packages that are optional.
  const keyless = { signature: process.argv[3], trustedRoot: '{}', identity: 'a@example.org', issuer: 'b' };
  const keylessCode = await SentenceEncoder.load(process.argv[2], { verify: keyless }).catch(({ code }) => code);
  // The model that ships with glassbert is found, or it is said that it is not here.
  const own = await SentenceEncoder.load(undefined, { threads: 1 }).then(
    () => 'loaded',
    ({ hint }) => hint,
  );
  process.stdout.write(JSON.stringify({ shape, sha256, threads: encoder.report.threads, warnings, keylessCode, own }));
})();
