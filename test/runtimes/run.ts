/**
 * The package under other runtimes: everything that the command line and a program say and compute under Bun and Deno is
 * what they say and compute under Node. `npm run test:runtimes`; it installs what it needs into this folder, 190 MB.
 *
 * Deno is given `--allow-read`, and `--allow-write` where something is written: nothing here needs more.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPacked } from '../support/packed.ts';
import { authority, ecKeys, publicPem, rsaKeys, signing } from '../support/x509.ts';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const MODEL = fileURLToPath(new URL('../../models/glassbert-mini', import.meta.url));

interface Runtime {
  readonly name: string;
  readonly command: string;
  readonly args: (writes: boolean) => readonly string[];
}

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is run, and what of it must be as under Node. */
interface Case {
  readonly name: string;
  readonly args: readonly string[];
  /** A program in place of the command line. */
  readonly program?: string;
  readonly writes?: boolean;
  /** By default all that is said, and the exit code. */
  readonly compare?: (said: Said) => unknown;
  /** What `compare` gives there, where that is not what it gives under Node. */
  readonly found?: unknown;
  /** How far numbers of it may lie apart; by default not at all. */
  readonly within?: number;
  /** Of Node, so that nothing is compared with a failure. */
  readonly status?: number;
}

const CERTIFICATES = ['--signing-certificate', 'leaf.pem', '--certificate-chain', 'middle.pem'];

/** A name that a terminal would obey. */
const EVIL = '\x1b]0;PWNED\x07\u202e';

const directory = mkdtempSync(join(tmpdir(), 'glassbert-runtimes-'));
try {
  process.exitCode = await main();
} finally {
  rmSync(directory, { recursive: true });
}

async function main(): Promise<number> {
  const [node, ...others] = installRuntimes();
  const tool = installPacked(directory);
  makeInputs();
  let different = 0;
  const all = cases();
  for (const each of all) {
    const { compare = (said: Said): unknown => said, status = 0, within = 0 } = each;
    const wanted = (said: Said): unknown => ('found' in each ? each.found : compare(said));
    const expected = run(node, tool, each);
    if (expected.status !== status)
      throw new Error(`${each.name}: Node ends with ${expected.status}, ${expected.stderr}`);
    for (const runtime of others) {
      const found = run(runtime, tool, each);
      const same = isSame(wanted(expected), compare(found), within);
      print(`${!same ? 'DIFFERS' : 'found' in each ? 'as said' : 'as Node'}  ${runtime.name.padEnd(11)}  ${each.name}`);
      if (same) continue;
      different++;
      print(`expected ${JSON.stringify(expected, undefined, 2)}\nfound ${JSON.stringify(found, undefined, 2)}`);
    }
  }
  const names = others.map(({ name }) => name).join(' and ');
  const count = all.length * others.length;
  print(`\n${count - different} of ${count} as ${node.name}: ${all.length} cases under ${names}`);
  print('not run here: passphrases asked for on a terminal, signals, and what needs a network');
  return different === 0 ? 0 : 1;
}

/** Node first. The programs of the others lie in the packages of the platforms; one package may hold one that cannot run. */
function installRuntimes(): Runtime[] {
  const modules = join(HERE, 'node_modules');
  if (!existsSync(modules)) execFileSync('npm', ['ci'], { cwd: HERE, stdio: 'inherit' });
  const find = (scope: string, file: string): string => {
    const found = readdirSync(join(modules, scope))
      .map(name => join(modules, scope, name, file))
      .find(path => spawnSync(path, ['--version']).status === 0);
    if (found === undefined) throw new Error(`no package of ${scope} runs on this machine`);
    return found;
  };
  const ending = process.platform === 'win32' ? '.exe' : '';
  const version = (path: string): string =>
    /[0-9.]{5,}/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[0] ?? '';
  const [bun, deno] = [find('@oven', `bin/bun${ending}`), find('@deno', `deno${ending}`)];
  return [
    { name: `Node ${process.versions.node}`, command: process.execPath, args: () => [] },
    { name: `Bun ${version(bun)}`, command: bun, args: () => [] },
    {
      name: `Deno ${version(deno)}`,
      command: deno,
      args: writes => ['run', '--no-prompt', '--allow-read', ...(writes ? ['--allow-write'] : [])],
    },
  ];
}

