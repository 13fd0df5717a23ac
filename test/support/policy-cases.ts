/**
 * Small clusters by chance, and what happens to them: pods, namespaces, nodes and policies that come, change and go in any order.
 * Every thing has a slot; an event gives what is in a slot from then on. Three nodes: pods are on the first two.
 */
import fc from 'fast-check';
import {
  adminPolicy,
  baselinePolicy,
  NAMESPACES,
  namespaceLabels,
  networkPolicy,
  nodeLabels,
  PORT_NAMES,
  podLabels,
} from './policy-arbitraries.js';
import type {
  Labels,
  OracleCluster,
  OracleNode,
  OraclePod,
  OracleQuestion,
  RawPolicy,
} from './policy-manifests.js';

export const NODES = ['n1', 'n2', 'n3'] as const;
export const OVERLAY = 'blue';
const ROUTED = 'default';

export type PolicyEvent =
  | { readonly kind: 'namespace'; readonly slot: string; readonly value: Labels | null }
  | { readonly kind: 'node'; readonly slot: string; readonly value: OracleNode | null }
  | { readonly kind: 'pod'; readonly slot: string; readonly value: OraclePod | null }
  | { readonly kind: 'policy'; readonly slot: string; readonly value: RawPolicy | null }
  | { readonly kind: 'cidrs'; readonly slot: 'cidrs'; readonly value: readonly string[] };

/** What came until then is told before it. */
export type PolicyStep = PolicyEvent | { readonly kind: 'tell' };

export interface PolicyCase {
  /** How the cluster is built. */
  readonly first: readonly PolicyStep[];
  /** What happens to it then. */
  readonly later: readonly PolicyStep[];
  /** What is asked, beside all pairs of pods: who else there is, and for what. */
  readonly strangers: readonly string[];
  readonly asks: readonly { readonly protocol: string; readonly port?: number }[];
}

/** Nodes, other nodes' addresses, pods that nobody has heard of, and the world. */
const STRANGERS = [
  '192.0.2.5',
  '192.0.2.200',
  '203.0.113.3',
  '203.0.113.1',
  '10.0.1.6',
  '10.0.2.77',
  '10.0.3.1',
  '172.20.0.6',
  '2001:db8::9',
  '2001:db8:1::9',
  'fd00:3::1',
  'fd00:2::77',
] as const;

const ASKS: PolicyCase['asks'] = [
  ...[80, 81, 53, 443, 8080, 60_000].map((port) => ({ protocol: 'TCP', port })),
  ...[53, 80].map((port) => ({ protocol: 'UDP', port })),
  { protocol: 'SCTP', port: 80 },
  { protocol: 'TCP' },
  { protocol: 'ICMP' },
  { protocol: 'GRE' },
];

/** Every pod has one of eight places on its node, so that places change hands. */
const PLACES = 8;

const ports = fc
  .tuple(
    fc.constantFrom(undefined, 80, 81, 8080),
    fc.constantFrom(undefined, 53, 80),
    fc.constantFrom(undefined, undefined, 80),
  )
  .map((numbers) =>
    numbers.flatMap((port, index) =>
      port === undefined ? [] : [{ name: PORT_NAMES[index], protocol: ['TCP', 'UDP', 'SCTP'][index], port }],
    ),
  );

function interfacesAt(node: number, place: number, families: string, isOverlaid: boolean) {
  const four = families.includes('4') ? [`10.0.${node}.${2 + place}`] : [];
  const six = families.includes('6') ? [`fd00:${node}::${2 + place}`] : [];
  // In the overlay the nodes' pods have the same addresses as in the other network, or others.
  const overlaid = {
    network: OVERLAY,
    ips: [place % 2 ? `172.20.0.${place + 8 * (node - 1)}` : `10.0.${3 - node}.${2 + place}`],
  };
  return [{ network: ROUTED, ips: [...four, ...six] }, ...(isOverlaid ? [overlaid] : [])];
}

