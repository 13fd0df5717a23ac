import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildMaglev,
  MAX_BACKENDS,
  type MaglevBackend,
  type MaglevSlots,
  maglevSize,
  pickBackend,
} from '../../../../src/dataplane/tables/maglev.js';

function endpoints(count: number, from = 0): MaglevBackend[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `10.244.${(from + i) >> 8}.${(from + i) & 255}:8080`,
  }));
}

function countsOf(slots: MaglevSlots, backends: number): number[] {
  const counts = new Array<number>(backends).fill(0);
  for (const backend of slots) counts[backend] += 1;
  return counts;
}

function namesOf(slots: MaglevSlots, backends: readonly MaglevBackend[]): string[] {
  return Array.from(slots, (at) => backends[at].name);
}

/** Distinct names, in an arbitrary order. */
const BACKENDS = fc
  .uniqueArray(fc.nat(0xffff), { minLength: 2, maxLength: 60 })
  .map((numbers) => numbers.map((n) => ({ name: `10.244.${n >> 8}.${n & 255}:80` })));

describe('maglevSize', () => {
  it('is prime, so that every step visits every slot', () => {
    for (const backends of [2, 8, 32, 128, 512]) {
      const size = maglevSize(backends);
      for (let factor = 2; factor * factor <= size; factor++) expect(size % factor).not.toBe(0);
    }
  });

  it('has from 64 to 255 slots for each of 2 to 2047 backends', () => {
    for (let backends = 2; backends < 2048; backends++) {
      const each = maglevSize(backends) / backends;
      expect(each).toBeGreaterThanOrEqual(64);
      expect(each).toBeLessThan(256);
    }
  });

  it('keeps 250,000 endpoints below 200 MB, whatever the services are like', () => {
    for (let backends = 1; backends <= 20_000; backends++) {
      const bytes = maglevSize(backends) * (backends > 256 ? 2 : 1);
      expect((250_000 / backends) * bytes).toBeLessThan(200e6);
    }
  });
});

describe('buildMaglev', () => {
  it('is empty without backends, and one slot for one', () => {
    expect(buildMaglev([])).toHaveLength(0);
    expect([...buildMaglev([{ name: 'a' }])]).toEqual([0]);
    expect([...buildMaglev([{ name: 'a', weight: 0 }, { name: 'b' }])]).toEqual([1]);
  });

  it('is this table for ever: nodes of different versions pick alike', () => {
    const slots = buildMaglev(endpoints(5));
    expect([...slots.subarray(0, 24)].join('')).toBe('000433142310441234010341');
  });

  it('gives each backend the same number of slots, give or take one', () => {
    fc.assert(
      fc.property(BACKENDS, (backends) => {
        const counts = countsOf(buildMaglev(backends), backends.length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 40 },
    );
  });

  it('does not depend on the order of the list', () => {
    fc.assert(
      fc.property(BACKENDS, (backends) => {
        const reversed = [...backends].reverse();
        expect(namesOf(buildMaglev(reversed), reversed)).toEqual(namesOf(buildMaglev(backends), backends));
      }),
      { numRuns: 40 },
    );
  });

  it('moves few slots but its own when a backend goes, and as few when it comes back', () => {
    fc.assert(
      fc.property(BACKENDS, fc.nat(), (backends, choice) => {
        const gone = backends[choice % backends.length];
        const rest = backends.filter((backend) => backend !== gone);
        fc.pre(maglevSize(rest.length) === maglevSize(backends.length));
        const before = namesOf(buildMaglev(backends), backends);
        const after = namesOf(buildMaglev(rest), rest);
        const moved = before.filter((name, slot) => name !== gone.name && name !== after[slot]).length;
        // The paper's figure 12 has a few per cent; a table by remainder would move nearly all. Where there are few backends chance
        // has more to say: of thousands of tables the worst moved 0.32 with three, and 0.13 with eight and more.
        expect(moved / before.length).toBeLessThan(backends.length < 8 ? 0.45 : 0.2);
        expect(after).not.toContain(gone.name);
      }),
      { numRuns: 60 },
    );
  });

  it('moves less than four per cent on average, of services of common sizes', () => {
    for (const count of [5, 20, 100]) {
      const backends = endpoints(count);
      const before = namesOf(buildMaglev(backends), backends);
      const shares = backends.slice(0, 20).map((gone) => {
        const rest = backends.filter((backend) => backend !== gone);
        const after = namesOf(buildMaglev(rest), rest);
        return (
          before.filter((name, slot) => name !== gone.name && name !== after[slot]).length / before.length
        );
      });
      expect(shares.reduce((sum, share) => sum + share) / shares.length).toBeLessThan(0.04);
    }
  });

  it('gives slots by weight, and each at least one', () => {
    const weights = [1, 2, 4, 0, 256];
    const backends = weights.map((weight, i) => ({ name: `b${i}`, weight }));
    const slots = buildMaglev(backends);
    const counts = countsOf(slots, backends.length);
    expect(counts[3]).toBe(0);
    for (const [at, weight] of weights.entries()) {
      if (weight === 0) continue;
      expect(Math.abs(counts[at] - (slots.length * weight) / 263)).toBeLessThan(2);
      expect(counts[at]).toBeGreaterThan(0);
    }
  });

  it('holds thousands of backends in slots of two bytes', () => {
    const slots = buildMaglev(endpoints(5000));
    expect(slots).toBeInstanceOf(Uint16Array);
    const counts = countsOf(slots, 5000);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('refuses what it cannot hold', () => {
    const code = (backends: MaglevBackend[]) => {
      try {
        buildMaglev(backends);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'accepted';
    };
    expect(code([{ name: 'a' }, { name: 'b' }, { name: 'a' }])).toBe('TABLE_DUPLICATE');
    expect(code([{ name: 'a', weight: 257 }])).toBe('TABLE_INVALID');
    expect(code([{ name: 'a', weight: 0.5 }])).toBe('TABLE_INVALID');
    expect(code(endpoints(MAX_BACKENDS + 1))).toBe('TABLE_TOO_LARGE');
  });
});

describe('pickBackend', () => {
  it('takes any hash, and spreads flows evenly', () => {
    const slots = buildMaglev(endpoints(5));
    const counts = new Array<number>(5).fill(0);
    for (let i = 0; i < 50_000; i++) counts[pickBackend(slots, Math.imul(i, 0x9e3779b1))] += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    for (const hash of [0, -1, 0x7fff_ffff, -0x8000_0000]) expect(pickBackend(slots, hash)).toBeLessThan(5);
  });
});
