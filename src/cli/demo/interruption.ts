/**
 * Signals while the demo runs. The first one makes the check that runs count as over, so that the way back
 * begins; further ones are passed over, since the way back is bounded and should not be cut short.
 */
import { type CliError, failure } from '../errors.js';
import { whenOutputCloses } from '../output/closed-pipe.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Interruption {
  readonly #happened: Promise<never>;
  #onSignal: (signal: NodeJS.Signals) => void = () => undefined;
  readonly #stopWatchingOutput: () => void;

  constructor() {
    let onClosedOutput: () => void = () => undefined;
    this.#happened = new Promise((_, reject) => {
      this.#onSignal = (signal) => reject(interrupted(signal));
      onClosedOutput = () => reject(interrupted('a closed output'));
    });
    this.#happened.catch(() => undefined);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    this.#stopWatchingOutput = whenOutputCloses(onClosedOutput);
  }

  /** What `work` comes to, unless a signal comes first. Then `work` goes on, and nobody waits for it. */
  race<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    return Promise.race([work, this.#happened]);
  }

  /** Signals are the process's own again. */
  over(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    this.#stopWatchingOutput();
  }
}

function interrupted(by: string): CliError {
  return failure('INTERRUPTED', `${by} ended the demo; what it had made is removed again`);
}
