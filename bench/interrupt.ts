/**
 * SIGINT and SIGTERM while benchmarks run: the first aborts, so that what is open is closed and what was measured is
 * printed. A second one ends the process at once; namespaces may then be left behind.
 */
import { setMaxListeners } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interruption {
  readonly signal: AbortSignal;
  /** Back to what signals did before. */
  stop(): void;
}

export function listenForSignals(say: (text: string) => void): Interruption {
  const controller = new AbortController();
  // A scenario listens once for each thing that it waits for.
  setMaxListeners(0, controller.signal);
  const heard = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(1);
    say(`${name}: closing what is open (once more ends at once and leaves it)`);
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
