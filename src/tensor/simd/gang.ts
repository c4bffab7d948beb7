/**
 * Several threads on one product: for a text so long that waiting for one thread would be a pity. The caller's thread gives
 * each of the others a part of the rows (of attention: of the heads), does the first part itself, and waits for the rest; so
 * there is a barrier after every operation, and nothing else to agree on. Rows are computed alone in any case, so the bits
 * are those of one thread.
 *
 * Who waits looks for a moment, since parts end almost together and to be woken takes longer than most operations; then it
 * sleeps (Atomics.wait). A thread that does not answer for ten seconds is taken for dead.
 */
import { GlassbertError } from '../../errors.ts';

/** A word for the state, one for the operation, and its operands. Shared by two threads. */
export type Slot = SharedArrayBuffer;

const [DONE, COMMAND, END] = [0, 1, 2];
const OPERANDS_AT = 8;
const MAX_OPERANDS = 16;
const PATIENCE_MS = 10_000;

/** Looks before sleeping: about 0.25 ms (AMD EPYC, Node 24), less than an operation of a long text takes. */
const LOOKS = 20_000;

/** Whether the state becomes another within a moment. */
function changesSoon(state: Int32Array, from: number): boolean {
  for (let i = 0; i < LOOKS; i++) if (Atomics.load(state, 0) !== from) return true;
  return false;
}

export function newSlot(): Slot {
  return new SharedArrayBuffer(OPERANDS_AT + 8 * MAX_OPERANDS);
}

/** The caller's side. */
export class Gang {
  readonly #states: Int32Array[];
  readonly #operands: Float64Array[];

  constructor(slots: readonly Slot[]) {
    this.#states = slots.map(slot => new Int32Array(slot, 0, 2));
    this.#operands = slots.map(slot => new Float64Array(slot, OPERANDS_AT, MAX_OPERANDS));
  }

  /** How many parts there are, the caller's among them. */
  get parts(): number {
    return this.#states.length + 1;
  }

  /**
   * Runs operation number `operation` with each list of operands, at most one a part, the first by `own`.
   *
   * @throws E_THREAD when a thread does not answer
   */
  run(operation: number, parts: readonly (readonly number[])[], own: (operands: readonly number[]) => void): void {
    const [first, ...others] = parts;
    for (const [i, operands] of others.entries()) {
      this.#operands[i].set(operands);
      this.#states[i][1] = operation;
      this.#tell(i, COMMAND);
    }
    try {
      own(first);
    } finally {
      this.#wait(others.length);
    }
  }

  /** Until the first so many threads are done. */
  #wait(count: number): void {
    for (let i = 0; i < count; i++) {
      if (changesSoon(this.#states[i], COMMAND)) continue;
      while (Atomics.load(this.#states[i], 0) === COMMAND) {
        if (Atomics.wait(this.#states[i], 0, COMMAND, PATIENCE_MS) !== 'timed-out') continue;
        throw new GlassbertError('E_THREAD', 'a thread does not answer', { expected: `within ${PATIENCE_MS} ms` });
      }
    }
  }

  /** Lets the threads go back to their messages. */
  end(): void {
    for (const [i] of this.#states.entries()) this.#tell(i, END);
  }

  #tell(i: number, state: number): void {
    Atomics.store(this.#states[i], 0, state);
    Atomics.notify(this.#states[i], 0);
  }
}

/** A thread's side: does what it is told until the end. */
export function serve(slot: Slot, run: (operation: number, operands: Float64Array) => void): void {
  const state = new Int32Array(slot, 0, 2);
  const operands = new Float64Array(slot, OPERANDS_AT, MAX_OPERANDS);
  for (;;) {
    // Until the state is another, not until somebody wakes us: who saw COMMAND by looking may be woken for it later.
    while (Atomics.load(state, 0) === DONE) if (!changesSoon(state, DONE)) Atomics.wait(state, 0, DONE);
    if (Atomics.load(state, 0) === END) return;
    run(state[1], operands);
    // Only from COMMAND: an END that came meanwhile stays.
    Atomics.compareExchange(state, 0, COMMAND, DONE);
    Atomics.notify(state, 0);
  }
}
