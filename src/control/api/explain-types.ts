/** POST /v1/explain: whether one end may send to another, by which way, and which rule says so. */
import type { Direction, PolicyName, PolicyNote } from '../policies/types.js';
import type { NodeState } from './types.js';

export const EXPLAIN_PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp'] as const;
export type ExplainProtocol = (typeof EXPLAIN_PROTOCOLS)[number];

export interface ExplainRequest {
  /** `NAME`, `NAMESPACE/NAME`, either with `@NODE`; `node/NAME`; or an address. */
  from: string;
  /** The same, or a service: `svc/NAME`, `svc/NAMESPACE/NAME`, or by one of its addresses. */
  to: string;
  /** Of names that are given without; `default`. */
  namespace?: string;
  /** Default: that of the service's port; else tcp with a port, icmp without. */
  protocol?: ExplainProtocol;
  /** Of the destination; of a service its own. Of tcp, udp and sctp without it: every port. */
  port?: number;
  /** Where both ends have addresses of both. Default IPv4. */
  family?: 'IPv4' | 'IPv6';
}

/**
 * pod · node · gateway: an address of the switch · cluster: an address of the cluster's, of which no pod is known · outside:
 * any other address.
 */
export const END_KINDS = ['pod', 'node', 'gateway', 'cluster', 'outside'] as const;
export type EndKind = (typeof END_KINDS)[number];

export interface ExplainEnd {
  kind: EndKind;
  address: string;
  /** Of a pod `NAMESPACE/NAME`; of a pod with the node's own interfaces too, which is kind node. */
  pod?: string;
  node?: string;
  network?: string;
  labels?: Record<string, string>;
}

/**
 * self: the pod itself · direct: the other end of a direct network · bridged, routed: on this node · tunnel: to another
 * node, bridged in an overlay or routed · node: the node itself · gateway: the switch answers · out: through the node to the
 * outside, or from there · lan: a network of other people's · elsewhere: between other nodes · unreachable: no way.
 */
export const WAYS = [
  'self',
  'direct',
  'bridged',
  'routed',
  'tunnel',
  'node',
  'gateway',
  'out',
  'lan',
  'elsewhere',
  'unreachable',
] as const;

export interface ExplainWay {
  kind: (typeof WAYS)[number];
  /** In a sentence. */
  text: string;
  /** Of tunnel: the other node. */
  peer?: { name: string; address: string; state: NodeState; rttMicros: number | null };
}

/** A line of `podwire get KIND NAME -o yaml`. */
export interface ExplainLine {
  number: number;
  text: string;
  /** It is of the item that matched; the others are where that stands. */
  matched: boolean;
}

/** Why the rule matches. */
export interface ExplainRule {
  policy: PolicyName;
  /** `spec.ingress[0]` */
  path: string;
  /** First line of the rule in that YAML. */
  line: number;
  /** The item of `from` or `to`; left out where the rule has none, and so is for everybody. */
  peer?: { path: string; line: number; text: string };
  /** The item of `ports`; left out where the rule is for all. */
  port?: { path: string; line: number; text: string };
  lines: ExplainLine[];
}

/** A policy that selects the pod, and why none of its rules matches. */
export interface ExplainMiss {
  policy: PolicyName;
  rules: { path: string; line: number; why: string }[];
}

export interface ExplainVerdict {
  direction: Direction;
  /** Of the pod whose policies are asked; left out where the end is none, and nothing is asked. */
  pod?: string;
  /** Where it is enforced. */
  node?: string;
  verdict: 'allow' | 'deny';
  /** In a sentence: `allowed by NetworkPolicy shop/db, spec.ingress[0]`. */
  text: string;
  /** What decided; left out where no policy did. */
  note?: PolicyNote;
  rule?: ExplainRule;
  /** Where no rule matched. */
  misses?: ExplainMiss[];
}

/** To one destination: of a service, to one of its backends. */
export interface ExplainPath {
  from: ExplainEnd;
  to: ExplainEnd;
  /** After the translation of services; left out where none was asked for. */
  port?: number;
  way: ExplainWay;
  egress: ExplainVerdict;
  ingress: ExplainVerdict;
  verdict: 'allowed' | 'refused' | 'unreachable';
}

export interface ExplainService {
  /** `shop/web:http` */
  name: string;
  /** Without one where names stand for the pods themselves. */
  address?: string;
  port: number;
  /** Those that a new connection is given; of others it says how many. */
  backends: number;
  otherBackends: number;
}

export interface ExplainAnswer {
  /** The node that answers, from what it knows. */
  node: string;
  /** As asked. */
  from: string;
  to: string;
  protocol: ExplainProtocol;
  /** null: every port, or icmp. */
  port: number | null;
  service: ExplainService | null;
  paths: ExplainPath[];
  /** depends: not the same for all backends. */
  verdict: 'allowed' | 'refused' | 'unreachable' | 'depends';
  /** In a sentence. */
  text: string;
}
