/**
 * Runs the commands of docs/closed-network.md, one after the other in a directory of their own, and writes what they print
 * below them. To run it, in the root of the repository:
 *
 *   npm exec -- node test/misc/make-closed-network.ts
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeClone } from '../support/packed.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const CLOSED_NETWORK: string = join(ROOT, 'docs', 'closed-network.md');

/** The page with what its commands print now. */
export function runPage(page: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-page-'));
  try {
    cpSync(join(ROOT, 'models', 'glassbert-mini'), join(directory, 'model'), { recursive: true });
    for (const made of ['SHA256SUMS', 'model.sig']) rmSync(join(directory, 'model', made), { force: true });
    makeClone(join(directory, 'glassbert'));
    const program = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    return page.replace(/```console\n([\s\S]*?)```/g, (_, block: string) => {
      const commands = block.split('\n').filter(line => line.startsWith('$ '));
      const runs = commands.map(command => {
        const tool = join(directory, 'inside', 'tool');
        if (existsSync(tool)) writeFileSync(join(tool, 'load.mjs'), program);
        return `${command}\n${run(command.slice(2), directory)}`;
      });
      return `\`\`\`console\n${runs.join('')}\`\`\``;
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What a command prints, to either stream. */
function run(command: string, directory: string): string {
  const glassbert = 'glassbert() { node tool/node_modules/glassbert/dist/cli/main.js "$@"; }'; // as the page says
  const { stdout, error } = spawnSync('bash', ['-c', `exec 2>&1; ${glassbert}; ${command}`], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  if (error) throw error;
  return stdout;
}

if (import.meta.main) writeFileSync(CLOSED_NETWORK, runPage(readFileSync(CLOSED_NETWORK, 'utf8')));
