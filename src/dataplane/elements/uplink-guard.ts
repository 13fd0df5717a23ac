/**
 * What the source guard asks of packets that come in at a domain's uplink: nobody out there has an address of ours.
 *
 * Out there are hosts that the switch knows nothing of, and they may send under any address but those of the domain's own
 * ports: a frame with such a MAC or IP source is a forgery, or has come round a loop. So is an ARP packet or an
 * advertisement that claims one. Whoever asks whether an address of ours is taken (RFC 5227 section 2.1.1, RFC 4862
 * section 5.4.3) claims nothing yet and is answered. Routers out there may advertise themselves: they are the pods'.
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import { DROP } from '../drop-reasons.js';
import { checkDiscovery, isDiscovery } from '../neighbour-discovery.js';
import { KIND, type PacketPool } from '../pool.js';
import type { Tables } from '../tables.js';

const ALLOWED = -1;

/** Answers -1, or the number of a drop reason. */
export function guardUplink(pool: PacketPool, tables: Tables, slot: number): number {
  const { view } = pool;
  const at = pool.at[slot];
  const domain = pool.domain[slot];
  const port = pool.port[slot];
  const hi = ethernet.srcHi(view, at);
  if (isOurMac(tables, domain, port, hi, ethernet.srcLo(view, at) | 0)) return DROP['spoofed-mac'];
  const l3 = pool.l3[slot];
  switch (pool.kind[slot]) {
    case KIND.IPV4:
      return isOurs4(tables, domain, port, ipv4.src(view, l3) | 0) ? DROP['spoofed-ipv4'] : ALLOWED;
    case KIND.ARP:
      return claimsOurs(tables, domain, port, view, l3) ? DROP['spoofed-arp'] : ALLOWED;
    case KIND.IPV6:
      if (isOurs6(tables, domain, port, view, l3 + ipv6.SRC)) return DROP['spoofed-ipv6'];
      return isDiscovery(pool, slot) ? guardDiscovery(pool, tables, slot, domain, port) : ALLOWED;
    default:
      return ALLOWED;
  }
}

function claimsOurs(tables: Tables, domain: number, port: number, view: DataView, l3: number): boolean {
  if (isOurMac(tables, domain, port, arp.senderMacHi(view, l3), arp.senderMacLo(view, l3) | 0)) return true;
  return isOurs4(tables, domain, port, arp.senderIp(view, l3) | 0);
}

function guardDiscovery(
  pool: PacketPool,
  tables: Tables,
  slot: number,
  domain: number,
  port: number,
): number {
  const malformed = checkDiscovery(pool, slot);
  if (malformed !== ALLOWED) return malformed;
  const { view } = pool;
  const l4 = pool.l4[slot];
  const isAdvertisement = icmpv6.type(view, l4) === icmpv6.TYPE.NEIGHBOUR_ADVERTISEMENT;
  if (isAdvertisement && isOurs6(tables, domain, port, view, l4 + nd.TARGET)) return DROP['spoofed-nd'];
  const option = isAdvertisement ? nd.OPTION.TARGET_LINK_LAYER : nd.OPTION.SOURCE_LINK_LAYER;
  const link = nd.findOption(view, l4, pool.l3[slot] + pool.l3Length[slot], option);
  if (link < 0) return ALLOWED;
  const isOurs = isOurMac(tables, domain, port, nd.linkLayerHi(view, link), nd.linkLayerLo(view, link) | 0);
  return isOurs ? DROP['spoofed-nd'] : ALLOWED;
}

function isOurMac(tables: Tables, domain: number, port: number, hi: number, lo: number): boolean {
  const owner = tables.fdb.lookup(domain, hi, lo);
  return owner >= 0 && owner !== port;
}

function isOurs4({ neighbours }: Tables, domain: number, port: number, address: number): boolean {
  const index = neighbours.lookup4(domain, address);
  return index >= 0 && neighbours.port(index) !== port;
}

function isOurs6({ neighbours }: Tables, domain: number, port: number, view: DataView, at: number): boolean {
  const w0 = ipv6.word(view, at, 0) | 0;
  const w1 = ipv6.word(view, at, 1) | 0;
  const w2 = ipv6.word(view, at, 2) | 0;
  const index = neighbours.lookup6(domain, w0, w1, w2, ipv6.word(view, at, 3) | 0);
  return index >= 0 && neighbours.port(index) !== port;
}
