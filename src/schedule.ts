/**
 * Whose turn it is: the texts of all calls of an encoder, gathered into passes, over its threads.
 *
 *   calls  --in turn, a text each-->  tokens  --some 512 together-->  a pass  -->  a thread  -->  vectors of each call
 *
 * A text's vector does not depend on the others of its pass (bert/bert.ts), so whoever waits may share one: many small calls
 * cost what one large call costs, and a small one beside a large one waits for a pass or two, not for its end.
 *
 * The caller's thread stays free. It tokenizes, a few milliseconds at a time, and hands out passes; between two such stretches
 * timers and sockets of the program get their turn. It computes only what is over sooner than a thread is told of it, at
 * most one short pass in a turn of the event loop; where there are no threads, one pass of bounded length in a turn.
 */
import type { Observe } from './bert/bert.ts';
import { GlassbertError } from './errors.ts';
import { type Encoder, multiplicationsPerToken, type Packed, pooledVectors } from './pooled.ts';
import type { VectorModule } from './pooling/modules.ts';
import type { Kernels } from './tensor/kernels.ts';
import type { Floats } from './tensor/tensor.ts';
import type { Encoding } from './text/tokenizer.ts';
import { disposed, type Threads } from './threads.ts';

/** Ends a call early; every AbortSignal is one. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** How far a call is. */
export interface Progress {
  /** Texts whose vectors are there. */
  readonly texts: number;
  /** Texts of the call. */
  readonly total: number;
  /** Tokens of the texts so far, special ones included. */
  readonly tokens: number;
  /** How many of the texts so far were cut to the maximum length. */
  readonly cut: number;
}

/** What a call wants. What its functions throw ends the call, and no other. */
export interface Request {
  /** How many texts, numbered from 0. */
  readonly total: number;
  /** Called once for each text, in order. */
  tokenize(text: number): Encoding;
  /** How many tokens at the start of each text the pooling leaves out. */
  readonly skip: number;
  /** So many of its texts are in a pass at most. */
  readonly batchSize: number;
  /** Receives the vector of a text, in the memory of the pass. */
  receive(text: number, vector: Floats): void;
  /** With it the passes are the call's own, a batch each, and run on the caller's thread. */
  readonly observe?: Observe | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal?: Signal | undefined;
}

/** What it takes of a loaded model. */
export interface Runnable {
  readonly kernels: Kernels;
  readonly encoder: Encoder;
  /** What follows the pooling. */
  readonly modules: readonly VectorModule[];
  readonly threads: Threads | null;
}

/** Tokens of a thread's pass: enough for the products to be at full speed, few enough to be done evenly. */
const PASS_TOKENS = 512;

/** Texts of a pass: what is left to do for each, the caller's thread does. */
const PASS_TEXTS = 128;

/** Floats of the widest intermediate of a pass, 128 MB. A longer text is a pass of its own. */
const MAX_PASS_FLOATS = 2 ** 25;

/** Passes that a thread has at most: one that it computes, and the next, so that it need not wait for it. */
const PASSES_AHEAD = 2;

/** Fewer tokens are computed where they are, if that takes no longer than HERE_MS. */
const MIN_SHARED_TOKENS = 64;
const HERE_MS = 5;

/** A pass on the caller's thread where there are no threads: long enough for the products, short enough for timers. */
const TURN_MS = 24;
const MIN_TURN_TOKENS = 48;

/** What a pass costs beside its tokens, in tokens. */
const PASS_OVERHEAD = 4;

/** Texts of a call that stand ready at most, of how few tokens they may be. */
const MAX_ROUNDS = 1024;

/** After so long in a turn of the event loop, what is left waits for the next. */
const SLICE_MS = 4;

/** Multiplications in a millisecond, until it has been measured (Xeon, Node 24: 7e5 and 2.7e7). */
const FIRST_GUESS = { plain: 7e5, fast: 2.5e7 };

interface Aborts {
  readonly calls: Set<Call>;
  readonly listener: () => void;
}

interface Item {
  readonly call: Call;
  readonly text: number;
  readonly encoding: Encoding;
  /** There was no memory for it beside others. */
  readonly alone?: boolean;
}

type Pass = readonly Item[];

