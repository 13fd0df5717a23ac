/**
 * The bodies and answers of the API, as TypeScript types. The command line is written against them; the
 * schemas of the same things, which the server checks requests with, are in src/control/model.
 */
import type { CycleCounter, PortCounter, Total } from '../../dataplane/counters.js';
import type {
  AdminNetworkPolicy,
  AnyPolicy,
  BaselineAdminNetworkPolicy,
  NetworkPolicy,
} from '../policies/types.js';
import type { EndpointSlice, Namespace, Service } from '../services/types.js';
import type { PublishedPortStatus, PublishWish } from './publish-types.js';

export type { DropEntry, DropsAnswer } from './drop-types.js';
export type {
  AdminNetworkPolicy,
  BaselineAdminNetworkPolicy,
  EndpointSlice,
  Namespace,
  NetworkPolicy,
  Service,
};

export interface ObjectMeta {
  name: string;
  /** Of pods, services, endpoint slices and network policies; `default` where it is left out. */
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  /** Given by the store: a decimal revision. In a PUT: only if the resource still has it (else CONFLICT). */
  resourceVersion?: string;
  uid?: string;
  /** ISO 8601. */
  creationTimestamp?: string;
}

export const NETWORK_MODES = ['routed', 'bridge', 'overlay', 'raw', 'direct', 'host', 'none'] as const;
export type NetworkMode = (typeof NETWORK_MODES)[number];

export interface NetworkSpec {
  mode: NetworkMode;
  /** Prefixes; the i-th IPv4 and the i-th IPv6 one are one bridge domain. Of `host` and `none`: empty or left out. */
  cidrs: string[];
  /** No gateway, nothing leaves. Default false. */
  internal?: boolean;
  /** Of routed, bridge and overlay: pods reach the outside through the node. Default true, of an internal network false. */
  egress?: boolean;
  /** There they have the node's address; false: their own, and the routers outside know the way back. Default true. */
  masquerade?: boolean;
  /** Bytes; default: the node's. */
  mtu?: number;
  /** Of an overlay: its VXLAN network identifier. Chosen when it is created, where it is not given. */
  vni?: number;
  /** Of mode raw: the interface of the host. */
  parent?: string;
  /** Of mode raw: its 802.1Q VLAN; without it, frames as they are. */
  vlan?: number;
  /** Of mode raw: routers of the LAN, at most one of each family. Pods' default routes lead to them. */
  gateways?: string[];
  /** Of mode raw: prefixes that pods' addresses are in. Without any, each attach has to say its address. */
  ranges?: string[];
  /** Pods send under their own MAC and IP addresses only. Default true; false learns addresses instead. */
  sourceGuard?: boolean;
}

export interface Network {
  apiVersion: 'podwire.dev/v1';
  kind: 'Network';
  metadata: ObjectMeta;
  spec: NetworkSpec;
  /** `message` says what is wrong with it. */
  status?: { gateways: string[]; pods: number; message?: string };
}

export interface NodeSpec {
  /** Its pod subnets, IPv4 first. */
  podCIDRs: string[];
  /** Where its tunnel is; a node that publishes itself without one is alone. */
  underlay?: {
    address: string;
    /** UDP; default 4789. */
    port?: number;
  };
  /** MAC address of its end of the tunnel. */
  vtepMAC?: string;
}

export type NodeState = 'self' | 'up' | 'down' | 'unknown';

export interface NodeStatus {
  /** Whether its probe through the tunnel is answered; `up` when routes lead there too, `unknown` until then. */
  state: NodeState;
  /** Of the probe. */
  rttMicros: number | null;
  /** When the probe was last answered (ISO 8601); left out where it never was. */
  lastSeen?: string;
  /** Largest packet of a pod that reaches the node whole. */
  mtu: number;
  managed: 'daemon' | 'manual';
  /** What keeps it from being used, in part or whole. */
  message?: string;
}

/** Another host, or this one. Published by its daemon, or applied by hand for one that runs none. */
export interface Node {
  apiVersion: 'podwire.dev/v1';
  kind: 'Node';
  metadata: ObjectMeta;
  spec: NodeSpec;
  status?: NodeStatus;
}

export type PodPhase = 'Pending' | 'Running' | 'Lost';

/** What podwire adds to a Kubernetes Pod. Fields beside phase are there once it is attached. */
export interface PodStatus {
  /** Running where every interface forwards. */
  phase: PodPhase;
  podIP?: string;
  podIPs?: { ip: string }[];
  mac?: string;
  network?: string;
  ifname?: string;
  netns?: string;
  gateways?: string[];
  mtu?: number;
  /** All interfaces; the fields above are the first one's. */
  interfaces?: InterfaceStatus[];
  /** `Ready` where Kubernetes has said so in the manifest. */
  conditions?: { type: string; status: string }[];
}

