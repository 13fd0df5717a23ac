/**
 * The exact-match cache: what Express does with packets of a translated IPv4 connection, one cache line a way, found by a cheap
 * hash of the packet's tuple. The flow table stays the truth; an entry is a copy of what it said, and counts only while the
 * flow's state word is the one that it was made with, which holds the flow's number, and while no snapshot or service
 * is newer. So nothing has to be told to it, whoever ends a flow or decides about it again.
 *
 * It has what a lookup would find, and what follows from it: the tuple that the packet gets, by how much its checksums change,
 * and its next hop. Open vSwitch has one for the same reason (lib/dpif-netdev.c, EMC).
 *
 * Each tuple has one place, and the last one to come has it. Memory: 8 MiB an engine, of which only what is used is touched.
 */
import { mix32 } from '../tables/hash.js';

const ENTRIES = 131_072;
const ENTRY_SHIFT = 4;
const MASK = ENTRIES - 1;

/** Words of an entry. */
export const CACHED = {
  /** The packet's tuple: addresses, ports, protocol. A protocol of 0 is no entry. */
  SOURCE: 0,
  DESTINATION: 1,
  PORTS: 2,
  PROTOCOL: 3,
  HANDLE: 4,
  STATE: 5,
  GENERATION: 6,
  /** Index of the next hop. */
  HOP: 7,
  NEW_SOURCE: 8,
  NEW_DESTINATION: 9,
  NEW_PORTS: 10,
  /** By how much the sums of the network header, and of header and ports, grow: folded. */
  ADDRESSES_SUM: 11,
  WHOLE_SUM: 12,
  /** Bits of DECISION. */
  KIND: 13,
} as const;

export class ExactMatchCache {
  readonly words = new Int32Array(ENTRIES << ENTRY_SHIFT);

  /** @param seed keys the hash: who chooses ports should not choose whose entry goes. */
  constructor(private readonly seed: number) {}

  /** Where the tuple's entry begins, whoever has it. */
  placeOf(source: number, destination: number, ports: number): number {
    const hash = mix32(
      (source ^ Math.imul(destination ^ this.seed, 0x9e37_79b1) ^ Math.imul(ports, 0x85eb_ca6b)) | 0,
    );
    return (hash & MASK) << ENTRY_SHIFT;
  }
}
