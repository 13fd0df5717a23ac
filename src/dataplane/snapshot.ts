/**
 * A snapshot: everything that forwarding depends on, as plain data with addresses as text.
 *
 * Control compiles intent into it; `compileTables` turns it into lookup structures. It is immutable and
 * numbered, prints as JSON, and replays: the same snapshot, packets and clock give the same output.
 */

/** How a port is attached: to a bridge domain, straight to one other port as a veth pair is, or to the tunnel. */
export type Attachment =
  | { readonly kind: 'domain'; readonly domain: number }
  | { readonly kind: 'direct'; readonly peer: number }
  /** The tunnel to other nodes; `domain` is that of the snapshot's TunnelSpec. */
  | { readonly kind: 'tunnel'; readonly domain: number };

/**
 * A token bucket over the frames on the wire, each segment with its headers. A frame larger than the burst passes when
 * nothing is owed. A burst counts for at most nine minutes of the rate.
 */
export interface RateSpec {
  /** 1,000 or more. */
  readonly bitsPerSecond: number;
  readonly burstBytes: number;
}

/** What becomes of IP packets between the port and these addresses, in one direction. */
export interface ImpairmentSpec {
  readonly direction: 'from-port' | 'to-port';
  /** Of the other end. Of several impairments that of the longest prefix counts; of the same prefix, the first. */
  readonly prefixes: readonly string[];
  /** How long each packet takes, up to a minute. */
  readonly delayMs?: number;
  /** By how much it is longer or shorter, evenly spread. Order is kept. */
  readonly jitterMs?: number;
  /** Share of the packets on the wire that is lost, 0..1. */
  readonly loss?: number;
  readonly rate?: RateSpec;
}

export interface PortSpec {
  /** Number of the port, below MAX_PORTS; stays the same for as long as the port exists. */
  readonly id: number;
  /** For people: `default/web`. */
  readonly name: string;
  readonly mac: string;
  /** The port's own IPv4 and IPv6 addresses, without prefix length. */
  readonly addresses: readonly string[];
  /** Prefixes behind the port beside its addresses: what it may send from, as a node's other networks. */
  readonly allowed?: readonly string[];
  readonly attachment: Attachment;
  /** Which routes apply to what it sends to a gateway: an index into the snapshot's route tables. */
  readonly routeTable: number;
  /**
   * Which routes apply to answers that are translated back for who is behind the port, who may be anywhere; `routeTable`
   * without it.
   */
  readonly returnTable?: number;
  /** Largest network packet, bytes. */
  readonly mtu: number;
  /** Source guard: drop what it sends under a MAC or IP address that is not its own. */
  readonly guard: boolean;
  /** How much it may send and be sent; not of the tunnel's port. What the switch itself sends is not limited. */
  readonly rates?: { readonly fromPort?: RateSpec; readonly toPort?: RateSpec };
  /** Policies hold for it: it stays closed until they told of it (policy-spec.ts). */
  readonly policed?: boolean;
  /** At most 16 in each direction; not of the tunnel's port. */
  readonly impairments?: readonly ImpairmentSpec[];
}

/** A layer-2 network of ports; with gateway addresses the switch is also its router. */
export interface DomainSpec {
  readonly id: number;
  readonly name: string;
  /** MAC address of the switch in this domain. */
  readonly gatewayMac: string;
  /** Addresses of the switch in this domain; none: nothing is routed from or to it. */
  readonly gateways: readonly string[];
  /** Learn MAC and IP addresses from packets of unguarded ports. */
  readonly learning: boolean;
  /** VXLAN network identifier (24 bits) that carries this domain between nodes. */
  readonly vni?: number;
  /**
   * The port of the domain that leads out to a network of other people's: what nobody here has leaves there and nowhere
   * else, and what comes from there for nobody here is dropped (elements/forward.ts, uplink-guard.ts). Its `mac`,
   * `addresses` and `guard` say nothing.
   */
  readonly uplink?: number;
  /** Peers with members of this domain: broadcast and multicast are replicated to them. */
  readonly peers?: readonly number[];
}

/** The tunnel of this node. */
export interface TunnelSpec {
  /** Port number of the tunnel device. */
  readonly port: number;
  /**
   * The domain that routed packets travel in: its VNI is theirs, its gatewayMac is this node's VTEP MAC, its
   * gateways are the source of probes and of ICMP errors about what came through the tunnel.
   */
  readonly domain: number;
}

