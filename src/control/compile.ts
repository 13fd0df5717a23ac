/**
 * Compile: from what is attached to the snapshot that forwarding runs on. A pure function.
 *
 * Route tables keep networks apart. Each routed network has its own, with its connected prefixes, the
 * switch's gateway addresses and the node's addresses; so pods of two networks do not reach one another, and routes that say
 * so (compile-apart.ts). The node's table, number 0, has every routed network: the node reaches all pods.
 *
 * Other nodes (compile-cluster.ts): the tunnel is a port in a domain of its own, which carries routed packets; its gateways are those of
 * the default network, its MAC address this node's VTEP's, and its route table leads to the default network and
 * the node only. A peer's subnets are routes of the default network and of the node for as long as the peer is
 * live; the peer itself stays known, so that it is probed.
 *
 * Policies: ports of pods are policed, so that each stays closed until the data plane was told what holds for it.
 *
 * Services (compile-services.ts): which addresses may be one's; and where answers to clients from outside go.
 *
 * A direct network's two ports are each other's peer. While it has one, that port stays out of the snapshot
 * and so closed, as a veth is whose other end is not there.
 */
import type {
  DomainSpec,
  ImpairmentSpec,
  PortSpec,
  RateSpec,
  RouteSpec,
  Snapshot,
} from '../dataplane/snapshot.js';
import type { Limits, Rate } from './api/types.js';
import { hostPrefix } from './cidr.js';
import { apartRoutes, isRouted } from './compile-apart.js';
import { membersOnPeers, peerSpec, tunnelDomain, tunnelPort } from './compile-cluster.js';
import { egressRoutes } from './compile-egress.js';
import { impairmentsByPort } from './compile-impairments.js';
import {
  hasServices,
  lastResort,
  routesToNode,
  serviceRoutes,
  translationSpec,
  withoutForeign,
} from './compile-services.js';
import { macOf } from './mac.js';
import { DEFAULT_NETWORK } from './model/network.js';
import {
  NODE_RETURN_TABLE,
  NODE_ROUTE_TABLE,
  type Plan,
  type PlannedNetwork,
  type PlannedPort,
  TUNNEL_DOMAIN,
  TUNNEL_ROUTE_TABLE,
} from './plan.js';

export function compile(given: Plan): Snapshot {
  const plan = withoutForeign(given);
  const networks = new Map(plan.networks.map((network) => [network.name, network]));
  const impairments = impairmentsByPort(plan.impairments ?? [], plan.pods);
  const members = plan.node ? [plan.node, ...plan.pods] : plan.pods;
  const ports = members.flatMap((port) => {
    const network = networks.get(port.network);
    if (!network) throw new Error(`port ${port.name} is in network ${port.network}, which is not planned`);
    const spec = portSpec(port, network, plan);
    return spec ? shaped(spec, port.limits, impairments.get(port.id)) : [];
  });
  const home = networks.get(DEFAULT_NETWORK);
  const { cluster } = plan;
  const translation = translationSpec(plan, home);
  return {
    generation: plan.generation,
    ports: [
      ...ports,
      ...plan.networks.flatMap(uplinkPorts),
      ...(cluster && home ? [tunnelPort(cluster.tunnel, home)] : []),
    ].sort(byId),
    domains: [
      ...plan.networks.flatMap((network) => domainSpecs(network, plan)),
      ...(cluster && home ? [tunnelDomain(cluster.tunnel, home)] : []),
    ].sort(byId),
    routes: [
      ...allRoutes(plan, home),
      ...serviceRoutes(plan, serviceTables(plan)),
      ...plan.networks.filter(isRouted).flatMap((network) => routesToOthers(network, plan)),
    ],
    neighbours: [
      ...ports.flatMap(({ id, mac, addresses, attachment }) =>
        attachment.kind === 'domain'
          ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
          : [],
      ),
      ...plan.networks.flatMap((network) => membersOnPeers(network, plan)),
    ],
    ...(cluster &&
      home && {
        tunnel: { port: cluster.tunnel.port, domain: TUNNEL_DOMAIN },
        peers: cluster.peers.map((peer) => peerSpec(peer, home, translation !== undefined)),
      }),
    ...(translation && { translation }),
  };
}

function byId(a: { readonly id: number }, b: { readonly id: number }): number {
  return a.id - b.id;
}

/** A network's domains have its name, from the second on with a number: `backend`, `backend#1`. */
export function domainName(network: string, index: number): string {
  return index === 0 ? network : `${network}#${index}`;
}