export class Schedule {
  readonly #model: Runnable;
  /** Calls with texts that no pass has yet; the first is the next to give one. */
  readonly #calls = new Queue<Call>();
  /** Calls that have not ended. */
  readonly #open = new Set<Call>();
  /** Those that a signal ends. It has one listener: to add one takes an EventTarget of Node the longer the more it has. */
  readonly #bySignal = new Map<Signal, Aborts>();
  #running = false;
  #disposed = false;

  #tokensReady = 0;
  #tokensUnderWay = 0;
  #passesUnderWay = 0;
  #passEnded = (): void => {};

  /** Until the next turn of the event loop, where something was done in this one. */
  #nextTurn: Promise<void> | null = null;
  #sliceEnd = 0;
  /** On the caller's thread. */
  #tokensPerMs: number;

  constructor(model: Runnable) {
    this.#model = model;
    const guess = 'share' in model.kernels ? FIRST_GUESS.fast : FIRST_GUESS.plain;
    this.#tokensPerMs = guess / multiplicationsPerToken(model.encoder);
  }

  /**
   * Until every text of the request has its vector.
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
      if (request.signal !== undefined) this.#forget(request.signal, call);
    });
    this.#open.add(call);
    if (request.signal !== undefined) this.#listen(request.signal, call);
    this.#enqueue(call);
    await call.ended;
  }

  #listen(signal: Signal, call: Call): void {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) {
      known.calls.add(call);
      return;
    }
    const calls = new Set([call]);
    const listener = (): void => {
      const reason = reasonOf(signal);
      for (const call of calls) call.fail(reason);
    };
    this.#bySignal.set(signal, { calls, listener });
    try {
      signal.addEventListener('abort', listener);
    } catch (error) {
      call.fail(error);
    }
  }

  #forget(signal: Signal, call: Call): void {
    const { calls, listener } = this.#bySignal.get(signal) as Aborts;
    calls.delete(call);
    if (calls.size > 0) return;
    this.#bySignal.delete(signal);
    try {
      signal.removeEventListener('abort', listener);
    } catch {
      // It is the caller's own, and the call has ended otherwise.
    }
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
      for (const open of this.#open) open.fail(error); // an error of this page; nobody must wait for ever
    });
  }

  async #work(): Promise<void> {
    try {
      await null; // whatever else is called in this moment belongs to it
      for (let call = this.#first(); call !== undefined; call = this.#first()) {
        this.#beginSlice();
        const { threads } = this.#model;
        if (this.#isSliceOver()) await this.#nextTurn;
        else if (threads !== null && !call.watched) await this.#share(threads);
        else
          this.#computeHere(
            call.watched ? this.#gatherWatched(call) : this.#gather(Math.max(MIN_TURN_TOKENS, this.#tokensIn(TURN_MS))),
          );
      }
    } finally {
      this.#running = false;
    }
  }

  /** One pass for the threads, when there is one and they have room for it. */
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
      const isAlone = isAll && isIdle && pass.length === 1 && this.#first() === undefined;
      void this.#computeAway(pass, packed => (isAlone ? threads.runTogether(packed) : threads.run(packed)));
    } else {
      await new Promise<void>(resolve => {
        this.#passEnded = resolve;
      });
    }
  }

  /** So many tokens that all threads end together, where what is known is all there is. */
  #evenly(threads: number): number {
    const tokens = this.#tokensReady + this.#tokensUnderWay;
    const rounds = Math.max(1, Math.ceil(tokens / (threads * PASS_TOKENS)));
    return tokens / (threads * rounds);
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // Which texts

  /** The next call in turn that has texts left. */
  #first(): Call | undefined {
    for (let call = this.#calls.first; call !== undefined; call = this.#calls.first) {
      if (call.hasMore) return call;
      this.#calls.shift();
      call.queued = false;
    }
    return undefined;
  }

  /**
   * Tokenizes, a text of each call in turn, until so many tokens stand ready.
   *
   * @returns whether that is all there is; undefined where the time was over before it was known
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
      this.#tokensReady += encoding.ids.length;
    } catch (error) {
      call.fail(error);
    }
  }

  /** The next text of a call, which stays there until it is taken; undefined where it has none. */
  #next(call: Call): Item | undefined {
    if (call.ready.length === 0) this.#tokenize(call);
    return call.ready.at(0);
  }

  #take({ call, encoding }: Item): void {
    call.ready.shift();
    this.#tokensReady -= encoding.ids.length;
  }

  /** About so many tokens, one text at least, of each call in turn. */
  #gather(tokens: number): Pass {
    const most = Math.min(tokens, this.#maxTokens());
    const pass: Item[] = [];
    const taken = new Map<Call, number>();
    let sum = 0;
    let refused = 0; // calls one after the other that have nothing for this pass
    for (let call = this.#first(); call !== undefined && refused < this.#calls.size; call = this.#first()) {
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
      refused = item === undefined ? refused + 1 : 0;
      this.#rotate();
    }
    return pass;
  }

  /** A whole batch of the first call, so that who watches sees its texts together. */
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
      const pooled = await run(packed);
      kernels.pass(() => {
        const here = kernels.floats(pass.length, pooled.length / pass.length);
        here.set(pooled);
        this.#finish(pass, here);
      });
    } catch (error) {
      this.#fail(pass, error);
    }
    this.#passesUnderWay--;
    this.#tokensUnderWay -= packed.ids.length;
    this.#passEnded();
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

  /** The calls of a pass end with its error; where texts had no memory together, each is tried alone first. */
  #fail(pass: Pass, error: unknown): void {
    const isMemory = error instanceof GlassbertError && error.code === 'E_MEMORY' && pass.length > 1;
    for (const item of [...pass].reverse()) {
      const { call, encoding } = item;
      if (!call.isOpen) continue;
      if (!isMemory || call.watched) {
        call.fail(error);
        continue;
      }
      call.ready.unshift({ ...item, alone: true });
      this.#tokensReady += encoding.ids.length;
      this.#enqueue(call);
    }
  }

  // ---------------------------------------------------------------------------------------------------------------------
  // When

  /** From the first thing that is done in a turn of the event loop on, the time runs. */
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

  /** What comes next must wait until the program had its turn. */
  #isSliceOver(): boolean {
    return performance.now() > this.#sliceEnd;
  }

  /** Tokens that the caller's thread computes in so many milliseconds, going by the last passes. */
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

