// Ports 0 to 2 are in domain 0, ports 3 to 5 in domain 1, all unguarded; both domains learn.
import { describe, expect, it } from 'vitest';
import { LEARNED_AGE, LEARNED_CAPACITY } from '../../../src/dataplane/constants.js';
import { Counters } from '../../../src/dataplane/counters.js';
import { makeGossipRings } from '../../../src/dataplane/gossip.js';
import { GossipRing, RECORDS } from '../../../src/dataplane/gossip-ring.js';
import { Learned } from '../../../src/dataplane/learned.js';
import { REPEAT } from '../../../src/dataplane/learned-sharing.js';
import type { Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables, Tables } from '../../../src/dataplane/tables.js';
import { networks } from '../../support/snapshots.js';

const SNAPSHOT = networks({ ports: [3, 3], guard: false, learning: true });
const [HI, LO] = [0x02aa, 0xc000_0001 | 0];
const IPV4 = 0xc0a8_0001 | 0;
const IPV6 = [0xfd00_0000, 0x8000_0001, 0xffff_ffff, 0xc000_0002];

class Member {
  readonly counters = new Counters();
  readonly learned: Learned;

  constructor(
    private readonly own: number,
    private readonly rings: SharedArrayBuffer[][],
    seed: number,
  ) {
    this.learned = new Learned(this.counters, seed, { own, rings });
    this.swap(SNAPSHOT);
  }

  /** As an engine does it. */
  swap(snapshot: Snapshot): void {
    this.learned.listen(0);
    this.learned.swap(Tables.from(compileTables(snapshot)));
  }

  learn(port: number, now = 0, lo = LO): void {
    this.learned.learnMac(0, 0, HI, lo, port, now);
  }

  /** Where it would send to the address, after it has listened. */
  port(now = 0, lo = LO): number {
    this.learned.listen(now);
    return this.learned.lookupMac(0, 0, HI, lo, now);
  }

  /** How many messages wait for it: it hears them. */
  messages(): number {
    const { own, rings } = this;
    const waiting = rings.map((row, from) => (from === own ? 0 : new GossipRing(row[own]).waiting));
    this.learned.listen(0);
    return waiting.reduce((sum, count) => sum + count, 0);
  }
}

/** Each hashes under a key of its own, as nothing may depend on the hash. */
function members(count: number): Member[] {
  const rings = makeGossipRings(count);
  return rings.map((_, own) => new Member(own, rings, own));
}

function without(snapshot: Snapshot, port: number): Snapshot {
  const ports = snapshot.ports.filter(({ id }) => id !== port);
  return { ...snapshot, ports, neighbours: [] };
}

function ipv6View(): DataView {
  const view = new DataView(new ArrayBuffer(16));
  for (const [i, word] of IPV6.entries()) view.setUint32(4 * i, word);
  return view;
}

