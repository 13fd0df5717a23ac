import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketsFor, KeyedHash, mix32 } from '../../../../src/dataplane/tables/hash.js';
import { random } from './random.js';

type Words = [number, number, number, number, number];

/** Pearson's statistic of how `count` hashes fall into 256 buckets by `bits`; 255 is expected, 400 is 1 in 10^8. */
function unevenness(hashes: readonly number[], bits: (hash: number) => number): number {
  const buckets = new Array<number>(256).fill(0);
  for (const hash of hashes) buckets[bits(hash)] += 1;
  const mean = hashes.length / 256;
  return buckets.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
}

describe('mix32', () => {
  it('gives the values of its definition', () => {
    // Independently computed, with Python integers: x ^= x >> 16; x = x * 0x21f0aaad % 2**32; x ^= x >> 15;
    // x = x * 0x735a2d97 % 2**32; x ^= x >> 15
    expect([0, 1, 2, 0x12345678, 0xffffffff].map((word) => mix32(word) >>> 0)).toEqual([
      0x00000000, 0x86d2fa73, 0x0da7f4e7, 0x16e776bd, 0x99b5e683,
    ]);
  });

  it('is a bijection: 2^16 words that differ in 16 bits anywhere give 2^16 hashes', () => {
    for (const shift of [0, 8, 16]) {
      const hashes = new Set(Array.from({ length: 65536 }, (_, i) => mix32(i << shift)));
      expect(hashes.size).toBe(65536);
    }
  });
});

describe('KeyedHash', () => {
  const seeds = fc.maxSafeNat();
  const words = fc.array(fc.nat(0xffffffff), { minLength: 5, maxLength: 5 }).map((list) => list as Words);

  it('depends on nothing but the seed and the words, signed or not', () => {
    fc.assert(
      fc.property(seeds, words, (seed, [v, w, x, y, z]) => {
        const one = new KeyedHash(seed);
        const other = new KeyedHash(seed);
        expect(one.hash1(v)).toBe(other.hash1(v | 0));
        expect(one.hash2(v, w)).toBe(other.hash2(v | 0, w | 0));
        expect(one.hash3(v, w, x)).toBe(other.hash3(v | 0, w | 0, x | 0));
        expect(one.hash5(v, w, x, y, z)).toBe(other.hash5(v | 0, w | 0, x | 0, y | 0, z | 0));
        for (const hash of [one.hash1(v), one.hash5(v, w, x, y, z)]) expect(hash).toBe(hash | 0);
      }),
    );
  });

  it('is the sum of products that its comment promises', () => {
    // Computed from the definition with Python integers.
    const hash = new KeyedHash(2 ** 40 + 12345);
    expect([hash.hash1(1), hash.hash2(1, 2), hash.hash3(1, 2, 3), hash.hash5(1, 2, 3, 4, 5)]).toEqual([
      1568705283, -1890550720, 1972880342, -583541055,
    ]);
  });

  it('uses all 53 bits of the seed', () => {
    const hashes = new Set(Array.from({ length: 53 }, (_, bit) => new KeyedHash(2 ** bit).hash2(1, 2)));
    expect(hashes.size).toBe(53);
  });

  it('changes about half of the bits of the hash with any bit of any word', () => {
    const next = random(3);
    for (let word = 0; word < 5; word++) {
      for (let bit = 0; bit < 32; bit++) {
        let changed = 0;
        for (let i = 0; i < 64; i++) {
          const hash = new KeyedHash(next(2 ** 32));
          const key = Array.from({ length: 5 }, () => next(2 ** 32)) as Words;
          const before = hash.hash5(...key);
          key[word] ^= 1 << bit;
          let difference = before ^ hash.hash5(...key);
          for (; difference !== 0; difference &= difference - 1) changed += 1;
        }
        expect(changed / 64).toBeGreaterThan(12);
        expect(changed / 64).toBeLessThan(20);
      }
    }
  });

  it.each([
    ['adjacent addresses', (i: number): [number, number] => [7, 0x0af40000 + i]],
    ['one address in each /24', (i: number): [number, number] => [7, 0x0a000001 + i * 256]],
    ['one address in each /16', (i: number): [number, number] => [i >>> 8, (i << 16) | 1]],
    [
      'adjacent MACs in domains',
      (i: number): [number, number] => [((i & 255) << 16) | 0x0200, 0x0a000000 + (i >>> 8)],
    ],
  ])('spreads evenly, in its low and high bits: %s', (_, key) => {
    for (const seed of [0, 1, 2 ** 45 + 17]) {
      const hash = new KeyedHash(seed);
      const hashes = Array.from({ length: 16384 }, (_, i) => hash.hash2(...key(i)));
      expect(unevenness(hashes, (h) => h & 255)).toBeLessThan(400);
      expect(unevenness(hashes, (h) => h >>> 24)).toBeLessThan(400);
      expect(new Set(hashes).size).toBeGreaterThan(16384 - 8);
    }
  });

  it('gives an attacker who does not know the seed no colliding keys', () => {
    // Differences that collide whatever the seed in hashes that mix each word with one multiplication: the top
    // bit of one word, undone in the next. Here no difference may collide for more than a few seeds.
    const differences: [number, number][] = [
      [0x80000000, 0x80010000],
      [0x80000000, 0x80000000],
      [0x80000000, 0],
      [0x00010000, 0x80000000],
      [1, 0xffffffff],
    ];
    for (const [dv, dw] of differences) {
      let collisions = 0;
      for (let seed = 0; seed < 4096; seed++) {
        const hash = new KeyedHash(seed);
        if (hash.hash2(0x0200, 0x0a000001) === hash.hash2(0x0200 ^ dv, 0x0a000001 ^ dw)) collisions += 1;
      }
      expect(collisions).toBeLessThan(3);
    }
  });

  it('refuses a seed that is no safe integer', () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => new KeyedHash(seed)).toThrowError(expect.objectContaining({ code: 'TABLE_INVALID' }));
    }
  });
});

describe('bucketsFor', () => {
  it('is the least power of two that is enough', () => {
    expect([0, 1, 2, 3, 4, 5, 1000, 1024, 1025].map(bucketsFor)).toEqual([
      1, 1, 2, 4, 4, 8, 1024, 1024, 2048,
    ]);
  });
});
