/** `tunnel.*`: a path between two nodes. */
import { overAnyPath, tcp, tcpMetrics } from '../node/over-any-path.js';
import type { Runnable } from '../runnable.js';
import { runnable, type Scenario } from '../scenario.js';
import type { TunnelPath } from './path.js';
import { tunnelSubjects } from './subjects.js';

const TUNNEL_SCENARIOS: readonly Scenario<TunnelPath>[] = [
  {
    name: 'tunnel.tcp',
    summary: 'TCP throughput between two nodes, and what it costs',
    metrics: [...tcpMetrics(', underlay offloads off'), ...tcpMetrics(', underlay offloads on')],
    needs: 'iperf3',
    measure: async (path, span) => {
      path.setOffloads(false);
      const without = await tcp(path, span);
      path.setOffloads(true);
      return [...without, ...(await tcp(path, span))];
    },
  },
  ...overAnyPath('tunnel', 'between two nodes'),
];

export const tunnelRunnables: readonly Runnable[] = TUNNEL_SCENARIOS.map((scenario) =>
  runnable(scenario, tunnelSubjects),
);
