/**
 * OpenBundles: for each of a few flows, the slot of a batch to which more of its datagrams may still be appended.
 *
 * A flow has one place in the table, by its hash. Two flows that meet at one place displace each other, which costs a
 * send and nothing else. What is remembered has been queued already: a flow's next packet is appended to it or
 * queued behind it, so its order is kept either way.
 *
 * Eight places: the packets of one batch belong to few flows. Packets of any length are appended: to copy one of 1,450
 * octets takes 30 ns, one of 30,000 less than a microsecond, and a send of its own 2.4 microseconds
 * (loopback). Owns no slot; `forget` must be called before the queue is sent.
 */
import * as vxlan from '../../wire/vxlan.js';
import type { PacketPool } from '../pool.js';
import { sameRemote } from './remote.js';

/** Datagrams that one send takes: UDP_MAX_SEGMENTS of a kernel that does not yet take 128. */
export const MAX_DATAGRAMS = 64;

/** Octets that one send takes: below 65,507, the most that a UDP datagram over IPv4 can hold. */
export const MAX_OCTETS = 65_000;

const PLACES = 8;
const NONE = -1;

export class OpenBundles {
  /** The slot of the bundle at each place, or NONE. */
  private readonly slots = new Int32Array(PLACES).fill(NONE);

  constructor(private readonly pool: PacketPool) {}

  placeOf(hash: number): number {
    return (hash ^ (hash >>> 11) ^ (hash >>> 22)) & (PLACES - 1);
  }

  /** `slot` holds one datagram, of which the pool says everything. */
  open(place: number, slot: number): void {
    this.slots[place] = slot;
  }

  close(place: number): void {
    this.slots[place] = NONE;
  }

  /** Whatever has been queued is finished. */
  forget(): void {
    this.slots.fill(NONE);
  }

  /**
   * Whether a datagram of `length` octets around the packet in `slot`, of a flow with this hash, may be appended to the
   * bundle at `place`.
   */
  takes(place: number, slot: number, length: number, vni: number, hash: number): boolean {
    const bundle = this.slots[place];
    return bundle !== NONE && this.pool.info[bundle] === hash && this.fits(bundle, slot, length, vni);
  }

  at(place: number): number {
    return this.slots[place];
  }

  /** Notes that a datagram of `length` octets was appended. A shorter one is the last. */
  appended(place: number, length: number): void {
    const { pool } = this;
    const bundle = this.slots[place];
    const size = this.sizeOf(bundle);
    pool.gsoSize[bundle] = size;
    pool.length[bundle] += length;
    if (length !== size) this.close(place);
  }

  /** The same network and other end, and room for one more. */
  private fits(bundle: number, slot: number, length: number, vni: number): boolean {
    const { pool } = this;
    const size = this.sizeOf(bundle);
    const whole = pool.length[bundle] + length;
    if (length > size || whole > MAX_OCTETS || whole > size * MAX_DATAGRAMS) return false;
    if (pool.at[bundle] + whole > pool.end(bundle) || vxlan.vni(pool.view, pool.at[bundle]) !== vni)
      return false;
    return pool.egress[bundle] === pool.egress[slot] && sameRemote(pool, bundle, slot);
  }

  /** Octets of each datagram of the bundle. */
  private sizeOf(bundle: number): number {
    const { pool } = this;
    return pool.gsoSize[bundle] || pool.length[bundle];
  }
}
