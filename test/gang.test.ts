/** A gang's operations run once each, whatever the system does with the threads between any two of their steps. */
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { endGang, Gang, leaveGang, newSlot, type Slot, serve } from '../src/tensor/simd/gang.ts';

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

/** Begins a thread that leads a gang through `count` operations; what became of them. */
async function lead(slot: Slot, count: number): Promise<{ answer: Promise<string> }> {
  const script = new URL('./support/gang-leader.ts', import.meta.url);
  const worker = new Worker(script, { workerData: { slots: [slot], count }, execArgv: [] });
  onTestFinished(async () => {
    await worker.terminate();
  });
  let [isReady, isDone] = [() => {}, (_: string) => {}];
  const ready = new Promise<void>(resolve => (isReady = resolve));
  const answer = new Promise<string>(resolve => (isDone = resolve));
  worker.on('message', message => (message === 'ready' ? isReady() : isDone(message)));
  await ready;
  return { answer };
}

test('a member that stands still is waited for, however long', async () => {
  const slot = newSlot();
  const { answer } = await lead(slot, 1);
  const first = await Promise.race([answer, new Promise(resolve => setTimeout(resolve, 300, 'still waiting'))]);
  expect(first).toBe('still waiting');
  // As if it had been stopped in its sleep: it comes back, does its part, and is told of the end.
  let runs = 0;
  serve(slot, () => runs++);
  expect([runs, await answer]).toEqual([1, 'done']);
});

test('a member that is gone ends the operation with an error, at once and for all that follow', async () => {
  for (const when of ['before', 'during']) {
    const slot = newSlot();
    if (when === 'before') leaveGang(slot);
    const { answer } = await lead(slot, 3);
    if (when === 'during') leaveGang(slot);
    expect(await answer, when).toBe('E_THREAD');
  }
});

test('a member whose leader is gone goes back to its messages', () => {
  const slot = newSlot();
  endGang(slot);
  serve(slot, () => expect.fail('nothing was asked for'));
});
