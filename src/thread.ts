/** A thread of threads.ts: kernels over the shared memory, one pass after the other until it is told to end. */
import { parentPort, workerData } from 'node:worker_threads';
import { GlassbertError } from './errors.ts';
import { pooledVectors } from './pooled.ts';
import { Gang, leaveGang, serve } from './tensor/simd/gang.ts';
import { simdKernels } from './tensor/simd/kernels.ts';
import type { Answer, Task, ThreadData } from './threads.ts';

/** By these words the script is known, see io/beside.ts. */
export const SCRIPT = 'glassbert:thread';

const { shared, encoder } = workerData as ThreadData;
const kernels = simdKernels({ shared });

parentPort?.on('message', (task: Task) => {
  let answer: Answer;
  try {
    answer = { number: task.number, vectors: run(task) };
  } catch (error) {
    const code = error instanceof GlassbertError ? error.code : 'E_THREAD';
    answer = { number: task.number, code, error: String(error) };
  }
  parentPort?.postMessage(answer);
});

function run(task: Task): Float32Array {
  if ('join' in task) {
    // Until the end of one pass this thread works for another, operation by operation.
    try {
      serve(task.join, (operation, operands) => kernels.serve(operation, operands));
    } catch (error) {
      leaveGang(task.join);
      throw error;
    }
    return new Float32Array(0);
  }
  const { packed, lead } = task;
  // A copy, because what stands in the shared memory is gone with the next pass.
  const pass = (): Float32Array => kernels.pass(() => Float32Array.from(pooledVectors(kernels, encoder, packed)));
  if (lead.length === 0) return pass();
  const gang = new Gang(lead);
  try {
    return kernels.withGang(gang, pass);
  } finally {
    gang.end();
  }
}
