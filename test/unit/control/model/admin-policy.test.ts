import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseAdminPolicy, parseBaselinePolicy } from '../../../../src/control/model/admin-policy.js';
import { resourcePath } from '../../../../src/control/model/kinds.js';
import { message, refusal } from '../support.js';

/** As `kubectl get adminnetworkpolicy -o yaml` writes it: every kind of peer and of port. */
const KUBERNETES_POLICY = parse(`
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata:
  creationTimestamp: "2024-05-01T10:00:00Z"
  generation: 1
  managedFields:
  - { manager: kubectl, operation: Update, fieldsType: FieldsV1, fieldsV1: {} }
  name: tenants
  resourceVersion: "12"
  uid: 27b9
spec:
  priority: 1000
  subject:
    pods:
      namespaceSelector: { matchLabels: { tenant: a } }
      podSelector: {}
  ingress:
  - name: monitoring
    action: Allow
    from:
    - namespaces: { matchLabels: { kubernetes.io/metadata.name: monitoring } }
  - action: Pass
    from:
    - pods:
        namespaceSelector: {}
        podSelector: { matchExpressions: [{ key: role, operator: In, values: [probe] }] }
    ports:
    - portNumber: { protocol: SCTP, port: 9003 }
    - portRange: { protocol: UDP, start: 5000, end: 5010 }
    - namedPort: web
  egress:
  - action: Deny
    to:
    - networks: [10.0.0.0/8, "fd00::/8"]
    - nodes: { matchExpressions: [{ key: control-plane, operator: Exists }] }
    - namespaces: {}
    ports:
    - portNumber: { protocol: TCP, port: 443 }
`);

/** As user stories of network-policy-api are written, with the selectors of version 0.1.0. */
const EARLY_BASELINE = parse(`
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata:
  name: default
spec:
  subject:
    namespaces: {}
  ingress:
    - action: Deny   # nobody, unless a NetworkPolicy says so
      from:
      - namespaces:
          namespaceSelector: {}
  egress:
    - action: Allow
      name: to-dns
      to:
      - pods:
          namespaces:
            namespaceSelector:
              matchLabels:
                kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              app: dns
      ports:
      - portNumber:
          port: 53
          protocol: UDP
`);

function admin(spec: Record<string, unknown>): unknown {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name: 'p' },
    spec: { priority: 5, subject: { namespaces: {} }, ...spec },
  };
}

function baseline(spec: Record<string, unknown>, name = 'default'): unknown {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    metadata: { name },
    spec: { subject: { namespaces: {} }, ...spec },
  };
}

const ALL = { namespaces: {} };
const into = (rule: object) => admin({ ingress: [{ action: 'Deny', from: [ALL], ...rule }] });
const out = (rule: object) => admin({ egress: [{ action: 'Deny', to: [ALL], ...rule }] });
const ports = (...given: unknown[]) => into({ ports: given });
const many = (count: number, item: unknown) => new Array(count).fill(item);

