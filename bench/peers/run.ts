/**
 * glassbert against its peers on this machine: the same random weights in the shape of all-MiniLM-L6-v2, the same texts,
 * in the same minutes. Every engine runs in a process of its own (worker.ts), takes turns with the others and is given by
 * its best turn. Vectors are compared before anything is timed. A missed goal is a result, not an error.
 *
 *   npm run bench:peers              installs the peers into this folder on first use; some minutes
 *   npm run bench:peers -- --quick   few texts, one turn: does it run?
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SentenceEncoder } from '../../src/index.ts';
import { random } from '../../test/support/random.ts';
import { matmulAndLimit } from '../matmul-limit.ts';
import {
  Contender,
  type GlassbertSpec,
  nameOf,
  type OnnxruntimeSpec,
  race,
  type Spec,
  type Work,
} from './contender.ts';
import { writeModel } from './model.ts';
import { inMegabytes, inMilliseconds, print, printHeader, printRow, printSpeed } from './table.ts';
import { verify } from './verify.ts';

const QUICK = process.argv.includes('--quick');
const TURNS = QUICK ? 1 : 7;
const TEXTS = QUICK ? 32 : 512;
const MANY_TEXTS = QUICK ? 64 : 1024;
const CALL_SIZES = QUICK ? [1, 32, 64] : [1, 32, 256, 1024];

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const GLOSSES = join(ROOT, '..', 'shared', 'text', 'glosses.txt');
const PEERS = ['onnxruntime-node', 'onnxruntime-web', '@huggingface/transformers'];

const F32: GlassbertSpec = { engine: 'glassbert', kernels: 'auto' };
const WIDE: GlassbertSpec = { engine: 'glassbert', kernels: 'simd', wide: true };
const INT8: GlassbertSpec = { engine: 'glassbert', kernels: 'int8' };
const INT8_WIDE: GlassbertSpec = { engine: 'glassbert', kernels: 'int8', wide: true };
const NATIVE: OnnxruntimeSpec = { engine: 'onnxruntime-node', dtype: 'fp32', threads: 1 };
const NATIVE_Q8: OnnxruntimeSpec = { engine: 'onnxruntime-node', dtype: 'q8', threads: 1 };
const WEB: OnnxruntimeSpec = { engine: 'onnxruntime-web', dtype: 'fp32', threads: 1 };
const TRANSFORMERS: Spec = { engine: 'transformers.js', dtype: 'fp32' };
const TRANSFORMERS_Q8: Spec = { engine: 'transformers.js', dtype: 'q8' };

installPeers();
const directory = mkdtempSync(join(tmpdir(), 'glassbert-peers-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));

buildGlassbert();
const model = writeModel(directory);
const lines = existsSync(GLOSSES) ? readFileSync(GLOSSES, 'utf8').trimEnd().split('\n') : randomLines();
const workOf = await workMaker();
const forward = workOf(randomTexts(8, 128), 8);
const long = workOf(randomTexts(1, 256), 1);

printMachine();
await verify(
  [F32, WIDE, INT8, INT8_WIDE, WEB, NATIVE, NATIVE_Q8, TRANSFORMERS, TRANSFORMERS_Q8],
  [forward, workOf(lines.slice(0, 48), 16)],
  directory,
);
print('');
printHeader();
measureMatmul();
await measureForward();
await measureText('f32', [F32, 0.8], [WIDE, 1.5], TRANSFORMERS);
await measureText('int8', [INT8, 0.95], [INT8_WIDE, 1.5], TRANSFORMERS_Q8);
await measureLoad();
await measureThreads();
await measureCallSizes();
await measureMemory();
print(
  '\nAll times of glassbert, those of the forward pass too, are from text to vectors; those of onnxruntime from ids',
);
print('to token vectors, those of transformers.js from text to vectors, on the threads that it takes by itself.');

// ---------------------------------------------------------------------------------------------------------------------
// What is compared

function installPeers(): void {
  const missing = PEERS.filter(name => !existsSync(join(HERE, 'node_modules', name, 'package.json')));
  if (missing.length === 0) return;
  print(`installing ${missing.join(', ')}: about 600 MB, into this folder`);
  try {
    execFileSync('npm', ['ci'], { cwd: HERE, stdio: 'inherit' });
  } catch {
    print('The peers cannot be installed; npm says above why. Without them there is nothing to compare with.');
    process.exit(1);
  }
}

/** As it is published: from `src`, Node would spend part of the load time on stripping types. */
function buildGlassbert(): void {
  const at = join(directory, 'glassbert');
  execFileSync('npm', ['run', '--silent', 'build', '--', '--outDir', join(at, 'dist')], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  copyFileSync(join(ROOT, 'package.json'), join(at, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(at, 'node_modules'), 'junction');
}

/** Adds their ids to texts, by the tokenizer that glassbert and transformers.js load from the same file. */
async function workMaker() {
  const encoder = await SentenceEncoder.load(join(directory, 'f32'), { kernels: 'reference' });
  return (texts: readonly string[], batch: number): Work => ({
    texts,
    ids: texts.map(text => Array.from(encoder.tokenize(text).ids)),
    batch,
  });
}

/** B texts of T tokens, the two special ones included. */
function randomTexts(B: number, T: number): string[] {
  const { pick } = random(T);
  return Array.from({ length: B }, () => Array.from({ length: T - 2 }, () => pick(model.words)).join(' '));
}

/** As long as the glosses are on average, in place of them. */
function randomLines(): string[] {
  const { integer } = random(3);
  return Array.from({ length: MANY_TEXTS }, () => randomTexts(1, 5 + integer(28))[0]);
}

function printMachine(): void {
  const versions = PEERS.map(name => {
    const manifest = readFileSync(join(HERE, 'node_modules', name, 'package.json'), 'utf8');
    return `${name} ${JSON.parse(manifest).version}`;
  });
  print(`${cpus()[0].model}, ${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)} before the run`);
  print(`${process.platform}-${process.arch}, Node ${process.version} (V8 ${process.versions.v8})`);
  print(versions.join(', '));
  print(`text: ${existsSync(GLOSSES) ? 'glosses of WordNet' : 'random words'}; tokenizer: ${model.tokenizer}`);
  print(`best of ${TURNS} turns taken alternately${QUICK ? '; --quick: the figures mean little' : ''}\n`);
}

// ---------------------------------------------------------------------------------------------------------------------
// The rows

function measureMatmul(): void {
  const { matmul, limit } = matmulAndLimit();
  const rate = (operations: number): string => `${(operations / 1e9).toFixed(1)} GFLOP/s`;
  printRow({
    what: 'matmul, 128 bits, one core; bare multiply-adds',
    goal: '≥ 90 %',
    measured: `${((100 * matmul) / limit).toFixed(0)} %`,
    met: matmul >= 0.9 * limit,
    glassbert: rate(matmul),
    peer: rate(limit),
  });
}

async function measureForward(): Promise<void> {
  const [f32, web, wide, native] = await race(TURNS, directory, [
    { spec: { ...F32, threads: 1 }, work: forward },
    { spec: WEB, work: forward },
    { spec: { ...WIDE, threads: 1 }, work: forward },
    { spec: NATIVE, work: forward },
  ]);
  printSpeed('forward pass 8 × 128 tokens, f32, one thread; onnxruntime-web', 1.9, f32, web);
  printSpeed('forward pass 8 × 128 tokens, f32 wide, one thread; onnxruntime-node', 0.65, wide, native);
}

type Goal = readonly [spec: Spec, ratio: number];

async function measureText(name: string, [spec, goal]: Goal, [wideSpec, wideGoal]: Goal, peer: Spec): Promise<void> {
  const texts = lines.slice(0, TEXTS);
  const [normal, wide, batches, single] = await race(TURNS, directory, [
    { spec, work: workOf(texts, TEXTS) },
    { spec: wideSpec, work: workOf(texts, TEXTS) },
    { spec: peer, work: workOf(texts, 32) },
    { spec: peer, work: workOf(texts, 1) },
  ]);
  const better = Math.min(batches ?? Infinity, single ?? Infinity);
  const against = `${nameOf(peer)}, ${better === batches ? 'batches of 32' : 'one by one'}`;
  const rate = (time: number): string => `${((1e3 * TEXTS) / time).toFixed(0)} texts/s`;
  printSpeed(`text, ${name}, all cores; ${against}`, goal, normal, better, rate);
  printSpeed(`text, ${name} wide, all cores; the same`, wideGoal, wide, better, rate);
}

/** A fresh process each time, from its first line: importing the library counts, starting Node does not. */
async function measureLoad(): Promise<void> {
  const specs = [F32, TRANSFORMERS];
  const best = specs.map(() => Infinity);
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [i, spec] of specs.entries()) {
      const contender = await Contender.start(spec, directory);
      best[i] = Math.min(best[i], contender?.loadMilliseconds ?? Infinity);
      contender?.stop();
    }
  }
  const ratio = best[0] / best[1];
  printRow({
    what: `load to first vector, time; ${nameOf(TRANSFORMERS)}`,
    goal: '≤ 1.0 ×',
    measured: `${ratio.toFixed(2)} ×`,
    met: ratio <= 1,
    glassbert: inMilliseconds(best[0]),
    peer: inMilliseconds(best[1]),
  });
}

