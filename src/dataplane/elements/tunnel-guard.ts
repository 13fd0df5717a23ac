/**
 * What a peer may send through the tunnel: the counterpart of the source guard for other nodes. A peer is believed
 * to have checked its own pods, and no further: whatever it sends must come from one of them.
 *
 * Routed packets (the network that joins the nodes) come to this node's VTEP, untagged, from a prefix of the peer.
 *
 * Frames of an overlay come from a MAC address that the control plane has put behind this peer, and every IP
 * address that they come from or claim belongs to that MAC address, as in source-guard.ts: `0.0.0.0` and `::` where
 * DHCP, address probes and duplicate address detection need them; the link-local address that follows from the
 * MAC. The peer may also route into an overlay, as each node is the gateway of all its networks: then the source
 * MAC is the gateway's and the IP source is from a prefix of the peer, and nothing is claimed. Into an overlay
 * without a gateway nobody routes.
 *
 * Answers ACCEPTED or the number of a drop reason: tunnel-mac, vlan-not-routed, not-ip, tunnel-source, link-protocol,
 * not-forwardable, malformed-nd.
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { isDiscovery } from '../neighbour-discovery.js';
import { KIND } from '../pool.js';
import { NEXT_HOP } from '../tables/next-hops.js';
import { PEER_SOURCES_TABLE, type Tables } from '../tables.js';
import {
  checkRole,
  claimsTarget,
  isArpProbe,
  isDhcpRequest,
  isLinkProtocol,
  judgeIpv6,
  namesOwnMac,
  SOURCE_6,
} from './guard-rules.js';

export const ACCEPTED = -1;

/** fe80::/64 as signed words, and the octets in the middle of an EUI-64 (RFC 4291 appendix A). */
const LINK_LOCAL = 0xfe80_0000 | 0;
const EUI_FF = 0xff;
const EUI_FE = 0xfe00_0000 | 0;

/** For a parsed packet whose VNI is that of routed packets. */
export function guardRouted(context: Context, slot: number, peer: number): number {
  const { pool, tables } = context;
  const { domains } = tables;
  const domain = pool.domain[slot];
  const at = pool.at[slot];
  const isForUs =
    ethernet.dstLo(pool.view, at) === domains.gatewayLo[domain] &&
    ethernet.dstHi(pool.view, at) === domains.gatewayHi[domain];
  if (!isForUs) return DROP['tunnel-mac'];
  if (pool.vlan[slot] !== 0) return DROP['vlan-not-routed'];
  if (!isIp(pool.kind[slot])) return DROP['not-ip'];
  return comesFromPrefix(context, slot, peer) ? ACCEPTED : DROP['tunnel-source'];
}

/** For a parsed packet of an overlay. */
export function guardBridged(context: Context, slot: number, peer: number): number {
  const { pool, tables } = context;
  const { view } = pool;
  const { gatewayHi, gatewayLo } = tables.domains;
  const domain = pool.domain[slot];
  const at = pool.at[slot];
  const dstHi = ethernet.dstHi(view, at);
  const dstLo = ethernet.dstLo(view, at);
  if (isLinkProtocol(dstHi, dstLo | 0)) return DROP['link-protocol'];
  // Every node is the gateway of its own pods.
  if (dstLo === gatewayLo[domain] && dstHi === gatewayHi[domain]) return DROP['not-forwardable'];
  const hi = ethernet.srcHi(view, at);
  const lo = ethernet.srcLo(view, at);
  if (lo === gatewayLo[domain] && hi === gatewayHi[domain]) return guardGateway(context, slot, peer);
  if (tables.fdb.lookup(domain, hi, lo | 0) !== PEER_EGRESS + peer) return DROP['tunnel-source'];
  switch (pool.kind[slot]) {
    case KIND.IPV4:
      return guardIpv4(context, slot, hi, lo | 0);
    case KIND.IPV6:
      return guardIpv6(context, slot, hi, lo | 0);
    case KIND.ARP:
      return guardArp(context, slot, hi, lo | 0);
    default:
      return ACCEPTED;
  }
}

/** Who routed it has taken care that it is for one host; a gateway that asks or answers is each node's own. */
function guardGateway(context: Context, slot: number, peer: number): number {
  const { pool, tables } = context;
  const kind = pool.kind[slot];
  if (tables.domains.routed[pool.domain[slot]] === 0) return DROP['tunnel-source'];
  if (pool.vlan[slot] !== 0 || !isIp(kind)) return DROP['tunnel-source'];
  if (ethernet.isMulticastHi(ethernet.dstHi(pool.view, pool.at[slot]))) return DROP['tunnel-source'];
  if (kind === KIND.IPV6 && isDiscovery(pool, slot)) return DROP['tunnel-source'];
  return comesFromPrefix(context, slot, peer) ? ACCEPTED : DROP['tunnel-source'];
}

