import { describe, expect, it } from 'vitest';
import { RANDOM_RANGE, SeededRandom } from '../../../../src/dataplane/devices/seeded-random.js';

describe('SeededRandom', () => {
  // Computed by the same formulas in Python's unbounded integers.
  it.each([
    [0, [1888639773, 1171077717, 846256598]],
    [1, [262433021, 1438707104, 1190001370]],
    [-1, [392863673, 1462641415, 2056621744]],
    [0xdeadbeef, [160668936, 1013232161, 1848799489]],
  ])('gives what seed %i determines', (seed, expected) => {
    const random = new SeededRandom(seed);
    expect([random.next(), random.next(), random.next()]).toEqual(expected);
  });

  it('spreads evenly over its range', () => {
    const random = new SeededRandom(7);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) tenths[Math.floor((random.next() / RANDOM_RANGE) * 10)]++;
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
