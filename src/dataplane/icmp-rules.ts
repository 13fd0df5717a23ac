/**
 * When an ICMP error must not be sent: RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7 and RFC 4443 section
 * 2.4 (e). Errors about errors, about later fragments, about what was sent to many or came from nobody would
 * multiply: one bad packet would make a storm.
 */
import * as ethernet from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import { PROTOCOL } from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { PACKET, type PacketPool } from './pool.js';

const BROADCAST = 0xffff_ffff;

/** Whether an ICMP error may be sent about this IPv4 packet. */
export function mayReport4(pool: PacketPool, slot: number): boolean {
  if (!isReportable(pool, slot) || isGroupFrame(pool, slot)) return false;
  const { view } = pool;
  const l3 = pool.l3[slot];
  const l4 = pool.l4[slot];
  if (ipv4.fragmentOffset(view, l3) !== 0 || !isHost(ipv4.src(view, l3))) return false;
  const dst = ipv4.dst(view, l3);
  if (ipv4.isMulticast(dst) || dst === BROADCAST) return false;
  return l4 === 0 || pool.protocol[slot] !== PROTOCOL.ICMP || !icmp.isError(icmp.type(view, l4));
}

/**
 * Whether an ICMPv6 error may be sent about this IPv6 packet. `evenToGroups`: Packet Too Big and Parameter
 * Problem about an option are, so that path MTU discovery works for multicast too (exceptions to e.3 and e.4).
 */
export function mayReport6(pool: PacketPool, slot: number, evenToGroups: boolean): boolean {
  if (!isReportable(pool, slot)) return false;
  const { view } = pool;
  const src = pool.l3[slot] + ipv6.SRC;
  if (ipv6.isUnspecified(view, src) || ipv6.isMulticast(view, src) || ipv6.isLoopback(view, src))
    return false;
  const toGroup = isGroupFrame(pool, slot) || ipv6.isMulticast(view, pool.l3[slot] + ipv6.DST);
  return (evenToGroups || !toGroup) && !mayBeError(pool, slot);
}

/** Errors and redirects; of a later fragment of ICMPv6 nobody knows what it is. */
function mayBeError(pool: PacketPool, slot: number): boolean {
  if (pool.protocol[slot] !== PROTOCOL.ICMPV6) return false;
  if (pool.l4[slot] === 0) return true;
  const type = icmpv6.type(pool.view, pool.l4[slot]);
  return icmpv6.isError(type) || type === icmpv6.TYPE.REDIRECT;
}

function isReportable(pool: PacketPool, slot: number): boolean {
  return (pool.flags[slot] & PACKET.ORIGINATED) === 0;
}

function isGroupFrame(pool: PacketPool, slot: number): boolean {
  return ethernet.isMulticastHi(ethernet.dstHi(pool.view, pool.at[slot]));
}

/** One host: not 0/8, loopback, multicast, reserved or broadcast. */
function isHost(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
