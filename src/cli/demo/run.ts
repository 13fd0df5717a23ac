/**
 * Runs the demo: the checks in order, then the way back. Whatever happens, an interruption or a fault of its
 * own included, the stage is taken down (or left, with --keep).
 */
import { type CliError, failure } from '../errors.js';
import { counted } from '../output/units.js';
import type { CheckResult } from './check.js';
import { allChecks, setupChecks } from './checks/all.js';
import type { Figures } from './figures.js';
import { Interruption } from './interruption.js';
import { runChecks } from './sequence.js';
import { Stage, type StageOptions } from './stage.js';
import type { View } from './view.js';

/** Of the daemon's log, for whoever wants to know why a check failed. */
const LOG_LINES = 12;

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
  /** The end of the daemon's log where a check failed. */
  readonly log: readonly string[];
  readonly millis: number;
}

/** Rejects with CliError INTERRUPTED; a check that fails is no exception, but part of the outcome. */
export async function runDemo(options: DemoOptions, view: View): Promise<DemoOutcome> {
  const start = performance.now();
  const interruption = new Interruption();
  const stage = new Stage(options);
  const figures: Figures = { tcpBitsPerSecond: {}, drops: [] };
  let kept = false;
  try {
    const planned = allChecks(options);
    const names = planned.map(({ name }) => name);
    view.begin(title(stage), names);
    const context = { stage, figures, progress: (text: string) => view.progress(text) };
    const checks = await runChecks(planned, context, view, interruption);
    kept = options.keep && isUp(checks, options.nodes);
    const ok = checks.every((check) => check.ok);
    const log = ok ? [] : logs(stage);
    return { ok, checks, figures, stage, kept, log, millis: performance.now() - start };
  } finally {
    view.end();
    await (kept ? stage.leave() : stage.takeDown());
    interruption.over();
  }
}

function title({ nodes, podNames }: Stage): string {
  const pods = counted(podNames.length, 'pod');
  return nodes.length > 1
    ? `podwire demo: ${nodes.length} nodes and ${pods}, in network namespaces, VXLAN between the nodes`
    : `podwire demo: ${pods} and a node, in network namespaces, on one switch`;
}

/** The end of each daemon's log, with the node's name where there are several. */
function logs({ nodes }: Stage): string[] {
  return nodes.flatMap(({ name, switch: daemon }) =>
    daemon.logTail(LOG_LINES).map((line) => (nodes.length > 1 ? `${name}: ${line}` : line)),
  );
}

/** Whether there is something worth keeping. */
function isUp(results: readonly CheckResult[], nodes: number): boolean {
  return results.slice(0, setupChecks(nodes).length).every(({ ok }) => ok);
}

/** The error for the exit status of a demo that did not pass; the table has shown the rest. */
export function demoFailure({ checks }: DemoOutcome): CliError {
  const failed = checks.filter(({ ok, millis }) => !ok && millis !== null);
  const first = failed[0];
  return failure(
    'DEMO_FAILED',
    `${failed.length} of ${counted(checks.length, 'check')} failed, the first: ${first?.name}: ${first?.detail}`,
  );
}
