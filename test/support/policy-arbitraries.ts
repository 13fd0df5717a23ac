/**
 * Manifests of policies by chance, as people write them: fields left out, empty, or there; few labels and few values, so that selectors
 * meet what is there; blocks of addresses that end in the midst of pods. Only what the API takes: what it refuses is tested by literal
 * manifests in test/unit/control/model.
 */
import fc from 'fast-check';
import type {
  Labels,
  RawAdminPeer,
  RawAdminPolicy,
  RawAdminPort,
  RawAdminRule,
  RawNetworkPolicy,
  RawPeer,
  RawPort,
  RawRule,
  RawSelector,
  RawSubject,
} from './policy-manifests.js';

export const NAMESPACES = ['default', 'shop', 'ops', 'x'] as const;
type Vocabulary = Readonly<Record<string, readonly string[]>>;

const POD_LABELS: Vocabulary = { app: ['web', 'db', ''], tier: ['front', 'back'] };
const NODE_LABELS: Vocabulary = { role: ['edge', 'core'] };
const NAMESPACE_LABELS: Vocabulary = { team: ['a', 'b'], env: ['prod'] };
const NAMESPACE_KEYS: Vocabulary = { ...NAMESPACE_LABELS, 'kubernetes.io/metadata.name': NAMESPACES };

/** Some of the keys, each with one of its values. */
function labelsOf(words: Vocabulary): fc.Arbitrary<Labels> {
  const entries = Object.entries(words).map(([key, values]) =>
    fc.constantFrom(undefined, ...values).map((value) => (value === undefined ? {} : { [key]: value })),
  );
  return fc.tuple(...entries).map((parts): Labels => Object.assign({}, ...parts));
}

export const podLabels = labelsOf(POD_LABELS);
export const namespaceLabels = labelsOf(NAMESPACE_LABELS);
export const nodeLabels = labelsOf(NODE_LABELS);

/** One that is left out as often as not. */
function optional<K extends string, T>(
  key: K,
  value: fc.Arbitrary<T>,
): fc.Arbitrary<{ readonly [P in K]?: T }> {
  return fc
    .option(value, { nil: undefined })
    .map((one) => (one === undefined ? {} : { [key]: one })) as fc.Arbitrary<{
    readonly [P in K]?: T;
  }>;
}

const joined = <A, B>(one: fc.Arbitrary<A>, other: fc.Arbitrary<B>): fc.Arbitrary<A & B> =>
  fc.tuple(one, other).map(([a, b]) => ({ ...a, ...b }));

const some = <T>(one: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> =>
  fc.array(one, { minLength: 1, maxLength });

function selectorOver(words: Vocabulary): fc.Arbitrary<RawSelector> {
  const requirement = fc.constantFrom(...Object.keys(words), 'nobody-has-it').chain((key) => {
    const values = fc.uniqueArray(fc.constantFrom(...(words[key] ?? ['some']), 'else'), {
      minLength: 1,
      maxLength: 2,
    });
    return fc.oneof(
      fc.record(
        { key: fc.constant(key), operator: fc.constantFrom('In', 'NotIn'), values },
        { noNullPrototype: true },
      ),
      fc.record(
        { key: fc.constant(key), operator: fc.constantFrom('Exists', 'DoesNotExist') },
        { noNullPrototype: true },
      ),
    );
  });
  const labels = fc
    .constantFrom(...Object.entries(words).flatMap(([key, values]) => values.map((value) => [key, value])))
    .map(([key, value]) => ({ [key]: value }));
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 4, arbitrary: labels.map((matchLabels) => ({ matchLabels })) },
    { weight: 1, arbitrary: labelsOf(words).map((matchLabels) => ({ matchLabels })) },
    { weight: 3, arbitrary: some(requirement, 2).map((matchExpressions) => ({ matchExpressions })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(labels, some(requirement, 1))
        .map(([matchLabels, matchExpressions]) => ({ matchLabels, matchExpressions })),
    },
  );
}

const podSelector = selectorOver(POD_LABELS);
const namespaceSelector = selectorOver(NAMESPACE_KEYS);

/** Each with what may be excepted from it. */
const BLOCKS: readonly (readonly [string, ...string[]])[] = [
  ['0.0.0.0/0', '10.0.0.0/8', '192.0.2.128/25', '10.0.1.4/30', '0.0.0.0/1'],
  ['::/0', 'fd00::/16', 'fd00:1::4/126', '2001:db8::/33'],
  ['10.0.0.0/16', '10.0.1.0/24', '10.0.2.4/31', '10.0.1.2/32'],
  ['10.0.1.0/29', '10.0.1.4/30', '10.0.1.3/32'],
  ['10.0.2.0/30', '10.0.2.2/31'],
  ['10.0.1.5/32'],
  ['10.0.2.7/24', '10.0.2.4/30'],
  ['172.20.0.0/29', '172.20.0.4/31'],
  ['192.0.2.0/24', '192.0.2.0/25'],
  ['203.0.113.0/24', '203.0.113.3/32'],
  ['fd00::/32', 'fd00:0:1::/48'],
  ['fd00:1::/64', 'fd00:1::4/127', 'fd00:1::2/128'],
  ['fd00:2::/125', 'fd00:2::/126'],
  ['2001:db8::/32', '2001:db8:1::/48'],
];

