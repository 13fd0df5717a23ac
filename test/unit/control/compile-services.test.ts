/** What a snapshot says of services' addresses and of the way back; and that it compiles into tables whatever they are. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import { NodeAddresses } from '../../../src/control/node-addresses.js';
import type { Plan, PlannedNetwork, PlannedPeer, PlannedServices } from '../../../src/control/plan.js';
import { routesOf, type Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../src/dataplane/tables.js';

const HOME: PlannedNetwork = {
  name: 'default',
  mode: 'routed',
  sourceGuard: true,
  routeTable: 1,
  domains: [{ id: 0, cidrs: ['10.244.0.0/24', 'fd00::/64'], gateways: ['10.244.0.1', 'fd00::1'] }],
};
const BACKEND: PlannedNetwork = {
  name: 'backend',
  mode: 'bridge',
  sourceGuard: true,
  routeTable: 2,
  domains: [{ id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] }],
};
const CLOSED: PlannedNetwork = {
  ...BACKEND,
  name: 'closed',
  routeTable: 3,
  domains: [{ id: 2, cidrs: ['10.90.0.0/24'], gateways: [] }],
};
const PEER: PlannedPeer = {
  id: 4,
  name: 'k4',
  address: '192.0.2.8',
  port: 4789,
  mac: '02:72:00:00:00:02',
  prefixes: ['10.244.1.0/24'],
  hosts: ['192.0.2.8/32'],
  mtu: 1450,
  live: true,
};

function snapshotWith(services: Partial<PlannedServices> = {}, more: Partial<Plan> = {}): Snapshot {
  const snapshot = compile({
    generation: 7,
    networks: [HOME, BACKEND, CLOSED],
    node: {
      id: 0,
      name: 'podwire0',
      network: 'default',
      domain: 0,
      mac: '02:70:0a:f4:00:02',
      ips: ['10.244.0.2', 'fd00::2'],
      mtu: 1500,
      otherAddresses: ['192.0.2.7'],
    },
    pods: [],
    cluster: { tunnel: { port: 9, mac: '02:72:00:00:00:01', vni: 7, mtu: 1450 }, peers: [PEER] },
    services: {
      cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
      nodeFrontends: ['10.96.255.254', 'fd00:10:96::ffff'],
      externalAddresses: ['203.0.113.7'],
      nodeAddresses: ['192.0.2.7', '198.51.100.3'],
      ...services,
    },
    ...more,
  });
  compileTables(snapshot);
  return snapshot;
}

/** `PREFIX KIND SERVICES` of a table. */
function routesIn(table: number, snapshot: Snapshot): string[] {
  return routesOf(snapshot)
    .filter((route) => route.table === table)
    .map(({ prefix, kind, services }) => `${prefix} ${kind}${services ? ` ${services}` : ''}`)
    .sort();
}

describe('compile with services', () => {
  it('lets pods of a routed network find services at each address that may be one’s', () => {
    expect(routesIn(2, snapshotWith())).toEqual([
      '10.244.0.2/32 port node',
      '10.80.0.0/24 connected',
      '10.80.0.1/32 local address',
      '10.96.0.0/16 unreachable address',
      '10.96.255.254/32 unreachable node',
      '192.0.2.7/32 port node',
      '198.51.100.3/32 port node',
      '203.0.113.7/32 unreachable address',
      'fd00:10:96::/112 unreachable address',
      'fd00:10:96::ffff/128 unreachable node',
      'fd00::2/128 port node',
    ]);
  });

  it('gives the node services, and no route to addresses that other nodes would answer past it', () => {
    expect(routesIn(0, snapshotWith())).toEqual([
      '10.244.0.0/24 connected',
      '10.244.0.1/32 local address',
      '10.244.1.0/24 peer',
      '10.80.0.0/24 connected',
      '10.80.0.1/32 local address',
      '10.96.0.0/16 unreachable address',
      '10.96.255.254/32 unreachable node',
      '192.0.2.8/32 peer peer',
      'fd00:10:96::/112 unreachable address',
      'fd00:10:96::ffff/128 unreachable node',
      'fd00::/64 connected',
      'fd00::1/128 local address',
    ]);
  });

  it('has no service for what comes from other nodes, and none in an internal network', () => {
    const snapshot = snapshotWith();
    expect(routesIn(4095, snapshot).filter((route) => /address|node|unreachable/.test(route))).toEqual([]);
    expect(routesIn(4095, snapshot)).toContain('198.51.100.3/32 port own');
    expect(routesIn(3, snapshot)).toEqual([]);
  });

  it('sends answers back to all that is known, and to the node’s port for the rest', () => {
    const snapshot = snapshotWith();
    expect(snapshot.ports[0]).toMatchObject({ name: 'podwire0', routeTable: 0, returnTable: 4094 });
    expect(routesIn(4094, snapshot)).toEqual([
      '0.0.0.0/0 port',
      '10.244.0.0/24 connected',
      '10.244.0.1/32 local',
      '10.244.1.0/24 peer',
      '10.80.0.0/24 connected',
      '10.80.0.1/32 local',
      '::/0 port',
      'fd00::/64 connected',
      'fd00::1/128 local',
    ]);
  });

  it('says which addresses are the node’s, and which are masqueraded to', () => {
    expect(snapshotWith().translation).toEqual({
      nodePort: 0,
      nodeAddresses: ['10.244.0.2', 'fd00::2', '192.0.2.7', '198.51.100.3'],
      masquerade: ['10.244.0.1', 'fd00::1'],
    });
    expect(snapshotWith({}, { node: undefined }).translation).toBeUndefined();
  });

  it('takes nothing from pods, gateways or nodes that a service names as its own', () => {
    const names = [
      '10.80.0.9',
      '10.80.0.1',
      '198.51.100.3',
      '192.0.2.8',
      '192.0.2.7',
      '10.244.0.2',
      '10.96.255.254',
    ];
    const [plain, greedy] = [
      snapshotWith({ externalAddresses: [] }),
      snapshotWith({ externalAddresses: names }),
    ];
    for (const table of [0, 1, 2, 4094, 4095])
      expect(routesIn(table, greedy)).toEqual(routesIn(table, plain));
  });

  it('compiles where the host has been given an address of a pod, a gateway or another node', () => {
    const nodeAddresses = ['10.244.0.1', '10.80.0.9', '192.0.2.8', '10.96.0.1', '198.51.100.3'];
    expect(snapshotWith({ nodeAddresses })).toEqual(snapshotWith({ nodeAddresses: ['198.51.100.3'] }));
  });
});

describe('addresses of the node', () => {
  const on = (ifname: string, address: string) => ({ ifname, address, mtu: 1500 });

  it('are all that others can call it by, in one order', () => {
    const addresses = new NodeAddresses();
    const found = [
      on('lo', '127.0.0.1'),
      on('lo', '::1'),
      on('lo', '198.51.100.9'),
      on('eth0', 'fe80::1'),
      on('eth0', '192.0.2.7'),
      on('podwire0', '10.244.0.2'),
    ];
    expect(addresses.set(found)).toBe(true);
    expect(addresses.list).toEqual(['192.0.2.7', '198.51.100.9']);
    expect(addresses.set(found.toReversed())).toBe(false);
  });
});
