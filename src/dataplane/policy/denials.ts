/**
 * An engine's end of what was refused (denial-memory.ts): `tell` counts it and remembers it. Nothing is allocated;
 * most of the cost are the record's two Atomics.
 */
import {
  countedAs,
  countsOf,
  type DenialMemory,
  HEADER,
  MARK,
  RECORD,
  recordAt,
  ringOf,
} from './denial-memory.js';
import { ASK } from './policy-table.js';

/** The number after this one is 1. */
const LAST_NUMBER = 0x7fff_ffff;

export class Denials {
  private readonly counts: Float64Array;
  private readonly ring: Int32Array;
  private readonly notes: number;

  /** @param own the engine's place among those that share the memory */
  constructor(memory: DenialMemory, own: number) {
    this.counts = countsOf(memory, own);
    this.ring = ringOf(memory, own);
    this.notes = memory.notes;
  }

  /**
   * What came to the pod at `port` (ASK.INGRESS), or what it sent (ASK.EGRESS), was refused. Addresses are four words, of IPv4
   * the last one; protocol and ports as PolicyTable.allows is asked. A packet that is several on the wire counts as these.
   */
  tell(
    time: number,
    way: number,
    port: number,
    note: number,
    isIpv6: boolean,
    source: Int32Array,
    destination: Int32Array,
    protocol: number,
    sourcePort: number,
    destinationPort: number,
    packets: number,
  ): void {
    const { ring } = this;
    this.count(note, packets);
    const number = ring[HEADER.LAST] === LAST_NUMBER ? 1 : ring[HEADER.LAST] + 1;
    const at = recordAt(number);
    Atomics.store(ring, at + RECORD.NUMBER, 0);
    ring[at + RECORD.TIME] = time;
    ring[at + RECORD.PORT] = port;
    ring[at + RECORD.NOTE] = note;
    ring[at + RECORD.MARKS] = (isIpv6 ? MARK.IPV6 : 0) | (way === ASK.EGRESS ? MARK.EGRESS : 0);
    ring[at + RECORD.PROTOCOL] = protocol;
    ring[at + RECORD.SOURCE_PORT] = sourcePort;
    ring[at + RECORD.DESTINATION_PORT] = destinationPort;
    for (let i = 0; i < 4; i++) {
      ring[at + RECORD.SOURCE + i] = source[i];
      ring[at + RECORD.DESTINATION + i] = destination[i];
    }
    Atomics.store(ring, at + RECORD.NUMBER, number);
    ring[HEADER.LAST] = number;
  }

  private count(note: number, packets: number): void {
    const index = countedAs(note, this.notes);
    this.counts[index] += packets;
    if (index >= this.ring[HEADER.NOTES]) this.ring[HEADER.NOTES] = index + 1;
  }
}
