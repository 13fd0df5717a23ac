/**
 * Hash chains over a fixed set of numbered entries: the skeleton of the learned tables, which keep the keys.
 *
 * Entries are 1..capacity; 0 means "none". There are as many buckets as the next power of two above capacity,
 * so a chain holds one entry on average. `allocate` hands out entries last in, first out, and answers 0 when
 * all are in use: evicting is the table's business.
 *
 * Memory: 4 to 8 bytes a bucket and 4 bytes an entry. Every operation is O(1); `unlink` walks one chain.
 */
import { bucketsFor } from './hash.js';

export class Chains {
  private readonly heads: Int32Array;
  private readonly nexts: Int32Array;
  private readonly mask: number;
  private free = 0;
  private touched = 0;

  constructor(readonly capacity: number) {
    const buckets = bucketsFor(capacity);
    this.heads = new Int32Array(buckets);
    this.nexts = new Int32Array(capacity + 1);
    this.mask = buckets - 1;
  }

  /** The first entry in the hash's bucket, or 0. */
  head(hash: number): number {
    return this.heads[hash & this.mask];
  }

  next(entry: number): number {
    return this.nexts[entry];
  }

  /** An unused entry, or 0 when all are in use. */
  allocate(): number {
    const entry = this.free;
    if (entry !== 0) {
      this.free = this.nexts[entry];
      return entry;
    }
    if (this.touched === this.capacity) return 0;
    this.touched += 1;
    return this.touched;
  }

  link(hash: number, entry: number): void {
    const bucket = hash & this.mask;
    this.nexts[entry] = this.heads[bucket];
    this.heads[bucket] = entry;
  }

  /** Takes an entry out of its hash's bucket and makes it unused. */
  release(hash: number, entry: number): void {
    const bucket = hash & this.mask;
    let at = this.heads[bucket];
    if (at === entry) {
      this.heads[bucket] = this.nexts[entry];
    } else {
      while (this.nexts[at] !== entry) at = this.nexts[at];
      this.nexts[at] = this.nexts[entry];
    }
    this.nexts[entry] = this.free;
    this.free = entry;
  }
}
