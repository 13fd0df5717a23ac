/** `scale.*`: how cost grows with the number of things. */
import type { Runnable } from '../runnable.js';
import { SCALE_CHURN, scaleChurn } from './churn.js';
import { SCALE_FLOWS, scaleFlows } from './flows.js';
import { SCALE_MEMORY, scaleMemory } from './memory.js';
import { SCALE_PORTS, scalePorts } from './ports.js';
import { SCALE_ROUTES, scaleRoutes } from './routes.js';

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
    summary: '60-byte frames a second with up to a million flows between two pods',
    needsRoot: true,
    run: scaleFlows,
  },
  {
    name: SCALE_ROUTES,
    summary: '1,000 nodes with 100 subnets each: from a change to its route in force, and memory',
    needsRoot: true,
    run: scaleRoutes,
  },
];
