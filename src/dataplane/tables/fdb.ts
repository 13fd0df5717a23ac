/**
 * The learned part of the forwarding database: (bridge domain, VLAN, MAC) to port (IEEE 802.1Q section 8.8).
 *
 * Bounds: `capacity` entries, `ports` ports; never more, whatever arrives. When it is full a new address evicts
 * one: an aged-out entry if there is one, else the oldest entry of the port that has the most
 * (fair-ageing.ts). A port outside 0..ports-1 is refused and counted.
 *
 * Ageing: an entry is forgotten `ageingMs` after it was last seen (default 300 s, IEEE 802.1D-2004 table 7-5).
 * Lookups ignore an aged entry from that very millisecond; `sweep` frees the memory, some entries a call. Call
 * it every second or so.
 *
 * An address that turns up on another port moves there at once (802.1Q has no other rule); `moves` counts it,
 * as a rate worth an alarm: two ports claim one MAC, or there is a loop.
 *
 * Group addresses are not the table's business: the caller does not learn them.
 *
 * Cost: lookup and learning a known address 10 to 15 ns while the table fits the cache; a new address about
 * 40 ns, 60 with an eviction. About 50 bytes an entry. No operation but `forget*` and `forEach` is worse than O(1).
 */
import { Chains } from './chains.js';
import { FairAgeing } from './fair-ageing.js';
import { KeyedHash } from './hash.js';
import { requireInteger } from './table-error.js';

/** What `learn` did. */
export const LEARN = {
  /** The port is outside the table's range: nothing changed. */
  refused: 0,
  /** Known on this port already. */
  refreshed: 1,
  /** New. */
  learned: 2,
  /** Known on another port; now on this one. */
  moved: 3,
  /** New, and another entry was evicted for it. */
  evicted: 4,
} as const;

export type LearnStatus = (typeof LEARN)[keyof typeof LEARN];

/** IEEE 802.1D-2004 table 7-5: recommended ageing time 300 s, allowed 10 s to 1,000,000 s. */
export const DEFAULT_AGEING_MS = 300_000;

/** Beyond this, modular time would be ambiguous. */
export const MAX_AGEING_MS = 1_000_000_000;

export interface FdbOptions {
  /** Entries at most. */
  readonly capacity: number;
  /** Port numbers are below this. */
  readonly ports: number;
  /** Milliseconds. */
  readonly ageingMs?: number;
  /** Secret; see hash.ts. */
  readonly seed: number;
}

/** `hi`: the first two octets of the MAC; `lo`: the last four; `age` in ms. */
export type FdbVisitor = (
  domain: number,
  vlan: number,
  hi: number,
  lo: number,
  port: number,
  age: number,
) => void;

/** Words of a key: domain and MAC's first two octets; MAC's last four; VLAN. The fourth is unused. */
const KEY_SHIFT = 2;

export class Fdb {
  readonly capacity: number;
  /** Addresses that changed port. */
  moves = 0;
  /** Live entries that gave way to new ones. */
  evictions = 0;
  /** Entries that aged out. */
  expiries = 0;
  /** Calls of `learn` with a port outside the range. */
  refusals = 0;
  private readonly keys: Int32Array;
  private readonly chains: Chains;
  private readonly ages: FairAgeing;
  private readonly hash: KeyedHash;

  constructor(options: FdbOptions) {
    const { capacity, ports, seed, ageingMs = DEFAULT_AGEING_MS } = options;
    requireInteger('FDB capacity', capacity, 1, 1 << 24);
    requireInteger('FDB ports', ports, 1, 1 << 24);
    requireInteger('FDB ageing time (ms)', ageingMs, 1, MAX_AGEING_MS);
    this.capacity = capacity;
    this.keys = new Int32Array((capacity + 1) << KEY_SHIFT);
    this.chains = new Chains(capacity);
    this.ages = new FairAgeing(capacity, ports, ageingMs);
    this.hash = new KeyedHash(seed);
  }

  /** Entries held, aged-out ones that were not swept yet included. */
  get size(): number {
    return this.ages.size;
  }

  /** How many entries the port has; 0 for a port outside the range. */
  countOf(port: number): number {
    return port >= 0 && port < this.ages.ports ? this.ages.count(port) : 0;
  }