/** A call under way. */
class Call {
  readonly request: Request;
  readonly ended: Promise<void>;
  /** Texts that are tokenized and in no pass yet. */
  readonly ready: Item[] = [];
  /** The text that is tokenized next. */
  next = 0;
  isOpen = true;
  /** Whether it stands among those that have texts left. */
  queued = false;

  readonly #onEnd: (tokensReady: number) => void;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #texts = 0;
  #tokens = 0;
  #cut = 0;

  /** @param onEnd - told how many tokens stand ready that nobody wants any more */
  constructor(request: Request, onEnd: (tokensReady: number) => void) {
    this.request = request;
    this.#onEnd = onEnd;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get watched(): boolean {
    return this.request.observe !== undefined;
  }

  get isTokenized(): boolean {
    return this.next >= this.request.total;
  }

  /** Whether there are texts that no pass has yet. */
  get hasMore(): boolean {
    return this.isOpen && (this.ready.length > 0 || !this.isTokenized);
  }

  receive({ text, encoding }: Item, vector: Floats): void {
    if (!this.isOpen) return;
    try {
      this.request.receive(text, vector);
    } catch (error) {
      this.fail(error);
    }
    this.#texts++;
    this.#tokens += encoding.ids.length;
    if (encoding.truncated) this.#cut++;
  }

  /** After a pass. */
  report(): void {
    if (!this.isOpen) return;
    const [texts, { total, onProgress }] = [this.#texts, this.request];
    try {
      onProgress?.({ texts, total, tokens: this.#tokens, cut: this.#cut });
    } catch (error) {
      this.fail(error);
    }
    if (texts < total) return;
    this.#resolve();
    this.#end();
  }

  fail(error: unknown): void {
    this.#reject(error);
    this.#end();
  }

  #end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#onEnd(this.ready.splice(0).reduce((sum, { encoding }) => sum + encoding.ids.length, 0));
  }
}

/** Why a signal was aborted, whatever the caller's own object does when it is asked. */
function reasonOf(signal: Signal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
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