async function measureThreads(): Promise<void> {
  const threads = (count: number): Spec => ({ engine: 'glassbert', kernels: 'simd', threads: count });
  const text = workOf(lines.slice(0, TEXTS), TEXTS);
  const [text2, text1, long2, long1] = await race(TURNS, directory, [
    { spec: threads(2), work: text },
    { spec: threads(1), work: text },
    { spec: threads(2), work: long },
    { spec: threads(1), work: long },
  ]);
  printSpeed('two threads, text; one thread', 1.85, text2, text1);
  printSpeed('two threads, one text of 256 tokens; one thread', 1.6, long2, long1);
}

/** The same texts each time, so many in a call. */
async function measureCallSizes(): Promise<void> {
  const texts = lines.slice(0, MANY_TEXTS);
  const works = CALL_SIZES.map(size => workOf(texts, size));
  const tokens = works[0].ids.reduce((sum, { length }) => sum + length, 0);
  const rates = (
    await race(
      TURNS,
      directory,
      works.map(work => ({ spec: F32, work })),
    )
  ).map(time => (1e3 * tokens) / (time ?? Infinity));
  const beyond = rates.filter((_, i) => CALL_SIZES[i] >= 32);
  const ratio = Math.min(...beyond) / Math.max(...beyond);
  printRow({
    what: 'tokens per second in calls of 32 texts and more; worst over best',
    goal: '≥ 0.85',
    measured: ratio.toFixed(2),
    met: ratio >= 0.85,
  });
  print(`  texts in a call:${CALL_SIZES.map((size, i) => `  ${size}: ${rates[i].toFixed(0)} tokens/s`).join('')}`);
}

async function measureMemory(): Promise<void> {
  const texts = lines.slice(0, Math.min(1000, MANY_TEXTS));
  const peakOf = async (spec: Spec, batch: number): Promise<number> => {
    const contender = await Contender.start(spec, directory);
    await contender?.time(workOf(texts, batch));
    const bytes = await contender?.peakMemory();
    contender?.stop();
    return bytes ?? NaN;
  };
  const glassbert = await peakOf({ ...F32, threads: 1 }, texts.length);
  const peer = await peakOf(TRANSFORMERS, 32);
  const limit = 1.5 * model.weightBytes + 80e6;
  printRow({
    what: `peak memory, f32, ${texts.length} texts, one thread; ${nameOf(TRANSFORMERS)}`,
    goal: `≤ 1.5 × + 80 MB`,
    measured: `${((glassbert - 80e6) / model.weightBytes).toFixed(2)} ×`,
    met: glassbert <= limit,
    glassbert: inMegabytes(glassbert),
    peer: inMegabytes(peer),
  });
}
