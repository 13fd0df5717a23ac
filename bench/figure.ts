/** One line of the benchmarks' output; the form is fixed by docs/benchmarks.md. */
export interface Figure {
  readonly scenario: string;
  readonly subject: string;
  readonly metric: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly baseline: string;
  /** null: the baseline is not installed here. */
  readonly baselineValue: number | null;
  /** value / baselineValue. */
  readonly ratio: number | null;
  /** Smallest and largest value of the rounds. */
  readonly spread: readonly [number, number];
  /** The same of the baseline's values. */
  readonly baselineSpread?: readonly [number, number];
  /** Which way is good: `higher` where it is not said. */
  readonly better?: 'higher' | 'lower';
  /** Why the baseline is absent. */
  readonly absent?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which the fraction `q` of `values` lies (nearest rank). */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}
