/** `scale.*`: how cost grows with the number of things. */
import { runIsolated } from '../engine/isolated.js';
import type { Runnable } from '../runnable.js';
import { SCALE_CHURN, scaleChurn } from './churn.js';
import { SCALE_FLOWS, scaleFlows } from './flows.js';
import { SCALE_MEMORY, scaleMemory } from './memory.js';
import { SCALE_POLICY } from './policy-world.js';
import { SCALE_PORTS, scalePorts } from './ports.js';
import { SCALE_ROUTES, scaleRoutes } from './routes.js';
import { SCALE_SERVICES } from './service-world.js';

export const SCALE_SCENARIOS: readonly Runnable[] = [
  {
    name: SCALE_PORTS,
    summary: 'two busy ports beside up to 500 idle ones: 60-byte frames, a TCP stream, CPU while idle',
    needsRoot: true,
    run: scalePorts,
  },
  {
    name: SCALE_MEMORY,
    summary: 'resident memory of a daemon with up to 500 pods, idle and after traffic',
    needsRoot: true,
    run: scaleMemory,
  },
  {
    name: SCALE_CHURN,
    summary:
      'pods attached and detached a second, how long an attach takes, what a TCP stream loses meanwhile',
    needsRoot: true,
    run: scaleChurn,
  },
  {
    name: SCALE_FLOWS,
    summary:
      'a million connections through services: memory, lookups; 60-byte frames with up to a million flows between two pods',
    needsRoot: true,
    run: async (options, progress) => [
      ...(await runIsolated(SCALE_FLOWS, options, progress)),
      ...(await scaleFlows(options, progress)),
    ],
  },
  {
    name: SCALE_SERVICES,
    summary: '50,000 services with 250,000 endpoints: a first packet, an endpoint that changes, memory',
    needsRoot: false,
    run: (options, progress) => runIsolated(SCALE_SERVICES, options, progress),
  },
  {
    name: SCALE_POLICY,
    summary: '10,000 policies over 5,000 pods: packets, known and first, a label that changes, memory',
    needsRoot: false,
    run: (options, progress) => runIsolated(SCALE_POLICY, options, progress),
  },
  {
    name: SCALE_ROUTES,
    summary: '1,000 nodes with 100 subnets each: from a change to its route in force, and memory',
    needsRoot: true,
    run: scaleRoutes,
  },
];