function domainSpecs(network: PlannedNetwork, plan: Plan): DomainSpec[] {
  if (network.mode === 'direct') return [];
  const peers = new Set(membersOnPeers(network, plan).map(({ peer }) => peer));
  return network.domains.map(({ id, gateways }, index) => ({
    id,
    name: domainName(network.name, index),
    gatewayMac: macOf(gateways),
    gateways,
    learning: !network.sourceGuard,
    ...(network.uplink && index === 0 && { uplink: network.uplink.port }),
    ...(plan.cluster && network.vni !== undefined && { vni: network.vni, peers: [...peers] }),
  }));
}

function portSpec(port: PlannedPort, network: PlannedNetwork, plan: Plan): PortSpec | undefined {
  const attachment = attachmentOf(port, network, plan);
  if (!attachment) return undefined;
  const isNode = port === plan.node;
  return {
    id: port.id,
    name: port.name,
    mac: port.mac,
    addresses: port.ips,
    attachment,
    routeTable: isNode ? NODE_ROUTE_TABLE : network.routeTable,
    ...(isNode && plan.services && { returnTable: NODE_RETURN_TABLE }),
    mtu: port.mtu,
    guard: !isNode && network.sourceGuard,
    ...(plan.policed && !isNode && { policed: true }),
  };
}

function shaped(spec: PortSpec, limits: Limits = {}, impairments?: readonly ImpairmentSpec[]): PortSpec {
  const { egress, ingress } = limits;
  const rates = {
    ...(egress && { fromPort: rateSpec(egress) }),
    ...(ingress && { toPort: rateSpec(ingress) }),
  };
  return { ...spec, ...((egress || ingress) && { rates }), ...(impairments && { impairments }) };
}

function rateSpec({ rate, burst }: Rate): RateSpec {
  return { bitsPerSecond: rate, burstBytes: burst };
}

function attachmentOf(
  port: PlannedPort,
  network: PlannedNetwork,
  plan: Plan,
): PortSpec['attachment'] | undefined {
  if (network.mode !== 'direct') return { kind: 'domain', domain: network.domains[port.domain].id };
  const peer = plan.pods.find((other) => other.network === network.name && other.id !== port.id);
  return peer && { kind: 'direct', peer: peer.id };
}

function routesToOthers(network: PlannedNetwork, plan: Plan): RouteSpec[] {
  const apart = apartRoutes(network, plan);
  return [...apart, ...egressRoutes(network, plan, apart)];
}

function allRoutes(plan: Plan, home: PlannedNetwork | undefined): RouteSpec[] {
  const { networks, node, services, cluster } = plan;
  return [
    ...networks.flatMap((network) => networkRoutes(network, plan)),
    ...routedDomains(NODE_ROUTE_TABLE, plan),
    ...(node && services ? [...routedDomains(NODE_RETURN_TABLE, plan), ...lastResort(node)] : []),
    ...(cluster && home ? networkRoutes(home, plan, TUNNEL_ROUTE_TABLE) : []),
  ];
}

function serviceTables({ networks }: Plan): number[] {
  return [NODE_ROUTE_TABLE, ...networks.filter(isRouted).map(({ routeTable }) => routeTable)];
}

/** What pods of the network reach through its gateways. */
function networkRoutes(
  network: PlannedNetwork,
  { node, services }: Plan,
  table = network.routeTable,
): RouteSpec[] {
  if (!isRouted(network)) return [];
  const toNode = node ? routesToNode(table, node, services) : [];
  return [...domainRoutes(table, network, services !== undefined), ...toNode];
}

function routedDomains(table: number, { networks, services }: Plan): RouteSpec[] {
  return networks.filter(isRouted).flatMap((network) => domainRoutes(table, network, services !== undefined));
}

function domainRoutes(table: number, { domains }: PlannedNetwork, mayBeService: boolean): RouteSpec[] {
  const services = mayBeService && hasServices(table) ? { services: 'address' as const } : {};
  return domains.flatMap(({ id, cidrs, gateways }) => [
    ...cidrs.map((prefix) => ({ table, prefix, kind: 'connected' as const, domain: id })),
    ...gateways.map((address) => ({
      table,
      prefix: hostPrefix(address),
      kind: 'local' as const,
      ...services,
    })),
  ]);
}

/** Its MAC address and guard say nothing: the data plane guards an uplink by what it knows of the domain's ports. */
function uplinkPorts({ uplink, domains: [domain], routeTable }: PlannedNetwork): PortSpec[] {
  if (!uplink || !domain) return [];
  const { port: id, name, mac, mtu } = uplink;
  const attachment = { kind: 'domain', domain: domain.id } as const;
  return [{ id, name, mac, addresses: [], attachment, routeTable, mtu, guard: false }];
}