export interface InterfaceStatus {
  ifname: string;
  network: string;
  /** Without prefix length, IPv4 first. */
  ips: string[];
  mac: string;
  mtu: number;
  gateways: string[];
  /** Whether it forwards. */
  up: boolean;
  /** Names that it has in its network beside the pod's. */
  aliases?: string[];
  /** Left out where nothing is limited. */
  limits?: Limits;
  /** Ports of the node that lead here; left out where there are none. */
  ports?: PublishedPortStatus[];
  /** Of a virtual machine. */
  tap?: string;
  /** Of the container runtime that asked for it. */
  containerId?: string;
}

/** `spec` is Kubernetes' and kept as it came. */
export interface Pod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: ObjectMeta;
  spec?: Record<string, unknown>;
  status?: PodStatus;
}

/** Either a pod, as `NAMESPACE/NAME`, or addresses. */
export interface ImpairmentEnd {
  /** A pod of this node, attached or not yet. */
  pod?: string;
  /** A prefix or an address. */
  cidr?: string;
}

export interface ImpairmentSpec {
  from: ImpairmentEnd;
  to: ImpairmentEnd;
  /** Also what `to` sends to `from`, by itself. Default true. */
  bidirectional?: boolean;
  /** How long each packet takes: `50ms`. At most a minute. */
  delay?: string;
  /** By how much it is longer or shorter: `5ms`. Order is kept. */
  jitter?: string;
  /** Of the packets: `1%`. */
  loss?: string;
  /** Bits a second of each direction. */
  rate?: Quantity;
}

/** What becomes of IP packets between a pod of this node and another pod, or addresses. */
export interface Impairment {
  apiVersion: 'podwire.dev/v1';
  kind: 'Impairment';
  metadata: ObjectMeta;
  spec: ImpairmentSpec;
  status?: {
    /** Whether there is an interface that it applies to. */
    inForce: boolean;
    /** What it waits for. */
    message?: string;
  };
}

export type Resource = AnyPolicy | EndpointSlice | Impairment | Namespace | Network | Node | Pod | Service;

export interface ResourceList<T extends Resource = Resource> {
  apiVersion: T['apiVersion'];
  kind: `${T['kind']}List`;
  /** Watch from here to miss nothing. */
  revision: number;
  items: T[];
}

/** A message of GET /v1/watch. `object` of a deletion is what was deleted. */
export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  revision: number;
  object: Resource;
}

/** POST /v1/pods/NAMESPACE/NAME/attach. */
export interface AttachRequest {
  /** Absolute path of a network namespace; of a pod that has an interface already, its own. */
  netns?: string;
  /** Default: the first free of `eth0`, `eth1`, … */
  ifname?: string;
  /** Default `default`. */
  network?: string;
  labels?: Record<string, string>;
  /** Fixed addresses without prefix length, at most one of each family; the other family is allocated. */
  ips?: string[];
  /** Default: one made from the addresses. */
  mac?: string;
  /** More names in the network beside the pod's own. */
  aliases?: string[];
  limits?: LimitsWish;
  /** Ports of the node that are to lead to the pod. */
  publish?: PublishWish[];
  /**
   * For a virtual machine: a TAP of this name is made, in the namespace, which is the node's own where none is given.
   * Whoever runs the machine opens it by its name.
   */
  tap?: string;
  /** Number of the user who may open it; default: root alone. */
  tapOwner?: number;
}

/** An amount as a number, or as Kubernetes writes it: `10M`, `64Ki`. */
export type Quantity = number | string;

export interface RateWish {
  /** Bits a second: 8,000 to 10^13. */
  rate: Quantity;
  /** Bytes that pass at once; default: ten milliseconds of the rate, at least 16 KiB. */
  burst?: Quantity;
}

/** Seen from the pod; what is left out is not limited. */
export interface LimitsWish {
  /** What it sends. */
  egress?: RateWish;
  /** What it is sent. */
  ingress?: RateWish;
}

export interface Rate {
  rate: number;
  burst: number;
}

/** As they are in force. */
export interface Limits {
  egress?: Rate;
  ingress?: Rate;
}

/** PUT /v1/pods/NAMESPACE/NAME/limits. */
export interface LimitRequest extends LimitsWish {
  /** Default: the pod's first. */
  ifname?: string;
}

export interface LimitAnswer {
  name: string;
  namespace: string;
  ifname: string;
  network: string;
  limits: Limits;
}

export interface AttachAnswer {
  name: string;
  namespace: string;
  network: string;
  /** Without prefix length, IPv4 first. */
  ips: string[];
  mac: string;
  /** The gateways by family, IPv4 first; empty in internal and direct networks. */
  gateway: string[];
  mtu: number;
  ifname: string;
  /** Left out where nothing is limited. */
  limits?: Limits;
  /** Ports of the node that lead here; left out where there are none. */
  ports?: PublishedPortStatus[];
  /** Of a virtual machine: what its monitor is to open. */
  tap?: string;
  /** Whom the pod asks for names; left out where podwire serves it none. */
  dns?: PodDns;
}

