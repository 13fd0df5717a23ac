/**
 * How many reads the next round has: as many as lately found a packet and one more, twice as many after all of
 * them did, and no more than bring so many bytes that they are still in the cache when they are written.
 *
 * A read of the tunnel may bring many datagrams, each of which takes a slot of its own later. Sixty-four bundles of forty
 * short packets would be 2,560 slots at once: more than the processor's caches and a port's queue have room for, and a
 * sixth of them was dropped there (`tx-queue-full`) while the next ones already waited.
 */
import { DEVICE_BATCH } from '../constants.js';

/** Bytes that one round of reads should bring at most. */
export const ROUND_BYTES = 1 << 19;

/** What a packet counts at least, however short it is. */
const LEAST_BYTES = 64;

/** What each of several datagrams counts at least: five hundred to a round. */
const LEAST_DATAGRAM = 1024;

/** What a read of so many bytes and datagrams counts of ROUND_BYTES. */
export function weightOf(bytes: number, datagrams: number): number {
  return Math.max(bytes, datagrams > 1 ? datagrams * LEAST_DATAGRAM : LEAST_BYTES);
}

export class ReadRound {
  /** Reads of the last round, how many of them brought a packet, and how many bytes. */
  private asked = 0;
  private brought = 0;
  private bytes = 0;

  /** Begins the next round. Answers its reads, one that waits included: that one alone after a round of nothing. */
  begin(): number {
    const reads = this.next();
    this.asked = 0;
    this.brought = 0;
    this.bytes = 0;
    return reads;
  }

  /** A read was queued. */
  ask(): void {
    this.asked++;
  }

  /** A read brought a packet, or several datagrams. */
  bring(bytes: number, datagrams = 1): void {
    this.brought++;
    this.bytes += weightOf(bytes, datagrams);
  }

  private next(): number {
    if (this.brought === 0) return 1;
    const fullRound = this.brought >= this.asked;
    const wish = fullRound ? this.brought * 2 : this.brought + 1;
    const most = Math.max(2, (ROUND_BYTES * this.brought) / this.bytes) | 0;
    return Math.min(wish, most, DEVICE_BATCH);
  }
}
