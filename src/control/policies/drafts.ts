/**
 * Policies in one form: whom they select, and for each direction their rules in order, each with its peers, its ports and its
 * path in the manifest. What is absent, empty or a default means here what the API says it does:
 *
 * - NetworkPolicy: `from` absent or empty is anybody; a podSelector without a namespaceSelector is pods of the policy's own
 *   namespace; a namespaceSelector without a podSelector all pods of these namespaces; a direction among policyTypes
 *   isolates, with or without rules.
 * - Admin policies: peers are named; a rule that selects none of them holds for nobody.
 */
import type { PolicyAction, PolicyBlock, PolicyPorts } from '../../dataplane/policy-spec.js';
import { canonicalCidr } from '../cidr.js';
import type { Protocol } from '../services/types.js';
import { type Labels, matches } from './selectors.js';
import {
  type AdminNetworkPolicy,
  type AdminPolicyPeer,
  type AdminPolicyPort,
  type AdminPolicyRule,
  type AnyPolicy,
  type BaselineAdminNetworkPolicy,
  DIRECTIONS,
  type Direction,
  type LabelSelector,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  type PolicyName,
} from './types.js';

/** Pods of one namespace, or of namespaces by their labels. */
export type PodSelection = {
  readonly pods: LabelSelector;
  /** Only pods that have this name for this port. */
  readonly named?: NamedPort;
} & ({ readonly namespace: string } | { readonly namespaces: LabelSelector });

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export type PeerDraft =
  | { readonly pods: PodSelection }
  | { readonly block: PolicyBlock }
  | { readonly nodes: LabelSelector };

/** A name of the destination's; without a protocol it may be any. */
export interface NameDraft {
  readonly name: string;
  readonly protocol?: Protocol;
}

export interface RuleDraft {
  readonly action: PolicyAction;
  readonly path: string;
  /** Without it anybody. */
  readonly peers?: readonly PeerDraft[];
  /** Without it whatever there is. */
  readonly ports?: { readonly numbers: readonly PolicyPorts[]; readonly names: readonly NameDraft[] };
}

export interface PolicyDraft {
  readonly policy: AnyPolicy;
  readonly name: PolicyName;
  /** Of this version of it. */
  readonly serial: number;
  /** Of an AdminNetworkPolicy. */
  readonly priority: number;
  readonly subject: PodSelection;
  /** undefined: the policy has nothing to say about this direction. */
  readonly rules: Readonly<Record<Direction, readonly RuleDraft[] | undefined>>;
}

/** @param serial another for each version of each policy. */
export function draftOf(policy: AnyPolicy, serial: number): PolicyDraft {
  const { name } = policy.metadata;
  if (policy.kind !== 'NetworkPolicy') {
    const { subject } = policy.spec;
    return {
      policy,
      name: { kind: policy.kind, name },
      serial,
      priority: policy.kind === 'AdminNetworkPolicy' ? policy.spec.priority : 0,
      subject: selectionOf(subject) ?? NOBODY,
      rules: { ingress: adminRules(policy, 'ingress'), egress: adminRules(policy, 'egress') },
    };
  }
  const namespace = namespaceOf(policy);
  return {
    policy,
    name: { kind: policy.kind, namespace, name },
    serial,
    priority: 0,
    subject: { namespace, pods: policy.spec.podSelector },
    rules: { ingress: networkRules(policy, 'ingress'), egress: networkRules(policy, 'egress') },
  };
}

/** @param labels of the namespace. */
export function isSelected(
  subject: PodSelection,
  pod: { readonly namespace: string; readonly labels: Labels },
  labels: Labels,
): boolean {
  if ('namespace' in subject ? subject.namespace !== pod.namespace : !matches(subject.namespaces, labels)) {
    return false;
  }
  return matches(subject.pods, pod.labels);
}

/** Whether its rules depend on what pods call their ports. */
export function asksForNames({ rules }: PolicyDraft, direction: Direction): boolean {
  return rules[direction]?.some(({ ports }) => (ports?.names.length ?? 0) > 0) ?? false;
}

