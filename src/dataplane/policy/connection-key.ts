/**
 * The tuple by which a packet of a policed port finds its connection; that of a packet whose addresses are final, as it leaves.
 *
 * Zones. Connections that are translated have one of their own (translation/tuple.ts); all others of the routed networks share
 * one, since one way may be bridged and the other routed; a network without a router, and a direct pair, has its own, for its
 * addresses may be those of another network.
 */
import * as icmp from '../../wire/icmp.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Context } from '../element.js';
import { type FlowKey, protocolOf } from '../flows/flow-key.js';
import { answerPorts, isIcmp, PART, partOf, queryPorts } from '../flows/icmp-queries.js';
import { KIND, type PacketPool } from '../pool.js';
import { NONE } from '../tables/port-table.js';
import { hasPorts, isWithPorts } from '../translation/tuple.js';

/** Of connections between addresses of routed networks that are not translated. */
export const ROUTED_ZONE = 1;
/** Of those of the first domain that has no router. */
export const FIRST_DOMAIN_ZONE = 2;
/** The same of a direct pair, by its lower port. */
export const FIRST_PAIR_ZONE = 0x8000;

/** Of a packet that is bridged; what is routed is of ROUTED_ZONE. */
export function zoneOf({ pool, tables }: Context, slot: number): number {
  const port = pool.port[slot];
  const other = port < tables.ports.peer.length ? tables.ports.peer[port] : NONE;
  if (other !== NONE) return FIRST_PAIR_ZONE + Math.min(port, other);
  const domain = pool.domain[slot];
  return tables.domains.routed[domain] === 1 ? ROUTED_ZONE : FIRST_DOMAIN_ZONE + domain;
}

/** Fills `key` with the tuple of an IP packet that has a transport header. One of PART; of NONE the key says nothing. */
export function readKey(pool: PacketPool, slot: number, zone: number, key: FlowKey): number {
  const { view } = pool;
  const l4 = pool.l4[slot];
  const protocol = pool.protocol[slot];
  if (isIcmp(protocol)) {
    const isOfFamily = (pool.kind[slot] === KIND.IPV4) === (protocol === PROTOCOL.ICMP);
    const part = isOfFamily ? partOf(protocol, icmp.type(view, l4)) : PART.NONE;
    if (part !== PART.NONE) seal(pool, slot, zone, key, queryPorts(view, l4));
    return part;
  }
  const isWith = isWithPorts(pool, slot);
  if (!isWith && hasPorts(protocol)) return PART.NONE;
  seal(pool, slot, zone, key, isWith ? view.getInt32(l4) : 0);
  return PART.QUERY;
}

/** Makes `other` the tuple of the other way. */
export function turn(key: FlowKey, other: FlowKey, zone: number): void {
  other.mirror(key, zone);
  const protocol = protocolOf(key.subject);
  if (isIcmp(protocol)) other.seal(other.subject, answerPorts(protocol, key.ports));
}

function seal(pool: PacketPool, slot: number, zone: number, key: FlowKey, ports: number): void {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const protocol = pool.protocol[slot];
  if (pool.kind[slot] === KIND.IPV4)
    key.setIpv4(zone, protocol, view.getInt32(l3 + 12), view.getInt32(l3 + 16), ports);
  else key.setIpv6(zone, protocol, view, l3 + ipv6.SRC, ports);
}
