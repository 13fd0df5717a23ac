/** Every scenario, in the order in which all of them run. */
import { ENGINE_SCENARIOS } from './engine/scenarios.js';
import { nodeRunnables } from './node/scenarios.js';
import type { Runnable } from './runnable.js';
import { SCALE_SCENARIOS } from './scale/scenarios.js';
import { tunnelRunnables } from './tunnel/scenarios.js';

export const SCENARIOS: readonly Runnable[] = [
  ...nodeRunnables,
  ...tunnelRunnables,
  ...ENGINE_SCENARIOS,
  ...SCALE_SCENARIOS,
];
