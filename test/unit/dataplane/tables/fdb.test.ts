import { describe, expect, it } from 'vitest';
import { Fdb, LEARN } from '../../../../src/dataplane/tables/fdb.js';
import { holdsAgainstModel, type Subject } from './learned-model.js';

/** Domain, VLAN, first two octets, last four; each key differs from some other in one of them only. */
function words(key: number): [number, number, number, number] {
  return [key & 1, (key >>> 1) & 1, 0x0200 + ((key >>> 2) & 1), 0xfffffff0 + (key >>> 3)];
}

function keyOf(domain: number, vlan: number, hi: number, lo: number): number {
  return domain | (vlan << 1) | ((hi & 1) << 2) | ((lo - 0xfffffff0) << 3);
}

class FdbSubject implements Subject {
  constructor(private readonly fdb: Fdb) {}
  get size() {
    return this.fdb.size;
  }
  get moves() {
    return this.fdb.moves;
  }
  get evictions() {
    return this.fdb.evictions;
  }
  get expiries() {
    return this.fdb.expiries;
  }
  get refusals() {
    return this.fdb.refusals;
  }
  learn(key: number, port: number, now: number) {
    return this.fdb.learn(...words(key), port, now);
  }
  lookup(key: number, now: number) {
    return this.fdb.lookup(...words(key), now);
  }
  countOf(port: number) {
    return this.fdb.countOf(port);
  }
  sweep(now: number, budget: number) {
    return this.fdb.sweep(now, budget);
  }
  forgetPort(port: number) {
    return this.fdb.forgetPort(port);
  }
  forgetDomain(domain: number) {
    return this.fdb.forgetDomain(domain);
  }
  list(now: number) {
    const list: [number, number, number][] = [];
    this.fdb.forEach(now, (domain, vlan, hi, lo, port, age) =>
      list.push([keyOf(domain, vlan, hi, lo), port, age]),
    );
    return list;
  }
}

const LO = 0x0a000001;

function fdb(capacity = 8, ports = 4): Fdb {
  return new Fdb({ capacity, ports, seed: 42 });
}

