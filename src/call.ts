/**
 * One call to embed texts: what it wants, how far it is, and how it ends. It is open until every text has its vector, or until
 * the first error, the abort of its signal, or `dispose`; after that it hears of nothing more. Whose turn it is: schedule.ts.
 */
import type { Observe } from './bert/bert.ts';
import type { Floats } from './tensor/tensor.ts';
import type { Encoding } from './text/tokenizer.ts';

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
  /** At most so many of its texts are in one pass. */
  readonly batchSize: number;
  /** Receives the vector of a text, in the memory of the pass. */
  receive(text: number, vector: Floats): void;
  /** With it the passes are the call's own, a batch each, and run on the caller's thread. */
  readonly observe?: Observe | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal?: Signal | undefined;
}

/** A text of a call, tokenized. */
export interface Item {
  readonly call: Call;
  readonly text: number;
  readonly encoding: Encoding;
  /** There was no memory for it together with others: it is a pass of its own. */
  readonly alone?: boolean;
}

/** Tokens that a text counts for among those that stand ready: one at least, so that any number of empty texts is bounded too. */
export function readyTokens({ encoding }: Pick<Item, 'encoding'>): number {
  return Math.max(1, encoding.ids.length);
}

export class Call {
  readonly request: Request;
  readonly ended: Promise<void>;
  /** Texts that are tokenized and in no pass yet. */
  readonly ready: Item[] = [];
  /** The text that is tokenized next. */
  next = 0;
  isOpen = true;
  /** Whether it stands in the queue of the schedule. */
  queued = false;

  readonly #onEnd: (tokensReady: number) => void;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #texts = 0;
  #tokens = 0;
  #cut = 0;

  /** @param onEnd - told how many tokens stood ready, which no pass will take any more */
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
    this.#onEnd(this.ready.splice(0).reduce((sum, item) => sum + readyTokens(item), 0));
  }
}

/**
 * The open calls that signals end. A signal has one listener for all of its calls, since the more listeners an EventTarget of
 * Node has, the longer it takes to add one. It may be any object of the caller's: what it throws ends its own calls alone.
 */
export class Aborts {
  readonly #bySignal = new Map<Signal, { readonly calls: Set<Call>; readonly listener: () => void }>();

  add(call: Call): void {
    const { signal } = call.request;
    if (signal === undefined) return;
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

  remove(call: Call): void {
    const { signal } = call.request;
    const known = signal && this.#bySignal.get(signal);
    if (signal === undefined || known === undefined) return;
    known.calls.delete(call);
    if (known.calls.size > 0) return;
    this.#bySignal.delete(signal);
    try {
      signal.removeEventListener('abort', known.listener);
    } catch {} // the call has ended already
  }
}

function reasonOf(signal: Signal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}
