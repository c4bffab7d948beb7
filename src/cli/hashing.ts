/** What the commands about trust have in common: hashing a directory and its progress, and numbers of bytes to be read. */
import { findFiles, hashFiles } from '../trust/digests.ts';
import { isIgnored, type RecordedFile } from '../trust/record.ts';
import { Progress } from './terminal.ts';

/** The SHA-256 of every file of a directory that is not ignored, and what no record of them covers. */
export async function recordDirectory(directory: string, ignore: readonly string[], allowSymlinks = false) {
  const found = await findFiles(directory, name => isIgnored(name, ignore), allowSymlinks);
  const { digests } = await withHashingProgress(onProgress => hashFiles(found.files, () => 'sha256', { onProgress }));
  const recorded = found.files.map(
    ({ name }): RecordedFile => ({ name, algorithm: 'sha256', digest: digests.get(name) as string }),
  );
  const bytes = found.files.reduce((sum, file) => sum + file.bytes, 0);
  return { recorded, bytes, left: found.ignored, emptyDirectories: found.emptyDirectories };
}

/** Shows how far hashing is while `work` does it. */
export async function withHashingProgress<Result>(
  work: (onProgress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  const progress = new Progress(false);
  try {
    return await work((done, total) =>
      progress.show(seconds => `${megabytes(done)} of ${megabytes(total)} hashed, ${megabytes(done / seconds)}/s`),
    );
  } finally {
    progress.clear();
  }
}

/** 6.8 MB, in millions of bytes as disks and the Hub count them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB`;
}
