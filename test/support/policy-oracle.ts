/**
 * Who may reach whom, by the text of the Kubernetes API: a direct and slow evaluator of manifests as they were written, defaults and
 * all, against which the compiler and the data plane are held. Resources that were parsed go in as well, for they are manifests in
 * which nothing is left out. It uses nothing of src/control/policies or src/dataplane/policy.
 *
 * Sentences in quotes: see policy-oracle-match.ts, and DOC: kubernetes.io/docs/concepts/services-networking/network-policies.
 * What is this switch's own and not the API's is said where it stands.
 */
import type {
  Labels,
  OracleCluster,
  OracleNode,
  OraclePod,
  OracleQuestion,
  RawAdminPolicy,
  RawAdminRule,
  RawNetworkPolicy,
  RawPolicy,
  RawRule,
} from './policy-manifests.js';
import {
  adminPeerMatches,
  adminPortMatches,
  anyOf,
  both,
  isIn,
  type Match,
  type NamespaceLabels,
  type OracleEnd,
  peerMatches,
  portMatches,
  selects,
  subjectSelects,
  type Traffic,
} from './policy-oracle-match.js';

type Way = 'ingress' | 'egress';

/** Which policy, and which rule in it: `spec.ingress[0]`. */
export interface OracleReason {
  readonly tier: 'admin' | 'policy' | 'baseline';
  readonly kind: RawPolicy['kind'];
  readonly namespace?: string;
  readonly name: string;
  readonly path?: string;
}

export interface OracleVerdict {
  readonly allowed: boolean;
  /** Nobody can know: it depends on a pod of which nothing was heard. */
  readonly isOpen?: true;
  /** Before any policy is asked. */
  readonly isBefore?: true;
  readonly why: string;
  /**
   * One of these has decided: rules that allow are of equal rank in NetworkPolicies. Where none of the NetworkPolicies of the pod
   * allows, all of them have decided together. None: nothing had to decide.
   */
  readonly reasons: readonly OracleReason[];
}

export interface OracleAnswer {
  readonly egress: OracleVerdict;
  readonly ingress: OracleVerdict;
}

/**
 * DOC: "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and the
 * ingress policy on the destination pod need to allow the connection."
 */
export function judge(cluster: OracleCluster, question: OracleQuestion): OracleAnswer {
  const from = endOf(cluster, question.from, question.overlay);
  const to = endOf(cluster, question.to, question.overlay);
  const traffic: Traffic = { protocol: question.protocol, port: question.port, to };
  return {
    egress: verdict(cluster, 'egress', from, to, traffic),
    ingress: verdict(cluster, 'ingress', to, from, traffic),
  };
}

/** Of a pod of which nothing was heard yet only the address is known: it is of the cluster, and nobody's. */
function endOf(cluster: OracleCluster, address: string, overlay: string | undefined): OracleEnd {
  const isHere = (network: string): boolean =>
    overlay === undefined ? !cluster.overlays.includes(network) : network === overlay;
  const pod = cluster.pods.find(({ interfaces }) =>
    interfaces.some(({ network, ips }) => isHere(network) && ips.includes(address)),
  );
  const nodes = overlay === undefined ? cluster.nodes : [];
  const node = nodes.find(({ addresses }) => addresses.includes(address));
  const isKnown = pod !== undefined || node !== undefined;
  return { address, pod, node, unheard: !isKnown && cluster.cidrs.some((cidr) => isIn(address, cidr)) };
}

/** "The Kubernetes control plane sets an immutable label kubernetes.io/metadata.name on all namespaces", whoever has made them. */
function labelsOfNamespaces({ namespaces }: OracleCluster): NamespaceLabels {
  return (name): Labels => ({ ...namespaces[name], 'kubernetes.io/metadata.name': name });
}

const OPEN = (why: string): OracleVerdict => ({ allowed: true, why, reasons: [] });

/**
 * DOC: "NetworkPolicies apply to a connection with a pod on one or both ends, and are not relevant to other connections."
 * "a pod cannot block access to itself" and "traffic to and from the node where a Pod is running is always allowed, regardless of the
 * IP address of the Pod or the node". That these two hold for the other kinds of policies too is this switch's own.
 */
