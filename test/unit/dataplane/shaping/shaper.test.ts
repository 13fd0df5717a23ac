// The shaper within an engine, with the real pool; time is what the test says.
import { describe, expect, it } from 'vitest';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { BUCKET_BYTES } from '../../../../src/dataplane/shaping/rate-buckets.js';
import type { ImpairmentSpec, PortSpec, Snapshot } from '../../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../../src/dataplane/tables.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { ALL_OFFLOADS, EngineHarness, type HarnessOptions } from '../../../support/engine-harness.js';
import { repairChecksums } from '../../../support/packet-repair.js';
import { gatewayMacOf, macOf, networks } from '../../../support/snapshots.js';

/** A millisecond for each 125 bytes. */
const MEGABIT = { bitsPerSecond: 1_000_000, burstBytes: 0 };
const ALL = ['0.0.0.0/0', '::/0'];
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

type Limits = Readonly<Record<number, Partial<PortSpec>>>;

/** Ports 0 to 2 in one network, 3 in another that is routed to; `limits` by port. */
function limited(limits: Limits, generation = 1): Snapshot {
  const base = networks({ ports: [3, 1] });
  return { ...base, generation, ports: base.ports.map((port) => ({ ...port, ...limits[port.id] })) };
}

function octets(mac: string): number[] {
  return mac.split(':').map((octet) => Number.parseInt(octet, 16));
}

/** A UDP packet of `length` octets in all, with a number to know it by. */
function frame(from: number, to: number, length: number, number = 0, mac = macOf(to)): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([...octets(mac), ...octets(macOf(from)), 0x08, 0x00]);
  const total = length - 14;
  bytes.set([0x45, 0, total >> 8, total & 0xff, 0, 0, 0, 0, 64, 17, 0, 0], 14);
  bytes.set([10, 0, 0, 10 + from, 10, 0, to === 3 ? 1 : 0, 10 + to], 26);
  bytes.set([0, 1, 0, 2, (total - 20) >> 8, (total - 20) & 0xff, 0, 0, number >> 8, number & 0xff], 34);
  repairChecksums(bytes);
  return bytes;
}

function numberOf(bytes: Uint8Array): number {
  return (bytes[42] << 8) | bytes[43];
}

function impair(direction: 'from-port' | 'to-port', more: Partial<ImpairmentSpec>): Partial<PortSpec> {
  return { impairments: [{ direction, prefixes: ALL, ...more }] };
}

class World extends EngineHarness {
  constructor(limits: Limits, options: HarnessOptions = {}) {
    super(limited(limits), { slots: 256, ...options });
    this.run();
  }

  send(from: number, to: number, count: number, length = 1000, mac?: string): void {
    for (let i = 0; i < count; i++) this.inject(from, frame(from, to, length, i, mac));
    this.run();
    this.expectAtRest();
  }

  change(limits: Limits): void {
    this.engine.swap(compileTables(limited(limits, this.engine.generation + 1)));
  }

  numbers(port: number): number[] {
    return this.take(port).map(({ bytes }) => numberOf(bytes));
  }

  /** When each packet came out of `port` from now on: ms, and which it was. */
  watch(port: number, ms: number): [number, number][] {
    const seen: [number, number][] = [];
    for (let i = 0; i <= ms; i++) {
      for (const number of this.numbers(port)) seen.push([i, number]);
      this.now++;
      this.engine.sweep(this.now);
      this.expectAtRest();
    }
    return seen;
  }
}

/** One packet every 8 ms. */
function evenly(count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [i * 8, i]);
}

