/**
 * Token buckets, kept as what is owed: for each the time (µs) at which all that has passed is paid for at its rate.
 * A packet may go when what is owed and its own cost are within the burst, or when nothing is owed. It is told how long
 * to wait, and pays at once (the virtual scheduling algorithm of ITU-T I.371; the departure times of Linux's fq).
 *
 * One word for each bucket, in memory that engines side by side share, since a port is written to by all of them: an
 * Atomics.compareExchange for each packet, tried again where another engine was faster, of which one always gets on.
 * Costs 55 ns at most. Times are 32 bits of microseconds and turn round every 71 minutes; `refresh` brings along what is
 * far behind. What is less than a microsecond is carried on by each engine for itself, so that rates are exact.
 */
import { MAX_QUEUES, MOST_MICROS, type ShapingData } from '../tables/shaping-table.js';

/** Bytes of memory that engines share. */
export const BUCKET_BYTES = MAX_QUEUES * 4;

export class RateBuckets {
  /** When all is paid for. */
  private readonly paid: Int32Array;
  /** Cost carried on, below 1 µs. */
  private readonly rest = new Float64Array(MAX_QUEUES);

  /** @param shared memory of BUCKET_BYTES that other engines have too. */
  constructor(shared = new SharedArrayBuffer(BUCKET_BYTES)) {
    this.paid = new Int32Array(shared);
  }

  /**
   * Takes `bytes` out of the bucket of a row. Answers how long they have to wait (µs), or -1 where that is more than
   * `most`, and nothing is taken. `now`: µs, 32 bits.
   */
  take(data: ShapingData, row: number, bytes: number, now: number, most: number): number {
    const { paid, rest } = this;
    const queue = data.queue[row];
    const exact = Math.min(bytes * data.microsPerByte[row] + rest[queue], MOST_MICROS);
    const cost = exact | 0;
    const allowed = Math.max(data.burst[row], cost);
    for (;;) {
      const before = Atomics.load(paid, queue);
      const owed = Math.max((before - now) | 0, 0);
      const wait = owed + cost - allowed;
      if (wait > most) return -1;
      if (Atomics.compareExchange(paid, queue, before, (now + owed + cost) | 0) !== before) continue;
      rest[queue] = exact - cost;
      return Math.max(wait, 0);
    }
  }

  /** Nothing is owed. */
  reset(queue: number, now: number): void {
    Atomics.store(this.paid, queue, now);
    this.rest[queue] = 0;
  }

  /** To be called for each bucket several times in 35 minutes: else one long idle would seem to owe. */
  refresh(queue: number, now: number): void {
    const before = Atomics.load(this.paid, queue);
    if (((before - now) | 0) < 0) Atomics.compareExchange(this.paid, queue, before, now);
  }
}
