/** `glassbert sign`: a directory signed by OpenSSF Model Signing, with a key or a certificate. */
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { GlassbertError } from '../errors.ts';
import { locatorOf } from '../io/walk.ts';
import { parseBundle } from '../trust/bundle.ts';
import { inOrder, rootDigest } from '../trust/digests.ts';
import { isEncrypted } from '../trust/keys.ts';
import { checkIgnorePaths, GIT_NAMES, SIGNATURE_NAME } from '../trust/record.ts';
import { createSigner, type Pem, type Signer, signStatement } from '../trust/signature.ts';
import { TRUST_EXIT_HELP } from './exit-codes.ts';
import { checkReplaces, megabytes, readNamed, recordDirectory } from './hashing.ts';
import { collect } from './options.ts';
import { openOutputFile } from './output.ts';
import { PASSPHRASE_VARIABLE, readPassphrase } from './passphrase.ts';
import { count, print, section, visible } from './terminal.ts';

interface SignFlags {
  readonly privateKey: string;
  readonly signingCertificate?: string;
  readonly certificateChain?: readonly string[];
  readonly output?: string;
  readonly ignorePath?: readonly string[];
}

export function addSign(program: Command): void {
  program
    .command('sign')
    .summary('sign a directory, as the Python tool model_signing does')
    .description(
      'Signs every file of a directory by OpenSSF Model Signing 1.0. Left out are .git, .gitattributes, .github and ' +
        '.gitignore at the top, the signature itself, and what --ignore-path names; the signature says so.',
    )
    .argument('<dir>', 'model directory')
    .requiredOption('--private-key <pem>', 'file with the private key, on P-256, P-384 or P-521')
    .option('--signing-certificate <pem>', 'file with the certificate of the key; verified with its root')
    .option(
      '--certificate-chain <pem>',
      'file with the certificates between that one and the root (repeatable)',
      collect,
    )
    .option('--output <file>', 'signature (default: DIR/model.sig, where verify looks, so that it travels along)')
    .option('--ignore-path <path>', 'leave out a file or directory (repeatable)', collect)
    .addHelpText(
      'after',
      `
The passphrase of an encrypted key is taken from ${PASSPHRASE_VARIABLE}, or
asked for on the terminal.

Examples:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub
  glassbert sign models/all-MiniLM-L6-v2 --private-key key.pem
  glassbert verify models/all-MiniLM-L6-v2 --public-key key.pub
${TRUST_EXIT_HELP}`,
    )
    .action(sign);
}

async function sign(directory: string, flags: SignFlags): Promise<void> {
  const signer = await readSigner(flags);
  const path = flags.output ?? join(directory, SIGNATURE_NAME);
  const own = await (await locatorOf(directory)).nameOf(path);
  await checkReplaces(path, own !== undefined, 'signature', bytes => parseBundle(bytes, path));
  const ignored = [...GIT_NAMES, ...(own === undefined ? [] : [own]), ...checkIgnorePaths(flags.ignorePath ?? [])];
  const { recorded, bytes, emptyDirectories, left } = await recordDirectory(directory, ignored);
  const subject = basename(resolve(directory));

  const output = await openOutputFile(path);
  try {
    await output.write(signStatement(recorded, subject, ignored, signer));
    await output.commit();
  } finally {
    await output.close();
  }
  await print(
    section('signed', [
      ['signature', visible(path)],
      ['subject', visible(subject)],
      ['files', `${count(recorded.length)}, ${megabytes(bytes)}`],
      ['not covered', `${count(left.length)} ignored, ${count(emptyDirectories.length)} empty directories`],
      ['root digest', rootDigest(inOrder(recorded))],
      ...signer.certificates.map(({ name }) => ['certificate', visible(name)]),
      ['key', signer.fingerprint],
    ]),
  );
}

async function readSigner(flags: SignFlags): Promise<Signer> {
  if (flags.signingCertificate === undefined && flags.certificateChain !== undefined) {
    throw new GlassbertError('E_ARGUMENT', 'there is a certificate chain, but no signing certificate', {
      hint: 'Give it with --signing-certificate.',
    });
  }
  const privateKey = await readPem(flags.privateKey, '--private-key');
  return createSigner(privateKey, {
    passphrase: isEncrypted(privateKey.text) ? await readPassphrase(flags.privateKey) : undefined,
    certificate:
      flags.signingCertificate === undefined
        ? undefined
        : await readPem(flags.signingCertificate, '--signing-certificate'),
    chain: await Promise.all((flags.certificateChain ?? []).map(file => readPem(file, '--certificate-chain'))),
  });
}

/** Keys may come through a pipe, from where secrets are kept. */
async function readPem(file: string, option: string): Promise<Pem> {
  return { text: await readNamed(file, option), file };
}
