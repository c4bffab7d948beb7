/** What `npm pack` takes into the package. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeClone } from './support/packed.ts';

test('what was built is what the source says: nothing of an earlier build is packed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const clone = join(directory, 'glassbert');
  makeClone(clone);
  mkdirSync(join(clone, 'dist', 'cli'), { recursive: true });
  for (const stale of ['stale.js', 'cli/stale.js', 'index.js']) writeFileSync(join(clone, 'dist', stale), 'stale');

  const packed = execFileSync('npm', ['pack', './glassbert', '--dry-run', '--json', '--silent'], { cwd: directory });
  const [{ files }] = JSON.parse(packed.toString());
  const built = files.map(({ path }: { path: string }) => path).filter((path: string) => path.startsWith('dist/'));
  const expected = readdirSync(join(clone, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .flatMap(name => ['.d.ts', '.d.ts.map', '.js', '.js.map'].map(ending => `dist/${name.replace(/\.ts$/, ending)}`));
  expect(built.sort()).toEqual(expected.sort());
  expect(built.length).toBeGreaterThan(100);
});
