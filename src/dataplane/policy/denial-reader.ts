/**
 * Reads what policies have refused, in all engines, from any thread, while they go on. Control path; asks nothing of an engine.
 */
import {
  countedAs,
  countsOf,
  type DenialMemory,
  HEADER,
  MARK,
  RECORD,
  RECORD_SHIFT,
  RING_RECORDS,
  ringOf,
} from './denial-memory.js';

export interface Denial {
  /** Milliseconds since. */
  readonly age: number;
  readonly direction: 'ingress' | 'egress';
  /** Of the pod whose policies refused it. */
  readonly port: number;
  /** The rule, or what holds where none matches; NO_NOTE: none was told yet. */
  readonly note: number;
  /** NOT_IP (verdict.ts): addresses and ports say nothing. */
  readonly protocol: number;
  /** One word for IPv4, four for IPv6; uint32. The destination is that after translation. */
  readonly source: readonly number[];
  readonly destination: readonly number[];
  /** NO_PORT where there is none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export class DenialReader {
  private readonly counts: readonly Float64Array[];
  private readonly rings: readonly Int32Array[];
  /** By note: what was counted when it was restarted. */
  private readonly before = new Map<number, number>();

  constructor(private readonly memory: DenialMemory) {
    const engines = Array.from({ length: memory.engines }, (_, engine) => engine);
    this.counts = engines.map((engine) => countsOf(memory, engine));
    this.rings = engines.map((engine) => ringOf(memory, engine));
  }

  /** Packets on the wire that were refused under this note, by all engines, since it was restarted. */
  count(note: number): number {
    const index = countedAs(note, this.memory.notes);
    return this.total(index) - (this.before.get(index) ?? 0);
  }

  /** By note, those that have refused something. */
  allCounts(): Map<number, number> {
    const found = new Map<number, number>();
    const end = this.rings.reduce((most, ring) => Math.max(most, ring[HEADER.NOTES]), 0);
    for (let note = 0; note < end; note++) {
      const count = this.count(note);
      if (count > 0) found.set(note, count);
    }
    return found;
  }

  /** The note is another rule's from now on. What was remembered under it is told under it still. */
  restart(note: number): void {
    const index = countedAs(note, this.memory.notes);
    this.before.set(index, this.total(index));
  }

  /** The last ones, the latest first. @param now Dataplane.flowTime() */
  recent(now: number, most: number = RING_RECORDS): Denial[] {
    const all = this.rings.flatMap((ring) => recordsOf(ring).map((record) => denialOf(record, now)));
    return all.sort((a, b) => a.age - b.age).slice(0, most);
  }

  private total(index: number): number {
    return this.counts.reduce((sum, counts) => sum + counts[index], 0);
  }
}

/** Copies of whole records, the latest first. */
function recordsOf(ring: Int32Array): Int32Array[] {
  const found: Int32Array[] = [];
  for (let index = 1; index <= RING_RECORDS; index++) {
    const at = index << RECORD_SHIFT;
    const number = Atomics.load(ring, at + RECORD.NUMBER);
    const record = ring.slice(at, at + (1 << RECORD_SHIFT));
    if (number !== 0 && Atomics.load(ring, at + RECORD.NUMBER) === number) found.push(record);
  }
  return found.sort((a, b) => (b[RECORD.NUMBER] - a[RECORD.NUMBER]) | 0);
}

function denialOf(record: Int32Array, now: number): Denial {
  const marks = record[RECORD.MARKS];
  const isIpv6 = (marks & MARK.IPV6) !== 0;
  return {
    // What was written since `now` was asked for is of this moment.
    age: Math.max(0, (now - record[RECORD.TIME]) | 0),
    direction: (marks & MARK.EGRESS) !== 0 ? 'egress' : 'ingress',
    port: record[RECORD.PORT],
    note: record[RECORD.NOTE],
    protocol: record[RECORD.PROTOCOL],
    source: addressOf(record, RECORD.SOURCE, isIpv6),
    destination: addressOf(record, RECORD.DESTINATION, isIpv6),
    sourcePort: record[RECORD.SOURCE_PORT],
    destinationPort: record[RECORD.DESTINATION_PORT],
  };
}

function addressOf(record: Int32Array, from: number, isIpv6: boolean): number[] {
  return Array.from(record.subarray(isIpv6 ? from : from + 3, from + 4), (word) => word >>> 0);
}
