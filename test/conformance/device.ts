/**
 * What every Device must do (src/dataplane/device.ts).
 *
 * `setup` makes a new device in a harness for each test; `exceptions` are reasons why some of the tests cannot
 * be asked of it, and show in their names.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../../src/dataplane/batch.js';
import { MAX_PORTS } from '../../src/dataplane/constants.js';
import { OFFLOAD } from '../../src/dataplane/device.js';
import { DROP } from '../../src/dataplane/drop-reasons.js';
import { PACKET } from '../../src/dataplane/pool.js';
import { GSO } from '../../src/wire/virtio-net.js';
import {
  type DeviceHarness,
  DeviceSession,
  type Exceptions,
  type HarnessFrame,
  hex,
  numberedFrame,
  numberedFrames,
} from './device-harness.js';
import { bytesPerPacket } from './device-heap.js';

/** A packet of the largest size: 14 octets of Ethernet and a network packet of 65,535. */
const LARGEST = 65_549;

// scapy: Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01')/IP(src='10.1.2.3', dst='10.4.5.6', id=0xffff, tos=2,
// flags='DF', ttl=63)/TCP(sport=4000, dport=5000, seq=0xfffffffa, ack=0x89abcdef, flags='FPA', window=501)/Raw(100
// octets), with the sum of its pseudo header in the checksum field.
const TSO: HarnessFrame = {
  bytes: Buffer.from(
    '02000000000202000000000108004502008cffff40003f06205d0a0102030a0405060fa01388fffffffa89abcdef501901f51b8c0000' +
      '01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dae1e8eff6fd040b121920272e353c434a' +
      '51585f666d747b828990979ea5acb3bac1c8cfd6dde4ebf2f900070e151c232a31383f464d545b626970777e858c939aa1a8afb6',
    'hex',
  ),
  facts: {
    flags: PACKET.PARTIAL_CHECKSUM,
    gsoType: GSO.TCPV4,
    gsoSize: 48,
    checksumStart: 34,
    checksumOffset: 16,
  },
};

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` [skipped: ${reason}]`;
}

