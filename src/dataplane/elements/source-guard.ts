/**
 * SourceGuard: what a port sends carries the port's own addresses, or is dropped.
 *
 * For guarded ports: the source MAC is the port's; an IPv4 or IPv6 source is one of the port's addresses (or
 * `0.0.0.0` / `::` where DHCP and duplicate address detection need it); ARP and neighbour discovery claim
 * nothing that is another's, and nobody but the switch advertises routers or redirects (RFC 6105).
 * Holds for tagged packets as for untagged ones. At a domain's uplink the opposite holds (uplink-guard.ts).
 *
 * Output `ok`. Drops: spoofed-mac, spoofed-ipv4, spoofed-ipv6, spoofed-arp, spoofed-nd, malformed-nd.
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { KIND, type PacketPool } from '../pool.js';
import { GUARD, ownsIpv4, ownsIpv6, type PortTableData } from '../tables/port-table.js';
import {
  checkRole,
  claimsTarget,
  isArpProbe,
  isDhcpRequest,
  judgeIpv6,
  namesOwnMac,
  SOURCE_6,
} from './guard-rules.js';
import { guardUplink } from './uplink-guard.js';

const ALLOWED = -1;

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
      const kind = ports.guard[port];
      const verdict =
        kind === GUARD.OWN
          ? guard(pool, ports, slot, port)
          : kind === GUARD.UPLINK
            ? guardUplink(pool, tables, slot)
            : ALLOWED;
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

/** Sender MAC and IP are the port's own; 0.0.0.0 is an address probe (RFC 5227 section 1.1). */
function guardArp(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const { view } = pool;
  const l3 = pool.l3[slot];
  if (arp.senderMacLo(view, l3) !== ports.macLo[port]) return DROP['spoofed-arp'];
  if (arp.senderMacHi(view, l3) !== ports.macHi[port]) return DROP['spoofed-arp'];
  if (ownsIpv4(ports, port, arp.senderIp(view, l3) | 0)) return ALLOWED;
  return isArpProbe(view, l3) ? ALLOWED : DROP['spoofed-arp'];
}

function guardIpv6(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const own = ownsIpv6(ports, port, pool.view, pool.l3[slot] + ipv6.SRC);
  const verdict = judgeIpv6(pool, slot, own);
  if (verdict === SOURCE_6.ALLOWED) return ALLOWED;
  return verdict === SOURCE_6.REFUSED ? DROP['spoofed-ipv6'] : guardDiscovery(pool, ports, slot, port);
}

/** Link-layer options name the port's MAC; an advertisement, or a solicitation from `::`, an own address. */
function guardDiscovery(pool: PacketPool, ports: PortTableData, slot: number, port: number): number {
  const malformed = checkRole(pool, slot, DROP['spoofed-nd']);
  if (malformed !== ALLOWED) return malformed;
  const { view } = pool;
  const l4 = pool.l4[slot];
  if (!namesOwnMac(pool, slot, ports.macHi[port], ports.macLo[port] | 0)) return DROP['spoofed-nd'];
  const isSound = !claimsTarget(view, pool.l3[slot], l4) || ownsIpv6(ports, port, view, l4 + nd.TARGET);
  return isSound ? ALLOWED : DROP['spoofed-nd'];
}
