/**
 * What is measured alike over a path within one host (`node.*`) and between two (`tunnel.*`), so that a figure of one
 * means the same as that of the other.
 */
import type { Metric, Scenario } from '../scenario.js';
import { frames, tcpStreams } from './measure.js';
import type { Path } from './path.js';
import { loadedRoundTrips, roundTrips } from './round-trips.js';
import { udpDatagrams } from './udp.js';
import type { Span } from './window.js';

const ROUND_TRIP_METRICS: readonly Metric[] = ['p50', 'p99', 'p99.9'].map((quantile) => ({
  name: `round trip ${quantile}`,
  unit: 'µs',
  better: 'lower',
}));

const UDP_METRICS: readonly Metric[] = ['64-byte UDP', '1,400-byte UDP'].map((name) => ({
  name,
  unit: 'kpps',
}));

/** In the order of the metrics; the larger fits into what a tunnel leaves of 1500. */
const UDP_LENGTHS = [64, 1400] as const;

/** The metrics of `tcp`; `how` is put behind each name. */
export function tcpMetrics(how = ''): readonly Metric[] {
  return [
    { name: `one TCP stream${how}`, unit: 'Gbit/s' },
    { name: `CPU time for one TCP stream${how}`, unit: 's/GB', better: 'lower' },
    { name: `eight TCP streams${how}`, unit: 'Gbit/s' },
  ];
}

export async function tcp(path: Path, span: Span): Promise<readonly number[]> {
  const one = await tcpStreams(path, 1, span);
  const eight = await tcpStreams(path, 8, span);
  return [one.rate, one.cost, eight.rate];
}

/**
 * Frames, datagrams and round trips.
 *
 * @param where as in `round trips within one host`
 * @param how put behind the name of the frames
 */
export function overAnyPath(family: string, where: string, how = ''): readonly Scenario[] {
  return [
    {
      name: `${family}.pps`,
      summary: `60-byte frames a second ${where}, and what they cost`,
      metrics: [
        { name: `60-byte frames${how}`, unit: 'kpps' },
        { name: 'CPU time for 60-byte frames', unit: 's/Mpkt', better: 'lower' },
      ],
      needs: 'trafgen',
      measure: async (path, span) => {
        const { rate, cost } = await frames(path, span);
        return [rate, cost];
      },
    },
    {
      name: `${family}.udp`,
      summary: `UDP datagrams a second from an application to another ${where}`,
      metrics: UDP_METRICS,
      needs: 'iperf3',
      measure: async (path, span) => [
        await udpDatagrams(path, UDP_LENGTHS[0], span),
        await udpDatagrams(path, UDP_LENGTHS[1], span),
      ],
    },
    {
      name: `${family}.rtt`,
      summary: `round trips ${where}, with nothing else going on`,
      metrics: ROUND_TRIP_METRICS,
      needs: 'ping',
      measure: roundTrips,
    },
    {
      name: `${family}.rtt-loaded`,
      summary: `round trips ${where} beside a TCP stream`,
      metrics: ROUND_TRIP_METRICS,
      needs: 'iperf3',
      measure: loadedRoundTrips,
    },
  ];
}
