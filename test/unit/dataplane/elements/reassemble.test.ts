import { beforeEach, describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { Reassemble } from '../../../../src/dataplane/elements/reassemble.js';
import { KIND, PACKET } from '../../../../src/dataplane/pool.js';
import { hex, RouterFixture } from '../router-fixture.js';
import {
  ATOMIC_6,
  EARLY_END,
  EMPTY,
  EXTENDED_PARTS,
  EXTENDED_WHOLE,
  FIRST_OF,
  INTO_SECOND,
  INTO_SECOND_6,
  JUST_IN,
  LAST_OF,
  LATER_END,
  LONG_HEADER,
  ODD,
  OTHER_FIRST,
  PARTS,
  PARTS_6,
  PAST_END,
  PING,
  PING_6,
  SHORT_UDP,
  TOO_FAR,
  TOO_FAR_6,
  WITH_OPTIONS_PARTS,
  WITH_OPTIONS_WHOLE,
} from './packets/reassemble.js';

let fixture: RouterFixture;
let element: Reassemble;
let local: Batch;

function setUp(slots: number): void {
  fixture = new RouterFixture(undefined, slots);
  local = fixture.batch();
  element = new Reassemble(fixture.context, fixture.batch(), local);
}

beforeEach(() => setUp(128));

function take(frames: Uint8Array[], port = 1): void {
  for (const frame of frames) fixture.run(element, fixture.receive(frame, port));
}

/** The first of two fragments, of another datagram each time. */
function firstOf(id: number): Uint8Array {
  return withId(FIRST_OF, id);
}

function lastOf(id: number): Uint8Array {
  return withId(LAST_OF, id);
}

function withId(fragment: Uint8Array, id: number): Uint8Array {
  const frame = fragment.slice();
  new DataView(frame.buffer).setUint16(18, id);
  return frame;
}

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

describe('Reassemble', () => {
  it('puts fragments together, in whatever order they come', () => {
    const orders = permutations(PARTS);
    expect(orders).toHaveLength(24);
    for (const order of orders) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      fixture.expectBalance();
    }
    expect(fixture.counters.total('joined')).toBe(24 * 3);
  });

  it('puts IPv6 fragments together, in whatever order they come', () => {
    for (const order of permutations(PARTS_6)) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(PING_6)]);
      fixture.expectBalance();
    }
  });

  it('uses the header of the first part, options included', () => {
    take(WITH_OPTIONS_PARTS);
    expect(fixture.send(local)).toEqual([hex(WITH_OPTIONS_WHOLE)]);
    fixture.expectBalance();
  });

  it('leaves IPv6 extension headers before the fragment header out, and keeps those behind it', () => {
    for (const order of permutations(EXTENDED_PARTS)) {
      take(order);
      expect(fixture.send(local)).toEqual([hex(EXTENDED_WHOLE)]);
    }
    fixture.expectBalance();
  });

  it('parses the whole like a received packet, its checksum still to be verified', () => {
    const { pool } = fixture;
    const trusting = (slot: number) => {
      pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    };
    for (const frame of PARTS) fixture.run(element, fixture.receive(frame, 1, trusting));
    const slot = local.slots[0];
    expect([pool.flags[slot], pool.kind[slot], pool.protocol[slot]]).toEqual([0, KIND.IPV4, 1]);
    expect([pool.l3[slot] - pool.at[slot], pool.l4[slot] - pool.at[slot]]).toEqual([14, 34]);
    expect([pool.l3Length[slot], pool.length[slot]]).toEqual([128, 142]);
    expect([pool.port[slot], pool.domain[slot]]).toEqual([1, 0]);
  });

  it('drops a whole whose transport header is wrong', () => {
    take(SHORT_UDP);
    expect(fixture.drops('malformed-l4')).toBe(1);
    expect(fixture.counters.total('joined')).toBe(1);
    fixture.expectBalance();
  });

  describe('overlaps (RFC 5722)', () => {
    it.each([
      ['partly', [PARTS[0], PARTS[1]], INTO_SECOND],
      ['wholly, with other octets', [PARTS[0], PARTS[1]], OTHER_FIRST],
      ['partly, over IPv6', [PARTS_6[0], PARTS_6[1]], INTO_SECOND_6],
      ['by more than the end', [PARTS[3]], PAST_END],
      ['by another end', [PARTS[3]], LATER_END],
      ['by an end before what is there', [PARTS[2]], EARLY_END],
    ])('end their datagram: %s', (_, there, frame) => {
      take(there);
      expect(element.held).toBe(1);
      take([frame]);
      expect(element.held).toBe(0);
      expect(fixture.drops('reassembly')).toBe(2);
      fixture.expectBalance();
      // What is sent anew is put together again.
      take(PARTS);
      expect(fixture.send(local)).toEqual([hex(PING)]);
    });

    it('are none where the same fragment comes twice (RFC 8200 section 4.5)', () => {
      take([PARTS[0], PARTS[0], PARTS[3], PARTS[3], PARTS[1], PARTS[2]]);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      expect(fixture.drops('reassembly')).toBe(2);
      expect(fixture.counters.total('joined')).toBe(3);
      fixture.expectBalance();
    });
  });

  it.each([
    ['a middle that is no multiple of eight octets', ODD],
    ['an empty middle', EMPTY],
    ['what ends behind 65,535 octets', TOO_FAR],
    ['what ends behind 65,535 octets of IPv6', TOO_FAR_6],
  ])('drops %s, and nothing else', (_, frame) => {
    take([PARTS[0], frame]);
    expect(fixture.drops('reassembly')).toBe(1);
    take(PARTS.slice(1));
    expect(fixture.send(local)).toEqual([hex(PING)]);
    fixture.expectBalance();
  });

  it('puts the longest packet together, and none that is longer', () => {
    const size = 65_515;
    const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    // An echo request, so that the parser finds a message.
    payload[0] = 8;
    for (let at = 0; at < size; at += 1480) {
      const part = payload.subarray(at, at + 1480);
      const frame = new Uint8Array(34 + part.length);
      frame.set(FIRST_OF.subarray(0, 34));
      frame.set(part, 34);
      const view = new DataView(frame.buffer);
      view.setUint16(16, frame.length - 14);
      view.setUint16(20, (at + part.length < size ? 0x2000 : 0) | (at / 8));
      take([frame]);
    }
    expect(local.count).toBe(1);
    const frame = fixture.frame(local.slots[0]);
    expect(frame.length).toBe(14 + 65_535);
    expect(Buffer.compare(frame.subarray(34), payload)).toBe(0);
    fixture.send(local);
    fixture.expectBalance();

    take([JUST_IN]);
    expect(element.held).toBe(1);
    fixture.expectBalance(1);
  });

  it('finds that the packet is too long when the first header comes last', () => {
    const rest = new Uint8Array(34 + 1480);
    rest.set(FIRST_OF.subarray(0, 34));
    const view = new DataView(rest.buffer);
    view.setUint16(18, 77);
    for (let at = 8; at < 65_504; at += 1480) {
      const length = Math.min(1480, 65_504 - at);
      view.setUint16(16, 20 + length);
      view.setUint16(20, 0x2000 | (at / 8));
      take([rest.subarray(0, 34 + length)]);
    }
    take([JUST_IN, LONG_HEADER]);
    expect([local.count, element.held]).toEqual([0, 0]);
    expect(fixture.drops('reassembly')).toBe(1);
    fixture.expectBalance();
  });

  it('has nothing to do with others where a packet is all of its one fragment (RFC 6946)', () => {
    take([PARTS_6[0], ATOMIC_6]);
    expect(fixture.send(local)).toEqual([hex(PING_6)]);
    take(PARTS_6.slice(1));
    expect(fixture.send(local)).toEqual([hex(PING_6)]);
    fixture.expectBalance();
  });

  it('keeps fragments of different ports apart', () => {
    take(PARTS.slice(0, 2), 1);
    take(PARTS.slice(2), 2);
    expect(element.held).toBe(2);
    fixture.expectBalance(2);
  });

  it('drops a first fragment where there is no slot', () => {
    setUp(1);
    take([PARTS[0]]);
    expect(fixture.drops('no-slot')).toBe(1);
    fixture.expectBalance();
  });

  describe('time', () => {
    it('is 30 s from the first fragment for IPv4, 60 s for IPv6', () => {
      expect(element.sweep(0)).toBe(-1);
      fixture.context.now = 1000;
      take([PARTS_6[0], PARTS[0]]);
      fixture.context.now = 20_000;
      take([PARTS_6[1], PARTS[1]]);
      expect(element.sweep(20_000)).toBe(11_000);
      expect(element.sweep(30_999)).toBe(1);
      expect([element.held, fixture.drops('reassembly')]).toEqual([2, 0]);
      expect(element.sweep(31_000)).toBe(30_000);
      expect([element.held, fixture.drops('reassembly')]).toEqual([1, 1]);
      expect(element.sweep(61_000)).toBe(-1);
      expect(fixture.drops('reassembly')).toBe(2);
      fixture.expectBalance();
    });
  });

  describe('floods', () => {
    it('of first fragments hold 16 slots, the newest', () => {
      for (let id = 0; id < 500; id++) take([firstOf(id)]);
      expect(element.held).toBe(16);
      expect(fixture.drops('reassembly')).toBe(484);
      fixture.expectBalance(16);
    });

    it('displace nothing of another port', () => {
      take(PARTS.slice(0, 3), 2);
      for (let id = 100; id < 200; id++) take([firstOf(id)], 1);
      take(PARTS.slice(3), 2);
      expect(fixture.send(local)).toEqual([hex(PING)]);
      fixture.expectBalance(16);
    });

    it('displace the oldest of the same port', () => {
      take([firstOf(1), firstOf(2)]);
      for (let id = 100; id < 115; id++) take([firstOf(id)]);
      expect([element.held, fixture.drops('reassembly')]).toEqual([16, 1]);
      take([lastOf(1)]);
      expect([local.count, fixture.drops('reassembly')]).toEqual([0, 2]);
      take([lastOf(100), lastOf(2)]);
      expect([local.count, fixture.drops('reassembly')]).toEqual([1, 2]);
      fixture.send(local);
      fixture.expectBalance(16);
    });

    it('from many ports hold 64 slots, and a port that had none gets one', () => {
      for (const port of [1, 2, 3, 4]) for (let id = 0; id < 16; id++) take([firstOf(id)], port);
      expect(element.held).toBe(64);
      take([firstOf(1)], 5);
      expect(element.held).toBe(64);
      const drops = [1, 2, 3, 4, 5].map((port) => fixture.drops('reassembly', port));
      expect(drops).toEqual([1, 0, 0, 0, 0]);
      take([firstOf(2)], 5);
      expect(fixture.drops('reassembly', 5)).toBe(1);
      fixture.expectBalance(64);
    });
  });
});
