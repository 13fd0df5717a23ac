/** `tunnel.tcp`, `tunnel.pps`, `tunnel.rtt`: a path between two nodes. */
import { rawPackets, roundTrips, tcpThroughput } from '../node/measure.js';
import type { Subject } from '../node/path.js';
import type { Runnable } from '../runnable.js';
import { runnable, type Scenario } from '../scenario.js';
import type { TunnelPath } from './path.js';
import { kernelBridged, kernelRouted, podwireNodes } from './subjects.js';

const TUNNEL_SCENARIOS: readonly Scenario<TunnelPath>[] = [
  {
    name: 'tunnel.tcp',
    summary: 'TCP throughput between two nodes',
    metrics: [
      { name: 'one TCP stream, underlay offloads off', unit: 'Gbit/s' },
      { name: 'one TCP stream, underlay offloads on', unit: 'Gbit/s' },
    ],
    needs: 'iperf3',
    measure: async (path, seconds) => {
      path.setOffloads(false);
      const off = await tcpThroughput(path, seconds);
      path.setOffloads(true);
      return [off, await tcpThroughput(path, seconds)];
    },
  },
  {
    name: 'tunnel.pps',
    summary: '60-byte frames a second between two nodes',
    metrics: [{ name: '60-byte frames', unit: 'kpps' }],
    needs: 'trafgen',
    measure: async (path, seconds) => [await rawPackets(path, seconds)],
  },
  {
    name: 'tunnel.rtt',
    summary: 'round trips between two nodes',
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

function tunnelSubjects(daemonFlags: readonly string[]): Subject<TunnelPath>[] {
  return [podwireNodes(daemonFlags), kernelBridged, kernelRouted];
}

export const tunnelRunnables: readonly Runnable[] = TUNNEL_SCENARIOS.map((scenario) =>
  runnable(scenario, tunnelSubjects),
);
