/** A thread of digests.ts: one file after the other, until it is ended. */
import { parentPort } from 'node:worker_threads';
import { type HashAnswer, type HashTask, hashFile } from './digests.ts';

/** By these words the script is known, see io/beside.ts. */
export const SCRIPT = 'glassbert:hash-thread';

const answer = (message: HashAnswer): void => parentPort?.postMessage(message);

parentPort?.on('message', async (task: HashTask) => {
  try {
    const { digest } = await hashFile(task, task.algorithm, { onBytes: hashed => answer({ hashed }) });
    answer({ digest });
  } catch {
    answer({ digest: null });
  }
});
