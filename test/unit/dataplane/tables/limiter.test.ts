import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DestinationBuckets, ICMP_RATE, TokenBuckets } from '../../../../src/dataplane/tables/limiter.js';

/** The textbook's bucket: tokens are counted up as time passes. Time in ms, tokens in thousandths, all exact. */
class CountingBucket {
  private tokens: number;
  private at = 0;

  constructor(
    private readonly rate: number,
    private readonly burst: number,
  ) {
    this.tokens = burst * 1000;
  }

  take(now: number): boolean {
    this.tokens = Math.min(this.burst * 1000, this.tokens + (now - this.at) * this.rate);
    this.at = now;
    if (this.tokens < 1000) return false;
    this.tokens -= 1000;
    return true;
  }
}

const rates = fc.constantFrom(1, 3, 7, 10, 64, 999, 1000, 4000);
const waits = fc.array(fc.oneof(fc.constant(0), fc.nat(3), fc.nat(400), fc.nat(10_000)), { maxLength: 200 });

describe('TokenBuckets', () => {
  it('agrees with a bucket that counts tokens', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 50 }), waits, (rate, burst, list) => {
        const buckets = new TokenBuckets(2, rate, burst);
        const models = [new CountingBucket(rate, burst), new CountingBucket(rate, burst)];
        let now = 0;
        for (const [i, wait] of list.entries()) {
          now += wait;
          const index = (i >>> 2) & 1;
          expect(buckets.take(index, now)).toBe(models[index].take(now));
        }
      }),
    );
  });

  it('gives a burst at once, then one each interval', () => {
    const buckets = new TokenBuckets(1, 1, 6);
    const taken = (now: number) =>
      Array.from({ length: 10 }, () => buckets.take(0, now)).filter(Boolean).length;
    expect([5000, 5999, 6000, 6500, 7000, 9000].map(taken)).toEqual([6, 0, 1, 0, 1, 2]);
    expect(taken(1e9)).toBe(6);
  });

  it('gives the whole burst where the interval is no binary fraction', () => {
    for (const rate of [3, 7, 30, 999, 1e6 / 3]) {
      for (let burst = 1; burst <= 200; burst++) {
        const buckets = new TokenBuckets(1, rate, burst);
        let taken = 0;
        while (taken <= burst && buckets.take(0, 123_456_789)) taken += 1;
        expect([rate, taken]).toEqual([rate, burst]);
      }
    }
  });

  it('keeps buckets apart, and gives none beyond its bounds', () => {
    const buckets = new TokenBuckets(2, 1, 1);
    expect([buckets.take(0, 0), buckets.take(0, 0), buckets.take(1, 0)]).toEqual([true, false, true]);
    expect([buckets.take(2, 0), buckets.take(-1, 0)]).toEqual([false, false]);
  });

  it('fills a bucket on request', () => {
    const buckets = new TokenBuckets(1, 1, 1);
    buckets.take(0, 0);
    buckets.reset(0);
    expect(buckets.take(0, 0)).toBe(true);
  });

  it.each([
    [0, 1, 1],
    [1, 0, 1],
    [1, -1, 1],
    [1, Number.POSITIVE_INFINITY, 1],
    [1, Number.NaN, 1],
    [1, 1, 0],
    [1, 1, 1.5],
  ])('refuses %d buckets at %d a second, burst %d', (capacity, rate, burst) => {
    expect(() => new TokenBuckets(capacity, rate, burst)).toThrowError(
      expect.objectContaining({ code: 'TABLE_INVALID' }),
    );
  });
});

describe('DestinationBuckets', () => {
  it('gives each destination its own bucket while there is room', () => {
    // Four destinations always have room: sets have four places.
    const step = fc.record({ wait: fc.nat(1500), to: fc.nat(3) });
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.array(step, { maxLength: 100 }), (seed, list) => {
        const buckets = new DestinationBuckets(4, 1, 6, seed);
        const models = Array.from({ length: 4 }, () => new CountingBucket(1, 6));
        let now = 0;
        for (const { wait, to } of list) {
          now += wait;
          const taken =
            to < 2
              ? buckets.take4(to, 0xc0a80001, now)
              : buckets.take6(1, 0xfd000010 | 0, 0, 0, to === 2 ? 0xc0a80001 : 0x40a80001, now);
          expect(taken).toBe(models[to].take(now));
        }
        expect(buckets.takeovers).toBe(0);
      }),
    );
  });

  it("is Linux's limit for ICMP errors with its figures: six at once, then one a second", () => {
    const { perDestinationPerSecond, perDestinationBurst } = ICMP_RATE;
    const buckets = new DestinationBuckets(1024, perDestinationPerSecond, perDestinationBurst, 1);
    let taken = 0;
    for (let now = 0; now < 10_000; now += 10) if (buckets.take4(0, 0x0a000001, now)) taken += 1;
    expect(taken).toBe(6 + 9);
  });

  it('gives no more in all than its buckets hold, however many destinations there are', () => {
    const buckets = new DestinationBuckets(64, 1, 6, 99);
    let taken = 0;
    for (let i = 0; i < 200_000; i++) if (buckets.take4(0, i, i / 100)) taken += 1;
    expect(taken).toBeLessThanOrEqual(64 * (6 + 2));
    expect(taken).toBeGreaterThan(64 * 6);
    expect(buckets.takeovers).toBeGreaterThan(150_000);
  });

  it('forgets nothing of a destination in debt while others have full buckets', () => {
    const buckets = new DestinationBuckets(4, 1, 6, 5);
    for (let i = 0; i < 6; i++) buckets.take4(0, 1, 0);
    // A new destination each half second; after the first three, each finds one bucket that is full again.
    for (let now = 0; now <= 4500; now += 500) expect(buckets.take4(0, 1000 + now, now)).toBe(true);
    expect(buckets.takeovers).toBe(0);
    const again = Array.from({ length: 6 }, () => buckets.take4(0, 1, 4500));
    expect(again).toEqual([true, true, true, true, false, false]);
  });

  it('rounds its capacity up to whole sets', () => {
    expect([1, 4, 5, 1000].map((n) => new DestinationBuckets(n, 1, 1, 0).capacity)).toEqual([4, 4, 8, 1024]);
  });
});
