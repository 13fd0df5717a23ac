/** What the flow table is asked with and what it answers. */
import type { FlowMemory } from './flow-memory.js';
import type { TIMEOUTS } from './flow-states.js';

/** What `track` found. Only what is `fine` counts as a packet of the flow. */
export const TRACK = {
  fine: 0,
  /** Out of place, but the ends will settle it: let it pass. */
  ignored: 1,
  /** Belongs to no connection in this state. */
  invalid: 2,
  /** A new connection with the old one's ports: `end` this flow and open another. */
  reopened: 3,
  /** The flow has ended since it was looked up. */
  gone: 4,
} as const;

/** Answers of `open` that are no handles. */
export const OPEN = {
  /** The port is out of range, or the index has no room. */
  refused: -1,
  /** One of the tuples is another flow's: look up again, or choose another reply tuple. */
  clash: -2,
  /** No packet to begin with. */
  invalid: -3,
} as const;

export interface FlowTableOptions {
  readonly memory: FlowMemory;
  /** Which of the engines this is. */
  readonly own?: number;
  /** Port numbers are below this. */
  readonly ports: number;
  /** Flows that a port may have; half of the engine's entries unless said. */
  readonly quota?: number;
  /** Seconds, by state. */
  readonly timeouts?: Partial<typeof TIMEOUTS>;
}
