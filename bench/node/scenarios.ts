/** `node.*`: a path within one host. */
import type { Runnable } from '../runnable.js';
import { runnable, type Scenario } from '../scenario.js';
import { overAnyPath, tcp, tcpMetrics } from './over-any-path.js';
import { nodeSubjects } from './subjects.js';

const NODE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'node.tcp',
    summary: 'TCP throughput within one host, and what it costs',
    metrics: tcpMetrics(),
    needs: 'iperf3',
    measure: tcp,
  },
  ...overAnyPath('node', 'within one host', ', switch on one core'),
];

export const nodeRunnables: readonly Runnable[] = NODE_SCENARIOS.map((scenario) =>
  runnable(scenario, nodeSubjects),
);
