/**
 * Whose turn it is: the texts of all calls of an encoder are gathered into passes, and the passes spread over its threads.
 *
 *   calls  --in turn, a text each-->  tokens  --some 512 together-->  a pass  -->  a thread  -->  vectors of each call
 *
 * A text's vector does not depend on the other texts of its pass (bert/bert.ts), so calls may share passes: many small calls
 * cost what one large call costs, and a small call beside a large one waits for a pass or two, not for the end of the other.
 *
 * The caller's thread stays free. In each turn of the event loop it works for about SLICE_MS, tokenizing texts and handing out
 * passes; then the timers and sockets of the program have their turn. It computes by itself only what takes no longer than
 * HERE_MS, while the threads have nothing to do. Without threads it computes everything, in passes of about TURN_MS, one in a
 * turn. Only a single text that is longer takes longer, and a call with an observer, which has a whole batch in a turn.
 */
import { Aborts, Call, type Item, type Request, readyTokens } from './call.ts';
import { GlassbertError } from './errors.ts';
import { type Encoder, multiplicationsPerToken, type Packed, pooledVectors } from './pooled.ts';
import type { VectorModule } from './pooling/modules.ts';
import type { Kernels } from './tensor/kernels.ts';
import type { Floats } from './tensor/tensor.ts';
import { disposed, type Threads } from './threads.ts';

/** What the schedule needs of a loaded model. */
export interface Runnable {
  readonly kernels: Kernels;
  readonly encoder: Encoder;
  /** What follows the pooling. */
  readonly modules: readonly VectorModule[];
  readonly threads: Threads | null;
}

/** Tokens of a thread's pass: enough for matrix products at full speed, few enough for all threads to end together. */
const PASS_TOKENS = 512;

/** Texts of a pass: for each of them the caller's thread runs the modules after the pooling. */
const PASS_TEXTS = 128;

/** Floats of the widest intermediate of a pass, 128 MB. A longer text is a pass of its own. */
const MAX_PASS_FLOATS = 2 ** 25;

/** Passes that a thread has at most: the one that it computes and the next, so that it never waits for one. */
const PASSES_AHEAD = 2;

/** Fewer tokens are computed on the caller's thread, if that takes no longer than HERE_MS. */
const MIN_SHARED_TOKENS = 64;
const HERE_MS = 5;

/** A pass on the caller's thread where there are no threads: long enough to be efficient, short enough for timers. */
const TURN_MS = 24;
const MIN_TURN_TOKENS = 48;

/** What a pass costs beside its tokens, in tokens. */
const PASS_OVERHEAD = 4;

/** Texts of a call that stand ready at most, however few tokens they have. */
const MAX_ROUNDS = 1024;

/** After so long in one turn of the event loop, whatever is left to do waits for the next turn. */
const SLICE_MS = 4;

/** Multiplications in a millisecond, until it has been measured (Xeon, Node 24: 7e5 and 2.7e7). */
const FIRST_GUESS = { plain: 7e5, fast: 2.5e7 };

type Pass = readonly Item[];

export class Schedule {
  readonly #model: Runnable;
  /** The queue: calls with texts that are in no pass yet. The first is the next to give a text. */
  readonly #calls = new Queue<Call>();
  /** Calls that have not ended. */
  readonly #open = new Set<Call>();
  readonly #aborts = new Aborts();
  #running = false;
  #disposed = false;

  #tokensReady = 0;
  #tokensUnderWay = 0;
  #passesUnderWay = 0;
  #passEnded = (): void => {};

  /** Resolves in the next turn of the event loop; null while nothing has been done in this one. */
  #nextTurn: Promise<void> | null = null;
  /** When this turn's share of the time is over, by performance.now(). */
  #sliceEnd = 0;
  /** The speed of the caller's thread, going by its last passes. */
  #tokensPerMs: number;