describe('rates', () => {
  it.each<[string, Limits, number, number, string | undefined]>([
    ['sends, bridged', { 0: { rates: { fromPort: MEGABIT } } }, 0, 1, undefined],
    ['sends, routed', { 0: { rates: { fromPort: MEGABIT } } }, 0, 3, gatewayMacOf(0)],
    ['is sent, bridged', { 1: { rates: { toPort: MEGABIT } } }, 0, 1, undefined],
    ['is sent, routed', { 3: { rates: { toPort: MEGABIT } } }, 0, 3, gatewayMacOf(0)],
    [
      'sends straight to another',
      {
        0: { rates: { fromPort: MEGABIT }, attachment: { kind: 'direct', peer: 1 } },
        1: { attachment: { kind: 'direct', peer: 0 } },
      },
      0,
      1,
      undefined,
    ],
    [
      'sends, the same in both directions',
      { 0: { rates: { fromPort: MEGABIT } }, 1: { rates: { toPort: MEGABIT } } },
      0,
      1,
      undefined,
    ],
  ])('hold for what a port %s', (_, limits, from, to, mac) => {
    const world = new World(limits);
    world.send(from, to, 6, 1000, mac);
    expect(world.engine.held).toBe(5);
    expect(world.watch(to, 60)).toEqual(evenly(6));
    expect(world.allDrops()).toEqual({});
  });

  it('leave the other direction, and other ports, alone', () => {
    const world = new World({ 0: { rates: { fromPort: MEGABIT } } });
    world.send(1, 0, 6);
    world.send(1, 2, 6);
    expect([world.numbers(0), world.numbers(2)]).toEqual([
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5],
    ]);
    expect(world.engine.counters.cycleCounter('expressPackets')).toBe(12);
  });

  it('count what is flooded once at its sender, and at each receiver', () => {
    const world = new World({ 0: { rates: { fromPort: MEGABIT } }, 2: { rates: { toPort: MEGABIT } } });
    world.send(0, 1, 3, 1000, BROADCAST);
    const first = world.take(2);
    expect(first.map(({ bytes }) => bytes)).toEqual([frame(0, 1, 1000, 0, BROADCAST)]);
    const seen = world.watch(1, 20);
    expect(seen).toEqual(evenly(3));
    expect(world.numbers(2)).toEqual([1, 2]);
    expect(world.engine.held).toBe(0);
  });

  it('give a flooded packet that waits a slot of its own, or drop it', () => {
    const world = new World({ 2: { rates: { toPort: MEGABIT } } }, { slots: 16 });
    world.send(0, 1, 3, 1000, BROADCAST);
    expect([world.numbers(1), world.numbers(2), world.engine.held]).toEqual([[0, 1, 2], [0], 2]);
    expect(world.watch(2, 20)).toEqual(evenly(3).slice(1));
  });

  it('drop what would wait more than a tenth of a second, or two of the largest packets', () => {
    const fast = { bitsPerSecond: 100_000_000, burstBytes: 0 };
    const world = new World({ 1: { rates: { toPort: fast } } }, { slots: 8192 });
    world.send(0, 1, 1200);
    expect(world.engine.held).toBe(1024);
    expect(world.allDrops()).toEqual({ 'shaper-full': 175 });
    const slow = new World({ 1: { rates: { toPort: MEGABIT } } }, { slots: 8192 });
    slow.send(0, 1, 200);
    expect(slow.allDrops()).toEqual({ 'rate-limited': 200 - 132 });
    expect(slow.watch(1, 1100)).toEqual(evenly(132));
  });

  it('count the headers of each segment', () => {
    const world = new World({ 0: { rates: { fromPort: MEGABIT } } }, { offloads: { 1: ALL_OFFLOADS } });
    const large = frame(0, 1, 42 + 1000);
    const facts = {
      flags: PACKET.PARTIAL_CHECKSUM,
      gsoType: GSO.UDP_L4,
      gsoSize: 100,
      checksumStart: 34,
      checksumOffset: 6,
    };
    world.inject(0, large, facts);
    world.send(0, 1, 1);
    expect(world.watch(1, 20).map(([ms]) => ms)).toEqual([0, Math.ceil((10 * 142) / 125)]);
  });

  it('do not hold for what the switch answers', () => {
    const world = new World({ 0: { rates: { fromPort: MEGABIT, toPort: MEGABIT } } });
    world.send(0, 1, 5);
    const request = frame(0, 0, 60, 0, gatewayMacOf(0));
    request.set([10, 0, 0, 1], 30);
    request[23] = 1;
    request.set([8, 0, 0, 0, 0, 1, 0, 1], 34);
    request.fill(0, 42);
    repairChecksums(request);
    world.inject(0, request);
    world.run();
    expect(world.take(0).map(({ bytes }) => bytes[34])).toEqual([0]);
    world.expectAtRest();
  });
});

