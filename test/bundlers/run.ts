/**
 * A program that imports glassbert is built by each bundler without settings for it, and gives the bits that it gives unbundled.
 *
 *   npm run test:bundlers              installs the bundlers into this folder on first use
 */
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPacked } from '../support/packed.ts';
import { withBundle } from '../support/signatures.ts';
import { signing } from '../support/x509.ts';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const MODEL = join(ROOT, 'models', 'glassbert-mini');

/** Of the program, which gives 300 texts to the threads, and verifies a keyless signature that is not valid. */
interface Printed {
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly threads: number;
  readonly warnings: readonly string[];
  readonly keylessCode: string;
  /** 'loaded', or the hint of the error. */
  readonly own: string;
}

/**
 * Builds the program and gives the path of what is to be run.
 *
 * @throws where a bundler fails, or warns about what is not ours to leave
 */
type Build = (program: string, out: string) => Promise<string>;

// biome-ignore lint/suspicious/noExplicitAny: they are installed here alone, and their types with them
const tool = (name: string): Promise<any> => import(name);

const esbuild =
  (format: 'esm' | 'cjs'): Build =>
  async (program, out) => {
    const { build } = await tool('esbuild');
    const file = join(out, format === 'esm' ? 'program.mjs' : 'program.cjs');
    const { warnings } = await build({
      entryPoints: [program],
      outfile: file,
      bundle: true,
      platform: 'node',
      format,
      logLevel: 'silent',
    });
    deepStrictEqual(warnings, []);
    return file;
  };

const rollup: Build = async (program, out) => {
  const { rollup } = await tool('rollup');
  const { default: nodeResolve } = await tool('@rollup/plugin-node-resolve');
  const { default: commonjs } = await tool('@rollup/plugin-commonjs');
  const plugins = [nodeResolve({ preferBuiltins: true }), commonjs()];
  const onwarn = ({ code, message }: { code: string; message: string }): void => {
    if (code !== 'THIS_IS_UNDEFINED') throw new Error(message); // of a helper that TypeScript writes
  };
  const bundle = await rollup({ input: program, plugins, onwarn });
  await bundle.write({ file: join(out, 'program.mjs'), format: 'esm' });
  return join(out, 'program.mjs');
};

const viteSsr: Build = async (program, out) => {
  const { build } = await tool('vite');
  const options = { ssr: program, outDir: out, rolldownOptions: { output: { entryFileNames: 'program.mjs' } } };
  const root = join(program, '..');
  await build({ root, configFile: false, logLevel: 'error', ssr: { noExternal: true }, build: options });
  return join(out, 'program.mjs');
};

const webpack: Build = async (program, out) => {
  const { default: webpack } = await tool('webpack');
  const optimization = { minimize: false }; // most of the time, and nothing of ours
  const output = { path: out, filename: 'program.cjs' };
  await new Promise<void>((resolve, reject) => {
    webpack(
      { mode: 'production', target: 'node', entry: program, output, optimization },
      // biome-ignore lint/suspicious/noExplicitAny: see `tool`
      (error: Error | null, stats: any) => {
        if (error) reject(error);
        else if (stats.hasErrors() || stats.hasWarnings())
          reject(new Error(stats.toString({ all: false, errors: true, warnings: true }))); // biome-ignore format: one line
        else resolve();
      },
    );
  });
  return join(out, 'program.cjs');
};

const NOT_HERE = 'Give the path of a model directory, or leave glassbert out of the bundle (external).';

const BUILDS: readonly [string, Build][] = [
  ['esbuild, ESM', esbuild('esm')],
  ['esbuild, CommonJS', esbuild('cjs')],
  ['rollup', rollup],
  ['Vite SSR, noExternal', viteSsr],
  ['webpack', webpack],
];

if (!existsSync(join(HERE, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: HERE, stdio: 'inherit' });
const temporary = mkdtempSync(join(tmpdir(), 'glassbert-bundlers-'));
process.once('exit', () => rmSync(temporary, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
const directory = installPacked(temporary);
const program = join(directory, 'program.mjs');
copyFileSync(join(HERE, 'program.mjs'), program);
const signature = join(directory, 'keyless.sig');
writeFileSync(
  signature,
  withBundle(bundle => {
    const rawBytes = Buffer.from(signing({ name: 'x' }).der).toString('base64');
    bundle.verificationMaterial = { certificate: { rawBytes }, tlogEntries: [{}] };
  }),
);

const run = (file: string): Printed =>
  JSON.parse(execFileSync(process.execPath, [file, MODEL, signature], { encoding: 'utf8' }));

const programs = [['unbundled', program]];
for (const [name, build] of BUILDS) {
  programs.push([name, await build(program, join(directory, 'out', name.replaceAll(/\W+/g, '-')))]);
}
// All are built where the optional packages are not; then they run there, and once more where they are.
const { shape, sha256, warnings, keylessCode, own } = run(program);
deepStrictEqual(
  { shape, warnings, keylessCode, own },
  { shape: [300, 192], warnings: [], keylessCode: 'E_DEPENDENCY', own: 'loaded' },
);
for (const [name, file] of programs) {
  const printed = run(file);
  // With one thread and a word about it where the script of the threads is not beside the program: otherwise as before.
  const { threads } = printed;
  const expected = { shape, sha256, threads, warnings: threads === 1 ? ['W_NO_THREADS'] : [], keylessCode };
  const own = printed.own === 'loaded' ? 'loaded' : NOT_HERE;
  deepStrictEqual(printed, { ...expected, own });
  process.stdout.write(`${name.padEnd(24)}the same bits, ${threads} ${threads === 1 ? 'thread' : 'threads'}\n`);
}
cpSync(join(ROOT, 'node_modules', '@sigstore'), join(directory, 'node_modules', '@sigstore'), { recursive: true });
for (const [name, file] of programs) deepStrictEqual([name, run(file).keylessCode], [name, 'E_SIGNATURE']);
process.stdout.write('an optional package that is installed is found by all of them\n');
process.stdout.write(
  `${BUILDS.length} of ${BUILDS.length} builds give the bits of the program that is not built; not built here: Next, ncc, Bun and rolldown alone\n`,
);