describe('parseAdminPolicy', () => {
  it('takes what kubectl prints as it is, and gives it back so', () => {
    expect(parseAdminPolicy(KUBERNETES_POLICY)).toEqual(KUBERNETES_POLICY);
    expect(resourcePath(KUBERNETES_POLICY).path).toBe('/v1/adminnetworkpolicies/tenants');
  });

  it('fills in protocols, and leaves out what is empty and a namespace', () => {
    const given = into({
      name: '',
      ports: [{ portNumber: { port: 80 } }, { portRange: { start: 1, end: 2 } }],
    }) as { metadata: object; spec: object };
    const parsed = parseAdminPolicy({
      ...given,
      metadata: { ...given.metadata, namespace: 'shop', creationTimestamp: null },
      spec: { ...given.spec, egress: [] },
      status: { conditions: [] },
    });
    expect(parsed.metadata).toEqual({ name: 'p' });
    expect(parsed.spec).toEqual({
      priority: 5,
      subject: { namespaces: {} },
      ingress: [
        {
          action: 'Deny',
          from: [{ namespaces: {} }],
          ports: [
            { portNumber: { protocol: 'TCP', port: 80 } },
            { portRange: { protocol: 'TCP', start: 1, end: 2 } },
          ],
        },
      ],
    });
    expect(parseAdminPolicy(parsed)).toEqual(parsed);
  });

  it('keeps selectors of version 0.1.0 in the place where they are now', () => {
    const { spec } = parseBaselinePolicy(EARLY_BASELINE);
    expect(spec.ingress).toEqual([{ action: 'Deny', from: [{ namespaces: {} }] }]);
    expect(spec.egress?.[0].to).toEqual([
      {
        pods: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
          podSelector: { matchLabels: { app: 'dns' } },
        },
      },
    ]);
  });

  it.each([
    ['no priority', admin({ priority: undefined }), 'INVALID spec.priority'],
    ['a priority below', admin({ priority: -1 }), 'INVALID spec.priority'],
    ['a priority above', admin({ priority: 1001 }), 'INVALID spec.priority'],
    ['half a priority', admin({ priority: 0.5 }), 'INVALID spec.priority'],
    ['no subject', admin({ subject: undefined }), 'INVALID spec.subject'],
    ['an empty subject', admin({ subject: {} }), 'INVALID spec.subject'],
    [
      'two subjects',
      admin({ subject: { ...ALL, pods: { namespaceSelector: {}, podSelector: {} } } }),
      'INVALID spec.subject',
    ],
    ['a subject of nodes', admin({ subject: { nodes: {} } }), 'INVALID spec.subject.nodes'],
    [
      'pods without namespaces',
      admin({ subject: { pods: { podSelector: {} } } }),
      'INVALID spec.subject.pods.namespaceSelector',
    ],
    [
      'namespaces without pods',
      into({ from: [{ pods: { namespaceSelector: {} } }] }),
      'INVALID spec.ingress[0].from[0].pods.podSelector',
    ],
    ['no action', into({ action: undefined }), 'INVALID spec.ingress[0].action'],
    ['an action', into({ action: 'Drop' }), 'INVALID spec.ingress[0].action'],
    ['an action in small letters', out({ action: 'deny' }), 'INVALID spec.egress[0].action'],
    ['a long name', into({ name: 'a'.repeat(101) }), 'INVALID spec.ingress[0].name'],
    ['no from', into({ from: undefined }), 'INVALID spec.ingress[0].from'],
    ['nobody in from', into({ from: [] }), 'INVALID spec.ingress[0].from'],
    ['no to', out({ to: undefined }), 'INVALID spec.egress[0].to'],
    ['to in ingress', into({ to: [ALL] }), 'INVALID spec.ingress[0].to'],
    ['101 rules', admin({ ingress: many(101, { action: 'Deny', from: [ALL] }) }), 'INVALID spec.ingress'],
    ['101 peers', out({ to: many(101, ALL) }), 'INVALID spec.egress[0].to'],
    ['101 ports', ports(...many(101, { namedPort: 'a' })), 'INVALID spec.ingress[0].ports'],
    ['no ports', ports(), 'INVALID spec.ingress[0].ports'],
    ['an empty peer', into({ from: [ALL, {}] }), 'INVALID spec.ingress[0].from[1]'],
    ['two peers in one', out({ to: [{ ...ALL, nodes: {} }] }), 'INVALID spec.egress[0].to[0]'],
    [
      'networks in ingress',
      into({ from: [ALL, { networks: ['10.0.0.0/8'] }] }),
      'INVALID spec.ingress[0].from[1].networks',
    ],
    ['nodes in ingress', into({ from: [{ nodes: {} }] }), 'INVALID spec.ingress[0].from[0].nodes'],
    ['no networks', out({ to: [{ networks: [] }] }), 'INVALID spec.egress[0].to[0].networks'],
    [
      '26 networks',
      out({ to: [{ networks: Array.from({ length: 26 }, (_, n) => `10.${n}.0.0/16`) }] }),
      'INVALID spec.egress[0].to[0].networks',
    ],
    [
      'a network',
      out({ to: [{ networks: ['10.0.0.0/8', '10.0.0.1'] }] }),
      'INVALID spec.egress[0].to[0].networks[1]',
    ],
    [
      'a network twice',
      out({ to: [{ networks: ['10.0.0.0/8', '10.0.0.0/8'] }] }),
      'INVALID spec.egress[0].to[0].networks[1]',
    ],
    [
      'IPv4 in IPv6',
      out({ to: [{ networks: ['::ffff:10.0.0.0/104'] }] }),
      'INVALID spec.egress[0].to[0].networks[0]',
    ],
    [
      'names of domains',
      out({ to: [ALL, { domainNames: ['*.example.com'] }] }),
      'UNSUPPORTED spec.egress[0].to[1].domainNames',
    ],
    [
      'the same tenant',
      into({ from: [{ namespaces: { sameLabels: ['tenant'] } }] }),
      'UNSUPPORTED spec.ingress[0].from[0].namespaces.sameLabels',
    ],
    [
      'other tenants',
      out({ to: [{ pods: { namespaces: { notSameLabels: ['tenant'] }, podSelector: {} } }] }),
      'UNSUPPORTED spec.egress[0].to[0].pods.namespaces.notSameLabels',
    ],
    [
      'selectors of two versions',
      into({ from: [{ namespaces: { namespaceSelector: {}, matchLabels: { a: 'b' } } }] }),
      'INVALID spec.ingress[0].from[0].namespaces.matchLabels',
    ],
    [
      'selectors of two versions for pods',
      into({
        from: [{ pods: { namespaces: { namespaceSelector: {} }, namespaceSelector: {}, podSelector: {} } }],
      }),
      'INVALID spec.ingress[0].from[0].pods.namespaces',
    ],
    [
      'a selector in small letters',
      into({ from: [{ namespaces: { matchlabels: { a: 'b' } } }] }),
      'INVALID spec.ingress[0].from[0].namespaces.matchlabels',
    ],
    [
      'an operator',
      admin({ subject: { namespaces: { matchExpressions: [{ key: 'a', operator: 'Is' }] } } }),
      'INVALID spec.subject.namespaces.matchExpressions[0].operator',
    ],
    [
      'In without values',
      into({
        from: [
          {
            pods: {
              namespaceSelector: {},
              podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] },
            },
          },
        ],
      }),
      'INVALID spec.ingress[0].from[0].pods.podSelector.matchExpressions[0].values',
    ],
    [
      'an early In without values',
      into({
        from: [{ namespaces: { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } }],
      }),
      'INVALID spec.ingress[0].from[0].namespaces.namespaceSelector.matchExpressions[0].values',
    ],
    [
      'Exists with values for nodes',
      out({ to: [{ nodes: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } }] }),
      'INVALID spec.egress[0].to[0].nodes.matchExpressions[0].values',
    ],
    ['an empty port', ports({}), 'INVALID spec.ingress[0].ports[0]'],
    [
      'two ports in one',
      ports({ namedPort: 'a', portNumber: { port: 1 } }),
      'INVALID spec.ingress[0].ports[0]',
    ],
    [
      'a port without number',
      ports({ portNumber: { protocol: 'UDP' } }),
      'INVALID spec.ingress[0].ports[0].portNumber.port',
    ],
    ['port 0', ports({ portNumber: { port: 0 } }), 'INVALID spec.ingress[0].ports[0].portNumber.port'],
    [
      'a protocol',
      ports({ portNumber: { port: 1, protocol: 'ICMP' } }),
      'INVALID spec.ingress[0].ports[0].portNumber.protocol',
    ],
    [
      'a range without end',
      ports({ portRange: { start: 1 } }),
      'INVALID spec.ingress[0].ports[0].portRange.end',
    ],
    [
      'a range backwards',
      ports({ namedPort: 'a' }, { portRange: { start: 2, end: 1 } }),
      'INVALID spec.ingress[0].ports[1].portRange.end',
    ],
    [
      'a range too far',
      ports({ portRange: { start: 2, end: 65_536 } }),
      'INVALID spec.ingress[0].ports[0].portRange.end',
    ],
    ['a name', ports({ namedPort: 'Web' }), 'INVALID spec.ingress[0].ports[0].namedPort'],
    ['no name', ports({ namedPort: '' }), 'INVALID spec.ingress[0].ports[0].namedPort'],
    [
      'names of ports of networks',
      out({
        to: [ALL, { networks: ['10.0.0.0/8'] }],
        ports: [{ portNumber: { port: 1 } }, { namedPort: 'a' }],
      }),
      'INVALID spec.egress[0].ports[1].namedPort',
    ],
    [
      'names of ports of nodes',
      out({ to: [{ nodes: {} }], ports: [{ namedPort: 'a' }] }),
      'INVALID spec.egress[0].ports[0].namedPort',
    ],
  ])('refuses %s', (_, value, expected) => {
    expect(refusal(() => parseAdminPolicy(value))).toBe(expected);
  });

  it.each([
    admin({ priority: 0 }),
    admin({ priority: 1000 }),
    admin({
      ingress: many(100, { action: 'Pass', from: [ALL] }),
      egress: many(100, { action: 'Deny', to: [ALL] }),
    }),
    ports({ portRange: { start: 1, end: 65_535 } }),
    ports({ portRange: { start: 7, end: 7 } }),
    out({ to: [ALL], ports: [{ namedPort: 'a' }] }),
    out({ to: [{ nodes: {} }, { networks: ['0.0.0.0/0', '::/0'] }] }),
  ])('takes %j', (value) => {
    expect(refusal(() => parseAdminPolicy(value))).toBe('accepted');
  });

  it('says what is wrong, with the path in front', () => {
    expect(message(() => parseAdminPolicy(into({ from: [{ nodes: {} }] })))).toBe(
      'spec.ingress[0].from[0].nodes: belongs to peers of egress rules',
    );
    expect(message(() => parseAdminPolicy(out({ to: [{ ...ALL, nodes: {} }] })))).toBe(
      'spec.egress[0].to[0]: has namespaces and nodes, of which it may have one',
    );
  });

  it.each([
    undefined,
    null,
    'text',
    [],
    { spec: 7 },
    { spec: { ingress: {} } },
    { spec: { egress: [{ to: [7] }] } },
  ])('refuses %j by a field that is missing', (value) => {
    expect(refusal(() => parseAdminPolicy(value))).toMatch(/^INVALID /);
  });
});

