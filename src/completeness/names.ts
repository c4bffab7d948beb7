/**
 * Names and kinds of entries that do not survive the way to another system, or are not safe on it: a directory is carried
 * by way of Windows, macOS, FAT and archives, and must be the same afterwards.
 *
 * Sources: "Naming Files, Paths, and Namespaces" of Windows; Apple's HFS+ (NFD) and APFS (compares without regard to form).
 */
import { join } from 'node:path';
import { GlassbertError } from '../errors.ts';
import { DEVICE } from '../io/files.ts';
import { quote } from '../io/json.ts';
import type { Entry } from '../io/walk.ts';
import { type Findings, fold } from './findings.ts';
import type { Tree } from './tree.ts';

/** Windows takes 260 UTF-16 units for the whole path, drive and the model's own place included. */
const MAX_PORTABLE = 200;

/** Links that are followed: each costs calls of the operating system, and models have as many links as files. */
const MAX_LINKS = 10_000;

export function checkNames(entries: readonly Entry[], findings: Findings): void {
  const hint = 'Rename it, or carry the directory in an archive and unpack it on a system like this one.';
  const first = new Map<string, string>();
  for (const { name } of entries) {
    const slash = name.lastIndexOf('/') + 1;
    const part = name.slice(slash);
    const why = unportable(part, name);
    if (why !== undefined) findings.warn('W_NAME_NOT_PORTABLE', 'unsafe', name, `The name ${why}.`, hint);
    if (part !== part.normalize('NFC')) {
      const message = 'The name is not in the composed form of Unicode (NFC); a system on the way may change it.';
      findings.warn('W_NAME_FORM', 'unsafe', name, message, hint);
    }
    const key = name.slice(0, slash) + fold(part);
    const other = first.get(key);
    if (other === undefined) first.set(key, name);
    else {
      const differ = other.normalize('NFC') === name.normalize('NFC') ? 'the form of Unicode' : 'upper and lower case';
      const message = `The name differs from ${quote(other)} in ${differ} only: on Windows and macOS one replaces the other.`;
      findings.warn('W_NAME_COLLISION', 'unsafe', name, message, 'Remove or rename one of the two.');
    }
  }
}

/** Links that lead out of the directory, to nowhere or to themselves; and pipes, sockets, devices. */
export async function checkKinds(tree: Tree, directory: string, findings: Findings): Promise<void> {
  findings.refuseEach(
    tree.entries.filter(({ kind }) => kind === 'other'),
    ({ name }) =>
      new GlassbertError('E_FILE_TYPE', 'this is neither a file nor a directory', {
        file: join(directory, name),
        found: 'a pipe, a socket or a device',
        hint: 'No model needs it. Copying it may hang. Remove it.',
      }),
  );
  const links = tree.entries.filter(({ kind }) => kind === 'link');
  for (const { name } of links.slice(0, MAX_LINKS)) {
    try {
      await tree.locate(name);
    } catch (error) {
      if (!(error instanceof GlassbertError) || error.code !== 'E_FILE_MISSING') findings.refuse(error);
      else if (!findings.has(name)) {
        findings.warn('W_LINK_BROKEN', 'incomplete', name, 'The link leads nowhere.', error.hint ?? null);
      }
    }
  }
  if (links.length > 0) {
    const left = links.length - MAX_LINKS;
    const message = `${links.length} of the entries are links${left > 0 ? `, of which ${left} were not followed` : ''}.`;
    const hint = 'When you carry the directory away, copy what they lead to (cp -rL).';
    findings.note('W_LINKS', 'unsafe', '.', message, hint);
  }
}

function unportable(part: string, name: string): string | undefined {
  if (DEVICE.test(part)) return 'is that of a device on Windows';
  if (/[. ]$/.test(part)) return 'ends in a dot or a space, which Windows drops';
  if (/[<>:"\\|?*]/.test(part)) return 'holds one of < > : " \\ | ? *, which Windows does not allow';
  if (/\p{Cc}/u.test(part)) return 'holds a control character';
  if (name.length > MAX_PORTABLE)
    return `is longer than ${MAX_PORTABLE} characters, too long for many places on Windows`;
  return undefined;
}
