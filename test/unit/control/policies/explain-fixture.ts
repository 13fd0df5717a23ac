/** A cluster of three nodes as one of them knows it: pods in networks of every mode, with a snapshot compiled of its plan. */
import { compile } from '../../../../src/control/compile.js';
import { apartNetworks } from '../../../../src/control/compile-apart.js';
import type { Plan, PlannedNetwork, PlannedPeer, PlannedPort } from '../../../../src/control/plan.js';
import type { ExplainWorld } from '../../../../src/control/policies/explain-world.js';
import { PolicyPlan } from '../../../../src/control/policies/policy-plan.js';
import type { PolicyPod } from '../../../../src/control/policies/types.js';

const BASE = { sourceGuard: true, egress: true } as const;
const HOME: PlannedNetwork = {
  ...BASE,
  name: 'default',
  mode: 'routed',
  routeTable: 1,
  domains: [{ id: 0, cidrs: ['10.244.0.0/24', 'fd00::/64'], gateways: ['10.244.0.1', 'fd00::1'] }],
};
const BACKEND: PlannedNetwork = {
  ...BASE,
  name: 'backend',
  mode: 'bridge',
  routeTable: 2,
  domains: [{ id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] }],
};
const CLOSED: PlannedNetwork = {
  name: 'closed',
  mode: 'bridge',
  sourceGuard: true,
  routeTable: 3,
  domains: [{ id: 2, cidrs: ['10.90.0.0/24'], gateways: [] }],
};
const OVERLAY: PlannedNetwork = {
  ...BASE,
  name: 'blue',
  mode: 'overlay',
  routeTable: 4,
  vni: 77,
  domains: [{ id: 3, cidrs: ['10.70.0.0/24'], gateways: ['10.70.0.1'] }],
  members: [{ address: '10.70.0.9', mac: '02:70:0a:46:00:09', node: 'k4' }],
};
const DIRECT: PlannedNetwork = {
  name: 'wire',
  mode: 'direct',
  sourceGuard: true,
  routeTable: 5,
  domains: [{ id: 4, cidrs: ['10.60.0.0/30'], gateways: [] }],
};

function peer(number: number, live: boolean): PlannedPeer {
  return {
    id: number,
    name: `k${number}`,
    address: `192.0.2.${number}`,
    port: 4789,
    mac: `02:72:00:00:00:0${number}`,
    prefixes: [`10.244.${number}.0/24`],
    hosts: [`192.0.2.${number}/32`],
    mtu: 1450,
    live,
  };
}

/** By number of its port: name, network and addresses. */
const PODS: readonly [number, string, string, string[]][] = [
  [11, 'shop/web', 'default', ['10.244.0.11', 'fd00::11']],
  [12, 'shop/db', 'default', ['10.244.0.12', 'fd00::12']],
  [13, 'shop/back', 'backend', ['10.80.0.13']],
  [14, 'shop/back2', 'backend', ['10.80.0.14']],
  [15, 'shop/shut', 'closed', ['10.90.0.15']],
  [16, 'shop/blue', 'blue', ['10.70.0.16']],
  [17, 'shop/left', 'wire', ['10.60.0.1']],
  [18, 'shop/right', 'wire', ['10.60.0.2']],
];
const ELSEWHERE: readonly [string, string, string, string[]][] = [
  ['shop/far', 'k4', 'default', ['10.244.4.7']],
  ['shop/lost', 'k5', 'default', ['10.244.5.7']],
  ['shop/blue', 'k4', 'blue', ['10.70.0.9']],
  // Of a network that k4 has for itself, with the prefix that another one has here.
  ['shop/theirs', 'k4', 'private', ['10.80.0.14']],
];

const NETWORKS = [HOME, BACKEND, CLOSED, OVERLAY, DIRECT];

const NOTES = new PolicyPlan();

const PLAN: Plan = {
  generation: 7,
  networks: NETWORKS,
  node: {
    ...{ id: 1, name: 'podwire0', network: 'default', domain: 0, mac: '02:70:0a:f4:00:02', mtu: 1500 },
    ips: ['10.244.0.2', 'fd00::2'],
    otherAddresses: ['192.0.2.1'],
  },
  pods: PODS.map(([id, name, network, ips]): PlannedPort => {
    return { id, name, network, ips, domain: 0, mac: `02:70:00:00:00:${id}`, mtu: 1500 };
  }),
  cluster: {
    tunnel: { port: 9, mac: '02:72:00:00:00:01', vni: 7, mtu: 1450 },
    peers: [peer(4, true), peer(5, false)],
  },
  egress: { clusterCidrs: ['10.244.0.0/16'] },
  apart: {
    clusterCidrs: ['10.244.0.0/16'],
    notes: NOTES.keepApart(apartNetworks(NETWORKS)),
  },
  services: {
    cidrs: ['10.96.0.0/16'],
    nodeFrontends: ['10.96.255.254'],
    externalAddresses: [],
    nodeAddresses: ['192.0.2.1'],
  },
};

function podOf(key: string, node: string, network: string, ips: string[], port?: number): PolicyPod {
  const [namespace, name] = key.split('/');
  const interfaces = [{ network, ips, ...(port !== undefined && { port }) }];
  return { namespace, name, node, labels: { app: name }, ports: [], interfaces };
}

const NODE = { labels: {}, state: 'up' } as const;
const PEER = { rttMicros: 210 } as const;

export const WORLD: ExplainWorld = {
  node: 'k1',
  snapshot: compile(PLAN),
  networks: NETWORKS,
  clusterCidrs: ['10.244.0.0/16'],
  nodes: [
    {
      ...NODE,
      name: 'k1',
      addresses: ['10.244.0.2', 'fd00::2', '192.0.2.1'],
      podCidrs: ['10.244.0.0/24', 'fd00::/64'],
    },
    { ...NODE, name: 'k4', addresses: ['10.244.4.2', '192.0.2.4'], podCidrs: ['10.244.4.0/24'] },
    { ...NODE, name: 'k5', addresses: ['10.244.5.2', '192.0.2.5'], podCidrs: ['10.244.5.0/24'] },
  ],
  peers: [
    { ...PEER, name: 'k4', address: '192.0.2.4', state: 'up' },
    { ...PEER, name: 'k5', address: '192.0.2.5', state: 'down' },
  ],
  pods: [
    ...PODS.map(([id, name, network, ips]) => podOf(name, 'k1', network, ips, id)),
    ...ELSEWHERE.map(([name, node, network, ips]) => podOf(name, node, network, ips)),
  ],
  hostPods: [{ namespace: 'kube', name: 'proxy', node: 'k1' }],
  services: [],
  service: () => undefined,
  endpointSlices: () => [],
  namespaceLabels: () => ({}),
  policy: () => undefined,
  noteOf: (note) => NOTES.noteOf(note),
  judge: () => {
    throw new Error('nobody asks for a verdict here');
  },
};
