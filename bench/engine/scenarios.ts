/**
 * `engine.*`: what the switch costs in memory, without a kernel. Needs no root.
 *
 * Each scenario runs in a process of its own (isolated.ts). Its cases are timed by benchmark.js in rounds (timing.ts):
 * `--rounds` rounds of `--seconds` / 10 for each case. Every scenario answers the time of the reference loop, too,
 * against which the guard holds costs (guard.ts).
 */
import type { Runnable } from '../runnable.js';
import { runIsolated } from './isolated.js';
import { PIPELINE } from './pipeline.js';

export const ENGINE_SCENARIOS: readonly Runnable[] = [
  [PIPELINE, 'parse, guard, route, encapsulate: the whole engine, in memory'],
].map(([name, summary]) => ({
  name,
  summary,
  needsRoot: false,
  run: (options, progress) => runIsolated(name, options, progress),
}));
