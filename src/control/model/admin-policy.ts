/**
 * `policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy` and `BaselineAdminNetworkPolicy`: schemas, the checks that their
 * resource definitions make beyond a schema (network-policy-api, apis/v1alpha1), and their normal form: TCP where a port names
 * no protocol, prefixes canonical, empty lists of rules left out, selectors of namespaces where they are since version 0.1.1.
 *
 * Refused by name: peers by names of domains, and `sameLabels` and `notSameLabels` of version 0.1.0.
 */
import { invalid } from '../errors.js';
import type {
  AdminNetworkPolicy,
  AdminPolicyPeer,
  AdminPolicyPort,
  AdminPolicyRule,
  AdminPolicySubject,
  BaselineAdminNetworkPolicy,
  LabelSelector,
} from '../policies/types.js';
import { refuseForeignFields } from './admin-policy-fields.js';
import { ADMIN_POLICY_SCHEMA, BASELINE_POLICY_SCHEMA } from './admin-policy-schema.js';
import { normalSelector } from './label-selector.js';
import { plainObject } from './nulls.js';
import { normalList, readPolicyCidr } from './policy-fields.js';
import { checker } from './schema.js';
import { SERVICE_NAME } from './service-ports.js';

/** There is one baseline, of this name. */
export const BASELINE_NAME = 'default';

type PodSelection = NonNullable<AdminPolicySubject['pods']>;
type GivenNamespaces = LabelSelector & { namespaceSelector?: LabelSelector };
type GivenPods = {
  namespaceSelector?: LabelSelector;
  namespaces?: GivenNamespaces;
  podSelector: LabelSelector;
};
type GivenSelection = { namespaces?: GivenNamespaces; pods?: GivenPods };

const checkAdmin = checker<AdminNetworkPolicy>(ADMIN_POLICY_SCHEMA);
const checkBaseline = checker<BaselineAdminNetworkPolicy>(BASELINE_POLICY_SCHEMA);

/**
 * An AdminNetworkPolicy as it is stored.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parseAdminPolicy(value: unknown): AdminNetworkPolicy {
  const plain = plainObject(value);
  refuseForeignFields(plain);
  const { apiVersion, kind, metadata, spec } = checkAdmin(plain);
  return {
    apiVersion,
    kind,
    metadata: withoutNamespace(metadata),
    spec: { priority: spec.priority, ...normalSpec(spec) },
  };
}

/**
 * A BaselineAdminNetworkPolicy as it is stored.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parseBaselinePolicy(value: unknown): BaselineAdminNetworkPolicy {
  const plain = plainObject(value);
  refuseForeignFields(plain);
  const { apiVersion, kind, metadata, spec } = checkBaseline(plain);
  if (metadata.name !== BASELINE_NAME) {
    throw invalid('metadata.name', `must be ${BASELINE_NAME}, not ${metadata.name}: there is one baseline`);
  }
  return { apiVersion, kind, metadata: withoutNamespace(metadata), spec: normalSpec(spec) };
}

/** Kubernetes' server takes the namespace off what is in none. */
function withoutNamespace<T extends { namespace?: string }>({
  namespace: _,
  ...metadata
}: T): Omit<T, 'namespace'> {
  return metadata;
}

function normalSpec({
  subject,
  ingress,
  egress,
}: BaselineAdminNetworkPolicy['spec']): BaselineAdminNetworkPolicy['spec'] {
  const into = normalList('spec.ingress', ingress, normalRule);
  const out = normalList('spec.egress', egress, normalRule);
  return {
    subject: normalSelection('spec.subject', subject),
    ...(into && { ingress: into }),
    ...(out && { egress: out }),
  };
}

function normalRule(field: string, { name = '', action, from, to, ports }: AdminPolicyRule): AdminPolicyRule {
  const sources = normalList(`${field}.from`, from, normalPeer);
  const targets = normalList(`${field}.to`, to, normalPeer);
  const normalPorts = normalList(`${field}.ports`, ports, normalPort);
  if (targets?.some(({ networks, nodes }) => networks ?? nodes)) refuseNamedPorts(field, normalPorts ?? []);
  return {
    ...(name !== '' && { name }),
    action,
    ...(sources && { from: sources }),
    ...(targets && { to: targets }),
    ...(normalPorts && { ports: normalPorts }),
  };
}

/** Only pods have ports with names. */
function refuseNamedPorts(field: string, ports: readonly AdminPolicyPort[]): void {
  const index = ports.findIndex(({ namedPort }) => namedPort !== undefined);
  if (index < 0) return;
  throw invalid(
    `${field}.ports[${index}].namedPort`,
    'networks and nodes, which the rule leads to, have no names of ports',
  );
}

function normalPeer(field: string, peer: AdminPolicyPeer): AdminPolicyPeer {
  onlyOne(field, peer);
  const { networks, nodes } = peer;
  if (networks) return { networks: normalNetworks(`${field}.networks`, networks) };
  if (nodes) return { nodes: normalSelector(`${field}.nodes`, nodes) };
  return normalSelection(field, peer);
}

function normalNetworks(field: string, networks: readonly string[]): string[] {
  return networks.map((text, index) => {
    const path = `${field}[${index}]`;
    if (networks.indexOf(text) < index) throw invalid(path, `${text} is given twice`);
    return readPolicyCidr(path, text);
  });
}

function normalSelection(field: string, selection: GivenSelection): AdminPolicySubject {
  onlyOne(field, selection);
  const { namespaces, pods } = selection;
  if (pods) return { pods: normalPods(`${field}.pods`, pods) };
  return { namespaces: normalNamespaces(`${field}.namespaces`, namespaces ?? {}) };
}

function normalNamespaces(field: string, { namespaceSelector, ...labels }: GivenNamespaces): LabelSelector {
  if (!namespaceSelector) return normalSelector(field, labels);
  const [other] = Object.keys(labels);
  if (other !== undefined) throw invalid(`${field}.${other}`, 'has no place beside namespaceSelector');
  return normalSelector(`${field}.namespaceSelector`, namespaceSelector);
}

function normalPods(field: string, { namespaceSelector, namespaces, podSelector }: GivenPods): PodSelection {
  if (namespaces && namespaceSelector)
    throw invalid(`${field}.namespaces`, 'has no place beside namespaceSelector');
  if (!namespaces && !namespaceSelector) throw invalid(`${field}.namespaceSelector`, 'is missing');
  return {
    namespaceSelector: namespaces
      ? normalNamespaces(`${field}.namespaces`, namespaces)
      : normalSelector(`${field}.namespaceSelector`, namespaceSelector ?? {}),
    podSelector: normalSelector(`${field}.podSelector`, podSelector),
  };
}

function normalPort(field: string, port: AdminPolicyPort): AdminPolicyPort {
  onlyOne(field, port);
  const { portNumber, portRange, namedPort } = port;
  if (portNumber) return { portNumber: { protocol: portNumber.protocol ?? 'TCP', port: portNumber.port } };
  if (portRange) {
    const { protocol = 'TCP', start, end } = portRange;
    if (end < start) throw invalid(`${field}.portRange.end`, `${end} is below start ${start}`);
    return { portRange: { protocol, start, end } };
  }
  if (SERVICE_NAME.test(namedPort ?? '')) return { namedPort };
  throw invalid(`${field}.namedPort`, `'${namedPort}' is no name of a port`);
}

function onlyOne(field: string, value: object): void {
  const given = Object.keys(value);
  if (given.length === 0) throw invalid(field, 'is empty: it says nothing of whom or what it selects');
  if (given.length > 1) throw invalid(field, `has ${given.join(' and ')}, of which it may have one`);
}
