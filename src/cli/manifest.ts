/** `glassbert manifest`: the checksums of a directory, in the form of sha256sum. */
import type { Command } from 'commander';
import { locatorOf } from '../io/walk.ts';
import { hashBytes, rootDigest } from '../trust/digests.ts';
import { checkIgnorePaths, GIT_NAMES, MANIFEST_NAME, SIGNATURE_NAME } from '../trust/record.ts';
import { formatSha256sums, parseSha256sums } from '../trust/sha256sums.ts';
import { TRUST_EXIT_HELP } from './exit-codes.ts';
import { checkReplaces, megabytes, recordDirectory } from './hashing.ts';
import { collect } from './options.ts';
import { openOutputFile, STDOUT } from './output.ts';
import { count, talk, visible } from './terminal.ts';

interface ManifestFlags {
  readonly output?: string;
  readonly ignorePath?: readonly string[];
  readonly allowSymlinks?: boolean;
}

export function addManifest(program: Command): void {
  program
    .command('manifest')
    .summary('write the checksums of a directory, as sha256sum does')
    .description(
      'Writes the SHA-256 of every file of a directory, in the form that `sha256sum -c` reads. Left out are .git, ' +
        '.gitattributes, .github and .gitignore at the top, SHA256SUMS, model.sig and the output itself.',
    )
    .argument('<dir>', 'model directory')
    .option(
      '--output <file>',
      'write to a file, DIR/SHA256SUMS say, that appears when it is complete (default: stdout)',
    )
    .option('--ignore-path <path>', 'leave out a file or directory (repeatable)', collect)
    .option('--allow-symlinks', 'a link to a file of the directory counts as that file')
    .addHelpText(
      'after',
      `
Examples:
  cd models/all-MiniLM-L6-v2
  glassbert manifest . --output SHA256SUMS
  sha256sum -c SHA256SUMS
${TRUST_EXIT_HELP}`,
    )
    .action(manifest);
}

async function manifest(directory: string, flags: ManifestFlags): Promise<void> {
  const { output: path } = flags;
  const own = flags.output === undefined ? undefined : await (await locatorOf(directory)).nameOf(flags.output);
  if (path !== undefined) {
    await checkReplaces(path, own !== undefined, 'list of checksums', bytes => parseSha256sums(bytes, path));
  }
  const ignored = [
    ...[...GIT_NAMES, MANIFEST_NAME, SIGNATURE_NAME, ...(own === undefined ? [] : [own])],
    ...checkIgnorePaths(flags.ignorePath ?? []),
  ];
  const { recorded, bytes, emptyDirectories } = await recordDirectory(directory, ignored, flags.allowSymlinks);

  const list = formatSha256sums(recorded);
  parseSha256sums(Buffer.from(list), directory); // what would not be accepted is not written
  const output = flags.output === undefined ? STDOUT : await openOutputFile(flags.output);
  const shown = flags.output === undefined && process.stdout.isTTY ? withVisibleNames(list) : list;
  try {
    await output.write(shown);
    await output.commit();
  } finally {
    await output.close();
  }
  if (shown !== list) {
    talk(
      'note: names are shown with escapes here, as a terminal would obey them; with --output, or in a pipe, they are as they are',
    );
  }
  talk(
    `${count(recorded.length)} files, ${megabytes(bytes)}; ${count(emptyDirectories.length)} empty directories left out`,
  );
  talk(`list digest  sha256:${hashBytes(Buffer.from(list), 'sha256')}`);
  talk(`root digest  ${rootDigest(recorded)}, which does not know the names`);
}

/** In the form of sha256sum no name has a line end in it. */
function withVisibleNames(list: string): string {
  return list.split('\n').map(visible).join('\n');
}
