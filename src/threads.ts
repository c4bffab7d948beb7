/**
 * Threads that run passes beside one another. They share the weights, which stand in one WebAssembly memory, and each has a
 * part of it for scratch. A pass is done by one thread from ids to pooled vectors, so there is nothing to lock; only a text
 * that is alone is done by all threads together, as a gang (tensor/simd/gang.ts).
 *
 * An idle thread waits for a message and takes no time. It does not keep the process alive, whether or not `dispose` was
 * called. When a thread dies, the passes that it had fail, and the next pass starts a new thread in its place.
 */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, GlassbertError } from './errors.ts';
import { scriptBeside } from './io/beside.ts';
import type { Encoder, Packed } from './pooled.ts';
import { endGang, leaveGang, newSlot, type Slot } from './tensor/simd/gang.ts';
import type { SharedKernels } from './tensor/simd/kernels.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly shared: SharedKernels;
  readonly encoder: Encoder;
}

/** A pass, as the leader of a gang where `lead` has slots for others; or the slot of a gang to join. */
type Work = { readonly packed: Packed; readonly lead: readonly Slot[] } | { readonly join: Slot };

export type Task = Work & { readonly number: number };

export type Answer =
  | { readonly number: number; readonly vectors: Float32Array }
  | { readonly number: number; readonly code: ErrorCode; readonly error: string };

interface Pending {
  readonly number: number;
  readonly resolve: (vectors: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly shared: SharedKernels;
  /** Started when there is something to do; undefined again when it has ended. */
  worker: Worker | undefined;
  /** What it was given and has not answered, in order. */
  pending: Pending[];
  /** It led a gang that failed, and members still write into its scratch: it must not begin anything. */
  held: boolean;
}

/** Null in a program that was bundled without the script. */
const script = () => scriptBeside(import.meta.url, 'thread');

/** Whether there is a script that threads can be started with. */
export function hasThreadScript(): boolean {
  return script() !== null;
}

export function disposed(): GlassbertError {
  return new GlassbertError('E_DISPOSED', 'the encoder was disposed of');
}

export class Threads {
  readonly #encoder: Encoder;
  readonly #threads: Thread[];
  #number = 0;
  #disposed = false;

  constructor(encoder: Encoder, parts: readonly SharedKernels[]) {
    this.#encoder = encoder;
    this.#threads = parts.map(shared => ({ shared, worker: undefined, pending: [], held: false }));
  }

  get count(): number {
    return this.#threads.length;
  }

  /**
   * The pooled vectors of a pass, [B, modes * D], by the thread that has the least to do.
   *
   * @throws E_THREAD when it dies, E_MEMORY, E_DISPOSED
   */
  run(packed: Packed): Promise<Float32Array> {
    const idlest = this.#free().reduce((a, b) => (b.pending.length < a.pending.length ? b : a));
    return this.#give(idlest, { packed, lead: [] });
  }

  /**
   * The same by all threads together, for a pass that is alone. The first thread leads.
   *
   * @throws E_THREAD when one of them dies, E_MEMORY, E_DISPOSED
   */
  async runTogether(packed: Packed): Promise<Float32Array> {
    const [leader, ...members] = this.#free();
    const slots = members.map(newSlot);
    const joined = members.map((member, i) => this.#give(member, { join: slots[i] }).catch(() => leaveGang(slots[i])));
    try {
      return await this.#give(leader, { packed, lead: slots });
    } catch (error) {
      // If the leader is gone, nothing else tells the members; and they finish their part in its scratch.
      leader.held = members.length > 0;
      for (const slot of slots) endGang(slot);
      await Promise.all(joined);
      leader.held = false;
      throw error;
    }
  }

  /** Ends all threads for good; passes under way fail, and so do later ones. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const { pending } of this.#threads) for (const { reject } of pending.splice(0)) reject(disposed());
    await Promise.all(this.#threads.map(({ worker }) => worker?.terminate()));
  }

  /** Those that are not held. There always is one: only a leader is held, and its members are not. */
  #free(): Thread[] {
    return this.#threads.filter(({ held }) => !held);
  }

  #give(thread: Thread, work: Work): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#disposed) throw disposed();
      const number = this.#number++;
      try {
        thread.worker ??= this.#start(thread);
      } catch (error) {
        throw died(String(error)); // no threads are allowed here
      }
      thread.pending.push({ number, resolve, reject });
      thread.worker.ref(); // while it works, the process waits for it
      thread.worker.postMessage({ ...work, number } satisfies Task);
    });
  }

  #start(thread: Thread): Worker {
    const url = script();
    if (url === null) throw new Error('thread.js is not beside the program');
    const data: ThreadData = { shared: thread.shared, encoder: this.#encoder };
    const worker = new Worker(url, { workerData: data, execArgv: [] });
    worker.on('message', (answer: Answer) => {
      const at = thread.pending.findIndex(({ number }) => number === answer.number);
      if (at < 0) return;
      const [pending] = thread.pending.splice(at, 1);
      if (thread.pending.length === 0) worker.unref();
      if ('vectors' in answer) pending.resolve(answer.vectors);
      else pending.reject(failed(answer));
    });
    // After an error comes the end; until then its memory may be in use.
    let why: string | undefined;
    worker.on('error', error => {
      why = String(error);
    });
    worker.on('exit', code => {
      thread.worker = undefined;
      for (const { reject } of thread.pending.splice(0)) reject(died(why ?? `it ended with code ${code}`));
    });
    return worker;
  }
}

function died(why: string): GlassbertError {
  return new GlassbertError('E_THREAD', 'a thread ended before its texts were embedded', {
    found: why,
    hint: 'The next call gets a new thread. With `threads: 1` none is used.',
  });
}

function failed({ code, error }: { readonly code: ErrorCode; readonly error: string }): GlassbertError {
  return new GlassbertError(code, 'a thread could not embed its texts', {
    found: error,
    hint: code === 'E_MEMORY' ? 'Shorter texts or fewer threads need less.' : undefined,
  });
}
