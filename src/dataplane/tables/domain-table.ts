/**
 * What forwarding knows of each bridge domain, by number. Immutable; plain typed arrays. As many entries as
 * the snapshot has domains.
 */
import { linkLocalOf, parseIp, parseMac } from '../../wire/address.js';
import type { DomainSpec, PortSpec } from '../snapshot.js';

export interface DomainTableData {
  readonly gatewayHi: Uint16Array;
  readonly gatewayLo: Uint32Array;
  /** 1: the switch has an address here and routes. */
  readonly routed: Uint8Array;
  readonly learning: Uint8Array;
  /** First IPv4 gateway address, source of ICMP errors; 0: none. */
  readonly v4: Uint32Array;
  /** First IPv6 gateway address, four words each; all 0: none. */
  readonly v6: Uint32Array;
  /** The switch's link-local address (EUI-64 of its MAC), four words each. */
  readonly linkLocal: Uint32Array;
  /** Ports of the domain: a run of `members`. */
  readonly memberStart: Uint32Array;
  readonly memberCount: Uint32Array;
  readonly members: Uint16Array;
  /** The port that leads out, or NO_UPLINK. */
  readonly uplink: Int32Array;
  /** VXLAN network identifier, or NO_VNI. */
  readonly vni: Int32Array;
  /** Peers that broadcast of the domain is replicated to: a run of `peers`. */
  readonly peerStart: Uint32Array;
  readonly peerCount: Uint32Array;
  readonly peers: Uint16Array;
}

/** The domain does not leave this node. */
export const NO_VNI = -1;

export const NO_UPLINK = -1;

export function buildDomainTable(
  domains: readonly DomainSpec[],
  ports: readonly PortSpec[],
): DomainTableData {
  const size = domains.reduce((most, domain) => Math.max(most, domain.id + 1), 0);
  const table = {
    gatewayHi: new Uint16Array(size),
    gatewayLo: new Uint32Array(size),
    routed: new Uint8Array(size),
    learning: new Uint8Array(size),
    v4: new Uint32Array(size),
    v6: new Uint32Array(size * 4),
    linkLocal: new Uint32Array(size * 4),
    memberStart: new Uint32Array(size),
    memberCount: new Uint32Array(size),
    uplink: new Int32Array(size).fill(NO_UPLINK),
    vni: new Int32Array(size).fill(NO_VNI),
    peerStart: new Uint32Array(size),
    peerCount: new Uint32Array(size),
  };
  const members: number[] = [];
  const peers: number[] = [];
  for (const domain of domains) {
    const { id } = domain;
    const mac = parseMac(domain.gatewayMac);
    const gateways = domain.gateways.map(parseIp);
    table.gatewayHi[id] = mac.hi;
    table.gatewayLo[id] = mac.lo;
    table.routed[id] = gateways.length > 0 ? 1 : 0;
    table.learning[id] = domain.learning ? 1 : 0;
    table.v4[id] = gateways.find((gateway) => gateway.family === 4)?.words[0] ?? 0;
    table.v6.set(gateways.find((gateway) => gateway.family === 6)?.words ?? [], id * 4);
    table.linkLocal.set(linkLocalOf(mac), id * 4);
    table.memberStart[id] = members.length;
    members.push(...membersOf(id, ports));
    table.memberCount[id] = members.length - table.memberStart[id];
    table.uplink[id] = domain.uplink ?? NO_UPLINK;
    table.vni[id] = domain.vni ?? NO_VNI;
    table.peerStart[id] = peers.length;
    table.peerCount[id] = domain.peers?.length ?? 0;
    peers.push(...(domain.peers ?? []));
  }
  return { ...table, members: Uint16Array.from(members), peers: Uint16Array.from(peers) };
}

function membersOf(domain: number, ports: readonly PortSpec[]): number[] {
  return ports
    .filter((port) => port.attachment.kind === 'domain' && port.attachment.domain === domain)
    .map((port) => port.id);
}
