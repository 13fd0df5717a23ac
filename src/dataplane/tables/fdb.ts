/**
 * The learned part of the forwarding database: (bridge domain, VLAN, MAC) to port (IEEE 802.1Q-2018, 8.7 and 8.8).
 *
 * Bounds, eviction and ageing are those of learned-table.ts: `capacity` entries, fair eviction by port, 300 s.
 *
 * An address that turns up on another port moves there at once, as 802.1Q has it. `moves` counts that, and a
 * high rate is worth an alarm: two ports claim one MAC, or there is a loop. Group addresses are not the
 * table's business: the caller must not learn them.
 *
 * Cost: 12 ns to look up and 18 to learn a known address of a few, 20 and 25 of 10,000 in random order; 110 for a
 * new address that evicts another. About 50 bytes an entry.
 */
import { KeyedHash } from './hash.js';
import { LEARN, LearnedTable, type LearnedTableOptions, type LearnStatus } from './learned-table.js';

export { LEARN, type LearnStatus };
export type FdbOptions = LearnedTableOptions;

/** IEEE 802.1D-2004 table 7-5, the recommended ageing time. */
export const DEFAULT_AGEING_MS = 300_000;

/** `hi`: the first two octets of the MAC; `lo`: the last four, uint32; `age` in ms; `entry`: as in `entryOf`. */
export type FdbVisitor = (
  domain: number,
  vlan: number,
  hi: number,
  lo: number,
  port: number,
  age: number,
  entry: number,
) => void;

/** Words of a key: domain and the MAC's first two octets; the last four; VLAN. The fourth is unused. */
const KEY_SHIFT = 2;

export class Fdb extends LearnedTable {
  private readonly keys: Int32Array;
  private readonly hash: KeyedHash;

  /** Throws TABLE_INVALID. */
  constructor(options: FdbOptions) {
    super(options, options.ageingMs ?? DEFAULT_AGEING_MS);
    this.keys = new Int32Array((options.capacity + 1) << KEY_SHIFT);
    this.hash = new KeyedHash(options.seed);
  }

  /**
   * The port that the address was seen on, or -1. `domain` 0..65535, `vlan` 0..4095, `hi` 16 bits, `lo` 32 bits,
   * int32 or uint32.
   */
  lookup(domain: number, vlan: number, hi: number, lo: number, now: number): number {
    const word = (domain << 16) | hi;
    const entry = this.find(this.hash.hash3(word, lo, vlan), word, lo | 0, vlan);
    return entry !== 0 && !this.ages.expired(entry, now) ? this.ages.port(entry) : -1;
  }

  /** The address's entry, or -1; its number is good until the next `learn`, `sweep` or `forget*`. */
  entryOf(domain: number, vlan: number, hi: number, lo: number, now: number): number {
    const word = (domain << 16) | hi;
    const entry = this.find(this.hash.hash3(word, lo, vlan), word, lo | 0, vlan);
    return entry !== 0 && !this.ages.expired(entry, now) ? entry : -1;
  }

  /** The address was seen, as a source, on `port`. */
  learn(domain: number, vlan: number, hi: number, lo: number, port: number, now: number): LearnStatus {
    if (!this.accepts(port)) {
      this.refusals += 1;
      return LEARN.refused;
    }
    const word = (domain << 16) | hi;
    const hash = this.hash.hash3(word, lo, vlan);
    const entry = this.find(hash, word, lo | 0, vlan);
    return entry === 0 ? this.add(hash, word, lo | 0, vlan, port, now) : this.renew(entry, true, port, now);
  }

  /** Visits the entries that have not aged out, oldest first. Control path. */
  forEach(now: number, visit: FdbVisitor): void {
    const { ages, keys } = this;
    for (let entry = ages.oldest(); entry !== 0; entry = ages.newer(entry)) {
      if (ages.expired(entry, now)) continue;
      const at = entry << KEY_SHIFT;
      const word = keys[at];
      visit(
        word >>> 16,
        keys[at + 2],
        word & 0xffff,
        keys[at + 1] >>> 0,
        ages.port(entry),
        ages.age(entry, now),
        entry,
      );
    }
  }

  protected override hashOf(entry: number): number {
    const at = entry << KEY_SHIFT;
    return this.hash.hash3(this.keys[at], this.keys[at + 1], this.keys[at + 2]);
  }

  protected override domainOf(entry: number): number {
    return this.keys[entry << KEY_SHIFT] >>> 16;
  }

  private find(hash: number, word: number, lo: number, vlan: number): number {
    const { keys, chains } = this;
    let entry = chains.head(hash);
    while (entry !== 0) {
      const at = entry << KEY_SHIFT;
      if (keys[at + 1] === lo && keys[at] === word && keys[at + 2] === vlan) return entry;
      entry = chains.next(entry);
    }
    return 0;
  }

  private add(hash: number, word: number, lo: number, vlan: number, port: number, now: number): LearnStatus {
    const { keys, evictions } = this;
    const entry = this.acquire(now);
    const at = entry << KEY_SHIFT;
    keys[at] = word;
    keys[at + 1] = lo;
    keys[at + 2] = vlan;
    this.admit(entry, hash, port, now);
    return this.evictions === evictions ? LEARN.learned : LEARN.evicted;
  }
}