  constructor(model: Runnable) {
    this.#model = model;
    const guess = 'share' in model.kernels ? FIRST_GUESS.fast : FIRST_GUESS.plain;
    this.#tokensPerMs = guess / Math.max(1, multiplicationsPerToken(model.encoder)); // a model may have no layers
  }

  /**
   * Resolves when every text of the request has its vector.
   *
   * @throws E_THREAD, E_MEMORY, E_DISPOSED, the reason of the signal, and what the functions of the request throw
   */
  async run(request: Request): Promise<void> {
    if (this.#disposed) throw disposed();
    if (request.signal?.aborted) throw request.signal.reason;
    if (request.total === 0) return;
    const call: Call = new Call(request, tokens => {
      this.#tokensReady -= tokens;
      this.#open.delete(call);
      this.#aborts.remove(call);
    });
    this.#open.add(call);
    this.#aborts.add(call);
    this.#enqueue(call);
    await call.ended;
  }

  /** Ends all calls, waiting and under way, with E_DISPOSED, and all threads. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const call of this.#open) call.fail(disposed());
    this.#passEnded();
    await this.#model.threads?.dispose();
  }

  #enqueue(call: Call): void {
    if (call.queued) return;
    call.queued = true;
    this.#calls.push(call);
    if (this.#running) return;
    this.#running = true;
    void this.#work().catch(error => {
      for (const open of this.#open) open.fail(error); // a bug of this page: no call may wait for ever
    });
  }

  async #work(): Promise<void> {
    try {
      await null; // calls that are made in the same moment share the first pass
      for (let call = this.#first(); call !== undefined; call = this.#first()) {
        this.#beginSlice();
        const { threads } = this.#model;
        if (this.#isSliceOver()) await this.#nextTurn;
        else if (call.watched) this.#computeHere(this.#gatherWatched(call));
        else if (threads !== null) await this.#share(threads);
        else this.#computeHere(this.#gather(Math.max(MIN_TURN_TOKENS, this.#tokensIn(TURN_MS))));
      }
    } finally {
      this.#running = false;
    }
  }

  /** Gives the threads one pass, or waits until they have room for it; a very short one is computed here. */
  async #share(threads: Threads): Promise<void> {
    const isAll = this.#lookAhead(threads.count * PASS_TOKENS);
    const isIdle = this.#passesUnderWay === 0;
    const tokens = this.#tokensReady;
    if (isAll === undefined) return;
    if (this.#first()?.watched !== false) return;
    if (isAll && isIdle && tokens < MIN_SHARED_TOKENS && tokens <= this.#tokensIn(HERE_MS)) {
      this.#computeHere(this.#gather(tokens));
    } else if (this.#passesUnderWay < PASSES_AHEAD * threads.count) {
      const pass = this.#gather(isAll ? this.#evenly(threads.count) : PASS_TOKENS);
      const isOnlyText = isAll && isIdle && pass.length === 1 && this.#first() === undefined;
      void this.#computeAway(pass, packed => (isOnlyText ? threads.runTogether(packed) : threads.run(packed)));
    } else {
      await new Promise<void>(resolve => {
        this.#passEnded = resolve;
      });
    }
  }

  /** How many tokens each pass needs for all threads to end together, where no more texts are to come. */
  #evenly(threads: number): number {
    const tokens = this.#tokensReady + this.#tokensUnderWay;
    const rounds = Math.max(1, Math.ceil(tokens / (threads * PASS_TOKENS)));
    return tokens / (threads * rounds);
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // Which texts

  /** The next call in turn that has texts left; those before it leave the queue. */
  #first(): Call | undefined {
    for (let call = this.#calls.first; call !== undefined; call = this.#calls.first) {
      if (call.hasMore) return call;
      this.#calls.shift();
      call.queued = false;
    }
    return undefined;
  }

