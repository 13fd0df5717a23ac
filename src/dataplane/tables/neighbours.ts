/**
 * The learned part of the neighbour table: (bridge domain, IPv4 or IPv6 address) to MAC and port, as ARP (RFC 826)
 * and neighbour discovery (RFC 4861) told them. The static part (static-neighbours.ts) is asked first.
 *
 * Bounds: `capacity` entries of both families together, `ports` ports. When it is full a new address evicts
 * one: an aged-out entry if there is one, else the oldest entry of the port that has the most
 * (fair-ageing.ts), so a scan from one port cannot push out the others' neighbours.
 *
 * Ageing: an entry is forgotten `ageingMs` after it was last confirmed (default 60 s: RFC 1122 section 2.3.2.1
 * asks for the order of a minute). Lookups ignore an aged entry; `sweep` frees it.
 *
 * A lookup returns an index, or -1; the accessors read what is known there. An index is good until the next
 * `learn`, `sweep` or `forget*`.
 *
 * Cost: 12 to 18 ns a lookup in the cache; about 70 bytes an entry.
 */
import { Chains } from './chains.js';
import { FairAgeing } from './fair-ageing.js';
import { LEARN, type LearnStatus, MAX_AGEING_MS } from './fdb.js';
import { KeyedHash } from './hash.js';
import { requireInteger } from './table-error.js';

export { type StaticNeighbour, StaticNeighbours, type StaticNeighboursData } from './static-neighbours.js';

export const DEFAULT_NEIGHBOUR_AGEING_MS = 60_000;

export interface NeighbourOptions {
  /** Entries at most. */
  readonly capacity: number;
  /** Port numbers are below this. */
  readonly ports: number;
  /** Milliseconds. */
  readonly ageingMs?: number;
  /** Secret; see hash.ts. */
  readonly seed: number;
}

/** `family` 4: the address is `d`, the other words are 0. `age` in ms. */
export type NeighbourVisitor = (
  family: 4 | 6,
  domain: number,
  address: readonly [number, number, number, number],
  index: number,
  age: number,
) => void;

/** Words of an entry: domain and family, address (4), MAC's first two octets, MAC's last four. One is unused. */
const ENTRY_SHIFT = 3;
const HI = 5;
const LO = 6;

/** Beside the 16 bits of the domain, so that no IPv6 address is the same key as an IPv4 one. */
const FAMILY_6 = 0x10000;

export class LearnedNeighbours {
  readonly capacity: number;
  /** Addresses that changed MAC or port. */
  moves = 0;
  /** Live entries that gave way to new ones. */
  evictions = 0;
  /** Entries that aged out. */
  expiries = 0;
  /** Calls of `learn` with a port outside the range. */
  refusals = 0;
  private readonly entries: Int32Array;
  private readonly chains: Chains;
  private readonly ages: FairAgeing;
  private readonly hash: KeyedHash;

  constructor(options: NeighbourOptions) {
    const { capacity, ports, seed, ageingMs = DEFAULT_NEIGHBOUR_AGEING_MS } = options;
    requireInteger('neighbour capacity', capacity, 1, 1 << 24);
    requireInteger('neighbour ports', ports, 1, 1 << 24);
    requireInteger('neighbour ageing time (ms)', ageingMs, 1, MAX_AGEING_MS);
    this.capacity = capacity;
    this.entries = new Int32Array((capacity + 1) << ENTRY_SHIFT);
    this.chains = new Chains(capacity);
    this.ages = new FairAgeing(capacity, ports, ageingMs);
    this.hash = new KeyedHash(seed);
  }

  /** Entries held, aged-out ones that were not swept yet included. */
  get size(): number {
    return this.ages.size;
  }

  countOf(port: number): number {
    return port >= 0 && port < this.ages.ports ? this.ages.count(port) : 0;
  }

  /** The index of an IPv4 neighbour, or -1. */
  lookup4(domain: number, address: number, now: number): number {
    return this.lookup(domain, 0, 0, 0, address | 0, now);
  }

  /** The index of an IPv6 neighbour, or -1. */
  lookup6(domain: number, a: number, b: number, c: number, d: number, now: number): number {
    return this.lookup(domain | FAMILY_6, a | 0, b | 0, c | 0, d | 0, now);
  }

  /** The first two octets of the MAC. */
  macHi(index: number): number {
    return this.entries[(index << ENTRY_SHIFT) + HI];
  }

