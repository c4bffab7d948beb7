/**
 * An engine with its options in a process of its own: flags of V8, threads and memory of one do not disturb another.
 * The process, worker.ts, loads the model, embeds one text, says so, and then does what it is sent.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface GlassbertSpec {
  readonly engine: 'glassbert';
  readonly kernels: 'auto' | 'reference' | 'simd' | 'int8';
  readonly wide?: boolean;
  readonly threads?: number;
}

export interface OnnxruntimeSpec {
  readonly engine: 'onnxruntime-node' | 'onnxruntime-web';
  readonly dtype: 'fp32' | 'q8';
  readonly threads: number;
}

/** On as many threads as it takes by itself. */
export interface TransformersSpec {
  readonly engine: 'transformers.js';
  readonly dtype: 'fp32' | 'q8';
}

export type Spec = GlassbertSpec | OnnxruntimeSpec | TransformersSpec;

/** Texts, their ids for engines without a tokenizer, and how many go into one call. */
export interface Work {
  readonly texts: readonly string[];
  readonly ids: readonly (readonly number[])[];
  readonly batch: number;
}

export function nameOf(spec: Spec): string {
  if (spec.engine === 'glassbert') return `glassbert ${spec.kernels}${spec.wide ? ' wide' : ''}`;
  return `${spec.engine} ${spec.dtype === 'fp32' ? 'f32' : 'q8'}`;
}

export function isInt8(spec: Spec): boolean {
  return spec.engine === 'glassbert' ? spec.kernels === 'int8' : spec.dtype === 'q8';
}

/** What a worker is asked to do. */
export type Task = { readonly kind: 'time' | 'vectors'; readonly work: Work } | { readonly kind: 'memory' };

/** What it answers: first `ready` or `refused`, then one answer for each task. */
export type Answer =
  | { kind: 'ready'; milliseconds: number; summary: string }
  | { kind: 'refused'; message: string }
  | { kind: 'time'; milliseconds: number }
  | { kind: 'vectors'; vectors: Float32Array[] }
  | { kind: 'memory'; bytes: number };

export class Contender {
  /** From the first line of the process to its first vector. */
  readonly loadMilliseconds: number;
  /** What the engine says it runs on. */
  readonly summary: string;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, milliseconds: number, summary: string) {
    this.#process = child;
    this.loadMilliseconds = milliseconds;
    this.summary = summary;
  }

  /** @returns null when the engine refuses the options */
  static async start(spec: Spec, directory: string): Promise<Contender | null> {
    const child = fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(spec), directory], {
      serialization: 'advanced',
    });
    const answer = await answerOf(child, 'ready', 'refused');
    if (answer.kind === 'ready') return new Contender(child, answer.milliseconds, answer.summary);
    child.kill();
    return null;
  }

  /** Milliseconds. */
  async time(work: Work): Promise<number> {
    return (await this.#ask({ kind: 'time', work }, 'time')).milliseconds;
  }

  /** Of each text, normalized. */
  async vectors(work: Work): Promise<Float32Array[]> {
    return (await this.#ask({ kind: 'vectors', work }, 'vectors')).vectors;
  }

  /** The most memory it ever held, in bytes. */
  async peakMemory(): Promise<number> {
    return (await this.#ask({ kind: 'memory' }, 'memory')).bytes;
  }

  stop(): void {
    this.#process.kill();
  }

  #ask<Kind extends Answer['kind']>(task: Task, kind: Kind): Promise<Extract<Answer, { kind: Kind }>> {
    const answer = answerOf(this.#process, kind);
    this.#process.send(task);
    return answer;
  }
}

/** A pause before each turn, as threads of onnxruntime spin for a while after theirs. */
const PAUSE = 20;

/**
 * The best time of each lane, in milliseconds, all taking turns after one to warm up; null where options are refused.
 * Lanes of the same options share a process.
 */
export async function race(
  turns: number,
  directory: string,
  lanes: readonly { readonly spec: Spec; readonly work: Work }[],
): Promise<(number | null)[]> {
  const contenders = new Map<string, Contender | null>();
  for (const { spec } of lanes) {
    const key = JSON.stringify(spec);
    if (!contenders.has(key)) contenders.set(key, await Contender.start(spec, directory));
  }
  const best: (number | null)[] = lanes.map(() => null);
  for (let turn = 0; turn <= turns; turn++) {
    for (const [i, { spec, work }] of lanes.entries()) {
      await setTimeout(PAUSE);
      const time = await contenders.get(JSON.stringify(spec))?.time(work);
      if (turn > 0 && time !== undefined) best[i] = Math.min(best[i] ?? Infinity, time);
    }
  }
  for (const contender of contenders.values()) contender?.stop();
  return best;
}

/** The next message, which is of one of these kinds. A process that ends instead has printed why. */
function answerOf<Kind extends Answer['kind']>(child: ChildProcess, ...kinds: Kind[]) {
  return new Promise<Extract<Answer, { kind: Kind }>>((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null): void => {
      reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code ?? signal}`));
    };
    child.once('exit', onExit);
    child.once('message', (answer: Extract<Answer, { kind: Kind }>) => {
      child.off('exit', onExit);
      if (kinds.includes(answer.kind as Kind)) resolve(answer);
      else reject(new Error(`expected ${kinds.join(' or ')}, found ${answer.kind}`));
    });
  });
}