function podIn(slot: string): fc.Arbitrary<OraclePod> {
  return fc
    .record({
      namespace: fc.constantFrom(...MORE_OFTEN),
      labels: podLabels,
      ports,
      node: fc.constantFrom(1, 2),
      place: fc.nat(PLACES - 1),
      families: fc.constantFrom('4', '4', '6', '46', '46'),
      isOverlaid: fc.constantFrom(false, false, true),
    })
    .map(({ namespace, labels, ports, node, place, families, isOverlaid }) => ({
      namespace,
      name: slot,
      node: `n${node}`,
      labels,
      ports,
      interfaces: interfacesAt(node, place, families, isOverlaid),
    }));
}

function nodeIn(slot: string): fc.Arbitrary<OracleNode> {
  const number = slot.slice(1);
  return nodeLabels.map((labels) => ({
    name: slot,
    labels,
    addresses: [`203.0.113.${number}`, `10.0.${number}.1`, `fd00:${number}::1`],
  }));
}

/** Most are in one namespace: else few policies would select anybody. */
const MORE_OFTEN = [...NAMESPACES, 'default', 'default', 'default', 'shop'] as const;

const NAMES = ['a', 'a-b', 'b', 'a.b', '0'] as const;

/** NAMESPACE/NAME or KIND/NAME: what sorts before what is not what their slots are. */
function policyIn(slot: string): fc.Arbitrary<RawPolicy> {
  const [place, name] = slot.split('/');
  if (place === 'baseline') return baselinePolicy(name, '');
  if (place === 'admin') return adminPolicy(name, '');
  return networkPolicy(name, place);
}

const slotsOf = {
  namespace: [...NAMESPACES],
  pod: Array.from({ length: 8 }, (_, index) => `p${index}`),
  policy: [
    ...MORE_OFTEN.flatMap((namespace) => NAMES.slice(0, 3).map((name) => `${namespace}/${name}`)),
    ...NAMES.map((name) => `admin/${name}`),
    'baseline/default',
  ],
  node: [...NODES],
};

const valueIn = {
  namespace: (): fc.Arbitrary<Labels> => namespaceLabels,
  pod: podIn,
  policy: policyIn,
  node: nodeIn,
};

type Kind = keyof typeof slotsOf;

const CIDRS = [
  [],
  ['10.0.0.0/16', 'fd00::/16'],
  ['10.0.1.0/24', '10.0.2.0/24', 'fd00:2::/64'],
  ['172.20.0.0/24'],
];

function setOf(kind: Kind, slots: readonly string[]): fc.Arbitrary<PolicyEvent> {
  return fc
    .constantFrom(...slots)
    .chain((slot) => valueIn[kind](slot).map((value) => ({ kind, slot, value }) as PolicyEvent));
}

/** Different slots, each with something in it. */
function filled(kind: Kind, minLength: number, maxLength: number): fc.Arbitrary<PolicyEvent[]> {
  return fc.uniqueArray(setOf(kind, slotsOf[kind]), { minLength, maxLength, selector: ({ slot }) => slot });
}

const cidrsSet = fc
  .constantFrom(...CIDRS)
  .map((value): PolicyEvent => ({ kind: 'cidrs', slot: 'cidrs', value }));

const tell = fc.constant<PolicyStep>({ kind: 'tell' });

const change: fc.Arbitrary<PolicyStep> = fc.oneof(
  { weight: 4, arbitrary: setOf('pod', slotsOf.pod) },
  { weight: 2, arbitrary: gone('pod') },
  { weight: 3, arbitrary: setOf('policy', slotsOf.policy) },
  { weight: 2, arbitrary: gone('policy') },
  { weight: 2, arbitrary: setOf('namespace', slotsOf.namespace) },
  { weight: 1, arbitrary: gone('namespace') },
  { weight: 1, arbitrary: setOf('node', ['n3']) },
  { weight: 1, arbitrary: cidrsSet },
  { weight: 5, arbitrary: tell },
);

function gone(kind: Kind): fc.Arbitrary<PolicyEvent> {
  return fc.constantFrom(...slotsOf[kind]).map((slot) => ({ kind, slot, value: null }) as PolicyEvent);
}

