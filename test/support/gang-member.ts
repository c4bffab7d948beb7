/** A thread for test/gang.test.ts: counts how often each operation runs, which takes a while. */
import { parentPort, workerData } from 'node:worker_threads';
import { serve } from '../../src/tensor/simd/gang.ts';

const runs = new Int32Array(workerData.runs);
parentPort?.postMessage('ready');
serve(workerData.slot, (_, operands) => {
  const [operation] = operands;
  const end = performance.now() + 3;
  while (performance.now() < end);
  Atomics.add(runs, operation, 1);
});
