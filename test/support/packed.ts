/**
 * The package as users get it, which is not the checkout: built, packed, and installed with what it depends on and nothing
 * else. Both commands are npm's; the second asks the registry for the dependencies.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What of a clone decides what is packed; beside it a build would disturb tests that run at the same time. */
const PACKED = ['src', 'models', 'docs', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const ALWAYS = /^(README|LICENSE|SECURITY)/;

/** A clone in which `npm ci` has run. */
export function makeClone(clone: string): void {
  mkdirSync(clone);
  for (const name of readdirSync(ROOT)) {
    if (PACKED.includes(name) || ALWAYS.test(name)) cpSync(join(ROOT, name), join(clone, name), { recursive: true });
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
