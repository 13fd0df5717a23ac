/**
 * A snapshot: everything that forwarding depends on, as plain data with addresses as text.
 *
 * Control compiles intent into it; `compileTables` turns it into lookup structures. It is immutable and
 * numbered, prints as JSON, and replays: the same snapshot, packets and clock give the same output.
 */

/** How a port is attached: to a bridge domain, or straight to one other port as a veth pair is. */
export type Attachment =
  | { readonly kind: 'domain'; readonly domain: number }
  | { readonly kind: 'direct'; readonly peer: number };

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
  /** Largest network packet, bytes. */
  readonly mtu: number;
  /** Source guard: drop what it sends under a MAC or IP address that is not its own. */
  readonly guard: boolean;
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
}

export type RouteSpec = { readonly table: number; readonly prefix: string } & (
  | { readonly kind: 'connected'; readonly domain: number }
  | { readonly kind: 'via'; readonly domain: number; readonly gateway: string }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'local' }
  | { readonly kind: 'unreachable' }
);

/** An address whose MAC and port are known without asking. */
export interface NeighbourSpec {
  readonly domain: number;
  readonly address: string;
  readonly mac: string;
  readonly port: number;
}

export interface Snapshot {
  readonly generation: number;
  readonly ports: readonly PortSpec[];
  readonly domains: readonly DomainSpec[];
  readonly routes: readonly RouteSpec[];
  readonly neighbours: readonly NeighbourSpec[];
}

export const EMPTY_SNAPSHOT: Snapshot = { generation: 0, ports: [], domains: [], routes: [], neighbours: [] };
