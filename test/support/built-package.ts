/** The package as it is installed: some engines cannot run TypeScript (Node without WebAssembly, whose stripper is made of it). */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Compiles src into a temporary directory; `remove` when nothing needs it any more. */
export function buildPackage(): { readonly directory: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-built-'));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(directory, 'dist')]);
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  for (const name of ['node_modules', 'models']) symlinkSync(join(ROOT, name), join(directory, name), 'dir');
  return { directory, remove: () => rmSync(directory, { recursive: true }) };
}
