/**
 * Whether a packet's offload facts (virtio-net, OASIS VIRTIO 1.2 section 5.1.6.2) fit the packet itself.
 *
 * A pod can write any virtio header through a packet socket, so nothing of it is believed: sums and stores
 * stay inside the frame, and a segment type matches the protocol that the parser found.
 */

import { CHECKSUM_OFFSET as ICMPV6_CHECKSUM } from '../wire/icmpv6.js';
import { PROTOCOL } from '../wire/ipv4.js';
import { dataOffset, CHECKSUM_OFFSET as TCP_CHECKSUM } from '../wire/tcp.js';
import { CHECKSUM_OFFSET as UDP_CHECKSUM, HEADER_LENGTH as UDP_HEADER } from '../wire/udp.js';
import { GSO } from '../wire/virtio-net.js';
import { KIND, PACKET, type PacketPool } from './pool.js';

/** Smallest segment payload believed; below it one packet would become thousands. Linux's own floor is 48. */
export const MIN_SEGMENT = 48;

/** Called after the headers of `slot` are found. */
export function isOffloadSound(pool: PacketPool, slot: number): boolean {
  const partial = (pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) !== 0;
  if (pool.gsoType[slot] === GSO.NONE) return !partial || isPartialSound(pool, slot);
  return partial && isPartialSound(pool, slot) && isSegmentSound(pool, slot);
}

/**
 * The sum stays inside the network packet, and may begin at an inner header, as when a pod runs a tunnel of its
 * own. Nothing may be stored where the parser or the source guard has looked: not in ARP, a network header or
 * what a transport header says before its checksum, and nowhere else in ICMPv6, whose messages speak of addresses.
 */
function isPartialSound(pool: PacketPool, slot: number): boolean {
  const start = pool.at[slot] + pool.checksumStart[slot];
  const store = start + pool.checksumOffset[slot];
  if (store + 2 > pool.l3[slot] + pool.l3Length[slot]) return false;
  const kind = pool.kind[slot];
  if (kind === KIND.OTHER) return start >= pool.l3[slot];
  const l4 = pool.l4[slot];
  if (kind === KIND.ARP || l4 === 0 || start < l4) return false;
  if (pool.protocol[slot] === PROTOCOL.ICMPV6) return store === l4 + ICMPV6_CHECKSUM;
  return store >= l4 + checksumAt(pool.protocol[slot]);
}

/** Octets of the transport header before its checksum; 0 where we do not know the protocol. */
function checksumAt(protocol: number): number {
  if (protocol === PROTOCOL.TCP) return TCP_CHECKSUM;
  return protocol === PROTOCOL.UDP ? UDP_CHECKSUM : 0;
}

/** Segments are cut behind the transport header, so there the sum begins at it. */
function startsAtTransport(pool: PacketPool, slot: number): boolean {
  if (pool.at[slot] + pool.checksumStart[slot] !== pool.l4[slot]) return false;
  return pool.checksumOffset[slot] === checksumAt(pool.protocol[slot]);
}

function isSegmentSound(pool: PacketPool, slot: number): boolean {
  if (pool.gsoSize[slot] < MIN_SEGMENT || (pool.flags[slot] & PACKET.FRAGMENT) !== 0) return false;
  if (!startsAtTransport(pool, slot)) return false;
  const kind = pool.kind[slot];
  const protocol = pool.protocol[slot];
  switch (pool.gsoType[slot] & ~GSO.ECN) {
    case GSO.TCPV4:
      return kind === KIND.IPV4 && protocol === PROTOCOL.TCP;
    case GSO.TCPV6:
      return kind === KIND.IPV6 && protocol === PROTOCOL.TCP;
    case GSO.UDP_L4:
      return (kind === KIND.IPV4 || kind === KIND.IPV6) && protocol === PROTOCOL.UDP;
    default:
      return false;
  }
}

/** Bytes of the network packet that each segment becomes: what an MTU is compared with. */
export function segmentLength(pool: PacketPool, slot: number): number {
  if (pool.gsoType[slot] === GSO.NONE) return pool.l3Length[slot];
  const l4 = pool.l4[slot];
  const header = pool.protocol[slot] === PROTOCOL.TCP ? dataOffset(pool.view, l4) : UDP_HEADER;
  const whole = l4 - pool.l3[slot] + header + pool.gsoSize[slot];
  return Math.min(whole, pool.l3Length[slot]);
}

/** Packets on the wire that this one stands for. */
export function wirePackets(pool: PacketPool, slot: number): number {
  if (pool.gsoType[slot] === GSO.NONE) return 1;
  const l4 = pool.l4[slot];
  const header = pool.protocol[slot] === PROTOCOL.TCP ? dataOffset(pool.view, l4) : UDP_HEADER;
  const payload = pool.l3Length[slot] - (l4 - pool.l3[slot]) - header;
  return Math.max(1, Math.ceil(payload / pool.gsoSize[slot]));
}