/** Another node. */
export interface PeerSpec {
  /** Below MAX_PEERS; stays the same for as long as the peer is known. */
  readonly id: number;
  readonly name: string;
  /** Its underlay address and the UDP port of its tunnel. */
  readonly address: string;
  readonly port: number;
  /** MAC address of its VTEP. */
  readonly mac: string;
  /** Prefixes that it may send from in the routed network: its pod subnets. */
  readonly prefixes: readonly string[];
  /** Route tables that lead to its prefixes, as routes of kind `peer` do; none: it is not routed to. */
  readonly routedIn?: readonly number[];
  /** Host prefixes that are itself. It may send from them, too. */
  readonly hosts?: readonly string[];
  /** Route tables that lead to these. What is for a node port goes to a service. */
  readonly hostsRoutedIn?: readonly number[];
  /** Largest inner network packet that reaches it whole, bytes. */
  readonly mtu: number;
  /** Address inside the tunnel that probes are sent to; none: it is not probed. */
  readonly probe?: string;
}

/**
 * Whether a packet along a route may be for a service. address: for one of the services' own addresses · node: for an address
 * of the node, and so for a NODE_FRONTEND, too · peer: for an address of another node, and so for a NODE_FRONTEND of those that
 * every node has · own: for an address of the node, from another node: for what this node alone has, as the rest was looked up
 * there. What is for no service goes where the route leads.
 */
export type RouteOfServices = 'address' | 'node' | 'peer' | 'own';

export type RouteSpec = {
  readonly table: number;
  readonly prefix: string;
  readonly services?: RouteOfServices;
} & (
  | { readonly kind: 'connected'; readonly domain: number }
  | { readonly kind: 'via'; readonly domain: number; readonly gateway: string }
  | { readonly kind: 'port'; readonly port: number }
  /** Through the tunnel to this peer. */
  | { readonly kind: 'peer'; readonly peer: number }
  | { readonly kind: 'local' }
  | { readonly kind: 'unreachable' }
  /** Of a network that the table's is kept apart from: refused as by policy, under this note. */
  | { readonly kind: 'apart'; readonly note: number }
);

/**
 * An address whose MAC is known without asking, behind a port, or behind a peer (then its MAC is known to the FDB
 * too, and is the only source that the peer may use in the domain).
 */
export type NeighbourSpec = { readonly domain: number; readonly address: string; readonly mac: string } & (
  | { readonly port: number }
  | { readonly peer: number }
);

/** What the translation of service addresses needs to know of the node. */
export interface TranslationSpec {
  /** The port that leads to the node's kernel, and through it out. */
  readonly nodePort: number;
  /** Addresses of the node: who comes from there is in the cluster. */
  readonly nodeAddresses: readonly string[];
  /**
   * Addresses of the switch, at most one of each family, which other nodes route here. Connections whose answers would not
   * come back this way are made to come from it: a client from outside with a backend elsewhere, a backend that calls itself.
   */
  readonly masquerade: readonly string[];
}

export interface Snapshot {
  readonly generation: number;
  readonly ports: readonly PortSpec[];
  readonly domains: readonly DomainSpec[];
  /** All but those that PeerSpec.routedIn stands for, which are most of a large cluster's: see routesOf. */
  readonly routes: readonly RouteSpec[];
  readonly neighbours: readonly NeighbourSpec[];
  /** Without it there is no other node. */
  readonly tunnel?: TunnelSpec;
  readonly peers?: readonly PeerSpec[];
  /** Without it nothing is translated. */
  readonly translation?: TranslationSpec;
}

export const EMPTY_SNAPSHOT: Snapshot = { generation: 0, ports: [], domains: [], routes: [], neighbours: [] };

/** Every route of the snapshot, those to peers' prefixes one by one: for people and tests. */
export function routesOf({ routes, peers = [] }: Snapshot): RouteSpec[] {
  const toPeers = peers.flatMap(({ id, prefixes, routedIn = [], hosts = [], hostsRoutedIn = [] }) => {
    const peer = { kind: 'peer' as const, peer: id };
    return [
      ...prefixes.flatMap((prefix) => routedIn.map((table) => ({ table, prefix, ...peer }))),
      ...hosts.flatMap((prefix) =>
        hostsRoutedIn.map((table) => ({ table, prefix, ...peer, services: 'peer' as const })),
      ),
    ];
  });
  return [...routes, ...toPeers];
}
