/**
 * SourceGuard: what a port sends carries the port's own addresses, or is dropped.
 *
 * For guarded ports: the source MAC is the port's; an IPv4 or IPv6 source is one of the port's addresses (or
 * `0.0.0.0` / `::` where DHCP and duplicate address detection need it); ARP and neighbour discovery claim
 * nothing that is another's, and nobody but the switch advertises routers or redirects (RFC 6105).
 * Holds for tagged packets as for untagged ones.
 *
 * Output `ok`. Drops: spoofed-mac, spoofed-ipv4, spoofed-ipv6, spoofed-arp, spoofed-nd, malformed-nd.
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import * as udp from '../../wire/udp.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { checkDiscovery } from '../neighbour-discovery.js';
import { KIND, type PacketPool } from '../pool.js';
import { ownsIpv4, ownsIpv6, type PortTableData } from '../tables/port-table.js';

const ALLOWED = -1;
const BOOTP_CLIENT = 68;
const BOOTP_SERVER = 67;

export class SourceGuard implements Element {
  readonly name = 'source-guard';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly ok: Batch,
  ) {}

  process(batch: Batch): void {
    const { context } = this;
    const { pool, tables } = context;
    const { ports } = tables;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const port = pool.port[slot];
      const verdict = ports.guard[port] === 1 ? guard(pool, ports, slot, port) : ALLOWED;
      if (verdict === ALLOWED) this.ok.push(slot);
      else context.drop(slot, verdict);
    }
  }
}

function guard(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const { view } = pool;
  const at = pool.at[slot];
  if (ethernet.srcLo(view, at) !== ports.macLo[port] || ethernet.srcHi(view, at) !== ports.macHi[port]) {
    return DROP['spoofed-mac'];
  }
  switch (pool.kind[slot]) {
    case KIND.IPV4:
      return guardIpv4(pool, ports, slot, port);
    case KIND.IPV6:
      return guardIpv6(pool, ports, slot, port);
    case KIND.ARP:
      return guardArp(pool, ports, slot, port);
    default:
      return ALLOWED;
  }
}

function guardIpv4(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const source = ipv4.src(view, l3) | 0;
  if (ownsIpv4(ports, port, source)) return ALLOWED;
  return source === 0 && isDhcpRequest(pool, slot) ? ALLOWED : DROP['spoofed-ipv4'];
}

/** RFC 2131 section 4.1: a client without an address sends from 0.0.0.0, port 68, to port 67. */
function isDhcpRequest(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 === 0 || pool.protocol[slot] !== PROTOCOL.UDP) return false;
  return udp.srcPort(pool.view, l4) === BOOTP_CLIENT && udp.dstPort(pool.view, l4) === BOOTP_SERVER;
}

/** Sender MAC and IP are the port's own; 0.0.0.0 is an address probe (RFC 5227 section 1.1). */
function guardArp(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  if (arp.senderMacLo(view, l3) !== ports.macLo[port]) return DROP['spoofed-arp'];
  if (arp.senderMacHi(view, l3) !== ports.macHi[port]) return DROP['spoofed-arp'];
  const address = arp.senderIp(view, l3) | 0;
  if (ownsIpv4(ports, port, address)) return ALLOWED;
  return address === 0 && arp.operation(view, l3) === arp.OP.REQUEST ? ALLOWED : DROP['spoofed-arp'];
}

function guardIpv6(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const source = l3 + ipv6.SRC;
  const own = ownsIpv6(ports, port, view, source);
  if (pool.protocol[slot] !== PROTOCOL.ICMPV6) return own ? ALLOWED : DROP['spoofed-ipv6'];
  // A later fragment has no type to look at; neighbour discovery is never fragmented (RFC 6980).
  if (pool.l4[slot] === 0) return own ? ALLOWED : DROP['spoofed-ipv6'];
  if (!own && !ipv6.isUnspecified(view, source)) return DROP['spoofed-ipv6'];
  const type = icmpv6.type(view, pool.l4[slot]);
  if (icmpv6.isNeighbourDiscovery(type)) return guardDiscovery(pool, ports, slot, port, type);
  // MLD reports may come from :: before an address is ready (RFC 3590); nothing else may.
  return own || icmpv6.isListenerReport(type) ? ALLOWED : DROP['spoofed-ipv6'];
}

function guardDiscovery(
  pool: PacketPool,
  ports: PortTableData,
  slot: number,
  port: number,
  type: number,
): number {
  if (type === icmpv6.TYPE.ROUTER_ADVERTISEMENT || type === icmpv6.TYPE.REDIRECT) return DROP['spoofed-nd'];
  const malformed = checkDiscovery(pool, slot);
  if (malformed !== ALLOWED) return malformed;
  return claimsOnlyOwn(pool, ports, slot, port, type) ? ALLOWED : DROP['spoofed-nd'];
}

/** Link-layer options name the port's MAC; an advertisement, or a solicitation from `::`, an own address. */
function claimsOnlyOwn(
  pool: PacketPool,
  ports: PortTableData,
  slot: number,
  port: number,
  type: number,
): boolean {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const l4 = pool.l4[slot];
  const isAdvertisement = type === icmpv6.TYPE.NEIGHBOUR_ADVERTISEMENT;
  const option = isAdvertisement ? nd.OPTION.TARGET_LINK_LAYER : nd.OPTION.SOURCE_LINK_LAYER;
  const end = l3 + pool.l3Length[slot];
  if (!nd.namesOnly(view, l4, end, option, ports.macHi[port], ports.macLo[port] | 0)) return false;
  const claimsTarget =
    isAdvertisement || (type === icmpv6.TYPE.NEIGHBOUR_SOLICITATION && nd.isDuplicateDetection(view, l3));
  return !claimsTarget || ownsIpv6(ports, port, view, l4 + nd.TARGET);
}
