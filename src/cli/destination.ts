/** What must hold of the place where vectors go to, before a model is loaded. */
import { closeSync, openSync, readSync } from 'node:fs';
import { GlassbertError } from '../errors.ts';
import type { Source } from './input/source.ts';
import { realPath, statOf } from './output.ts';
import { partialOf, RESUMABLE } from './resume.ts';
import { type FormatName, isVectorFile } from './vector-formats.ts';

/** @throws E_ARGUMENT, E_OUTPUT */
export function checkDestination(
  format: FormatName,
  file: string | undefined,
  source: Source | undefined,
  isResumed: boolean,
): void {
  if (isResumed && (file === undefined || !RESUMABLE.includes(format))) {
    throw new GlassbertError('E_ARGUMENT', '--resume goes on with a file of lines', {
      expected: `--output FILE, in the format ${RESUMABLE.join(', ')}`,
      found: file === undefined ? 'no --output' : format,
    });
  }
  if (file !== undefined) {
    checkReplaceable(file, source);
    if (RESUMABLE.includes(format)) {
      checkReplaceable(partialOf(file), source);
      if (!isResumed) checkNothingKept(partialOf(file));
    }
    return;
  }
  if (format !== 'npy') return;
  if (process.stdout.isTTY) {
    throw new GlassbertError('E_ARGUMENT', 'npy is binary, and stdout is a terminal', {
      hint: 'Give a file to write: --output FILE, or > FILE.',
    });
  }
  if (source === undefined) return;
  throw new GlassbertError('E_ARGUMENT', 'a .npy file begins with the number of its rows, which is not known yet', {
    hint: 'Give a file to write, where it can be put in at the end: --output FILE.',
  });
}

/** What an interrupted run has left of an output: the file beside it, else the output itself. */
export function keptFile(output: string): string | undefined {
  return [partialOf(output), output].find(file => statOf(file)?.isFile());
}

/** A slip replaces no model, no text and no table: a file that is there must begin as one that embed wrote, or be empty. */
function checkReplaceable(file: string, source: Source | undefined): void {
  const existing = statOf(realPath(file));
  if (existing === undefined || !existing.isFile()) return; // openOutputFile tells the rest
  const { stats } = source ?? {};
  if (stats !== undefined && stats.dev === existing.dev && stats.ino === existing.ino) {
    throw new GlassbertError('E_OUTPUT', 'the output is the input itself', { file, hint: 'Name another file.' });
  }
  if ((existing.mode & 0o222) === 0) {
    throw new GlassbertError('E_OUTPUT', 'a file is there that may only be read; it is not replaced', {
      file,
      hint: 'Name another file, or allow writing first: chmod u+w FILE',
    });
  }
  if (existing.size === 0 || isVectorFile(headOf(file))) return;
  throw new GlassbertError('E_OUTPUT', 'a file is there that glassbert embed did not write; it is not replaced', {
    file,
    hint: 'Name another file, or remove this one first.',
  });
}

/** A second run that is interrupted too would put the little that it has in the place of what the first one kept. */
function checkNothingKept(partial: string): void {
  const existing = statOf(partial);
  if (!existing?.isFile() || existing.size === 0) return; // openOutputFile tells what is no file
  throw new GlassbertError('E_OUTPUT', 'an interrupted run left its vectors here', {
    file: partial,
    hint: '--resume goes on from there; to start anew, remove the file first.',
  });
}

function headOf(file: string): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const head = new Uint8Array(65_536);
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } catch {
    return new Uint8Array(); // what cannot be looked at is not replaced either
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
