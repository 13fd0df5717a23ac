/**
 * The tuple that a packet's flow is found by: addresses, protocol, ports. All routed networks of a node are one address
 * space, since no two of their prefixes overlap: one zone.
 */
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import { HEADER_LENGTH as SCTP_HEADER } from '../../wire/sctp.js';
import type { FlowKey } from '../flows/flow-key.js';
import { KIND, type PacketPool } from '../pool.js';

export const ZONE = 0;

/** Whether ports lie in the first four octets behind the network header. */
export function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP || protocol === PROTOCOL.SCTP;
}

/** The parser looks into no SCTP header, so it may be cut off. */
export function isWithPorts(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  const protocol = pool.protocol[slot];
  if (l4 === 0 || !hasPorts(protocol)) return false;
  return protocol !== PROTOCOL.SCTP || l4 + SCTP_HEADER <= pool.l3[slot] + pool.l3Length[slot];
}

/** For a packet that is one with ports. */
export function readTuple(pool: PacketPool, slot: number, key: FlowKey): void {
  const { view } = pool;
  const l3 = pool.l3[slot];
  const ports = view.getInt32(pool.l4[slot]);
  if (pool.kind[slot] === KIND.IPV4) {
    key.setIpv4(ZONE, pool.protocol[slot], view.getInt32(l3 + 12), view.getInt32(l3 + 16), ports);
  } else {
    key.setIpv6(ZONE, pool.protocol[slot], view, l3 + ipv6.SRC, ports);
  }
}

/** Ports of the other way. */
export function swapPorts(ports: number): number {
  return (ports << 16) | (ports >>> 16);
}

/** A message that quotes the packet which it is about. */
export function isIcmpError(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 === 0) return false;
  const protocol = pool.protocol[slot];
  if (protocol === PROTOCOL.ICMP) {
    return pool.kind[slot] === KIND.IPV4 && icmp.isError(icmp.type(pool.view, l4));
  }
  if (protocol !== PROTOCOL.ICMPV6 || pool.kind[slot] !== KIND.IPV6) return false;
  return icmpv6.isError(icmpv6.type(pool.view, l4));
}
