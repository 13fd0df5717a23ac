/**
 * The checks one after another: each within what is left of the demo's time, none after one that they all
 * build on has failed, and none when the daemon has ended by itself.
 */
import { CliError } from '../errors.js';
import type { Check, CheckContext, CheckResult } from './check.js';
import type { Interruption } from './interruption.js';
import type { DemoNode } from './node.js';
import type { Stage } from './stage.js';
import { within } from './time.js';
import type { View } from './view.js';

/** For all checks together; the way back comes on top, within bounds of its own. */
const DEADLINE_MS = 30_000;
/**
 * More for each further node: all of them start, every pod talks to every other, and a dead one has to be noticed.
 * Two nodes take 10 s on two idle cores.
 */
const DEADLINE_FOR_NODE_MS = 15_000;

/** Rejects only when it is interrupted. */
export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  view: View,
  interruption: Interruption,
): Promise<CheckResult[]> {
  const allowed = DEADLINE_MS + (context.stage.nodes.length - 1) * DEADLINE_FOR_NODE_MS;
  const deadline = performance.now() + allowed;
  const results: CheckResult[] = [];
  let why: string | undefined;
  for (const check of checks) {
    const left = deadline - performance.now();
    if (left <= 0) why ??= `the demo's ${allowed / 1000} s are over`;
    if (why !== undefined) {
      results.push(notRun(check, why));
      continue;
    }
    view.running(check.name);
    const result = await interruption.race(runCheck(check, context, left));
    view.done(result);
    results.push(result);
    if (!result.ok) why = reasonToStop(check, context);
  }
  return results;
}

function reasonToStop({ name, fatal }: Check, { stage }: CheckContext): string | undefined {
  if (fatal) return `'${name}' failed`;
  return stage.switches.some(({ hasEnded }) => hasEnded) ? 'the daemon has ended' : undefined;
}

function notRun({ name }: Check, why: string): CheckResult {
  return { name, ok: false, detail: `not run: ${why}`, millis: null };
}

async function runCheck(check: Check, context: CheckContext, left: number): Promise<CheckResult> {
  const start = performance.now();
  const result = (ok: boolean, detail: string) => ({
    name: check.name,
    ok,
    detail,
    millis: performance.now() - start,
  });
  try {
    return result(true, await within(left, check.run(context), "not done when the demo's time was over"));
  } catch (error) {
    return result(false, explain(error, context));
  }
}

function explain(error: unknown, { stage }: CheckContext): string {
  const message = error instanceof Error ? error.message : String(error);
  const text =
    error instanceof CliError && error.code !== 'DEMO_FAILED' ? `${error.code}: ${message}` : message;
  const gone = goneDaemon(stage);
  if (gone === undefined) return text;
  const which = stage.nodes.length > 1 ? ` of node ${gone.name}` : '';
  return `${text}. The daemon${which} is gone: ${gone.switch.lastWords()}`;
}

/** One that has been ready and has ended since. */
function goneDaemon({ nodes }: Stage): DemoNode | undefined {
  return nodes.find((node) => node.switch.wasReady && node.switch.isGone);
}
