/**
 * Policies that people know, and what they expect of them: the recipes of github.com/ahmetb/kubernetes-network-policy-recipes, the
 * examples of the Kubernetes documentation, and corners of the API's text; written down as who reaches whom.
 *
 *        n1 10.0.1.1                          n2 10.0.2.1                     world 192.0.2.9
 *        web .2  shop .3  dev .4  dns .5      db .2  prod .3  watch .4  idle .5
 */
import { parseAllDocuments } from 'yaml';
import type { OracleCluster, OraclePod, RawPolicy } from './policy-manifests.js';

const NAMESPACES = {
  prod: { purpose: 'production' },
  dev: { purpose: 'testing' },
  ops: { team: 'operations' },
};

function pod(name: string, place: string, labels: Record<string, string>, ...ports: string[]): OraclePod {
  const [namespace, number, host] = place.split(' ');
  return {
    namespace,
    name,
    node: `n${number}`,
    labels,
    ports: ports.map((port) => {
      const [portName, protocol, value] = port.split(' ');
      return { name: portName, protocol, port: Number(value) };
    }),
    interfaces: [{ network: 'default', ips: [`10.0.${number}.${host}`, `fd00:${number}::${host}`] }],
  };
}

export const PODS = [
  pod('web', 'default 1 2', { app: 'web' }, 'http TCP 80'),
  pod('shop', 'default 1 3', { app: 'bookstore', role: 'api' }, 'http TCP 8080'),
  pod('db', 'default 2 2', { app: 'bookstore', role: 'db' }, 'pg TCP 5432'),
  pod('dev', 'dev 1 4', { type: 'monitoring' }),
  pod('prod', 'prod 2 3', {}),
  pod('watch', 'ops 2 4', { type: 'monitoring' }),
  pod('idle', 'ops 2 5', {}),
  pod('dns', 'kube-system 1 5', { 'k8s-app': 'kube-dns' }, 'dns UDP 53'),
];
export const WORLD = '192.0.2.9';
const ALL = 'web shop db dev prod watch idle dns';

export function clusterWith(manifests: string, cidrs: string[] = []): OracleCluster {
  return {
    namespaces: NAMESPACES,
    pods: PODS,
    nodes: [1, 2, 3].map((number) => ({
      name: `n${number}`,
      labels: { role: number === 3 ? 'edge' : 'core' },
      addresses: [`10.0.${number}.1`, `fd00:${number}::1`],
    })),
    cidrs,
    overlays: [],
    policies: parseAllDocuments(manifests)
      .map((document) => document.toJS() as RawPolicy | null)
      .filter((one) => one !== null),
  };
}

const but = (name: string, all = `${ALL} ${WORLD}`): string =>
  all
    .split(' ')
    .filter((one) => !name.split(' ').includes(one))
    .join(' ');

