import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resourcePath } from '../../../../src/control/model/kinds.js';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';
import { message, refusal } from '../support.js';

/** As `kubectl get networkpolicy -o yaml` writes it: every kind of peer and of port, and what Kubernetes keeps beside. */
const KUBERNETES_POLICY = parse(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"networking.k8s.io/v1"}
  creationTimestamp: "2024-05-01T10:00:00Z"
  generation: 2
  managedFields:
  - { manager: kubectl, operation: Update, fieldsType: FieldsV1, fieldsV1: { "f:spec": { "f:podSelector": {} } } }
  name: db
  namespace: shop
  resourceVersion: "4711"
  uid: 1c9d7a52-6a0b-4a1e-8f6f-0f8d8d1d7c11
spec:
  podSelector:
    matchLabels: { role: db }
    matchExpressions:
    - { key: tier, operator: In, values: [gold, silver, ""] }
    - { key: example.com/stage, operator: NotIn, values: [test] }
    - { key: kept, operator: Exists }
    - { key: gone, operator: DoesNotExist }
  policyTypes: [Egress, Ingress]
  ingress:
  - from:
    - ipBlock: { cidr: 172.17.0.0/16, except: [172.17.1.0/24, 172.17.2.3/32] }
    - namespaceSelector: { matchLabels: { project: shop } }
    - podSelector: { matchLabels: { role: frontend } }
    - namespaceSelector: {}
      podSelector: { matchLabels: { role: backup } }
    ports:
    - { protocol: TCP, port: 6379 }
    - { protocol: UDP, port: dns-udp }
    - { protocol: SCTP }
  egress:
  - to:
    - ipBlock: { cidr: "fd00:10::/32" }
    ports:
    - { protocol: TCP, port: 32000, endPort: 32768 }
  - {}
