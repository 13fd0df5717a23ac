/**
 * The node that `engine.*` measures, as a snapshot: pods of one subnet, and peers with prefixes behind them.
 *
 *     port 1 … 250: pods 10.0.0.2 … 10.0.0.251 of 10.0.0.0/24, source guard on   (domain 0)
 *     port 4000: the tunnel, VNI 1                                               (domain 1)
 *     peer p: 192.168.(p >> 8).(p & 255), with the prefixes that are asked for, in the pods' route table
 */
import type { DomainSpec, PeerSpec, PortSpec, Snapshot } from '../../src/dataplane/snapshot.js';

export const PODS = 250;
export const FIRST_POD = 1;
export const TUNNEL = 4000;
export const GATEWAY_MAC = '02:70:00:00:ff:00';
export const VTEP_MAC = '02:72:00:00:ff:01';
export const VNI = 1;
/** As where the underlay's is 1,600: a pod's longest packet goes to a peer whole. */
export const MTU = 1500;

const POD_DOMAIN = 0;
const TUNNEL_DOMAIN = 1;
const TABLE = 0;
/** For what comes through the tunnel: never back into it. */
const TUNNEL_TABLE = 1;

export function podMac(port: number): string {
  return `02:70:00:00:00:${port.toString(16).padStart(2, '0')}`;
}

export function podAddress(port: number): string {
  return `10.0.0.${port + 1}`;
}

export function peerMac(peer: number): string {
  const hex = peer.toString(16).padStart(4, '0');
  return `02:72:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`;
}

/** The underlay address of a peer, as a signed word. */
export function peerAddress(peer: number): number {
  return (0xc0a8_0000 + peer) | 0;
}

/** @param prefixes of each peer. */
export function clusterOf(generation: number, prefixes: readonly (readonly string[])[]): Snapshot {
  const ports = [...Array.from({ length: PODS }, (_, i) => pod(FIRST_POD + i)), tunnelPort()];
  return {
    generation,
    ports,
    domains: [podDomain(), tunnelDomain()],
    routes: [TABLE, TUNNEL_TABLE].flatMap((table) => [
      { table, prefix: '10.0.0.0/24', kind: 'connected' as const, domain: POD_DOMAIN },
      { table, prefix: '10.0.0.1/32', kind: 'local' as const },
    ]),
    neighbours: ports
      .filter(({ id }) => id !== TUNNEL)
      .flatMap(({ id, mac, addresses }) =>
        addresses.map((address) => ({ domain: POD_DOMAIN, address, mac, port: id })),
      ),
    tunnel: { port: TUNNEL, domain: TUNNEL_DOMAIN },
    peers: prefixes.map(peer),
  };
}

function pod(id: number): PortSpec {
  return {
    id,
    name: `default/pod${id}`,
    mac: podMac(id),
    addresses: [podAddress(id), `fd00::${(id + 1).toString(16)}`],
    attachment: { kind: 'domain', domain: POD_DOMAIN },
    routeTable: TABLE,
    mtu: MTU,
    guard: true,
  };
}

function tunnelPort(): PortSpec {
  return {
    id: TUNNEL,
    name: 'tunnel',
    mac: VTEP_MAC,
    addresses: [],
    attachment: { kind: 'tunnel', domain: TUNNEL_DOMAIN },
    routeTable: TUNNEL_TABLE,
    mtu: 65_507,
    guard: false,
  };
}

function podDomain(): DomainSpec {
  return {
    id: POD_DOMAIN,
    name: 'pods',
    gatewayMac: GATEWAY_MAC,
    gateways: ['10.0.0.1', 'fd00::1'],
    learning: false,
  };
}

function tunnelDomain(): DomainSpec {
  return {
    id: TUNNEL_DOMAIN,
    name: 'tunnel',
    gatewayMac: VTEP_MAC,
    gateways: ['10.0.0.1'],
    learning: false,
    vni: VNI,
  };
}

function peer(prefixes: readonly string[], id: number): PeerSpec {
  return {
    id,
    name: `node${id}`,
    address: `192.168.${id >> 8}.${id & 255}`,
    port: 4789,
    mac: peerMac(id),
    prefixes,
    routedIn: [TABLE],
    mtu: MTU,
  };
}
