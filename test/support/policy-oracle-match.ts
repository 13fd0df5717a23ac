/**
 * What a piece of a policy matches, sentence by sentence from the text of the Kubernetes API, as naive as can be: for
 * policy-oracle.ts alone. Nothing here may come from the compiler or the data plane that it judges; addresses are read by ipaddr.js.
 *
 * The sentences in quotes are from k8s.io/api/networking/v1/types.go (NP), k8s.io/apimachinery meta/v1 and labels/selector.go (LS),
 * k8s.io/api/core/v1/types.go (CORE) and sigs.k8s.io/network-policy-api apis/v1alpha1 (ANP). A field that is null was left out.
 */
import ipaddr from 'ipaddr.js';
import type {
  Labels,
  OracleNode,
  OraclePod,
  RawAdminPeer,
  RawAdminPort,
  RawPeer,
  RawPort,
  RawSelector,
  RawSubject,
} from './policy-manifests.js';

/**
 * One end of a connection: a pod or a node with the address that the packet carries, or an address of which nobody knows more.
 * `unheard`: it is of the cluster, and so some pod's of which nothing was heard yet.
 */
export interface OracleEnd {
  readonly address: string;
  readonly pod?: OraclePod;
  readonly node?: OracleNode;
  readonly unheard: boolean;
}

export interface Traffic {
  readonly protocol: string;
  /** Left out: it has none, or it is not known. */
  readonly port?: number;
  readonly to: OracleEnd;
}

/** maybe: of a pod of which nothing was heard, so that it cannot be known. */
export type Match = 'yes' | 'no' | 'maybe';

const match = (is: boolean): Match => (is ? 'yes' : 'no');

export function anyOf(matches: readonly Match[]): Match {
  return matches.includes('yes') ? 'yes' : matches.includes('maybe') ? 'maybe' : 'no';
}

export function both(one: Match, other: Match): Match {
  if (one === 'no' || other === 'no') return 'no';
  return one === 'yes' && other === 'yes' ? 'yes' : 'maybe';
}

/**
 * LS: "The result of matchLabels and matchExpressions are ANDed. An empty label selector matches all objects. A null label
 * selector matches no objects."
 * "A single {key,value} in the matchLabels map is equivalent to an element of matchExpressions, whose key field is "key", the operator
 * is "In", and the values array contains only "value". The requirements are ANDed."
 */
export function selects(selector: RawSelector, labels: Labels): boolean {
  const ofLabels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    meets(key, 'In', [value], labels),
  );
  const ofExpressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) =>
    meets(key, operator, values ?? [], labels),
  );
  return [...ofLabels, ...ofExpressions].every((is) => is);
}

/**
 * LS: "There is a match in the following cases:
 *  1. The operator is Exists and Labels has the Requirement's key.
 *  2. The operator is In, Labels has the Requirement's key and Labels' value for that key is in Requirement's value set.
 *  3. The operator is NotIn, Labels has the Requirement's key and Labels' value for that key is not in Requirement's value set.
 *  4. The operator is DoesNotExist or NotIn and Labels does not have the Requirement's key."
 */
function meets(key: string, operator: string, values: readonly string[], labels: Labels): boolean {
  const has = Object.hasOwn(labels, key);
  if (operator === 'Exists' && has) return true;
  if (operator === 'In' && has && values.includes(labels[key])) return true;
  if (operator === 'NotIn' && has && !values.includes(labels[key])) return true;
  return (operator === 'DoesNotExist' || operator === 'NotIn') && !has;
}

type Parsed = ReturnType<typeof ipaddr.parseCIDR>;
const networks = new Map<string, Parsed>();
const hosts = new Map<string, Parsed[0]>();

/** Reading text takes longer than all the rest, and the same texts come again and again. */
function remembered<T>(kept: Map<string, T>, text: string, read: (text: string) => T): T {
  const known = kept.get(text);
  if (known !== undefined) return known;
  if (kept.size > 10_000) kept.clear();
  const value = read(text);
  kept.set(text, value);
  return value;
}

export function isIn(address: string, cidr: string): boolean {
  const host = remembered(hosts, address, (text) => ipaddr.parse(text));
  const [network, length] = remembered(networks, cidr, (text) => ipaddr.parseCIDR(text));
  return host.kind() === network.kind() && host.match(network, length);
}

/**
 * NP: "IPBlock describes a particular CIDR (Ex. "192.168.1.0/24","2001:db8::/64") that is allowed to the pods matched by a
 * NetworkPolicySpec's podSelector. The except entry describes CIDRs that should not be included within this rule."
 */
function isInBlock(address: string, block: NonNullable<RawPeer['ipBlock']>): boolean {
  return isIn(address, block.cidr) && !(block.except ?? []).some((cidr) => isIn(address, cidr));
}

/** Labels of a namespace: "The Kubernetes control plane sets an immutable label kubernetes.io/metadata.name on all namespaces". */
export type NamespaceLabels = (namespace: string) => Labels;

/**
 * Pods of which nothing was heard yet are selected by whatever refuses and by nothing that allows: fail closed. That is not the
 * API's, whose pods are all known, but this switch's own.
 */
function selectsPod(end: OracleEnd, failsClosed: boolean, isSelected: (pod: OraclePod) => boolean): Match {
  if (end.unheard) return match(failsClosed);
  return match(end.pod !== undefined && isSelected(end.pod));
}