const NOBODY: PodSelection = {
  namespaces: {},
  pods: { matchExpressions: [{ key: 'none', operator: 'In', values: [] }] },
};

const TYPES = { ingress: 'Ingress', egress: 'Egress' } as const satisfies Record<Direction, string>;

export function namespaceOf({ metadata: { namespace = 'default' } }: NetworkPolicy): string {
  return namespace;
}

function networkRules(policy: NetworkPolicy, direction: Direction): RuleDraft[] | undefined {
  const { policyTypes, ingress = [], egress = [] } = policy.spec;
  if (!policyTypes.includes(TYPES[direction])) return undefined;
  const rules =
    direction === DIRECTIONS[0]
      ? ingress.map(({ from, ports }) => ({ peers: from, ports }))
      : egress.map(({ to, ports }) => ({ peers: to, ports }));
  return rules.map(({ peers = [], ports = [] }, index) => ({
    action: 'allow',
    path: `spec.${direction}[${index}]`,
    ...(peers.length > 0 && { peers: peers.flatMap((peer) => networkPeer(peer, namespaceOf(policy))) }),
    ...(ports.length > 0 && { ports: networkPorts(ports) }),
  }));
}

function networkPeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  namespace: string,
): PeerDraft[] {
  if (ipBlock) {
    const { cidr, except = [] } = ipBlock;
    const excepted = except.length > 0 && { except: except.map(canonicalCidr) };
    return [{ block: { cidr: canonicalCidr(cidr), ...excepted } }];
  }
  const pods = podSelector ?? {};
  if (namespaceSelector) return [{ pods: { namespaces: namespaceSelector, pods } }];
  return podSelector ? [{ pods: { namespace, pods } }] : [];
}

function networkPorts(ports: readonly NetworkPolicyPort[]): RuleDraft['ports'] {
  const names = ports.flatMap(({ protocol, port }) =>
    typeof port === 'string' ? { name: port, protocol } : [],
  );
  const numbers = ports.flatMap(({ protocol, port, endPort }): PolicyPorts[] => {
    if (typeof port === 'string') return [];
    if (port === undefined) return [{ protocol, from: 0, to: 65_535 }];
    return [{ protocol, from: port, to: endPort ?? port }];
  });
  return { numbers, names };
}

function adminRules(
  { spec }: AdminNetworkPolicy | BaselineAdminNetworkPolicy,
  direction: Direction,
): RuleDraft[] | undefined {
  return spec[direction]?.map((rule: AdminPolicyRule, index) => {
    const { action, ports = [] } = rule;
    const peers = (direction === 'ingress' ? rule.from : rule.to) ?? [];
    return {
      action: action.toLowerCase() as PolicyAction,
      path: `spec.${direction}[${index}]`,
      peers: peers.flatMap(adminPeer),
      ...(ports.length > 0 && { ports: adminPorts(ports) }),
    };
  });
}

function adminPeer(peer: AdminPolicyPeer): PeerDraft[] {
  const { networks = [], nodes } = peer;
  const pods = selectionOf(peer);
  return [
    ...(pods ? [{ pods }] : []),
    ...networks.map((cidr) => ({ block: { cidr: canonicalCidr(cidr) } })),
    ...(nodes ? [{ nodes }] : []),
  ];
}

function selectionOf({
  namespaces,
  pods,
}: Pick<AdminPolicyPeer, 'namespaces' | 'pods'>): PodSelection | undefined {
  if (pods) return { namespaces: pods.namespaceSelector, pods: pods.podSelector };
  return namespaces && { namespaces, pods: {} };
}

function adminPorts(ports: readonly AdminPolicyPort[]): RuleDraft['ports'] {
  const names = ports.flatMap(({ namedPort }) => (namedPort === undefined ? [] : { name: namedPort }));
  const numbers = ports.flatMap(({ portNumber, portRange }): PolicyPorts[] => [
    ...(portNumber ? [{ protocol: portNumber.protocol, from: portNumber.port, to: portNumber.port }] : []),
    ...(portRange ? [{ protocol: portRange.protocol, from: portRange.start, to: portRange.end }] : []),
  ]);
  return { numbers, names };
}
