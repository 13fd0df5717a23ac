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
  /** The baselines to be run, by name; podwire always runs. Without it, all of them. */
  readonly subjects?: readonly string[];
  /**
   * Aborted when the run is to end early (SIGINT, SIGTERM: bench/run.ts is the one that listens). A scenario then
   * closes what it has open; figures that it answers are printed. `Progress.say` throws from then on, so one that
   * says its steps and cleans up in `finally` needs to do nothing more.
   */
  readonly signal?: AbortSignal;
}

export interface Runnable {
  /** Two parts: `node.tcp`. */
  readonly name: string;
  /** One line for people: what is measured. */
  readonly summary: string;
  /** Makes namespaces and devices. Without it, it runs for anybody. */
  readonly needsRoot: boolean;
  /** What `--baseline` may name of it; without it, its baselines are podwire itself. */
  readonly baselines?: readonly string[];
  run(options: RunOptions, progress: Progress): Promise<Figure[]>;
}