const cidr = fc.constantFrom(...BLOCKS.flat());
const ipBlock = fc
  .constantFrom(...BLOCKS)
  .chain(([block, ...inside]) =>
    joined(
      fc.record({ cidr: fc.constant(block) }, { noNullPrototype: true }),
      optional('except', fc.subarray(inside)),
    ),
  );

const peer: fc.Arbitrary<RawPeer> = fc.oneof(
  { weight: 3, arbitrary: podSelector.map((one) => ({ podSelector: one })) },
  { weight: 2, arbitrary: namespaceSelector.map((one) => ({ namespaceSelector: one })) },
  {
    weight: 3,
    arbitrary: fc.record({ namespaceSelector, podSelector }, { noNullPrototype: true }),
  },
  { weight: 3, arbitrary: ipBlock.map((one) => ({ ipBlock: one })) },
);

export const PORT_NAMES = ['http', 'dns', 'sig'] as const;
const name = fc.constantFrom(...PORT_NAMES, 'unknown');
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP');
const number = fc.constantFrom(80, 81, 53, 443, 8080);
const range = fc.constantFrom([80, 81], [81, 8080], [1, 65_535], [53, 54], [443, 443], [8080, 65_535]);

/** `protocol` is left out more often than it is there: TCP. */
const port: fc.Arbitrary<RawPort> = joined(
  optional('protocol', protocol),
  fc.oneof(
    { weight: 3, arbitrary: number.map((one) => ({ port: one })) },
    { weight: 3, arbitrary: name.map((one) => ({ port: one })) },
    { weight: 2, arbitrary: range.map(([from, endPort]) => ({ port: from, endPort })) },
    { weight: 1, arbitrary: fc.constant({}) },
  ),
);

/** Left out, empty, or with some: the first two mean the same in NetworkPolicies. */
function listOf<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.oneof({ weight: 1, arbitrary: fc.constant<T[]>([]) }, { weight: 5, arbitrary: some(one) });
}

const rule = (side: 'from' | 'to'): fc.Arbitrary<RawRule> =>
  joined(optional(side, listOf(peer)), optional('ports', listOf(port)));

export type Slot<T> = (name: string, namespace: string) => fc.Arbitrary<T>;

export const networkPolicy: Slot<RawNetworkPolicy> = (policy, namespace) =>
  joined(
    optional(
      'policyTypes',
      fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress'], ['Egress', 'Ingress']),
    ),
    joined(
      fc.oneof(podSelector, podSelector).map((one) => ({ podSelector: one })),
      joined(
        optional('ingress', fc.array(rule('from'), { maxLength: 3 })),
        optional('egress', fc.array(rule('to'), { maxLength: 3 })),
      ),
    ),
  ).map((spec) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: namespace === 'default' ? { name: policy } : { name: policy, namespace },
    spec,
  }));

const subject: fc.Arbitrary<RawSubject> = fc.oneof(
  namespaceSelector.map((namespaces) => ({ namespaces })),
  fc.record({ namespaceSelector, podSelector }, { noNullPrototype: true }).map((pods) => ({ pods })),
);

const adminPeer: fc.Arbitrary<RawAdminPeer> = fc.oneof(
  { weight: 4, arbitrary: subject },
  {
    weight: 2,
    arbitrary: fc.uniqueArray(cidr, { minLength: 1, maxLength: 3 }).map((networks) => ({ networks })),
  },
  { weight: 1, arbitrary: selectorOver(NODE_LABELS).map((nodes) => ({ nodes })) },
);

const numbered: fc.Arbitrary<RawAdminPort> = fc.oneof(
  joined(
    optional('protocol', protocol),
    number.map((one) => ({ port: one })),
  ).map((portNumber) => ({ portNumber })),
  joined(
    optional('protocol', protocol),
    range.filter(([start, end]) => start < end).map(([start, end]) => ({ start, end })),
  ).map((portRange) => ({ portRange })),
);
const named: fc.Arbitrary<RawAdminPort> = name.map((namedPort) => ({ namedPort }));

/** "networks/nodes peer cannot be set with namedPorts since there are no namedPorts for networks/nodes". */
const adminRule = (side: 'from' | 'to', actions: readonly string[]): fc.Arbitrary<RawAdminRule> => {
  const action = fc.constantFrom(...actions).map((one) => ({ action: one }));
  const pods = joined(
    some(subject).map((peers) => ({ [side]: peers })),
    optional('ports', some(fc.oneof(numbered, named))),
  );
  const all = joined(
    some(adminPeer).map((peers) => ({ [side]: peers })),
    optional('ports', some(numbered)),
  );
  return joined(action, side === 'from' ? pods : fc.oneof(pods, all));
};

const adminSpec = (actions: readonly string[]) =>
  joined(
    subject.map((one) => ({ subject: one })),
    joined(
      optional('ingress', fc.array(adminRule('from', actions), { maxLength: 3 })),
      optional('egress', fc.array(adminRule('to', actions), { maxLength: 3 })),
    ),
  );

/** Few priorities: they are often the same. */
export const adminPolicy: Slot<RawAdminPolicy> = (policy) =>
  joined(
    fc.constantFrom(0, 5, 5, 1000).map((priority) => ({ priority })),
    adminSpec(['Allow', 'Deny', 'Pass', 'Pass']),
  ).map((spec) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name: policy },
    spec,
  }));

export const baselinePolicy: Slot<RawAdminPolicy> = () =>
  adminSpec(['Allow', 'Deny']).map((spec) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    metadata: { name: 'default' },
    spec,
  }));
