/**
 * What can be run by name: `npm run bench -- NAME…`. Each folder of bench/ has a file `scenarios.ts` that lists its
 * own; bench/scenarios.ts puts the lists together.
 */
import type { Figure } from './figure.js';
import type { Progress } from './progress.js';

export interface RunOptions {
  /** How often each subject is measured; medians are reported. */
  readonly rounds: number;
  /** How long one measurement takes. */
  readonly seconds: number;
  /** Flags of the podwire daemons, as `--io poll`. */
  readonly daemonFlags: readonly string[];
}

export interface Runnable {
  /** Two parts: `node.tcp`. */
  readonly name: string;
  /** One line for people: what is measured. */
  readonly summary: string;
  /** Makes namespaces and devices. Without it, it runs for anybody. */
  readonly needsRoot: boolean;
  run(options: RunOptions, progress: Progress): Promise<Figure[]>;
}
