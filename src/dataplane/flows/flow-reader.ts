/**
 * Reads the flows of all engines, from any thread, while they go on: for `podwire flows`. Control path; asks nothing of an engine.
 *
 * In steps: `read` looks at so many entries from a place and answers the next place. What comes and goes meanwhile may be
 * missed, or seen; no flow is told of twice, none is made up of two. Counts of a way may be a packet apart.
 */
import { FlowActivity } from './flow-activity.js';
import { isIpv6, protocolOf, zoneOf } from './flow-key.js';
import {
  ENGINE,
  ENGINE_WORDS,
  type FlowMemory,
  RECORD,
  RECORD_SHIFT,
  TUPLE_SHIFT,
  WAY,
} from './flow-memory.js';
import { isSameFlow } from './flow-records.js';
import { FLOW, type FlowState, MARK, STATE_MASK } from './flow-states.js';

export interface FlowSide {
  readonly zone: number;
  /** One word for IPv4, four for IPv6; uint32. */
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface FlowRow {
  readonly protocol: number;
  readonly state: FlowState;
  readonly isReplied: boolean;
  readonly isAssured: boolean;
  /** That opened it. */
  readonly port: number;
  /** Milliseconds since it was opened, and since its last packet. */
  readonly age: number;
  readonly idle: number;
  readonly original: FlowSide;
  readonly reply: FlowSide;
  readonly decision: { kind: number; target: number; argument: number; generation: number };
}

/** Goes round the entries that were ever in use, of all engines, some at a time. */
export class EntryWalk {
  private readonly counts: Int32Array;

  constructor(private readonly memory: FlowMemory) {
    this.counts = new Int32Array(memory.counts);
  }

  /** Visits `budget` entries from `place` on (0 to begin). Answers where to go on, or -1 at the end. */
  each(place: number, budget: number, visit: (entry: number) => void): number {
    const { capacity, engines } = this.memory;
    const share = capacity / engines;
    let next = place;
    for (let left = budget; left > 0 && next < capacity; left--) {
      const engine = Math.floor(next / share);
      const touched = Atomics.load(this.counts, engine * ENGINE_WORDS + ENGINE.TOUCHED);
      if (next - engine * share >= touched) next = (engine + 1) * share;
      else visit(++next);
    }
    return next < capacity ? next : -1;
  }
}

export class FlowReader {
  private readonly records: Int32Array;
  private readonly addresses: Int32Array;
  private readonly counts: Int32Array;
  private readonly activity: FlowActivity;
  private readonly walk: EntryWalk;

  constructor(private readonly memory: FlowMemory) {
    this.records = new Int32Array(memory.records);
    this.addresses = new Int32Array(memory.addresses);
    this.counts = new Int32Array(memory.counts);
    this.activity = new FlowActivity(memory);
    this.walk = new EntryWalk(memory);
  }

  /** Flows that there can be. */
  get capacity(): number {
    return this.memory.capacity;
  }

  /** The sum over all engines of one of ENGINE. */
  count(which: number): number {
    let sum = 0;
    for (let engine = 0; engine < this.memory.engines; engine++) {
      sum += Atomics.load(this.counts, engine * ENGINE_WORDS + which) >>> 0;
    }
    return sum;
  }

  /** Visits the flows among `budget` entries from `place` on (0 to begin). Answers where to go on, or -1 at the end. */
  read(place: number, budget: number, now: number, visit: (row: FlowRow) => void): number {
    return this.walk.each(place, budget, (entry) => {
      const row = this.row(entry, now);
      if (row !== undefined) visit(row);
    });
  }

  private row(entry: number, now: number): FlowRow | undefined {
    const state = this.word(entry, RECORD.STATE);
    if ((state & STATE_MASK) === FLOW.ENDED) return undefined;
    const row: FlowRow = {
      protocol: protocolOf(this.word(entry, 3)),
      state: (state & STATE_MASK) as FlowState,
      isReplied: (state & MARK.REPLIED) !== 0,
      isAssured: (state & MARK.ASSURED) !== 0,
      port: this.word(entry, RECORD.PORT),
      age: (now - this.word(entry, RECORD.CREATED)) | 0,
      idle: this.activity.idle(entry, now),
      original: this.side(entry, WAY.ORIGINAL),
      reply: this.side(entry, WAY.REPLY),
      decision: this.decision(entry),
    };
    return isSameFlow(this.word(entry, RECORD.STATE), state) ? row : undefined;
  }

  private side(entry: number, way: number): FlowSide {
    const tuple = way << TUPLE_SHIFT;
    const ports = this.word(entry, tuple + 2);
    const subject = this.word(entry, tuple + 3);
    const handle = 2 * entry + way;
    return {
      zone: zoneOf(subject),
      source: isIpv6(subject) ? this.address(handle, 0) : [this.word(entry, tuple) >>> 0],
      destination: isIpv6(subject) ? this.address(handle, 4) : [this.word(entry, tuple + 1) >>> 0],
      sourcePort: ports >>> 16,
      destinationPort: ports & 0xffff,
      packets: this.activity.packets(entry, way),
      bytes: this.activity.bytes(entry, way),
    };
  }

  private address(handle: number, from: number): number[] {
    return [0, 1, 2, 3].map((i) => Atomics.load(this.addresses, (handle << 3) + from + i) >>> 0);
  }

  /** Generation -1: none, or one that is just being written. */
  private decision(entry: number): FlowRow['decision'] {
    const version = this.word(entry, RECORD.VERSION);
    const kind = this.word(entry, RECORD.KIND);
    const target = this.word(entry, RECORD.TARGET);
    const argument = this.word(entry, RECORD.ARGUMENT);
    const generation = this.word(entry, RECORD.GENERATION);
    const isWhole = (version & 1) === 0 && this.word(entry, RECORD.VERSION) === version;
    return { kind, target, argument, generation: isWhole ? generation : -1 };
  }

  private word(entry: number, word: number): number {
    return Atomics.load(this.records, (entry << RECORD_SHIFT) + word);
  }
}
