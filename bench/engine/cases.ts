/** From the cases of a scenario to its figures: warm-up, rounds, `NAME`, `NAME, cost` and `NAME, throughput`. */
import type { Figure } from '../figure.js';
import { cost, plain, rateAndCost, reference } from './figures.js';
import { type Budget, type Case, type Times, timeCases } from './timing.js';

/** A case whose packets have octets that count. */
export interface SizedCase extends Case {
  /** Of a packet, on average. */
  readonly octets?: number;
  /** Its cost alone is told: it is no rate that anybody wants. */
  readonly isCostOnly?: boolean;
}

/** Of what a case of the pipeline is timed for: a stage takes less and shows less noise. */
const SHARE = 0.5;
/** Milliseconds of warming up for each second of a round. */
const WARM_UP = 300;

export function measureCases(
  scenario: string,
  cases: readonly SizedCase[],
  { rounds, seconds }: Budget,
  say: (text: string) => void,
): Figure[] {
  say('warming up');
  for (const each of cases) warmUp(each, seconds);
  const times = timeCases(cases, { rounds, seconds: seconds * SHARE }, say);
  return [...cases.flatMap((each) => figuresOf(scenario, each, times)), reference(scenario, times)];
}

/** Before the first round, so that V8 has seen all of it whatever is timed first. */
export function warmUp({ prepare, run }: Case, seconds: number): void {
  prepare?.();
  const end = performance.now() + seconds * WARM_UP;
  do run();
  while (performance.now() < end);
}

function figuresOf(scenario: string, { name, octets, isCostOnly }: SizedCase, times: Times): Figure[] {
  const ns = times.cases.get(name)!;
  if (isCostOnly) return [cost(scenario, name, ns)];
  if (octets === undefined) return rateAndCost(scenario, name, ns);
  const gigabits = ns.map((each) => (octets * 8) / each);
  return [...rateAndCost(scenario, name, ns), plain(scenario, `${name}, throughput`, 'Gbit/s', gigabits)];
}
