/** The package as users have it: packed by npm and installed, beside tools that have a folder with a lock file of their own. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Installs what the lock file of a folder names, unless it is there. */
export function installTools(folder: string): void {
  if (!existsSync(join(folder, 'node_modules'))) npm(folder, 'ci');
}

/** A program's directory with glassbert installed, without its optional peers. It is gone when the process ends. */
export function installPackage(): string {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-installed-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  npm(ROOT, 'pack', '--silent', '--pack-destination', directory);
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  npm(directory, 'install', '--silent', '--prefer-offline', '--omit=peer', './glassbert-0.1.0.tgz');
  return directory;
}
