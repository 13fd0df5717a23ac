/**
 * What of a snapshot is about services: which packets are looked up among them, and where answers go.
 *
 * In the table of each routed network, service prefixes lead nowhere unless there is a service, and addresses of the node
 * and of the switch, and those that services have outside of their prefixes, may be a service's. In the node's table, that
 * is so for the service prefixes and the switch's addresses only: the kernel sends nothing else here that is for a service
 * (host/nftables), and a route to an address is what says that answers to it come back by themselves. So the node's other
 * addresses are no routes there: a pod of another node would answer past this one. The tunnel's table has none of this
 * but for ports that pods of this node publish: what else comes from another node was translated there.
 *
 * Answers to whoever came in through the node's port go back by a table of their own, whose last resort is that port: the
 * client may be anywhere.
 */
import type { RouteSpec, TranslationSpec } from '../dataplane/snapshot.js';
import { holds, hostPrefix } from './cidr.js';
import { wayOut } from './compile-egress.js';
import {
  NODE_RETURN_TABLE,
  NODE_ROUTE_TABLE,
  type Plan,
  type PlannedNetwork,
  type PlannedNode,
  type PlannedServices,
  TUNNEL_ROUTE_TABLE,
} from './plan.js';

const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** Whether packets by this table may be for a service. */
export function hasServices(table: number): boolean {
  return table !== TUNNEL_ROUTE_TABLE && table !== NODE_RETURN_TABLE;
}

function ofNode(table: number): Pick<RouteSpec, 'services'> {
  if (table === TUNNEL_ROUTE_TABLE) return { services: 'own' };
  return hasServices(table) ? { services: 'node' } : {};
}

/** The node's own addresses, from a network's table. */
export function routesToNode(
  table: number,
  { id, ips, otherAddresses }: PlannedNode,
  services: PlannedServices | undefined,
): RouteSpec[] {
  const addresses = new Set([...ips, ...otherAddresses, ...(services?.nodeAddresses ?? [])]);
  return [...addresses].map((address) => ({
    table,
    prefix: hostPrefix(address),
    kind: 'port',
    port: id,
    ...(services && ofNode(table)),
  }));
}

/**
 * The plan without addresses that are others' already: of a manifest nobody takes a pod's or a node's traffic by naming its
 * address, and an address that the host has been given after a network was made from it leads to the network still.
 */
export function withoutForeign(plan: Plan): Plan {
  const { services, networks, cluster } = plan;
  if (!services) return plan;
  const peers = new Set(cluster?.peers.flatMap(({ prefixes, hosts = [] }) => [...prefixes, ...hosts]));
  const cidrs = networks.flatMap(({ domains }) => domains.flatMap((domain) => domain.cidrs));
  const isForeign = (address: string): boolean =>
    peers.has(hostPrefix(address)) || [...cidrs, ...services.cidrs].some((cidr) => holds(cidr, address));
  const nodeAddresses = services.nodeAddresses.filter((address) => !isForeign(address));
  const ours = new Set([...nodeAddresses, ...(plan.node?.otherAddresses ?? [])]);
  const externalAddresses = services.externalAddresses.filter(
    (address) => !ours.has(address) && !isForeign(address),
  );
  return { ...plan, services: { ...services, nodeAddresses, externalAddresses } };
}

export function serviceRoutes(plan: Plan, tables: readonly number[]): RouteSpec[] {
  const { services } = plan;
  if (!services) return [];
  const { cidrs, nodeFrontends, externalAddresses } = services;
  return tables.flatMap((table) => [
    ...cidrs.map((prefix) => unreachable(table, prefix, 'address')),
    ...nodeFrontends.map((address) => unreachable(table, hostPrefix(address), 'node')),
    ...(table === NODE_ROUTE_TABLE ? [] : externalAddresses).map((address) =>
      toExternal(plan, table, hostPrefix(address)),
    ),
  ]);
}

/** At other ports it may be somebody outside: a load balancer has several. */
function toExternal(plan: Plan, table: number, prefix: string): RouteSpec {
  const port = wayOut(plan, table);
  if (port === undefined) return unreachable(table, prefix, 'address');
  return { table, prefix, kind: 'port', port, services: 'address' };
}

function unreachable(table: number, prefix: string, services: 'address' | 'node'): RouteSpec {
  return { table, prefix, kind: 'unreachable', services };
}

/** Beside what is connected, and peers. */
export function lastResort({ id }: PlannedNode): RouteSpec[] {
  return EVERYWHERE.map((prefix) => ({ table: NODE_RETURN_TABLE, prefix, kind: 'port', port: id }));
}

export function translationSpec(
  { node, services }: Plan,
  home: PlannedNetwork | undefined,
): TranslationSpec | undefined {
  if (!node || !services || !home) return undefined;
  const { ips, otherAddresses } = node;
  return {
    nodePort: node.id,
    nodeAddresses: [...new Set([...ips, ...otherAddresses, ...services.nodeAddresses])],
    // Of the first domain only: that is one of each family.
    masquerade: home.domains[0]?.gateways ?? [],
  };
}
