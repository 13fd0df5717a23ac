import { describe, expect, it } from 'vitest';
import {
  ABOUT,
  aboutOf,
  Gossip,
  MAX_WORKERS,
  MESSAGE,
  makeGossipRings,
  portOf,
  vlanOf,
} from '../../../src/dataplane/gossip.js';
import { RECORDS } from '../../../src/dataplane/gossip-ring.js';

function setUp(workers: number): Gossip[] {
  const rings = makeGossipRings(workers);
  return rings.map((_, own) => new Gossip({ own, rings }));
}

/** A message of which only `lo` is of interest. */
function put(gossip: Gossip, lo: number, generation = 0): void {
  gossip.message[MESSAGE.LO] = lo;
  gossip.message[MESSAGE.GENERATION] = generation;
}

function heard(gossip: Gossip, generation = 0): number[] {
  const all: number[] = [];
  gossip.drain({ hear: (message) => void all.push(message[MESSAGE.LO]) }, generation);
  return all;
}

describe('makeGossipRings', () => {
  it.each([0, -1, MAX_WORKERS + 1, Number.NaN])('makes none for %s workers', (workers) => {
    expect(() => makeGossipRings(workers)).toThrow(RangeError);
  });

  it('makes what can be posted to a thread, a ring for each pair', () => {
    const rings = structuredClone(makeGossipRings(MAX_WORKERS));
    expect(new Set(rings.flat()).size).toBe(MAX_WORKERS ** 2);
    expect(rings.every((row, from) => row[from].byteLength === 4)).toBe(true);
  });
});

describe('Gossip', () => {
  it('keeps the parts of a subject apart', () => {
    const [gossip] = setUp(1);
    for (const [about, vlan, port] of [
      [ABOUT.IPV6, 0, 4095],
      [ABOUT.MAC, 4095, 0],
      [ABOUT.IPV4, 0xabc, 0x123],
    ]) {
      gossip.subject(about, vlan, port);
      const { message } = gossip;
      expect([aboutOf(message), vlanOf(message), portOf(message)]).toEqual([about, vlan, port]);
    }
  });

  it('tells those that it is to tell, and never itself', () => {
    const all = setUp(MAX_WORKERS);
    const last = MAX_WORKERS - 1;
    put(all[last], 1);
    expect(all[last].tell(all[last].others)).toBe(0);
    put(all[last], 2);
    expect(all[last].tell(0b100)).toBe(0);
    expect(all.map((gossip) => heard(gossip))).toEqual(
      all.map((_, index) => (index === last ? [] : index === 2 ? [1, 2] : [1])),
    );
  });

  it('hears each sender in order', () => {
    const [a, b, c] = setUp(3);
    for (const lo of [1, 2, 3]) {
      put(a, lo);
      a.tell(a.others);
      put(b, lo * 10);
      b.tell(b.others);
    }
    expect(heard(c)).toEqual([1, 2, 3, 10, 20, 30]);
    expect([heard(a), heard(b)]).toEqual([
      [10, 20, 30],
      [1, 2, 3],
    ]);
  });

  it('answers whose ring was full', () => {
    const [a, , c] = setUp(3);
    for (let i = 0; i < RECORDS; i++) expect(a.tell(0b010)).toBe(0);
    expect(a.tell(a.others)).toBe(0b010);
    expect(heard(c)).toHaveLength(1);
  });

  it('leaves half of a ring to news', () => {
    const [a, b] = setUp(2);
    let told = 0;
    while (a.repeat(0b10) === 0) told++;
    expect(told).toBe(RECORDS / 2);
    expect(a.tell(0b10)).toBe(0);
    expect(heard(b)).toHaveLength(RECORDS / 2 + 1);
  });

  it('has one order for all', () => {
    const [a, b, c] = setUp(3);
    expect([a, b, c, b, a].map((gossip) => gossip.nextOrder())).toEqual([1, 2, 3, 4, 5]);
  });

  it.each([
    ['', 6],
    [', past 2^31', 2 ** 31 - 1],
  ])('leaves what belongs to a later snapshot, and what came after it%s', (_, generation) => {
    const [a, b, c] = setUp(3);
    for (const [lo, later] of [
      [1, 0],
      [2, 1],
      [3, 0],
      [4, 2],
    ]) {
      put(a, lo, generation + later);
      a.tell(a.others);
    }
    put(c, 9, generation);
    c.tell(c.others);
    expect(heard(b, generation)).toEqual([1, 9]);
    expect(heard(b, generation)).toEqual([]);
    expect(heard(b, (generation + 1) | 0)).toEqual([2, 3]);
    expect(heard(b, (generation + 2) | 0)).toEqual([4]);
  });

  it('hears what waits at the beginning, not what comes meanwhile', () => {
    const [a, b] = setUp(2);
    put(a, 1);
    a.tell(0b10);
    let count = 0;
    const hear = () => {
      count++;
      a.tell(0b10);
    };
    b.drain({ hear }, 0);
    expect(count).toBe(1);
    b.drain({ hear }, 0);
    expect(count).toBe(2);
  });
});
