/**
 * The memory of the flow table, shared by the engines that forward side by side, and read by anybody.
 *
 * Entries are 1..capacity; each engine has an equal share of them, which are next to one another. A flow is seen from two sides:
 * `2 * entry + way` is its handle, where way 0 is as its first packet went (original), 1 the other way (reply).
 *
 *     index      a word for each way of each flow: its handle, and a part of its hash (flow-index.ts)
 *     records    16 words an entry, one cache line: both tuples, state, decision. Changes seldom
 *     activity   6 words for each way: what each packet changes. The ways lie far apart, since each may be written by
 *                another engine, and a cache line that two processors write goes to and fro
 *     addresses  16 words an entry, both tuples' IPv6 addresses; never touched by IPv4
 *     engines    by engine: how many entries were ever in use, and what it counts
 *
 * Nothing is touched before it is used, so memory grows with the flows that there have been at once: 128 bytes a flow
 * and 16 of index, 64 more for IPv6; and what residents.ts has. 1 M flows: 140 MB, 205 with IPv6.
 */
import { bucketsFor } from '../tables/hash.js';
import { requireInteger } from '../tables/table-error.js';

export const WAY = { ORIGINAL: 0, REPLY: 1 } as const;

export const RECORD_SHIFT = 4;
/** Words of a record. */
export const RECORD = {
  /** Tuples of TUPLE_WORDS, original and reply: source, destination, ports, zone and protocol (flow-key.ts). */
  TUPLES: 0,
  /** Odd while tuples or decision are being written; raised with each change. */
  VERSION: 8,
  /** State, marks, and which flow of this entry it is (flow-states.ts). */
  STATE: 9,
  /** The decision: words of the table's user, and the generation in which it was made. */
  KIND: 10,
  TARGET: 11,
  ARGUMENT: 12,
  GENERATION: 13,
  /** Milliseconds, modulo 2^32. */
  CREATED: 14,
  /** That the first packet came in by. */
  PORT: 15,
} as const;

export const TUPLE_SHIFT = 2;
export const TUPLE_WORDS = 1 << TUPLE_SHIFT;

/** Words of what a way's packets change; the last four are two float64. */
export const ACTIVITY = { SEEN: 0, ACKNOWLEDGED: 1, PACKETS: 2, BYTES: 4 } as const;
export const ACTIVITY_WORDS = 6;

/** Words of an engine. */
export const ENGINE_WORDS = 16;
export const ENGINE = {
  TOUCHED: 0,
  SIZE: 1,
  OPENED: 2,
  EXPIRED: 3,
  EVICTED: 4,
  REFUSED: 5,
  CLASHES: 6,
} as const;

/** Slots of the index for each entry: two are in use in a full table. */
const SLOTS_PER_ENTRY = 4;
const LEAST_SLOTS = 16;
export const MAX_CAPACITY = 1 << 24;
const MAX_ENGINES = 16;

/** What engines and readers share; it may be posted to another thread. */
export interface FlowMemory {
  readonly capacity: number;
  readonly engines: number;
  /** Secret: see hash.ts. The same for all. */
  readonly seed: number;
  readonly index: SharedArrayBuffer;
  readonly records: SharedArrayBuffer;
  readonly activity: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly addresses: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
}

/** @param capacity flows at most, over all engines; rounded down to a multiple of `engines`. Throws TABLE_INVALID. */
export function makeFlowMemory(capacity: number, engines: number, seed: number): FlowMemory {
  requireInteger('number of engines', engines, 1, MAX_ENGINES);
  requireInteger('capacity', capacity, engines, MAX_CAPACITY);
  const words = (count: number) => new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT);
  const whole = capacity - (capacity % engines);
  const entries = whole + 1;
  return {
    capacity: whole,
    engines,
    seed,
    index: words(Math.max(LEAST_SLOTS, bucketsFor(SLOTS_PER_ENTRY * whole))),
    records: words(entries << RECORD_SHIFT),
    activity: [words(entries * ACTIVITY_WORDS), words(entries * ACTIVITY_WORDS)],
    addresses: words(entries << RECORD_SHIFT),
    counts: words(engines * ENGINE_WORDS),
  };
}
