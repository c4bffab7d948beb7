/**
 * A program that imports glassbert is built by each bundler without settings for it, and gives the bits that it gives unbundled.
 *
 *   npm run test:bundlers              installs the bundlers into this folder on first use
 */
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage, installTools } from '../support/installed-package.ts';

const HERE = import.meta.dirname;
const MODEL = join(HERE, '..', '..', 'models', 'glassbert-mini');

/** The program gives 300 texts to the threads; what it prints is one line. */
interface Printed {
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly threads: number;
  readonly warnings: readonly string[];
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
  const onwarn = ({ code, exporter, message }: { code: string; exporter?: string; message: string }): void => {
    // It says of the optional peers that it leaves them.
    if (code !== 'UNRESOLVED_IMPORT' || !exporter?.startsWith('@sigstore/')) throw new Error(message);
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

const BUILDS: readonly [string, Build][] = [
  ['esbuild, ESM', esbuild('esm')],
  ['esbuild, CommonJS', esbuild('cjs')],
  ['rollup', rollup],
  ['Vite SSR, noExternal', viteSsr],
  ['webpack', webpack],
];

const run = (file: string): Printed => JSON.parse(execFileSync(process.execPath, [file, MODEL], { encoding: 'utf8' }));

installTools(HERE);
const directory = installPackage();
const program = join(directory, 'program.js');
copyFileSync(join(HERE, 'program.js'), program);

const { shape, sha256, warnings } = run(program);
deepStrictEqual({ shape, warnings }, { shape: [300, 192], warnings: [] });
process.stdout.write(`${'unbundled'.padEnd(24)}${sha256.slice(0, 16)}\n`);
for (const [name, build] of BUILDS) {
  const printed = run(await build(program, join(directory, 'out', name.replaceAll(/\W+/g, '-'))));
  // With one thread and a word about it where the script of the threads is not beside the program: otherwise as before.
  const { threads } = printed;
  deepStrictEqual(printed, { shape, sha256, threads, warnings: threads === 1 ? ['W_NO_THREADS'] : [] });
  process.stdout.write(`${name.padEnd(24)}the same bits, ${threads} ${threads === 1 ? 'thread' : 'threads'}\n`);
}
