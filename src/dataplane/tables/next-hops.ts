/**
 * What a route leads to. FIB entries hold indices into this table. Immutable; plain typed arrays; as many
 * entries as the snapshot has routes, since routes that lead to the same place share one.
 */
import { parseIp } from '../../wire/address.js';
import type { RouteSpec } from '../snapshot.js';

export const NEXT_HOP = {
  /** The destination is in this domain: ask the neighbour table for it. */
  CONNECTED: 0,
  /** A gateway in this domain: ask the neighbour table for the gateway. */
  VIA: 1,
  /** Behind this port: its own MAC is the next hop. */
  PORT: 2,
  /** Through the tunnel to this peer. */
  PEER: 3,
  /** To this peer itself, not to its pods. It may be for a service. */
  PEER_HOST: 4,
  // What is forwarded is above, so that one comparison tells.
  /** An address of the switch. */
  LOCAL: 5,
  UNREACHABLE: 6,
  /** In a network that the sender's is kept apart from. */
  APART: 7,
} as const;

/** Which services a packet may be for. */
export const SERVICES = { NONE: 0, ADDRESS: 1, NODE: 2, PEER: 3, OWN: 4 } as const;

const SERVICES_OF = {
  address: SERVICES.ADDRESS,
  node: SERVICES.NODE,
  peer: SERVICES.PEER,
  own: SERVICES.OWN,
} as const;

export interface NextHopData {
  readonly kind: Uint8Array;
  /** One of SERVICES. */
  readonly services: Uint8Array;
  /** Domain for CONNECTED and VIA, port for PORT, peer for PEER and PEER_HOST. */
  readonly target: Uint16Array;
  /** VIA: the gateway's address; IPv4 in the first of four words. APART: in the first, the number of the note that says why. */
  readonly gateway: Uint32Array;
}

interface Hop {
  readonly kind: number;
  readonly services: number;
  readonly target: number;
  readonly gateway: ArrayLike<number>;
}

const NO_SERVICES = { services: SERVICES.NONE } as const;

/** Collects next hops while routes are compiled, and gives equal ones the same index. */
export class NextHopBuilder {
  private readonly indices = new Map<string, number>();
  /** The same by peer, whose routes are the many. */
  private readonly ofPeers: (number | undefined)[] = [];
  private readonly hops: Hop[] = [];

  add(route: RouteSpec): number {
    const hop = { services: servicesOf(route), ...describe(route) };
    return hop.kind === NEXT_HOP.PEER ? this.addPeer(hop.target) : this.find(hop);
  }

  addPeer(peer: number): number {
    this.ofPeers[peer] ??= this.find({ ...NO_SERVICES, kind: NEXT_HOP.PEER, target: peer, gateway: [] });
    return this.ofPeers[peer];
  }

  addPeerHost(peer: number): number {
    return this.find({ services: SERVICES.PEER, kind: NEXT_HOP.PEER_HOST, target: peer, gateway: [] });
  }

  build(): NextHopData {
    const gateway = new Uint32Array(this.hops.length * 4);
    for (const [index, hop] of this.hops.entries()) gateway.set(hop.gateway, index * 4);
    return {
      kind: Uint8Array.from(this.hops, (hop) => hop.kind),
      services: Uint8Array.from(this.hops, (hop) => hop.services),
      target: Uint16Array.from(this.hops, (hop) => hop.target),
      gateway,
    };
  }

  private find(hop: Hop): number {
    const key = `${hop.kind} ${hop.services} ${hop.target} ${Array.from(hop.gateway).join('.')}`;
    const known = this.indices.get(key);
    if (known !== undefined) return known;
    this.indices.set(key, this.hops.length);
    return this.hops.push(hop) - 1;
  }
}

function servicesOf({ services }: RouteSpec): number {
  return services === undefined ? SERVICES.NONE : SERVICES_OF[services];
}

function describe(route: RouteSpec): Omit<Hop, 'services'> {
  switch (route.kind) {
    case 'connected':
      return { kind: NEXT_HOP.CONNECTED, target: route.domain, gateway: [] };
    case 'via':
      return { kind: NEXT_HOP.VIA, target: route.domain, gateway: parseIp(route.gateway).words };
    case 'port':
      return { kind: NEXT_HOP.PORT, target: route.port, gateway: [] };
    case 'peer': {
      const kind = route.services === 'peer' ? NEXT_HOP.PEER_HOST : NEXT_HOP.PEER;
      return { kind, target: route.peer, gateway: [] };
    }
    case 'local':
      return { kind: NEXT_HOP.LOCAL, target: 0, gateway: [] };
    case 'unreachable':
      return { kind: NEXT_HOP.UNREACHABLE, target: 0, gateway: [] };
    case 'apart':
      return { kind: NEXT_HOP.APART, target: 0, gateway: [route.note] };
  }
}