describe('parseBaselinePolicy', () => {
  it.each([
    ['another name', baseline({}, 'other'), 'INVALID metadata.name'],
    ['a priority', baseline({ priority: 5 }), 'INVALID spec.priority'],
    ['Pass', baseline({ ingress: [{ action: 'Pass', from: [ALL] }] }), 'INVALID spec.ingress[0].action'],
    [
      'Pass for egress',
      baseline({ egress: [{ action: 'Pass', to: [ALL] }] }),
      'INVALID spec.egress[0].action',
    ],
    [
      'names of domains',
      baseline({ egress: [{ action: 'Deny', to: [{ domainNames: ['a.b'] }] }] }),
      'UNSUPPORTED spec.egress[0].to[0].domainNames',
    ],
    ['an AdminNetworkPolicy', admin({}), 'INVALID kind'],
  ])('refuses %s', (_, value, expected) => {
    expect(refusal(() => parseBaselinePolicy(value))).toBe(expected);
  });

  it('takes rules that allow and deny, in both directions', () => {
    const rules = {
      ingress: [{ action: 'Allow', from: [ALL] }],
      egress: [{ name: 'no', action: 'Deny', to: [{ networks: ['10.9.0.0/16'] }, { nodes: {} }] }],
    };
    expect(parseBaselinePolicy(baseline(rules)).spec).toEqual({ subject: ALL, ...rules });
  });
});
