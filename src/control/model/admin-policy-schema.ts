/** The schemas of AdminNetworkPolicy and BaselineAdminNetworkPolicy. Bounds are those of network-policy-api, apis/v1alpha1. */
import { PROTOCOLS } from '../services/types.js';
import { LABEL_SELECTOR } from './label-selector.js';
import { KUBERNETES_META, NAME } from './meta.js';
import { closed, open, type Schema } from './schema.js';
import { PORT } from './service-ports.js';

const MOST_PRIORITY = 1000;
/** Of rules in a direction, of peers and of ports in a rule. */
const MOST_ITEMS = 100;
const MOST_NETWORKS = 25;
const MOST_NAME = 100;
/** An IPv6 address and its length. */
const MOST_CIDR = 43;

const { namespace: _, ...META } = KUBERNETES_META.properties as Record<string, Schema>;

/** `namespaceSelector` within `namespaces` is how network-policy-api 0.1.0 had it, and how most examples of it are written. */
const SELECTION = {
  namespaces: {
    ...LABEL_SELECTOR,
    properties: { ...(LABEL_SELECTOR.properties as object), namespaceSelector: LABEL_SELECTOR },
  },
  pods: closed(
    {
      namespaceSelector: LABEL_SELECTOR,
      namespaces: closed({ namespaceSelector: LABEL_SELECTOR }, ['namespaceSelector']),
      podSelector: LABEL_SELECTOR,
    },
    ['podSelector'],
  ),
};

const TARGET = {
  ...SELECTION,
  networks: {
    type: 'array',
    minItems: 1,
    maxItems: MOST_NETWORKS,
    items: { type: 'string', maxLength: MOST_CIDR },
  },
  nodes: LABEL_SELECTOR,
};

const PROTOCOL: Schema = { type: 'string', enum: PROTOCOLS };

const PORTS = some({
  portNumber: closed({ protocol: PROTOCOL, port: PORT }, ['port']),
  portRange: closed({ protocol: PROTOCOL, start: PORT, end: PORT }, ['start', 'end']),
  namedPort: { type: 'string' },
});

/** At least one. */
function some(properties: Record<string, Schema>): Schema {
  return { type: 'array', minItems: 1, maxItems: MOST_ITEMS, items: closed(properties) };
}

function rules(peers: 'from' | 'to', peer: Record<string, Schema>, actions: readonly string[]): Schema {
  const rule = closed(
    {
      name: { type: 'string', maxLength: MOST_NAME },
      action: { type: 'string', enum: actions },
      [peers]: some(peer),
      ports: PORTS,
    },
    ['action', peers],
  );
  return { type: 'array', maxItems: MOST_ITEMS, items: rule };
}

function policy(kind: string, actions: readonly string[], more: Record<string, Schema>): Schema {
  return closed(
    {
      apiVersion: { type: 'string', const: 'policy.networking.k8s.io/v1alpha1' },
      kind: { type: 'string', const: kind },
      metadata: open({ ...META, name: NAME }, ['name']),
      spec: closed(
        {
          ...more,
          subject: closed(SELECTION),
          ingress: rules('from', SELECTION, actions),
          egress: rules('to', TARGET, actions),
        },
        [...Object.keys(more), 'subject'],
      ),
      status: { ...open({}), description: 'Ignored in a PUT.' },
    },
    ['apiVersion', 'kind', 'metadata', 'spec'],
  );
}

export const ADMIN_POLICY_SCHEMA: Schema = policy('AdminNetworkPolicy', ['Allow', 'Deny', 'Pass'], {
  priority: { type: 'integer', minimum: 0, maximum: MOST_PRIORITY },
});

export const BASELINE_POLICY_SCHEMA: Schema = policy('BaselineAdminNetworkPolicy', ['Allow', 'Deny'], {});
