/**
 * Whether the transport checksum of a packet is right: asked for what the switch itself receives. What it
 * forwards is checked by who receives that.
 */
import { type Checksum, isL4ChecksumRight, pseudoIpv4, pseudoIpv6 } from '../wire/checksum.js';
import { PROTOCOL } from '../wire/ipv4.js';
import * as udp from '../wire/udp.js';
import { KIND, PACKET, type PacketPool } from './pool.js';

/** The field need not be looked at: it was, or the sender left it to be completed. */
export const TRUSTED = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID;

/**
 * Whether the transport checksum is still to be completed, and so holds the pseudo header's sum alone. A partial checksum
 * may also be that of a packet inside.
 */
export function isSumPending(pool: PacketPool, slot: number): boolean {
  if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) === 0) return false;
  return pool.at[slot] + pool.checksumStart[slot] === pool.l4[slot];
}

/**
 * For a whole packet with a transport header. ICMP, ICMPv6, TCP and UDP are looked at, each only over the IP
 * version that it belongs to; UDP over IPv4 may have no checksum (RFC 768), over IPv6 it must (RFC 8200
 * section 8.1).
 */
export function isTransportSound(pool: PacketPool, checksum: Checksum, slot: number): boolean {
  if ((pool.flags[slot] & TRUSTED) !== 0) return true;
  const { view } = pool;
  const l4 = pool.l4[slot];
  const length = pool.l3[slot] + pool.l3Length[slot] - l4;
  const isIpv4 = pool.kind[slot] === KIND.IPV4;
  switch (pool.protocol[slot]) {
    case PROTOCOL.ICMP:
      return !isIpv4 || isL4ChecksumRight(checksum, 0, l4, length);
    case PROTOCOL.ICMPV6:
      return isIpv4 || isRight(pool, checksum, slot, length);
    case PROTOCOL.TCP:
      return isRight(pool, checksum, slot, length);
    case PROTOCOL.UDP:
      if (udp.checksum(view, l4) === 0) return isIpv4;
      return isRight(pool, checksum, slot, udp.length(view, l4));
    default:
      return true;
  }
}

/** The sum with the pseudo header over `length` octets from the transport header on. */
function isRight(pool: PacketPool, checksum: Checksum, slot: number, length: number): boolean {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const protocol = pool.protocol[slot];
  const pseudo =
    pool.kind[slot] === KIND.IPV4
      ? pseudoIpv4(view, l3, protocol, length)
      : pseudoIpv6(view, l3, protocol, length);
  return isL4ChecksumRight(checksum, pseudo, pool.l4[slot], length);
}
