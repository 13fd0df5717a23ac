/**
 * From the hash of a tuple to the handles that may have it. Many engines read and insert; none waits for another.
 *
 * Buckets are eight words, half a cache line. A handle is in one of the two buckets of its hash, in the second only where the
 * first is nearly full: so a bucket never overflows in practice (two choices: Azar et al., "Balanced
 * Allocations", 1999), and nine lookups in ten need one. A word is the handle and as many bits of the hash as are left, so
 * that a record is seldom looked at for nothing. A free word is 0: it is taken by compare-and-swap, and given back by
 * whoever took it with one store. Nothing is ever moved.
 *
 * Not found is not always absent: a handle that is inserted meanwhile may be missed; and one that was found may have
 * ended. The table looks at the record.
 */
const BUCKET_SHIFT = 3;
const WORDS = 1 << BUCKET_SHIFT;
/** Words in use from which on the other bucket is asked whether it has fewer. Our tuning. */
const NEARLY_FULL = 6;
/** Places of a hash: first bucket, then second. */
const PLACES = 2 * WORDS;
const PLACE_SHIFT = 4;

export const NOTHING = -1;

export class FlowIndex {
  private readonly words: Int32Array;
  private readonly mask: number;
  private readonly handleBits: number;
  private readonly handleMask: number;

  /** @param capacity entries; handles are up to 2 * capacity + 1. */
  constructor(shared: SharedArrayBuffer, capacity: number) {
    this.words = new Int32Array(shared);
    this.mask = (this.words.length >> BUCKET_SHIFT) - 1;
    this.handleBits = 32 - Math.clz32(2 * capacity + 1);
    this.handleMask = (1 << this.handleBits) - 1;
  }

  /**
   * The first handle at `place` (0 to begin) or behind it that may have this hash: `handleOf` and `placeAfter` take the
   * answer apart. NOTHING where there is none.
   */
  next(hash: number, place: number): number {
    const { words, handleBits } = this;
    let at = place;
    if (at < WORDS) {
      const first = (hash & this.mask) << BUCKET_SHIFT;
      for (; at < WORDS; at++) {
        const word = words[first + at];
        if ((word ^ hash) >>> handleBits === 0 && word !== 0) return this.found(word, at);
      }
    }
    const second = this.second(hash) - WORDS;
    for (; at < PLACES; at++) {
      const word = words[second + at];
      if ((word ^ hash) >>> handleBits === 0 && word !== 0) return this.found(word, at);
    }
    return NOTHING;
  }

  /** Answers whether there was room. */
  insert(hash: number, handle: number): boolean {
    const first = (hash & this.mask) << BUCKET_SHIFT;
    const second = this.second(hash);
    const used = this.used(first);
    const isFirst = used < NEARLY_FULL || used <= this.used(second);
    const word = (hash & ~this.handleMask) | handle;
    return isFirst
      ? this.put(first, word) || this.put(second, word)
      : this.put(second, word) || this.put(first, word);
  }

  /** Takes out what this engine has put in. */
  remove(hash: number, handle: number): void {
    const word = (hash & ~this.handleMask) | handle;
    if (!this.clear((hash & this.mask) << BUCKET_SHIFT, word)) this.clear(this.second(hash), word);
  }

  private found(word: number, place: number): number {
    return ((word & this.handleMask) << PLACE_SHIFT) | place;
  }

  /** Another bucket than the first, where there is more than one. */
  private second(hash: number): number {
    const step = Math.imul(hash >>> this.handleBits, 0x9e3779b1) | 1;
    return ((hash ^ step) & this.mask) << BUCKET_SHIFT;
  }

  private used(bucket: number): number {
    let used = 0;
    for (let at = bucket; at < bucket + WORDS; at++) if (this.words[at] !== 0) used++;
    return used;
  }

  private put(bucket: number, word: number): boolean {
    const { words } = this;
    for (let at = bucket; at < bucket + WORDS; at++) {
      if (words[at] === 0 && Atomics.compareExchange(words, at, 0, word) === 0) return true;
    }
    return false;
  }

  private clear(bucket: number, word: number): boolean {
    for (let at = bucket; at < bucket + WORDS; at++) {
      if (this.words[at] !== word) continue;
      Atomics.store(this.words, at, 0);
      return true;
    }
    return false;
  }
}

export function handleOf(found: number): number {
  return found >>> PLACE_SHIFT;
}

export function placeAfter(found: number): number {
  return (found & (PLACES - 1)) + 1;
}
