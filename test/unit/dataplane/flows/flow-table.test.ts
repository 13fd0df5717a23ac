import { describe, expect, it } from 'vitest';
import { ENGINE, makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FLOW, TIMEOUTS } from '../../../../src/dataplane/flows/flow-states.js';
import { NOTHING, OPEN, TRACK } from '../../../../src/dataplane/flows/flow-table.js';
import { ACK, find, GRE, open, pass, rig, rows, SYN, TCP, UDP } from './flow-fixture.js';

/** Opens a TCP connection with its handshake. */
function connect(one: ReturnType<typeof rig>, n: number, port = 1, now = 0): void {
  expect(open(one, TCP, n, port, now, SYN)).toBeGreaterThan(0);
  for (const [way, flags] of [
    [0, SYN],
    [1, SYN | ACK],
    [0, ACK],
  ])
    expect(pass(one, TCP, n, way, now, flags, 1000, 1000)).toBe(TRACK.fine);
}

describe('FlowTable', () => {
  it('finds a flow from both sides, by its own zone, protocol, addresses and ports', () => {
    const one = rig(16);
    const handle = open(one, UDP, 1);
    expect([find(one, UDP, 1), find(one, UDP, 1, 0, 1)]).toEqual([handle, handle + 1]);
    const { table } = one;
    const others: [number, number, number, number, number][] = [
      [2, UDP, 0x0a000001, 0x0a090909, 0x9c400050],
      [1, TCP, 0x0a000001, 0x0a090909, 0x9c400050],
      [1, UDP, 0x0a000002, 0x0a090909, 0x9c400050],
      [1, UDP, 0x0a000001, 0x0a090908, 0x9c400050],
      [1, UDP, 0x0a000001, 0x0a090909, 0x9c400051],
    ];
    for (const words of others) expect(table.lookup4(...words, 0)).toBe(NOTHING);
  });

  it('finds the answers to a translated flow in their own zone', () => {
    const one = rig(16);
    const { table, original, reply } = one;
    original.setIpv4(1, TCP, 0x0a000001, 0x0a600001, 0x9c400050);
    // To 10.9.9.9:8080 instead, which answers in zone 5.
    reply.setIpv4(5, TCP, 0x0a090909, 0x0a000001, 0x1f909c40);
    const handle = table.open(original, reply, 1, SYN, 0);
    expect(table.lookup4(5, TCP, 0x0a090909, 0x0a000001, 0x1f909c40, 0)).toBe(handle + 1);
    expect(table.lookup4(1, TCP, 0x0a000001, 0x0a600001, 0x9c400050, 0)).toBe(handle);
    expect(table.lookup4(1, TCP, 0x0a600001, 0x0a000001, 0x00509c40, 0)).toBe(NOTHING);
  });

  it('tells IPv6 flows apart by every word of their addresses', () => {
    const one = rig(64);
    const { table, original, reply } = one;
    const view = new DataView(new ArrayBuffer(32));
    const put = (bit: number) => {
      for (let i = 0; i < 8; i++) view.setInt32(4 * i, i === bit ? 0x7fffffff : 0);
      original.setIpv6(1, UDP, view, 0, 0x00350035);
      reply.mirror(original, 2);
    };
    const handles = Array.from({ length: 8 }, (_, bit) => {
      put(bit);
      return table.open(original, reply, 1, 0, 0);
    });
    expect(new Set(handles).size).toBe(8);
    for (let bit = 0; bit < 8; bit++) {
      put(bit);
      expect([table.lookup(original, 0), table.lookup(reply, 0)]).toEqual([handles[bit], handles[bit] + 1]);
    }
    expect(rows(one)[0].original.source).toEqual([0x7fffffff, 0, 0, 0]);
  });

  it('finds who speaks to itself', () => {
    const { table, original, reply } = rig(4);
    original.setIpv4(1, 1, 0x0a000001, 0x0a000001, 0x00070007);
    reply.mirror(original, 1);
    const handle = table.open(original, reply, 1, 0, 0);
    expect(table.lookup(original, 0)).toBe(handle);
    table.end(handle, table.found.state);
    expect([table.lookup(original, 0), table.size]).toEqual([NOTHING, 0]);
  });

  it('refuses a tuple that another flow has, either way of it', () => {
    const one = rig(16);
    open(one, UDP, 1);
    expect(open(one, UDP, 1)).toBe(OPEN.clash);
    const { table, original, reply } = one;
    // What would answer to the first one's client under the same ports.
    original.setIpv4(1, UDP, 0x0a090909, 0x0a000001, 0x00509c40);
    reply.mirror(original, 3);
    expect(table.open(original, reply, 2, 0, 0)).toBe(OPEN.clash);
    original.setIpv4(1, UDP, 0x0a000099, 0x0a600001, 0x9c400050);
    reply.setIpv4(1, UDP, 0x0a090909, 0x0a000001, 0x00509c40);
    expect(table.open(original, reply, 2, 0, 0)).toBe(OPEN.clash);
    expect([table.size, table.count(ENGINE.CLASHES)]).toEqual([1, 3]);
    // Once it is over, the tuples are free, swept or not.
    expect(open(one, UDP, 1, 1, 30_000)).toBeGreaterThan(0);
    expect([table.size, table.count(ENGINE.EXPIRED)]).toEqual([1, 1]);
  });

  it('keeps a decision until the generation is another', () => {
    const one = rig(16);
    const { table } = one;
    table.generation = 5;
    const handle = open(one, UDP, 1);
    expect([table.found.isStale, table.found.kind]).toEqual([true, 0]);
    expect(table.decide(handle, table.found.state, 3, -7, 9, 5)).toBe(true);
    for (const way of [0, 1]) {
      expect(find(one, UDP, 1, 0, way)).toBe(handle + way);
      expect(table.found).toMatchObject({ kind: 3, target: -7, argument: 9, isStale: false });
    }
    table.generation = 6;
    find(one, UDP, 1);
    expect(table.found).toMatchObject({ kind: 3, isStale: true });
  });

  it('does nothing to a flow that took the place of the one that was looked up', () => {
    const one = rig(1, { quota: 1 });
    const { table } = one;
    const handle = open(one, UDP, 1);
    const { state } = table.found;
    expect(open(one, UDP, 2)).toBe(handle);
    expect(table.track(handle, state, 0, 0, 0, 1, 1, 0)).toBe(TRACK.gone);
    expect(table.decide(handle, state, 1, 1, 1, 0)).toBe(false);
    table.end(handle, state);
    find(one, UDP, 2);
    expect([table.size, table.found.isStale]).toEqual([1, true]);
    expect(rows(one)[0]).toMatchObject({ original: { source: [0x0a000002], packets: 0 } });
  });

  it('counts packets and bytes of each way', () => {
    const one = rig(4);
    open(one, UDP, 1, 6, 50);
    for (let i = 0; i < 3; i++) pass(one, UDP, 1, 0, 100);
    pass(one, UDP, 1, 1, 400);
    expect(rows(one, 1000)).toMatchObject([
      {
        protocol: UDP,
        state: FLOW.UDP,
        isReplied: true,
        isAssured: false,
        port: 6,
        age: 950,
        idle: 600,
        original: {
          packets: 3,
          bytes: 300,
          source: [0x0a000001],
          sourcePort: 40000,
          destinationPort: 80,
          zone: 1,
        },
        reply: { packets: 1, bytes: 100, destination: [0x0a000001], sourcePort: 80 },
      },
    ]);
  });

  it.each([
    ['UDP, unanswered', UDP, [], TIMEOUTS.UDP],
    ['UDP, answered', UDP, [[1, 10]], TIMEOUTS.UDP],
    [
      'UDP, a stream',
      UDP,
      [
        [1, 10],
        [0, 2500],
      ],
      TIMEOUTS.UDP_STREAM,
    ],
    [
      'ICMP',
      1,
      [
        [1, 10],
        [0, 2500],
      ],
      TIMEOUTS.ICMP,
    ],
    ['SCTP, unanswered', 132, [], TIMEOUTS.SCTP_OPENING],
    ['SCTP', 132, [[1, 10]], TIMEOUTS.SCTP],
    ['another protocol', GRE, [[0, 10]], TIMEOUTS.OTHER],
  ] as [string, number, number[][], number][])('forgets %s in its time', (_, protocol, packets, seconds) => {
    const one = rig(4);
    const begin = 2 ** 32 - 1000;
    open(one, protocol, 1, 1, begin);
    let last = begin;
    for (const [way, at] of packets) {
      last = begin + at;
      expect(pass(one, protocol, 1, way, last)).toBe(TRACK.fine);
    }
    const due = last + seconds * 1000;
    expect([find(one, protocol, 1, due - 1), one.table.sweep(due - 1, 10)]).toEqual([2, 0]);
    expect([find(one, protocol, 1, due), find(one, protocol, 1, due, 1)]).toEqual([NOTHING, NOTHING]);
    expect([one.table.sweep(due, 10), one.table.size]).toEqual([1, 0]);
  });

  it('lives by packets of either way', () => {
    const one = rig(4);
    open(one, GRE, 1);
    for (let at = 0; at < 3_000_000; at += 599_000) expect(pass(one, GRE, 1, 1, at)).toBe(TRACK.fine);
    expect(find(one, GRE, 1, 2_996_000, 0)).toBe(2);
  });

  it('sweeps in steps, and frees no more than it looked at', () => {
    const one = rig(100, { quota: 100 });
    for (let n = 0; n < 100; n++) open(one, n % 2 === 0 ? UDP : GRE, n);
    const freed = Array.from({ length: 25 }, () => one.table.sweep(60_000, 4));
    expect(freed).toEqual(freed.map(() => 2));
    expect([one.table.size, one.table.sweep(60_000, 1000)]).toEqual([50, 0]);
    for (let n = 0; n < 100; n++) expect(find(one, n % 2 === 0 ? UDP : GRE, n, 60_000) > 0).toBe(n % 2 === 1);
  });

  it('ends the flows of a port that is gone, in steps', () => {
    const one = rig(16);
    for (let n = 0; n < 6; n++) open(one, UDP, n, n % 3);
    expect([one.table.forgetPort(1, 1), one.table.forgetPort(1, 5), one.table.forgetPort(1, 5)]).toEqual([
      1, 1, 0,
    ]);
    expect([one.table.size, one.table.countOf(1), one.table.countOf(2)]).toEqual([4, 0, 2]);
    expect(find(one, UDP, 1)).toBe(NOTHING);
  });

  it('refuses a port out of range, and a packet that begins nothing', () => {
    const one = rig(4);
    expect([open(one, UDP, 1, 8), open(one, UDP, 1, -1)]).toEqual([OPEN.refused, OPEN.refused]);
    expect(open(one, TCP, 1, 1, 0, SYN | ACK)).toBe(OPEN.invalid);
    expect(one.table.size).toBe(0);
  });

  it.each([
    [() => makeFlowMemory(0, 1, 0)],
    [() => makeFlowMemory(2 ** 25, 1, 0)],
    [() => makeFlowMemory(8, 17, 0)],
    [() => rig(8, { own: 1 })],
    [() => rig(8, { ports: 0 })],
    [() => rig(8, { quota: 9 })],
  ])('refuses bounds that cannot be: %s', (make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'TABLE_INVALID' }));
  });
});

