/**
 * The process of a contender, started by contender.ts: `node worker.ts SPEC DIRECTORY`. In the directory of run.ts the
 * model lies in f32/ and q8/, glassbert as it is published in glassbert/.
 *
 * An engine here is a function of one call. What it returns gives the vectors, so that the pooling which a bare
 * onnxruntime session leaves to its caller is not counted against it.
 */
const started = performance.now(); // before any engine is imported

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InferenceSession, TensorConstructor } from 'onnxruntime-node';
import type { LoadOptions } from '../../src/index.ts';
import type { Answer, GlassbertSpec, OnnxruntimeSpec, Spec, Task, Work } from './contender.ts';

type Call = (texts: readonly string[], ids: Work['ids']) => Promise<() => Float32Array>;

interface Engine {
  readonly summary: string;
  readonly call: Call;
}

const FIRST: Work = { texts: ['The weather is lovely today.'], ids: [[1, 2, 3, 4, 5, 6, 7, 8]], batch: 1 };

process.on('disconnect', () => process.exit());

const spec: Spec = JSON.parse(process.argv[2]);
const directory = process.argv[3];
const engine = await load();
if (engine === null) {
  answer({ kind: 'refused', message: JSON.stringify(spec) });
} else {
  (await engine.call(FIRST.texts, FIRST.ids))();
  process.on('message', async (task: Task) => answer(await perform(engine.call, task)));
  answer({ kind: 'ready', milliseconds: performance.now() - started, summary: engine.summary });
}

function answer(message: Answer): void {
  process.send?.(message, undefined, undefined, () => {}); // run.ts may have been interrupted
}

async function perform(call: Call, task: Task): Promise<Answer> {
  switch (task.kind) {
    case 'time': {
      const { texts, ids, batch } = task.work;
      const start = performance.now();
      for (let at = 0; at < texts.length; at += batch)
        await call(texts.slice(at, at + batch), ids.slice(at, at + batch));
      return { kind: 'time', milliseconds: performance.now() - start };
    }
    case 'vectors': {
      const { texts, ids, batch } = task.work;
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += batch) {
        const rows = (await call(texts.slice(at, at + batch), ids.slice(at, at + batch)))();
        const D = rows.length / Math.min(batch, texts.length - at);
        for (let d = 0; d < rows.length; d += D) vectors.push(rows.slice(d, d + D));
      }
      return { kind: 'vectors', vectors };
    }
    case 'memory':
      return { kind: 'memory', bytes: peakMemory() };
  }
}

/** Linux counts a process's own peak in VmHWM; ru_maxrss may be that of the parent it was started from. */
function peakMemory(): number {
  if (process.platform !== 'linux') return 1024 * process.resourceUsage().maxRSS;
  return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

// ---------------------------------------------------------------------------------------------------------------------
// The engines

function load(): Promise<Engine | null> {
  switch (spec.engine) {
    case 'glassbert':
      return loadGlassbert(spec);
    case 'transformers.js':
      return loadTransformers(spec.dtype);
    case 'onnxruntime-node':
    case 'onnxruntime-web':
      return loadOnnxruntime(spec);
  }
}

/** null when load refuses the options. */
async function loadGlassbert({ engine: _, ...options }: GlassbertSpec): Promise<Engine | null> {
  const built = pathToFileURL(join(directory, 'glassbert', 'dist', 'index.js')).href;
  const { GlassbertError, SentenceEncoder }: typeof import('../../src/index.ts') = await import(built);
  try {
    const encoder = await SentenceEncoder.load(join(directory, 'f32'), options as LoadOptions);
    return {
      summary: encoder.report.kernels,
      call: async texts => {
        const { data } = await encoder.encode(texts);
        return () => Float32Array.from(data);
      },
    };
  } catch (error) {
    if (error instanceof GlassbertError && error.code === 'E_ARGUMENT') return null;
    throw error;
  }
}

async function loadTransformers(dtype: 'fp32' | 'q8'): Promise<Engine> {
  const { env, pipeline } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = directory;
  const extract = await pipeline('feature-extraction', dtype === 'q8' ? 'q8' : 'f32', { dtype });
  return {
    summary: `transformers.js ${env.version}`,
    call: async texts => {
      const { data } = await extract([...texts], { pooling: 'mean', normalize: true });
      return () => data as Float32Array;
    },
  };
}

async function loadOnnxruntime({ engine, dtype, threads }: OnnxruntimeSpec) {
  const onnx = join(directory, dtype === 'q8' ? 'q8' : 'f32', 'onnx');
  const graph = join(onnx, dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx');
  if (engine === 'onnxruntime-node') {
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    const session = await InferenceSession.create(graph, { intraOpNumThreads: threads, interOpNumThreads: 1 });
    return { summary: engine, call: sessionCall(session.run.bind(session), Tensor) };
  }
  const { env, InferenceSession, Tensor } = await import('onnxruntime-web');
  env.wasm.numThreads = threads;
  env.wasm.simd = true;
  const session = await InferenceSession.create(readFileSync(graph), {
    executionProviders: ['wasm'],
    externalData: [{ path: 'weights.bin', data: readFileSync(join(onnx, 'weights.bin')) }],
  });
  return { summary: engine, call: sessionCall(session.run.bind(session), Tensor) };
}

/** A call of a session: the ids padded to the longest of them; then the mean of the token vectors, normalized. */
function sessionCall(run: InferenceSession['run'], Tensor: TensorConstructor): Call {
  return async (_, ids) => {
    const [B, T] = [ids.length, Math.max(...ids.map(({ length }) => length))];
    const int64 = (at: (b: number, t: number) => number) =>
      new Tensor(
        'int64',
        BigInt64Array.from({ length: B * T }, (_, i) => BigInt(at(Math.floor(i / T), i % T))),
        [B, T],
      );
    const { last_hidden_state } = await run({
      input_ids: int64((b, t) => ids[b][t] ?? 0),
      attention_mask: int64((b, t) => (t < ids[b].length ? 1 : 0)),
      token_type_ids: int64(() => 0),
    });
    return () => meanVectors(last_hidden_state.data as Float32Array, ids, T, last_hidden_state.dims[2]);
  };
}

function meanVectors(hidden: Float32Array, ids: Work['ids'], T: number, D: number): Float32Array {
  const out = new Float32Array(ids.length * D);
  for (const [b, { length }] of ids.entries()) {
    const sum = new Float64Array(D);
    for (let t = 0; t < length; t++) for (let d = 0; d < D; d++) sum[d] += hidden[(b * T + t) * D + d];
    const norm = Math.hypot(...sum);
    for (let d = 0; d < D; d++) out[b * D + d] = sum[d] / norm;
  }
  return out;
}
