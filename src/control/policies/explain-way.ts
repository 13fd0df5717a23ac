/**
 * The way between two ends, as this node's tables have it at the moment: the bridge domain they share, else the sender's
 * route table, as elements/forward.ts and route-lookup.ts go.
 *
 * What another node's tables say is not known here. From its pods to this node's the way is that of the answers, which is the
 * same; between two other nodes it is theirs to say.
 */

import { type PortSpec, type RouteSpec, routesOf, type Snapshot } from '../../dataplane/snapshot.js';
import { type Cidr, contains, parseCidr, parseIp } from '../../wire/address.js';
import type { ExplainWay } from '../api/explain-types.js';
import { familyOf, holds } from '../cidr.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import { NODE_ROUTE_TABLE } from '../plan.js';
import type { End } from './explain-ends.js';
import type { ExplainWorld } from './explain-world.js';
import type { PolicyNote } from './types.js';

export function wayOf(from: End, to: End, world: ExplainWorld): ExplainWay {
  if (familyOf(from.address) !== familyOf(to.address)) return unreachable('addresses of different families');
  if (from.pod !== undefined && from.pod === to.pod) return { kind: 'self', text: 'the pod itself' };
  if (from.node === world.node && from.kind !== 'cluster') return fromHere(from, to, world);
  if (to.node === world.node && to.kind !== 'cluster') return toHere(from, to, world);
  return between(from, to, world);
}

/** Under which what the pod sends is refused on its way; undefined: its networks are not kept apart, or it is no pod of this node. */
export function apartNote(from: End, to: End, world: ExplainWorld): PolicyNote | undefined {
  const port = from.pod && world.snapshot.ports.find(({ id }) => id === from.port);
  const route = port && port.attachment.kind !== 'direct' && routeTo(to.address, port.routeTable, world);
  return route && route.kind === 'apart' ? world.noteOf(route.note) : undefined;
}

function fromHere(from: End, to: End, world: ExplainWorld): ExplainWay {
  if (from.kind === 'gateway') return { kind: 'gateway', text: 'from the switch itself' };
  const isNode = from.kind === 'node';
  if (isNode && to.kind === 'node' && to.node === world.node)
    return { kind: 'self', text: 'the node itself' };
  const id = isNode ? world.snapshot.translation?.nodePort : from.port;
  const port = world.snapshot.ports.find((one) => (id === undefined ? false : one.id === id));
  if (!port) return unreachable(`${nameOf(from)} has no port that is open`);
  const { attachment } = port;
  if (attachment.kind === 'direct') {
    if (attachment.peer === to.port)
      return { kind: 'direct', text: 'straight to the other end of the direct network' };
    return unreachable(`a direct network leads to its other end alone`);
  }
  return bridged(port, attachment.domain, to, world) ?? routed(port, isNode, to, world);
}

/** undefined: it is not in the domain. */
function bridged({ id }: PortSpec, domain: number, to: End, world: ExplainWorld): ExplainWay | undefined {
  const { snapshot, networks } = world;
  const spec = snapshot.domains.find((one) => one.id === domain);
  const cidrs = networks.flatMap(({ domains }) => domains.find((one) => one.id === domain)?.cidrs ?? []);
  if (!spec || !cidrs.some((cidr) => holds(cidr, to.address))) return undefined;
  if (spec.gateways.includes(to.address))
    return { kind: 'gateway', text: `the gateway of network ${spec.name}` };
  const known = snapshot.neighbours.find((one) => one.domain === domain && one.address === to.address);
  if (known && 'peer' in known) return toPeer(known.peer, `bridged in network ${spec.name}, `, world);
  if (known) return toPort(known.port, 'bridged', spec.name, world);
  if (spec.uplink !== undefined && spec.uplink !== id) return lan(spec.uplink, world);
  return unreachable(`nobody in network ${spec.name} has ${to.address}`);
}

function routed(port: PortSpec, isNode: boolean, to: End, world: ExplainWorld): ExplainWay {
  const { snapshot } = world;
  const domain = snapshot.domains.find(
    ({ id }) => port.attachment.kind !== 'direct' && id === port.attachment.domain,
  );
  if (domain?.uplink !== undefined && !isNode) return lan(domain.uplink, world);
  const route = routeTo(to.address, isNode ? NODE_ROUTE_TABLE : port.routeTable, world);
  if (!isNode && domain?.gateways.length === 0) {
    return unreachable(`network ${domain.name} has no router: only its own pods are reachable`);
  }
  if (!route || route.kind === 'unreachable' || route.kind === 'apart')
    return noRoute(isNode, domain?.name, to, world);
  switch (route.kind) {
    case 'connected':
      return connected(route.domain, to, world);
    case 'local':
      return { kind: 'gateway', text: 'the switch itself answers' };
    case 'peer':
      return toPeer(route.peer, 'routed, ', world);
    case 'via':
      return { kind: 'routed', text: `routed, through ${route.gateway}` };
    case 'port':
      return throughNode(route.port, to, world);
  }
}

function connected(domain: number, to: End, world: ExplainWorld): ExplainWay {
  const { snapshot } = world;
  const name = snapshot.domains.find(({ id }) => id === domain)?.name ?? String(domain);
  const known = snapshot.neighbours.find((one) => one.domain === domain && one.address === to.address);
  if (known && 'peer' in known) return toPeer(known.peer, `routed to network ${name}, `, world);
  if (known) return toPort(known.port, 'routed', name, world);
  return unreachable(`nobody in network ${name} has ${to.address}`);
}