describe('Fdb', () => {
  it('holds against a plain list of entries', () => {
    holdsAgainstModel((bounds) => new FdbSubject(new Fdb(bounds)));
  });

  it('forgets an address 300 s after it was last seen', () => {
    const table = fdb();
    expect(table.learn(1, 0, 0x0200, LO, 3, 1000)).toBe(LEARN.learned);
    expect(table.lookup(1, 0, 0x0200, LO, 300_999)).toBe(3);
    expect(table.lookup(1, 0, 0x0200, LO, 301_000)).toBe(-1);
    expect(table.learn(1, 0, 0x0200, LO, 3, 300_999)).toBe(LEARN.refreshed);
    expect(table.lookup(1, 0, 0x0200, LO, 600_998)).toBe(3);
    expect(table.sweep(600_998, 10)).toBe(0);
    expect(table.sweep(600_999, 10)).toBe(1);
    expect(table.size).toBe(0);
  });

  it('keeps domains, VLANs and all 48 bits apart', () => {
    const table = fdb();
    table.learn(1, 5, 0x0200, LO, 3, 0);
    expect(table.lookup(1, 5, 0x0200, LO, 0)).toBe(3);
    expect(table.lookup(2, 5, 0x0200, LO, 0)).toBe(-1);
    expect(table.lookup(1, 0, 0x0200, LO, 0)).toBe(-1);
    expect(table.lookup(1, 5, 0x0201, LO, 0)).toBe(-1);
    expect(table.lookup(1, 5, 0x0200, LO + 1, 0)).toBe(-1);
  });

  it('takes the extremes of each word, signed or not', () => {
    const table = fdb(8, 65536);
    table.learn(65535, 4095, 0xffff, 0xfffffffe, 65535, 0);
    expect(table.lookup(65535, 4095, 0xffff, -2, 0)).toBe(65535);
    const seen: number[][] = [];
    table.forEach(5, (...entry) => seen.push(entry.slice(0, 6)));
    expect(seen).toEqual([[65535, 4095, 0xffff, 0xfffffffe, 65535, 5]]);
  });

  it('follows an address that moves, and counts it', () => {
    const table = fdb();
    table.learn(1, 0, 0x0200, LO, 1, 0);
    expect(table.learn(1, 0, 0x0200, LO, 2, 1)).toBe(LEARN.moved);
    expect(table.lookup(1, 0, 0x0200, LO, 2)).toBe(2);
    expect([table.moves, table.size, table.countOf(1), table.countOf(2)]).toEqual([1, 1, 0, 1]);
  });

  it('lets no port flood out the others', () => {
    const table = fdb(100, 4);
    for (let i = 0; i < 20; i++) table.learn(1, 0, 0x0200, i, 0, i);
    for (let i = 0; i < 20; i++) table.learn(1, 0, 0x0201, i, 1, i);
    for (let i = 0; i < 100_000; i++) table.learn(1, 0, 0x0666, i, 2, 1000);
    for (let i = 0; i < 20; i++) expect(table.lookup(1, 0, 0x0200, i, 2000)).toBe(0);
    for (let i = 0; i < 20; i++) expect(table.lookup(1, 0, 0x0201, i, 2000)).toBe(1);
    expect([table.size, table.countOf(2), table.evictions]).toEqual([100, 60, 99_940]);
    // Those of the flood that are left are its last.
    expect(table.lookup(1, 0, 0x0666, 99_939, 2000)).toBe(-1);
    expect(table.lookup(1, 0, 0x0666, 99_940, 2000)).toBe(2);
  });

  it('gives a newcomer its share of a full table', () => {
    const table = fdb(100, 4);
    for (let i = 0; i < 1000; i++) table.learn(1, 0, 0x0666, i, 2, 0);
    for (let i = 0; i < 30; i++) expect(table.learn(1, 0, 0x0200, i, 0, 1)).toBe(LEARN.evicted);
    expect([table.countOf(0), table.countOf(2)]).toEqual([30, 70]);
  });

  it('takes an aged entry before a live one, whosever it is', () => {
    const table = fdb(3, 4);
    table.learn(1, 0, 0x0200, 1, 1, 0);
    table.learn(1, 0, 0x0200, 2, 2, 200_000);
    table.learn(1, 0, 0x0200, 3, 2, 200_000);
    expect(table.learn(1, 0, 0x0200, 4, 2, 300_000)).toBe(LEARN.learned);
    expect([table.countOf(1), table.countOf(2), table.evictions, table.expiries]).toEqual([0, 3, 0, 1]);
  });

  it('finds every address of a full table, and none after forgetting', () => {
    const table = new Fdb({ capacity: 10_000, ports: 16, seed: 7 });
    for (let i = 0; i < 10_000; i++) table.learn(i & 3, i & 7, 0x0200, i * 65_536, i & 15, 0);
    let found = 0;
    for (let i = 0; i < 10_000; i++)
      if (table.lookup(i & 3, i & 7, 0x0200, i * 65_536, 0) === (i & 15)) found += 1;
    expect(found).toBe(10_000);
    expect(table.forgetDomain(1)).toBe(2500);
    for (let port = 0; port < 16; port++) table.forgetPort(port);
    expect(table.size).toBe(0);
    for (let i = 0; i < 10_000; i++) if (table.lookup(i & 3, i & 7, 0x0200, i * 65_536, 0) !== -1) found += 1;
    expect(found).toBe(10_000);
  });

  it('does the same when given the same', () => {
    const run = (seed: number) => {
      const table = new Fdb({ capacity: 50, ports: 8, seed });
      for (let i = 0; i < 2000; i++)
        table.learn(i % 3, 0, 0x0200, Math.imul(i, 0x9e3779b9) >>> 24, i & 7, i * 10);
      const list: number[][] = [];
      table.forEach(20_000, (...entry) => list.push(entry));
      return list;
    };
    expect(run(1)).toEqual(run(1));
    // The seed decides where entries are kept, not which are.
    expect(run(1)).toEqual(run(2));
  });

  it.each([
    { capacity: 0, ports: 1, seed: 0 },
    { capacity: 1.5, ports: 1, seed: 0 },
    { capacity: 1, ports: 0, seed: 0 },
    { capacity: 2 ** 25, ports: 1, seed: 0 },
    { capacity: 1, ports: 1, seed: 0, ageingMs: 0 },
    { capacity: 1, ports: 1, seed: 0, ageingMs: 2 ** 31 },
    { capacity: 1, ports: 1, seed: -1 },
    { capacity: 1, ports: 1, seed: 2 ** 53 },
  ])('refuses bounds that cannot be: %o', (options) => {
    expect(() => new Fdb(options)).toThrowError(expect.objectContaining({ code: 'TABLE_INVALID' }));
  });
});