  /** The last four octets of the MAC, as uint32. */
  macLo(index: number): number {
    return this.entries[(index << ENTRY_SHIFT) + LO] >>> 0;
  }

  port(index: number): number {
    return this.ages.port(index);
  }

  /** The IPv4 address has this MAC, behind this port. Returns a LearnStatus. */
  learn4(domain: number, address: number, hi: number, lo: number, port: number, now: number): LearnStatus {
    return this.learn(domain, 0, 0, 0, address | 0, hi, lo | 0, port, now);
  }

  /** The IPv6 address (words a to d) has this MAC, behind this port. Returns a LearnStatus. */
  learn6(
    domain: number,
    a: number,
    b: number,
    c: number,
    d: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): LearnStatus {
    return this.learn(domain | FAMILY_6, a | 0, b | 0, c | 0, d | 0, hi, lo | 0, port, now);
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

  /** Visits the entries that have not aged out, oldest first. Control path. */
  forEach(now: number, visit: NeighbourVisitor): void {
    const { entries, ages } = this;
    for (let entry = ages.oldest(); entry !== 0; entry = ages.newer(entry)) {
      if (ages.expired(entry, now)) continue;
      const at = entry << ENTRY_SHIFT;
      const [a, b, c, d] = Uint32Array.from(entries.subarray(at + 1, at + 5));
      const family = (entries[at] & FAMILY_6) === 0 ? 4 : 6;
      visit(family, entries[at] & 0xffff, [a, b, c, d], entry, ages.age(entry, now));
    }
  }

  private lookup(key: number, a: number, b: number, c: number, d: number, now: number): number {
    const entry = this.find(this.hash.hash5(key, a, b, c, d), key, a, b, c, d);
    return entry !== 0 && !this.ages.expired(entry, now) ? entry : -1;
  }

  private find(hash: number, key: number, a: number, b: number, c: number, d: number): number {
    const { entries, chains } = this;
    let entry = chains.head(hash);
    while (entry !== 0) {
      const at = entry << ENTRY_SHIFT;
      const near = entries[at + 4] === d && entries[at + 3] === c && entries[at + 2] === b;
      if (near && entries[at + 1] === a && entries[at] === key) return entry;
      entry = chains.next(entry);
    }
    return 0;
  }

  private learn(
    key: number,
    a: number,
    b: number,
    c: number,
    d: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): LearnStatus {
    if (port >>> 0 >= this.ages.ports) {
      this.refusals += 1;
      return LEARN.refused;
    }
    const hash = this.hash.hash5(key, a, b, c, d);
    let entry = this.find(hash, key, a, b, c, d);
    if (entry !== 0) return this.renew(entry, hi, lo, port, now);
    entry = this.chains.allocate();
    const status = entry === 0 ? this.makeRoom(now) : LEARN.learned;
    if (entry === 0) entry = this.chains.allocate();
    const at = entry << ENTRY_SHIFT;
    this.entries[at] = key;
    this.entries[at + 1] = a;
    this.entries[at + 2] = b;
    this.entries[at + 3] = c;
    this.entries[at + 4] = d;
    this.setMac(entry, hi, lo);
    this.chains.link(hash, entry);
    this.ages.insert(entry, port, now);
    return status;
  }

  private renew(entry: number, hi: number, lo: number, port: number, now: number): LearnStatus {
    const { ages, entries } = this;
    const at = entry << ENTRY_SHIFT;
    const same = ages.port(entry) === port && entries[at + HI] === hi && entries[at + LO] === lo;
    if (ages.expired(entry, now)) {
      this.expiries += 1;
      this.setMac(entry, hi, lo);
      ages.move(entry, port, now);
      return LEARN.learned;
    }
    if (same) {
      ages.touch(entry, now);
      return LEARN.refreshed;
    }
    this.moves += 1;
    this.setMac(entry, hi, lo);
    ages.move(entry, port, now);
    return LEARN.moved;
  }

  private setMac(entry: number, hi: number, lo: number): void {
    const at = entry << ENTRY_SHIFT;
    this.entries[at + HI] = hi;
    this.entries[at + LO] = lo;
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
    const { entries } = this;
    const at = entry << ENTRY_SHIFT;
    const hash = this.hash.hash5(
      entries[at],
      entries[at + 1],
      entries[at + 2],
      entries[at + 3],
      entries[at + 4],
    );
    this.ages.remove(entry);
    this.chains.release(hash, entry);
  }
}
