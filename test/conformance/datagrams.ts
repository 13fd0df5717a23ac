/**
 * What every Device must do that carries datagrams of the tunnel (src/dataplane/device.ts).
 *
 * `setup` makes a new device in a harness for each test; `exceptions` are reasons why some of the tests cannot be
 * asked of it, and show in their names. The other end is one socket address; it sends and receives plain datagrams.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../../src/dataplane/batch.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import { addressText, addressWords } from '../../src/dataplane/devices/remote.js';
import { DROP, type DropReasonName } from '../../src/dataplane/drop-reasons.js';
import { bytesPerPacket } from './device-heap.js';

export interface DatagramHarness {
  readonly device: Device;
  /** The pool has at least 400 slots. */
  readonly context: DeviceContext;
  /** The other end's address; what it sends comes from its own port. */
  readonly remote: string;
  readonly remotePort: number;
  /** An address that nobody is told about, of the other family. */
  readonly otherFamily: string;
  /** The path's MTU: the largest IP packet that reaches the other end. */
  readonly pathMtu: number;
  /** Addresses that the device's listener was told of as too big. */
  readonly refused: readonly string[];
  /** Makes the device receive these datagrams, in this order. */
  inject(datagrams: readonly Uint8Array[]): void;
  /** Datagrams that reached the other end since the last call, in order, with their source ports. */
  sent(): { readonly bytes: Uint8Array; readonly port: number }[];
  /** Waits until I/O is at rest. */
  settle(): void;
  /** Slots that the device itself holds at rest: reads that wait. 0 without it. */
  held?(): number;
  /** Without an allocation of its own, lets what was sent be received again. */
  turn?(): void;
  close(): void;
}

export interface DatagramExceptions {
  /** No tests at all. */
  readonly all?: string;
  /** It does not keep the order while it finds out what the kernel takes. */
  readonly order?: string;
  /** It cannot be run in a circle without allocations around it. */
  readonly turn?: string;
}

/** A datagram that says its number, filled with what follows from it. */
export function numbered(number: number, length = 60): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + number * 7) & 0xff);
  if (length >= 4) new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export function numberedSeries(count: number, length = 60): Uint8Array[] {
  return Array.from({ length: count }, (_, number) => numbered(number, length));
}

export function hexOf(datagrams: readonly Uint8Array[]): string[] {
  return datagrams.map((bytes) => Buffer.from(bytes).toString('hex'));
}

export interface SendOptions {
  readonly gsoSize?: number;
  readonly hash?: number;
  readonly remote?: string;
  readonly remotePort?: number;
}

/** A device under test with the steps that tests are made of. */
export class DatagramSession {
  constructor(readonly harness: DatagramHarness) {}

  get pool() {
    return this.harness.context.pool;
  }

  /** A slot as an encapsulating element would leave it. */
  slotWith(bytes: Uint8Array, options: SendOptions = {}): number {
    const { pool, harness } = this;
    const slot = pool.take();
    expect(slot).toBeGreaterThanOrEqual(0);
    pool.reset(slot, bytes.length, 99);
    pool.bytes.set(bytes, pool.at[slot]);
    pool.gsoSize[slot] = options.gsoSize ?? 0;
    pool.info[slot] = options.hash ?? 0;
    pool.remote.set(addressWords(options.remote ?? harness.remote), slot * 4);
    pool.remotePort[slot] = options.remotePort ?? harness.remotePort;
    return slot;
  }

  send(slots: readonly number[]): void {
    const batch = new Batch(Math.max(1, slots.length));
    for (const slot of slots) batch.push(slot);
    this.harness.device.send(batch);
    expect(batch.count).toBe(0);
    this.harness.settle();
  }

  /** Receives until nothing more comes. Answers the slots, which are the test's. */
  receiveAll(): number[] {
    const { harness } = this;
    const received: number[] = [];
    const batch = new Batch(this.pool.capacity);
    do {
      batch.clear();
      harness.settle();
      const count = harness.device.receive(batch);
      expect(count).toBe(batch.count);
      expect(count).toBeLessThanOrEqual(harness.device.batchSize);
      received.push(...batch.slots.subarray(0, batch.count));
    } while (batch.count > 0);
    return received;
  }

  receive(datagrams: readonly Uint8Array[]): number[] {
    this.harness.inject(datagrams);
    return this.receiveAll();
  }

