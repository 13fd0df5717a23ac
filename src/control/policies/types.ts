/**
 * Network policies as they are written and kept, and what verdicts about them are told with. Plain data. The first three are
 * resources of the API (api/types.ts names them too), shaped as `networking.k8s.io/v1` and `policy.networking.k8s.io/v1alpha1`
 * have them; defaults are filled in where they are parsed.
 */
import type { ObjectMeta } from '../api/types.js';
import type { Protocol } from '../services/types.js';

export const DIRECTIONS = ['ingress', 'egress'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export const SELECTOR_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

export interface SelectorRequirement {
  key: string;
  operator: (typeof SELECTOR_OPERATORS)[number];
  values?: string[];
}

/** `metav1.LabelSelector`: all of it holds; empty: everything. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: SelectorRequirement[];
}

export interface IpBlock {
  cidr: string;
  except?: string[];
}

/** Either `ipBlock`, or one or both of the selectors. */
export interface NetworkPolicyPeer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: IpBlock;
}

export interface NetworkPolicyPort {
  protocol: Protocol;
  /** A number, or the name of a port of the destination pod; left out: all. */
  port?: number | string;
  /** Only beside a number. */
  endPort?: number;
}

/** A list that is left out, or empty, is no restriction. */
export interface NetworkPolicyIngressRule {
  from?: NetworkPolicyPeer[];
  ports?: NetworkPolicyPort[];
}

export interface NetworkPolicyEgressRule {
  to?: NetworkPolicyPeer[];
  ports?: NetworkPolicyPort[];
}

export interface NetworkPolicy {
  apiVersion: 'networking.k8s.io/v1';
  kind: 'NetworkPolicy';
  metadata: ObjectMeta;
  spec: {
    podSelector: LabelSelector;
    ingress?: NetworkPolicyIngressRule[];
    egress?: NetworkPolicyEgressRule[];
    /** As written, or, where it was left out: Ingress, and Egress where there is an `egress`. */
    policyTypes: ('Ingress' | 'Egress')[];
  };
}

/** One of the two: whole namespaces, or pods in namespaces. */
export interface AdminPolicyPeer {
  namespaces?: LabelSelector;
  pods?: { namespaceSelector: LabelSelector; podSelector: LabelSelector };
  /** Egress only: addresses, of either family. */
  networks?: string[];
  /** Egress only: nodes by their labels. */
  nodes?: LabelSelector;
}

/** One of the three. */
export interface AdminPolicyPort {
  portNumber?: { protocol: Protocol; port: number };
  portRange?: { protocol: Protocol; start: number; end: number };
  /** Name of a port of the destination pod, whatever its protocol. */
  namedPort?: string;
}

export interface AdminPolicyRule {
  name?: string;
  /** Pass: NetworkPolicies decide; not in a baseline. */
  action: 'Allow' | 'Deny' | 'Pass';
  from?: AdminPolicyPeer[];
  to?: AdminPolicyPeer[];
  /** Left out: all ports and protocols. */
  ports?: AdminPolicyPort[];
}

export interface AdminPolicySubject {
  namespaces?: LabelSelector;
  pods?: { namespaceSelector: LabelSelector; podSelector: LabelSelector };
}

export interface AdminNetworkPolicy {
  apiVersion: 'policy.networking.k8s.io/v1alpha1';
  kind: 'AdminNetworkPolicy';
  metadata: ObjectMeta;
  spec: {
    /** 0 to 1000: the lower number goes first. Of two with the same, the name that sorts first. */
    priority: number;
    subject: AdminPolicySubject;
    ingress?: AdminPolicyRule[];
    egress?: AdminPolicyRule[];
  };
}

export interface BaselineAdminNetworkPolicy {
  apiVersion: 'policy.networking.k8s.io/v1alpha1';
  kind: 'BaselineAdminNetworkPolicy';
  /** Its name is `default`: there is one. */
  metadata: ObjectMeta;
  spec: { subject: AdminPolicySubject; ingress?: AdminPolicyRule[]; egress?: AdminPolicyRule[] };
}