  /** The port that the address was seen on, or -1. `domain` 0..65535, `vlan` 0..4095, `hi` 16 bits, `lo` 32 bits. */
  lookup(domain: number, vlan: number, hi: number, lo: number, now: number): number {
    const w0 = (domain << 16) | hi;
    const entry = this.find(this.hash.hash3(w0, lo, vlan), w0, lo | 0, vlan);
    return entry !== 0 && !this.ages.expired(entry, now) ? this.ages.port(entry) : -1;
  }

  /** The address was seen as a source on `port`. Returns a LearnStatus. */
  learn(domain: number, vlan: number, hi: number, lo: number, port: number, now: number): LearnStatus {
    if (port >>> 0 >= this.ages.ports) {
      this.refusals += 1;
      return LEARN.refused;
    }
    const w0 = (domain << 16) | hi;
    const hash = this.hash.hash3(w0, lo, vlan);
    const entry = this.find(hash, w0, lo | 0, vlan);
    return entry === 0 ? this.add(hash, w0, lo | 0, vlan, port, now) : this.renew(entry, port, now);
  }

  /** Frees at most `budget` aged-out entries. Returns how many. */
  sweep(now: number, budget: number): number {
    let freed = 0;
    for (; freed < budget; freed++) {
      const entry = this.ages.oldest();
      if (entry === 0 || !this.ages.expired(entry, now)) break;
      this.remove(entry);
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
      if (this.keys[entry << KEY_SHIFT] >>> 16 === domain) {
        this.remove(entry);
        forgotten += 1;
      }
      entry = newer;
    }
    return forgotten;
  }

  /** Visits the entries that have not aged out, oldest first. Control path. */
  forEach(now: number, visit: FdbVisitor): void {
    for (let entry = this.ages.oldest(); entry !== 0; entry = this.ages.newer(entry)) {
      if (this.ages.expired(entry, now)) continue;
      const at = entry << KEY_SHIFT;
      const w0 = this.keys[at];
      const lo = this.keys[at + 1] >>> 0;
      visit(w0 >>> 16, this.keys[at + 2], w0 & 0xffff, lo, this.ages.port(entry), this.ages.age(entry, now));
    }
  }

  private find(hash: number, w0: number, w1: number, w2: number): number {
    const { keys, chains } = this;
    let entry = chains.head(hash);
    while (entry !== 0) {
      const at = entry << KEY_SHIFT;
      if (keys[at] === w0 && keys[at + 1] === w1 && keys[at + 2] === w2) return entry;
      entry = chains.next(entry);
    }
    return 0;
  }

  private renew(entry: number, port: number, now: number): LearnStatus {
    const { ages } = this;
    if (ages.expired(entry, now)) {
      this.expiries += 1;
      ages.move(entry, port, now);
      return LEARN.learned;
    }
    if (ages.port(entry) === port) {
      ages.touch(entry, now);
      return LEARN.refreshed;
    }
    this.moves += 1;
    ages.move(entry, port, now);
    return LEARN.moved;
  }

  private add(hash: number, w0: number, w1: number, w2: number, port: number, now: number): LearnStatus {
    let status: LearnStatus = LEARN.learned;
    let entry = this.chains.allocate();
    if (entry === 0) {
      status = this.makeRoom(now);
      entry = this.chains.allocate();
    }
    const at = entry << KEY_SHIFT;
    this.keys[at] = w0;
    this.keys[at + 1] = w1;
    this.keys[at + 2] = w2;
    this.chains.link(hash, entry);
    this.ages.insert(entry, port, now);
    return status;
  }

  private makeRoom(now: number): LearnStatus {
    const victim = this.ages.victim(now);
    const aged = this.ages.expired(victim, now);
    this.remove(victim);
    if (aged) this.expiries += 1;
    else this.evictions += 1;
    return aged ? LEARN.learned : LEARN.evicted;
  }

  private remove(entry: number): void {
    const at = entry << KEY_SHIFT;
    const hash = this.hash.hash3(this.keys[at], this.keys[at + 1], this.keys[at + 2]);
    this.ages.remove(entry);
    this.chains.release(hash, entry);
  }
}
