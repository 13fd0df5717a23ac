/** What `scale.*` collects, and how it becomes figures: medians over the rounds, beside a baseline where there is one. */
import { type Figure, median } from '../figure.js';

export interface Measure {
  readonly metric: string;
  readonly unit: string;
  readonly better?: 'higher' | 'lower';
}

export interface Baseline {
  readonly name: string;
  readonly values: readonly number[];
}

/** @param value what stands for all; default: their median */
export function figure(
  scenario: string,
  { metric, unit, better }: Measure,
  values: readonly number[],
  baseline?: Baseline,
  value = median(values),
): Figure {
  const baselineValue = baseline ? median(baseline.values) : null;
  return {
    scenario,
    subject: 'podwire',
    metric,
    unit,
    value,
    baseline: baseline?.name ?? '-',
    baselineValue,
    // What is nothing, as an idle daemon's time may be, is no measure.
    ratio: baselineValue ? value / baselineValue : null,
    spread: range(values),
    ...(baseline && { baselineSpread: range(baseline.values) }),
    ...(better && { better }),
    ...(!baseline && { absent: 'nothing to compare with' }),
  };
}

/** Of a scenario that cannot run here. */
export function absent(scenario: string, { metric, unit }: Measure, why: string): Figure {
  const none = Number.NaN;
  return {
    scenario,
    subject: 'podwire',
    metric,
    unit,
    value: none,
    baseline: '-',
    baselineValue: null,
    ratio: null,
    spread: [none, none],
    absent: why,
  };
}

function range(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)];
}
