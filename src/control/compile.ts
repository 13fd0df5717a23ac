/**
 * Compile: from what is attached to the snapshot that forwarding runs on. A pure function.
 *
 * Route tables keep networks apart. Each routed network has its own, with its connected prefixes, the
 * switch's gateway addresses and the node's addresses; so pods of two networks do not reach one another. The
 * node's table, number 0, has every routed network: the node reaches all pods.
 *
 * A direct network's two ports are each other's peer. While it has one, that port stays out of the snapshot
 * and so closed, as a veth is whose other end is not there.
 */
import type { PortSpec, RouteSpec, Snapshot } from '../dataplane/snapshot.js';
import type { NetworkMode } from './api/types.js';
import { hostPrefix } from './cidr.js';
import { macOf } from './mac.js';

export const NODE_ROUTE_TABLE = 0;

export interface PlannedDomain {
  readonly id: number;
  readonly cidrs: readonly string[];
  /** Empty where nothing is routed. */
  readonly gateways: readonly string[];
}

export interface PlannedNetwork {
  readonly name: string;
  readonly mode: NetworkMode;
  readonly sourceGuard: boolean;
  readonly routeTable: number;
  readonly domains: readonly PlannedDomain[];
}

export interface PlannedPort {
  readonly id: number;
  /** `default/web` */
  readonly name: string;
  readonly network: string;
  /** Index into the network's domains. */
  readonly domain: number;
  readonly mac: string;
  readonly ips: readonly string[];
  readonly mtu: number;
}

/** The node's own port: a member of its network's first domain. */
export interface PlannedNode extends PlannedPort {
  /** More addresses of the node that pods may reach: the underlay address. */
  readonly otherAddresses: readonly string[];
}

export interface Plan {
  readonly generation: number;
  readonly networks: readonly PlannedNetwork[];
  /** undefined while its interface is being made. */
  readonly node: PlannedNode | undefined;
  readonly pods: readonly PlannedPort[];
}

export function compile(plan: Plan): Snapshot {
  const networks = new Map(plan.networks.map((network) => [network.name, network]));
  const members = plan.node ? [plan.node, ...plan.pods] : plan.pods;
  const ports = members.flatMap((port) => {
    const network = networks.get(port.network);
    if (!network) throw new Error(`port ${port.name} is in network ${port.network}, which is not planned`);
    return portSpec(port, network, plan) ?? [];
  });
  return {
    generation: plan.generation,
    ports: ports.sort((a, b) => a.id - b.id),
    domains: plan.networks.flatMap(domainSpecs).sort((a, b) => a.id - b.id),
    routes: plan.networks.flatMap((network) => networkRoutes(network, plan.node)).concat(nodeRoutes(plan)),
    neighbours: ports.flatMap(({ id, mac, addresses, attachment }) =>
      attachment.kind === 'domain'
        ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
        : [],
    ),
  };
}

/** A network's domains have its name, from the second on with a number: `backend`, `backend#1`. */
export function domainName(network: string, index: number): string {
  return index === 0 ? network : `${network}#${index}`;
}

function domainSpecs(network: PlannedNetwork): Snapshot['domains'][number][] {
  if (network.mode === 'direct') return [];
  return network.domains.map(({ id, gateways }, index) => ({
    id,
    name: domainName(network.name, index),
    gatewayMac: macOf(gateways),
    gateways,
    learning: !network.sourceGuard,
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
    mtu: port.mtu,
    guard: !isNode && network.sourceGuard,
  };
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

function isRouted(network: PlannedNetwork): boolean {
  return network.domains.some(({ gateways }) => gateways.length > 0);
}

/** What pods of the network reach through its gateways. */
function networkRoutes(network: PlannedNetwork, node: PlannedNode | undefined): RouteSpec[] {
  if (!isRouted(network)) return [];
  const table = network.routeTable;
  if (!node) return domainRoutes(table, network);
  const toNode = [...node.ips, ...node.otherAddresses].map((address) => ({
    table,
    prefix: hostPrefix(address),
    kind: 'port' as const,
    port: node.id,
  }));
  return [...domainRoutes(table, network), ...toNode];
}

function nodeRoutes(plan: Plan): RouteSpec[] {
  return plan.networks.filter(isRouted).flatMap((network) => domainRoutes(NODE_ROUTE_TABLE, network));
}

function domainRoutes(table: number, network: PlannedNetwork): RouteSpec[] {
  return network.domains.flatMap(({ id, cidrs, gateways }) => [
    ...cidrs.map((prefix) => ({ table, prefix, kind: 'connected' as const, domain: id })),
    ...gateways.map((address) => ({ table, prefix: hostPrefix(address), kind: 'local' as const })),
  ]);
}
