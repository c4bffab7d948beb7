/** `glassbert verify`: is a directory what somebody said it is? */
import { styleText } from 'node:util';
import { type Command, Option } from 'commander';
import { GlassbertError } from '../errors.ts';
import {
  checkExamined,
  type Examined,
  examine,
  limitsOf,
  readStatement,
  reportOf,
  type Statement,
  type VerifyOptions,
} from '../trust/verify.ts';
import { TRUST_EXIT_HELP } from './exit-codes.ts';
import { megabytes, readNamed, withHashingProgress } from './hashing.ts';
import { collect, defined } from './options.ts';
import { count, json, print, section, visible } from './terminal.ts';

interface VerifyFlags {
  readonly manifest?: string;
  readonly expect?: string;
  readonly signature?: string;
  readonly publicKey?: string;
  readonly certificateRoot?: string;
  readonly at?: 'signing' | 'now';
  readonly trustedRoot?: string;
  readonly identity?: string;
  readonly issuer?: string;
  readonly ignorePath?: readonly string[];
  readonly allowSymlinks?: boolean;
  readonly json?: boolean;
}

export function addVerify(program: Command): void {
  program
    .command('verify')
    .summary('compare a directory with its checksums or its signature')
    .description(
      'Hashes every file of a directory and compares it with a list of checksums, one digest, or a signature of ' +
        'OpenSSF Model Signing. Without options the list is SHA256SUMS in the directory.',
    )
    .argument('<dir>', 'model directory')
    .option('--manifest <file>', 'list of checksums (default: DIR/SHA256SUMS)')
    .option('--expect <sha256:hex>', 'the list digest or root digest that the directory, or its list, must have')
    .option('--signature <file>', 'signature (default: DIR/model.sig)')
    .option('--public-key <pem>', 'file with the public key that must have signed')
    .option('--certificate-root <pem>', "file with the trusted certificates that the signer's must lead to")
    .addOption(
      new Option('--at <when>', 'certificates must be valid when the signing one began to be, or now').choices([
        'signing',
        'now',
      ]),
    )
    .option('--trusted-root <json>', 'file with the trusted root of Sigstore, for a signature without a key')
    .option('--identity <id>', 'who must have signed without a key; with --issuer and --trusted-root')
    .option('--issuer <url>', 'who must have vouched for the identity')
    .option('--ignore-path <path>', 'a file or directory that the record leaves out (repeatable)', collect)
    .option('--allow-symlinks', 'a link to a file of the directory counts as that file')
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      `
Examples:
  glassbert verify models/all-MiniLM-L6-v2
  glassbert verify models/all-MiniLM-L6-v2 --expect sha256:9d2c...
  glassbert verify models/all-MiniLM-L6-v2 --public-key publisher.pem
${TRUST_EXIT_HELP}`,
    )
    .action(verify);
}

async function verify(directory: string, flags: VerifyFlags): Promise<void> {
  const { statement, examined } = await look(directory, flags).catch(async (error: unknown) => {
    if (flags.json && error instanceof GlassbertError) await print(`${json(notCompared(directory, error), 2)}\n`);
    throw error;
  });
  const problem = problemOf(directory, statement, examined);
  await print(
    flags.json
      ? `${json(asJson(directory, statement, examined, problem), 2)}\n`
      : formatFindings(directory, statement, examined, problem),
  );
  if (problem !== undefined) throw problem;
}

async function look(directory: string, flags: VerifyFlags): Promise<{ statement: Statement; examined: Examined }> {
  const options = await optionsOf(flags);
  const statement = await readStatement(directory, options);
  const examined = await withHashingProgress(onProgress =>
    examine(directory, statement, { onProgress, allowSymlinks: options.allowSymlinks }),
  );
  return { statement, examined };
}

