/**
 * The entries of one engine: which are free, whose the others are, and which one has to go for another.
 *
 * A flow belongs to the port that its first packet came in by. It is expendable (flow-states.ts) or kept. A port has a quota.
 *
 * - A port at its quota gives up one of its own: an expendable one, the oldest; else one of the kept.
 * - When all entries are in use, and at least RESERVE of them are expendable, the oldest expendable one of the port that has most
 *   of those goes. So a flood of first packets evicts itself.
 * - With fewer, one of the kept of the port that has most of those: else, in a table full of connections, handshakes
 *   would evict each other and nobody could open another one.
 *
 * Of the kept, the one unused for longest among the SAMPLE that were looked at least lately (as Redis does for its LRU): so
 * no packet moves anything in a list, and the packets of the other way, which another engine sees, need not be told of.
 *
 * Bounds: entries 1..share, numbered within the engine's own. Memory: 16 bytes for each. O(1), or O(SAMPLE).
 */
import { Lists } from '../tables/lists.js';
import { Ranking } from '../tables/ranking.js';

/** Our tuning: at most a 64th of the table is given to handshakes at the cost of connections. */
const RESERVE_SHIFT = 6;
export const SAMPLE = 8;

const EXPENDABLE = 0;
const KEPT = 1;

/** What the records say of an entry. */
export interface FlowFacts {
  isKept(entry: number): boolean;
  /** Milliseconds since its last packet. */
  idle(entry: number, now: number): number;
}

export class Residents {
  size = 0;
  /** Entries 1..touched were in use at least once. */
  touched = 0;
  private readonly free: Int32Array;
  private freeCount = 0;
  private readonly portOf: Uint16Array;
  private readonly classOf: Uint8Array;
  /** Of a port: `2 * port + class`, the oldest first. */
  private readonly lists: Lists;
  private readonly rankings: readonly [Ranking, Ranking];
  private readonly quotas: Int32Array;
  private expendable = 0;
  private readonly reserve: number;

  constructor(
    readonly share: number,
    readonly ports: number,
    quota: number,
    private readonly facts: FlowFacts,
  ) {
    this.free = new Int32Array(share);
    this.portOf = new Uint16Array(share + 1);
    this.classOf = new Uint8Array(share + 1);
    this.lists = new Lists(share, 2 * ports);
    this.rankings = [new Ranking(ports, share), new Ranking(ports, share)];
    this.quotas = new Int32Array(ports).fill(quota);
    this.reserve = Math.max(1, share >>> RESERVE_SHIFT);
  }

  count(port: number): number {
    return this.rankings[EXPENDABLE].count(port) + this.rankings[KEPT].count(port);
  }

  setQuota(port: number, quota: number): void {
    this.quotas[port] = quota;
  }

  /** Any entry of the port, or 0. */
  anyOf(port: number): number {
    return this.lists.oldest(2 * port) || this.lists.oldest(2 * port + KEPT);
  }

  /** Whether `port` can have another entry and none has to go for it. */
  hasRoom(port: number): boolean {
    return this.size < this.share && this.count(port) < this.quotas[port];
  }

  /** The entry that must go before `port` can have another, or 0 where there is room. */
  victim(port: number, now: number): number {
    if (this.count(port) >= this.quotas[port]) return this.oldest(port) || this.leastUsed(port, now);
    if (this.size < this.share) return 0;
    if (this.expendable >= this.reserve) {
      const oldest = this.oldest(this.rankings[EXPENDABLE].first());
      if (oldest !== 0) return oldest;
    }
    const most = this.rankings[KEPT].first();
    return most < 0 ? this.oldest(this.rankings[EXPENDABLE].first()) : this.leastUsed(most, now);
  }

  /** There must be room. The entry is the port's, and expendable. */
  take(port: number): number {
    const entry = this.freeCount > 0 ? this.free[--this.freeCount] : ++this.touched;
    this.portOf[entry] = port;
    this.enter(entry, EXPENDABLE);
    this.size++;
    return entry;
  }

  release(entry: number): void {
    this.leave(entry);
    this.free[this.freeCount++] = entry;
    this.size--;
  }

  /** To be called when an entry may have changed its class. */
  settle(entry: number): void {
    const after = this.facts.isKept(entry) ? KEPT : EXPENDABLE;
    if (this.classOf[entry] === after) return;
    this.leave(entry);
    this.enter(entry, after);
  }

  private enter(entry: number, to: number): void {
    const port = this.portOf[entry];
    this.classOf[entry] = to;
    this.lists.push(2 * port + to, entry);
    this.rankings[to].change(port, 1);
    if (to === EXPENDABLE) this.expendable++;
  }

  private leave(entry: number): void {
    const port = this.portOf[entry];
    const from = this.classOf[entry];
    this.lists.unlink(2 * port + from, entry);
    this.rankings[from].change(port, -1);
    if (from === EXPENDABLE) this.expendable--;
  }

  /** The port's oldest expendable entry, or 0. Another engine may have seen the answer since it was listed. */
  private oldest(port: number): number {
    for (let looked = 0; looked < SAMPLE; looked++) {
      const entry = this.lists.oldest(2 * port);
      if (entry === 0 || !this.facts.isKept(entry)) return entry;
      this.settle(entry);
    }
    return 0;
  }

  /** One of the port's kept entries; those that were looked at and stay go to the back. */
  private leastUsed(port: number, now: number): number {
    const list = 2 * port + KEPT;
    let chosen = 0;
    let longest = 0;
    let entry = this.lists.oldest(list);
    for (let left = Math.min(SAMPLE, this.rankings[KEPT].count(port)); left > 0; left--) {
      const idle = this.facts.idle(entry, now);
      const newer = this.lists.newer(entry);
      if (chosen === 0 || idle > longest) {
        chosen = entry;
        longest = idle;
      }
      this.lists.refresh(list, entry);
      entry = newer;
    }
    return chosen;
  }
}