function makeInputs(): void {
  const at = (...parts: string[]): string => join(directory, ...parts);
  cpSync(MODEL, at('model'), { recursive: true });
  cpSync(MODEL, at('damaged'), { recursive: true });
  writeFileSync(at('damaged', 'config.json'), '{}');
  cpSync(MODEL, at('incomplete'), { recursive: true });
  for (const name of ['model.safetensors', 'SHA256SUMS', 'model.sig']) rmSync(at('incomplete', name));
  cpSync(MODEL, at('odd'), { recursive: true });
  for (const name of [EVIL, 'e\u0301', '\u00e9', '\ufffd']) writeFileSync(at('odd', name), name);
  symlinkSync('config.json', at('odd', `${EVIL}link`));
  cpSync(`${MODEL}.pem`, at('publisher.pem'));
  writeFileSync(at('texts.txt'), 'The weather is lovely today.\nHe drove to the stadium.\n');
  const keys = ecKeys('P-384');
  const { privateKey } = keys;
  writeFileSync(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(at('key.pub'), publicPem(keys));
  const encryption = { cipher: 'aes-256-cbc', passphrase: 'open' };
  writeFileSync(at('encrypted.pem'), privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption }));
  const root = authority({ name: 'root', keys: rsaKeys(2048) });
  const middle = authority({ name: 'middle', issuer: root });
  writeFileSync(at('root.pem'), root.pem);
  writeFileSync(at('other.pem'), authority({ name: 'other' }).pem);
  writeFileSync(at('middle.pem'), middle.pem);
  writeFileSync(at('leaf.pem'), signing({ name: 'leaf', issuer: middle, keys }).pem);
  mkdirSync(at('large'));
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(at('large', name), name);
    truncateSync(at('large', name), 2 ** 26);
  }
  mkdirSync(at('bytes'));
  for (const byte of [0xfe, 0xff]) writeFileSync(Buffer.concat([Buffer.from(at('bytes', 'a')), Buffer.of(byte)]), '');
}

