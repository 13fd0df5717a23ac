/**
 * Which entries of a learned table are old, and which one has to go when the table is full.
 *
 * Eviction is fair by port, as in Open vSwitch's lib/mac-learning.h: the victim is the oldest entry of the port
 * that has the most entries. A port that floods the table with made-up addresses therefore evicts its own
 * entries once it holds the largest share, and a port with fewer entries than that loses none. An entry that
 * has already aged out is taken first, whosever it is.
 *
 * Ages are exact; the order of the recency lists is kept to 1.024 s, so that a busy entry is moved to the front
 * once a second, not once a packet. `oldest` may therefore hide, for that long, an entry that aged out.
 * Times are kept modulo 2^32 ms and compared as signed differences: the owner must look for aged entries more
 * often than every 24 days, or a forgotten one would look young again.
 *
 * Bounds: entries 1..capacity, ports 0..ports-1. Memory: 24 bytes an entry, 8 for each possible count, 20 a port.
 * Every operation is O(1).
 */
import { Lists } from './lists.js';
import { Ranking } from './ranking.js';

/** Entries seen in the same 2^10 ms keep their places in the recency lists. */
const RECENCY_SHIFT = 10;

/** `byAge` has one list. */
const ALL = 0;

export class FairAgeing {
  private readonly portOf: Int32Array;
  private readonly seenAt: Int32Array;
  private readonly byAge: Lists;
  private readonly byPort: Lists;
  private readonly ranking: Ranking;
  private total = 0;

  constructor(
    capacity: number,
    readonly ports: number,
    readonly ageingMs: number,
  ) {
    this.portOf = new Int32Array(capacity + 1);
    this.seenAt = new Int32Array(capacity + 1);
    this.byAge = new Lists(capacity, 1);
    this.byPort = new Lists(capacity, ports);
    this.ranking = new Ranking(ports, capacity);
  }

  get size(): number {
    return this.total;
  }

  port(entry: number): number {
    return this.portOf[entry];
  }

  /** How many entries the port has. */
  count(port: number): number {
    return this.ranking.count(port);
  }

  /** Milliseconds since the entry was seen; negative if `now` is before that. */
  age(entry: number, now: number): number {
    return ((now | 0) - this.seenAt[entry]) | 0;
  }

  expired(entry: number, now: number): boolean {
    return this.age(entry, now) >= this.ageingMs;
  }

  /** The entry that was seen longest ago, or 0. */
  oldest(): number {
    return this.byAge.oldest(ALL);
  }

  /** The next entry after `entry`, in order of age; 0 at the end. */
  newer(entry: number): number {
    return this.byAge.newer(entry);
  }

  /** The port's oldest entry, or 0. */
  oldestOf(port: number): number {
    return this.byPort.oldest(port);
  }

  /** The entry to give up for a new one, or 0 when there is none. */
  victim(now: number): number {
    const oldest = this.oldest();
    if (oldest === 0 || this.expired(oldest, now)) return oldest;
    return this.byPort.oldest(this.ranking.first());
  }

  insert(entry: number, port: number, now: number): void {
    this.portOf[entry] = port;
    this.seenAt[entry] = now | 0;
    this.byAge.push(ALL, entry);
    this.byPort.push(port, entry);
    this.ranking.change(port, 1);
    this.total += 1;
  }

  remove(entry: number): void {
    const port = this.portOf[entry];
    this.byAge.unlink(ALL, entry);
    this.byPort.unlink(port, entry);
    this.ranking.change(port, -1);
    this.total -= 1;
  }

  /** The entry was seen again. */
  touch(entry: number, now: number): void {
    const time = now | 0;
    const before = this.seenAt[entry];
    if (time === before) return;
    this.seenAt[entry] = time;
    if ((time ^ before) >>> RECENCY_SHIFT === 0) return;
    this.byAge.refresh(ALL, entry);
    this.byPort.refresh(this.portOf[entry], entry);
  }

  /** The entry was seen again, on another port. */
  move(entry: number, port: number, now: number): void {
    this.remove(entry);
    this.insert(entry, port, now);
  }
}
