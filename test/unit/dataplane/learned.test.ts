import { describe, expect, it } from 'vitest';
import { LEARNED_AGE, LEARNED_CAPACITY } from '../../../src/dataplane/constants.js';
import { Counters } from '../../../src/dataplane/counters.js';
import { Learned } from '../../../src/dataplane/learned.js';

const [HI, LO] = [0x02aa, 0xc000_0001];

function setUp() {
  const counters = new Counters();
  return { counters, learned: new Learned(counters, 7) };
}

describe('Learned', () => {
  it('counts addresses that move', () => {
    const { counters, learned } = setUp();
    for (const port of [1, 1, 2, 2, 1]) learned.learnMac(0, 0, HI, LO, port, 0);
    expect(learned.lookupMac(0, 0, HI, LO, 0)).toBe(1);
    expect(counters.cycleCounter('movedAddresses')).toBe(2);
  });

  it('keeps domains and VLANs apart', () => {
    const { counters, learned } = setUp();
    learned.learnMac(0, 0, HI, LO, 1, 0);
    learned.learnMac(1, 0, HI, LO, 2, 0);
    learned.learnMac(0, 5, HI, LO, 3, 0);
    const found = [
      [0, 0],
      [1, 0],
      [0, 5],
      [1, 5],
    ].map(([domain, vlan]) => learned.lookupMac(domain, vlan, HI, LO, 0));
    expect(found).toEqual([1, 2, 3, -1]);
    expect(counters.cycleCounter('movedAddresses')).toBe(0);
  });

  it('takes an IPv6 neighbour from where its address lies', () => {
    const { learned } = setUp();
    const view = new DataView(new ArrayBuffer(20));
    const words = [0xfd00_0000, 0x8000_0001, 0xffff_ffff, 0xc000_0002];
    for (const [i, word] of words.entries()) view.setUint32(4 + 4 * i, word);
    learned.learnIpv6(2, view, 4, HI, LO, 9, 0);
    const { neighbours } = learned;
    const index = neighbours.lookup6(2, 0xfd00_0000, 0x8000_0001, 0xffff_ffff, 0xc000_0002, 0);
    expect([neighbours.port(index), neighbours.macHi(index), neighbours.macLo(index)]).toEqual([9, HI, LO]);
  });

  it('forgets everything that was learned behind a port', () => {
    const { learned } = setUp();
    learned.learnMac(0, 0, HI, LO, 1, 0);
    learned.learnMac(0, 0, HI, LO + 1, 2, 0);
    learned.learnIpv4(0, 0xc0a8_0001, HI, LO, 1, 0);
    learned.learnIpv4(0, 0xc0a8_0002, HI, LO + 1, 2, 0);
    learned.forgetPort(1);
    expect([learned.fdb.size, learned.neighbours.size]).toEqual([1, 1]);
    expect(learned.lookupMac(0, 0, HI, LO, 0)).toBe(-1);
    expect(learned.lookupMac(0, 0, HI, LO + 1, 0)).toBe(2);
  });

  it('holds no more than its capacity, and takes from whom has most', () => {
    const { learned } = setUp();
    learned.learnMac(0, 0, HI, 0, 1, 0);
    for (let i = 0; i < LEARNED_CAPACITY + 100; i++) learned.learnMac(0, 0, HI, 0x1000_0000 + i, 2, 1);
    expect(learned.fdb.size).toBe(LEARNED_CAPACITY);
    expect(learned.lookupMac(0, 0, HI, 0, 1)).toBe(1);
  });

  describe('sweep', () => {
    it('has nothing to wait for where nothing was learned', () => {
      expect(setUp().learned.sweep(5)).toBe(-1);
    });

    it('frees what has aged, a bounded number at a time', () => {
      const { learned } = setUp();
      for (let i = 0; i < 100; i++) learned.learnMac(0, 0, HI, i, 1, 0);
      learned.learnIpv4(0, 0xc0a8_0001, HI, LO, 1, 0);
      expect(learned.sweep(1)).toBe(1000);
      expect(learned.fdb.size).toBe(100);
      expect(learned.sweep(LEARNED_AGE)).toBe(1000);
      expect([learned.fdb.size, learned.neighbours.size]).toEqual([36, 0]);
      learned.sweep(LEARNED_AGE + 1000);
      expect(learned.fdb.size).toBe(0);
      expect(learned.sweep(LEARNED_AGE + 1001)).toBe(-1);
    });

    it('does nothing before its time, and says how long that is', () => {
      const { learned } = setUp();
      learned.learnMac(0, 0, HI, LO, 1, 0);
      learned.sweep(5000);
      expect(learned.sweep(5400)).toBe(600);
    });
  });
});