export function deviceConformance(
  name: string,
  setup: () => DeviceHarness | Promise<DeviceHarness>,
  exceptions: Exceptions = {},
): void {
  describe.skipIf(exceptions.all !== undefined)(`device: ${name}${because(exceptions.all)}`, () => {
    let harness: DeviceHarness;
    let session: DeviceSession;
    beforeEach(async () => {
      harness = await setup();
      session = new DeviceSession(harness);
      await harness.settle();
    });
    afterEach(async () => {
      await harness.close();
    });
    const test = (title: string, reason: string | undefined, body: () => Promise<void>): void => {
      it.skipIf(reason !== undefined)(`${title}${because(reason)}`, body);
    };

    it('says who it is', () => {
      const { device } = harness;
      expect(device.name).not.toBe('');
      expect(device.port).toBeGreaterThanOrEqual(0);
      expect(device.port).toBeLessThan(MAX_PORTS);
      expect(device.mtu).toBeGreaterThanOrEqual(68);
      expect(device.batchSize).toBeGreaterThanOrEqual(1);
    });

    it('receives nothing where nothing has come', async () => {
      expect(await session.receiveAll()).toEqual([]);
      session.expectSlots(0);
    });

    it('receives in order, at most a batch at a time, and hands the slots over', async () => {
      const frames = numberedFrames(200);
      const slots = await session.receive(frames);
      expect(hex(slots.map((slot) => session.frameOf(slot)))).toEqual(hex(frames));
      expect(new Set(slots).size).toBe(slots.length);
      session.expectSlots(frames.length);
      session.release(slots);
      await harness.settle();
      session.expectSlots(0);
    });

    it('appends to what waits in the batch', async () => {
      await harness.inject([numberedFrame(1)]);
      await harness.settle();
      const batch = new Batch(session.pool.capacity);
      const waiting = session.slotWith(numberedFrame(0));
      batch.push(waiting);
      expect(harness.device.receive(batch)).toBe(1);
      expect(batch.count).toBe(2);
      expect(batch.slots[0]).toBe(waiting);
      session.release([...batch.slots.subarray(0, 2)]);
    });

    it('marks what it receives as its own and as plain', async () => {
      const { pool } = session;
      const old = session.slotWith(TSO);
      pool.vlan[old] = 7;
      pool.info[old] = 7;
      pool.flags[old] |= PACKET.FRAGMENT | PACKET.ORIGINATED | PACKET.OPTIONS;
      session.release([old]);
      const [slot] = await session.receive([numberedFrame(5, 61)]);
      expect([pool.port[slot], pool.length[slot]]).toEqual([session.port, 61]);
      expect([pool.flags[slot] & ~PACKET.CHECKSUM_VALID, pool.gsoType[slot], pool.gsoSize[slot]]).toEqual([
        0, 0, 0,
      ]);
      expect([pool.vlan[slot], pool.info[slot], pool.l4[slot]]).toEqual([0, 0, 0]);
      expect(pool.isShared(slot)).toBe(false);
      session.release([slot]);
    });

    it('sends in order and gives the slots back', async () => {
      const frames = numberedFrames(200);
      await session.send(frames.map((frame) => session.slotWith(frame)));
      expect(hex(await harness.sent())).toEqual(hex(frames));
      session.expectSlots(0);
      expect(session.counts()).toEqual({ sent: 200, bytes: 200 * 60, dropped: 0 });
    });

    it('sends an empty batch', async () => {
      await session.send([]);
      expect(await harness.sent()).toEqual([]);
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 0 });
    });

    it.each([60, 61, 1514, exceptions.largest ?? LARGEST])('carries %i bytes both ways', async (length) => {
      const frame = numberedFrame(1, length);
      const [slot] = await session.receive([frame]);
      expect(hex([session.frameOf(slot)])).toEqual(hex([frame]));
      await session.send([slot]);
      expect(hex(await harness.sent())).toEqual(hex([frame]));
      expect(session.counts()).toEqual({ sent: 1, bytes: length, dropped: 0 });
      session.expectSlots(0);
    });

    it('sends a frame that does not begin where it was received', async () => {
      const frame = numberedFrame(3, 100);
      const slot = session.slotWith({ bytes: new Uint8Array(104) });
      session.pool.at[slot] += 4;
      session.pool.length[slot] = 100;
      session.pool.bytes.set(frame.bytes, session.pool.at[slot]);
      await session.send([slot]);
      expect(hex(await harness.sent())).toEqual(hex([frame]));
    });

    it('leaves a shared packet to its other owner unchanged', async () => {
      const frame = numberedFrame(9, 200);
      const slot = session.slotWith(frame);
      const { pool } = session;
      pool.share(slot, 1);
      const facts = [pool.at[slot], pool.l3[slot], pool.l3Length[slot], pool.port[slot], pool.flags[slot]];
      await session.send([slot]);
      expect(hex(await harness.sent())).toEqual(hex([frame]));
      expect(hex([session.frameOf(slot)])).toEqual(hex([frame]));
      expect([pool.at[slot], pool.l3[slot], pool.l3Length[slot], pool.port[slot], pool.flags[slot]]).toEqual(
        facts,
      );
      expect(pool.isShared(slot)).toBe(false);
      session.expectSlots(1);
      await session.send([slot]);
      expect(hex(await harness.sent())).toEqual(hex([frame]));
      session.expectSlots(0);
    });

    it('sends one packet twice in one batch', async () => {
      const frame = numberedFrame(4);
      const slot = session.slotWith(frame);
      session.pool.share(slot, 1);
      await session.send([slot, slot]);
      expect(hex(await harness.sent())).toEqual(hex([frame, frame]));
      session.expectSlots(0);
    });

    test('carries offload facts both ways', exceptions.offloads, async () => {
      const { pool } = session;
      expect(harness.device.offloads & OFFLOAD.CHECKSUM).not.toBe(0);
      expect(harness.device.offloads & OFFLOAD.TSO4).not.toBe(0);
      const [slot] = await session.receive([TSO]);
      expect({
        flags: pool.flags[slot] & PACKET.PARTIAL_CHECKSUM,
        gsoType: pool.gsoType[slot],
        gsoSize: pool.gsoSize[slot],
        checksumStart: pool.checksumStart[slot],
        checksumOffset: pool.checksumOffset[slot],
      }).toEqual(TSO.facts);
      session.release([slot]);
      await session.send([session.slotWith(TSO)]);
      const [{ bytes, facts }] = await harness.sent();
      expect(hex([{ bytes }])).toEqual(hex([TSO]));
      expect(facts).toEqual(TSO.facts);
    });

    it('forwards what it received', async () => {
      const frames = numberedFrames(50);
      for (let round = 0; round < 4; round++) {
        await session.send(await session.receive(frames));
        expect(hex(await harness.sent())).toEqual(hex(frames));
        session.expectSlots(0);
      }
      expect(session.counts()).toEqual({ sent: 200, bytes: 200 * 60, dropped: 0 });
    });

    test('waits where the pool is empty, and goes on when it is not', exceptions.starve, async () => {
      const { pool } = session;
      const others: number[] = [];
      for (let slot = pool.take(); slot >= 0; slot = pool.take()) others.push(slot);
      const frames = numberedFrames(20);
      const slots = await session.receive(frames);
      expect(slots.length).toBeLessThan(frames.length);
      session.release(others);
      slots.push(...(await session.receiveAll()));
      expect(hex(slots.map((slot) => session.frameOf(slot)))).toEqual(hex(frames));
      session.expectSlots(frames.length);
      session.release(slots);
    });

    test('counts what fails as dropped, and takes the slots all the same', exceptions.fail, async () => {
      await harness.fail!();
      await session.send(numberedFrames(30).map((frame) => session.slotWith(frame)));
      const { sent, bytes, dropped } = session.counts();
      expect(dropped).toBeGreaterThan(0);
      expect([sent + dropped, bytes]).toEqual([30, 60 * sent]);
      session.expectSlots(0);
    });

    it('gives all slots back when it is closed', async () => {
      await harness.inject(numberedFrames(30));
      await harness.settle();
      harness.device.close();
      await harness.settle();
      session.expectSlots(0);
    });

    it('drops as port-down once it is closed, and receives nothing', async () => {
      harness.device.close();
      await harness.settle();
      await session.send(numberedFrames(3).map((frame) => session.slotWith(frame)));
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 3 });
      expect(harness.context.counters.portDrops(session.port, DROP['port-down'])).toBe(3);
      expect(harness.device.receive(new Batch(session.pool.capacity))).toBe(0);
      session.expectSlots(0);
    });

    test('allocates nothing for a packet', exceptions.turn, async () => {
      await harness.inject(numberedFrames(harness.device.batchSize));
      await harness.settle();
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