describe('a full table', () => {
  it('lets a flood of SYNs displace itself, and connections live on', () => {
    const one = rig(1000, { quota: 900 });
    for (let n = 0; n < 500; n++) connect(one, n, n % 4);
    for (let n = 10_000; n < 60_000; n++) open(one, TCP, n, 5, 10, SYN);
    for (let n = 0; n < 500; n++) expect(find(one, TCP, n, 20)).toBeGreaterThan(0);
    // And others still connect in the middle of it.
    for (let n = 500; n < 600; n++) {
      connect(one, n, 6, 20);
      for (let more = 0; more < 50; more++) open(one, TCP, 100_000 + 50 * n + more, 5, 20, SYN);
    }
    for (let n = 0; n < 600; n++) expect(find(one, TCP, n, 30)).toBeGreaterThan(0);
    expect([one.table.size, one.table.countOf(5)]).toEqual([1000, 400]);
  });

  it('holds a port to its quota, at the cost of its own flows', () => {
    const one = rig(100, { quota: 10 });
    connect(one, 500, 2);
    for (let n = 0; n < 50; n++) connect(one, n, 1, n);
    expect([one.table.countOf(1), one.table.countOf(2), one.table.size]).toEqual([10, 1, 11]);
    one.table.setQuota(1, 20);
    for (let n = 50; n < 80; n++) connect(one, n, 1, n);
    expect(one.table.countOf(1)).toBe(20);
    expect(find(one, TCP, 500, 90)).toBeGreaterThan(0);
  });

  it('of connections, gives up one unused for long, of the port that has most', () => {
    const one = rig(256, { quota: 256 });
    for (let n = 0; n < 200; n++) connect(one, n, 1);
    for (let n = 200; n < 256; n++) connect(one, n, 2);
    // Half of the larger port's are in use.
    for (let n = 0; n < 200; n += 2) pass(one, TCP, n, 1, 1000, ACK, 0, 2000);
    for (let n = 300; n < 340; n++) connect(one, n, 3, 2000);
    for (let n = 200; n < 256; n++) expect(find(one, TCP, n, 2000)).toBeGreaterThan(0);
    for (let n = 300; n < 340; n++) expect(find(one, TCP, n, 2000)).toBeGreaterThan(0);
    for (let n = 0; n < 200; n += 2) expect(find(one, TCP, n, 2000)).toBeGreaterThan(0);
    expect(one.table.countOf(1)).toBe(160);
  });

  it('lets handshakes finish where all else is connections', () => {
    const one = rig(128, { quota: 128 });
    for (let n = 0; n < 128; n++) connect(one, n, 1);
    // Two at a time: neither's first packet displaces the other's.
    for (let n = 200; n < 260; n += 2) {
      open(one, TCP, n, 2, 10, SYN);
      open(one, TCP, n + 1, 3, 10, SYN);
      expect([find(one, TCP, n, 10) > 0, find(one, TCP, n + 1, 10) > 0]).toEqual([true, true]);
    }
  });

  it('uses every entry, and finds every flow, both ways', () => {
    const one = rig(20_000, { quota: 20_000 });
    for (let n = 0; n < 20_000; n++) expect(open(one, UDP, n, 1)).toBeGreaterThan(0);
    let found = 0;
    for (let n = 0; n < 20_000; n++) if (find(one, UDP, n) + 1 === find(one, UDP, n, 0, 1)) found++;
    expect([found, one.table.size, one.table.count(ENGINE.REFUSED)]).toEqual([20_000, 20_000, 0]);
    expect(one.reader.count(ENGINE.SIZE)).toBe(20_000);
  });
});