function cases(): Case[] {
  const program = (text: string): string => `import { readFileSync } from 'node:fs';
import { SentenceEncoder } from 'glassbert';
const verify = { publicKey: readFileSync('publisher.pem', 'utf8') };
${text}`;
  const exact = ['--model', 'model', '--kernels', 'reference'];
  const command = (name: string, status = 0): Case => ({ name, args: name.split(' '), status });
  return [
    { name: 'no arguments', args: [], compare: numbers, within: 1e-3 },
    { name: 'embed, reference kernels', args: ['embed', '--input', 'texts.txt', ...exact] },
    { name: 'embed, one thread', args: ['embed', '--input', 'texts.txt', ...exact, '--threads', '1'] },
    // Relaxed operations of WebAssembly round once or twice, as the engine likes.
    {
      name: 'embed, the kernels of the machine',
      args: ['embed', '--input', 'texts.txt'],
      compare: vectors,
      within: 1e-6,
    },
    { name: 'embed to a file', args: ['embed', 'a', '--output', 'a.npy', ...exact], writes: true },
    { name: 'tokens', args: ['tokens', 'Größe 日本 👍', '--model', 'model'] },
    { name: 'similar', args: ['similar', 'a', 'b', ...exact] },
    { name: 'inspect', args: ['inspect', 'model', '--kernels', 'reference'] },
    // The flag of V8 is of no use there, and that is said: the vectors are the same, only no faster.
    {
      name: 'inspect --wide',
      args: ['inspect', 'model', '--wide'],
      compare: ({ status, stdout }) => [status, /kernels +([a-z ]+)/.exec(stdout)?.[1], /W_NOT_WIDE/.test(stdout)],
      found: [0, 'simd', true],
    },
    {
      name: 'embed --wide',
      args: ['embed', '--input', 'texts.txt', '--wide'],
      compare: vectors,
      within: 1e-6,
    },
    ...['check model', 'check model --json', 'manifest model'].map(name => command(name)),
    ...['verify model', 'verify model --public-key publisher.pem', 'verify model --json'].map(name => command(name)),
    command('check incomplete', 1),
    command('verify damaged', 2),
    command('verify damaged --json', 2),
    command('verify odd --public-key publisher.pem', 4),
    command('manifest odd --allow-symlinks'),
    command('verify model --public-key key.pub', 3),
    command('verify nothing', 64),
    { name: 'sign', args: ['sign', 'model', '--private-key', 'key.pem', '--output', 'm.sig'], writes: true },
    command('verify model --signature m.sig --public-key key.pub'),
    {
      name: 'sign with a certificate',
      args: [...'sign model --private-key key.pem --output c.sig'.split(' '), ...CERTIFICATES],
      writes: true,
    },
    command('verify model --signature c.sig --certificate-root root.pem'),
    command('verify model --signature c.sig --certificate-root root.pem --at now'),
    command('verify model --signature c.sig --certificate-root other.pem', 3),
    command('sign model --private-key encrypted.pem --output e.sig', 64),
    command('manifest large'), // which takes threads
    command('verify bytes --expect sha256:'.concat('0'.repeat(64)), 4),
    {
      name: 'load({ verify }), encode, dispose',
      args: [],
      compare: ({ status, stdout }) => [status, stdout], // each has its own way to tell a warning
      program: program(`
const encoder = await SentenceEncoder.load('model', { verify, kernels: 'reference', threads: 2 });
const { data, shape } = await encoder.encode(['a', 'b']);
console.log(JSON.stringify([encoder.report.verification.signer, shape, Array.from(data)]));
await encoder.dispose();`),
    },
    {
      name: 'load({ verify }) of what was changed',
      args: [],
      program: program(`
await SentenceEncoder.load('damaged', { verify }).catch(({ code, message, hint }) => console.log(code, message, hint));`),
    },
    {
      name: 'an error that nobody catches tells a terminal nothing',
      args: [],
      status: 1,
      program: program(`
await SentenceEncoder.load('odd', { verify }).catch(error => console.error(error));
await SentenceEncoder.load(${JSON.stringify(`${EVIL}/nothing`)});`),
      compare: ({ status, stderr }) => [status, /E_PATH_UNSAFE/.test(stderr), /[^\P{C}\n\t]/u.test(stderr)],
    },
  ];
}

/** The lines of JSON, and not the warnings about kernels. */
function vectors({ status, stdout }: Said): unknown {
  return [
    status,
    stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
  ];
}

/** A table of cosines. */
function numbers({ status, stdout }: Said): unknown {
  return [status, stdout.split(/(-?\d+\.\d+)/).map((part, i) => (i % 2 === 0 ? part.trim() : Number(part)))];
}

function isSame(a: unknown, b: unknown, within: number): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= within;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value], i) => key === right[i][0] && isSame(value, right[i][1], within))
  );
}

function run({ command, args }: Runtime, tool: string, { args: own, program, writes = false }: Case): Said {
  const script =
    program === undefined
      ? join(tool, 'node_modules', 'glassbert', 'dist', 'cli', 'main.js')
      : join(tool, 'program.mjs');
  if (program !== undefined) writeFileSync(script, program);
  const { FORCE_COLOR, NODE_OPTIONS, ...env } = process.env;
  const { status, stdout, stderr, error } = spawnSync(command, [...args(writes), script, ...own], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1' },
    timeout: 120_000,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
