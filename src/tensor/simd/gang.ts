/**
 * Several threads on one operation: for a text so long that one thread would keep the caller waiting while the others are
 * idle. The leader gives each member a part of the rows (of attention: of the heads), does the first part itself, and waits
 * for the rest; so there is a barrier after every operation, and no other synchronization. Every row is computed by itself in
 * any case, so the bits are those of one thread.
 *
 * A thread that waits polls for a moment, since parts end almost together and waking up takes longer than most operations;
 * then it sleeps (Atomics.wait). There is no timeout: a thread that stands still, because the process was stopped or the
 * machine is busy, is waited for. A thread that is gone is reported (`leaveGang`) by the one that started them all, which is
 * not part of the gang and so is never asleep in it.
 */
import { GlassbertError } from '../../errors.ts';

/** A word for the state, one for the operation, and its operands. Shared by the leader and one member. */
export type Slot = SharedArrayBuffer;

/**
 * The member waits in DONE and works in COMMAND, the leader the other way round. Neither sets END (the gang is dissolved) or
 * GONE (the member is) back to one of these.
 */
const [DONE, COMMAND, END, GONE] = [0, 1, 2, 3];
const OPERANDS_AT = 8;
const MAX_OPERANDS = 16;

/** Polls before sleeping: about 0.25 ms (AMD EPYC, Node 24), less than an operation of a long text takes. */
const POLLS = 20_000;

/** Until the state is another. A wake-up alone says nothing: it may be for a change that was seen by polling. */
function waitWhile(state: Int32Array, value: number): void {
  for (let i = 0; i < POLLS; i++) if (Atomics.load(state, 0) !== value) return;
  while (Atomics.load(state, 0) === value) Atomics.wait(state, 0, value);
}

/** Sets the state and wakes the thread that waits for it. */
function set(state: Int32Array, value: number): void {
  Atomics.store(state, 0, value);
  Atomics.notify(state, 0);
}

const stateOf = (slot: Slot): Int32Array => new Int32Array(slot, 0, 2);
const operandsOf = (slot: Slot): Float64Array => new Float64Array(slot, OPERANDS_AT, MAX_OPERANDS);

export function newSlot(): Slot {
  return new SharedArrayBuffer(OPERANDS_AT + 8 * MAX_OPERANDS);
}

/** The side of the thread that leads. */
export class Gang {
  readonly #states: Int32Array[];
  readonly #operands: Float64Array[];

  constructor(slots: readonly Slot[]) {
    this.#states = slots.map(stateOf);
    this.#operands = slots.map(operandsOf);
  }

  /** How many parts there are, the leader's among them. */
  get parts(): number {
    return this.#states.length + 1;
  }

  /**
   * Runs operation number `operation` with each list of operands, at most one a part, the first by `own`. Whatever happens,
   * no member works on when this returns.
   *
   * @throws E_THREAD when a thread is gone
   */
  run(operation: number, parts: readonly (readonly number[])[], own: (operands: readonly number[]) => void): void {
    const [first, ...others] = parts;
    for (const [i, operands] of others.entries()) {
      const state = this.#states[i];
      this.#operands[i].set(operands);
      state[1] = operation;
      Atomics.compareExchange(state, 0, DONE, COMMAND); // not from GONE or END
      Atomics.notify(state, 0);
    }
    try {
      own(first);
    } finally {
      for (const [i] of others.entries()) waitWhile(this.#states[i], COMMAND);
    }
    if (others.every((_, i) => Atomics.load(this.#states[i], 0) === DONE)) return;
    throw new GlassbertError('E_THREAD', 'a thread ended before its part was done');
  }

  /** Lets the members go back to their messages. */
  end(): void {
    for (const state of this.#states) set(state, END);
  }
}

/** Lets one member go back to its messages, where its leader is gone. */
export function endGang(slot: Slot): void {
  set(stateOf(slot), END);
}

/** Tells the leader that the member of this slot is gone. */
export function leaveGang(slot: Slot): void {
  set(stateOf(slot), GONE);
}

/** The side of a member: runs the operations that it is given until the end of the gang. */
export function serve(slot: Slot, run: (operation: number, operands: Float64Array) => void): void {
  const state = stateOf(slot);
  const operands = operandsOf(slot);
  for (;;) {
    waitWhile(state, DONE);
    if (Atomics.load(state, 0) !== COMMAND) return;
    run(state[1], operands);
    // Only from COMMAND: an END that came meanwhile stays.
    Atomics.compareExchange(state, 0, COMMAND, DONE);
    Atomics.notify(state, 0);
  }
}
