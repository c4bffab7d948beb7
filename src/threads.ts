/**
 * Threads that run passes beside one another. They share the weights, which stand in one WebAssembly memory, and each has a
 * part of it for scratch; a pass is done by one thread from ids to pooled vectors, so there is nothing to lock.
 *
 * An idle thread waits for a message and takes no time. None keeps the process alive: it ends when nothing else is to be
 * done, whether or not anybody called `dispose`. A thread that dies fails the passes it had, and is replaced.
 */
import { Worker } from 'node:worker_threads';
import type { PackedIds } from './bert/bert.ts';
import { type ErrorCode, GlassbertError } from './errors.ts';
import { scriptBeside } from './io/beside.ts';
import type { Encoder } from './pooled.ts';
import { Gang, newSlot, type Slot } from './tensor/simd/gang.ts';
import type { SharedKernels } from './tensor/simd/kernels.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly shared: SharedKernels;
  readonly encoder: Encoder;
}

export interface Task {
  readonly number: number;
  readonly packed: PackedIds;
  readonly skip: number;
}

export type Answer =
  | { readonly number: number; readonly vectors: Float32Array }
  | { readonly number: number; readonly code: ErrorCode; readonly error: string }
  | { readonly number: typeof GANG };

/** The number of the answer of a thread that is ready to work in a gang. */
export const GANG = -1;

interface Pending {
  /** A pass, or the slot of a gang to join. */
  readonly task: Task | Slot;
  readonly number: number;
  readonly resolve: (vectors: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly shared: SharedKernels;
  worker: Worker | undefined; // started when there is something to do
  pending: Pending | undefined;
}

const DISPOSED = 'the encoder was disposed of';

/** Null in a program that was bundled without it. */
export function threadScript(): URL | null {
  return scriptBeside(import.meta.url, 'thread');
}

export class Threads {
  readonly #encoder: Encoder;
  readonly #threads: Thread[];
  readonly #queue: Pending[] = [];
  #number = 0;
  #disposed = false;

  constructor(encoder: Encoder, parts: readonly SharedKernels[]) {
    this.#encoder = encoder;
    this.#threads = parts.map(shared => ({ shared, worker: undefined, pending: undefined }));
  }

  get count(): number {
    return this.#threads.length;
  }

  /**
   * The pooled vectors of a pass, [B, modes * D].
   *
   * @throws E_THREAD when the thread that had it died
   */
  run(packed: PackedIds, skip: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#disposed) throw died(DISPOSED);
      const number = this.#number++;
      this.#queue.push({ task: { number, packed, skip }, number, resolve, reject });
      this.#assign();
    });
  }

  /**
   * All threads but one, for as long as `work` takes: the caller's own thread is the one more. Null instead of a gang when
   * any of them is at work.
   */
  async withGang(work: (gang: Gang | null) => void): Promise<void> {
    const members = this.#threads.slice(1);
    if (members.some(({ pending }) => pending !== undefined) || this.#queue.length > 0) return work(null);
    if (this.#disposed) throw died(DISPOSED);
    const slots = members.map(() => newSlot());
    const gang = new Gang(slots);
    const places: Pending[] = [];
    const joined = members.map(
      (thread, i) =>
        new Promise<unknown>((resolve, reject) => {
          places[i] = { task: slots[i], number: GANG, resolve, reject };
          this.#give(thread, places[i]);
        }),
    );
    try {
      await Promise.all(joined);
      work(gang);
    } catch (error) {
      // A thread that is only late would go on writing: it must be gone before its memory is used again.
      const late = error instanceof GlassbertError && error.code === 'E_THREAD';
      if (late) await Promise.all(members.map(thread => this.#end(thread)));
      throw error;
    } finally {
      gang.end();
      for (const [i, thread] of members.entries()) if (thread.pending === places[i]) this.#free(thread);
      this.#assign();
    }
  }

  /** Ends all threads for good; passes under way fail, and so do later ones. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const { reject } of this.#queue.splice(0)) reject(died(DISPOSED));
    await Promise.all(this.#threads.map(thread => this.#end(thread, DISPOSED)));
  }

  /** Ends a thread; what it had fails. */
  async #end(thread: Thread, why = 'it did not answer'): Promise<void> {
    const { worker } = thread;
    this.#fail(thread, why);
    await worker?.terminate();
  }

  /** Gives waiting tasks to idle threads. */
  #assign(): void {
    for (const thread of this.#threads) {
      while (thread.pending === undefined) {
        const next = this.#queue.shift();
        if (next === undefined) return;
        this.#give(thread, next);
      }
    }
  }

  #give(thread: Thread, pending: Pending): void {
    try {
      thread.worker ??= this.#start(thread);
    } catch (error) {
      pending.reject(died(String(error))); // no threads are allowed here
      return;
    }
    thread.pending = pending;
    thread.worker.ref(); // while it works, the process waits for it
    thread.worker.postMessage(pending.task);
  }

  #free(thread: Thread): void {
    thread.pending = undefined;
    thread.worker?.unref();
  }

  #start(thread: Thread): Worker {
    const data: ThreadData = { shared: thread.shared, encoder: this.#encoder };
    const script = threadScript();
    if (script === null) throw new Error('thread.js is not beside the program');
    const worker = new Worker(script, { workerData: data, execArgv: [] });
    worker.on('message', (answer: Answer) => {
      const { pending } = thread;
      if (pending?.number !== answer.number) return;
      if (answer.number === GANG) return pending.resolve(new Float32Array(0)); // it stays taken until the gang ends
      this.#free(thread);
      if ('vectors' in answer) pending.resolve(answer.vectors);
      else if ('error' in answer) pending.reject(died(answer.error, answer.code));
      this.#assign();
    });
    worker.on('error', error => this.#fail(thread, String(error), worker));
    worker.on('exit', code => this.#fail(thread, `it ended with code ${code}`, worker));
    return worker;
  }

  /** The thread is gone: its pass fails, and the next one gets a new thread. */
  #fail(thread: Thread, why: string, worker = thread.worker): void {
    if (thread.worker !== worker) return; // already replaced
    const { pending } = thread;
    thread.worker = undefined;
    thread.pending = undefined;
    pending?.reject(died(why));
    this.#assign();
  }
}

function died(why: string, code: ErrorCode = 'E_THREAD'): GlassbertError {
  return new GlassbertError(code, 'a thread ended before its texts were embedded', {
    found: why,
    hint: 'The next call gets a new thread. With `threads: 1` none is used.',
  });
}