  /** The datagrams of a slot, whose size, where there are several, is a real one. */
  datagramsOf(slot: number): Uint8Array[] {
    const { pool } = this;
    const size = pool.gsoSize[slot];
    const length = pool.length[slot];
    const bytes = pool.bytes.slice(pool.at[slot], pool.at[slot] + length);
    if (size === 0) return [bytes];
    expect(size).toBeLessThan(length);
    return Array.from({ length: Math.ceil(length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size));
  }

  release(slots: readonly number[]): void {
    for (const slot of slots) this.pool.release(slot);
  }

  /** Every slot is free, held by the device, or one of `owned` that the test has. */
  expectSlots(owned: number): void {
    const { pool, harness } = this;
    expect(pool.free + (harness.held?.() ?? 0) + owned).toBe(pool.capacity);
  }

  counts(): { sent: number; bytes: number; dropped: number } {
    const { counters } = this.harness.context;
    const { port } = this.harness.device;
    const sent = counters.port(port, 'txPackets');
    return { sent, bytes: counters.port(port, 'txBytes'), dropped: counters.total('dropped') };
  }

  drops(reason: DropReasonName): number {
    return this.harness.context.counters.portDrops(this.harness.device.port, DROP[reason]);
  }
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` [skipped: ${reason}]`;
}

export function datagramConformance(
  name: string,
  setup: () => DatagramHarness,
  exceptions: DatagramExceptions = {},
): void {
  describe.skipIf(exceptions.all !== undefined)(`datagrams: ${name}${because(exceptions.all)}`, () => {
    let harness: DatagramHarness;
    let session: DatagramSession;
    beforeEach(() => {
      harness = setup();
      session = new DatagramSession(harness);
      harness.settle();
    });
    afterEach(() => {
      harness.close();
    });

    const test = (title: string, reason: string | undefined, body: () => void): void => {
      it.skipIf(reason !== undefined)(`${title}${because(reason)}`, body);
    };

    /** The largest datagram that reaches the other end whole. */
    const largest = (): number => harness.pathMtu - (harness.remote.includes(':') ? 48 : 28);
    const sentBytes = (): string[] => hexOf(harness.sent().map(({ bytes }) => bytes));

    it('says what it carries', () => {
      expect(harness.device.carries).toBe('datagrams');
      expect(harness.device.offloads).toBe(0);
      expect(harness.device.name).not.toBe('');
      expect(harness.device.mtu).toBe(65_507);
    });

    it('receives nothing where nothing has come', () => {
      expect(session.receiveAll()).toEqual([]);
      session.expectSlots(0);
    });

    it('receives in order, from whom it was, and hands the slots over', () => {
      const datagrams = numberedSeries(200);
      const slots = session.receive(datagrams);
      expect(hexOf(slots.flatMap((slot) => session.datagramsOf(slot)))).toEqual(hexOf(datagrams));
      const { pool } = session;
      for (const slot of slots) {
        expect(addressText(pool.remote, slot * 4)).toBe(harness.remote);
        expect(pool.remotePort[slot]).toBe(harness.remotePort);
        expect(pool.port[slot]).toBe(harness.device.port);
        expect(pool.isShared(slot)).toBe(false);
      }
      session.expectSlots(slots.length);
      session.release(slots);
      harness.settle();
      session.expectSlots(0);
    });

    it('marks what it receives as plain', () => {
      const { pool } = session;
      const old = session.slotWith(numbered(1), { gsoSize: 20, hash: 7 });
      pool.vlan[old] = 7;
      pool.flags[old] = 255;
      pool.gsoType[old] = 4;
      session.release([old]);
      const [slot] = session.receive([numbered(5, 61)]);
      expect([pool.length[slot], pool.flags[slot], pool.gsoType[slot], pool.gsoSize[slot]]).toEqual([
        61, 0, 0, 0,
      ]);
      expect([pool.vlan[slot], pool.info[slot], pool.l4[slot]]).toEqual([0, 0, 0]);
      session.release([slot]);
    });

    it('receives short ones and empty ones', () => {
      const datagrams = [numbered(1, 1), numbered(2, 0), numbered(3, 7)];
      const slots = session.receive(datagrams);
      expect(hexOf(slots.flatMap((slot) => session.datagramsOf(slot)))).toEqual(hexOf(datagrams));
      session.release(slots);
      session.expectSlots(0);
    });

    it('sends in order and gives the slots back', () => {
      const datagrams = numberedSeries(200);
      session.send(datagrams.map((bytes) => session.slotWith(bytes)));
      expect(sentBytes()).toEqual(hexOf(datagrams));
      session.expectSlots(0);
      expect(session.counts()).toEqual({ sent: 200, bytes: 200 * 60, dropped: 0 });
    });

    it('sends an empty batch', () => {
      session.send([]);
      expect(harness.sent()).toEqual([]);
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 0 });
    });

    it('carries the largest datagram of the path both ways', () => {
      const bytes = numbered(1, largest());
      const [slot] = session.receive([bytes]);
      expect(hexOf(session.datagramsOf(slot))).toEqual(hexOf([bytes]));
      session.send([slot]);
      expect(sentBytes()).toEqual(hexOf([bytes]));
      expect(session.counts()).toEqual({ sent: 1, bytes: largest(), dropped: 0 });
    });

    it('sends what does not begin where it was received', () => {
      const slot = session.slotWith(new Uint8Array(200));
      const bytes = numbered(3, 150);
      session.pool.at[slot] -= 70;
      session.pool.length[slot] = 150;
      session.pool.bytes.set(bytes, session.pool.at[slot]);
      session.send([slot]);
      expect(sentBytes()).toEqual(hexOf([bytes]));
      session.expectSlots(0);
    });

    it.each([
      ['of one length', 10, 1000, 1000],
      ['with a short last one', 10, 1000, 1],
      ['as many as the kernel takes', 64, 900, 900],
      ['more than the kernel takes', 70, 40, 40],
      ['two', 2, 60, 10],
    ])('sends several datagrams in one slot: %s', (_title, count, size, last) => {
      const datagrams = [...numberedSeries(count - 1, size), numbered(count - 1, last)];
      const bytes = Uint8Array.from(Buffer.concat(datagrams));
      session.send([session.slotWith(bytes, { gsoSize: size })]);
      expect(sentBytes()).toEqual(hexOf(datagrams));
      expect(session.counts()).toEqual({ sent: 1, bytes: bytes.length, dropped: 0 });
      session.expectSlots(0);
    });

    it('sends one datagram where its size is not below the length', () => {
      for (const gsoSize of [60, 61, 2000]) session.send([session.slotWith(numbered(1), { gsoSize })]);
      expect(sentBytes()).toEqual(hexOf([numbered(1), numbered(1), numbered(1)]));
    });

    test('keeps single datagrams and several in one slot in order', exceptions.order, () => {
      const single = numberedSeries(30, 100);
      const slots: number[] = [];
      for (let i = 0; i < 30; i += 3) {
        slots.push(session.slotWith(single[i]));
        const both = Uint8Array.from(Buffer.concat([single[i + 1], single[i + 2]]));
        slots.push(session.slotWith(both, { gsoSize: 100 }));
      }
      session.send(slots);
      expect(sentBytes()).toEqual(hexOf(single));
    });

    it('sends one slot twice in one batch, plain and with several datagrams', () => {
      const plain = session.slotWith(numbered(1));
      const several = session.slotWith(numbered(2, 90), { gsoSize: 30 });
      session.pool.share(plain, 1);
      session.pool.share(several, 1);
      session.send([plain, plain, several, several]);
      const thirds = [0, 1, 2].map((i) => numbered(2, 90).slice(i * 30, (i + 1) * 30));
      expect(sentBytes()).toEqual(hexOf([numbered(1), numbered(1), ...thirds, ...thirds]));
      expect(session.counts()).toEqual({ sent: 4, bytes: 300, dropped: 0 });
      session.expectSlots(0);
    });

    it('leaves a shared packet to its other owner unchanged', () => {
      const { pool } = session;
      const slot = session.slotWith(numbered(9, 200), { gsoSize: 80, hash: 3 });
      pool.share(slot, 1);
      const facts = (): unknown[] => [
        pool.at[slot],
        pool.length[slot],
        pool.gsoSize[slot],
        pool.info[slot],
        [...pool.remote.subarray(slot * 4, slot * 4 + 4)],
        pool.remotePort[slot],
        Buffer.from(pool.bytes.slice(pool.at[slot], pool.at[slot] + 200)).toString('hex'),
      ];
      const before = facts();
      session.send([slot]);
      expect(facts()).toEqual(before);
      expect(pool.isShared(slot)).toBe(false);
      session.expectSlots(1);
      session.release([slot]);
    });

    it('spreads flows over source ports by their hash, and keeps a flow on one', () => {
      const hashes = [0, 1, 2, 3, 15, 16, -1, 0x7fffffff, -(2 ** 31)];
      session.send(hashes.map((hash) => session.slotWith(numbered(1), { hash })));
      const first = harness.sent().map(({ port }) => port);
      session.send(hashes.map((hash) => session.slotWith(numbered(1), { hash })));
      expect(harness.sent().map(({ port }) => port)).toEqual(first);
      for (const port of first) expect(port).toBeGreaterThanOrEqual(49_152);
      // The hash is a number of 32 bits without sign; there are sixteen ports.
      const places = hashes.map((hash) => (hash >>> 0) % 16);
      for (let i = 0; i < hashes.length; i++) {
        expect(first.indexOf(first[i])).toBe(places.indexOf(places[i]));
      }
    });

    it('drops what is too big for the path, and says to whom', () => {
      session.send([session.slotWith(numbered(1, largest() + 1)), session.slotWith(numbered(2))]);
      expect(sentBytes()).toEqual(hexOf([numbered(2)]));
      expect([session.drops('too-big'), session.counts().dropped]).toEqual([1, 1]);
      expect(harness.refused).toEqual([harness.remote]);
      session.expectSlots(0);
    });

    it('drops several datagrams that are too big for the path, and goes on sending several', () => {
      const several = numbered(1, 3 * (largest() + 1));
      session.send([session.slotWith(several, { gsoSize: largest() + 1 })]);
      expect(harness.sent()).toEqual([]);
      expect([session.drops('too-big'), harness.refused]).toEqual([1, [harness.remote]]);
      const good = numberedSeries(3, largest());
      const bytes = Uint8Array.from(Buffer.concat(good));
      session.send([session.slotWith(bytes, { gsoSize: largest() })]);
      expect(sentBytes()).toEqual(hexOf(good));
      session.expectSlots(0);
    });

    it('drops what is for an address of the other family, or is too big for UDP', () => {
      session.send([session.slotWith(numbered(1), { remote: harness.otherFamily })]);
      session.send([session.slotWith(numbered(1, 65_508))]);
      expect(harness.sent()).toEqual([]);
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 2 });
      session.expectSlots(0);
    });

    it('sends what it received back, to whom it came from', () => {
      const datagrams = numberedSeries(50);
      for (let round = 0; round < 4; round++) {
        session.send(session.receive(datagrams));
        expect(sentBytes()).toEqual(hexOf(datagrams));
        session.expectSlots(0);
      }
      expect(session.counts().bytes).toBe(200 * 60);
    });

    it('waits where the pool is empty, and goes on when it is not', () => {
      const { pool } = session;
      const others: number[] = [];
      for (let slot = pool.take(); slot >= 0; slot = pool.take()) others.push(slot);
      const datagrams = numberedSeries(20);
      const slots = session.receive(datagrams);
      expect(slots.length).toBeLessThanOrEqual(1);
      session.release(others);
      slots.push(...session.receiveAll());
      expect(hexOf(slots.flatMap((slot) => session.datagramsOf(slot)))).toEqual(hexOf(datagrams));
      session.expectSlots(slots.length);
      session.release(slots);
    });

    it('gives all slots back when it is closed', () => {
      harness.inject(numberedSeries(30));
      harness.settle();
      harness.device.close();
      harness.settle();
      session.expectSlots(0);
    });

    it('drops as port-down once it is closed, and receives nothing', () => {
      harness.device.close();
      harness.settle();
      session.send(numberedSeries(3).map((bytes) => session.slotWith(bytes)));
      session.send([session.slotWith(numbered(1), { gsoSize: 20 })]);
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 4 });
      expect(session.drops('port-down')).toBe(4);
      expect(harness.device.receive(new Batch(session.pool.capacity))).toBe(0);
      session.expectSlots(0);
    });

    test('allocates nothing for a packet', exceptions.turn, () => {
      harness.inject(numberedSeries(harness.device.batchSize));
      harness.settle();
      const batch = new Batch(session.pool.capacity);
      const round = (): number => {
        const count = harness.device.receive(batch);
        harness.device.send(batch);
        harness.turn!();
        return count;
      };
      expect(bytesPerPacket(round)).toBeLessThan(1);
    });
  });
}
