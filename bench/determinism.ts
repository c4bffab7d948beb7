/**
 * One SHA-256 everywhere: the vectors of the reference kernels, over every published text of glassbert-mini, on each Node
 * that npm's package `node` offers. Each is installed into a temporary directory and runs this file with --hash.
 *
 *   npm run determinism                 on Node 22, 24 and 26
 *   npm run determinism -- 22.18.0 24   on others
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SentenceEncoder } from '../src/index.ts';

const VERSIONS = ['22.18.0', '24', '26'];

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

if (process.argv[2] === '--hash') {
  const reference = new URL('../test/fixtures/glassbert-mini/reference.json', import.meta.url);
  const { items }: { items: { text: string }[] } = JSON.parse(readFileSync(reference, 'utf8'));
  const encoder = await SentenceEncoder.load(undefined, { kernels: 'reference' });
  const { data } = await encoder.encode(items.map(({ text }) => text));
  const hash = createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');
  print(`${hash}  Node ${process.version}, V8 ${process.versions.v8}, ${process.platform}-${process.arch}`);
} else {
  const directory = mkdtempSync(join(tmpdir(), 'glassbert-node-'));
  try {
    const hashes = (process.argv.length > 2 ? process.argv.slice(2) : VERSIONS).map(version => {
      const prefix = join(directory, version);
      mkdirSync(prefix);
      const manifest = { private: true, dependencies: { node: version }, allowScripts: { node: true } };
      writeFileSync(join(prefix, 'package.json'), JSON.stringify(manifest));
      execFileSync('npm', ['install', '--loglevel=error'], { cwd: prefix, stdio: ['ignore', 'ignore', 'inherit'] });
      const node = join(prefix, 'node_modules', '.bin', 'node');
      const line = execFileSync(node, [import.meta.filename, '--hash'], { encoding: 'utf8' }).trim();
      print(line);
      return line.slice(0, 64);
    });
    if (new Set(hashes).size > 1) throw new Error('the bits differ');
    print(`${hashes.length} versions, one SHA-256`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
