/** What the commands about trust have in common: the progress of hashing, and numbers of bytes to be read. */
import { Progress } from './terminal.ts';

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
