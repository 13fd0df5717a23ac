/**
 * A scenario that compares subjects: each in turn, several rounds, medians. What is compared is a path between two
 * namespaces; `node.*` and `tunnel.*` differ in how the path is made.
 */
import { type Figure, median } from './figure.js';
import type { Path, Subject } from './node/path.js';
import type { Progress } from './progress.js';
import type { Runnable, RunOptions } from './runnable.js';
import { has } from './shell.js';

export interface Metric {
  readonly name: string;
  readonly unit: string;
}

export interface Scenario<P extends Path = Path> {
  readonly name: string;
  /** One line for people: what is measured. */
  readonly summary: string;
  readonly metrics: readonly Metric[];
  /** The program that it needs beside the subjects. */
  readonly needs: string;
  /** One value for each metric. */
  measure(path: P, seconds: number): Promise<readonly number[]>;
}

/** @param subjectsFor podwire first; its daemons get these flags. */
export function runnable<P extends Path>(
  scenario: Scenario<P>,
  subjectsFor: (daemonFlags: readonly string[]) => readonly Subject<P>[],
): Runnable {
  return {
    name: scenario.name,
    summary: scenario.summary,
    needsRoot: true,
    run: (options, progress) => runScenario(scenario, subjectsFor(options.daemonFlags), options, progress),
  };
}

/** @param subjects podwire first; the others are its baselines. */
export async function runScenario<P extends Path>(
  scenario: Scenario<P>,
  subjects: readonly Subject<P>[],
  options: RunOptions,
  progress: Progress,
): Promise<Figure[]> {
  if (!has(scenario.needs)) return absentFigures(scenario, `${scenario.needs} is not installed`);
  const present = subjects.filter((subject) => subject.absent() === undefined);
  const values = new Map<Subject<P>, number[][]>(
    present.map((subject) => [subject, scenario.metrics.map((): number[] => [])]),
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const subject of present) {
      progress.say(`${scenario.name}: round ${round} of ${options.rounds}, ${subject.name}`);
      const path = await subject.open();
      try {
        const measured = await scenario.measure(path, options.seconds);
        for (const [metric, value] of measured.entries()) values.get(subject)![metric].push(value);
      } finally {
        await path.close();
      }
    }
  }
  const own = values.get(subjects[0])!;
  return subjects.slice(1).flatMap((baseline) =>
    scenario.metrics.map((metric, index) => {
      const other = values.get(baseline)?.[index];
      return compare(scenario.name, metric, own[index], baseline, other);
    }),
  );
}

function compare(
  scenario: string,
  metric: Metric,
  own: readonly number[],
  baseline: { readonly name: string; absent(): string | undefined },
  other: readonly number[] | undefined,
): Figure {
  const value = median(own);
  const baselineValue = other === undefined ? null : median(other);
  return {
    scenario,
    subject: 'podwire',
    metric: metric.name,
    unit: metric.unit,
    value,
    baseline: baseline.name,
    baselineValue,
    ratio: baselineValue === null ? null : value / baselineValue,
    spread: [Math.min(...own), Math.max(...own)],
    absent: baseline.absent(),
  };
}

function absentFigures(scenario: Pick<Scenario, 'name' | 'metrics'>, absent: string): Figure[] {
  return scenario.metrics.map((metric) => ({
    scenario: scenario.name,
    subject: 'podwire',
    metric: metric.name,
    unit: metric.unit,
    value: Number.NaN,
    baseline: '-',
    baselineValue: null,
    ratio: null,
    spread: [Number.NaN, Number.NaN],
    absent,
  }));
}