  /**
   * Tokenizes a text of each call in turn, until so many tokens stand ready.
   *
   * @returns whether these are all texts of all calls; undefined where the slice was over before that was known
   */
  #lookAhead(tokens: number): boolean | undefined {
    for (let round = 1; round <= MAX_ROUNDS; round++) {
      let isAll = true;
      for (const call of this.#calls) {
        if (this.#tokensReady >= tokens) return false;
        if (call.watched || !call.hasMore) continue;
        if (call.ready.length < round) this.#tokenize(call);
        isAll &&= call.isTokenized;
        if (this.#isSliceOver()) return this.#tokensReady >= PASS_TOKENS ? false : undefined;
      }
      if (isAll) return true;
    }
    return false;
  }

  #tokenize(call: Call): void {
    if (call.isTokenized) return;
    const text = call.next++;
    try {
      const encoding = call.request.tokenize(text);
      call.ready.push({ call, text, encoding });
      this.#tokensReady += readyTokens({ encoding });
    } catch (error) {
      call.fail(error);
    }
  }

  /** The next text of a call, which stays there until it is taken; undefined where the call has none, or failed. */
  #next(call: Call): Item | undefined {
    if (call.ready.length === 0) this.#tokenize(call);
    return call.ready.at(0);
  }

  #take(item: Item): void {
    item.call.ready.shift();
    this.#tokensReady -= readyTokens(item);
  }

  /** A pass of about so many tokens and at least one text, a text of each call in turn. */
  #gather(tokens: number): Pass {
    const most = Math.min(tokens, this.#maxTokens());
    const pass: Item[] = [];
    const taken = new Map<Call, number>();
    let sum = 0;
    let skipped = 0; // calls in a row that had nothing for this pass
    for (let call = this.#first(); call !== undefined && skipped < this.#calls.size; call = this.#first()) {
      const count = taken.get(call) ?? 0;
      const item = count < call.request.batchSize && !call.watched ? this.#next(call) : undefined;
      if (item !== undefined) {
        const length = item.encoding.ids.length;
        // A text belongs to the pass that its middle falls into.
        const isFull = sum + length / 2 > most || pass.length === PASS_TEXTS || item.alone || pass[0]?.alone;
        if (pass.length > 0 && isFull) break;
        this.#take(item);
        pass.push(item);
        taken.set(call, count + 1);
        sum += length;
      }
      skipped = item === undefined ? skipped + 1 : 0;
      this.#rotate();
    }
    return pass;
  }

  /** A whole batch of the first call: its observer is promised the texts of a batch together. */
  #gatherWatched(call: Call): Pass {
    const pass: Item[] = [];
    let sum = 0;
    for (let item = this.#next(call); item !== undefined; item = this.#next(call)) {
      const length = item.encoding.ids.length;
      if (pass.length === call.request.batchSize || (pass.length > 0 && sum + length > this.#maxTokens())) break;
      this.#take(item);
      pass.push(item);
      sum += length;
    }
    this.#rotate();
    return pass;
  }

  #rotate(): void {
    this.#calls.push(this.#calls.shift() as Call);
  }

  #maxTokens(): number {
    const { hidden_size, intermediate_size } = this.#model.encoder.config;
    return MAX_PASS_FLOATS / Math.max(hidden_size, intermediate_size);
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // Where

  #computeHere(pass: Pass): void {
    if (pass.length === 0) return;
    const { kernels, encoder } = this.#model;
    const packed = pack(pass);
    const begin = performance.now();
    try {
      const observe = pass[0].call.request.observe;
      kernels.pass(() => this.#finish(pass, pooledVectors(kernels, encoder, packed, observe)));
    } catch (error) {
      this.#fail(pass, error);
    }
    const tokensPerMs = (packed.ids.length + PASS_OVERHEAD) / Math.max(performance.now() - begin, 0.01);
    this.#tokensPerMs += (tokensPerMs - this.#tokensPerMs) / 4;
  }

  async #computeAway(pass: Pass, run: (packed: Packed) => Promise<Float32Array>): Promise<void> {
    if (pass.length === 0) return;
    const { kernels } = this.#model;
    const packed = pack(pass);
    this.#passesUnderWay++;
    this.#tokensUnderWay += packed.ids.length;
    try {
      const pooled = await run(packed); // [B, modes * D]
      kernels.pass(() => {
        const here = kernels.floats(pass.length, pooled.length / pass.length);
        here.set(pooled);
        this.#finish(pass, here);
      });
    } catch (error) {
      this.#fail(pass, error);
    } finally {
      this.#passesUnderWay--;
      this.#tokensUnderWay -= packed.ids.length;
      this.#passEnded();
    }
  }

  /** What follows the pooling, [B, modes * D] -> [B, dimension]; then each call gets its vectors. */
  #finish(pass: Pass, pooled: Floats): void {
    const B = pass.length;
    const observe = pass[0].call.request.observe;
    let vectors = pooled;
    for (const [m, module] of this.#model.modules.entries()) {
      vectors = module.run(vectors, B); // [B, inFeatures] -> [B, outFeatures]
      observe?.(`modules.${m + 2}.${module.kind}`, { data: vectors, shape: [B, module.outFeatures] });
    }
    const D = vectors.length / B;
    for (const [b, item] of pass.entries()) item.call.receive(item, vectors.subarray(b * D, (b + 1) * D));
    for (const call of new Set(pass.map(({ call }) => call))) call.report();
  }

  /** Ends the calls of a pass with its error; but where there was no memory for its texts together, each is tried alone. */
  #fail(pass: Pass, error: unknown): void {
    const isMemory = error instanceof GlassbertError && error.code === 'E_MEMORY' && pass.length > 1;
    for (const item of [...pass].reverse()) {
      const { call } = item;
      if (!call.isOpen) continue;
      if (!isMemory || call.watched) {
        call.fail(error);
        continue;
      }
      call.ready.unshift({ ...item, alone: true });
      this.#tokensReady += readyTokens(item);
      this.#enqueue(call);
    }
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // When

  /** Starts the clock with the first thing that is done in a turn of the event loop. */
  #beginSlice(): void {
    if (this.#nextTurn !== null) return;
    this.#sliceEnd = performance.now() + SLICE_MS;
    this.#nextTurn = new Promise(resolve => {
      setImmediate(() => {
        this.#nextTurn = null;
        resolve();
      });
    });
  }

  /** Whether what comes next must wait until the program had its turn. */
  #isSliceOver(): boolean {
    return performance.now() > this.#sliceEnd;
  }

  /** How many tokens the caller's thread computes in so many milliseconds, at most a thread's pass. */
  #tokensIn(ms: number): number {
    return Math.min(PASS_TOKENS, ms * this.#tokensPerMs - PASS_OVERHEAD);
  }
}

