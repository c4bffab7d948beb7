/** The commands of docs/closed-network.md print what the page says; keys and what follows from them are new each time. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLOSED_NETWORK, runPage } from './misc/make-closed-network.ts';

const missing = ['bash', 'openssl', 'sha256sum', 'tar', 'dd', 'cmp', 'npm'].filter(
  tool => spawnSync(tool, ['--version']).error !== undefined,
);
const { engines, dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
// The tool is installed as the page installs it, with the packages that it needs from npm.
const wanted = `commander@${dependencies.commander}`;
if (spawnSync('npm', ['view', wanted, 'version', '--silent']).status !== 0) missing.push('registry of npm');
if (missing.length > 0) process.stdout.write(`not run: docs/closed-network.md, as there is no ${missing.join(', ')}\n`);

test.skipIf(missing.length > 0)('every command of the page does what it says', { timeout: 240_000 }, () => {
  const page = readFileSync(CLOSED_NETWORK, 'utf8');
  const withoutKeys = (text: string): string => text.replace(/\b[0-9a-f]{64}\b/g, '<64 digits>');
  expect(withoutKeys(runPage(page))).toBe(withoutKeys(page));
  for (const proof of ['fine', 'the same bits', 'exit code 2', "  code: 'E_DIGEST'"])
    expect(page).toContain(`\n${proof}`);
  expect(page).toContain(`Node ${engines.node.replace('>=', '')} or later`);
});