function isIp(kind: number): boolean {
  return kind === KIND.IPV4 || kind === KIND.IPV6;
}

/** Whether the longest of all peers' prefixes that has the source is this peer's. */
function comesFromPrefix({ pool, tables }: Context, slot: number, peer: number): boolean {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const hop =
    pool.kind[slot] === KIND.IPV4
      ? tables.fib4.lookup(PEER_SOURCES_TABLE, ipv4.src(view, l3) | 0)
      : tables.fib6.lookup(
          PEER_SOURCES_TABLE,
          ipv6.srcWord(view, l3, 0) | 0,
          ipv6.srcWord(view, l3, 1) | 0,
          ipv6.srcWord(view, l3, 2) | 0,
          ipv6.srcWord(view, l3, 3) | 0,
        );
  const { nextHops } = tables;
  return hop >= 0 && nextHops.kind[hop] === NEXT_HOP.PEER && nextHops.target[hop] === peer;
}

function guardIpv4({ pool, tables }: Context, slot: number, hi: number, lo: number): number {
  const source = ipv4.src(pool.view, pool.l3[slot]) | 0;
  if (ownsIpv4(tables, pool.domain[slot], source, hi, lo)) return ACCEPTED;
  return source === 0 && isDhcpRequest(pool, slot) ? ACCEPTED : DROP['tunnel-source'];
}

function guardArp({ pool, tables }: Context, slot: number, hi: number, lo: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  if ((arp.senderMacLo(view, l3) | 0) !== lo || arp.senderMacHi(view, l3) !== hi)
    return DROP['tunnel-source'];
  if (ownsIpv4(tables, pool.domain[slot], arp.senderIp(view, l3) | 0, hi, lo)) return ACCEPTED;
  return isArpProbe(view, l3) ? ACCEPTED : DROP['tunnel-source'];
}

function guardIpv6({ pool, tables }: Context, slot: number, hi: number, lo: number): number {
  const { view } = pool;
  const domain = pool.domain[slot];
  const l3 = pool.l3[slot];
  const verdict = judgeIpv6(pool, slot, ownsIpv6(tables, domain, view, l3 + ipv6.SRC, hi, lo));
  if (verdict === SOURCE_6.ALLOWED) return ACCEPTED;
  if (verdict === SOURCE_6.REFUSED) return DROP['tunnel-source'];
  const malformed = checkRole(pool, slot, DROP['tunnel-source']);
  if (malformed !== ACCEPTED) return malformed;
  const l4 = pool.l4[slot];
  if (!namesOwnMac(pool, slot, hi, lo)) return DROP['tunnel-source'];
  const isSound = !claimsTarget(view, l3, l4) || ownsIpv6(tables, domain, view, l4 + nd.TARGET, hi, lo);
  return isSound ? ACCEPTED : DROP['tunnel-source'];
}

/** Whether the control plane knows the address to be this MAC's, which lies behind the peer. */
function ownsIpv4({ neighbours }: Tables, domain: number, address: number, hi: number, lo: number): boolean {
  const index = neighbours.lookup4(domain, address);
  return index >= 0 && (neighbours.macLo(index) | 0) === lo && neighbours.macHi(index) === hi;
}

/** The same for the IPv6 address at `at`, or that it is the MAC's link-local one. */
function ownsIpv6(
  { neighbours }: Tables,
  domain: number,
  view: DataView,
  at: number,
  hi: number,
  lo: number,
): boolean {
  const w0 = ipv6.word(view, at, 0) | 0;
  const w1 = ipv6.word(view, at, 1) | 0;
  const w2 = ipv6.word(view, at, 2) | 0;
  const w3 = ipv6.word(view, at, 3) | 0;
  if (w0 === LINK_LOCAL && w1 === 0) return isEui64(w2, w3, hi, lo);
  const index = neighbours.lookup6(domain, w0, w1, w2, w3);
  return index >= 0 && (neighbours.macLo(index) | 0) === lo && neighbours.macHi(index) === hi;
}

/** Whether these two words are the interface identifier that follows from the MAC address. */
function isEui64(w2: number, w3: number, hi: number, lo: number): boolean {
  const high = ((hi ^ 0x0200) << 16) | ((lo >>> 24) << 8) | EUI_FF;
  return w2 === high && w3 === (EUI_FE | (lo & 0x00ff_ffff));
}
