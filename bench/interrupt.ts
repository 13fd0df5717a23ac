/**
 * SIGINT and SIGTERM while benchmarks run: the first aborts, so that what is open is closed and what was measured is
 * printed. Another one, a while later, ends the process at once; namespaces may then be left behind.
 *
 * The while is there because one Ctrl-C arrives twice: the terminal sends it to every process of the group, and npm passes
 * on its own. timeout(1) does the same with SIGTERM.
 */
import { setMaxListeners } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const SAME_MS = 1000;

export interface Interruption {
  readonly signal: AbortSignal;
  /** Back to what signals did before. */
  stop(): void;
}

/** @param end ends the process at once. */
export function listenForSignals(
  say: (text: string) => void,
  end: () => void = () => process.exit(1),
  now: () => number = Date.now,
): Interruption {
  const controller = new AbortController();
  // A scenario listens once for each thing that it waits for.
  setMaxListeners(0, controller.signal);
  let first: number | undefined;
  const heard = (name: NodeJS.Signals): void => {
    if (first !== undefined && now() - first >= SAME_MS) end();
    if (first !== undefined) return;
    first = now();
    say(`${name}: closing what is open (once more, in a second, ends at once and leaves it)`);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, heard);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of SIGNALS) process.off(name, heard);
    },
  };
}