function verdict(
  cluster: OracleCluster,
  way: Way,
  subject: OracleEnd,
  peer: OracleEnd,
  traffic: Traffic,
): OracleVerdict {
  const { pod } = subject;
  if (pod === undefined) return OPEN('not a pod');
  if (peer.pod === pod) return { ...OPEN('itself'), isBefore: true };
  if (peer.node !== undefined && peer.node.name === pod.node)
    return { ...OPEN('its own node'), isBefore: true };
  const asked: Asked = {
    way,
    pod,
    peer,
    traffic,
    labelsOf: labelsOfNamespaces(cluster),
    nodes: cluster.nodes,
  };
  return (
    ofAdmin(asked, adminPolicies(cluster), 'admin') ??
    ofNetworkPolicies(asked, cluster) ??
    ofAdmin(asked, baselines(cluster), 'baseline') ??
    OPEN('nothing forbids it')
  );
}

interface Asked {
  readonly way: Way;
  readonly pod: OraclePod;
  readonly peer: OracleEnd;
  readonly traffic: Traffic;
  readonly labelsOf: NamespaceLabels;
  readonly nodes: readonly OracleNode[];
}

function isAdmin(policy: RawPolicy): policy is RawAdminPolicy {
  return policy.kind !== 'NetworkPolicy';
}

const byText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

/**
 * ANP: "Policies with lower priority values have higher precedence, and are checked before policies with higher priority values."
 * "If two (or more) policies with the same priority could both match a connection, then the implementation can apply any of the
 * matching policies": this one takes that whose name sorts first.
 */
function adminPolicies({ policies }: OracleCluster): RawAdminPolicy[] {
  return policies
    .filter(isAdmin)
    .filter(({ kind }) => kind === 'AdminNetworkPolicy')
    .sort(
      (one, other) =>
        (one.spec.priority ?? 0) - (other.spec.priority ?? 0) ||
        byText(one.metadata.name, other.metadata.name),
    );
}

/** "Only one baseline admin network policy with metadata.name="default" can be created in the cluster". */
function baselines({ policies }: OracleCluster): RawAdminPolicy[] {
  return policies.filter(isAdmin).filter(({ kind }) => kind === 'BaselineAdminNetworkPolicy');
}

/**
 * ANP: "a rule that appears at the top of the ingress rules would take the highest precedence."
 * "Allow: allows the selected traffic (even if it would otherwise have been denied by NetworkPolicy)
 *  Deny: denies the selected traffic
 *  Pass: instructs the selected traffic to skip any remaining ANP rules, and then pass execution to any NetworkPolicies that select the
 *  pod. If the pod is not selected by any NetworkPolicies then execution is passed to any BaselineAdminNetworkPolicies that select the
 *  pod."
 * "ANPs with no ingress rules do not affect ingress traffic." Answers undefined where the next tier decides.
 */
function ofAdmin(
  asked: Asked,
  policies: readonly RawAdminPolicy[],
  tier: 'admin' | 'baseline',
): OracleVerdict | undefined {
  for (const { kind, metadata, spec } of policies) {
    if (!subjectSelects(spec.subject, asked.pod, asked.labelsOf)) continue;
    for (const [index, rule] of (spec[asked.way] ?? []).entries()) {
      const is = adminRuleMatches(asked, rule);
      if (is === 'no') continue;
      const path = `spec.${asked.way}[${index}]`;
      const why = `${rule.action} by ${kind} ${metadata.name} ${path}`;
      if (is === 'maybe') return { allowed: false, isOpen: true, why, reasons: [] };
      if (rule.action === 'Pass') return undefined;
      const reasons = [{ tier, kind, name: metadata.name, path }];
      return { allowed: rule.action === 'Allow', why, reasons };
    }
  }
  return undefined;
}

/**
 * ANP: "From is the list of sources whose traffic this rule applies to. If any element matches the source of incoming traffic then the
 * specified action is applied." "If Ports is not set then the rule does not filter traffic via port."
 */
