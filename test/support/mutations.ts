/**
 * What can happen to a directory between two places: what must be found, and what no record of files can see. Each changes
 * a copy of test/fixtures/conformance/bert-mean-normalize.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ErrorCode } from '../../src/errors.ts';

export interface Mutation {
  readonly what: string;
  /** The code it must end in; null for what cannot be seen. */
  readonly code: ErrorCode | null;
  /** @returns where the directory is now, when it moved; false where the system cannot do this */
  readonly change: (directory: string) => string | false | undefined;
}

/** An edit of a file in place. */
function edit(name: string, change: (bytes: Buffer) => Buffer): Mutation['change'] {
  return directory => {
    const path = join(directory, name);
    writeFileSync(path, change(readFileSync(path)));
    return undefined;
  };
}

function put(name: string): Mutation['change'] {
  return directory => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), 'new');
    return undefined;
  };
}

function rename(from: string, to: string): Mutation['change'] {
  return directory => {
    renameSync(join(directory, from), join(directory, to));
    return undefined;
  };
}

export const MUTATIONS: readonly Mutation[] = [
  { what: 'a file more', code: 'E_DIGEST', change: put('notes.txt') },
  { what: 'a hidden file more', code: 'E_DIGEST', change: put('.notes') },
  { what: 'a file more in a new directory', code: 'E_DIGEST', change: put('3_Dense/config.json') },
  { what: 'a file less', code: 'E_DIGEST', change: rename('1_Pooling/config.json', '../config.json') },
  {
    what: 'one bit flipped',
    code: 'E_DIGEST',
    change: edit('model.safetensors', bytes => {
      bytes[bytes.length - 1] ^= 1;
      return bytes;
    }),
  },
  {
    what: 'the last byte lost',
    code: 'E_DIGEST',
    change: directory => {
      const path = join(directory, 'model.safetensors');
      truncateSync(path, readFileSync(path).length - 1);
      return undefined;
    },
  },
  {
    what: 'a byte appended',
    code: 'E_DIGEST',
    change: directory => {
      appendFileSync(join(directory, 'config.json'), '\n');
      return undefined;
    },
  },
  {
    what: 'two files swapped',
    code: 'E_DIGEST',
    change: directory => {
      renameSync(join(directory, 'config.json'), join(directory, 'x'));
      renameSync(join(directory, 'modules.json'), join(directory, 'config.json'));
      renameSync(join(directory, 'x'), join(directory, 'modules.json'));
      return undefined;
    },
  },
  { what: 'a name in other case', code: 'E_DIGEST', change: rename('modules.json', 'Modules.json') },
  { what: 'a name changed in its last letter', code: 'E_DIGEST', change: rename('modules.json', 'modules.jsom') },
  {
    what: 'line ends of Windows',
    code: 'E_DIGEST',
    change: edit('config.json', bytes => Buffer.from(bytes.toString().replaceAll('\n', '\r\n'))),
  },
  {
    what: 'a pipe',
    code: 'E_FILE_TYPE',
    change: directory => {
      try {
        execFileSync('mkfifo', [join(directory, 'pipe')]);
        return undefined;
      } catch {
        return false;
      }
    },
  },
  {
    what: 'a link in place of a file',
    code: 'E_PATH_UNSAFE',
    change: directory => {
      renameSync(join(directory, 'config.json'), join(directory, 'other.json'));
      symlinkSync('other.json', join(directory, 'config.json'));
      return undefined;
    },
  },
  { what: '.gitattributes changed', code: null, change: put('.gitattributes') },
  { what: 'a file more in .git', code: null, change: put('.git/config') },
  {
    what: 'an empty directory more',
    code: null,
    change: directory => {
      mkdirSync(join(directory, 'empty'));
      return undefined;
    },
  },
  {
    what: 'the directory itself renamed',
    code: null,
    change: directory => {
      renameSync(directory, `${directory}-2`);
      return `${directory}-2`;
    },
  },
];
