/** What of a snapshot is about other nodes: this node's end of the tunnel, its peers, and the pods of overlays behind them. */
import type { DomainSpec, NeighbourSpec, PeerSpec, PortSpec } from '../dataplane/snapshot.js';
import { holds } from './cidr.js';
import { macOf } from './mac.js';
import {
  NODE_RETURN_TABLE,
  NODE_ROUTE_TABLE,
  type Plan,
  type PlannedNetwork,
  type PlannedPeer,
  type PlannedTunnel,
  TUNNEL_DOMAIN,
  TUNNEL_NAME,
  TUNNEL_ROUTE_TABLE,
} from './plan.js';

/**
 * An overlay's pods on peers that are live. A peer is not believed that says it has an address or a MAC which is the
 * switch's or one of our own pods'.
 */
export function membersOnPeers(
  { name, vni, members = [], domains: [domain] }: PlannedNetwork,
  { cluster, pods }: Plan,
): (NeighbourSpec & { readonly peer: number })[] {
  if (!cluster || vni === undefined || !domain) return [];
  const peers = new Map(cluster.peers.filter(({ live }) => live).map((peer) => [peer.name, peer.id]));
  const own = pods.filter(({ network }) => network === name).flatMap(({ mac, ips }) => [mac, ...ips]);
  const ours = new Set([macOf(domain.gateways), ...domain.gateways, ...own]);
  return members.flatMap(({ address, mac, node }) => {
    const peer = peers.get(node);
    if (peer === undefined || ours.has(mac) || ours.has(address)) return [];
    if (!domain.cidrs.some((cidr) => holds(cidr, address))) return [];
    return [{ domain: domain.id, address, mac, peer }];
  });
}

/** @param home whose table leads back to peers, for answers of pods that publish ports. */
export function tunnelPort({ port, mac, mtu }: PlannedTunnel, home: PlannedNetwork): PortSpec {
  return {
    id: port,
    name: TUNNEL_NAME,
    mac,
    addresses: [],
    attachment: { kind: 'tunnel', domain: TUNNEL_DOMAIN },
    routeTable: TUNNEL_ROUTE_TABLE,
    returnTable: home.routeTable,
    mtu,
    guard: false,
  };
}

export function tunnelDomain({ mac, vni }: PlannedTunnel, home: PlannedNetwork): DomainSpec {
  return {
    id: TUNNEL_DOMAIN,
    name: TUNNEL_NAME,
    gatewayMac: mac,
    gateways: home.domains.flatMap(({ gateways }) => gateways),
    learning: false,
    vni,
  };
}

/**
 * What comes from a peer is for the default network or the node, and never goes back into the tunnel.
 *
 * Answers to the peer itself are not: as a client it came in by the node's port, and expects them there.
 */
export function peerSpec(
  { live, ...peer }: PlannedPeer,
  { routeTable }: PlannedNetwork,
  hasReturnTable: boolean,
): PeerSpec {
  if (!live) return peer;
  return {
    ...peer,
    routedIn: [routeTable, NODE_ROUTE_TABLE, ...(hasReturnTable ? [NODE_RETURN_TABLE] : [])],
    hostsRoutedIn: [routeTable, NODE_ROUTE_TABLE],
  };
}