describe('several engines', () => {
  const pair = () => {
    const memory = makeFlowMemory(20, 2, 3);
    return [rig(0, { memory, own: 0 }), rig(0, { memory, own: 1 })] as const;
  };

  it('find, count, move and decide about one flow, whoever opened it', () => {
    const [a, b] = pair();
    open(a, TCP, 1, 1, 0, SYN);
    pass(a, TCP, 1, 0, 0, SYN, 100, 0);
    expect(pass(b, TCP, 1, 1, 0, SYN | ACK, 500, 101)).toBe(TRACK.fine);
    expect(pass(a, TCP, 1, 0, 0, ACK, 101, 501)).toBe(TRACK.fine);
    const handle = find(b, TCP, 1, 0, 1);
    expect(b.table.decide(handle, b.table.found.state, 4, 5, 6, 0)).toBe(true);
    find(a, TCP, 1);
    expect(a.table.found).toMatchObject({ kind: 4, target: 5, argument: 6, isStale: false });
    expect(rows(b)).toMatchObject([
      { state: FLOW.ESTABLISHED, original: { packets: 2 }, reply: { packets: 1 } },
    ]);
    expect([a.table.size, b.table.size]).toEqual([1, 0]);
  });

  it('refuse what another has; what another ends is free after the sweep of its owner', () => {
    const [a, b] = pair();
    open(a, UDP, 1);
    expect(open(b, UDP, 1)).toBe(OPEN.clash);
    const handle = find(b, UDP, 1);
    b.table.end(handle, b.table.found.state);
    expect([find(a, UDP, 1), a.table.size]).toEqual([NOTHING, 1]);
    expect(open(b, UDP, 1)).toBeGreaterThan(0);
    expect([a.table.sweep(0, 100), a.table.size, b.table.size]).toEqual([1, 0, 1]);
    expect(find(a, UDP, 1)).toBe(find(b, UDP, 1));
  });

  it('free what another has ended, though its clock is ahead', () => {
    const [a, b] = pair();
    open(a, UDP, 1);
    pass(b, UDP, 1, 1, 5000);
    const handle = find(b, UDP, 1, 5000);
    b.table.end(handle, b.table.found.state);
    expect([a.table.sweep(0, 100), a.table.size]).toEqual([1, 0]);
  });

  it('keep a connection whose handshake another engine saw the end of', () => {
    const [a, b] = pair();
    for (let n = 0; n < 4; n++) {
      open(a, GRE, n, 1);
      pass(b, GRE, n, 1);
    }
    for (let n = 10; n < 60; n++) open(a, UDP, n, 2);
    for (let n = 0; n < 4; n++) expect(find(a, GRE, n)).toBeGreaterThan(0);
  });
});
