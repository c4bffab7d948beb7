/**
 * The declarations of the package are read without an error by TypeScript from 5.4 on, with `skipLibCheck: false` and without
 * the types of Node or of browsers; program.mts states what it promises its users, and what it refuses.
 *
 *   npm run test:types              installs the compilers into this folder on first use
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPacked } from '../support/packed.ts';

const HERE = import.meta.dirname;
const VERSIONS = ['5.4', '5.9', '7'];
const MODULES = { bundler: 'esnext', nodenext: 'nodenext' };

if (!existsSync(join(HERE, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: HERE, stdio: 'inherit' });
const temporary = mkdtempSync(join(tmpdir(), 'glassbert-types-'));
process.once('exit', () => rmSync(temporary, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
const directory = installPacked(temporary);
copyFileSync(join(HERE, 'program.mts'), join(directory, 'program.mts'));
let passed = 0;
for (const [moduleResolution, module] of Object.entries(MODULES)) {
  const target = { target: 'es2022', lib: ['es2022'], types: [] };
  const compilerOptions = { ...target, module, moduleResolution, strict: true, skipLibCheck: false, noEmit: true };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.mts'] }));
  for (const version of VERSIONS) {
    const tsc = join(HERE, 'node_modules', `typescript-${version}`, 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' });
    process.stdout.write(`TypeScript ${version}, ${moduleResolution}: ${status === 0 ? 'no error' : `\n${stdout}`}\n`);
    if (status === 0) passed++;
    else process.exitCode = 1;
  }
}
const count = Object.keys(MODULES).length * VERSIONS.length;
process.stdout.write(`${passed} of ${count} compile; not tried: versions between these, and moduleResolution node10\n`);
