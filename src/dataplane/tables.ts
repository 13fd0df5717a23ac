/**
 * Tables: a snapshot compiled into lookup structures.
 *
 * `compileTables` runs on the control side and answers plain typed arrays, which are posted to the worker;
 * `Tables.from` wraps them there without further work, so that a swap between two batches costs nothing that
 * grows with the number of pods or routes.
 */
import { formatIp, linkLocalOf, parseIp, parseMac } from '../wire/address.js';
import { PEER_EGRESS } from './constants.js';
import { EMPTY_SNAPSHOT, type NeighbourSpec, type RouteSpec, type Snapshot } from './snapshot.js';
import { buildDomainTable, type DomainTableData } from './tables/domain-table.js';
import { Fib4, type Fib4Data } from './tables/fib4.js';
import { Fib6, type Fib6Data } from './tables/fib6.js';
import { StaticNeighbours, type StaticNeighboursData } from './tables/neighbours.js';
import { NextHopBuilder, type NextHopData } from './tables/next-hops.js';
import { buildPeerTable, PeerIndex, type PeerTableData } from './tables/peer-table.js';
import { buildPortTable, type PortTableData } from './tables/port-table.js';
import { PrefixCache } from './tables/prefix-cache.js';
import { StaticFdb, type StaticFdbData } from './tables/static-fdb.js';
import { buildVniTable, VniIndex, type VniTableData } from './tables/vni-table.js';

/** Port number of the switch itself, in neighbour entries of gateway addresses. */
export const SWITCH_PORT = 0xffff;

/**
 * A route table that no port has: the prefix of each peer, known to be alive or not, leads to that peer. Asked
 * with the inner source address of what a peer has sent.
 */
export const PEER_SOURCES_TABLE = 4096;

/** In `TablesData.tunnel.port`: this node has no tunnel. */
export const NO_TUNNEL = -1;

export interface TablesData {
  readonly generation: number;
  readonly ports: PortTableData;
  readonly domains: DomainTableData;
  readonly nextHops: NextHopData;
  readonly fdb: StaticFdbData;
  readonly fib4: Fib4Data;
  readonly fib6: Fib6Data;
  readonly neighbours: StaticNeighboursData;
  /** Port number of the tunnel device or NO_TUNNEL, and the domain of routed packets. */
  readonly tunnel: { readonly port: number; readonly domain: number };
  readonly peers: PeerTableData;
  readonly vnis: VniTableData;
}

export class Tables {
  private constructor(
    readonly generation: number,
    readonly ports: PortTableData,
    readonly domains: DomainTableData,
    readonly nextHops: NextHopData,
    readonly fdb: StaticFdb,
    readonly fib4: Fib4,
    readonly fib6: Fib6,
    readonly neighbours: StaticNeighbours,
    readonly tunnel: TablesData['tunnel'],
    readonly peers: PeerTableData,
    readonly peerIndex: PeerIndex,
    readonly vnis: VniIndex,
  ) {}

  static from(data: TablesData): Tables {
    return new Tables(
      data.generation,
      data.ports,
      data.domains,
      data.nextHops,
      StaticFdb.from(data.fdb),
      Fib4.from(data.fib4),
      Fib6.from(data.fib6),
      StaticNeighbours.from(data.neighbours),
      data.tunnel,
      data.peers,
      new PeerIndex(data.peers),
      new VniIndex(data.vnis),
    );
  }

  static empty(): Tables {
    return Tables.from(compileTables(EMPTY_SNAPSHOT));
  }
}

const prefixes = new PrefixCache();

/** @throws Error naming the entry, where a snapshot holds an address or a number that cannot be. */
export function compileTables(snapshot: Snapshot): TablesData {
  const nextHops = new NextHopBuilder();
  const fib4 = [];
  const fib6 = [];
  for (const route of [...snapshot.routes, ...peerSources(snapshot)]) {
    const { family, words, prefix } = prefixes.parse(route.prefix);
    const nexthop = nextHops.add(route);
    if (family === 4) fib4.push({ table: route.table, prefix: words[0], length: prefix, nexthop });
    else fib6.push({ table: route.table, prefix: words, length: prefix, nexthop });
  }
  const neighbours = allNeighbours(snapshot).map((neighbour) => ({
    domain: neighbour.domain,
    port: egressOf(neighbour),
    ...parseIp(neighbour.address),
    ...parseMac(neighbour.mac),
  }));
  return {
    generation: snapshot.generation,
    ports: buildPortTable(snapshot.ports),
    domains: buildDomainTable(snapshot.domains, snapshot.ports),
    nextHops: nextHops.build(),
    fdb: StaticFdb.build([...portsInDomains(snapshot), ...macsBehindPeers(snapshot)]).data,
    fib4: Fib4.build(fib4).data,
    fib6: Fib6.build(fib6).data,
    neighbours: StaticNeighbours.build(neighbours).data,
    tunnel: snapshot.tunnel ?? { port: NO_TUNNEL, domain: 0 },
    peers: buildPeerTable(snapshot.peers ?? []),
    vnis: buildVniTable(snapshot.domains),
  };
}

function portsInDomains(snapshot: Snapshot): { domain: number; hi: number; lo: number; port: number }[] {
  return snapshot.ports.flatMap(({ id, mac, attachment }) =>
    attachment.kind === 'domain' ? [{ domain: attachment.domain, port: id, ...parseMac(mac) }] : [],
  );
}

/** Each MAC once, whatever the number of its addresses. */
function macsBehindPeers({
  neighbours,
}: Snapshot): { domain: number; hi: number; lo: number; port: number }[] {
  const found = new Map<string, { domain: number; hi: number; lo: number; port: number }>();
  for (const neighbour of neighbours) {
    if (!('peer' in neighbour)) continue;
    const { domain, mac } = neighbour;
    found.set(`${domain} ${mac}`, { domain, port: egressOf(neighbour), ...parseMac(mac) });
  }
  return [...found.values()];
}

function egressOf(neighbour: NeighbourSpec): number {
  return 'peer' in neighbour ? PEER_EGRESS + neighbour.peer : neighbour.port;
}

function peerSources({ peers = [] }: Snapshot): RouteSpec[] {
  return peers.flatMap(({ id, prefixes }) =>
    prefixes.map((prefix) => ({ table: PEER_SOURCES_TABLE, prefix, kind: 'peer' as const, peer: id })),
  );
}

/** What the snapshot lists, and what follows from it: link-local addresses and the switch's own. */
function allNeighbours(snapshot: Snapshot): NeighbourSpec[] {
  const ports = snapshot.ports.flatMap(({ id, mac, attachment }) =>
    attachment.kind === 'domain'
      ? [{ domain: attachment.domain, address: linkLocalText(mac), mac, port: id }]
      : [],
  );
  const gateways = snapshot.domains
    .filter((domain) => domain.gateways.length > 0)
    .flatMap(({ id, gatewayMac, gateways }) =>
      [...gateways, linkLocalText(gatewayMac)].map((address) => ({
        domain: id,
        address,
        mac: gatewayMac,
        port: SWITCH_PORT,
      })),
    );
  return [...snapshot.neighbours, ...ports, ...gateways];
}

function linkLocalText(mac: string): string {
  return formatIp({ family: 6, words: linkLocalOf(parseMac(mac)) });
}
