/**
 * Packets that stay where the store has them: a slot's `at` points there, and its facts are set anew. So nothing is
 * copied, and frames are as far from the processor as a store of that many is: a mix of many flows is read from memory
 * one after the other, which the processor sees coming.
 *
 * A packet that the parser need not have seen (`bare`) has `at`, `length` and `port`; a parsed one (`parsed`), UDP over
 * IPv4 of a mix, all that Parse sets. The TTL and its checksum are as at first, whatever was done to them.
 */
import type { Batch } from '../../src/dataplane/batch.js';
import { KIND, type PacketPool } from '../../src/dataplane/pool.js';
import * as ethernet from '../../src/wire/ethernet.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import { FIRST_POD } from './cluster.js';
import type { FrameStore } from './frame-store.js';

const TTL_AND_PROTOCOL = 8;
const CHECKSUM = 10;

export class InPlace {
  private next = 0;
  private readonly ttls: Uint16Array;
  private readonly checks: Uint16Array;

  constructor(
    private readonly pool: PacketPool,
    private readonly frames: FrameStore,
  ) {
    const words = (field: number): Uint16Array =>
      Uint16Array.from(frames.places, (at) => pool.view.getUint16(at + ethernet.HEADER_LENGTH + field));
    this.ttls = words(TTL_AND_PROTOCOL);
    this.checks = words(CHECKSUM);
  }

  /** Gives each slot of the batch the next packet. */
  bare(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.place(batch.slots[i]);
  }

  parsed(batch: Batch): void {
    const { pool } = this;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const packet = this.place(slot);
      const l3 = pool.at[slot] + ethernet.HEADER_LENGTH;
      pool.view.setUint16(l3 + TTL_AND_PROTOCOL, this.ttls[packet]);
      pool.view.setUint16(l3 + CHECKSUM, this.checks[packet]);
      markParsed(pool, slot);
    }
  }

  private place(slot: number): number {
    const { pool, frames, next } = this;
    pool.at[slot] = frames.places[next];
    pool.reset(slot, frames.lengths[next], FIRST_POD);
    this.next = next + 1 === frames.count ? 0 : next + 1;
    return next;
  }
}

/** The facts of an untagged packet of UDP over IPv4. */
export function markParsed(pool: PacketPool, slot: number): void {
  const l3 = pool.at[slot] + ethernet.HEADER_LENGTH;
  pool.l3[slot] = l3;
  pool.l3Length[slot] = pool.length[slot] - ethernet.HEADER_LENGTH;
  pool.l4[slot] = l3 + ipv4.HEADER_LENGTH;
  pool.kind[slot] = KIND.IPV4;
  pool.protocol[slot] = ipv4.PROTOCOL.UDP;
}
