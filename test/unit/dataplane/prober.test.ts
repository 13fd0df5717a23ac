import { describe, expect, it } from 'vitest';
import { PeerStates } from '../../../src/dataplane/peer-states.js';
import { ProberFixture, peer, peer6, type Sent, snapshot, TUNNEL } from './prober-fixture.js';
import { hex } from './router-fixture.js';

/** The octets without those that chance decides: checksum and token. */
function withoutToken(bytes: Uint8Array, l4: number): string {
  const copy = bytes.slice();
  copy.fill(0, l4 + 2, l4 + 8);
  return hex(copy);
}

/** RFC 1071, the slow way. */
function onesSum(bytes: Iterable<number>): number {
  let sum = 0;
  let isHigh = true;
  for (const byte of bytes) {
    sum += isHigh ? byte << 8 : byte;
    isHigh = !isHigh;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Changes one octet of a packet; a negative place counts from its end. */
function put(at: number, value: number): (packet: Uint8Array) => void {
  return (packet) => packet.fill(value, at, at === -1 ? undefined : at + 1);
}

function flip(at: number): (packet: Uint8Array) => void {
  return (packet) => put(at, packet.at(at)! ^ 1)(packet);
}

describe('a probe', () => {
  it('is an echo request over IPv4 with a TTL of 1, from this node to the peer’s VTEP', () => {
    const [probe] = new ProberFixture([peer(5)]).sweep();
    expect(withoutToken(probe.bytes, 34)).toBe(
      '0200000000050270000000010800' + '45c0001c0000400001015ec80af400010a640501' + '0800000000000000',
    );
    expect(onesSum(probe.bytes.subarray(14, 34))).toBe(0xffff);
    expect(onesSum(probe.bytes.subarray(34))).toBe(0xffff);
    expect(probe).toMatchObject({ peer: 5, port: TUNNEL, domain: 0 });
  });

  it('is the same over IPv6', () => {
    const [probe] = new ProberFixture([peer6(5)]).sweep();
    expect(withoutToken(probe.bytes, 54)).toBe(
      '02000000000502700000000186dd' +
        '6c00000000083a01fd000010024400000000000000000001fd000010024400050000000000000001' +
        '8000000000000000',
    );
    const pseudo = [...probe.bytes.subarray(22, 54), 0, 0, 0, 8, 0, 0, 0, 58];
    expect(onesSum([...pseudo, ...probe.bytes.subarray(54)])).toBe(0xffff);
  });

  it('has a token that differs between probes, peers and seeds', () => {
    const tokens = [7, 8].flatMap((seed) =>
      new ProberFixture([peer(1), peer(2)], seed).run(3000).map(({ bytes }) => hex(bytes.subarray(38, 42))),
    );
    expect(tokens.length).toBeGreaterThan(20);
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('counts as originated, and its answer is not kept', () => {
    const fixture = new ProberFixture([peer(1)]);
    const [probe] = fixture.sweep();
    fixture.answer(probe);
    expect(fixture.counters.total('originated')).toBe(1);
    expect(fixture.pool.free).toBe(fixture.pool.capacity);
  });

  it('is not sent without a tunnel, an address to probe, or an address of that family of our own', () => {
    const fixture = new ProberFixture([peer(1, { probe: undefined })]);
    expect(fixture.prober.sweep(1000)).toBe(-1);
    fixture.swap({ ...snapshot([peer(1)]), tunnel: undefined });
    expect(fixture.prober.sweep(2000)).toBe(-1);
    const [domain] = snapshot([]).domains;
    fixture.swap(snapshot([peer(1), peer6(2)], { domains: [{ ...domain, gateways: ['fd00:10:244::1'] }] }));
    expect(new Set(fixture.run(4000).map((sent) => sent.peer))).toEqual(new Set([2]));
    fixture.swap(snapshot([peer(1), peer6(2)], { domains: [{ ...domain, gateways: ['10.244.0.1'] }] }));
    expect(new Set(fixture.run(6000).map((sent) => sent.peer))).toEqual(new Set([1]));
  });
});

describe.each([
  ['IPv4', peer],
  ['IPv6', peer6],
])('answers over %s', (_, make) => {
  it.each(['reply', 'exceeded'] as const)('a peer is up with its first answer: %s', (kind) => {
    const fixture = new ProberFixture([make(5)]);
    const { states } = fixture.prober;
    const [probe] = fixture.sweep();
    expect([states.state(5), states.rttMicros(5), states.lastAnswerMs(5)]).toEqual([
      'unknown',
      undefined,
      undefined,
    ]);
    fixture.now += 2.5;
    expect(fixture.answer(probe, { kind })).toBe(true);
    expect(fixture.events).toEqual(['5 up']);
    expect([states.state(5), states.isUp(5), states.rttMicros(5), states.lastAnswerMs(5)]).toEqual([
      'up',
      true,
      2500,
      1002.5,
    ]);
    expect([states.sent(5), states.answered(5)]).toEqual([1, 1]);
  });

  it('takes a Time Exceeded from any address of the peer, as routers choose one', () => {
    const fixture = new ProberFixture([make(5)]);
    const [probe] = fixture.sweep();
    const from = make === peer ? '10.100.5.0' : 'fd00:10:244:5::';
    expect(fixture.answer(probe, { kind: 'exceeded', from })).toBe(true);
  });

  it.each([
    ['a token that was never sent', { change: flip(-1) }],
    ['a quoted token that was never sent', { kind: 'exceeded', change: flip(-1) }],
    ['an echo reply from a pod of the peer', { from: make === peer ? '10.100.5.9' : 'fd00:10:244:5::9' }],
    ['another peer’s address', { from: make === peer ? '10.100.6.1' : 'fd00:10:244:6::1', kind: 'exceeded' }],
    ['an address that is no peer’s', { from: make === peer ? '192.0.2.1' : '2001:db8::1', kind: 'exceeded' }],
    ['Destination Unreachable', { kind: 'unreachable' }],
    ['an echo request', { kind: 'request' }],
    ['a pod’s port', { port: 1 }],
    ['another domain', { domain: 1 }],
    ['a code that is not 0', { change: put(make === peer ? 21 : 41, 1) }],
    ['reassembly that ran out of time', { kind: 'exceeded', change: put(make === peer ? 21 : 41, 1) }],
    ['a quote of something else', { kind: 'exceeded', change: put(make === peer ? 37 : 54, 17) }],
    ['a quote of a reply', { kind: 'exceeded', change: put(-8, make === peer ? 0 : 129) }],
    ['a quote to another address', { kind: 'exceeded', change: flip(-9) }],
    ['a quote of another IP version', { kind: 'exceeded', change: put(make === peer ? 28 : 48, 0x55) }],
  ] as const)('refuses %s', (__, options) => {
    const fixture = new ProberFixture([make(5), make(6)]);
    fixture.run(1200);
    const probe = fixture.run(1600).find((sent) => sent.peer === 5)!;
    expect(fixture.answer(probe, options)).toBe(false);
    expect(fixture.events).toEqual([]);
    expect(fixture.answer(probe, { kind: 'exceeded' })).toBe(true);
  });

  it('refuses a quote that is cut before the token ends', () => {
    const fixture = new ProberFixture([make(5)]);
    const [probe] = fixture.sweep();
    const cut = probe.bytes.subarray(0, probe.bytes.length - 1);
    expect(fixture.answer({ ...probe, bytes: cut }, { kind: 'exceeded' })).toBe(false);
    expect(fixture.answer(probe, { kind: 'exceeded' })).toBe(true);
  });

  it('counts an answer once, however often the underlay brings it', () => {
    const fixture = new ProberFixture([make(5)]);
    const [probe] = fixture.sweep();
    expect([
      fixture.answer(probe),
      fixture.answer(probe),
      fixture.answer(probe, { kind: 'exceeded' }),
    ]).toEqual([true, false, false]);
    expect(fixture.prober.states.answered(5)).toBe(1);
  });
});

describe('time', () => {
  function times(sent: readonly Sent[]): number[] {
    return sent.map((one) => one.at);
  }

  it('probes a peer that is not up four times a second for three seconds, then once', () => {
    const sent = times(new ProberFixture([peer(1)]).run(10_000));
    const gaps = sent.slice(1).map((at, i) => at - sent[i]);
    expect(gaps.slice(0, 12).every((gap) => gap >= 218 && gap <= 251)).toBe(true);
    expect(gaps.slice(12).every((gap) => gap >= 874 && gap <= 1001)).toBe(true);
    expect(gaps.length).toBeGreaterThan(16);
  });

  it('probes a peer that is up once a second', () => {
    const fixture = new ProberFixture([peer(1)]);
    const sent = times(fixture.run(20_000, (probe) => fixture.answer(probe)));
    const gaps = sent.slice(2).map((at, i) => at - sent[i + 1]);
    expect(gaps.every((gap) => gap >= 874 && gap <= 1001)).toBe(true);
    expect(fixture.events).toEqual(['1 up']);
  });

  it('declares a peer down after three unanswered probes, within 3 s, and up again with the next answer', () => {
    const fixture = new ProberFixture([peer(1)]);
    fixture.run(5000, (probe) => fixture.answer(probe));
    const last = fixture.prober.states.lastAnswerMs(1)!;
    fixture.run(last + 2600);
    expect(fixture.events).toEqual(['1 up']);
    fixture.run(last + 4100);
    expect(fixture.events).toEqual(['1 up', '1 down']);
    expect(fixture.prober.states.state(1)).toBe('down');
    fixture.run(fixture.now + 1001, (probe) => fixture.answer(probe));
    expect(fixture.events).toEqual(['1 up', '1 down', '1 up']);
  });

  it('tells once that a peer which was never up does not answer', () => {
    const fixture = new ProberFixture([peer(1)]);
    fixture.run(60_000);
    expect(fixture.events).toEqual(['1 down']);
  });

  it('forgives two in a row', () => {
    const fixture = new ProberFixture([peer(1)]);
    let count = 0;
    fixture.run(60_000, (probe) => count++ % 3 === 0 && fixture.answer(probe));
    expect(count).toBeGreaterThan(50);
    expect(fixture.events).toEqual(['1 up']);
  });

  it('counts an answer that is late by up to three probes, but measures nothing by it', () => {
    const fixture = new ProberFixture([peer(1)]);
    const sent = fixture.run(1740).slice(0, 4);
    fixture.now = sent[3].at;
    expect(fixture.answer(sent[0])).toBe(true);
    expect(fixture.prober.states.rttMicros(1)).toBe(undefined);
    const more = fixture.run(6200);
    expect(fixture.answer(more[more.length - 5])).toBe(false);
    expect(fixture.answer(more[more.length - 4])).toBe(true);
  });

  it('smooths round-trip times as RFC 6298 does', () => {
    const fixture = new ProberFixture([peer(1)]);
    const { states } = fixture.prober;
    const [first] = fixture.sweep();
    fixture.now += 8;
    fixture.answer(first);
    const [second] = fixture.run(fixture.now + 300).slice(-1);
    const late = fixture.now - second.at;
    fixture.answer(second);
    expect(states.lastRttMicros(1)).toBeCloseTo(late * 1000, 6);
    expect(states.rttMicros(1)).toBeCloseTo(8000 + (late * 1000 - 8000) / 8, 6);
  });

  it('judges nobody when the process stood still, but asks afresh', () => {
    const peers = Array.from({ length: 50 }, (_, i) => peer(i));
    const fixture = new ProberFixture(peers);
    fixture.run(5000, (probe) => fixture.answer(probe));
    fixture.events.length = 0;
    // Two probes go unanswered, and then nothing runs for a minute.
    fixture.run(7200);
    fixture.now += 60_000;
    const first = fixture.now;
    const sent = fixture.run(first + 500);
    expect(fixture.events).toEqual([]);
    expect(new Set(sent.map((probe) => probe.peer)).size).toBe(50);
    for (const probe of sent) fixture.answer(probe);
    fixture.run(first + 10_000, (probe) => fixture.answer(probe));
    expect(fixture.events).toEqual([]);
    fixture.now += 60_000;
    fixture.run(fixture.now + 4500);
    expect(fixture.events.filter((event) => event.endsWith('down'))).toHaveLength(50);
  });

  it('spreads the probes of a thousand peers', () => {
    const peers = Array.from({ length: 1000 }, (_, i) => peer(i));
    const fixture = new ProberFixture(peers);
    const first = fixture.run(1300, (probe) => fixture.answer(probe));
    expect(new Set(first.map((probe) => probe.peer)).size).toBe(1000);
    expect(mostAtOnce(first)).toBeLessThan(60);
    fixture.run(60_000, (probe) => fixture.answer(probe));
    const later = fixture.run(61_000, (probe) => fixture.answer(probe));
    expect(later.length).toBeGreaterThan(990);
    expect(mostAtOnce(later)).toBeLessThan(60);
  });

  it('sends a bounded number at once, and reaches everybody nevertheless', () => {
    const peers = Array.from({ length: 1000 }, (_, i) => peer(i));
    const fixture = new ProberFixture(peers);
    fixture.run(20_000, (probe) => fixture.answer(probe));
    fixture.now += 60_000;
    const sent = fixture.run(fixture.now + 100, (probe) => fixture.answer(probe));
    expect(mostAtOnce(sent)).toBe(128);
    expect(new Set(sent.map((probe) => probe.peer)).size).toBe(1000);
  });

  it('leaves half of the free slots to packets, and sends what waited later', () => {
    const peers = Array.from({ length: 100 }, (_, i) => peer(i));
    const fixture = new ProberFixture(peers, 7, 8);
    expect(mostAtOnce(fixture.run(3000))).toBe(4);
    const held = [1, 2, 3, 4, 5, 6, 7].map(() => fixture.pool.take());
    const before = fixture.prober.states.sent(1);
    expect(fixture.run(9000)).toEqual([]);
    expect(fixture.prober.states.sent(1)).toBe(before);
    for (const slot of held) fixture.pool.release(slot);
    expect(new Set(fixture.run(9500).map((probe) => probe.peer)).size).toBe(100);
  });

  it('says when it must be swept again', () => {
    const fixture = new ProberFixture([peer(1)]);
    const wait = fixture.prober.sweep(1000);
    expect(wait).toBeGreaterThan(200);
    expect(wait).toBeLessThanOrEqual(250);
    expect(fixture.prober.sweep(1100)).toBe(wait - 100);
  });

  it('does the same with the same seed', () => {
    const runs = [1, 2].map(() => {
      const fixture = new ProberFixture([peer(1), peer6(2), peer(300)]);
      return fixture
        .run(9000, (probe) => probe.peer === 2 && fixture.answer(probe))
        .map((p) => [p.at, hex(p.bytes)]);
    });
    expect(runs[0]).toEqual(runs[1]);
  });
});

function mostAtOnce(sent: readonly Sent[]): number {
  const counts = new Map<number, number>();
  for (const { at } of sent) counts.set(at, (counts.get(at) ?? 0) + 1);
  return Math.max(...counts.values());
}

describe('a new snapshot', () => {
  it('keeps what is known of a peer that stays', () => {
    const fixture = new ProberFixture([peer(1)]);
    const [probe] = fixture.sweep();
    fixture.swap(snapshot([peer(1, { name: 'renamed', mtu: 1200, prefixes: ['10.100.1.0/24'] }), peer(2)]));
    expect(fixture.answer(probe)).toBe(true);
    fixture.swap(snapshot([peer(1)]));
    expect(fixture.prober.states.isUp(1)).toBe(true);
    expect(fixture.events).toEqual(['1 up']);
  });

  it.each([
    ['underlay address', { address: '198.51.100.1' }],
    ['UDP port', { port: 8472 }],
    ['VTEP', { mac: '02:00:00:00:07:07' }],
    ['probed address', { probe: '10.100.1.2' }],
    ['family', { probe: 'fd00:10:244:1::1' }],
  ])('begins anew where the number has another %s', (_, change) => {
    const fixture = new ProberFixture([peer(1)]);
    fixture.run(3000, (probe) => fixture.answer(probe));
    const [unanswered] = fixture.run(4000).slice(-1);
    fixture.swap(snapshot([peer(1, change)]));
    expect(fixture.events).toEqual(['1 up', '1 down']);
    expect(fixture.prober.states.state(1)).toBe('unknown');
    expect(fixture.prober.states.sent(1)).toBe(0);
    expect(fixture.answer(unanswered)).toBe(false);
    const [probe] = fixture.sweep();
    expect(fixture.answer(unanswered)).toBe(false);
    expect(fixture.answer(probe)).toBe(true);
    expect(fixture.events).toEqual(['1 up', '1 down', '1 up']);
  });

  it('forgets a peer that is gone, and knows nothing of it when it is back', () => {
    const fixture = new ProberFixture([peer(1), peer(2)]);
    const probes = fixture.run(1400, (probe) => probe.peer === 1 && fixture.answer(probe));
    fixture.swap(snapshot([peer(2)]));
    expect(fixture.events).toEqual(['1 up', '1 down']);
    expect(fixture.answer(probes.find((probe) => probe.peer === 1)!)).toBe(false);
    fixture.swap(snapshot([]));
    expect(fixture.prober.sweep(9000)).toBe(-1);
    fixture.swap(snapshot([peer(1)]));
    expect(fixture.prober.states.state(1)).toBe('unknown');
  });
});

describe('PeerStates', () => {
  it('shows one thread what another has written, with times on the reader’s clock', () => {
    const fixture = new ProberFixture([peer(1)]);
    const [probe] = fixture.sweep();
    fixture.now = 1010;
    fixture.answer(probe);
    const { states } = fixture.prober;
    const reader = new PeerStates(states.shared, -300);
    expect([reader.isUp(1), reader.isUp(2), reader.rttMicros(1), reader.lastAnswerMs(1)]).toEqual([
      true,
      false,
      10_000,
      710,
    ]);
  });
});
