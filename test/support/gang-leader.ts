/** A thread for test/gang.test.ts: leads a gang through some operations. */
import { parentPort, workerData } from 'node:worker_threads';
import { GlassbertError } from '../../src/errors.ts';
import { Gang } from '../../src/tensor/simd/gang.ts';

const gang = new Gang(workerData.slots);
parentPort?.postMessage('ready');
let answer = 'done';
try {
  for (let n = 0; n < workerData.count; n++) gang.run(0, [[], ...workerData.slots.map(() => [n])], () => {});
} catch (error) {
  answer = error instanceof GlassbertError ? error.code : String(error);
} finally {
  gang.end();
}
parentPort?.postMessage(answer);
