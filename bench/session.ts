/**
 * Runs scenarios one after another and keeps what they answer. One that fails is told on standard error and the others
 * go on; a signal ends the one that runs, which closes what it has open, and no other begins.
 */
import { errorLine } from '../src/cli/errors.js';
import { benchFailure } from './errors.js';
import type { Figure } from './figure.js';
import type { Expected, Progress } from './progress.js';
import { Interrupted } from './progress.js';
import type { Runnable, RunOptions } from './runnable.js';

/** A scenario and the baselines that are wanted of it; all of them without a list. */
export interface Planned {
  readonly scenario: Runnable;
  readonly subjects?: readonly string[];
}

export interface Measured {
  readonly scenario: Runnable;
  readonly figures: readonly Figure[];
  readonly tookSeconds: number;
}

export interface Session {
  /** What ran to its end. */
  readonly complete: readonly Measured[];
  /** Every figure, also of the scenario that was interrupted. */
  readonly figures: readonly Figure[];
  readonly failures: number;
}

export type SessionOptions = RunOptions & { readonly signal: AbortSignal };

export async function runSession(
  plan: readonly Planned[],
  options: SessionOptions,
  progress: Progress,
  onFigure: (figure: Figure) => void,
  expected: readonly Expected[] = plan.map(({ scenario }) => ({ name: scenario.name })),
): Promise<Session> {
  const complete: Measured[] = [];
  const figures: Figure[] = [];
  let failures = 0;
  progress.expect(expected);
  for (const [at, planned] of plan.entries()) {
    if (options.signal.aborted) break;
    progress.begin(at);
    const measured = await runOne(planned, options, progress);
    if (measured === undefined) {
      if (!options.signal.aborted) failures++;
      continue;
    }
    figures.push(...measured.figures);
    for (const figure of measured.figures) onFigure(figure);
    if (!options.signal.aborted) complete.push(measured);
  }
  return { complete, figures, failures };
}

/** undefined: it failed, which has been said, or was interrupted. */
async function runOne(
  { scenario, subjects }: Planned,
  options: SessionOptions,
  progress: Progress,
): Promise<Measured | undefined> {
  const began = Date.now();
  try {
    const figures = await scenario.run({ ...options, subjects: subjects ?? options.subjects }, progress);
    // A signal that came while the scenario left the event loop no time is heard here.
    await new Promise((resolve) => setImmediate(resolve));
    return { scenario, figures, tookSeconds: Math.round((Date.now() - began) / 1000) };
  } catch (error) {
    progress.done();
    if (!(error instanceof Interrupted) && !options.signal.aborted) {
      console.error(errorLine(failureOf(scenario, error)));
    }
    return undefined;
  } finally {
    progress.done();
  }
}

function failureOf(scenario: Runnable, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return benchFailure(`${scenario.name}: ${why}`);
}
