/**
 * Frames kept in the packet memory itself, so that a device of a benchmark copies them as cheaply as can be: in slots
 * that nobody uses for packets, which follow one another, as a fresh pool gives them out. Each frame begins at a
 * multiple of 64, a cache line.
 *
 * Memory: the frames', rounded up to 64 octets each, and 8 of index a frame.
 */
import { SLOT_SIZE } from '../../src/dataplane/constants.js';
import type { PacketPool } from '../../src/dataplane/pool.js';
import type { Traffic } from '../traffic/traffic.js';

const LINE = 64;

/** Slots that keep so many octets of frames. */
export function slotsFor(traffic: Traffic): number {
  return Math.ceil(storedOctets(traffic) / SLOT_SIZE) + 1;
}

function storedOctets({ lengths }: Traffic): number {
  return lengths.reduce((sum, length) => sum + lines(length), 0);
}

function lines(length: number): number {
  return Math.ceil(length / LINE) * LINE;
}

export class FrameStore {
  readonly count: number;
  /** Addresses in the pool's memory. */
  readonly places: Int32Array;
  readonly lengths: Int32Array;

  /** Takes `slotsFor` slots for good. Stores are made before any packet is, or slots would not follow one another. */
  constructor(pool: PacketPool, traffic: Traffic) {
    let at = takeSpan(pool, slotsFor(traffic));
    this.count = traffic.count;
    this.lengths = Int32Array.from(traffic.lengths);
    this.places = new Int32Array(traffic.count);
    for (let i = 0; i < traffic.count; i++) {
      const from = traffic.offsets[i];
      this.places[i] = at;
      pool.bytes.set(traffic.bytes.subarray(from, from + traffic.lengths[i]), at);
      at += lines(traffic.lengths[i]);
    }
  }
}

/** Takes so many slots and answers where the first begins. */
function takeSpan(pool: PacketPool, slots: number): number {
  const first = pool.take();
  for (let next = first + 1; next < first + slots; next++) {
    if (pool.take() !== next)
      throw new Error('frames are kept before packets are: the slots do not follow one another');
  }
  return pool.base + first * SLOT_SIZE;
}
