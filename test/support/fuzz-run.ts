/**
 * How long fuzzing goes on and from where. Without settings each property gets a few seconds and a seed of its
 * own, which is printed; FUZZ_SEED repeats a run, FUZZ_RUNS asks for a number of cases, however long they take. Where nobody
 * waits, as in `.ci/run`, FUZZ_TIMES makes the seconds so many times as many.
 */
import fc from 'fast-check';

const { FUZZ_SEED, FUZZ_RUNS, FUZZ_TIMES } = process.env;

const seed = FUZZ_SEED === undefined ? Math.floor(Math.random() * 0x7fff_ffff) : Number(FUZZ_SEED);

export const FUZZ_TIMEOUT = FUZZ_RUNS === undefined ? 180_000 : 24 * 3600 * 1000;

/** Where a property does not say (ms). */
const BUDGET = 2000;

export interface FuzzOptions {
  /** How long to go on (ms), FUZZ_TIMES over. */
  readonly budget?: number;
  /** How many to try, however long it takes, in place of a budget. */
  readonly cases?: number;
  /** The smallest input that still fails. */
  readonly onFound?: (found: unknown) => void;
}

/** Tries what `arbitrary` makes until time is up. @throws what `predicate` throws, with the smallest such input. */
export function fuzz<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  predicate: (value: T) => void,
  options: FuzzOptions,
): void {
  const runs = FUZZ_RUNS === undefined ? options.cases : Number(FUZZ_RUNS);
  const limits =
    runs === undefined
      ? {
          numRuns: 1_000_000,
          interruptAfterTimeLimit: (options.budget ?? BUDGET) * Number(FUZZ_TIMES ?? 1),
          markInterruptAsFailure: false,
        }
      : { numRuns: runs };
  const details = fc.check(fc.property(arbitrary, predicate), { seed, ...limits });
  console.log(`${name}: ${details.numRuns} cases, FUZZ_SEED=${seed}`);
  if (!details.failed) return;
  if (details.counterexample !== null) options.onFound?.(details.counterexample[0]);
  const cause = details.errorInstance;
  throw new Error(`${name}, FUZZ_SEED=${seed}: ${cause}\n${fc.defaultReportMessage(details)}`, { cause });
}
