/**
 * Random numbers that a seed determines: xorshift32 (Marsaglia, "Xorshift RNGs", 2003). For repeatable faults;
 * nothing that must not be guessed may depend on it.
 */

/** One more than the largest number of `next`. */
export const RANDOM_RANGE = 2 ** 31;

export class SeededRandom {
  private readonly state = new Int32Array(1);

  /** @param seed any integer; its lower 32 bits count. */
  constructor(seed: number) {
    // Seeds are often 1, 2, 3: spread over all bits (MurmurHash3's finalizer), and never 0, which would stay 0.
    let mixed = Math.imul((seed ^ (seed >>> 16)) | 0, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.state[0] = mixed ^ (mixed >>> 16) || 0x2545f491;
  }

  /** 0 to 2^31 - 1: a small integer to V8, where a fraction would be an allocation. */
  next(): number {
    let x = this.state[0];
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state[0] = x;
    return x >>> 1;
  }
}
