/**
 * The switch that is fuzzed: the networks of fixtures/, so that the packets there reach every part of it, with
 * ports of every kind.
 *
 *     domain 1   ports 1 2 3   guarded; all offloads, all, none
 *     domain 2   ports 4 5     4 guarded, MTU 1280; 5 unguarded, all offloads, default route: learning
 *     domain 3   ports 8 9     no address of the switch; 8 guarded, 9 unguarded; learning; VNI 77 to both peers
 *     domain 5   ports 11 12   guarded, and 13, the uplink; no address of the switch
 *     pair       ports 6 7     6 guarded, 7 not
 *     tunnel     port 10       VNI 1 in domain 9; peers 1, over IPv4, and 2, over IPv6
 */
import type { PolicyChanges, PolicyRuleSpec } from '../../src/dataplane/policy-spec.js';
import type {
  DomainSpec,
  NeighbourSpec,
  PeerSpec,
  PortSpec,
  RouteSpec,
  Snapshot,
} from '../../src/dataplane/snapshot.js';
import { ALL_OFFLOADS } from './engine-harness.js';

export const FUZZ_PORTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] as const;

/** The tunnel's port, the networks in it, and where peers 1 and 2 are. */
export const FUZZ_TUNNEL = 10;
export const FUZZ_VNIS = [1, 77] as const;
export const FUZZ_PEERS = ['192.168.77.2 4789', 'fd77:c000::c000:3 8472'] as const;

/** Offloads by port. */
export const FUZZ_OFFLOADS: Readonly<Record<number, number>> = {
  1: ALL_OFFLOADS,
  2: ALL_OFFLOADS,
  5: ALL_OFFLOADS,
  7: ALL_OFFLOADS,
  8: ALL_OFFLOADS,
  11: ALL_OFFLOADS,
  13: ALL_OFFLOADS,
};

function port(id: number, domain: number, more: Partial<PortSpec> = {}): PortSpec {
  return {
    id,
    name: `pod${id}`,
    mac: `02:00:00:00:00:${id.toString(16).padStart(2, '0')}`,
    addresses: [`10.${domain}.0.${10 + id}`, `fd00:${domain}::${10 + id}`],
    attachment: { kind: 'domain', domain },
    routeTable: 0,
    mtu: 1500,
    guard: true,
    ...more,
  };
}

function domain(id: number, isRouted: boolean, learning: boolean): DomainSpec {
  return {
    id,
    name: `net${id}`,
    gatewayMac: `02:00:00:00:ff:0${id}`,
    gateways: isRouted ? [`10.${id}.0.1`, `fd00:${id}::1`] : [],
    learning,
  };
}

const MEMBERS: readonly PortSpec[] = [
  port(1, 1),
  port(2, 1),
  port(3, 1),
  port(4, 2, { mtu: 1280 }),
  port(5, 2, { guard: false }),
  port(8, 3, { mtu: 9000 }),
  port(9, 3, { guard: false, mtu: 1400 }),
  port(11, 5),
  port(12, 5, { mtu: 1400 }),
  port(13, 5, { addresses: [], guard: false }),
];

const PAIR: readonly PortSpec[] = [
  port(6, 4, { attachment: { kind: 'direct', peer: 7 } }),
  port(7, 4, { attachment: { kind: 'direct', peer: 6 }, guard: false, mtu: 1400 }),
];

const TUNNEL = port(FUZZ_TUNNEL, 9, {
  mac: '02:00:00:00:ff:09',
  addresses: [],
  attachment: { kind: 'tunnel', domain: 9 },
  guard: false,
});

function peer(id: number, mtu: number): PeerSpec {
  const [address, udp] = FUZZ_PEERS[id - 1].split(' ');
  const prefixes = [`10.2${id}.0.0/24`, `fd00:2${id}::/64`];
  return { id, name: `node${id}`, address, port: Number(udp), mac: `02:00:00:00:fe:0${id}`, prefixes, mtu };
}

function peerRoutes({ id, prefixes }: PeerSpec): RouteSpec[] {
  return prefixes.map((prefix) => ({ table: 0, prefix, kind: 'peer', peer: id }));
}

/** Pods of domain 3 that are behind a peer. */
function behindPeers(): NeighbourSpec[] {
  const pods = [
    [5, 1],
    [6, 1],
    [7, 2],
  ];
  return pods.flatMap(([pod, peer]) =>
    port(pod, 3).addresses.map((address) => ({ domain: 3, address, mac: `02:00:00:00:00:0${pod}`, peer })),
  );
}

/**
 * `isLarge` false: the same without domains 3 and 5 and peer 2, and with port 3 in domain 2: what a changed intent leads to.
 */