/** First in, first out, of any length: an array gives away its first the more slowly the more there are. */
class Queue<Item> {
  #items: Item[] = [];
  #begin = 0;

  get size(): number {
    return this.#items.length - this.#begin;
  }

  get first(): Item | undefined {
    return this.#items[this.#begin];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const first = this.first;
    if (this.size > 0) this.#begin++;
    if (2 * this.#begin < this.#items.length) return first;
    this.#items = this.#items.slice(this.#begin); // as many as were taken since the last time, at most
    this.#begin = 0;
    return first;
  }

  *[Symbol.iterator](): Generator<Item, void, void> {
    for (let i = this.#begin; i < this.#items.length; i++) yield this.#items[i];
  }
}

/** The ids of all texts under one another. */
function pack(pass: Pass): Packed {
  const B = pass.length;
  const starts = new Int32Array(B + 1);
  for (const [b, { encoding }] of pass.entries()) starts[b + 1] = starts[b] + encoding.ids.length;
  const [N, skip] = [starts[B], Int32Array.from(pass, ({ call }) => call.request.skip)];
  const packed = { ids: new Int32Array(N), typeIds: new Int32Array(N), starts, skip };
  for (const [b, { encoding }] of pass.entries()) {
    packed.ids.set(encoding.ids, starts[b]);
    packed.typeIds.set(encoding.typeIds, starts[b]);
  }
  return packed;
}
