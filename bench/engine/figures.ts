/** From times to figures: `NAME` in Mpps, `NAME, cost` in nanoseconds, and the time of the reference loop. */
import { type Figure, median } from '../figure.js';
import type { Times } from './timing.js';

export const REFERENCE_SCENARIO = 'engine.reference';

/** Every figure of `engine.*` that is a cost, and nothing else, has this unit. */
export const COST_UNIT = 'ns';

const NOTHING = { baseline: '-', baselineValue: null, ratio: null, absent: 'nothing to compare with' };

export function plain(scenario: string, metric: string, unit: string, values: readonly number[]): Figure {
  const spread = [Math.min(...values), Math.max(...values)] as const;
  return { scenario, subject: 'podwire', metric, unit, value: median(values), spread, ...NOTHING };
}

/** Nanoseconds of one packet, as a cost. */
export function cost(scenario: string, metric: string, ns: readonly number[]): Figure {
  return { ...plain(scenario, metric, COST_UNIT, ns), better: 'lower' };
}

/** Nanoseconds of one packet, as packets a second and as a cost. */
export function rateAndCost(scenario: string, name: string, ns: readonly number[]): Figure[] {
  const rate = plain(
    scenario,
    name,
    'Mpps',
    ns.map((each) => 1000 / each),
  );
  return [rate, cost(scenario, `${name}, cost`, ns)];
}

/** The reference loop as it was timed among the cases of a scenario: what their costs are held against. */
export function reference(scenario: string, { reference }: Times): Figure {
  return cost(REFERENCE_SCENARIO, `in ${scenario}`, reference);
}
