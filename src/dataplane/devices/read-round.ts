/**
 * How many reads the next round has: as many as lately found a packet and one more, twice as many after all of
 * them did, and no more than bring so many bytes that they are still in the cache when they are written.
 */
import { DEVICE_BATCH } from '../constants.js';

/** Bytes that one round of reads should bring at most. */
export const ROUND_BYTES = 1 << 19;

/** What a packet counts at least, however short it is. */
const LEAST_BYTES = 64;

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

  /** A read brought a packet. */
  bring(bytes: number): void {
    this.brought++;
    this.bytes += Math.max(bytes, LEAST_BYTES);
  }

  private next(): number {
    if (this.brought === 0) return 1;
    const fullRound = this.brought >= this.asked;
    const wish = fullRound ? this.brought * 2 : this.brought + 1;
    const most = Math.max(2, (ROUND_BYTES * this.brought) / this.bytes) | 0;
    return Math.min(wish, most, DEVICE_BATCH);
  }
}