/**
 * NP: "ipBlock defines policy on a particular IPBlock. If this field is set then neither of the other fields can be."
 * "podSelector is a label selector which selects pods. This field follows standard label selector semantics; if present but empty, it
 * selects all pods. If namespaceSelector is also set, then the NetworkPolicyPeer as a whole selects the pods matching podSelector
 * in the Namespaces selected by NamespaceSelector. Otherwise it selects the pods matching podSelector in the policy's own namespace."
 * "namespaceSelector selects namespaces using cluster-scoped labels. This field follows standard label selector semantics; if present
 * but empty, it selects all namespaces. ... Otherwise it selects all pods in the namespaces selected by namespaceSelector."
 */
export function peerMatches(peer: RawPeer, end: OracleEnd, own: string, labelsOf: NamespaceLabels): Match {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (ipBlock) return match(isInBlock(end.address, ipBlock));
  return selectsPod(end, false, (pod) => {
    const isNamespace = namespaceSelector
      ? selects(namespaceSelector, labelsOf(pod.namespace))
      : pod.namespace === own;
    return isNamespace && (!podSelector || selects(podSelector, pod.labels));
  });
}

/**
 * ANP: "Namespaces is used to select pods via namespace selectors." "Pods is used to select pods via namespace AND pod selectors."
 * "NamespaceSelector follows standard label selector semantics; if empty, it selects all Namespaces. PodSelector is used to
 * explicitly select pods within a namespace; if empty, it selects all Pods."
 */
export function subjectSelects(subject: RawSubject, pod: OraclePod, labelsOf: NamespaceLabels): boolean {
  const { namespaces, pods } = subject;
  if (namespaces) return selects(namespaces, labelsOf(pod.namespace));
  if (!pods) return false;
  return (
    selects(pods.namespaceSelector ?? {}, labelsOf(pod.namespace)) &&
    selects(pods.podSelector ?? {}, pod.labels)
  );
}

/**
 * ANP: "Networks defines a way to select peers via CIDR blocks. This is intended for representing entities that live outside the
 * cluster ... but note that cluster-internal traffic will be checked against the rule as well."
 * "Nodes defines a way to select a set of nodes in the cluster (based on the node's labels). It selects the nodeIPs as the peer type
 * by matching on the IPs present in the node.Status.Addresses field of the node. This field follows standard label selector semantics; if present but empty, it selects all Nodes."
 */
export function adminPeerMatches(
  peer: RawAdminPeer,
  end: OracleEnd,
  failsClosed: boolean,
  labelsOf: NamespaceLabels,
  all: readonly OracleNode[],
): Match {
  const { networks: cidrs, nodes } = peer;
  if (cidrs) return match(cidrs.some((cidr) => isIn(end.address, cidr)));
  if (nodes) {
    const selected = all.filter(({ labels }) => selects(nodes, labels ?? {}));
    return match(selected.some(({ addresses }) => addresses.includes(end.address)));
  }
  return selectsPod(end, failsClosed, (pod) => subjectSelects(peer, pod, labelsOf));
}

/** A range of the one protocol. A port that is not known is in no range but that of all. */
function inRange(traffic: Traffic, protocol: string, from: number, to: number): boolean {
  if (traffic.protocol !== protocol) return false;
  if (traffic.port === undefined) return from <= 1 && to === 65_535;
  return traffic.port >= from && traffic.port <= to;
}

/**
 * CORE, ContainerPort: "Each named port in a pod must have a unique name." The name is one of the pod that the traffic goes to: for
 * ingress "ports which should be made accessible on the pods selected for this rule", for egress "destination ports". An address
 * that is no pod's has no names. Of a pod that was not heard of nobody knows which it has.
 */
function namedMatches(traffic: Traffic, name: string, protocol?: string): Match {
  if (traffic.to.unheard) return 'maybe';
  const named = (traffic.to.pod?.ports ?? []).filter((port) => port.name === name);
  return match(
    named.some(
      (port) =>
        (protocol === undefined || port.protocol === protocol) &&
        inRange(traffic, port.protocol, port.port, port.port),
    ),
  );
}

/**
 * NP: "protocol represents the protocol (TCP, UDP, or SCTP) which traffic must match. If not specified, this field defaults to TCP."
 * "port represents the port on the given protocol. This can either be a numerical or named port on a pod. If this field is not
 * provided, this matches all port names and numbers. If present, only traffic on the specified protocol AND port will be matched."
 * "endPort indicates that the range of ports from port to endPort if set, inclusive, should be allowed by the policy."
 */
export function portMatches({ protocol, port, endPort }: RawPort, traffic: Traffic): Match {
  const wanted = protocol ?? 'TCP';
  if (port === undefined || port === null) return match(inRange(traffic, wanted, 0, 65_535));
  if (typeof port === 'string') return namedMatches(traffic, port, wanted);
  return match(inRange(traffic, wanted, port, endPort ?? port));
}

/**
 * ANP: "Port selects a port on a pod(s) based on number." "NamedPort selects a port on a pod(s) based on name."
 * "PortRange selects a port range on a pod(s) based on provided start and end values." "PortRange defines an inclusive range of ports".
 * "Protocol is the network protocol (TCP, UDP, or SCTP) which traffic must match. If not specified, this field defaults to TCP."
 */
export function adminPortMatches(
  { portNumber, portRange, namedPort }: RawAdminPort,
  traffic: Traffic,
): Match {
  if (portNumber)
    return match(inRange(traffic, portNumber.protocol ?? 'TCP', portNumber.port, portNumber.port));
  if (portRange) return match(inRange(traffic, portRange.protocol ?? 'TCP', portRange.start, portRange.end));
  return namedPort ? namedMatches(traffic, namedPort) : 'no';
}
