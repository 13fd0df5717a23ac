/**
 * Builds an ICMP or ICMPv6 error around the packet that it is about, in the packet's own slot.
 *
 * The quoted packet stays where it is: Ethernet, IP and ICMP headers are written into the headroom before its
 * IP header, and what is too long to quote is cut off. The frame goes back to the MAC address that it came
 * from; who routes the error gives it another.
 *
 *     before                [ Ethernet | IP … payload …                       ]
 *     after   [ Ethernet | IP | ICMP   | IP … payload … ] (cut)
 */
import { completePartial, l4Checksum, pseudoIpv6 } from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import { ETHERTYPE } from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import { PROTOCOL } from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import { GSO } from '../wire/virtio-net.js';
import type { Context } from './element.js';
import { PACKET } from './pool.js';

/** TTL and hop limit of what the switch says itself (RFC 1340, "IP time to live parameter"). */
export const ORIGINATED_TTL = 64;

/** Precedence 6, internetwork control, for ICMP errors (RFC 1812 section 4.3.2.5). */
const PRECEDENCE = 0xc0;

const HEADERS_4 = ipv4.HEADER_LENGTH + icmp.HEADER_LENGTH;
const HEADERS_6 = ipv6.HEADER_LENGTH + icmpv6.HEADER_LENGTH;

/**
 * Makes the IPv4 packet in `slot` the payload of an ICMP error to its source. `rest`: second word of the ICMP
 * header; `source`: address that the error comes from.
 */
export function buildError4(
  context: Context,
  slot: number,
  type: number,
  code: number,
  rest: number,
  source: number,
): void {
  const { pool, checksum } = context;
  const { view } = pool;
  const quote = pool.l3[slot];
  const quoted = Math.min(pool.l3Length[slot], icmp.MAX_ERROR_PACKET - HEADERS_4);
  completeQuote(context, slot, quoted);
  const l4 = quote - icmp.HEADER_LENGTH;
  const l3 = l4 - ipv4.HEADER_LENGTH;
  const length = icmp.HEADER_LENGTH + quoted;
  const destination = ipv4.src(view, quote);
  const flags = ipv4.FLAG.DONT_FRAGMENT;
  turnEthernet(context, slot, l3, ETHERTYPE.IPV4);
  ipv4.writeHeader(
    view,
    l3,
    PRECEDENCE,
    HEADERS_4 + quoted,
    0,
    flags,
    ORIGINATED_TTL,
    PROTOCOL.ICMP,
    source,
    destination,
  );
  icmp.writeHeader(view, l4, type, code, rest);
  icmp.setChecksum(view, l4, l4Checksum(checksum, 0, l4, length));
  finish(context, slot, l3, l4, HEADERS_4 + quoted, PROTOCOL.ICMP);
}

/** The same for IPv6; `source` is four words. */
export function buildError6(
  context: Context,
  slot: number,
  type: number,
  code: number,
  rest: number,
  source: Uint32Array,
): void {
  const { pool, checksum } = context;
  const { view } = pool;
  const quote = pool.l3[slot];
  const quoted = Math.min(pool.l3Length[slot], ipv6.MIN_MTU - HEADERS_6);
  completeQuote(context, slot, quoted);
  const l4 = quote - icmpv6.HEADER_LENGTH;
  const l3 = l4 - ipv6.HEADER_LENGTH;
  const length = icmpv6.HEADER_LENGTH + quoted;
  turnEthernet(context, slot, l3, ETHERTYPE.IPV6);
  ipv6.writeHeader(view, l3, 0, 0, length, PROTOCOL.ICMPV6, ORIGINATED_TTL);
  ipv6.setAddress(view, l3 + ipv6.SRC, source[0], source[1], source[2], source[3]);
  ipv6.copyAddress(view, l3 + ipv6.DST, quote + ipv6.SRC);
  icmpv6.writeHeader(view, l4, type, code, rest);
  const pseudo = pseudoIpv6(view, l3, PROTOCOL.ICMPV6, length);
  icmpv6.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, length));
  finish(context, slot, l3, l4, ipv6.HEADER_LENGTH + length, PROTOCOL.ICMPV6);
}

/** Fills in a partial checksum where all that it sums is quoted; a cut packet cannot be checked anyway. */
function completeQuote(context: Context, slot: number, quoted: number): void {
  const { pool, checksum } = context;
  const isPartial = (pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) !== 0;
  if (!isPartial || pool.gsoType[slot] !== GSO.NONE || quoted !== pool.l3Length[slot]) return;
  const start = pool.at[slot] + pool.checksumStart[slot];
  completePartial(checksum, pool.view, start, pool.l3[slot] + quoted, pool.checksumOffset[slot]);
}

/** Writes the Ethernet header before `l3`: back to where the frame came from. */
function turnEthernet(context: Context, slot: number, l3: number, type: number): void {
  const { pool } = context;
  const { view } = pool;
  const old = pool.at[slot];
  const at = l3 - ethernet.HEADER_LENGTH;
  const hi = ethernet.dstHi(view, old);
  const lo = ethernet.dstLo(view, old);
  ethernet.writeHeader(view, at, ethernet.srcHi(view, old), ethernet.srcLo(view, old), hi, lo, type);
  pool.at[slot] = at;
}

/** The facts of a packet that the switch made, with complete checksums and nothing left to offload. */
function finish(
  context: Context,
  slot: number,
  l3: number,
  l4: number,
  l3Length: number,
  protocol: number,
): void {
  const { pool } = context;
  pool.l3[slot] = l3;
  pool.l4[slot] = l4;
  pool.l3Length[slot] = l3Length;
  pool.length[slot] = l3 - pool.at[slot] + l3Length;
  pool.protocol[slot] = protocol;
  pool.flags[slot] = PACKET.ORIGINATED;
  pool.gsoType[slot] = GSO.NONE;
  pool.gsoSize[slot] = 0;
  pool.vlan[slot] = 0;
  pool.info[slot] = 0;
}
