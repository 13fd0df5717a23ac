/** What of `scale.*` is measured in memory, by name. Only the process that measures imports it (engine/child.ts). */
import type { Measure } from '../engine/measures.js';
import { measureFlowTable } from './flow-table.js';
import { SCALE_FLOWS } from './flows.js';
import { measurePolicy } from './policy.js';
import { SCALE_POLICY } from './policy-world.js';
import { SCALE_SERVICES } from './service-world.js';
import { measureServices } from './services.js';

export const SCALE_MEASURES: Readonly<Record<string, Measure>> = {
  [SCALE_SERVICES]: measureServices,
  [SCALE_POLICY]: measurePolicy,
  [SCALE_FLOWS]: measureFlowTable,
};
