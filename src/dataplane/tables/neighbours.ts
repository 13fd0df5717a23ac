/**
 * The learned part of the neighbour table: (bridge domain, IPv4 or IPv6 address) to MAC and port, as ARP (RFC 826)
 * and neighbour discovery (RFC 4861) told them. The static part (static-neighbours.ts) is asked first.
 *
 * Bounds, eviction and ageing are those of learned-table.ts: `capacity` entries of both families together, fair
 * eviction by port, so that a scan from one port cannot push out what the others need; 60 s, since RFC 1122
 * section 2.3.2.1 asks for the order of a minute.
 *
 * A lookup returns an index, or -1; the accessors read what is known there. An index is good until the next
 * `learn*`, `sweep` or `forget*`.
 *
 * Cost: 20 ns a lookup in a small table, 30 among 10,000 in random order. About 70 bytes an entry.
 */
import { KeyedHash } from './hash.js';
import { LEARN, LearnedTable, type LearnedTableOptions, type LearnStatus } from './learned-table.js';

export { type StaticNeighbour, StaticNeighbours, type StaticNeighboursData } from './static-neighbours.js';
export type NeighbourOptions = LearnedTableOptions;

/** RFC 1122 section 2.3.2.1. */
export const DEFAULT_NEIGHBOUR_AGEING_MS = 60_000;

/** `words`: one for IPv4, four for IPv6, uint32. `index`: for the accessors. `age` in ms. */
export type NeighbourVisitor = (
  domain: number,
  family: 4 | 6,
  words: Uint32Array,
  index: number,
  age: number,
) => void;

/** Words of an entry: domain and family, address (4), the MAC's first two octets, its last four. One is unused. */
const ENTRY_SHIFT = 3;
const ADDRESS = 1;
const HI = 5;
const LO = 6;

/** Beside the 16 bits of the domain, so that no IPv6 address is the same key as an IPv4 one. */
const FAMILY_6 = 0x10000;

export class LearnedNeighbours extends LearnedTable {
  private readonly entries: Int32Array;
  private readonly hash: KeyedHash;

  /** Throws TABLE_INVALID. */
  constructor(options: NeighbourOptions) {
    super(options, options.ageingMs ?? DEFAULT_NEIGHBOUR_AGEING_MS);
    this.entries = new Int32Array((options.capacity + 1) << ENTRY_SHIFT);
    this.hash = new KeyedHash(options.seed);
  }

  /** The index of an IPv4 neighbour, or -1. `domain` 0..65535; addresses int32 or uint32. */
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

  /** The IPv4 address has this MAC, behind this port. */
  learn4(domain: number, address: number, hi: number, lo: number, port: number, now: number): LearnStatus {
    return this.learn(domain, 0, 0, 0, address | 0, hi, lo | 0, port, now);
  }

  /** The IPv6 address, words a to d, has this MAC, behind this port. */
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

  /** Visits the entries that have not aged out, oldest first. Control path. */
  forEach(now: number, visit: NeighbourVisitor): void {
    const { entries, ages } = this;
    for (let entry = ages.oldest(); entry !== 0; entry = ages.newer(entry)) {
      if (ages.expired(entry, now)) continue;
      const at = entry << ENTRY_SHIFT;
      const family = (entries[at] & FAMILY_6) === 0 ? 4 : 6;
      const words = Uint32Array.from(
        entries.subarray(family === 4 ? at + ADDRESS + 3 : at + ADDRESS, at + HI),
      );
      visit(this.domainOf(entry), family, words, entry, ages.age(entry, now));
    }
  }

  protected override hashOf(entry: number): number {
    const { entries } = this;
    const at = entry << ENTRY_SHIFT;
    return this.hash.hash5(entries[at], entries[at + 1], entries[at + 2], entries[at + 3], entries[at + 4]);
  }

  protected override domainOf(entry: number): number {
    return this.entries[entry << ENTRY_SHIFT] & 0xffff;
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
    if (!this.accepts(port)) {
      this.refusals += 1;
      return LEARN.refused;
    }
    const hash = this.hash.hash5(key, a, b, c, d);
    const known = this.find(hash, key, a, b, c, d);
    if (known !== 0) return this.renew(known, this.setMac(known, hi, lo), port, now);
    const { evictions } = this;
    const entry = this.acquire(now);
    this.setKey(entry, key, a, b, c, d);
    this.setMac(entry, hi, lo);
    this.admit(entry, hash, port, now);
    return this.evictions === evictions ? LEARN.learned : LEARN.evicted;
  }

  private setKey(entry: number, key: number, a: number, b: number, c: number, d: number): void {
    const { entries } = this;
    const at = entry << ENTRY_SHIFT;
    entries[at] = key;
    entries[at + 1] = a;
    entries[at + 2] = b;
    entries[at + 3] = c;
    entries[at + 4] = d;
  }

  /** Returns whether it was the same MAC before. */
  private setMac(entry: number, hi: number, lo: number): boolean {
    const { entries } = this;
    const at = entry << ENTRY_SHIFT;
    const same = entries[at + HI] === hi && entries[at + LO] === lo;
    entries[at + HI] = hi;
    entries[at + LO] = lo;
    return same;
  }
}
