/**
 * A scenario that compares subjects: each in turn, several rounds, medians. What is compared is a path between two
 * namespaces; `node.*` and `tunnel.*` differ in how the path is made.
 *
 * The subjects' order turns around in every other round (A B C, C B A), so that a machine that becomes slower or
 * faster meanwhile favours none of them. One that fails is not tried again: it is reported as absent, with what it
 * failed of, and the others go on.
 */
import { type Figure, median } from './figure.js';
import type { Path, Subject } from './node/path.js';
import type { Span } from './node/window.js';
import type { Progress } from './progress.js';
import type { Runnable, RunOptions } from './runnable.js';
import { has } from './shell.js';

export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** Which way is good: `higher` where it is not said. */
  readonly better?: 'higher' | 'lower';
}

export interface Scenario<P extends Path = Path> {
  readonly name: string;
  /** One line for people: what is measured. */
  readonly summary: string;
  readonly metrics: readonly Metric[];
  /** The program that it needs beside the subjects. */
  readonly needs: string;
  /** One value for each metric. */
  measure(path: P, span: Span): Promise<readonly number[]>;
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
    baselines: subjectsFor([])
      .slice(1)
      .map(({ name }) => name),
    run: (options, progress) => runScenario(scenario, subjectsFor(options.daemonFlags), options, progress),
  };
}

/** A subject's values so far, a list for each metric. */
interface Entry<P extends Path> {
  readonly subject: Subject<P>;
  readonly values: readonly number[][];
  /** Why it has none, or no more. */
  absent: string | undefined;
}

/**
 * Interrupted, it answers what has been measured until then.
 *
 * @param subjects podwire first; the others are its baselines.
 */
export async function runScenario<P extends Path>(
  scenario: Scenario<P>,
  subjects: readonly Subject<P>[],
  options: RunOptions,
  progress: Progress,
): Promise<Figure[]> {
  const missing = has(scenario.needs) ? undefined : `${scenario.needs} is not installed`;
  const [own, ...baselines] = subjects
    .filter(({ name }, index) => index === 0 || (options.subjects?.includes(name) ?? true))
    .map((subject): Entry<P> => {
      const values = scenario.metrics.map((): number[] => []);
      return { subject, values, absent: missing ?? subject.absent() };
    });
  if (baselines.length === 0) return [];
  await runRounds(scenario, [own, ...baselines], options, progress);
  return baselines
    .filter((baseline) => [own, baseline].every(isSettled))
    .flatMap((baseline) =>
      scenario.metrics.map((metric, index) => compare(scenario.name, metric, index, own, baseline)),
    );
}

/** Has values, or a reason for having none; otherwise its turn did not come. */
function isSettled<P extends Path>({ values, absent }: Entry<P>): boolean {
  return absent !== undefined || values[0].length > 0;
}

async function runRounds<P extends Path>(
  scenario: Scenario<P>,
  entries: readonly Entry<P>[],
  options: RunOptions,
  progress: Progress,
): Promise<void> {
  for (let round = 1; round <= options.rounds; round++) {
    const order = round % 2 === 1 ? entries : [...entries].reverse();
    for (const entry of order) {
      if (options.signal?.aborted) return;
      if (entry.absent !== undefined) continue;
      progress.say(`${scenario.name}: round ${round} of ${options.rounds}, ${entry.subject.name}`);
      await measureOnce(scenario, entry, options);
    }
  }
}

async function measureOnce<P extends Path>(
  scenario: Scenario<P>,
  entry: Entry<P>,
  options: RunOptions,
): Promise<void> {
  try {
    const path = await entry.subject.open();
    const measured = await scenario.measure(path, options).finally(() => path.close());
    for (const [metric, value] of measured.entries()) entry.values[metric].push(value);
  } catch (error) {
    if (!options.signal?.aborted) entry.absent = `failed: ${(error as Error).message.trim()}`;
  }
}

function compare<P extends Path>(
  scenario: string,
  { name: metric, unit, better }: Metric,
  index: number,
  own: Entry<P>,
  baseline: Entry<P>,
): Figure {
  const [mine, other] = [results(own, index), results(baseline, index)];
  const absent = own.absent === undefined ? baseline.absent : `${own.subject.name}: ${own.absent}`;
  return {
    scenario,
    subject: own.subject.name,
    metric,
    unit,
    value: mine?.median ?? Number.NaN,
    baseline: baseline.subject.name,
    baselineValue: other?.median ?? null,
    ratio: mine && other ? mine.median / other.median : null,
    spread: mine?.spread ?? [Number.NaN, Number.NaN],
    ...(other && { baselineSpread: other.spread }),
    ...(better && { better }),
    ...(absent !== undefined && { absent }),
  };
}

/** Of a subject that has failed in one round, the other rounds do not count. */
function results<P extends Path>({ values, absent }: Entry<P>, index: number) {
  const all = values[index];
  if (absent !== undefined || all.length === 0) return undefined;
  return { median: median(all), spread: [Math.min(...all), Math.max(...all)] as const };
}
