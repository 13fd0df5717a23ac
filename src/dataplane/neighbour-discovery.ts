/**
 * Which packets are IPv6 neighbour discovery, as the parser's facts tell.
 */
import * as icmpv6 from '../wire/icmpv6.js';
import { PROTOCOL } from '../wire/ipv4.js';
import * as nd from '../wire/nd.js';
import { DROP } from './drop-reasons.js';
import { PACKET, type PacketPool } from './pool.js';

/** Whether a parsed IPv6 packet is neighbour discovery: types 133 to 137, and not a later fragment. */
export function isDiscovery(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 === 0 || pool.protocol[slot] !== PROTOCOL.ICMPV6) return false;
  return icmpv6.isNeighbourDiscovery(icmpv6.type(pool.view, l4));
}

/**
 * The checks of RFC 4861 sections 6.1, 7.1 and 8.1 but the checksum, and that it is not fragmented (RFC 6980
 * section 5). Answers -1 for a sound message, or the number of a drop reason.
 */
export function checkDiscovery(pool: PacketPool, slot: number): number {
  const l3 = pool.l3[slot];
  const whole = (pool.flags[slot] & PACKET.FRAGMENT) === 0;
  const end = l3 + pool.l3Length[slot];
  return whole && nd.isValid(pool.view, l3, pool.l4[slot], end) ? -1 : DROP['malformed-nd'];
}
