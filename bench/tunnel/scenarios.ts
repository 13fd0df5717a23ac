/** `tunnel.*`: a path between two nodes. */
import { frames, tcpStreams } from '../node/measure.js';
import { loadedRoundTrips, roundTrips } from '../node/round-trips.js';
import { ROUND_TRIP_METRICS, UDP_LENGTHS, UDP_METRICS } from '../node/scenarios.js';
import { udpDatagrams } from '../node/udp.js';
import type { Span } from '../node/window.js';
import type { Runnable } from '../runnable.js';
import { type Metric, runnable, type Scenario } from '../scenario.js';
import type { TunnelPath } from './path.js';
import { tunnelSubjects } from './subjects.js';

const TCP_METRICS = ['off', 'on'].flatMap((offloads): Metric[] => [
  { name: `one TCP stream, underlay offloads ${offloads}`, unit: 'Gbit/s' },
  { name: `CPU time for one TCP stream, underlay offloads ${offloads}`, unit: 's/GB', better: 'lower' },
  { name: `eight TCP streams, underlay offloads ${offloads}`, unit: 'Gbit/s' },
]);

async function tcp(path: TunnelPath, offloads: boolean, span: Span): Promise<number[]> {
  path.setOffloads(offloads);
  const one = await tcpStreams(path, 1, span);
  const eight = await tcpStreams(path, 8, span);
  return [one.rate, one.cost, eight.rate];
}

const TUNNEL_SCENARIOS: readonly Scenario<TunnelPath>[] = [
  {
    name: 'tunnel.tcp',
    summary: 'TCP throughput between two nodes, and what it costs',
    metrics: TCP_METRICS,
    needs: 'iperf3',
    measure: async (path, span) => [...(await tcp(path, false, span)), ...(await tcp(path, true, span))],
  },
  {
    name: 'tunnel.pps',
    summary: '60-byte frames a second between two nodes, and what they cost',
    metrics: [
      { name: '60-byte frames', unit: 'kpps' },
      { name: 'CPU time for 60-byte frames', unit: 's/Mpkt', better: 'lower' },
    ],
    needs: 'trafgen',
    measure: async (path, span) => {
      const { rate, cost } = await frames(path, span);
      return [rate, cost];
    },
  },
  {
    name: 'tunnel.udp',
    summary: 'UDP datagrams a second from an application to another between two nodes',
    metrics: UDP_METRICS,
    needs: 'iperf3',
    measure: async (path, span) => [
      await udpDatagrams(path, UDP_LENGTHS[0], span),
      await udpDatagrams(path, UDP_LENGTHS[1], span),
    ],
  },
  {
    name: 'tunnel.rtt',
    summary: 'round trips between two nodes, with nothing else going on',
    metrics: ROUND_TRIP_METRICS,
    needs: 'ping',
    measure: roundTrips,
  },
  {
    name: 'tunnel.rtt-loaded',
    summary: 'round trips between two nodes beside a TCP stream',
    metrics: ROUND_TRIP_METRICS,
    needs: 'iperf3',
    measure: loadedRoundTrips,
  },
];

export const tunnelRunnables: readonly Runnable[] = TUNNEL_SCENARIOS.map((scenario) =>
  runnable(scenario, tunnelSubjects),
);