describe('impairments', () => {
  it.each<['from-port' | 'to-port', number, number]>([
    ['from-port', 0, 1],
    ['to-port', 1, 0],
  ])('delay what goes %s', (direction, from, to) => {
    const world = new World({ 0: impair(direction, { delayMs: 20 }) });
    world.send(from, to, 3);
    expect(world.watch(to, 25)).toEqual([
      [20, 0],
      [20, 1],
      [20, 2],
    ]);
    world.send(to, from, 1);
    expect(world.numbers(from)).toEqual([0]);
  });

  it('are those of the longest prefix, and of none for other addresses', () => {
    const impairments: ImpairmentSpec[] = [
      { direction: 'from-port', prefixes: ['10.0.0.0/28'], delayMs: 10 },
      { direction: 'from-port', prefixes: ['10.0.0.11/32', '10.0.0.11/32'], delayMs: 5 },
      { direction: 'from-port', prefixes: ['10.0.0.11/32'], delayMs: 1 },
    ];
    const world = new World({ 0: { impairments } });
    world.send(0, 1, 1);
    world.send(0, 2, 1);
    world.send(0, 3, 1, 1000, gatewayMacOf(0));
    expect(world.numbers(3)).toEqual([0]);
    expect(world.watch(1, 6)).toEqual([[5, 0]]);
    expect(world.watch(2, 6)).toEqual([[3, 0]]);
  });

  it('keep the order of packets, however much the delay varies', () => {
    const world = new World({ 0: impair('from-port', { delayMs: 20, jitterMs: 10 }) });
    const arrivals: [number, number][] = [];
    for (let i = 0; i < 200; i++) {
      world.inject(0, frame(0, 1, 100, i));
      world.run();
      for (const number of world.numbers(1)) arrivals.push([i - number, number]);
      world.now++;
    }
    expect(arrivals.map(([, number]) => number)).toEqual(arrivals.map((_, i) => i));
    const delays = arrivals.map(([delay]) => delay);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...delays)).toBeLessThanOrEqual(31);
    expect(new Set(delays).size).toBeGreaterThan(3);
  });

  it('lose their share, and the same packets for the same seed', () => {
    const survivors = [0, 1].map(() => {
      const world = new World({ 0: impair('from-port', { loss: 0.25 }) });
      world.send(0, 1, 4000, 60);
      const drops = world.drops(0, 'impaired-loss');
      expect(drops).toBeGreaterThan(850);
      expect(drops).toBeLessThan(1150);
      return world.numbers(1);
    });
    expect(survivors[0]).toEqual(survivors[1]);
  });

  it.each(['from-port', 'to-port'] as const)('lose packets of the wire, not whole large ones: %s', (way) => {
    const port = way === 'from-port' ? 0 : 1;
    const world = new World({ [port]: impair(way, { loss: 0.5 }) }, { offloads: { 1: ALL_OFFLOADS } });
    world.inject(0, frame(0, 1, 42 + 6400), {
      flags: PACKET.PARTIAL_CHECKSUM,
      gsoType: GSO.UDP_L4,
      gsoSize: 100,
      checksumStart: 34,
      checksumOffset: 6,
    });
    world.run();
    world.expectAtRest();
    const sent = world.take(1);
    expect(sent.length).toBeGreaterThan(10);
    expect(sent.length).toBe(64 - world.drops(0, 'impaired-loss'));
    expect(new Set(sent.map(({ bytes }) => bytes.length))).toEqual(new Set([142]));
  });

  it('have a rate of their own, before the delay', () => {
    const world = new World({ 0: impair('from-port', { delayMs: 50, rate: MEGABIT }) });
    world.send(0, 1, 3);
    expect(world.watch(1, 80)).toEqual(evenly(3).map(([ms, number]) => [ms + 50, number]));
  });

  it('come one after the other where both ports have some', () => {
    const world = new World({
      0: impair('from-port', { delayMs: 10 }),
      1: { ...impair('to-port', { delayMs: 5 }), rates: { toPort: MEGABIT } },
    });
    world.send(0, 1, 3);
    expect(world.watch(1, 40)).toEqual(evenly(3).map(([ms, number]) => [ms + 15, number]));
  });
});

describe('bounds', () => {
  it('leave three quarters of the pool to others, and half of the rest to another port', () => {
    const limits = Object.fromEntries([0, 1, 2].map((id) => [id, impair('to-port', { delayMs: 1000 })]));
    const world = new World(limits, { slots: 400 });
    world.send(0, 1, 300);
    expect([world.engine.held, world.drops(0, 'shaper-full')]).toEqual([50, 250]);
    world.send(0, 2, 300);
    expect(world.engine.held).toBe(75);
    world.send(1, 0, 300);
    expect(world.engine.held).toBeLessThan(100);
    world.now += 1000;
    world.run();
    expect(world.engine.held).toBe(0);
    world.expectAtRest();
  });

  it('charge nothing to packets that there is no room for', () => {
    const rate = { bitsPerSecond: 8_000_000, burstBytes: 0 };
    const world = new World({ 1: { rates: { toPort: rate } } }, { slots: 64 });
    let sent = 0;
    for (let ms = 0; ms < 500; ms++) {
      world.send(0, 1, 10);
      sent += world.numbers(1).length;
      world.now++;
    }
    expect(sent).toBeGreaterThanOrEqual(499);
    expect(sent).toBeLessThanOrEqual(501);
  });
});

