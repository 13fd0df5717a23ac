/**
 * Token buckets: how often something may be done. Each is one number, the time at which it will be full again
 * (the generic cell rate algorithm, ITU-T I.371, in its virtual scheduling form); no token is ever counted up.
 *
 * TokenBuckets: a fixed number of buckets of one rate, by index (a port, a drop reason, one for all).
 *
 * DestinationBuckets: one bucket for each destination address, for ICMP errors. RFC 4443 section 2.4 (f) and
 * RFC 1812 section 4.3.2.8 want their rate limited; Linux allows each destination one a second and a burst of
 * six (net.ipv4.icmp_ratelimit, XRLIM_BURST_FACTOR), and all together 1,000 a second and a burst of 50
 * (icmp_msgs_per_sec, icmp_msgs_burst). Use both classes to do the same.
 *   Bounds: `capacity` buckets, in sets of four by keyed hash. A new destination takes the bucket of its set
 *   that is nearest to full. If that is full, forgetting it loses nothing. If not, the newcomer takes over its
 *   debt: an eviction never makes tokens, so all destinations together get at most capacity * (burst +
 *   rate * time), however many there are.
 *
 * Times are `now` in ms, monotonic. Cost: 2 ns by index, 20 to 45 by address. Memory: 8 and 28 bytes a bucket.
 */
import { bucketsFor, KeyedHash } from './hash.js';
import { requireInteger, TABLE_ERROR, TableError } from './table-error.js';

/** Linux: net.ipv4.icmp_ratelimit = 1000 ms, XRLIM_BURST_FACTOR = 6, icmp_msgs_per_sec, icmp_msgs_burst. */
export const ICMP_RATE = {
  perDestinationPerSecond: 1,
  perDestinationBurst: 6,
  allPerSecond: 1000,
  allBurst: 50,
} as const;

/** ms; absorbs rounding, so that a burst of n is n tokens also where the interval is no binary fraction. */
const ROUNDING = 1e-4;

function requireRate(ratePerSecond: number, burst: number): void {
  requireInteger('burst', burst, 1, 1 << 30);
  if (ratePerSecond > 0 && Number.isFinite(ratePerSecond)) return;
  throw new TableError(TABLE_ERROR.invalid, `rate must be positive and finite, not ${ratePerSecond}`);
}

export class TokenBuckets {
  /** When each bucket will be full again, ms. */
  private readonly fullAt: Float64Array;
  private readonly interval: number;
  private readonly tolerance: number;

  /** All buckets begin full. Throws TABLE_INVALID. */
  constructor(
    readonly capacity: number,
    readonly ratePerSecond: number,
    readonly burst: number,
  ) {
    requireInteger('number of buckets', capacity, 1, 1 << 24);
    requireRate(ratePerSecond, burst);
    this.fullAt = new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY);
    this.interval = 1000 / ratePerSecond;
    this.tolerance = (burst - 1) * this.interval + ROUNDING;
  }

  /** Takes a token if there is one. An index outside 0..capacity-1 gets none. */
  take(index: number, now: number): boolean {
    const debt = this.fullAt[index] - now;
    if (debt <= 0) {
      this.fullAt[index] = now + this.interval;
      return true;
    }
    if (debt <= this.tolerance) {
      this.fullAt[index] += this.interval;
      return true;
    }
    return false;
  }

  /** When the bucket will be, or was, full, ms. */
  fullTime(index: number): number {
    return this.fullAt[index];
  }

  /** Fills the bucket. */
  reset(index: number): void {
    this.fullAt[index] = Number.NEGATIVE_INFINITY;
  }
}

const WAYS = 4;
const KEY_WORDS = 5;
const FAMILY_4 = 0x10000;
const FAMILY_6 = 0x20000;

export class DestinationBuckets {
  readonly capacity: number;
  /** Destinations that took over a bucket which was not full. */
  takeovers = 0;
  private readonly buckets: TokenBuckets;
  /** For each bucket: domain and family (0: never used), four words of address. */
  private readonly keys: Int32Array;
  private readonly hash: KeyedHash;
  private readonly mask: number;

  /** `capacity` is rounded up to a power of two, at least 4. `seed`: see hash.ts. Throws TABLE_INVALID. */
  constructor(capacity: number, ratePerSecond: number, burst: number, seed: number) {
    requireInteger('number of buckets', capacity, 1, 1 << 22);
    const sets = bucketsFor(Math.ceil(capacity / WAYS));
    this.capacity = sets * WAYS;
    this.buckets = new TokenBuckets(this.capacity, ratePerSecond, burst);
    this.keys = new Int32Array(this.capacity * KEY_WORDS);
    this.hash = new KeyedHash(seed);
    this.mask = sets - 1;
  }

  /** Takes a token of the IPv4 destination's bucket, if there is one. `domain`: 16 bits. */
  take4(domain: number, address: number, now: number): boolean {
    return this.take(domain | FAMILY_4, 0, 0, 0, address | 0, now);
  }

  /** As take4, for IPv6. Give c and d as 0 to have one bucket for each /64. */
  take6(domain: number, a: number, b: number, c: number, d: number, now: number): boolean {
    return this.take(domain | FAMILY_6, a | 0, b | 0, c | 0, d | 0, now);
  }

  private take(key: number, a: number, b: number, c: number, d: number, now: number): boolean {
    const first = (this.hash.hash5(key, a, b, c, d) & this.mask) * WAYS;
    let bucket = this.find(first, key, a, b, c, d);
    if (bucket < 0) {
      bucket = this.nearestToFull(first);
      if (this.buckets.fullTime(bucket) > now) this.takeovers += 1;
      this.claim(bucket * KEY_WORDS, key, a, b, c, d);
    }
    return this.buckets.take(bucket, now);
  }

  private find(first: number, key: number, a: number, b: number, c: number, d: number): number {
    const { keys } = this;
    for (let bucket = first; bucket < first + WAYS; bucket++) {
      const at = bucket * KEY_WORDS;
      const near = keys[at + 4] === d && keys[at + 3] === c && keys[at + 2] === b;
      if (near && keys[at + 1] === a && keys[at] === key) return bucket;
    }
    return -1;
  }

  private nearestToFull(first: number): number {
    let best = first;
    for (let bucket = first + 1; bucket < first + WAYS; bucket++) {
      if (this.buckets.fullTime(bucket) < this.buckets.fullTime(best)) best = bucket;
    }
    return best;
  }

  private claim(at: number, key: number, a: number, b: number, c: number, d: number): void {
    const { keys } = this;
    keys[at] = key;
    keys[at + 1] = a;
    keys[at + 2] = b;
    keys[at + 3] = c;
    keys[at + 4] = d;
  }
}
