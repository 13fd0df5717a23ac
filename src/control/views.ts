/**
 * What is in force, as people read it: routes, FDB, neighbours, statistics and drops.
 */
import { type CounterReader, CYCLES, PORT_COUNTERS, TOTALS } from '../dataplane/counters.js';
import { DROP_MEANINGS, DROP_REASONS } from '../dataplane/drop-reasons.js';
import { type RouteSpec, routesOf, type Snapshot } from '../dataplane/snapshot.js';
import type { Dataplane } from '../dataplane/worker/handle.js';
import type { DropEntry, DropsAnswer } from './api/drop-types.js';
import type {
  FdbAnswer,
  FdbEntry,
  NeighborEntry,
  NeighborsAnswer,
  RouteEntry,
  RoutesAnswer,
  StatsAnswer,
} from './api/types.js';
import {
  NODE_RETURN_TABLE,
  NODE_ROUTE_TABLE,
  type PlannedNetwork,
  type PlannedPort,
  TUNNEL_NAME,
  TUNNEL_ROUTE_TABLE,
} from './plan.js';
import type { PolicyNote } from './policies/types.js';

export type NamedPort = Pick<PlannedPort, 'id' | 'name'>;

/** The switch itself, where a port is named. */
const SWITCH = 'switch';
/** All ports that were there before, since their drops stay in the total. */
const GONE = 'gone';

type Learned = Awaited<ReturnType<Dataplane['learned']>>;

export function routesView(
  snapshot: Snapshot,
  networks: readonly PlannedNetwork[],
  noteOf: (note: number) => PolicyNote | undefined,
): RoutesAnswer {
  const tables = new Map(networks.map(({ routeTable, name }) => [routeTable, name]));
  tables.set(NODE_ROUTE_TABLE, 'node');
  tables.set(TUNNEL_ROUTE_TABLE, TUNNEL_NAME);
  tables.set(NODE_RETURN_TABLE, 'answers');
  // By number: a cluster has more routes than one wants to search peers for.
  const peers = new Map(snapshot.peers?.map((peer) => [peer.id, `node/${peer.name}`]));
  const deviceOf = (route: RouteSpec): string | null => {
    switch (route.kind) {
      case 'connected':
      case 'via':
        return domainName(snapshot, route.domain);
      case 'port':
        return portName(snapshot, route.port);
      case 'peer':
        return peers.get(route.peer) ?? null;
      case 'apart':
        return noteOf(route.note)?.networks?.[1] ?? null;
      default:
        return null;
    }
  };
  const routes = routesOf(snapshot).map(
    (route): RouteEntry => ({
      network: tables.get(route.table) ?? String(route.table),
      prefix: route.prefix,
      kind: route.kind,
      via: route.kind === 'via' ? route.gateway : null,
      dev: deviceOf(route),
    }),
  );
  return { generation: snapshot.generation, routes };
}

export function fdbView(snapshot: Snapshot, { fdb }: Pick<Learned, 'fdb'>): FdbAnswer {
  const uplinks = new Set(snapshot.domains.map(({ uplink }) => uplink));
  const ports = snapshot.ports.flatMap(({ id, name, mac, attachment }): FdbEntry[] =>
    attachment.kind === 'domain' && !uplinks.has(id)
      ? [{ ...fixed, network: domainName(snapshot, attachment.domain), mac, port: name }]
      : [],
  );
  const gateways = snapshot.domains
    .filter((domain) => domain.gateways.length > 0)
    .map(({ name, gatewayMac }): FdbEntry => ({ ...fixed, network: name, mac: gatewayMac, port: SWITCH }));
  const peers = (snapshot.peers ?? []).map(
    ({ name, mac }): FdbEntry => ({
      ...fixed,
      network: snapshot.tunnel ? domainName(snapshot, snapshot.tunnel.domain) : TUNNEL_NAME,
      mac,
      port: `node/${name}`,
    }),
  );
  const behindPeers = new Map(
    snapshot.neighbours.flatMap((neighbour): [string, FdbEntry][] => {
      if (!('peer' in neighbour)) return [];
      const { domain, mac, peer } = neighbour;
      const entry = { ...fixed, network: domainName(snapshot, domain), mac, port: peerName(snapshot, peer) };
      return [[`${domain} ${mac}`, entry]];
    }),
  );
  const learned = fdb.map(
    ({ domain, vlan, mac, port, ageMs }): FdbEntry => ({
      network: domainName(snapshot, domain),
      vlan,
      mac,
      port: portName(snapshot, port),
      kind: 'learned',
      ageMs: Math.round(ageMs),
    }),
  );
  return {
    generation: snapshot.generation,
    fdb: [...gateways, ...ports, ...peers, ...behindPeers.values(), ...learned],
  };
}