function adminRuleMatches({ way, peer, traffic, labelsOf, nodes }: Asked, rule: RawAdminRule): Match {
  const peers = (way === 'ingress' ? rule.from : rule.to) ?? [];
  const failsClosed = rule.action === 'Deny';
  const isPeer = anyOf(peers.map((one) => adminPeerMatches(one, peer, failsClosed, labelsOf, nodes)));
  const isPort = rule.ports ? anyOf(rule.ports.map((port) => adminPortMatches(port, traffic))) : 'yes';
  const is = both(isPeer, isPort);
  // An allow that cannot be known does not hold.
  return is === 'maybe' && !failsClosed ? 'no' : is;
}

/**
 * NP: "If this field is not specified, it will default based on the existence of ingress or egress rules; policies that contain an
 * egress section are assumed to affect egress, and all policies (whether or not they contain an ingress section) are assumed to affect
 * ingress." DOC: "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set and Egress will be
 * set if the NetworkPolicy has any egress rules." So `egress: []` has none.
 */
function appliesTo(policy: RawNetworkPolicy, way: Way): boolean {
  const { policyTypes, egress } = policy.spec ?? {};
  const type = way === 'ingress' ? 'Ingress' : 'Egress';
  if (policyTypes && policyTypes.length > 0) return policyTypes.includes(type);
  return way === 'ingress' || (egress ?? []).length > 0;
}

/**
 * NP: "podSelector selects the pods to which this NetworkPolicy object applies. ... An empty selector matches all pods in the policy's
 * namespace. ... This field is optional. If it is not specified, it defaults to an empty selector."
 */
function appliesToPod({ metadata, spec }: RawNetworkPolicy, pod: OraclePod): boolean {
  return (metadata.namespace ?? 'default') === pod.namespace && selects(spec?.podSelector ?? {}, pod.labels);
}

/**
 * DOC: "By default, a pod is non-isolated for egress; all outbound connections are allowed. A pod is isolated for egress if there is
 * any NetworkPolicy that both selects the pod and has "Egress" in its policyTypes... When a pod is isolated for egress, the only allowed
 * connections from the pod are those allowed by the egress list of some NetworkPolicy that applies to the pod for egress." Ingress
 * alike. "Network policies do not conflict; they are additive." Answers undefined where the pod is not isolated.
 */
function ofNetworkPolicies(asked: Asked, cluster: OracleCluster): OracleVerdict | undefined {
  const applying = cluster.policies.filter(
    (policy): policy is RawNetworkPolicy =>
      !isAdmin(policy) && appliesTo(policy, asked.way) && appliesToPod(policy, asked.pod),
  );
  if (applying.length === 0) return undefined;
  const allowing = applying.flatMap((policy) =>
    (policy.spec?.[asked.way] ?? []).flatMap((rule, index) =>
      ruleMatches(asked, rule) ? [reasonOf(policy, `spec.${asked.way}[${index}]`)] : [],
    ),
  );
  const allowed = allowing.length > 0;
  const reasons = allowed ? allowing : applying.map((policy) => reasonOf(policy));
  const names = reasons.map(({ name, path }) => [name, path].filter(Boolean).join(' '));
  return {
    allowed,
    why: `${allowed ? 'allowed' : 'not allowed'} by NetworkPolicy ${names.join(', ')}`,
    reasons,
  };
}

function reasonOf({ kind, metadata }: RawNetworkPolicy, path?: string): OracleReason {
  return { tier: 'policy', kind, namespace: metadata.namespace ?? 'default', name: metadata.name, path };
}

/**
 * NP: "The traffic must match both ports and from." "Items in this list are combined using a logical OR operation. If this field is
 * empty or missing, this rule matches all sources (traffic not restricted by source)." "If this field is empty or missing, this rule
 * matches all ports (traffic not restricted by port)."
 */
function ruleMatches({ way, pod, peer, traffic, labelsOf }: Asked, rule: RawRule): boolean {
  const peers = (way === 'ingress' ? rule.from : rule.to) ?? [];
  const ports = rule.ports ?? [];
  const isPeer =
    peers.length === 0 || peers.some((one) => peerMatches(one, peer, pod.namespace, labelsOf) === 'yes');
  return isPeer && (ports.length === 0 || ports.some((one) => portMatches(one, traffic) === 'yes'));
}
