/** The plan: what is attached and known at a moment, as `compile` makes a snapshot of it. Plain data. */
import type { PeerSpec } from '../dataplane/snapshot.js';
import type { Limits, NetworkMode } from './api/types.js';
import type { PlannedImpairment } from './compile-impairments.js';

export const NODE_ROUTE_TABLE = 0;

/** Networks' bridge domains and route tables are numbered below these. */
export const TUNNEL_DOMAIN = 4095;
/** For answers to whoever came in through the node's port. */
export const NODE_RETURN_TABLE = 4094;
export const TUNNEL_ROUTE_TABLE = 4095;

export const TUNNEL_NAME = 'tunnel';

export interface PlannedDomain {
  readonly id: number;
  readonly cidrs: readonly string[];
  /** Empty where nothing is routed. */
  readonly gateways: readonly string[];
}

/** A pod of another node in an overlay network. */
export interface PlannedMember {
  readonly address: string;
  readonly mac: string;
  /** Name of the node. */
  readonly node: string;
}

/** The interface of the host that a network's pods are on. */
export interface PlannedUplink {
  /** Number of its port. */
  readonly port: number;
  /** `eth0`, for people. */
  readonly name: string;
  /** MAC address of the interface, which is the host's. */
  readonly mac: string;
  readonly mtu: number;
}

export interface PlannedNetwork {
  readonly name: string;
  readonly mode: NetworkMode;
  readonly sourceGuard: boolean;
  readonly routeTable: number;
  readonly domains: readonly PlannedDomain[];
  /** What is nowhere else leaves through the node's port. */
  readonly egress?: boolean;
  /** Of an overlay, which has one domain. */
  readonly vni?: number;
  /** Pods of an overlay on other nodes. */
  readonly members?: readonly PlannedMember[];
  /** Of a raw network, which has one domain without gateways; undefined while its interface is not there. */
  readonly uplink?: PlannedUplink;
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
  /** Seen from the pod. */
  readonly limits?: Limits | undefined;
}

/** The node's own port: a member of its network's first domain. */
export interface PlannedNode extends PlannedPort {
  /** More addresses of the node that pods may reach: the underlay address. */
  readonly otherAddresses: readonly string[];
}

/** This node's end of the tunnel. */
export interface PlannedTunnel {
  /** Number of its port. */
  readonly port: number;
  /** MAC address of the VTEP. */
  readonly mac: string;
  readonly vni: number;
  /** Largest packet that fits through it, whatever the peer. */
  readonly mtu: number;
}

export interface PlannedPeer extends PeerSpec {
  /** Its probe is answered: its prefixes are routed to it. */
  readonly live: boolean;
}

export interface PlannedCluster {
  readonly tunnel: PlannedTunnel;
  readonly peers: readonly PlannedPeer[];
}

/** Addresses that packets for services have; what the services are is told otherwise (publisher.ts). */
export interface PlannedServices {
  /** Prefixes that services' own addresses are in. */
  readonly cidrs: readonly string[];
  /** In these: where the node's kernel sends what is for a port of the node (node-frontends.ts). */
  readonly nodeFrontends: readonly string[];
  /** Of services, outside of these prefixes; gateways among them are the switch's all the same. */
  readonly externalAddresses: readonly string[];
  /** All that the node's kernel answers to, podwire0's or not; nothing of a loopback or link-local scope. */
  readonly nodeAddresses: readonly string[];
}

export interface PlannedEgress {
  /** Prefixes of pods that are not outside, of whichever node. */
  readonly clusterCidrs: readonly string[];
}

/** Networks without routes to one another. */
export interface PlannedApart {
  /** Prefixes of pods of the default network, of whichever node. */
  readonly clusterCidrs: readonly string[];
  /** Under which what one network sends to another is refused, by pairKey (compile-apart.ts). */
  readonly notes: ReadonlyMap<string, number>;
}

export interface Plan {
  readonly generation: number;
  readonly networks: readonly PlannedNetwork[];
  /** undefined while its interface is being made. */
  readonly node: PlannedNode | undefined;
  readonly pods: readonly PlannedPort[];
  readonly impairments?: readonly PlannedImpairment[];
  /** Without it there is no other node. */
  readonly cluster?: PlannedCluster;
  /** Without it nothing says why one network does not reach another. */
  readonly apart?: PlannedApart;
  /** Without it nothing leaves through the node's port, whatever the networks say. */
  readonly egress?: PlannedEgress;
  /** Ports of pods stay closed until their policies are told (policies/live-policies.ts); without it nothing is asked of policies. */
  readonly policed?: boolean;
  /** Without it nothing is translated. */
  readonly services?: PlannedServices;
}