/** As in resolv.conf(5). */
export interface PodDns {
  nameservers: string[];
  search: string[];
  options: string[];
}

/** POST /v1/pods/NAMESPACE/NAME/detach; without a body, every interface goes. */
export interface DetachRequest {
  ifname?: string;
  network?: string;
}

export interface DetachAnswer {
  name: string;
  namespace: string;
  /** Addresses that are free again. */
  ips: string[];
}

export interface StoreStatus {
  kind: 'embedded' | 'remote' | 'etcd';
  connected: boolean;
  since: string;
  /** Why it is not connected. */
  reason: string | null;
}

export interface StatusAnswer {
  node: string;
  ready: boolean;
  io: 'uring' | 'poll';
  /** Why this one. */
  ioReason: string;
  /** Forwarding threads. */
  workers: number;
  generation: number;
  podCIDRs: string[];
  clusterCIDRs: string[];
  serviceCIDRs: string[];
  underlay: string | null;
  /** Why the host's rules are not in force: no way out for pods, and none in from outside. */
  hostProblem: string | null;
  peers: { name: string; address: string; state: NodeState; rttMicros: number | null }[];
  /** Where cluster state is kept, and since when it answers or does not (ISO 8601). */
  store: StoreStatus;
  /** How many are attached. */
  pods: number;
  /** Connections of an earlier daemon that this one took up when it started. */
  restoredFlows: number;
  networks: number;
  mtu: number;
  /** Addresses of podwire0. */
  nodeIPs: string[];
  /** null where names are not served. */
  dns: DnsStatus | null;
  version: string;
  pid: number;
  uptimeSeconds: number;
}

export interface DnsStatus {
  /** What names of services end in. */
  domain: string;
  /** Where pods ask, port 53. */
  addresses: string[];
  /** Where the server is, with its ports. */
  listening: string[];
  /** Who is asked for all other names; `looping`: it asks us what we ask it, and is left out. */
  upstreams: { address: string; state: 'up' | 'down' | 'looping' }[];
  /** Why it does not listen where it should. */
  problem: string | null;
  questions: number;
  /** What was no question, and was told so. */
  malformed: number;
  /** Answers nobody had asked for, and what is too short. */
  ignored: number;
  /** Of clients that ask faster than one may. */
  rateDropped: number;
  servfail: number;
}

export interface RouteEntry {
  /** Network whose pods use it, or `node` for what the node itself sends. */
  network: string;
  prefix: string;
  kind: 'connected' | 'via' | 'port' | 'peer' | 'local' | 'unreachable' | 'apart';
  /** Gateway of `via`. */
  via: string | null;
  /** Network (`default`, or `default#1` for its second domain) of `connected` and `via`; port of `port`; `node/NAME` of `peer`; of `apart` the network that it is refused to. */
  dev: string | null;
}

export interface FdbEntry {
  /** `default`, or `default#1` for a network's second bridge domain. */
  network: string;
  vlan: number;
  mac: string;
  /** `default/web` for a pod, `podwire0` for the node. */
  port: string;
  kind: 'static' | 'learned';
  /** Since it was last seen; null for static entries. */
  ageMs: number | null;
}

export interface NeighborEntry {
  network: string;
  address: string;
  mac: string;
  /** `switch` for the gateway's own addresses. */
  port: string;
  kind: 'static' | 'learned' | 'local';
  ageMs: number | null;
}

/** Seen from the switch: rx is what came from the pod. */
export type PortStats = { port: string; drops: number } & Record<PortCounter, number>;

/** received + originated + replicated = sent + consumed + joined + dropped + in flight. */
export interface StatsAnswer {
  ports: PortStats[];
  totals: Record<Total, number>;
  /** Packets between being received and their end at the moment of asking. */
  inFlight: number;
  cycles: Record<CycleCounter, number>;
}

export interface RoutesAnswer {
  generation: number;
  routes: RouteEntry[];
}
export interface FdbAnswer {
  generation: number;
  fdb: FdbEntry[];
}
export interface NeighborsAnswer {
  generation: number;
  neighbors: NeighborEntry[];
}
/** A pod's name, NAME.NAMESPACE or alias in a network that it has an address in. */
export interface NameEntry {
  network: string;
  name: string;
  /** `default/web` */
  pod: string;
  ips: string[];
}
/** GET /v1/env. Names and values need no quotes. */
export interface EnvironmentAnswer {
  namespace: string;
  variables: { name: string; value: string }[];
}
export interface NamesAnswer {
  names: NameEntry[];
}
export interface ErrorAnswer {
  error: {
    /** One of src/control/errors.ts. */
    code: string;
    message: string;
    /** Path of the offending field: `spec.mode`. */
    field?: string;
  };
}