describe('a change', () => {
  const LIMITS = { 1: { rates: { toPort: MEGABIT } } };

  it('of nothing leaves what waits where it is, and what is owed', () => {
    const world = new World(LIMITS);
    world.send(0, 1, 3);
    world.change({ ...LIMITS, 2: { rates: { toPort: MEGABIT } } });
    expect(world.watch(1, 20)).toEqual(evenly(3));
  });

  it('that takes a limit away lets go what waits, ahead of what comes later', () => {
    const world = new World(LIMITS);
    world.send(0, 1, 3);
    world.change({});
    const before = world.engine.counters.cycleCounter('expressPackets');
    world.inject(0, frame(0, 1, 1000, 3));
    const devices = [...world.devices.values()];
    world.engine.cycle(devices, devices.length, world.now);
    expect(world.numbers(1)).toEqual([0, 1, 2, 3]);
    expect(world.engine.counters.cycleCounter('expressPackets')).toBe(before + 1);
    world.expectAtRest();
  });

  it('of a rate begins anew', () => {
    const world = new World(LIMITS);
    world.send(0, 1, 20);
    world.change({ 1: { rates: { toPort: { bitsPerSecond: 8_000_000, burstBytes: 0 } } } });
    world.run();
    expect(world.numbers(1)).toHaveLength(20);
    world.send(0, 1, 3);
    expect(world.watch(1, 5).map(([ms]) => ms)).toEqual([0, 1, 2]);
  });

  it('after an hour of rest finds nothing owed', () => {
    const world = new World({});
    world.now += 3_000_000;
    world.change(LIMITS);
    world.run();
    world.send(0, 1, 2);
    expect(world.watch(1, 10)).toEqual(evenly(2));
  });

  it.each([
    ['sender', 0, 'port-closed'],
    ['receiver', 1, 'port-down'],
  ] as const)('that closes the port of the %s drops what waits', (_, gone, reason) => {
    const world = new World({ 0: impair('from-port', { delayMs: 50 }) });
    world.send(0, 1, 3);
    const after = limited({ 0: impair('from-port', { delayMs: 50 }) }, 2);
    const ports = after.ports.filter(({ id }) => id !== gone);
    world.engine.swap(compileTables({ ...after, ports, neighbours: [] }));
    expect([world.engine.held, world.drops(0, reason)]).toEqual([0, 3]);
    world.expectAtRest();
  });

  it('that gives the receiver’s number to another drops what waits', () => {
    const world = new World(LIMITS);
    world.send(0, 1, 3);
    world.change({ 1: { ...LIMITS[1], mac: '02:70:00:00:00:99' } });
    expect([world.engine.held, world.drops(0, 'port-down')]).toEqual([0, 2]);
  });

  it.each([0, 1])('that detaches port %i drops what waits', (gone) => {
    const world = new World(LIMITS);
    world.send(0, 1, 3);
    world.engine.detach(gone);
    expect([world.engine.held, world.drops(0, 'port-down')]).toEqual([0, 2]);
    world.expectAtRest();
  });
});

describe('sweep', () => {
  it('says how long the next packet has to wait, and when it has to look again', () => {
    const world = new World({ 1: { rates: { toPort: MEGABIT } } });
    expect(world.engine.sweep(world.now)).toBe(600_000);
    world.send(0, 1, 3, 100);
    expect(world.engine.sweep(world.now + 0.25)).toBeCloseTo(0.55, 2);
    expect(world.engine.sweep(world.now + 0.79)).toBe(0.05);
    expect(new World({}).engine.sweep(0)).toBe(-1);
  });
});

describe('two engines', () => {
  it('keep to one limit of a port that both write to, whatever their clocks show', () => {
    const buckets = new SharedArrayBuffer(BUCKET_BYTES);
    const limits = { 2: { rates: { toPort: MEGABIT } } };
    const first = new World(limits, { limits: { buckets, clockStart: 0 } });
    const second = new World(limits, { limits: { buckets, clockStart: -5000.25 } });
    second.now = first.now + 5000.25;
    second.run();
    for (let i = 0; i < 4; i++) {
      first.send(0, 2, 1);
      second.send(1, 2, 1);
    }
    const seen = [first.watch(2, 70), second.watch(2, 70)].map((arrivals) => arrivals.map(([ms]) => ms));
    expect(seen).toEqual([
      [0, 16, 32, 48],
      [8, 24, 40, 56],
    ]);
  });
});
