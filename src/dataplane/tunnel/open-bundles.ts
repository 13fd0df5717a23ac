/**
 * OpenBundles: the datagrams of a batch to which more of the same flow may still be appended.
 *
 * A flow has one place in the table, by its hash, so that whatever is done at that place keeps the flow's order. Two
 * flows that meet at one place close each other's bundle, which costs a send and nothing else.
 *
 * Eight places: the packets of one batch belong to few flows. Packets of any length are appended: to copy one of 1,450
 * octets takes 30 ns, one of 30,000 less than a microsecond, and a send of its own 2.4 microseconds
 * (loopback). Holds slots only between `Bundler.add` and `finish`.
 */
import type { PacketPool } from '../pool.js';
import { sameRemote } from './remote.js';

/** Datagrams that one send takes: UDP_MAX_SEGMENTS of a kernel that does not yet take 128. */
export const MAX_DATAGRAMS = 64;

/** Octets that one send takes: below 65,507, the most that a UDP datagram over IPv4 can hold. */
export const MAX_OCTETS = 65_000;

const PLACES = 8;

export class OpenBundles {
  /** How many bundles are open. */
  count = 0;
  /** The slot of the bundle at each place, or -1. */
  private readonly slots = new Int32Array(PLACES).fill(-1);
  private readonly vnis = new Int32Array(PLACES);
  /** Octets of each datagram, and how many there are. */
  private readonly sizes = new Int32Array(PLACES);
  private readonly datagrams = new Int32Array(PLACES);

  constructor(private readonly pool: PacketPool) {}

  get places(): number {
    return PLACES;
  }

  placeOf(hash: number): number {
    return (hash ^ (hash >>> 11) ^ (hash >>> 22)) & (PLACES - 1);
  }

  isOpen(place: number): boolean {
    return this.slots[place] >= 0;
  }

  /** `slot` holds one datagram, of which the pool says everything. */
  open(place: number, slot: number, vni: number): void {
    this.slots[place] = slot;
    this.vnis[place] = vni;
    this.sizes[place] = this.pool.length[slot];
    this.datagrams[place] = 1;
    this.count++;
  }

  /**
   * The bundle at `place`, where a datagram of `length` octets around the packet in `slot` may be appended to it;
   * otherwise -1.
   */
  takes(place: number, slot: number, length: number, vni: number, hash: number): number {
    const { pool } = this;
    const bundle = this.slots[place];
    if (bundle < 0 || length > this.sizes[place] || pool.info[bundle] !== hash) return -1;
    if (this.vnis[place] !== vni || pool.egress[bundle] !== pool.egress[slot]) return -1;
    return sameRemote(pool, bundle, slot) ? bundle : -1;
  }

  /** Notes that a datagram of `length` octets was appended. Answers whether another of the first one's size fits. */
  appended(place: number, length: number): boolean {
    const { pool } = this;
    const bundle = this.slots[place];
    const size = this.sizes[place];
    pool.gsoSize[bundle] = size;
    pool.length[bundle] += length;
    return length === size && ++this.datagrams[place] < MAX_DATAGRAMS && this.hasRoom(bundle, size);
  }

  /** Whether another datagram of `size` octets fits behind what is in `bundle`. */
  hasRoom(bundle: number, size: number): boolean {
    const { pool } = this;
    const whole = pool.length[bundle] + size;
    return whole <= MAX_OCTETS && pool.at[bundle] + whole <= pool.end(bundle);
  }

  /** Empties the place and answers the bundle. */
  close(place: number): number {
    const bundle = this.slots[place];
    this.slots[place] = -1;
    this.count--;
    return bundle;
  }
}
