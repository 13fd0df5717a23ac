/**
 * The probe as a packet: an ICMP or ICMPv6 echo request inside the tunnel, and what an answer to one looks like.
 *
 * TTL or hop limit is 1: a peer that has the probed address replies, and one that would pass the packet on says
 * Time Exceeded and quotes it (RFC 792, RFC 4443 section 3.3). Either has received it and found the way back.
 * Identifier and sequence number are one 32-bit token, so that a quote of no more than eight octets behind the
 * IP header holds it.
 */
import { l4Checksum, pseudoIpv6 } from '../wire/checksum.js';
import * as ethernet from '../wire/ethernet.js';
import { ETHERTYPE } from '../wire/ethernet.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as ipv4 from '../wire/ipv4.js';
import { PROTOCOL } from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Context } from './element.js';
import { KIND, PACKET, type PacketPool } from './pool.js';

const TTL = 1;

/** Precedence 6, internetwork control: a busy underlay that looks at it keeps probes (RFC 1812 section 5.3.2.6). */
const CONTROL = 0xc0;

/** Where the token is in an echo message. */
const TOKEN = 4;

const LENGTH_4 = ipv4.HEADER_LENGTH + icmp.HEADER_LENGTH;
const LENGTH_6 = ipv6.HEADER_LENGTH + icmpv6.HEADER_LENGTH;

/** Writes a probe to `peer` from this node's address in the tunnel into `slot`, ready for `output`'s egress. */
export function writeProbe(context: Context, slot: number, peer: number, token: number): void {
  const { pool, tables } = context;
  const { peers, domains, tunnel } = tables;
  const isIpv4 = peers.probeFamily[peer] === 4;
  const at = pool.at[slot];
  const l3 = at + ethernet.HEADER_LENGTH;
  pool.reset(slot, ethernet.HEADER_LENGTH + (isIpv4 ? LENGTH_4 : LENGTH_6), tunnel.port);
  ethernet.writeHeader(
    pool.view,
    at,
    peers.macHi[peer],
    peers.macLo[peer],
    domains.gatewayHi[tunnel.domain],
    domains.gatewayLo[tunnel.domain],
    isIpv4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6,
  );
  if (isIpv4) writeProbe4(context, l3, peer, token);
  else writeProbe6(context, l3, peer, token);
  pool.l3[slot] = l3;
  pool.l3Length[slot] = isIpv4 ? LENGTH_4 : LENGTH_6;
  pool.l4[slot] = l3 + (isIpv4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
  pool.domain[slot] = tunnel.domain;
  pool.kind[slot] = isIpv4 ? KIND.IPV4 : KIND.IPV6;
  pool.protocol[slot] = isIpv4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6;
  pool.flags[slot] = PACKET.ORIGINATED;
}

function writeProbe4(context: Context, l3: number, peer: number, token: number): void {
  const { pool, tables, checksum } = context;
  const { view } = pool;
  const l4 = l3 + ipv4.HEADER_LENGTH;
  const source = tables.domains.v4[tables.tunnel.domain];
  const destination = tables.peers.probe[peer * 4];
  const flags = ipv4.FLAG.DONT_FRAGMENT;
  ipv4.writeHeader(view, l3, CONTROL, LENGTH_4, 0, flags, TTL, PROTOCOL.ICMP, source, destination);
  icmp.writeHeader(view, l4, icmp.TYPE.ECHO_REQUEST, 0, token);
  icmp.setChecksum(view, l4, l4Checksum(checksum, 0, l4, icmp.HEADER_LENGTH));
}

function writeProbe6(context: Context, l3: number, peer: number, token: number): void {
  const { pool, tables, checksum } = context;
  const { view } = pool;
  const l4 = l3 + ipv6.HEADER_LENGTH;
  ipv6.writeHeader(view, l3, CONTROL, 0, icmpv6.HEADER_LENGTH, PROTOCOL.ICMPV6, TTL);
  setAddress6(view, l3 + ipv6.SRC, tables.domains.v6, tables.tunnel.domain);
  setAddress6(view, l3 + ipv6.DST, tables.peers.probe, peer);
  icmpv6.writeHeader(view, l4, icmpv6.TYPE.ECHO_REQUEST, 0, token);
  const pseudo = pseudoIpv6(view, l3, PROTOCOL.ICMPV6, icmpv6.HEADER_LENGTH);
  icmpv6.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, icmpv6.HEADER_LENGTH));
}