const fixed = { vlan: 0, kind: 'static', ageMs: null } as const;

export function neighborsView(
  snapshot: Snapshot,
  { neighbours }: Pick<Learned, 'neighbours'>,
): NeighborsAnswer {
  const local = snapshot.domains.flatMap(({ name, gatewayMac, gateways }) =>
    gateways.map(
      (address): NeighborEntry => ({
        network: name,
        address,
        mac: gatewayMac,
        port: SWITCH,
        kind: 'local',
        ageMs: null,
      }),
    ),
  );
  const known = snapshot.neighbours.map(
    (neighbour): NeighborEntry => ({
      network: domainName(snapshot, neighbour.domain),
      address: neighbour.address,
      mac: neighbour.mac,
      port: 'peer' in neighbour ? peerName(snapshot, neighbour.peer) : portName(snapshot, neighbour.port),
      kind: 'static',
      ageMs: null,
    }),
  );
  const learned = neighbours.map(
    ({ domain, address, mac, port, ageMs }): NeighborEntry => ({
      network: domainName(snapshot, domain),
      address,
      mac,
      port: portName(snapshot, port),
      kind: 'learned',
      ageMs: Math.round(ageMs),
    }),
  );
  return { generation: snapshot.generation, neighbors: [...local, ...known, ...learned] };
}

/** @param ports those that exist: closed ones have counters as well. */
export function statsView(counters: CounterReader, ports: readonly NamedPort[]): StatsAnswer {
  // What ends is read before what begins, so that a packet between the two reads counts as in flight.
  const totals = Object.fromEntries(
    TOTALS.toReversed().map((total) => [total, counters.total(total)]),
  ) as StatsAnswer['totals'];
  const { received, originated, replicated, sent, consumed, joined, dropped } = totals;
  return {
    ports: byName(ports).map(({ id, name }) => ({
      port: name,
      ...(Object.fromEntries(PORT_COUNTERS.map((counter) => [counter, counters.port(id, counter)])) as Record<
        (typeof PORT_COUNTERS)[number],
        number
      >),
      drops: DROP_REASONS.reduce((sum, _, reason) => sum + counters.portDrops(id, reason), 0),
    })),
    totals: { received, originated, replicated, joined, consumed, sent, dropped },
    inFlight: received + originated + replicated - sent - consumed - joined - dropped,
    cycles: Object.fromEntries(
      CYCLES.map((counter) => [counter, counters.cycleCounter(counter)]),
    ) as StatsAnswer['cycles'],
  };
}

export function dropsView(counters: CounterReader, ports: readonly NamedPort[]): Omit<DropsAnswer, 'rules'> {
  const isThere = new Set(ports.map(({ id }) => id));
  const drops = [
    ...ports.flatMap(({ id, name }) => dropsOf(name, (reason) => counters.portDrops(id, reason))),
    ...dropsOf(GONE, (reason) => counters.goneDrops(reason, isThere)),
  ];
  drops.sort((a, b) => b.count - a.count || (`${a.port} ${a.reason}` < `${b.port} ${b.reason}` ? -1 : 1));
  return { total: counters.total('dropped'), drops };
}

function dropsOf(port: string, countOf: (reason: number) => number): DropEntry[] {
  return DROP_REASONS.map((reason, index) => ({
    reason: reason as DropEntry['reason'],
    meaning: DROP_MEANINGS[index],
    port,
    count: countOf(index),
  })).filter(({ count }) => count > 0);
}

function byName(ports: readonly NamedPort[]): NamedPort[] {
  return [...ports].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function domainName(snapshot: Snapshot, id: number): string {
  return snapshot.domains.find((domain) => domain.id === id)?.name ?? String(id);
}

function portName(snapshot: Snapshot, id: number): string {
  return snapshot.ports.find((port) => port.id === id)?.name ?? String(id);
}

/** As devices and ports are named beside it: `node/b`. */
function peerName(snapshot: Snapshot, id: number): string {
  return `node/${snapshot.peers?.find((peer) => peer.id === id)?.name ?? id}`;
}
