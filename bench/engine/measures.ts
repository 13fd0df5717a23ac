/** What each `engine.*` scenario measures, by name. Only the process that measures imports it (child.ts). */
import type { Figure } from '../figure.js';
import { CHECKSUM, measureChecksum } from './checksums.js';
import { FDB, measureFdb } from './fdb.js';
import { FIB, measureFib } from './fib.js';
import { BRIDGE, measureBridge, measureRoute, ROUTE } from './forwarding.js';
import { measureParse, PARSE } from './parse.js';
import { measurePipeline, PIPELINE } from './pipeline.js';
import { JOIN, measureJoin, measureSegment, SEGMENT } from './segments.js';
import { measureService, SERVICE } from './service.js';
import type { Budget } from './timing.js';
import { DECAPSULATE, ENCAPSULATE, measureDecapsulate, measureEncapsulate } from './tunnel.js';

export type Measure = (budget: Budget, say: (text: string) => void) => Figure[] | Promise<Figure[]>;

export const MEASURES: Readonly<Record<string, Measure>> = {
  [PIPELINE]: measurePipeline,
  [SERVICE]: measureService,
  [PARSE]: measureParse,
  [BRIDGE]: measureBridge,
  [ROUTE]: measureRoute,
  [ENCAPSULATE]: measureEncapsulate,
  [DECAPSULATE]: measureDecapsulate,
  [SEGMENT]: measureSegment,
  [JOIN]: measureJoin,
  [CHECKSUM]: measureChecksum,
  [FIB]: measureFib,
  [FDB]: measureFdb,
};
