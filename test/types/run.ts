/**
 * The declarations of the package are read without an error by TypeScript from 5.4 on, with `skipLibCheck: false` and without
 * the types of Node or of browsers; program.ts states what it promises its users, and what it refuses.
 *
 *   npm run test:types              installs the compilers into this folder on first use
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackage, installTools } from '../support/installed-package.ts';

const HERE = import.meta.dirname;
const VERSIONS = ['5.4', '5.9', '7'];
const MODULES = { bundler: 'esnext', nodenext: 'nodenext' };

installTools(HERE);
const directory = installPackage();
copyFileSync(join(HERE, 'program.ts'), join(directory, 'program.ts'));
for (const [moduleResolution, module] of Object.entries(MODULES)) {
  const target = { target: 'es2022', lib: ['es2022'], types: [] };
  const compilerOptions = { ...target, module, moduleResolution, strict: true, skipLibCheck: false, noEmit: true };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  for (const version of VERSIONS) {
    const tsc = join(HERE, 'node_modules', `typescript-${version}`, 'bin', 'tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' });
    process.stdout.write(`TypeScript ${version}, ${moduleResolution}: ${status === 0 ? 'no error' : `\n${stdout}`}\n`);
    if (status !== 0) process.exitCode = 1;
  }
}
