/**
 * Times cases with benchmark.js: in rounds, each case once in each, so that what a machine does in between meets all
 * of them alike. benchmark.js finds out how many calls make a sample, and takes samples for as long as it may. A
 * round's figure is the lower quartile of them: what else goes on makes some samples slow and none fast.
 *
 * The reference loop (reference.ts) is timed in each round as well.
 */
import Benchmark from 'benchmark';
import { quantile } from '../figure.js';
import { REFERENCE_STEPS, ReferenceLoop } from './reference.js';

export interface Case {
  readonly name: string;
  /** Packets, or whatever is counted, of one call of `run`. */
  readonly packets: number;
  /** Before each round, not timed. */
  prepare?(): void;
  run(): void;
}

export interface Budget {
  readonly rounds: number;
  /** Of one case in one round. */
  readonly seconds: number;
}

/** Nanoseconds of one packet, by round. */
export interface Times {
  readonly cases: ReadonlyMap<string, readonly number[]>;
  /** Nanoseconds of one step of the reference loop, by round. */
  readonly reference: readonly number[];
}

const REFERENCE = 'the reference loop';
/** Samples of a round that benchmark.js is to take at least. */
const FEWEST_SAMPLES = 5;
/** Of a sample, in seconds: so short that many are over before another process has its turn on this processor. */
const SAMPLE = 0.002;

export function timeCases(cases: readonly Case[], budget: Budget, say: (text: string) => void): Times {
  const loop = new ReferenceLoop();
  const reference = { name: REFERENCE, packets: REFERENCE_STEPS, run: () => void loop.run() };
  const all = new Map<string, number[]>();
  for (let round = 1; round <= budget.rounds; round++) {
    for (const each of [...cases, reference]) {
      say(`round ${round} of ${budget.rounds}, ${each.name}`);
      const times = all.get(each.name) ?? [];
      all.set(each.name, [...times, timeOnce(each, budget.seconds)]);
    }
  }
  const own = all.get(REFERENCE)!;
  all.delete(REFERENCE);
  return { cases: all, reference: own };
}

/** One round of one case: nanoseconds a packet. */
function timeOnce(each: Case, seconds: number): number {
  each.prepare?.();
  const benchmark = new Benchmark({
    // benchmark.js calls what it is given as a method of its own.
    fn: () => {
      each.run();
    },
    maxTime: seconds,
    minTime: SAMPLE,
    minSamples: FEWEST_SAMPLES,
    async: false,
  }).run();
  if (benchmark.error) throw benchmark.error;
  return (quantile(benchmark.stats.sample as number[], 0.25) * 1e9) / each.packets;
}
