import { describe, expect, it } from 'vitest';
import { IcmpLimiter } from '../../../src/dataplane/icmp-limiter.js';

/** How many of `count` calls are allowed. */
function allowed(count: number, take: (i: number) => boolean): number {
  return Array.from({ length: count }, (_, i) => take(i)).filter(Boolean).length;
}

describe('IcmpLimiter', () => {
  it('allows one destination six, then one a second', () => {
    const limiter = new IcmpLimiter(1);
    expect(allowed(10, () => limiter.take4(0, 0x0a000002, 0))).toBe(6);
    expect(allowed(10, () => limiter.take4(0, 0x0a000002, 999))).toBe(0);
    expect(allowed(10, () => limiter.take4(0, 0x0a000002, 1000))).toBe(1);
    expect(allowed(10, () => limiter.take4(1, 0x0a000002, 1000))).toBe(6);
  });

  it('allows all IPv4 destinations together 50, then one a millisecond', () => {
    const limiter = new IcmpLimiter(1);
    expect(allowed(80, (i) => limiter.take4(0, i, 0))).toBe(50);
    expect(allowed(80, (i) => limiter.take4(0, 100 + i, 3))).toBe(3);
  });

  it('allows all IPv6 destinations together 50', () => {
    const limiter = new IcmpLimiter(1);
    expect(allowed(80, (i) => limiter.take6(0, 0xfd000000, 0, 0, i, 0))).toBe(50);
    expect(limiter.take4(0, 1, 0)).toBe(false);
    expect(limiter.takeAny(0)).toBe(false);
  });
});
