/**
 * Impairment: one direction of a bad link. Packets go in, and come out when their time has come: late, twice,
 * damaged, out of order or not at all, as a seeded generator decides.
 *
 * Each packet takes the same number of random numbers whatever the rates are, so that a change of one rate
 * leaves the fate of packets by the other rates alone, as long as nothing is damaged.
 *
 * Bounded: `depth` packets are in it at once; who admits asks `room`. Costs 12 bytes for each.
 */
import type { Batch } from '../batch.js';
import type { PacketPool } from '../pool.js';
import { duplicatePacket } from './packet-copy.js';
import { RANDOM_RANGE, type SeededRandom } from './seeded-random.js';

/** What happens to packets. Rates are probabilities, 0 to 1; times are milliseconds. All 0: a perfect link. */
export interface FaultRates {
  readonly loss: number;
  readonly duplication: number;
  /** Packets held back by `reorderDelay`, so that those behind them overtake. */
  readonly reordering: number;
  readonly reorderDelay: number;
  /** Packets in which one bit changes. */
  readonly corruption: number;
  /** How long every packet takes, and how much longer it may take by chance. */
  readonly delay: number;
  readonly jitter: number;
}

export const NO_FAULTS: FaultRates = {
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderDelay: 1,
  corruption: 0,
  delay: 0,
  jitter: 0,
};

/** What became of a packet that was admitted. */
export const FATE = { LOST: 0, ONE: 1, TWO: 2 } as const;

export class Impairment {
  /** Sorted by `due`; among equals, by arrival. */
  private readonly slots: Uint32Array;
  private readonly due: Float64Array;
  private held = 0;

  constructor(
    private readonly pool: PacketPool,
    private readonly random: SeededRandom,
    private readonly rates: FaultRates,
    private readonly depth: number,
  ) {
    this.slots = new Uint32Array(depth);
    this.due = new Float64Array(depth);
  }

  /** Packets that may be admitted; a duplicate needs room of its own, and does not come to be without. */
  get room(): number {
    return this.depth - this.held;
  }

  /** When the next packet comes out (ms), or Infinity. */
  get nextDue(): number {
    return this.held === 0 ? Number.POSITIVE_INFINITY : this.due[0];
  }

  /** Takes a packet at the time `now`. Answers one of FATE; a lost packet's slot is released. */
  admit(slot: number, now: number): number {
    const { rates, random, pool } = this;
    const isLost = this.happens(rates.loss);
    const isTwice = this.happens(rates.duplication);
    const isHeldBack = this.happens(rates.reordering);
    const isDamaged = this.happens(rates.corruption);
    const late = (random.next() / RANDOM_RANGE) * rates.jitter + (isHeldBack ? rates.reorderDelay : 0);
    if (isLost) {
      pool.release(slot);
      return FATE.LOST;
    }
    const twin = isTwice && this.room > 1 ? duplicatePacket(pool, slot) : -1;
    this.insert(isDamaged ? this.damage(slot) : slot, now + rates.delay + late);
    if (twin < 0) return FATE.ONE;
    this.insert(twin, now + rates.delay + late);
    return FATE.TWO;
  }

  /** Appends to `batch` what is due at `now`, at most `limit` packets. Answers how many. */
  release(batch: Batch, now: number, limit: number): number {
    let count = 0;
    while (count < this.held && count < limit && this.due[count] <= now) batch.push(this.slots[count++]);
    this.remove(count);
    return count;
  }

  /** Takes the packet that would come out next, due or not; -1 where there is none. */
  takeFirst(): number {
    if (this.held === 0) return -1;
    const slot = this.slots[0];
    this.remove(1);
    return slot;
  }

  private remove(count: number): void {
    if (count === 0) return;
    this.slots.copyWithin(0, count, this.held);
    this.due.copyWithin(0, count, this.held);
    this.held -= count;
  }

  private happens(rate: number): boolean {
    return this.random.next() < rate * RANDOM_RANGE;
  }

  private insert(slot: number, due: number): void {
    let i = this.held++;
    for (; i > 0 && this.due[i - 1] > due; i--) {
      this.due[i] = this.due[i - 1];
      this.slots[i] = this.slots[i - 1];
    }
    this.due[i] = due;
    this.slots[i] = slot;
  }

  /** Changes one bit of the frame, in a copy where others hold the slot too. Answers the slot to go on with. */
  private damage(slot: number): number {
    const { pool, random } = this;
    if (pool.length[slot] === 0) return slot;
    let own = slot;
    if (pool.isShared(slot)) {
      own = duplicatePacket(pool, slot);
      if (own < 0) return slot;
      pool.release(slot);
    }
    const place = pool.at[own] + (random.next() % pool.length[own]);
    pool.bytes[place] ^= 1 << (random.next() & 7);
    return own;
  }
}
