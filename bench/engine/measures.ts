/** What each `engine.*` scenario measures, by name. Only the process that measures imports it (child.ts). */
import type { Figure } from '../figure.js';
import { measurePipeline, PIPELINE } from './pipeline.js';
import type { Budget } from './timing.js';

export type Measure = (budget: Budget, say: (text: string) => void) => Figure[] | Promise<Figure[]>;

export const MEASURES: Readonly<Record<string, Measure>> = {
  [PIPELINE]: measurePipeline,
};
