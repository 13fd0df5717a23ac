/**
 * `networking.k8s.io/v1 NetworkPolicy`: schema, the checks of Kubernetes' API server that a schema cannot express
 * (pkg/apis/networking/validation), and its normal form with the defaults of that server: TCP where a port names no protocol,
 * Ingress among the types always, Egress where there is an egress rule. Prefixes are canonical, empty lists left out.
 */
import { encloses } from '../cidr.js';
import { invalid } from '../errors.js';
import type {
  IpBlock,
  NetworkPolicy,
  NetworkPolicyEgressRule,
  NetworkPolicyIngressRule,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../policies/types.js';
import { PROTOCOLS } from '../services/types.js';
import { LABEL_SELECTOR, normalSelector } from './label-selector.js';
import { KUBERNETES_META } from './meta.js';
import { plainObject } from './nulls.js';
import { normalList, readPolicyCidr } from './policy-fields.js';
import { checker, closed, open, type Schema } from './schema.js';
import { PORT, SERVICE_NAME } from './service-ports.js';

const PEERS: Schema = {
  type: 'array',
  items: closed({
    podSelector: LABEL_SELECTOR,
    namespaceSelector: LABEL_SELECTOR,
    ipBlock: closed({ cidr: { type: 'string' }, except: { type: 'array', items: { type: 'string' } } }, [
      'cidr',
    ]),
  }),
};

const PORTS: Schema = {
  type: 'array',
  items: closed({
    protocol: { type: 'string', enum: PROTOCOLS },
    port: { type: ['integer', 'string'] },
    endPort: PORT,
  }),
};

const POLICY_TYPES = ['Ingress', 'Egress'] as const;

export const NETWORK_POLICY_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'networking.k8s.io/v1' },
    kind: { type: 'string', const: 'NetworkPolicy' },
    metadata: KUBERNETES_META,
    spec: closed({
      podSelector: LABEL_SELECTOR,
      ingress: { type: 'array', items: closed({ from: PEERS, ports: PORTS }) },
      egress: { type: 'array', items: closed({ to: PEERS, ports: PORTS }) },
      policyTypes: { type: 'array', maxItems: 2, items: { type: 'string', enum: POLICY_TYPES } },
    }),
    status: { ...open({}), description: 'Ignored in a PUT.' },
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

type Spec = NetworkPolicy['spec'];
type GivenPort = Partial<NetworkPolicyPort>;
type GivenRule = { from?: NetworkPolicyPeer[]; to?: NetworkPolicyPeer[]; ports?: GivenPort[] };
type Given = Omit<NetworkPolicy, 'spec'> & {
  spec: Partial<Omit<Spec, 'ingress' | 'egress'>> & { ingress?: GivenRule[]; egress?: GivenRule[] };
};

const check = checker<Given>(NETWORK_POLICY_SCHEMA);

/**
 * A NetworkPolicy as it is stored.
 * @throws PodwireError INVALID naming the field
 */
export function parseNetworkPolicy(value: unknown): NetworkPolicy {
  const { apiVersion, kind, metadata, spec } = check(plainObject(value));
  const ingress = normalList('spec.ingress', spec.ingress, ingressRule);
  const egress = normalList('spec.egress', spec.egress, egressRule);
  return {
    apiVersion,
    kind,
    metadata,
    spec: {
      podSelector: normalSelector('spec.podSelector', spec.podSelector ?? {}),
      ...(ingress && { ingress }),
      ...(egress && { egress }),
      policyTypes: policyTypes(spec.policyTypes, egress !== undefined),
    },
  };
}

/** SetDefaults_NetworkPolicy. */
function policyTypes(given: Spec['policyTypes'] = [], hasEgress: boolean): Spec['policyTypes'] {
  if (given.length > 0) return given;
  return hasEgress ? ['Ingress', 'Egress'] : ['Ingress'];
}

function ingressRule(field: string, rule: GivenRule): NetworkPolicyIngressRule {
  const from = normalList(`${field}.from`, rule.from, normalPeer);
  const ports = normalList(`${field}.ports`, rule.ports, normalPort);
  return { ...(from && { from }), ...(ports && { ports }) };
}

function egressRule(field: string, rule: GivenRule): NetworkPolicyEgressRule {
  const to = normalList(`${field}.to`, rule.to, normalPeer);
  const ports = normalList(`${field}.ports`, rule.ports, normalPort);
  return { ...(to && { to }), ...(ports && { ports }) };
}

function normalPeer(
  field: string,
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
): NetworkPolicyPeer {
  if (ipBlock) {
    if (podSelector || namespaceSelector)
      throw invalid(`${field}.ipBlock`, 'is a peer by itself: no selector beside it');
    return { ipBlock: normalBlock(`${field}.ipBlock`, ipBlock) };
  }
  if (!podSelector && !namespaceSelector) {
    throw invalid(field, 'names nobody: it needs podSelector, namespaceSelector or ipBlock');
  }
  return {
    ...(podSelector && { podSelector: normalSelector(`${field}.podSelector`, podSelector) }),
    ...(namespaceSelector && {
      namespaceSelector: normalSelector(`${field}.namespaceSelector`, namespaceSelector),
    }),
  };
}

function normalBlock(field: string, block: IpBlock): IpBlock {
  const cidr = readPolicyCidr(`${field}.cidr`, block.cidr);
  const except = normalList(`${field}.except`, block.except, (path, text) => {
    const inner = readPolicyCidr(path, text);
    if (encloses(cidr, inner) && inner !== cidr) return inner;
    throw invalid(path, `${text} is not a part of cidr ${cidr}`);
  });
  return { cidr, ...(except && { except }) };
}

function normalPort(field: string, { protocol = 'TCP', port, endPort }: GivenPort): NetworkPolicyPort {
  if (typeof port === 'number' && (port < 1 || port > 65_535)) {
    throw invalid(`${field}.port`, `must be from 1 to 65535, not ${port}`);
  }
  if (typeof port === 'string' && !SERVICE_NAME.test(port)) {
    throw invalid(`${field}.port`, `'${port}' is neither a number nor a name of a port`);
  }
  if (endPort !== undefined) checkEnd(`${field}.endPort`, port, endPort);
  return { protocol, ...(port !== undefined && { port }), ...(endPort !== undefined && { endPort }) };
}

function checkEnd(field: string, port: GivenPort['port'], endPort: number): void {
  if (typeof port !== 'number') throw invalid(field, 'belongs to a port that is a number');
  if (endPort < port) throw invalid(field, `${endPort} is below port ${port}`);
}
