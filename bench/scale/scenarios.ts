/** `scale.*`: how cost grows with the number of things. */
import type { Runnable } from '../runnable.js';
import { SCALE_ROUTES, scaleRoutes } from './routes.js';

export const SCALE_SCENARIOS: readonly Runnable[] = [
  {
    name: SCALE_ROUTES,
    summary: '1,000 nodes with 100 subnets each: from a change to its route in force, and memory',
    needsRoot: true,
    run: scaleRoutes,
  },
];
