/**
 * `engine.*`: what the switch costs in memory, without a kernel. Needs no root.
 *
 * Each scenario runs in a process of its own (isolated.ts). Its cases are timed by benchmark.js in rounds (timing.ts):
 * `--rounds` rounds of `--seconds` / 10 for each case. Every scenario answers the time of the reference loop, too,
 * against which the guard holds costs (guard.ts).
 */
import type { Runnable } from '../runnable.js';
import { runIsolated } from './isolated.js';

const SUMMARIES: Readonly<Record<string, string>> = {
  'engine.pipeline': 'the whole engine: parse, guard, route and encapsulate, by flows, routes and sizes',
  'engine.service': 'the whole engine with services: translation of established and of new connections',
  'engine.parse': 'finding and checking headers',
  'engine.bridge': 'from a parsed packet to the port of its MAC address',
  'engine.route': 'from a parsed packet to its next hop',
  'engine.encapsulate': 'VXLAN put before packets, and bundles made of them',
  'engine.decapsulate': 'VXLAN taken off, and the sender checked',
  'engine.segment': 'large TCP packets cut, into frames and into VXLAN bundles',
  'engine.join': 'TCP segments of VXLAN bundles joined to large packets',
  'engine.checksum': 'the Internet checksum, over lengths, mixes and captures',
  'engine.fib': 'longest prefix match among 10 to a million routes, IPv4 and IPv6',
  'engine.fdb': 'MAC addresses among 10 to 100,000',
};

export const ENGINE_SCENARIOS: readonly Runnable[] = Object.entries(SUMMARIES).map(([name, summary]) => ({
  name,
  summary,
  needsRoot: false,
  run: (options, progress) => runIsolated(name, options, progress),
}));
