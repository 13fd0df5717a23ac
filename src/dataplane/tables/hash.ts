/**
 * Keyed hashing of table keys of one, two, three or five 32-bit words.
 *
 * Keys come from packets, so a neighbour chooses them. A fixed mixing function would let it compute, once and
 * offline, thousands of keys that land in one bucket. The functions here are drawn from a family by a secret
 * seed: each word is split into halves that are added to secret keys and multiplied (pair-multiply-shift:
 * Thorup, "High Speed Hashing for Integers and Strings", 2015; NH in RFC 4418 is of the same
 * kind). For any two different keys, chosen without knowledge of the seed, the 32-bit sums agree
 * with probability at most 2^-17. A bijective finalizer then spreads neighbouring sums, so every bit of the
 * result is usable and sequential addresses do not cluster.
 *
 * The same seed and the same words give the same hash on every machine.
 *
 * Cost: one multiplication a word, all independent of each other, and two for the finalizer: 3 to 6 ns.
 * Results are int32, never uint32: a number above 2^31 - 1 that crosses a call which V8 does not inline is
 * boxed on the heap, an int32 never is. Use `hash & mask`, not `hash % n`.
 */
import { requireInteger } from './table-error.js';

/** A bijection of 32-bit words with low bias; its constants are from Chris Wellons's hash-prospector. Returns int32. */
export function mix32(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x21f0aaad);
  h ^= h >>> 15;
  h = Math.imul(h, 0x735a2d97);
  return h ^ (h >>> 15);
}

function pair(a: number, b: number, word: number): number {
  return Math.imul((a + (word & 0xffff)) | 0, (b + (word >>> 16)) | 0);
}

/** Words of secret key that the family needs: two for each of five words, and one to offset the sum. */
const KEY_WORDS = 11;

/** Stretches a seed of up to 53 bits into secret key words. */
function expand(seed: number): Int32Array {
  const low = seed | 0;
  const high = Math.floor(seed / 0x1_0000_0000) | 0;
  const keys = new Int32Array(KEY_WORDS);
  for (let i = 0; i < KEY_WORDS; i++) {
    const step = Math.imul(i + 1, 0x9e3779b9);
    keys[i] = mix32((mix32((low + step) | 0) + mix32(high ^ step)) | 0);
  }
  return keys;
}

export class KeyedHash {
  private readonly a0: number;
  private readonly b0: number;
  private readonly a1: number;
  private readonly b1: number;
  private readonly a2: number;
  private readonly b2: number;
  private readonly a3: number;
  private readonly b3: number;
  private readonly a4: number;
  private readonly b4: number;
  private readonly offset: number;

  /** `seed`: 0..2^53 - 1; secret and random where keys come from packets. Throws TABLE_INVALID. */
  constructor(readonly seed: number) {
    requireInteger('hash seed', seed, 0, Number.MAX_SAFE_INTEGER);
    const keys = expand(seed);
    this.a0 = keys[0];
    this.b0 = keys[1];
    this.a1 = keys[2];
    this.b1 = keys[3];
    this.a2 = keys[4];
    this.b2 = keys[5];
    this.a3 = keys[6];
    this.b3 = keys[7];
    this.a4 = keys[8];
    this.b4 = keys[9];
    this.offset = keys[10];
  }

  /** Words may be given as int32 or uint32; both name the same key. Returns int32, as do all of these. */
  hash1(v: number): number {
    return mix32((this.offset + pair(this.a0, this.b0, v)) | 0);
  }

  hash2(v: number, w: number): number {
    return mix32((this.offset + pair(this.a0, this.b0, v) + pair(this.a1, this.b1, w)) | 0);
  }

  hash3(v: number, w: number, x: number): number {
    const sum = pair(this.a0, this.b0, v) + pair(this.a1, this.b1, w) + pair(this.a2, this.b2, x);
    return mix32((this.offset + sum) | 0);
  }

  hash5(v: number, w: number, x: number, y: number, z: number): number {
    const first = pair(this.a0, this.b0, v) + pair(this.a1, this.b1, w);
    const second = pair(this.a2, this.b2, x) + pair(this.a3, this.b3, y);
    return mix32((this.offset + first + second + pair(this.a4, this.b4, z)) | 0);
  }
}

/** The least power of two that is at least `count` (and at least 1): bucket counts are masks plus one. */
export function bucketsFor(count: number): number {
  let buckets = 1;
  while (buckets < count) buckets *= 2;
  return buckets;
}