export function fuzzSnapshot(isLarge: boolean): Snapshot {
  const peers = isLarge ? [peer(1, 1450), peer(2, 1400)] : [peer(1, 1300)];
  const ports = [...MEMBERS, ...PAIR, TUNNEL]
    .filter(({ id }) => isLarge || id < 8 || id === FUZZ_TUNNEL)
    .map((spec) => {
      const isMoved = !isLarge && spec.id === 3;
      return isMoved ? { ...port(3, 2), addresses: ['10.2.0.33', 'fd00:2::33'] } : spec;
    });
  return {
    generation: isLarge ? 1 : 2,
    ports,
    domains: [
      domain(1, true, false),
      domain(2, true, true),
      { ...domain(9, true, false), vni: 1 },
      ...(isLarge
        ? [
            { ...domain(3, false, true), vni: 77, peers: [1, 2] },
            { ...domain(5, false, false), uplink: 13 },
          ]
        : []),
    ],
    tunnel: { port: FUZZ_TUNNEL, domain: 9 },
    peers,
    routes: [
      ...peers.flatMap(peerRoutes),
      ...[1, 2, 9].flatMap((id) => [
        { table: 0, prefix: `10.${id}.0.0/24`, kind: 'connected' as const, domain: id },
        { table: 0, prefix: `fd00:${id}::/64`, kind: 'connected' as const, domain: id },
        { table: 0, prefix: `10.${id}.0.1/32`, kind: 'local' as const },
        { table: 0, prefix: `fd00:${id}::1/128`, kind: 'local' as const },
      ]),
      { table: 0, prefix: '192.0.2.0/24', kind: 'via', domain: 2, gateway: '10.2.0.14' },
      { table: 0, prefix: '198.51.100.0/24', kind: 'unreachable' },
      { table: 0, prefix: '2001:db8::/32', kind: 'port', port: 5 },
      { table: 0, prefix: '0.0.0.0/0', kind: 'port', port: 5 },
    ],
    neighbours: [
      ...ports.flatMap(({ id, mac, addresses, attachment }) =>
        attachment.kind === 'domain'
          ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
          : [],
      ),
      ...(isLarge ? behindPeers() : []),
    ],
  };
}

const RATE = { bitsPerSecond: 1_000_000, burstBytes: 2000 };
const EVERYONE = ['0.0.0.0/0', '::/0'];

/** The same with limits and impairments at most ports, so that packets wait in each place where they can. */
export function limitedFuzzSnapshot(isLarge: boolean): Snapshot {
  const snapshot = fuzzSnapshot(isLarge);
  const ports = snapshot.ports.map((spec): PortSpec => {
    if (spec.attachment.kind === 'tunnel') return spec;
    const rates =
      spec.id % 2 === 0 ? { fromPort: RATE } : isLarge ? { fromPort: RATE, toPort: RATE } : undefined;
    const impairments = [
      { direction: 'from-port', prefixes: EVERYONE, delayMs: 2, jitterMs: 1, loss: 0.1 },
      { direction: 'to-port', prefixes: EVERYONE, delayMs: spec.id, rate: RATE, loss: 0.1 },
    ] as const;
    return { ...spec, rates, impairments: impairments.slice(spec.id % 3) };
  });
  return { ...snapshot, ports };
}

/** The same with every pod's port policed. */
export function policedFuzzSnapshot(isLarge: boolean): Snapshot {
  const snapshot = fuzzSnapshot(isLarge);
  const ports = snapshot.ports.map((each) =>
    each.id === FUZZ_TUNNEL || each.id === 13 ? each : { ...each, policed: true },
  );
  return { ...snapshot, ports };
}

/**
 * What policies say in turn: nobody asks but all are followed; two may be sent to by some pods and ports only, one may send to the
 * second peer's network only; all is refused; and nothing.
 */
export function fuzzPolicies(turn: number, generation: number): PolicyChanges {
  const pods = FUZZ_PORTS.filter((id) => id !== FUZZ_TUNNEL && id !== 13);
  const rulesOf = (id: number): { ingress: number; egress: number } => {
    const isSome = turn % 4 === 1;
    if (turn % 4 === 2) return { ingress: 1, egress: 1 };
    return { ingress: isSome && id % 2 === 0 ? 2 : 0, egress: isSome && id % 3 === 0 ? 3 : 0 };
  };
  return {
    generation,
    clusterCidrs: ['10.0.0.0/8', 'fd00::/8'],
    followsAll: turn % 4 === 0,
    removedRulesets: [],
    removedSets: [],
    removedIdentities: [],
    sets: [{ id: 0, identities: [11, 12, 14] }],
    identities: [],
    rulesets: [1, 2, 3].map((id) => ({
      id,
      tiers: [{ rules: RULES[id], otherwise: 'deny', note: 10 * id }],
    })),
    addresses: [],
    ports: pods.map((id) => ({ port: id, identity: 10 + id, ...rulesOf(id) })),
  };
}

const RULES: Readonly<Record<number, readonly PolicyRuleSpec[]>> = {
  1: [],
  2: [
    { action: 'allow', note: 21, peers: { sets: [0], blocks: [] } },
    { action: 'allow', note: 22, ports: [{ protocol: 'UDP', from: 1, to: 9999 }] },
  ],
  3: [
    {
      action: 'allow',
      note: 31,
      peers: { sets: [], blocks: [{ cidr: '10.0.0.0/8', except: ['10.2.0.0/16'] }] },
    },
    { action: 'allow', note: 32, peers: { sets: [0], blocks: [{ cidr: 'fd00::/8' }] } },
  ],
};