export const policy = (spec: string, namespace = 'default'): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: ${namespace} }
spec: ${spec}
---`;

export const admin = (priority: number, spec: string, name = `a${priority}`): string => `
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: ${name} }
spec: { priority: ${priority}, ${spec} }
---`;

const baseline = (spec: string): string => `
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: { name: default }
spec: { ${spec} }
---`;

export const WEB = 'podSelector: { matchLabels: { app: web } }';
const DNS = `to: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } },
  podSelector: { matchLabels: { k8s-app: kube-dns } } }], ports: [{ port: 53, protocol: UDP }, { port: 53 }]`;

/**
 * Manifests; and by what is asked, who it is. `to web TCP 80`: who gets there · `from web TCP 80`: whom it gets to. The pod itself is
 * not asked.
 */
export const CASES: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ['no policy at all', '', { 'to web TCP 80': but('web'), 'from web ICMP': but('web') }],
  [
    'recipe 01: deny all traffic to an application',
    policy(`{ ${WEB}, ingress: [] }`),
    { 'to web TCP 80': '', 'to web ICMP': '', 'from web TCP 80': but('web'), 'to shop TCP 80': but('shop') },
  ],
  [
    'recipe 02: limit traffic to an application',
    policy(`{ podSelector: { matchLabels: { app: bookstore, role: api } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: bookstore } } }] }] }`),
    { 'to shop TCP 1': 'db', 'to db TCP 1': but('db') },
  ],
  [
    'recipe 02a: allow all traffic to an application, whatever others deny',
    policy(`{ ${WEB}, ingress: [{}] }`) + policy('{ podSelector: {}, ingress: [] }'),
    { 'to web SCTP 9': but('web'), 'to shop TCP 80': '' },
  ],
  [
    'recipe 03: deny all traffic in a namespace',
    policy('{ podSelector: {}, ingress: [] }'),
    { 'to web TCP 80': '', 'to db TCP 80': '', 'to prod TCP 80': but('prod') },
  ],
  [
    'recipe 04: deny traffic from other namespaces; matchLabels is null',
    policy('{ podSelector: { matchLabels: }, ingress: [{ from: [{ podSelector: {} }] }] }'),
    { 'to web TCP 80': 'shop db', 'to prod TCP 80': but('prod') },
  ],
  [
    'recipe 05: allow traffic from all namespaces, but not from outside',
    policy(`{ ${WEB}, ingress: [{ from: [{ namespaceSelector: {} }] }] }`),
    { 'to web TCP 80': but('web', ALL) },
  ],
  [
    'recipe 06: allow traffic from a namespace',
    policy(
      `{ ${WEB}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { purpose: production } } }] }] }`,
    ),
    { 'to web TCP 80': 'prod' },
  ],
  [
    'recipe 07: allow traffic from some pods in another namespace',
    policy(`{ ${WEB}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: operations } },
      podSelector: { matchLabels: { type: monitoring } } }] }] }`),
    { 'to web TCP 80': 'watch' },
  ],
  [
    'the same with two elements in place of one: either of them',
    policy(`{ ${WEB}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: operations } } },
      { podSelector: { matchLabels: { role: db } } }] }] }`),
    { 'to web TCP 80': 'db watch idle' },
  ],
  [
    'recipe 08: allow external traffic, to a port; TCP where no protocol is named',
    policy(`{ ${WEB}, ingress: [{ ports: [{ port: 80 }] }] }`),
    { 'to web TCP 80': but('web'), 'to web TCP 81': '', 'to web UDP 80': '', 'to web ICMP': '' },
  ],
  [
    'recipe 09: allow traffic only to a port, from some',
    policy(
      `{ ${WEB}, ingress: [{ ports: [{ port: http }], from: [{ podSelector: { matchLabels: { role: db } } }] }] }`,
    ),
    { 'to web TCP 80': 'db', 'to web TCP 8080': '' },
  ],
  [
    'recipe 10: several selectors',
    policy(`{ podSelector: { matchLabels: { role: db } }, ingress: [{ from: [
      { podSelector: { matchLabels: { app: bookstore, role: api } } }, { podSelector: { matchLabels: { app: web } } }] }] }`),
    { 'to db TCP 80': 'web shop' },
  ],
  [
    'recipe 11: deny egress of an application, and then all but DNS',
    policy(`{ ${WEB}, policyTypes: [Egress], egress: [] }`) +
      policy(`{ ${WEB}, policyTypes: [Egress], egress: [{ ${DNS} }] }`),
    {
      'from web TCP 80': '',
      'from web UDP 53': 'dns',
      'from web TCP 53': 'dns',
      'to web TCP 80': but('web'),
    },
  ],
  [
    'recipe 12: deny all egress of a namespace',
    policy('{ policyTypes: [Egress], podSelector: {}, egress: [] }'),
    { 'from web TCP 80': '', 'from shop UDP 53': '', 'from dev TCP 80': but('dev') },
  ],
  [
    'recipe 14: deny egress to the world, by what is the cluster',
    policy(`{ ${WEB}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: {} }] }] }`),
    { 'from web TCP 80': but('web', ALL) },
  ],
  [
    'an egress section without policyTypes is for both ways',
    policy(`{ ${WEB}, egress: [{ to: [{ podSelector: {} }] }] }`),
    { 'from web TCP 80': 'shop db', 'to web TCP 80': '' },
  ],
  [
    'egress: [] without policyTypes says nothing of egress',
    policy(`{ ${WEB}, egress: [] }`),
    { 'from web TCP 80': but('web'), 'to web TCP 80': '' },
  ],
  [
    'a policy without a spec isolates its namespace',
    policy(''),
    { 'to web TCP 80': '', 'to prod TCP 80': but('prod') },
  ],
  [
    'the example of the documentation: blocks with exceptions, ports',
    policy(`{ podSelector: { matchLabels: { role: db } }, policyTypes: [Ingress, Egress],
      ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.1.0/24] } },
        { namespaceSelector: { matchLabels: { purpose: testing } } }, { podSelector: { matchLabels: { app: web } } }],
        ports: [{ protocol: TCP, port: 6379 }] }],
      egress: [{ to: [{ ipBlock: { cidr: 192.0.2.0/24 } }], ports: [{ protocol: TCP, port: 5978 }] }] }`),
    {
      'to db TCP 6379': 'web dev prod watch idle',
      'to db UDP 6379': '',
      'from db TCP 5978': WORLD,
      'from db TCP 1': '',
    },
  ],
  [
    'a range of ports, with both its ends',
    policy(`{ ${WEB}, ingress: [{ ports: [{ port: 100, endPort: 102 }] }] }`),
    {
      'to web TCP 99': '',
      'to web TCP 100': but('web'),
      'to web TCP 102': but('web'),
      'to web TCP 103': '',
      'to web TCP': '',
    },
  ],
  [
    'every port of a protocol, known or not',
    policy(`{ ${WEB}, ingress: [{ ports: [{ protocol: UDP }] }] }`),
    { 'to web UDP': but('web'), 'to web UDP 7': but('web'), 'to web TCP': '' },
  ],
  [
    'a named port of egress is that of whom it goes to',
    policy(
      '{ podSelector: { matchLabels: { role: db } }, policyTypes: [Egress], egress: [{ ports: [{ port: http }] }] }',
    ),
    { 'from db TCP 80': 'web', 'from db TCP 8080': 'shop' },
  ],
  [
    'expressions: what is not there is not in',
    policy(`{ podSelector: { matchExpressions: [{ key: role, operator: NotIn, values: [db] }] },
      ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: role, operator: DoesNotExist }] } }] }] }`),
    { 'to web TCP 80': '', 'to shop TCP 80': 'web', 'to db TCP 80': but('db') },
  ],
  [
    'an admin policy denies before policies allow, in the order of priorities and rules',
    policy(`{ ${WEB}, ingress: [{}] }`) +
      admin(20, 'subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }]') +
      admin(
        10,
        `subject: { pods: { namespaceSelector: {}, ${WEB} } }, ingress: [
        { action: Allow, from: [{ namespaces: { matchLabels: { team: operations } } }], ports: [{ portNumber: { port: 80 } }] },
        { action: Pass, from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { role: db } } } }] }]`,
      ),
    { 'to web TCP 80': `db watch idle ${WORLD}`, 'to web TCP 81': `db ${WORLD}`, 'to shop TCP 80': WORLD },
  ],
  [
    'of the same priority the name that sorts first',
    admin(5, 'subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }]', 'ab') +
      admin(
        5,
        `subject: { pods: { namespaceSelector: {}, ${WEB} } }, ingress: [{ action: Allow, from: [{ namespaces: {} }] }]`,
        'a-b',
      ),
    { 'to web TCP 80': but('web'), 'to shop TCP 80': WORLD },
  ],
  [
    'what a pass leaves goes past the baseline where a policy selects the pod, and to it where none does',
    policy(`{ ${WEB}, ingress: [{ from: [{ podSelector: {} }] }] }`) +
      admin(1, 'subject: { namespaces: {} }, ingress: [{ action: Pass, from: [{ namespaces: {} }] }]') +
      baseline('subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }]'),
    { 'to web TCP 80': 'shop db', 'to shop TCP 80': WORLD },
  ],
  [
    'networks and nodes of admin policies; a range of ports',
    admin(
      1,
      `subject: { namespaces: {} }, egress: [
      { action: Allow, to: [{ nodes: { matchLabels: { role: edge } } }] },
      { action: Deny, to: [{ networks: [192.0.2.0/24, 10.0.2.0/24, 10.0.3.0/24] }], ports: [{ portRange: { start: 80, end: 90 } }] }]`,
    ),
    { 'from web TCP 85': 'shop dev dns', 'from web TCP 91': but('web'), 'from web UDP 85': but('web') },
  ],
];