function throughNode(port: number, to: End, world: ExplainWorld): ExplainWay {
  if (to.kind === 'node' && to.node === world.node)
    return { kind: 'node', text: 'to the node itself, through podwire0' };
  if (port !== world.snapshot.translation?.nodePort)
    return { kind: 'routed', text: `routed to port ${port}` };
  return { kind: 'out', text: 'out through the node: podwire0, then as the host routes' };
}

function toPort(port: number, kind: 'bridged' | 'routed', network: string, world: ExplainWorld): ExplainWay {
  if (port === world.snapshot.translation?.nodePort) {
    return { kind: 'node', text: 'to the node itself, through podwire0' };
  }
  return {
    kind,
    text: kind === 'bridged' ? `bridged in network ${network}` : `routed within network ${network}`,
  };
}

function lan(uplink: number, { snapshot }: ExplainWorld): ExplainWay {
  const name = snapshot.ports.find(({ id }) => id === uplink)?.name ?? String(uplink);
  return { kind: 'lan', text: `out of ${name}, to the network behind it` };
}

function toPeer(id: number, prefix: string, world: ExplainWorld): ExplainWay {
  const name = world.snapshot.peers?.find((peer) => peer.id === id)?.name ?? String(id);
  return tunnel(name, 'to', prefix, world);
}

function tunnel(name: string, direction: 'to' | 'from', prefix: string, { peers }: ExplainWorld): ExplainWay {
  const found = peers.find((peer) => peer.name === name);
  return {
    kind: 'tunnel',
    text: `${prefix}through the tunnel ${direction} node ${name}`,
    ...(found && { peer: { ...found } }),
  };
}

function noRoute(isNode: boolean, network: string | undefined, to: End, world: ExplainWorld): ExplainWay {
  const down = world.peers.find(({ name, state }) => name === to.node && state !== 'up');
  if (down)
    return unreachable(`node ${down.name} is ${down.state}: its probe through the tunnel is not answered`);
  if (isNode && to.kind === 'outside') return { kind: 'out', text: 'as the host routes: not by podwire' };
  if (to.network !== undefined && to.network !== network) {
    return unreachable(`networks ${network ?? 'of the node'} and ${to.network} are kept apart`);
  }
  if (to.kind === 'cluster') return unreachable(`no node that is known has ${to.address}`);
  return unreachable(`network ${network ?? 'of the node'} has no route to ${to.address}`);
}

function toHere(from: End, to: End, world: ExplainWorld): ExplainWay {
  if (from.kind === 'outside') return fromOutside(to, world);
  const shared =
    from.network === to.network ? world.networks.find(({ name }) => name === to.network) : undefined;
  const isOverlay = shared?.mode === 'overlay';
  const isHome = (end: End) =>
    end.kind === 'node' || end.network === undefined || end.network === DEFAULT_NETWORK;
  if (from.node === undefined) return unreachable(`no node that is known has ${from.address}`);
  if (isOverlay) return tunnel(from.node, 'from', `bridged in network ${shared.name}, `, world);
  if (isHome(from) && isHome(to)) return tunnel(from.node, 'from', 'routed, ', world);
  return unreachable(
    `networks ${from.network ?? DEFAULT_NETWORK} and ${to.network ?? DEFAULT_NETWORK} are kept apart`,
  );
}

function fromOutside(to: End, world: ExplainWorld): ExplainWay {
  if (to.kind === 'node') return { kind: 'out', text: 'from outside, to the node: not by podwire' };
  const route = routeTo(to.address, NODE_ROUTE_TABLE, world);
  if (route?.kind === 'connected' || to.kind === 'gateway') {
    return { kind: 'out', text: 'from outside, through the node: podwire0' };
  }
  const network = world.networks.find(({ name }) => name === to.network);
  if (network?.uplink) return lan(network.uplink.port, world);
  return unreachable(`network ${to.network ?? ''} is not routed: nothing comes in from outside`);
}

function between(from: End, to: End, world: ExplainWorld): ExplainWay {
  if (from.kind === 'outside' && to.kind === 'outside') {
    return { kind: 'elsewhere', text: 'neither end is of the cluster: not by podwire' };
  }
  const node = from.node ?? to.node;
  const ask = node === undefined ? '' : `; node ${node} knows the way`;
  return { kind: 'elsewhere', text: `${betweenText(from, to)}, not through ${world.node}${ask}` };
}

function betweenText(from: End, to: End): string {
  if (from.kind === 'outside') return 'from outside';
  if (to.kind === 'outside') return 'to the outside';
  return from.node !== undefined && from.node === to.node
    ? `within node ${from.node}`
    : 'between other nodes';
}

/** Routes by table, the longest prefixes first: a service has many backends, a cluster thousands of routes. */
const tables = new WeakMap<Snapshot, Map<number, { readonly cidr: Cidr; readonly route: RouteSpec }[]>>();

function tableOf(table: number, snapshot: Snapshot) {
  const known = tables.get(snapshot) ?? new Map<number, { cidr: Cidr; route: RouteSpec }[]>();
  tables.set(snapshot, known);
  const found =
    known.get(table) ??
    routesOf(snapshot)
      .filter((route) => route.table === table)
      .map((route) => ({ route, cidr: parseCidr(route.prefix) }))
      .sort((one, other) => other.cidr.prefix - one.cidr.prefix);
  known.set(table, found);
  return found;
}

function routeTo(address: string, table: number, { snapshot }: ExplainWorld): RouteSpec | undefined {
  const ip = parseIp(address);
  return tableOf(table, snapshot).find(({ cidr }) => contains(cidr, ip))?.route;
}

function nameOf({ pod, hostPod, node, address }: End): string {
  return pod ? `${pod.namespace}/${pod.name}` : (hostPod ?? node ?? address);
}

function unreachable(text: string): ExplainWay {
  return { kind: 'unreachable', text };
}
