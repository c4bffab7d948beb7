/** A thread of threads.ts: kernels over the shared memory, one pass after the other until it is told to end. */
import { parentPort, workerData } from 'node:worker_threads';
import { GlassbertError } from './errors.ts';
import { pooledVectors } from './pooled.ts';
import { type Slot, serve } from './tensor/simd/gang.ts';
import { simdKernels } from './tensor/simd/kernels.ts';
import { type Answer, GANG, type Task, type ThreadData } from './threads.ts';

const { shared, encoder } = workerData as ThreadData;
const kernels = simdKernels({ shared });

parentPort?.on('message', (message: Task | Slot) => {
  if (message instanceof SharedArrayBuffer) {
    // Until the end of one pass this thread works for another, operation by operation.
    parentPort?.postMessage({ number: GANG } satisfies Answer);
    serve(message, (operation, operands) => kernels.serve(operation, operands));
    return;
  }
  const { number, packed, skip } = message;
  let answer: Answer;
  try {
    // A copy, because what stands in the shared memory is gone with the next pass.
    answer = { number, vectors: kernels.pass(() => Float32Array.from(pooledVectors(kernels, encoder, packed, skip))) };
  } catch (error) {
    const code = error instanceof GlassbertError ? error.code : 'E_THREAD';
    answer = { number, code, error: String(error) };
  }
  parentPort?.postMessage(answer);
});
