import { beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../../../../src/dataplane/batch.js';
import { MAX_FRAME } from '../../../../src/dataplane/constants.js';
import { Counters } from '../../../../src/dataplane/counters.js';
import { DROP_REASONS, type DropReasonName } from '../../../../src/dataplane/drop-reasons.js';
import { Context } from '../../../../src/dataplane/element.js';
import { Parse } from '../../../../src/dataplane/elements/parse.js';
import { Learned } from '../../../../src/dataplane/learned.js';
import { KIND, PACKET, PacketPool, VLAN_TAGGED } from '../../../../src/dataplane/pool.js';
import { compileTables, Tables } from '../../../../src/dataplane/tables.js';
import { plainChecksum } from '../../../../src/wire/checksum-kernel.js';
import { networks } from '../../../support/snapshots.js';
import {
  ARP,
  CHAIN_6,
  EIGHT_6,
  EMPTY_6,
  FIRST_4,
  FIRST_6,
  ICMP_4,
  LATER_4,
  LATER_6,
  LLC_FRAME,
  NINE_6,
  OTHER,
  PADDED,
  PADDED_6,
  PRIORITY,
  STACKED,
  TAGGED,
  TCP_OPTIONS,
  THREE_TAGS,
  UDP_4,
  UDP_6,
  UNKNOWN_4,
} from './packets/parse.js';

let pool: PacketPool;
let counters: Counters;
let ok: Batch;
let element: Parse;

beforeEach(() => {
  pool = new PacketPool(2);
  counters = new Counters();
  const tables = Tables.from(compileTables(networks({ ports: [2, 1] })));
  const context = new Context(pool, plainChecksum(pool.memory), counters, new Learned(counters, 1), tables);
  ok = new Batch(2);
  element = new Parse(context, new Batch(2), ok);
});

/** A frame as a device hands it over; what an earlier packet left in the slot's facts must not matter. */
function receive(frame: Uint8Array, port = 0, facts: (slot: number) => void = () => {}): number {
  const slot = pool.take();
  pool.protocol[slot] = 17;
  pool.kind[slot] = 99;
  pool.l3Length[slot] = 9999;
  pool.bytes.set(frame, pool.at[slot]);
  pool.reset(slot, frame.length, port);
  facts(slot);
  element.input.push(slot);
  element.process(element.input);
  element.input.clear();
  return slot;
}

function expectDrop(
  reason: DropReasonName,
  frame: Uint8Array,
  port = 0,
  facts?: (slot: number) => void,
): void {
  receive(frame, port, facts);
  expect(ok.count).toBe(0);
  expect(counters.portDrops(port, DROP_REASONS.indexOf(reason))).toBe(1);
  expect(counters.total('dropped')).toBe(1);
  expect(pool.free).toBe(2);
}

/** `frame` with the octet at `at` exchanged. */
function changed(frame: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = octet;
  return copy;
}

const { FRAGMENT, OPTIONS } = PACKET;

describe('Parse', () => {
  it.each([
    ['IPv4 and UDP', UDP_4, { kind: KIND.IPV4, protocol: 17, l3: 14, l3Length: 32, l4: 34 }],
    ['padding, which is no part of the packet', PADDED, { kind: KIND.IPV4, l3Length: 32, length: 60 }],
    ['IPv4 options and TCP', TCP_OPTIONS, { protocol: 6, l3Length: 48, l4: 38, flags: OPTIONS }],
    ['ICMP', ICMP_4, { kind: KIND.IPV4, protocol: 1, l3Length: 28, l4: 34 }],
    ['a protocol that nobody knows, without a payload', UNKNOWN_4, { protocol: 253, l3Length: 20, l4: 34 }],
    ['a first fragment, shorter than its UDP length', FIRST_4, { protocol: 17, l4: 34, flags: FRAGMENT }],
    ['a later fragment, without a transport header', LATER_4, { protocol: 17, l4: 0, flags: FRAGMENT }],
    ['IPv6 and UDP', UDP_6, { kind: KIND.IPV6, protocol: 17, l3: 14, l3Length: 52, l4: 54 }],
    ['IPv6 without a payload', EMPTY_6, { kind: KIND.IPV6, protocol: 59, l3Length: 40, l4: 54 }],
    ['padding behind IPv6', PADDED_6, { kind: KIND.IPV6, l3Length: 48, length: 64 }],
    ['extension headers', CHAIN_6, { kind: KIND.IPV6, protocol: 6, l4: 70, flags: 0 }],
    ['the longest chain of them', EIGHT_6, { kind: KIND.IPV6, protocol: 59, l4: 118 }],
    ['a first fragment of IPv6', FIRST_6, { protocol: 17, l4: 62, flags: FRAGMENT }],
    ['a later fragment of IPv6', LATER_6, { protocol: 17, l4: 0, flags: FRAGMENT }],
    ['ARP', ARP, { kind: KIND.ARP, l3: 14, l3Length: 28, l4: 0 }],
    ['another EtherType', OTHER, { kind: KIND.OTHER, l3: 14, l3Length: 1, l4: 0 }],
    ['an 802.3 length', LLC_FRAME, { kind: KIND.OTHER, l3Length: 3, l4: 0 }],
    ['nothing behind the Ethernet header', OTHER.subarray(0, 14), { kind: KIND.OTHER, l3Length: 0, l4: 0 }],
    ['a tag', TAGGED, { kind: KIND.IPV4, vlan: VLAN_TAGGED | 100, l3: 18, l4: 38 }],
    ['a priority tag, which is not the same as none', PRIORITY, { vlan: VLAN_TAGGED, l3: 18 }],
    [
      'two tags, of which the outer one counts',
      STACKED,
      { kind: KIND.IPV6, vlan: VLAN_TAGGED | 7, l3: 22, l4: 62 },
    ],
  ])('finds %s', (_, frame, expected) => {
    const slot = receive(frame);
    const at = pool.at[slot];
    const found = {
      kind: pool.kind[slot],
      protocol: pool.protocol[slot],
      vlan: pool.vlan[slot],
      flags: pool.flags[slot],
      length: pool.length[slot],
      l3: pool.l3[slot] - at,
      l3Length: pool.l3Length[slot],
      l4: pool.l4[slot] === 0 ? 0 : pool.l4[slot] - at,
    };
    expect(ok.count).toBe(1);
    expect(found).toMatchObject(expected);
    expect(found.length).toBe(frame.length);
    if (!('vlan' in expected)) expect(found.vlan).toBe(0);
  });

  it('says which domain the packet is in', () => {
    expect(pool.domain[receive(UDP_4, 1)]).toBe(0);
    expect(pool.domain[receive(UDP_4, 2)]).toBe(1);
  });

  it('drops what comes from a port that is not open', () => {
    expectDrop('port-closed', UDP_4, 3);
  });

  it('drops what comes from a port beyond all that are known', () => {
    expectDrop('port-closed', UDP_4, 4095);
  });

  it('takes the longest packet and none that is longer', () => {
    const longest = new Uint8Array(MAX_FRAME + 1);
    longest.set(OTHER);
    receive(longest.subarray(0, MAX_FRAME));
    expect(ok.count).toBe(1);
    ok.clear();
    receive(longest);
    expect(ok.count).toBe(0);
    expect(counters.portDrops(0, DROP_REASONS.indexOf('oversize'))).toBe(1);
  });

  it.each<[DropReasonName, string, Uint8Array]>([
    ['malformed-ethernet', 'nothing', UDP_4.subarray(0, 0)],
    ['malformed-ethernet', 'a header that is cut off', UDP_4.subarray(0, 13)],
    // IEEE 802.3-2018 section 3.2.3: a source address names one station.
    ['malformed-ethernet', 'a broadcast source', UDP_4.with(6, 0xff)],
    ['malformed-ethernet', 'a multicast source', UDP_4.with(6, UDP_4[6] | 1)],
    ['malformed-vlan', 'a tag that is cut off', TAGGED.subarray(0, 17)],
    ['malformed-vlan', 'a second tag that is cut off', STACKED.subarray(0, 21)],
    ['malformed-vlan', 'three tags', THREE_TAGS],
    ['malformed-ipv4', 'nothing behind a tag', TAGGED.subarray(0, 18)],
    ['malformed-arp', 'ARP that is cut off', ARP.subarray(0, 41)],
    ['malformed-arp', 'ARP of another hardware', changed(ARP, 15, 6)],
    ['malformed-arp', 'ARP of another protocol', changed(ARP, 16, 0x86)],
    ['malformed-arp', 'ARP with long hardware addresses', changed(ARP, 18, 8)],
    ['malformed-arp', 'ARP with long protocol addresses', changed(ARP, 19, 16)],
    ['malformed-ipv4', 'an IPv4 header that is cut off', UDP_4.subarray(0, 33)],
    ['malformed-ipv4', 'version 6 under the EtherType of IPv4', changed(UDP_4, 14, 0x65)],
    ['malformed-ipv4', 'a header length of 16', changed(UDP_4, 14, 0x44)],
    ['malformed-ipv4', 'a total length less than the header', changed(UDP_4, 17, 19)],
    ['malformed-ipv4', 'a total length beyond the frame', changed(UDP_4, 17, 33)],
    ['malformed-ipv4', 'options beyond the total length', changed(ICMP_4, 14, 0x48)],
    ['malformed-ipv6', 'an IPv6 header that is cut off', UDP_6.subarray(0, 53)],
    ['malformed-ipv6', 'version 4 under the EtherType of IPv6', changed(UDP_6, 14, 0x40)],
    ['malformed-ipv6', 'a payload length beyond the frame', changed(UDP_6, 19, 13)],
    ['malformed-ipv6', 'an extension header beyond the packet', changed(CHAIN_6, 55, 9)],
    ['extension-chain', 'nine extension headers', NINE_6],
    ['malformed-l4', 'a UDP header that is cut off', changed(UDP_4, 17, 27)],
    ['malformed-l4', 'a UDP length of 7', changed(UDP_4, 39, 7)],
    ['malformed-l4', 'a UDP length beyond the packet', changed(UDP_4, 39, 13)],
    ['malformed-l4', 'a TCP header that is cut off', changed(TCP_OPTIONS, 17, 43)],
    ['malformed-l4', 'a TCP data offset of 16', changed(TCP_OPTIONS, 50, 0x40)],
    ['malformed-l4', 'a TCP data offset beyond the packet', changed(TCP_OPTIONS, 50, 0x70)],
    ['malformed-l4', 'an ICMP header that is cut off', changed(ICMP_4, 17, 27)],
    ['malformed-l4', 'a UDP header in IPv6 that is cut off', changed(UDP_6, 19, 7)],
  ])('drops %s: %s', (reason, _, frame) => {
    expectDrop(reason, frame);
  });

  it('drops offload facts that do not fit', () => {
    expectDrop('bad-offload', UDP_4, 0, (slot) => {
      pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
      pool.checksumStart[slot] = 34;
      pool.checksumOffset[slot] = 100;
    });
  });

  it('keeps what the device said of the packet', () => {
    const slot = receive(UDP_4, 0, (index) => {
      pool.flags[index] = PACKET.CHECKSUM_VALID;
    });
    expect(pool.flags[slot]).toBe(PACKET.CHECKSUM_VALID);
  });
});
