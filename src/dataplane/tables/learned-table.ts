/**
 * What the learned tables (fdb.ts, neighbours.ts) have in common: numbered entries in hash chains, each seen on a
 * port at a time. A table adds its keys and what it keeps for them.
 *
 * Bounds: `capacity` entries, `ports` ports; never more, whatever arrives. When it is full a new key evicts one
 * entry: an aged-out one if there is one, else the oldest entry of the port that has the most
 * (fair-ageing.ts). A port outside 0..ports-1 is refused and counted.
 *
 * Ageing: an entry is forgotten `ageingMs` after it was last seen. Lookups ignore an aged entry from that very
 * millisecond; `sweep` frees it, so many a call. Call it every second or so.
 *
 * Cost: every operation is O(1), but for `forget*`. Memory: about 32 bytes an entry, and what the table keeps.
 */
import { Chains } from './chains.js';
import { FairAgeing } from './fair-ageing.js';
import { requireInteger } from './table-error.js';

/** What `learn` did. */
export const LEARN = {
  /** The port is outside the table's range: nothing changed. */
  refused: 0,
  /** Known already, and so. */
  refreshed: 1,
  /** New. */
  learned: 2,
  /** Known, but on another port (or, for a neighbour, with another MAC); now on this one. */
  moved: 3,
  /** New, and another entry was evicted for it. */
  evicted: 4,
} as const;

export type LearnStatus = (typeof LEARN)[keyof typeof LEARN];

export interface LearnedTableOptions {
  /** Entries at most, up to 2^24. */
  readonly capacity: number;
  /** Port numbers are below this; up to 2^24. */
  readonly ports: number;
  /** Milliseconds, up to 10^9. */
  readonly ageingMs?: number;
  /** A secret; see hash.ts. */
  readonly seed: number;
}

const MAX_ENTRIES = 1 << 24;
/** IEEE 802.1D-2004 table 7-5 allows 1,000,000 s; beyond twice that, time modulo 2^32 ms would be ambiguous. */
const MAX_AGEING_MS = 1_000_000_000;

export abstract class LearnedTable {
  readonly capacity: number;
  /** How often a key changed port (or a neighbour its MAC). */
  moves = 0;
  /** Live entries that gave way to new ones. */
  evictions = 0;
  /** Entries that aged out. */
  expiries = 0;
  /** What was to be learned on a port outside the range. */
  refusals = 0;
  /** The entry of the last `learn` that was not refused, for who keeps more about entries. */
  last = 0;
  protected readonly chains: Chains;
  protected readonly ages: FairAgeing;

  /** Throws TABLE_INVALID. */
  constructor({ capacity, ports }: LearnedTableOptions, ageingMs: number) {
    requireInteger('capacity', capacity, 1, MAX_ENTRIES);
    requireInteger('number of ports', ports, 1, MAX_ENTRIES);
    requireInteger('ageing time (ms)', ageingMs, 1, MAX_AGEING_MS);
    this.capacity = capacity;
    this.chains = new Chains(capacity);
    this.ages = new FairAgeing(capacity, ports, ageingMs);
  }

  /** Entries held, those included that aged out and were not swept yet. */
  get size(): number {
    return this.ages.size;
  }

  /** How many entries the port has; none for a port outside the range. */
  countOf(port: number): number {
    return this.accepts(port) ? this.ages.count(port) : 0;
  }

  /** Frees at most `budget` entries that aged out. Returns how many. */
  sweep(now: number, budget: number): number {
    let freed = 0;
    while (freed < budget) {
      const entry = this.ages.oldest();
      if (entry === 0 || !this.ages.expired(entry, now)) break;
      this.remove(entry);
      freed += 1;
    }
    this.expiries += freed;
    return freed;
  }

  /** Forgets what was learned on the port. O(its entries). Returns how many. */
  forgetPort(port: number): number {
    const count = this.countOf(port);
    for (let i = 0; i < count; i++) this.remove(this.ages.oldestOf(port));
    return count;
  }

  /** Forgets what was learned in the domain. O(size). Returns how many. */
  forgetDomain(domain: number): number {
    let forgotten = 0;
    let entry = this.ages.oldest();
    while (entry !== 0) {
      const newer = this.ages.newer(entry);
      if (this.domainOf(entry) === domain) {
        this.remove(entry);
        forgotten += 1;
      }
      entry = newer;
    }
    return forgotten;
  }

  /** The hash of the entry's key. */
  protected abstract hashOf(entry: number): number;

  protected abstract domainOf(entry: number): number;

  protected accepts(port: number): boolean {
    return port >>> 0 < this.ages.ports;
  }

  /** An entry for a new key; evicts one if need be. The caller writes the key, then calls `admit`. */
  protected acquire(now: number): number {
    const entry = this.chains.allocate();
    if (entry !== 0) return entry;
    const victim = this.ages.victim(now);
    if (this.ages.expired(victim, now)) this.expiries += 1;
    else this.evictions += 1;
    this.remove(victim);
    return this.chains.allocate();
  }

  protected admit(entry: number, hash: number, port: number, now: number): void {
    this.last = entry;
    this.chains.link(hash, entry);
    this.ages.insert(entry, port, now);
  }

  /** A known key was seen again; `same`: with nothing changed but perhaps its port. */
  protected renew(entry: number, same: boolean, port: number, now: number): LearnStatus {
    const { ages } = this;
    this.last = entry;
    if (ages.expired(entry, now)) {
      this.expiries += 1;
      ages.move(entry, port, now);
      return LEARN.learned;
    }
    if (same && ages.port(entry) === port) {
      ages.touch(entry, now);
      return LEARN.refreshed;
    }
    this.moves += 1;
    ages.move(entry, port, now);
    return LEARN.moved;
  }

  private remove(entry: number): void {
    this.ages.remove(entry);
    this.chains.release(this.hashOf(entry), entry);
  }
}