`);

function policy(spec: Record<string, unknown>): unknown {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p' },
    spec: { podSelector: {}, ...spec },
  };
}

const from = (...peers: unknown[]) => policy({ ingress: [{}, { from: peers }] });
const to = (...peers: unknown[]) => policy({ egress: [{ to: peers }] });
const ports = (...given: unknown[]) => policy({ egress: [{ ports: given }] });
const expression = (given: unknown) =>
  policy({ podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }, given] } });
const block = (cidr: unknown, except?: unknown) => from({ ipBlock: { cidr, except } });

describe('parseNetworkPolicy', () => {
  it('takes what kubectl prints as it is, and gives it back so', () => {
    expect(parseNetworkPolicy(KUBERNETES_POLICY)).toEqual(KUBERNETES_POLICY);
    expect(resourcePath(KUBERNETES_POLICY).path).toBe('/v1/networkpolicies/shop/db');
  });

  it('fills in what is left out, and leaves out what is empty', () => {
    const parsed = parseNetworkPolicy({
      ...(policy({
        podSelector: { matchLabels: {}, matchExpressions: [] },
        ingress: [{ from: [], ports: null }, { ports: [{ port: 80 }, {}] }],
        egress: [],
      }) as object),
      metadata: { name: 'p', creationTimestamp: null },
      status: { conditions: [] },
    });
    expect(parsed).toEqual({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'p' },
      spec: {
        podSelector: {},
        ingress: [{}, { ports: [{ protocol: 'TCP', port: 80 }, { protocol: 'TCP' }] }],
        policyTypes: ['Ingress'],
      },
    });
    expect(parseNetworkPolicy(parsed)).toEqual(parsed);
  });

  it.each([
    [{}, ['Ingress']],
    [{ egress: [] }, ['Ingress']],
    [{ egress: [{}] }, ['Ingress', 'Egress']],
    [{ ingress: [{}] }, ['Ingress']],
    [{ policyTypes: [], egress: [{}] }, ['Ingress', 'Egress']],
    [{ policyTypes: ['Egress'] }, ['Egress']],
    [{ policyTypes: ['Ingress'], egress: [{}] }, ['Ingress']],
    [{ podSelector: null }, ['Ingress']],
  ])('%j is of types %j', (spec, expected) => {
    expect(parseNetworkPolicy(policy(spec)).spec).toMatchObject({ podSelector: {}, policyTypes: expected });
  });

  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['FD00:0:0::1/64', 'fd00::/64'],
    ['::/0', '::/0'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.1/32', '10.0.0.1/32'],
  ])('keeps cidr %s as %s', (cidr, kept) => {
    const { spec } = parseNetworkPolicy(to({ ipBlock: { cidr } }));
    expect(spec.egress).toEqual([{ to: [{ ipBlock: { cidr: kept } }] }]);
  });

  it.each([
    ['in the name', { ...(policy({}) as object), metadata: { name: 'P' } }, 'INVALID metadata.name'],
    ['without a spec', { ...(policy({}) as object), spec: undefined }, 'INVALID spec'],
    [
      'of another version',
      { ...(policy({}) as object), apiVersion: 'extensions/v1beta1' },
      'INVALID apiVersion',
    ],
    ['a field nobody knows', policy({ action: 'Deny' }), 'INVALID spec.action'],
    ['a type nobody knows', policy({ policyTypes: ['Ingress', 'Both'] }), 'INVALID spec.policyTypes[1]'],
    ['three types', policy({ policyTypes: ['Ingress', 'Egress', 'Egress'] }), 'INVALID spec.policyTypes'],
    ['from in egress', policy({ egress: [{ from: [] }] }), 'INVALID spec.egress[0].from'],
    ['to in ingress', policy({ ingress: [{ to: [] }] }), 'INVALID spec.ingress[0].to'],
    ['a rule that is null', policy({ ingress: [null] }), 'INVALID spec.ingress[0]'],
    [
      'a label key',
      policy({ podSelector: { matchLabels: { '-a': 'b' } } }),
      'INVALID spec.podSelector.matchLabels',
    ],
    [
      'a label',
      from({ podSelector: { matchLabels: { a: 'b c' } } }),
      'INVALID spec.ingress[1].from[0].podSelector.matchLabels.a',
    ],
    [
      'a label that is a number',
      policy({ podSelector: { matchLabels: { a: 1 } } }),
      'INVALID spec.podSelector.matchLabels.a',
    ],
    ['a selector as in a Service', policy({ podSelector: { app: 'web' } }), 'INVALID spec.podSelector.app'],
    [
      'an operator',
      expression({ key: 'a', operator: 'Gt', values: ['1'] }),
      'INVALID spec.podSelector.matchExpressions[1].operator',
    ],
    [
      'an operator in small letters',
      expression({ key: 'a', operator: 'in', values: ['1'] }),
      'INVALID spec.podSelector.matchExpressions[1].operator',
    ],
    ['no operator', expression({ key: 'a' }), 'INVALID spec.podSelector.matchExpressions[1].operator'],
    ['no key', expression({ operator: 'Exists' }), 'INVALID spec.podSelector.matchExpressions[1].key'],
    [
      'a key',
      expression({ key: 'a/b/c', operator: 'Exists' }),
      'INVALID spec.podSelector.matchExpressions[1].key',
    ],
    [
      'a long prefix of a key',
      expression({ key: `${'a.'.repeat(127)}/b`, operator: 'Exists' }),
      'INVALID spec.podSelector.matchExpressions[1].key',
    ],
    [
      'In without values',
      expression({ key: 'a', operator: 'In' }),
      'INVALID spec.podSelector.matchExpressions[1].values',
    ],
    [
      'NotIn without values',
      expression({ key: 'a', operator: 'NotIn', values: [] }),
      'INVALID spec.podSelector.matchExpressions[1].values',
    ],
    [
      'Exists with values',
      expression({ key: 'a', operator: 'Exists', values: ['b'] }),
      'INVALID spec.podSelector.matchExpressions[1].values',
    ],
    [
      'DoesNotExist with values',
      expression({ key: 'a', operator: 'DoesNotExist', values: ['b'] }),
      'INVALID spec.podSelector.matchExpressions[1].values',
    ],
    [
      'a value',
      expression({ key: 'a', operator: 'In', values: ['b', 'c!'] }),
      'INVALID spec.podSelector.matchExpressions[1].values[1]',
    ],
    [
      'a long value',
      expression({ key: 'a', operator: 'In', values: ['b'.repeat(64)] }),
      'INVALID spec.podSelector.matchExpressions[1].values[0]',
    ],
    ['a peer that names nobody', from({}), 'INVALID spec.ingress[1].from[0]'],
    ['a peer of nulls', from({ podSelector: {} }, { podSelector: null }), 'INVALID spec.ingress[1].from[1]'],
    [
      'a block and pods',
      from({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }),
      'INVALID spec.ingress[1].from[0].ipBlock',
    ],
    [
      'a block and namespaces',
      to({ ipBlock: { cidr: '10.0.0.0/8' }, namespaceSelector: {} }),
      'INVALID spec.egress[0].to[0].ipBlock',
    ],
    ['a peer nobody knows', to({ fqdn: 'example.com' }), 'INVALID spec.egress[0].to[0].fqdn'],
    ['a block without cidr', from({ ipBlock: {} }), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    ['an empty cidr', block(''), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    ['an address for a cidr', block('10.0.0.1'), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    ['a length', block('10.0.0.0/33'), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    ['octal', block('010.0.0.0/8'), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    ['IPv4 in IPv6', block('::ffff:10.0.0.0/104'), 'INVALID spec.ingress[1].from[0].ipBlock.cidr'],
    [
      'except outside',
      block('10.0.0.0/8', ['10.1.0.0/16', '11.0.0.0/16']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[1]',
    ],
    [
      'except that is all',
      block('10.0.0.0/8', ['10.0.0.0/8']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[0]',
    ],
    [
      'except that is all in other words',
      block('10.0.0.0/8', ['10.9.0.0/8']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[0]',
    ],
    [
      'except that is more',
      block('10.0.0.0/8', ['10.0.0.0/7']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[0]',
    ],
    [
      'except of the other family',
      block('0.0.0.0/0', ['fd00::/8']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[0]',
    ],
    [
      'except that is no cidr',
      block('10.0.0.0/8', ['10.0.0.1']),
      'INVALID spec.ingress[1].from[0].ipBlock.except[0]',
    ],
    ['a protocol', ports({}, { protocol: 'ICMP' }), 'INVALID spec.egress[0].ports[1].protocol'],
    ['a protocol in small letters', ports({ protocol: 'tcp' }), 'INVALID spec.egress[0].ports[0].protocol'],
    ['port 0', ports({ port: 0 }), 'INVALID spec.egress[0].ports[0].port'],
    ['port 65536', ports({ port: 65_536 }), 'INVALID spec.egress[0].ports[0].port'],
    ['half a port', ports({ port: 1.5 }), 'INVALID spec.egress[0].ports[0].port'],
    ['a number as text', ports({ port: '80' }), 'INVALID spec.egress[0].ports[0].port'],
    ['no name', ports({ port: '' }), 'INVALID spec.egress[0].ports[0].port'],
    ['a long name', ports({ port: 'sixteen-letters-' }), 'INVALID spec.egress[0].ports[0].port'],
    ['a name in capitals', ports({ port: 'HTTP' }), 'INVALID spec.egress[0].ports[0].port'],
    ['two hyphens', ports({ port: 'a--b' }), 'INVALID spec.egress[0].ports[0].port'],
    ['a hyphen at the end', ports({ port: 'a-' }), 'INVALID spec.egress[0].ports[0].port'],
    ['endPort below', ports({ port: 80, endPort: 79 }), 'INVALID spec.egress[0].ports[0].endPort'],
    ['endPort with a name', ports({ port: 'http', endPort: 80 }), 'INVALID spec.egress[0].ports[0].endPort'],
    ['endPort alone', ports({ endPort: 80 }), 'INVALID spec.egress[0].ports[0].endPort'],
    ['endPort 65536', ports({ port: 80, endPort: 65_536 }), 'INVALID spec.egress[0].ports[0].endPort'],
  ])('refuses %s', (_, value, expected) => {
    expect(refusal(() => parseNetworkPolicy(value))).toBe(expected);
  });

  it.each([
    ports({ port: 80, endPort: 80 }),
    ports({ port: 'a' }),
    ports({ port: 'fifteen-letters' }),
    block('::/0', ['fd00::/8', '::1/128']),
    from({ namespaceSelector: {} }, { podSelector: {} }),
    expression({ key: 'a', operator: 'In', values: [''] }),
  ])('takes %j', (value) => {
    expect(refusal(() => parseNetworkPolicy(value))).toBe('accepted');
  });

  it('says what is wrong, with the path in front', () => {
    expect(message(() => parseNetworkPolicy(block('10.0.0.0/8', ['11.0.0.0/16'])))).toBe(
      'spec.ingress[1].from[0].ipBlock.except[0]: 11.0.0.0/16 is not a part of cidr 10.0.0.0/8',
    );
    expect(message(() => parseNetworkPolicy(policy({ podSelector: { matchLabels: { '-a': 'b' } } })))).toBe(
      'spec.podSelector.matchLabels: "-a" is not a label key such as app.kubernetes.io/name',
    );
  });
});

/** The policies of Kubernetes' documentation, "Network Policies" and "Declare Network Policy", with names of our own. */
const RECIPES: Record<string, string> = {
  'deny all ingress': 'podSelector: {}\npolicyTypes: [Ingress]',
  'allow all ingress': 'podSelector: {}\ningress:\n- {}\npolicyTypes:\n- Ingress',
  'deny all egress': 'podSelector: {}\npolicyTypes: [Egress]',
  'allow all egress': 'podSelector: {}\negress:\n- {}\npolicyTypes:\n- Egress',
  'deny all': 'podSelector: {}\npolicyTypes:\n- Ingress\n- Egress',
  'allow all egress, deny all ingress':
    'podSelector: {}\npolicyTypes:\n  - Egress\n  - Ingress\negress:\n  - {}\ningress: [] # none',
  'access by label':
    'podSelector:\n  matchLabels:\n    app: web\ningress:\n- from:\n  - podSelector:\n      matchLabels:\n        access: "true"',
  'several namespaces':
    'podSelector: {}\negress:\n- to:\n  - namespaceSelector:\n      matchExpressions:\n      - key: namespace\n        operator: In\n        values: ["one", "two"]',
  'a range of ports':
    'podSelector:\n  matchLabels:\n    role: db\npolicyTypes:\n- Egress\negress:\n- to:\n  - ipBlock:\n      cidr: 10.9.0.0/24\n  ports:\n  - protocol: TCP\n    port: 32000\n    endPort: 32768',
};

describe('the recipes of the documentation', () => {
  it.each(Object.entries(RECIPES))('%s', (_, spec) => {
    const parsed = parseNetworkPolicy(policy(parse(spec)));
    const { ingress, egress, ...rest } = parse(spec);
    expect(parsed.spec).toMatchObject(rest);
    expect(parsed.spec.ingress ?? []).toEqual(ingress ?? []);
    expect(parsed.spec.egress ?? []).toEqual(egress ?? []);
  });
});
