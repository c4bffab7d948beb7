/** A thread of threads.ts: kernels over the shared memory, one pass after the other until it is told to end. */
import { parentPort, workerData } from 'node:worker_threads';
import { pooledVectors } from './pooled.ts';
import { simdKernels } from './tensor/simd/kernels.ts';
import type { Answer, Task, ThreadData } from './threads.ts';

const { shared, encoder } = workerData as ThreadData;
const kernels = simdKernels({ shared });

parentPort?.on('message', ({ number, packed, skip }: Task) => {
  let answer: Answer;
  try {
    // A copy, because what stands in the shared memory is gone with the next pass.
    answer = { number, vectors: kernels.pass(() => Float32Array.from(pooledVectors(kernels, encoder, packed, skip))) };
  } catch (error) {
    answer = { number, error: String(error) };
  }
  parentPort?.postMessage(answer);
});
