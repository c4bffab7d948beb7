/** A gang's operations run once each, whatever the system does with the two threads between any two of their steps. */
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Gang, newSlot } from '../src/tensor/simd/gang.ts';

test('an operation runs once, and before its caller goes on, where waking comes late', async () => {
  const runs = new Int32Array(new SharedArrayBuffer(4 * 100));
  const slot = newSlot();
  const script = new URL('./support/gang-member.ts', import.meta.url);
  const member = new Worker(script, { workerData: { slot, runs: runs.buffer }, execArgv: [] });
  onTestFinished(async () => {
    await member.terminate();
  });
  await new Promise(resolve => member.once('message', resolve));

  // As if the caller lost the processor after it has given the command: the member sees it, is done and asleep by then.
  const { notify } = Atomics;
  let calls = 0;
  vi.spyOn(Atomics, 'notify').mockImplementation((state, index) => {
    const end = performance.now() + (calls++ % 5 === 3 ? 20 : 0);
    while (performance.now() < end);
    return notify(state as unknown as Int32Array, index);
  });
  onTestFinished(() => {
    vi.restoreAllMocks();
  });

  const gang = new Gang([slot]);
  const early = Array.from(runs, (_, n) => {
    gang.run(0, [[n], [n]], () => {});
    return Atomics.load(runs, n);
  });
  gang.end();
  expect(early).toEqual(new Array(100).fill(1));
  await new Promise(resolve => member.once('exit', resolve));
  expect([...runs]).toEqual(new Array(100).fill(1));
});
