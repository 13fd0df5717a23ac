import { describe, expect, it } from 'vitest';
import { LEARN } from '../../../../src/dataplane/tables/fdb.js';
import { LearnedNeighbours } from '../../../../src/dataplane/tables/neighbours.js';
import { holdsAgainstModel, type Subject } from './learned-model.js';

const LAST = 0xfffffff0;

/** IPv4 for even halves of the key, IPv6 for odd ones; addresses differ in one word only. */
class NeighbourSubject implements Subject {
  constructor(private readonly table: LearnedNeighbours) {}
  get size() {
    return this.table.size;
  }
  get moves() {
    return this.table.moves;
  }
  get evictions() {
    return this.table.evictions;
  }
  get expiries() {
    return this.table.expiries;
  }
  get refusals() {
    return this.table.refusals;
  }
  learn(key: number, port: number, now: number) {
    const { domain, word } = this.words(key);
    if ((key & 2) === 0) return this.table.learn4(domain, word, 0x0200, key, port, now);
    return this.table.learn6(domain, 0, 0, 0, word, 0x0200, key, port, now);
  }
  lookup(key: number, now: number) {
    const { domain, word } = this.words(key);
    const { table } = this;
    const index =
      (key & 2) === 0 ? table.lookup4(domain, word | 0, now) : table.lookup6(domain, 0, 0, 0, word | 0, now);
    if (index === -1) return -1;
    expect([table.macHi(index), table.macLo(index)]).toEqual([0x0200, key]);
    return table.port(index);
  }
  countOf(port: number) {
    return this.table.countOf(port);
  }
  sweep(now: number, budget: number) {
    return this.table.sweep(now, budget);
  }
  forgetPort(port: number) {
    return this.table.forgetPort(port);
  }
  forgetDomain(domain: number) {
    return this.table.forgetDomain(domain);
  }
  list(now: number) {
    const list: [number, number, number][] = [];
    this.table.forEach(now, (domain, family, words, index, age) => {
      if (words.length !== (family === 4 ? 1 : 4)) throw new Error(`${words.length} words`);
      const key = domain | (family === 4 ? 0 : 2) | ((words[words.length - 1] - LAST) << 2);
      list.push([key, this.table.port(index), age]);
    });
    return list;
  }
  private words(key: number) {
    return { domain: key & 1, word: LAST + (key >>> 2) };
  }
}

function neighbours(capacity = 8): LearnedNeighbours {
  return new LearnedNeighbours({ capacity, ports: 4, seed: 42 });
}

describe('LearnedNeighbours', () => {
  it('holds against a plain list of entries', () => {
    holdsAgainstModel((bounds) => new NeighbourSubject(new LearnedNeighbours(bounds)));
  });

  it('forgets a neighbour 60 s after it was last confirmed', () => {
    const table = neighbours();
    table.learn4(1, 0xc0a80001, 0x0200, 0xfffffff1, 3, 0);
    expect(table.lookup4(1, 0xc0a80001, 59_999)).toBeGreaterThan(-1);
    expect(table.lookup4(1, 0xc0a80001, 60_000)).toBe(-1);
    expect(table.sweep(60_000, 9)).toBe(1);
  });

  it('takes a new MAC for a known address, and counts the move', () => {
    const table = neighbours();
    expect(table.learn6(1, 0xfd000010, 0x02440000, 0, 2, 0x0200, 0xfffffff1, 3, 0)).toBe(LEARN.learned);
    expect(table.learn6(1, 0xfd000010 | 0, 0x02440000, 0, 2, 0x0200, -15, 3, 0)).toBe(LEARN.refreshed);
    expect(table.learn6(1, 0xfd000010, 0x02440000, 0, 2, 0x0200, 0xfffffff2, 3, 0)).toBe(LEARN.moved);
    const index = table.lookup6(1, 0xfd000010, 0x02440000, 0, 2, 0);
    expect([table.macHi(index), table.macLo(index), table.port(index)]).toEqual([0x0200, 0xfffffff2, 3]);
    expect([table.moves, table.size]).toEqual([1, 1]);
  });

  it('keeps every word of an IPv6 address, and the families, apart', () => {
    // So many that each bucket has some; each is one bit of one word away from the first.
    const list: [number, number, number, number][] = [[0, 0, 0, 0x0a000001]];
    for (let word = 0; word < 4; word++) {
      for (let bit = 0; bit < 32; bit++) {
        const [first] = list;
        list.push(first.map((w, i) => (i === word ? w ^ (1 << bit) : w)) as typeof first);
      }
    }
    for (let seed = 0; seed < 50; seed++) {
      const table = new LearnedNeighbours({ capacity: 200, ports: 200, seed });
      for (const [port, address] of list.entries()) table.learn6(1, ...address, 0x0200, 1, port, 0);
      const ports = list.map((address) => table.port(table.lookup6(1, ...address, 0)));
      expect(ports).toEqual(list.map((_, port) => port));
      expect(list.filter(([, , , d]) => table.lookup4(1, d, 0) >= 0)).toEqual([]);
      expect(list.filter((address) => table.lookup6(2, ...address, 0) >= 0)).toEqual([]);
    }
  });

  it('lets no scan from one port push out what the others need', () => {
    const table = neighbours(64);
    for (let i = 0; i < 10; i++) table.learn4(1, 0x0a000000 + i, 0x0200, i, 0, 0);
    for (let i = 0; i < 10_000; i++) table.learn6(1, 0xfd000000, i, 0, i, 0x0666, i, 1, 1);
    for (let i = 0; i < 10; i++) expect(table.port(table.lookup4(1, 0x0a000000 + i, 1))).toBe(0);
    expect([table.size, table.countOf(1)]).toEqual([64, 54]);
  });
});
