/**
 * What is done when a signal ends the program: Ctrl-C, `kill`, a terminal that is closed. The actions of `onInterrupt` run,
 * none of which waits for anything, and the program ends at once; so there is no second signal.
 */
import { EXIT } from './exit-codes.ts';

const SIGNALS = { SIGINT: EXIT.sigint, SIGTERM: EXIT.sigterm, SIGHUP: EXIT.sighup } as const;

const actions = new Set<() => void>();

/** @param act - synchronous: nothing runs after it. @returns forgets it again */
export function onInterrupt(act: () => void): () => void {
  actions.add(act);
  return () => {
    actions.delete(act);
  };
}

/** Unfinished output files are removed on exit, see output.ts. */
export function endOnSignals(): void {
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      for (const act of actions) {
        try {
          act();
        } catch {
          // The others have their turn, and the program ends.
        }
      }
      process.exit(exitCode);
    });
  }
}