export type AnyPolicy = NetworkPolicy | AdminNetworkPolicy | BaselineAdminNetworkPolicy;

/** What policies want to know of a pod of any node. */
export interface PolicyPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Ports of its containers that have names. */
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  /** Where it is met, in each of its networks; a pod that uses its node's own interfaces is no pod to policies. */
  readonly interfaces: readonly PolicyInterface[];
}

export interface PolicyInterface {
  readonly network: string;
  readonly ips: readonly string[];
  /** On this node: the number of its port. */
  readonly port?: number;
}

/** Which rule it was that decided. */
export interface PolicyNote {
  readonly direction: Direction;
  /**
   * admin, policy, baseline: the kinds of policies, in the order in which they decide · network: networks that are kept apart ·
   * unknown: a pod of the cluster of which nothing was heard yet.
   */
  readonly tier: 'admin' | 'policy' | 'baseline' | 'network' | 'unknown';
  readonly action: 'allow' | 'deny' | 'pass';
  /** A policy and the rule in it; or all that select the pod, none of which has a rule that matches. Sorted. */
  readonly policies: readonly PolicyName[];
  /** In the one policy: `spec.ingress[0]`. Without it no rule matched. */
  readonly path?: string;
  /** Of tier network: that of the pod that sends, and that which it is kept apart from. */
  readonly networks?: readonly [string, string];
}

export interface PolicyName {
  readonly kind: AnyPolicy['kind'];
  readonly namespace?: string;
  readonly name: string;
}

/** A node of the cluster, by the addresses that it sends from: its own, and those of its gateways. */
export interface PolicyNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
}

/** Who a question is about: a pod, an address (a pod's too, which is then that pod), or a node. */
export type PolicyEnd =
  | {
      /** NAMESPACE/NAME, or NAMESPACE/NAME@NODE where two nodes have one of that name. */
      readonly pod: string;
      /** By which of its addresses; without it, the first of the question's family. */
      readonly address?: string;
    }
  | { readonly address: string }
  | { readonly node: string };

export interface PolicyQuestion {
  readonly from: PolicyEnd;
  /** After service translation. */
  readonly to: PolicyEnd;
  /** Without it that of the first address that both ends have one of. */
  readonly family?: 4 | 6;
  /** Its number in the IP header; -1: what is not IP. */
  readonly protocol: number;
  /** Of the destination; left out where there is none, as with ICMP. */
  readonly port?: number;
}

/**
 * policy: the note says which; without a note nothing that selects the pod decided · open: nothing selects the pod ·
 * outside: this end is no pod · own-node: a pod and its own node · self: a pod and itself.
 */
export type VerdictReason = 'policy' | 'open' | 'outside' | 'own-node' | 'self';

export interface PolicyVerdict {
  readonly allowed: boolean;
  readonly reason: VerdictReason;
  readonly note?: PolicyNote;
}

export interface PolicyAnswer {
  readonly family: 4 | 6;
  /** As they were found; without `pod` it is nobody's address that is known. */
  readonly from: PolicyFound;
  readonly to: PolicyFound;
  /** Of the pod that sends. */
  readonly egress: PolicyVerdict;
  /** Of the pod that is sent to. */
  readonly ingress: PolicyVerdict;
}

export interface PolicyFound {
  /** Missing of a pod or node without one of this family. */
  readonly address?: string;
  readonly pod?: PolicyPod;
  readonly node?: string;
}

/** All that verdicts depend on, at a moment: what a plan was told. */
export interface PolicyState {
  /** By KIND NAMESPACE/NAME. */
  readonly policies: ReadonlyMap<string, AnyPolicy>;
  /** Labels by name, of those that there is a Namespace of. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** By NAMESPACE/NAME@NODE. */
  readonly pods: ReadonlyMap<string, PolicyPod>;
  readonly nodes: ReadonlyMap<string, PolicyNode>;
  /** Of overlays, by network; others are one address space. */
  readonly domains: ReadonlyMap<string, number>;
  readonly clusterCidrs: readonly string[];
}