/** Where the quoted IP header of a probe is, in a Time Exceeded; 0: the ICMP message in `slot` is none, or is cut. */
export function quotedProbe(pool: PacketPool, slot: number): number {
  const quote = pool.l4[slot] + icmp.HEADER_LENGTH;
  const isProbe = pool.kind[slot] === KIND.IPV4 ? quotesProbe4(pool, slot) : quotesProbe6(pool, slot);
  return isProbe ? quote : 0;
}

/** A probe has no options, so neither has the quote. */
function quotesProbe4(pool: PacketPool, slot: number): boolean {
  const { view } = pool;
  const l4 = pool.l4[slot];
  const quote = l4 + icmp.HEADER_LENGTH;
  return (
    icmp.type(view, l4) === icmp.TYPE.TIME_EXCEEDED &&
    icmp.code(view, l4) === icmp.TIME_EXCEEDED.TTL &&
    quote + LENGTH_4 <= pool.l3[slot] + pool.l3Length[slot] &&
    ipv4.version(view, quote) === 4 &&
    ipv4.headerLength(view, quote) === ipv4.HEADER_LENGTH &&
    ipv4.protocol(view, quote) === PROTOCOL.ICMP &&
    icmp.type(view, quote + ipv4.HEADER_LENGTH) === icmp.TYPE.ECHO_REQUEST
  );
}

function quotesProbe6(pool: PacketPool, slot: number): boolean {
  const { view } = pool;
  const l4 = pool.l4[slot];
  const quote = l4 + icmpv6.HEADER_LENGTH;
  return (
    icmpv6.type(view, l4) === icmpv6.TYPE.TIME_EXCEEDED &&
    icmpv6.code(view, l4) === icmpv6.TIME_EXCEEDED.HOP_LIMIT &&
    quote + LENGTH_6 <= pool.l3[slot] + pool.l3Length[slot] &&
    ipv6.version(view, quote) === 6 &&
    ipv6.nextHeader(view, quote) === PROTOCOL.ICMPV6 &&
    icmpv6.type(view, quote + ipv6.HEADER_LENGTH) === icmpv6.TYPE.ECHO_REQUEST
  );
}

/** Whether the ICMP message in `slot` is an echo reply. */
export function isEchoReply(pool: PacketPool, slot: number): boolean {
  const { view } = pool;
  const l4 = pool.l4[slot];
  return pool.kind[slot] === KIND.IPV4
    ? icmp.type(view, l4) === icmp.TYPE.ECHO_REPLY && icmp.code(view, l4) === 0
    : icmpv6.type(view, l4) === icmpv6.TYPE.ECHO_REPLY && icmpv6.code(view, l4) === 0;
}

/** The token of the echo message at `l4`, signed. */
export function tokenAt(view: DataView, l4: number): number {
  return view.getInt32(l4 + TOKEN);
}

/** Whether the address at `at` in a packet of this family is the one that `peer` is probed at. */
export function isProbed(context: Context, isIpv4: boolean, at: number, peer: number): boolean {
  const { peers } = context.tables;
  const { view } = context.pool;
  const word = peer * 4;
  if (peers.probeFamily[peer] !== (isIpv4 ? 4 : 6)) return false;
  if (isIpv4) return view.getUint32(at) === peers.probe[word];
  for (let i = 0; i < 4; i++) if (ipv6.word(view, at, i) !== (peers.probe[word + i] | 0)) return false;
  return true;
}

function setAddress6(view: DataView, at: number, words: Uint32Array, index: number): void {
  const word = index * 4;
  ipv6.setAddress(view, at, words[word] | 0, words[word + 1] | 0, words[word + 2] | 0, words[word + 3] | 0);
}
