/** `node.*`: a path within one host. */
import type { Runnable } from '../runnable.js';
import { type Metric, runnable, type Scenario } from '../scenario.js';
import { frames, tcpStreams } from './measure.js';
import { loadedRoundTrips, roundTrips } from './round-trips.js';
import { nodeSubjects } from './subjects.js';
import { udpDatagrams } from './udp.js';

export const ROUND_TRIP_METRICS: readonly Metric[] = ['p50', 'p99', 'p99.9'].map((quantile) => ({
  name: `round trip ${quantile}`,
  unit: 'µs',
  better: 'lower',
}));

export const UDP_METRICS: readonly Metric[] = ['64-byte UDP', '1,400-byte UDP'].map((name) => ({
  name,
  unit: 'kpps',
}));

/** In the order of the metrics; the larger fits into what a tunnel leaves of 1500. */
export const UDP_LENGTHS = [64, 1400] as const;

const NODE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'node.tcp',
    summary: 'TCP throughput within one host, and what it costs',
    metrics: [
      { name: 'one TCP stream', unit: 'Gbit/s' },
      { name: 'CPU time for one TCP stream', unit: 's/GB', better: 'lower' },
      { name: 'eight TCP streams', unit: 'Gbit/s' },
    ],
    needs: 'iperf3',
    measure: async (path, span) => {
      const one = await tcpStreams(path, 1, span);
      const eight = await tcpStreams(path, 8, span);
      return [one.rate, one.cost, eight.rate];
    },
  },
  {
    name: 'node.pps',
    summary: '60-byte frames a second within one host, and what they cost',
    metrics: [
      { name: '60-byte frames, switch on one core', unit: 'kpps' },
      { name: 'CPU time for 60-byte frames', unit: 's/Mpkt', better: 'lower' },
    ],
    needs: 'trafgen',
    measure: async (path, span) => {
      const { rate, cost } = await frames(path, span);
      return [rate, cost];
    },
  },
  {
    name: 'node.udp',
    summary: 'UDP datagrams a second from an application to another within one host',
    metrics: UDP_METRICS,
    needs: 'iperf3',
    measure: async (path, span) => [
      await udpDatagrams(path, UDP_LENGTHS[0], span),
      await udpDatagrams(path, UDP_LENGTHS[1], span),
    ],
  },
  {
    name: 'node.rtt',
    summary: 'round trips within one host, with nothing else going on',
    metrics: ROUND_TRIP_METRICS,
    needs: 'ping',
    measure: roundTrips,
  },
  {
    name: 'node.rtt-loaded',
    summary: 'round trips within one host beside a TCP stream',
    metrics: ROUND_TRIP_METRICS,
    needs: 'iperf3',
    measure: loadedRoundTrips,
  },
];

export const nodeRunnables: readonly Runnable[] = NODE_SCENARIOS.map((scenario) =>
  runnable(scenario, nodeSubjects),
);
