/**
 * Tables: a snapshot compiled into lookup structures.
 *
 * `compileTables` runs on the control side and answers plain typed arrays, which are posted to the worker;
 * `Tables.from` wraps them there without further work, so that a swap between two batches costs nothing that
 * grows with the number of pods or routes.
 */
import { formatIp, linkLocalOf, parseCidr, parseIp, parseMac } from '../wire/address.js';
import { PEER_EGRESS } from './constants.js';
import { EMPTY_SNAPSHOT, type NeighbourSpec, type Snapshot } from './snapshot.js';
import { buildDomainTable, type DomainTableData } from './tables/domain-table.js';
import { Fib4, type Fib4Data } from './tables/fib4.js';
import { Fib6, type Fib6Data } from './tables/fib6.js';
import { StaticNeighbours, type StaticNeighboursData } from './tables/neighbours.js';
import { NextHopBuilder, type NextHopData } from './tables/next-hops.js';
import { buildPeerTable, PeerIndex, type PeerTableData } from './tables/peer-table.js';
import { buildPortTable, type PortTableData } from './tables/port-table.js';
import { parsePrefixes, RouteColumns } from './tables/route-columns.js';
import { buildShapingTable, Shaping, type ShapingData } from './tables/shaping-table.js';
import { StaticFdb, type StaticFdbData } from './tables/static-fdb.js';
import { requireInteger } from './tables/table-error.js';
import { buildTranslation, type TranslationData } from './tables/translation.js';
import { buildVniTable, VniIndex, type VniTableData } from './tables/vni-table.js';

/** Port number of the switch itself, in neighbour entries of gateway addresses. */
export const SWITCH_PORT = 0xffff;

/**
 * A route table that no port has: the prefix of each peer, known to be alive or not, leads to that peer. Asked
 * with the inner source address of what a peer has sent.
 */
export const PEER_SOURCES_TABLE = 4096;

const MOST_TABLE = 0xffff;

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
  readonly shaping: ShapingData;
  readonly translation: TranslationData;
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
    readonly shaping: Shaping,
    readonly translation: TranslationData,
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
      new Shaping(data.shaping),
      data.translation,
    );
  }

  static empty(): Tables {
    return Tables.from(compileTables(EMPTY_SNAPSHOT));
  }
}

/** @throws Error naming the entry, where a snapshot holds an address or a number that cannot be. */
export function compileTables(snapshot: Snapshot): TablesData {
  return new TableCompiler().compile(snapshot);
}

/**
 * Compiles one snapshot after the other, each to what `compileTables` makes of it. A FIB whose routes are those of the
 * snapshot before is not built again: a pod that comes or goes changes none in a cluster of a thousand nodes, and
 * a subnet of one family only that family's.
 */
export class TableCompiler {
  private fib4 = { routes: new RouteColumns(1), data: Fib4.build([]).data };
  private fib6 = { routes: new RouteColumns(4), data: Fib6.build([]).data };

  /** @throws Error naming the entry, where a snapshot holds an address or a number that cannot be. */
  compile(snapshot: Snapshot): TablesData {
    const { v4, v6, nextHops } = columnsOf(snapshot);
    if (!v4.equals(this.fib4.routes)) this.fib4 = { routes: v4, data: Fib4.of(v4).data };
    if (!v6.equals(this.fib6.routes)) this.fib6 = { routes: v6, data: Fib6.of(v6).data };
    const neighbours = allNeighbours(snapshot).map((neighbour) => ({
      domain: neighbour.domain,
      port: egressOf(neighbour),
      ...parseIp(neighbour.address),
      ...parseMac(neighbour.mac),
    }));
    return {
      generation: snapshot.generation,
      ports: buildPortTable(snapshot.ports, uplinksOf(snapshot)),
      domains: buildDomainTable(snapshot.domains, snapshot.ports),
      nextHops,
      fdb: StaticFdb.build([...portsInDomains(snapshot), ...macsBehindPeers(snapshot)]).data,
      fib4: this.fib4.data,
      fib6: this.fib6.data,
      neighbours: StaticNeighbours.build(neighbours).data,
      tunnel: snapshot.tunnel ?? { port: NO_TUNNEL, domain: 0 },
      peers: buildPeerTable(snapshot.peers ?? []),
      vnis: buildVniTable(snapshot.domains),
      shaping: buildShapingTable(snapshot.ports),
      translation: buildTranslation(snapshot.translation),
    };
  }
}

function columnsOf(snapshot: Snapshot): { v4: RouteColumns; v6: RouteColumns; nextHops: NextHopData } {
  const hops = new NextHopBuilder();
  const v4 = new RouteColumns(1);
  const v6 = new RouteColumns(4);
  for (const route of snapshot.routes) {
    const { family, words, prefix } = parseCidr(route.prefix);
    const { table } = route;
    requireInteger('routing table', table, 0, MOST_TABLE);
    (family === 4 ? v4 : v6).add(words, prefix, table, hops.add(route));
  }
  const addAll = (prefixes: readonly string[], tables: readonly number[], hop: number): void => {
    const parsed = parsePrefixes(prefixes);
    for (const table of tables) {
      requireInteger('routing table', table, 0, MOST_TABLE);
      v4.addAll(parsed.v4, table, hop);
      v6.addAll(parsed.v6, table, hop);
    }
  };
  for (const { id, prefixes, routedIn = [], hosts, hostsRoutedIn = [] } of snapshot.peers ?? []) {
    const hop = hops.addPeer(id);
    addAll(prefixes, [...routedIn, PEER_SOURCES_TABLE], hop);
    if (hosts === undefined) continue;
    addAll(hosts, [PEER_SOURCES_TABLE], hop);
    if (hostsRoutedIn.length > 0) addAll(hosts, hostsRoutedIn, hops.addPeerHost(id));
  }
  return { v4, v6, nextHops: hops.build() };
}

function uplinksOf({ domains }: Snapshot): Set<number> {
  return new Set(domains.flatMap(({ uplink }) => uplink ?? []));
}

/** Ports with an address of their own in a domain: an uplink has none, whatever its interface has. */
function membersOf(snapshot: Snapshot): { domain: number; id: number; mac: string }[] {
  const uplinks = uplinksOf(snapshot);
  return snapshot.ports.flatMap(({ id, mac, attachment }) =>
    attachment.kind === 'domain' && !uplinks.has(id) ? [{ domain: attachment.domain, id, mac }] : [],
  );
}

function portsInDomains(snapshot: Snapshot): { domain: number; hi: number; lo: number; port: number }[] {
  return membersOf(snapshot).map(({ domain, id, mac }) => ({ domain, port: id, ...parseMac(mac) }));
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

/** What the snapshot lists, and what follows from it: link-local addresses and the switch's own. */
function allNeighbours(snapshot: Snapshot): NeighbourSpec[] {
  const ports = membersOf(snapshot).map(({ domain, id, mac }) => ({
    domain,
    address: linkLocalText(mac),
    mac,
    port: id,
  }));
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
