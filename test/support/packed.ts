/**
 * The package as users get it, which is not the checkout: built, packed, and installed with what it depends on and nothing
 * else. Both commands are npm's; the second asks the registry for the dependencies.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What packing needs of a clone beside the files that it names, and what npm packs unasked. */
const NEEDED = /^(package\.json|tsconfig(\.build)?\.json|README.*|LICENSE)$/;

/** A clone in which `npm ci` has run; a build in the checkout itself would disturb tests that run at the same time. */
export function makeClone(clone: string): void {
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  mkdirSync(clone);
  for (const name of readdirSync(ROOT)) {
    const wanted = NEEDED.test(name) || (files.includes(name) && name !== 'dist');
    if (wanted) cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'), 'junction');
}

/** @returns the directory that holds `node_modules/glassbert` */
export function installPacked(directory: string): string {
  const clone = join(directory, 'glassbert');
  const npm = (...args: string[]): string => execFileSync('npm', args, { cwd: directory, encoding: 'utf8' });
  makeClone(clone);
  const archive = npm('pack', './glassbert', '--silent').trim();
  npm('install', `./${archive}`, '--prefix', 'tool', '--silent');
  return join(directory, 'tool');
}