/** In any order, and told in between. */
const first: fc.Arbitrary<PolicyStep[]> = fc
  .tuple(
    filled('namespace', 0, 4),
    filled('pod', 2, 8),
    filled('policy', 0, 7),
    filled('node', 3, 3),
    cidrsSet,
    fc.array(tell, { maxLength: 3 }),
  )
  .chain(([namespaces, pods, policies, nodes, cidrs, tells]) => {
    const all = [cidrs, ...nodes, ...namespaces, ...pods, ...policies, ...tells];
    return fc.shuffledSubarray(all, { minLength: all.length });
  });

export const policyCase: fc.Arbitrary<PolicyCase> = fc.record(
  {
    first,
    later: fc.array(change, { maxLength: 10 }),
    strangers: fc.subarray([...STRANGERS], { maxLength: 3 }),
    asks: fc.subarray([...ASKS], { minLength: 1, maxLength: 4 }),
  },
  { noNullPrototype: true },
);

export interface CaseEnd {
  readonly slot: string;
  readonly pod: OraclePod;
  readonly network: string;
}

const placesOf = ({ interfaces }: OraclePod): string[] =>
  interfaces.flatMap(({ network, ips }) => ips.map((ip) => `${network} ${ip}`));

/** All that is in the slots, by slot. Two pods are never at one address: the later one takes it. */
export class CaseCluster {
  readonly namespaces = new Map<string, Labels>();
  readonly nodes = new Map<string, OracleNode>();
  readonly pods = new Map<string, OraclePod>();
  readonly policies = new Map<string, RawPolicy>();
  cidrs: readonly string[] = [];

  /** Answers the pods that are gone by it: of this slot, and any that had an address of the new one. */
  set(event: PolicyEvent): [string, OraclePod][] {
    if (event.kind === 'cidrs') {
      this.cidrs = event.value;
      return [];
    }
    const gone = event.kind === 'pod' ? this.inTheWay(event.slot, event.value) : [];
    for (const [slot] of gone) this.pods.delete(slot);
    const slots: Map<string, unknown> = this.slotsOf(event.kind);
    if (event.value === null) slots.delete(event.slot);
    else slots.set(event.slot, event.value);
    return gone;
  }

  private inTheWay(slot: string, pod: OraclePod | null): [string, OraclePod][] {
    const taken = pod === null ? [] : placesOf(pod);
    return [...this.pods].filter(
      ([one, other]) => one === slot || placesOf(other).some((place) => taken.includes(place)),
    );
  }

  get oracle(): OracleCluster {
    return {
      namespaces: Object.fromEntries(this.namespaces),
      pods: [...this.pods.values()],
      nodes: [...this.nodes.values()],
      cidrs: this.cidrs,
      policies: [...this.policies.values()],
      overlays: [OVERLAY],
    };
  }

  /** Every pair of pods, and every pod with every stranger, both ways; each for everything. */
  *questions({ strangers, asks }: PolicyCase): Generator<OracleQuestion> {
    for (const overlay of [undefined, OVERLAY]) {
      const own = [...this.ends(overlay).keys()];
      for (const from of [...own, ...strangers]) {
        for (const to of [...own, ...strangers]) {
          if (from === to || from.includes(':') !== to.includes(':')) continue;
          if (strangers.includes(from) && strangers.includes(to)) continue;
          for (const ask of asks) yield { from, to, ...(overlay && { overlay }), ...ask };
        }
      }
    }
  }

  /** By address, who is there: in the overlay, or in the networks that are routed. */
  ends(overlay: string | undefined): Map<string, CaseEnd> {
    const ends = [...this.pods].flatMap(([slot, pod]) =>
      pod.interfaces
        .filter(({ network }) => (network === OVERLAY) === (overlay !== undefined))
        .flatMap(({ network, ips }) =>
          ips.map((address): [string, CaseEnd] => [address, { slot, pod, network }]),
        ),
    );
    return new Map(ends);
  }

  private slotsOf(kind: Kind): Map<string, unknown> {
    return { namespace: this.namespaces, node: this.nodes, pod: this.pods, policy: this.policies }[kind];
  }
}