/** Keys and roots are given as files here and as text in the library. */
async function optionsOf(flags: VerifyFlags): Promise<VerifyOptions> {
  const { publicKey, certificateRoot, trustedRoot, ignorePath, json, ...same } = flags;
  return defined({
    ...same,
    publicKey: await readText(publicKey, '--public-key'),
    certificateRoots: await readText(certificateRoot, '--certificate-root'),
    trustedRoot: await readText(trustedRoot, '--trusted-root'),
    ignorePaths: ignorePath,
  });
}

async function readText(path: string | undefined, option: string): Promise<string | undefined> {
  return path === undefined ? undefined : readNamed(path, option);
}

function problemOf(directory: string, statement: Statement, examined: Examined): GlassbertError | undefined {
  try {
    checkExamined(directory, statement, examined);
    return undefined;
  } catch (error) {
    if (error instanceof GlassbertError) return error;
    throw error;
  }
}

/** What is printed where there is nothing to compare: a signature that does not hold, a link in the directory. */
function notCompared(directory: string, { code, message, hint }: GlassbertError): object {
  return { directory, verified: false, error: { code, message, hint } };
}

function asJson(
  directory: string,
  statement: Statement,
  examined: Examined,
  problem: GlassbertError | undefined,
): object {
  const { comparison, emptyDirectories } = examined;
  const { unchanged, ...differences } = comparison;
  return {
    directory,
    verified: problem === undefined,
    ...(problem && { error: { code: problem.code, message: problem.message, hint: problem.hint } }),
    ...reportOf(statement, examined),
    listDigest: examined.listDigest,
    expectedDigest: statement.digest,
    unchanged: statement.record === undefined && problem !== undefined ? null : unchanged.length,
    ...differences,
    emptyDirectories,
  };
}

const PROOF: Record<Statement['by'], string> = {
  signature: 'every file is byte for byte the one that was signed',
  manifest: 'every file is byte for byte the one in the list',
  digest: 'the files are byte for byte those that the digest was made of',
};

function formatFindings(
  directory: string,
  statement: Statement,
  examined: Examined,
  problem: GlassbertError | undefined,
): string {
  const { by, source, signer, subject } = statement;
  const { comparison, files, bytes, rootDigest, listDigest, emptyDirectories } = examined;
  const { unchanged, changed, missing, added, renamed, ignored } = comparison;
  const names = (all: readonly string[]): string[][] => all.map(name => [visible(name)]);
  const [fine, bad] = [styleText('green', 'verified'), styleText('red', 'NOT VERIFIED')];
  return [
    section(problem === undefined ? fine : bad, [
      ['directory', visible(directory)],
      ['compared with', `${by} ${visible(source)}`],
      ...(signer === null ? [] : [['signed by', visible(signer)]]),
      ...(subject === null ? [] : [['signed as', visible(subject)]]),
      ['root digest', rootDigest],
      ...(listDigest === null || by === 'signature' ? [] : [['list digest', listDigest]]),
      ...(problem === undefined ? [] : [['expected', statement.digest]]),
      ['files', `${count(files.length)} there, ${megabytes(bytes)}`],
      ...(statement.record === undefined ? [] : [['covered', `${count(unchanged.length)} unchanged`]]),
      ['not covered', `${count(ignored.length)} ignored, ${count(emptyDirectories.length)} empty directories`],
      ...(problem === undefined ? [['shown', PROOF[by]]] : []),
      ...limitsOf(statement, examined).map(limit => ['not shown', limit]),
    ]),
    section('Changed', names(changed)),
    section('Missing', names(missing)),
    section('Added', names(added)),
    section(
      'Renamed',
      renamed.map(({ from, to }) => [visible(from), '->', visible(to)]),
    ),
    section('Ignored', names(ignored)),
    section('Empty', names(emptyDirectories)),
    section(
      'Warnings',
      statement.warnings.map(({ code, message }) => [styleText('yellow', code), visible(message)]),
    ),
  ]
    .filter(text => text !== '')
    .join('\n');
}
