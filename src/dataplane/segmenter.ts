/**
 * Segmenter: finishes packets for a device that lacks the offload.
 *
 * `segment` cuts a GSO packet into packets as they go on a wire, a slot for each; what becomes of their headers
 * and checksums is in segment-cutter.ts. `completeChecksum` takes the sum that a packet still lacks.
 *
 * A packet becomes all of its segments or none: where slots or room in the queue are short it is dropped whole,
 * since TCP would send the rest again anyway.
 *
 * Expects what offload.ts has found sound. Drops: no-slot, tx-queue-full, at the ingress port.
 */
import { type Checksum, completePartial } from '../wire/checksum.js';
import { GSO } from '../wire/virtio-net.js';
import type { Batch } from './batch.js';
import type { Counters } from './counters.js';
import { DROP } from './drop-reasons.js';
import { PACKET, type PacketPool } from './pool.js';
import { SegmentCutter } from './segment-cutter.js';

const UNFINISHED = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID;

export class Segmenter {
  private readonly cutter: SegmentCutter;

  constructor(
    private readonly pool: PacketPool,
    private readonly checksum: Checksum,
    private readonly counters: Counters,
  ) {
    this.cutter = new SegmentCutter(pool, checksum);
  }

  /**
   * Cuts `slot` and appends the segments to `queue`, in order. Takes one reference of `slot`, which may be
   * shared: it is only read. The segments are counted as replicated, but for the first.
   */
  segment(slot: number, queue: Batch): void {
    const { pool, cutter } = this;
    cutter.begin(slot);
    const { count } = cutter;
    if (count > pool.free || count > queue.capacity - queue.count) {
      this.drop(slot, DROP[count > pool.free ? 'no-slot' : 'tx-queue-full']);
      return;
    }
    for (let i = 0; i < count; i++) {
      const segment = pool.take();
      pool.copyFacts(slot, segment);
      this.finishFacts(segment, cutter.write(pool.at[segment], i));
      queue.push(segment);
    }
    this.counters.replicated(count - 1);
    pool.release(slot);
  }

  /**
   * Replaces a partial checksum by the complete one, up to the end of the network packet: padding behind it is
   * not summed. The sum may be asked for by several owners of a shared slot; it is taken once and right for all.
   */
  completeChecksum(slot: number): void {
    const { pool } = this;
    if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) === 0) return;
    const start = pool.at[slot] + pool.checksumStart[slot];
    const end = pool.l3[slot] + pool.l3Length[slot];
    completePartial(this.checksum, pool.view, start, end, pool.checksumOffset[slot]);
    pool.flags[slot] &= ~PACKET.PARTIAL_CHECKSUM;
  }

  /** The facts of a finished packet of `length` octets. */
  private finishFacts(segment: number, length: number): void {
    const { pool } = this;
    pool.length[segment] = length;
    pool.l3Length[segment] = pool.at[segment] + length - pool.l3[segment];
    pool.flags[segment] &= ~UNFINISHED;
    pool.gsoType[segment] = GSO.NONE;
    pool.gsoSize[segment] = 0;
  }

  private drop(slot: number, reason: number): void {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
  }
}