describe('sharing what was learned', () => {
  it('tells a MAC address, with its domain and VLAN', () => {
    const [a, b, c] = members(3);
    a.learned.learnMac(1, 4095, 0xfffe, -2, 5, 0);
    for (const { learned } of [b, c]) {
      learned.listen(0);
      expect(learned.lookupMac(1, 4095, 0xfffe, -2, 0)).toBe(5);
      expect([learned.lookupMac(0, 4095, 0xfffe, -2, 0), learned.lookupMac(1, 0, 0xfffe, -2, 0)]).toEqual([
        -1, -1,
      ]);
    }
  });

  it('tells an IPv4 and an IPv6 neighbour', () => {
    const [a, b] = members(2);
    a.learned.learnIpv4(0, IPV4, HI, LO, 1, 0);
    a.learned.learnIpv6(1, ipv6View(), 0, HI + 1, -1, 4, 0);
    b.learned.listen(0);
    const { neighbours } = b.learned;
    const found = [
      neighbours.lookup4(0, IPV4, 0),
      neighbours.lookup6(1, IPV6[0], IPV6[1], IPV6[2], IPV6[3], 0),
    ];
    expect(found.map((at) => [neighbours.macHi(at), neighbours.macLo(at) | 0, neighbours.port(at)])).toEqual([
      [HI, LO, 1],
      [HI + 1, -1, 4],
    ]);
    expect(neighbours.size).toBe(2);
  });

  it('tells that a neighbour has another MAC address', () => {
    const [a, b] = members(2);
    for (const lo of [5, 6]) a.learned.learnIpv4(0, IPV4, HI, lo, 1, 0);
    b.learned.listen(0);
    expect(b.learned.neighbours.macLo(b.learned.neighbours.lookup4(0, IPV4, 0))).toBe(6);
  });

  it('does not tell on what it was told', () => {
    const [a, b, c] = members(3);
    a.learn(1);
    b.port();
    expect(c.messages()).toBe(1);
    expect(a.messages()).toBe(0);
  });

  it('costs nothing where an engine is alone', () => {
    const counters = new Counters();
    const learned = new Learned(counters, 1);
    learned.swap(Tables.from(compileTables(SNAPSHOT)));
    learned.listen(0);
    expect(learned.sweep(0)).toBe(-1);
  });

  describe('an address that moves', () => {
    it('is where it was heard last, at all', () => {
      const all = members(3);
      const [a, b] = all;
      a.learn(1);
      expect(all.map((one) => one.port())).toEqual([1, 1, 1]);
      b.learn(2);
      expect(all.map((one) => one.port())).toEqual([2, 2, 2]);
      a.learn(1);
      expect(all.map((one) => one.port())).toEqual([1, 1, 1]);
    });

    it('is counted where it was heard', () => {
      const [a, b] = members(2);
      a.learn(1);
      b.port();
      b.learn(2);
      a.port();
      expect([a, b].map(({ counters }) => counters.cycleCounter('movedAddresses'))).toEqual([0, 1]);
    });

    it.each([
      ['first', 0, 1],
      ['last', 1, 0],
    ])(
      'ends at one port where two hear it at the same time, the later one’s message read %s',
      (_, first, second) => {
        const all = members(4);
        const talkers = [all[0], all[1]];
        talkers[first].learn(1);
        talkers[second].learn(2);
        expect(all.map((one) => one.port())).toEqual([2, 2, 2, 2]);
        // It lives behind port 1 after all: the next packet tells everyone.
        talkers[first].learn(1);
        expect(all.map((one) => one.port())).toEqual([1, 1, 1, 1]);
      },
    );

    it('ends at one port as a neighbour, too', () => {
      const all = members(4);
      const [a, b] = all;
      b.learned.learnIpv4(0, IPV4, HI, LO, 1, 0);
      b.learned.learnIpv6(1, ipv6View(), 0, HI, LO, 4, 0);
      a.learned.learnIpv4(0, IPV4, HI, LO + 1, 2, 0);
      a.learned.learnIpv6(1, ipv6View(), 0, HI, LO + 1, 5, 0);
      const found = all.map(({ learned }) => {
        learned.listen(0);
        const { neighbours } = learned;
        const at = [
          neighbours.lookup4(0, IPV4, 0),
          neighbours.lookup6(1, IPV6[0], IPV6[1], IPV6[2], IPV6[3], 0),
        ];
        return at.map((entry) => [neighbours.port(entry), neighbours.macLo(entry) | 0]);
      });
      expect(found).toEqual(
        all.map(() => [
          [2, LO + 1],
          [5, LO + 1],
        ]),
      );
    });

    it('causes no more messages than packets', () => {
      const [a, b, c] = members(3);
      for (let i = 0; i < 100; i++) {
        a.learned.listen(0);
        a.learn(1);
        b.learned.listen(0);
        b.learn(2);
      }
      expect(c.messages()).toBe(200);
      for (const one of [a, b, c]) one.learned.listen(0);
      expect([a, b, c].map((one) => one.messages())).toEqual([0, 0, 0]);
    });
  });

  describe('ageing', () => {
    it('needs no message for each packet', () => {
      const [a, b] = members(2);
      for (let now = 0; now < REPEAT; now += 10) a.learn(1, now);
      expect(b.messages()).toBe(1);
      a.learn(1, REPEAT);
      expect(b.messages()).toBe(1);
    });

    it('leaves an address alone that is in use at another', () => {
      const [a, b] = members(2);
      for (let now = 0; now < 4 * LEARNED_AGE; now += 1000) {
        a.learn(1, now);
        a.learned.sweep(now);
        expect(b.port(now)).toBe(1);
        b.learned.sweep(now);
      }
      const end = 4 * LEARNED_AGE;
      expect(b.port(end - 1000 + LEARNED_AGE - REPEAT)).toBe(1);
      expect(b.port(end - 1000 + LEARNED_AGE)).toBe(-1);
    });

    it('is told again after it has aged out', () => {
      const [a, b] = members(2);
      a.learn(1);
      expect(b.port()).toBe(1);
      a.learn(1, LEARNED_AGE);
      expect(b.port(LEARNED_AGE)).toBe(1);
    });

    it('goes by a clock that wraps', () => {
      const [a, b] = members(2);
      const start = 2 ** 32 - 500;
      a.learn(1, start);
      expect(b.port(start)).toBe(1);
      a.learn(1, start + REPEAT);
      expect(b.port(start + REPEAT)).toBe(1);
      expect(b.port(start + LEARNED_AGE + 1)).toBe(1);
    });

    it('wakes an engine that has nothing to do, where something may be told', () => {
      const [a] = members(2);
      expect(a.learned.sweep(5)).toBe(1000);
      a.swap(networks({ ports: [3], guard: false }));
      expect(a.learned.sweep(2000)).toBe(-1);
    });
  });

  describe('a full ring', () => {
    /** Fills the rings of `from` with addresses that nobody asks for. */
    function fill(from: Member, now = 0): void {
      for (let i = 0; i < RECORDS; i++) from.learn(0, now, i);
    }

    it('is counted, and what it refused is told by the next sweep', () => {
      const [a, b, c] = members(3);
      fill(a);
      c.port();
      a.learn(1);
      expect(a.counters.cycleCounter('unsharedAddresses')).toBe(1);
      expect([b.port(), c.port()]).toEqual([-1, 1]);
      a.learned.sweep(1000);
      expect(b.port(1000)).toBe(1);
      expect([b.messages(), c.messages()]).toEqual([0, 0]);
    });

    it('delays a move, of which no second packet comes', () => {
      const [a, b] = members(2);
      a.learn(1);
      expect(b.port()).toBe(1);
      fill(a);
      a.learn(2);
      expect(b.port()).toBe(1);
      a.learned.sweep(1000);
      expect(b.port(1000)).toBe(2);
    });

    it('delays neighbours no longer', () => {
      const [a, b] = members(2);
      fill(a);
      a.learned.learnIpv4(0, IPV4, HI, LO, 1, 0);
      a.learned.learnIpv6(1, ipv6View(), 0, HI, LO, 4, 0);
      b.learned.listen(0);
      expect(b.learned.neighbours.size).toBe(0);
      a.learned.sweep(1000);
      b.learned.listen(1000);
      const { neighbours } = b.learned;
      const found = [
        neighbours.lookup4(0, IPV4, 1000),
        neighbours.lookup6(1, IPV6[0], IPV6[1], IPV6[2], IPV6[3], 1000),
      ];
      expect(found.map((at) => neighbours.port(at))).toEqual([1, 4]);
    });

    it('is filled again and again until all is told, half of it left to news', () => {
      const [a, b] = members(2);
      const count = 4 * RECORDS;
      for (let i = 0; i < count; i++) a.learn(1, 0, i);
      expect(a.counters.cycleCounter('unsharedAddresses')).toBe(count - RECORDS);
      b.learned.listen(0);
      let sweeps = 0;
      for (; b.learned.fdb.size < count; sweeps++) {
        expect(sweeps).toBeLessThan(10);
        a.learned.sweep(1000 * (sweeps + 1));
        a.learn(1, 1000 * (sweeps + 1), LO + sweeps);
        expect(b.port(0, LO + sweeps)).toBe(1);
      }
      expect(sweeps).toBe(6);
    });

    it('tells no older story than what has happened since', () => {
      const [a, b, c] = members(3);
      fill(a);
      a.learn(1);
      b.learn(2);
      // c knows of the second place, and hears of the first, older one afterwards.
      expect(c.port()).toBe(2);
      a.learned.sweep(1000);
      expect([a, b, c].map((one) => one.port(1000))).toEqual([2, 2, 2]);
    });

    it('tells how old the news is', () => {
      const [a, b] = members(2);
      fill(a);
      a.learn(1);
      b.learned.listen(0);
      a.learned.sweep(200_000);
      expect(b.port(200_001)).toBe(1);
      expect(b.port(LEARNED_AGE)).toBe(1);
      expect(b.port(LEARNED_AGE + 1)).toBe(-1);
    });

    it('leaves it to who has heard the address since', () => {
      const [a, b, c] = members(3);
      fill(a);
      a.learn(1);
      b.learn(2);
      for (const one of [a, b, c]) one.port();
      a.learned.sweep(1000);
      expect([b.messages(), c.messages()]).toEqual([0, 0]);
    });

    it('tells nothing that was forgotten meanwhile', () => {
      const [a, b] = members(2);
      fill(a);
      a.learn(1);
      a.learned.forgetPort(1);
      b.learned.listen(0);
      a.learned.sweep(1000);
      expect(b.port(1000)).toBe(-1);
    });

    it('bounds what is held, whatever is told', () => {
      const [a, b] = members(2);
      for (let i = 0; i < LEARNED_CAPACITY + 5000; i++) {
        a.learn(1, 0, i);
        if (i % RECORDS === 0) b.learned.listen(0);
      }
      b.learn(2, 1, LO);
      for (let now = 1000; now < 60_000; now += 1000) {
        a.learned.sweep(now);
        b.learned.listen(now);
      }
      expect(b.learned.fdb.size).toBe(LEARNED_CAPACITY);
      expect(b.port(60_000)).toBe(2);
    });
  });

  describe('a snapshot', () => {
    /** Has `a` hear the same as before, a MAC and an address of either family, under the snapshot: how often it tells. */
    function toldAfter(...snapshots: Snapshot[]): number {
      const [a, b] = members(2);
      const hear = () => {
        a.learn(1);
        a.learned.learnIpv4(0, IPV4, HI, LO, 1, 0);
        a.learned.learnIpv6(0, ipv6View(), 0, HI, LO, 1, 0);
      };
      hear();
      b.messages();
      for (const snapshot of snapshots) a.swap(snapshot);
      hear();
      hear();
      return b.messages();
    }

    it.each([
      ['takes a port away', [without(SNAPSHOT, 2)]],
      ['moves one to another domain', [networks({ ports: [2, 4], guard: false, learning: true })]],
      ['is the second after one that took a port away', [without(SNAPSHOT, 2), SNAPSHOT]],
      ['has it not learn, as the one before', [networks({ ports: [3, 3], guard: false }), SNAPSHOT]],
    ])('has each address told once more, as others may have forgotten it, where it %s', (_, snapshots) => {
      expect(toldAfter(...snapshots)).toBe(3);
    });

    it.each([
      ['changes nothing', { ...SNAPSHOT, generation: 2 }],
      ['adds a port', networks({ ports: [3, 4], guard: false, learning: true })],
    ])('tells nothing anew where it %s', (_, snapshot) => {
      expect(toldAfter(snapshot)).toBe(0);
    });

    it('has all told that met a full ring at who forgets it', () => {
      const [a, b] = members(2);
      a.learn(1);
      expect(b.port()).toBe(1);
      for (let i = 0; i < RECORDS; i++) b.learn(0, 0, i);
      b.learn(2);
      for (const one of [a, b]) one.swap({ ...without(SNAPSHOT, 2), generation: 2 });
      b.learned.forgetPort(2);
      expect([a.port(), b.port()]).toEqual([1, -1]);
      a.learn(1);
      expect([a.port(), b.port()]).toEqual([1, 1]);
    });
  });

  describe('messages that say nothing any more', () => {
    it.each([
      ['of a closed port', without(SNAPSHOT, 1)],
      ['of a port in another domain', networks({ ports: [1, 3], guard: false, learning: true })],
      ['in a domain that does not learn', networks({ ports: [3, 3], guard: false })],
      ['where there are no ports', { ...networks({ ports: [] }), generation: 1 }],
    ])('are put aside: %s', (_, snapshot) => {
      const [a, b] = members(2);
      b.swap(snapshot);
      a.learn(1);
      expect(b.port()).toBe(-1);
      b.swap(SNAPSHOT);
      expect(b.port()).toBe(-1);
    });

    it('wait for the snapshot that they belong to', () => {
      const [a, b] = members(2);
      b.swap({ ...without(SNAPSHOT, 1), generation: 2 });
      a.swap({ ...SNAPSHOT, generation: 3 });
      a.learn(1);
      expect(b.port()).toBe(-1);
      b.swap({ ...SNAPSHOT, generation: 3 });
      expect(b.port()).toBe(1);
    });

    it('are heard while the sender lags behind', () => {
      const [a, b] = members(2);
      b.swap({ ...SNAPSHOT, generation: 2 });
      a.learn(1);
      expect(b.port()).toBe(1);
    });
  });
});
