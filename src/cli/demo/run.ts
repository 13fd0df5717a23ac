/**
 * Runs the demo: the checks in order, each within what is left of the time, then the way back. Whatever
 * happens, an interruption or a fault of its own included, the stage is taken down (or left, with --keep).
 */
import { CliError, failure } from '../errors.js';
import { counted } from '../output/units.js';
import type { Check, CheckResult } from './check.js';
import { allChecks } from './checks/all.js';
import { SETUP_CHECKS } from './checks/setup.js';
import type { Figures } from './figures.js';
import { Interruption } from './interruption.js';
import { Stage, type StageOptions } from './stage.js';
import { within } from './time.js';
import type { View } from './view.js';

/** For all checks together; the way back comes on top, within bounds of its own. */
const DEADLINE_MS = 25_000;

export interface DemoOptions extends StageOptions {
  readonly keep: boolean;
}

export interface DemoOutcome {
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
  readonly figures: Figures;
  /** Still there to be looked at when the demo was told to keep it. */
  readonly stage: Stage;
  readonly kept: boolean;
  readonly millis: number;
}

/** Rejects with CliError INTERRUPTED; a check that fails is no exception, but part of the outcome. */
export async function runDemo(options: DemoOptions, view: View): Promise<DemoOutcome> {
  const start = performance.now();
  const interruption = new Interruption();
  const stage = new Stage(options);
  let kept = false;
  try {
    const checks = allChecks(options.keep);
    view.begin(
      title(stage),
      checks.map(({ name }) => name),
    );
    const figures: Figures = { tcpBitsPerSecond: {}, drops: [] };
    const results = await runChecks(checks, { stage, figures, progress: (text) => view.progress(text) });
    kept = options.keep && isUp(results);
    const ok = results.length === checks.length && results.every((result) => result.ok);
    return { ok, checks: results, figures, stage, kept, millis: performance.now() - start };
  } finally {
    view.end();
    await (kept ? stage.leave() : stage.takeDown());
    interruption.over();
  }

  async function runChecks(
    checks: readonly Check[],
    context: Parameters<Check['run']>[0],
  ): Promise<CheckResult[]> {
    const results: CheckResult[] = [];
    for (const check of checks) {
      view.running(check.name);
      const left = start + DEADLINE_MS - performance.now();
      const result = await interruption.race(runCheck(check, context, left));
      view.done(result);
      results.push(result);
      if (!result.ok && check.fatal) break;
    }
    return results;
  }
}

function title(stage: Stage): string {
  return `podwire demo: ${counted(stage.podNames.length, 'pod')} and a node, in network namespaces, on one switch`;
}

/** Whether there is something worth keeping. */
function isUp(results: readonly CheckResult[]): boolean {
  const setUp = results.slice(0, SETUP_CHECKS.length);
  return results.length > setUp.length && setUp.every(({ ok }) => ok);
}

async function runCheck(
  { name, run }: Check,
  context: Parameters<Check['run']>[0],
  left: number,
): Promise<CheckResult> {
  const start = performance.now();
  const outcome = (ok: boolean, detail: string) => ({ name, ok, detail, millis: performance.now() - start });
  if (left <= 0) return outcome(false, `not run: the demo's ${DEADLINE_MS / 1000} s are over`);
  try {
    return outcome(true, await within(left, run(context), "not done when the demo's time was over"));
  } catch (error) {
    return outcome(false, explain(error));
  }
}

function explain(error: unknown): string {
  if (error instanceof CliError && error.code !== 'DEMO_FAILED') return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

/** The error for the exit status of a demo that did not pass; the table has shown the rest. */
export function demoFailure({ checks }: DemoOutcome): CliError {
  const failed = checks.filter(({ ok }) => !ok);
  const first = failed[0];
  return failure(
    'DEMO_FAILED',
    `${failed.length} of ${counted(checks.length, 'check')} failed, the first: ${first?.name}: ${first?.detail}`,
  );
}
