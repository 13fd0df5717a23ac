import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { Fragment } from '../../../../src/dataplane/elements/fragment.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { hex, RouterFixture, SNAPSHOT } from '../router-fixture.js';
import {
  DATAGRAM,
  FIRST_ONLY,
  FIRST_ONLY_FRAGMENTS,
  FRAGMENTS,
  LAST,
  LAST_FRAGMENTS,
  MIDDLE,
  MIDDLE_FRAGMENTS,
  PADDED_OPTIONS,
  PADDED_OPTIONS_FRAGMENTS,
  PARTIAL,
  REPLY_6,
  REPLY_6_AGAIN,
  REPLY_6_FRAGMENTS,
  USO,
  USO_FRAGMENTS,
  WITH_OPTIONS,
  WITH_OPTIONS_FRAGMENTS,
} from './packets/fragment.js';

function setUp(mtu: number, slots = 64) {
  const ports = SNAPSHOT.ports.map((port) => (port.id === 3 ? { ...port, mtu } : port));
  const fixture = new RouterFixture({ ...SNAPSHOT, ports }, slots);
  const ok = fixture.batch();
  const element = new Fragment(fixture.context, fixture.batch(), ok, fixture.segmenter);
  const receive = (frame: Uint8Array, facts?: (slot: number) => void): number => {
    const slot = fixture.receive(frame, 1, facts);
    fixture.pool.egress[slot] = 3;
    return slot;
  };
  return { fixture, element, ok, receive };
}

function slotsOf(batch: Batch): number[] {
  return Array.from(batch.slots.subarray(0, batch.count));
}

describe('Fragment', () => {
  it.each([
    ['a datagram', DATAGRAM, 68, FRAGMENTS],
    ['a datagram, where the MTU is no multiple of 8 octets', DATAGRAM, 75, FRAGMENTS],
    ['a fragment from the middle', MIDDLE, 68, MIDDLE_FRAGMENTS],
    ['the last fragment', LAST, 68, LAST_FRAGMENTS],
    ['a datagram with options of both kinds', WITH_OPTIONS, 84, WITH_OPTIONS_FRAGMENTS],
    ['a datagram with a padded option', PADDED_OPTIONS, 84, PADDED_OPTIONS_FRAGMENTS],
    ['a datagram with options in the first fragment only', FIRST_ONLY, 76, FIRST_ONLY_FRAGMENTS],
  ])('cuts %s', (_, frame, mtu, expected) => {
    const { fixture, element, ok, receive } = setUp(mtu);
    fixture.run(element, receive(frame));
    expect(fixture.send(ok)).toEqual(expected.map(hex));
    expect(fixture.counters.total('replicated')).toBe(expected.length - 1);
    fixture.expectBalance();
  });

  it('leaves each fragment with facts of its own', () => {
    const { fixture, element, ok, receive } = setUp(76);
    const { pool } = fixture;
    const slot = receive(FIRST_ONLY);
    pool.flags[slot] |= PACKET.CHECKSUM_VALID;
    fixture.run(element, slot);
    const [first, second, third] = slotsOf(ok);
    expect(first).toBe(slot);
    expect([pool.l3Length[first], pool.l3Length[second], pool.l3Length[third]]).toEqual([76, 76, 24]);
    expect(slotsOf(ok).map((fragment) => pool.flags[fragment])).toEqual([
      PACKET.FRAGMENT | PACKET.OPTIONS,
      PACKET.FRAGMENT,
      PACKET.FRAGMENT,
    ]);
    expect([pool.l4[first] - pool.l3[first], pool.l4[second], pool.l4[third]]).toEqual([28, 0, 0]);
    expect([pool.egress[third], pool.port[third]]).toEqual([3, 1]);
  });

  it('completes a partial checksum before it cuts', () => {
    const { fixture, element, ok, receive } = setUp(68);
    const slot = receive(PARTIAL, (partial) => {
      fixture.pool.flags[partial] |= PACKET.PARTIAL_CHECKSUM;
      fixture.pool.checksumStart[partial] = 34;
      fixture.pool.checksumOffset[partial] = 6;
    });
    fixture.run(element, slot);
    expect(slotsOf(ok).map((part) => fixture.pool.flags[part] & PACKET.PARTIAL_CHECKSUM)).toEqual([0, 0, 0]);
    expect(fixture.send(ok)).toEqual(FRAGMENTS.map(hex));
    fixture.expectBalance();
  });

  it('cuts a GSO packet into segments, then those that need it into fragments', () => {
    const { fixture, element, ok, receive } = setUp(68);
    const gso = (slot: number) => {
      const { pool } = fixture;
      pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
      pool.gsoType[slot] = GSO.UDP_L4;
      pool.gsoSize[slot] = 60;
      pool.checksumStart[slot] = 34;
      pool.checksumOffset[slot] = 6;
    };
    fixture.run(element, receive(USO, gso), receive(USO, gso));
    expect(fixture.send(ok)).toEqual([...USO_FRAGMENTS, ...USO_FRAGMENTS].map(hex));
    expect(fixture.counters.total('replicated')).toBe(6);
    fixture.expectBalance();
  });

  it('cuts what the switch says over IPv6, each packet with an identification of its own', () => {
    const { fixture, element, ok, receive } = setUp(104);
    const slots = [receive(REPLY_6), receive(REPLY_6)];
    for (const slot of slots) fixture.pool.flags[slot] |= PACKET.ORIGINATED;
    fixture.run(element, ...slots);
    expect(fixture.send(ok)).toEqual([...REPLY_6_FRAGMENTS, ...REPLY_6_AGAIN].map(hex));
    fixture.expectBalance();
  });

  it.each([
    ['IPv4', DATAGRAM, 68],
    ['IPv6', REPLY_6, 68],
  ])('drops an %s packet whole where there are not slots for all of its fragments', (_, frame, mtu) => {
    const { fixture, element, ok, receive } = setUp(mtu, 3);
    const slot = receive(frame);
    const other = fixture.pool.take();
    fixture.run(element, slot);
    expect(ok.count).toBe(0);
    expect(fixture.drops('no-slot')).toBe(1);
    fixture.pool.release(other);
    fixture.expectBalance();
  });

  it('uses the last slot', () => {
    const { fixture, element, ok, receive } = setUp(68, 3);
    fixture.run(element, receive(DATAGRAM));
    expect(fixture.send(ok)).toHaveLength(3);
    fixture.expectBalance();
  });

  it.each([
    ['IPv4', DATAGRAM, 27],
    ['IPv4 options', WITH_OPTIONS, 43],
    ['IPv6', REPLY_6, 55],
  ])('drops what has no room for its header and eight octets: %s', (_, frame, mtu) => {
    const { fixture, element, receive } = setUp(mtu);
    fixture.run(element, receive(frame));
    expect(fixture.drops('too-big')).toBe(1);
    fixture.expectBalance();
  });
});
