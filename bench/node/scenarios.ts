/** `node.tcp`, `node.pps`, `node.rtt`: a path within one host. */
import type { Runnable } from '../runnable.js';
import { runnable, type Scenario } from '../scenario.js';
import { rawPackets, roundTrips, tcpThroughput } from './measure.js';
import type { Subject } from './path.js';
import { cReflector, linuxBridge, podwire } from './subjects.js';

const NODE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'node.tcp',
    summary: 'TCP throughput within one host',
    metrics: [{ name: 'one TCP stream', unit: 'Gbit/s' }],
    needs: 'iperf3',
    measure: async (path, seconds) => [await tcpThroughput(path, seconds)],
  },
  {
    name: 'node.pps',
    summary: '60-byte frames a second within one host',
    metrics: [{ name: '60-byte frames, switch on one core', unit: 'kpps' }],
    needs: 'trafgen',
    measure: async (path, seconds) => [await rawPackets(path, seconds)],
  },
  {
    name: 'node.rtt',
    summary: 'round trips within one host',
    metrics: [
      { name: 'round trip p50', unit: 'µs' },
      { name: 'round trip p99', unit: 'µs' },
    ],
    needs: 'ping',
    measure: async (path, seconds) => {
      const { p50, p99 } = await roundTrips(path, seconds * 400);
      return [p50, p99];
    },
  },
];

function nodeSubjects(daemonFlags: readonly string[]): Subject[] {
  return [podwire(daemonFlags), linuxBridge, cReflector];
}

export const nodeRunnables: readonly Runnable[] = NODE_SCENARIOS.map((scenario) =>
  runnable(scenario, nodeSubjects),
);
