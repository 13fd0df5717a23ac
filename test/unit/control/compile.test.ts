/** What is attached, as a snapshot; and that the snapshot is one that compiles into tables. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import type {
  Plan,
  PlannedNetwork,
  PlannedNode,
  PlannedPeer,
  PlannedPort,
} from '../../../src/control/plan.js';
import { routesOf } from '../../../src/dataplane/snapshot.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { processorCost } from '../../support/processor-cost.js';

const HOME: PlannedNetwork = {
  name: 'default',
  mode: 'routed',
  sourceGuard: true,
  routeTable: 1,
  domains: [{ id: 0, cidrs: ['10.244.0.0/24', 'fd00::/64'], gateways: ['10.244.0.1', 'fd00::1'] }],
};
const NODE: PlannedNode = {
  id: 0,
  name: 'podwire0',
  network: 'default',
  domain: 0,
  mac: '02:70:0a:f4:00:02',
  ips: ['10.244.0.2', 'fd00::2'],
  mtu: 1500,
  otherAddresses: ['192.0.2.7'],
};

function pod(id: number, network: string, ips: string[], more: Partial<PlannedPort> = {}): PlannedPort {
  const mac = `02:70:00:00:01:${id.toString(16).padStart(2, '0')}`;
  return { id, name: `default/p${id}`, network, domain: 0, mac, ips, mtu: 1500, ...more };
}

function plan(networks: PlannedNetwork[], pods: PlannedPort[], more: Partial<Plan> = {}): Plan {
  return { generation: 7, networks: [HOME, ...networks], node: NODE, pods, ...more };
}

function routesIn(table: number, snapshot: ReturnType<typeof compile>): string[] {
  return snapshot.routes
    .filter((route) => route.table === table)
    .map((route) => {
      const target = 'domain' in route ? route.domain : 'port' in route ? route.port : '';
      return `${route.prefix} ${route.kind} ${target}`.trim();
    })
    .sort();
}

describe('compile', () => {
  it('has ports of pods policed, where policies are told, and no others', () => {
    const policed = (more: Partial<Plan>) =>
      compile(plan([], [pod(1, 'default', ['10.244.0.3'])], more)).ports.map((port) => port.policed);
    expect(policed({ policed: true })).toEqual([undefined, true]);
    expect(policed({})).toEqual([undefined, undefined]);
  });

  it('makes ports, a domain, neighbours and routes of the default network', () => {
    const snapshot = compile(plan([], [pod(1, 'default', ['10.244.0.3', 'fd00::3'])]));
    expect(snapshot.generation).toBe(7);
    expect(snapshot.ports).toEqual([
      {
        id: 0,
        name: 'podwire0',
        mac: '02:70:0a:f4:00:02',
        addresses: ['10.244.0.2', 'fd00::2'],
        attachment: { kind: 'domain', domain: 0 },
        routeTable: 0,
        mtu: 1500,
        guard: false,
      },
      {
        id: 1,
        name: 'default/p1',
        mac: '02:70:00:00:01:01',
        addresses: ['10.244.0.3', 'fd00::3'],
        attachment: { kind: 'domain', domain: 0 },
        routeTable: 1,
        mtu: 1500,
        guard: true,
      },
    ]);
    expect(snapshot.domains).toEqual([
      {
        id: 0,
        name: 'default',
        gatewayMac: '02:70:0a:f4:00:01',
        gateways: ['10.244.0.1', 'fd00::1'],
        learning: false,
      },
    ]);
    expect(snapshot.neighbours).toEqual([
      { domain: 0, address: '10.244.0.2', mac: '02:70:0a:f4:00:02', port: 0 },
      { domain: 0, address: 'fd00::2', mac: '02:70:0a:f4:00:02', port: 0 },
      { domain: 0, address: '10.244.0.3', mac: '02:70:00:00:01:01', port: 1 },
      { domain: 0, address: 'fd00::3', mac: '02:70:00:00:01:01', port: 1 },
    ]);
    expect(routesIn(1, snapshot)).toEqual([
      '10.244.0.0/24 connected 0',
      '10.244.0.1/32 local',
      '10.244.0.2/32 port 0',
      '192.0.2.7/32 port 0',
      'fd00::/64 connected 0',
      'fd00::1/128 local',
      'fd00::2/128 port 0',
    ]);
    expect(compileTables(snapshot).generation).toBe(7);
  });

  it('keeps the route tables of networks apart; the node has all that is routed', () => {
    const backend: PlannedNetwork = {
      name: 'backend',
      mode: 'bridge',
      sourceGuard: true,
      routeTable: 2,
      domains: [
        { id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] },
        { id: 2, cidrs: ['10.81.0.0/24'], gateways: ['10.81.0.1'] },
      ],
    };
    const closed: PlannedNetwork = {
      name: 'closed',
      mode: 'bridge',
      sourceGuard: true,
      routeTable: 3,
      domains: [{ id: 3, cidrs: ['10.90.0.0/24'], gateways: [] }],
    };
    const pods = [pod(1, 'backend', ['10.81.0.9'], { domain: 1 }), pod(2, 'closed', ['10.90.0.1'])];
    const snapshot = compile(plan([backend, closed], pods));
    expect(routesIn(2, snapshot)).toEqual([
      '10.244.0.2/32 port 0',
      '10.80.0.0/24 connected 1',
      '10.80.0.1/32 local',
      '10.81.0.0/24 connected 2',
      '10.81.0.1/32 local',
      '192.0.2.7/32 port 0',
      'fd00::2/128 port 0',
    ]);
    expect(routesIn(3, snapshot)).toEqual([]);
    expect(routesIn(0, snapshot)).toEqual([
      '10.244.0.0/24 connected 0',
      '10.244.0.1/32 local',
      '10.80.0.0/24 connected 1',
      '10.80.0.1/32 local',
      '10.81.0.0/24 connected 2',
      '10.81.0.1/32 local',
      'fd00::/64 connected 0',
      'fd00::1/128 local',
    ]);
    expect(snapshot.domains.map(({ name }) => name)).toEqual(['default', 'backend', 'backend#1', 'closed']);
    expect(snapshot.ports[1]).toMatchObject({ attachment: { kind: 'domain', domain: 2 }, routeTable: 2 });
    compileTables(snapshot);
  });

  it('joins the two ports of a direct network, and leaves a single one closed', () => {
    const pair: PlannedNetwork = {
      name: 'pair',
      mode: 'direct',
      sourceGuard: true,
      routeTable: 2,
      domains: [{ id: 1, cidrs: ['10.91.0.0/31'], gateways: [] }],
    };
    const [one, two] = [pod(1, 'pair', ['10.91.0.0']), pod(2, 'pair', ['10.91.0.1'])];
    expect(compile(plan([pair], [one])).ports.map(({ id }) => id)).toEqual([0]);
    const snapshot = compile(plan([pair], [one, two]));
    expect(snapshot.ports.slice(1).map(({ attachment }) => attachment)).toEqual([
      { kind: 'direct', peer: 2 },
      { kind: 'direct', peer: 1 },
    ]);
    expect(snapshot.domains.map(({ name }) => name)).toEqual(['default']);
    expect(snapshot.neighbours.every((neighbour) => 'port' in neighbour && neighbour.port === 0)).toBe(true);
    compileTables(snapshot);
  });

  it('learns where the guard is off', () => {
    const lab: PlannedNetwork = {
      name: 'lab',
      mode: 'bridge',
      sourceGuard: false,
      routeTable: 2,
      domains: [{ id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] }],
    };
    const snapshot = compile(plan([lab], [pod(1, 'lab', ['10.80.0.2'])]));
    expect(snapshot.domains[1]).toMatchObject({ name: 'lab', learning: true });
    expect(snapshot.ports[1]).toMatchObject({ guard: false });
  });

  it('compiles without the node, while its interface is being made', () => {
    const snapshot = compile(plan([], [pod(1, 'default', ['10.244.0.3'])], { node: undefined }));
    expect(snapshot.ports.map(({ id }) => id)).toEqual([1]);
    expect(snapshot.routes.filter(({ kind }) => kind === 'port')).toEqual([]);
    compileTables(snapshot);
  });

  it('depends on what is attached, not on the order in which it was', () => {
    const pods = [1, 2, 3].map((id) => pod(id, 'default', [`10.244.0.${id + 2}`]));
    const [one, two] = [compile(plan([], pods)), compile(plan([], pods.toReversed()))];
    expect(one.ports).toEqual(two.ports);
    expect(one.routes).toEqual(two.routes);
  });

  it('refuses a port in a network that is not planned', () => {
    expect(() => compile(plan([], [pod(1, 'nowhere', ['10.0.0.1'])]))).toThrow('nowhere');
  });
});

describe('compile with other nodes', () => {
  const peer = (id: number, live: boolean): PlannedPeer => ({
    id,
    name: `k${id}`,
    address: `192.0.${id >> 8}.${id & 255}`,
    port: 4789,
    mac: '02:72:00:00:00:02',
    prefixes: [`10.${id >> 8}.${id & 255}.0/24`, `fd00:0:0:${(id + 1).toString(16)}::/64`],
    mtu: 1450,
    probe: `10.${id >> 8}.${id & 255}.1`,
    live,
  });
  const tunnel = { port: 9, mac: '02:72:00:00:00:01', vni: 7, mtu: 1450 };

  it('adds the tunnel, its domain, and every peer', () => {
    const snapshot = compile(plan([], [], { cluster: { tunnel, peers: [peer(2, true), peer(3, false)] } }));
    expect(snapshot.tunnel).toEqual({ port: 9, domain: 4095 });
    expect(snapshot.ports.at(-1)).toMatchObject({
      id: 9,
      mac: '02:72:00:00:00:01',
      attachment: { kind: 'tunnel', domain: 4095 },
      guard: false,
    });
    expect(snapshot.domains.at(-1)).toMatchObject({
      id: 4095,
      gatewayMac: '02:72:00:00:00:01',
      gateways: ['10.244.0.1', 'fd00::1'],
      learning: false,
      vni: 7,
    });
    expect(snapshot.peers?.map(({ id, probe }) => [id, probe])).toEqual([
      [2, '10.0.2.1'],
      [3, '10.0.3.1'],
    ]);
    expect(snapshot.peers?.[0]).not.toHaveProperty('live');
    expect(() => compileTables(snapshot)).not.toThrow();
  });

  it('routes to live peers only, from the default network and the node, never back into the tunnel', () => {
    const other: PlannedNetwork = {
      name: 'backend',
      mode: 'routed',
      sourceGuard: true,
      routeTable: 2,
      domains: [{ id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] }],
    };
    const snapshot = compile(
      plan([other], [], { cluster: { tunnel, peers: [peer(2, true), peer(3, false)] } }),
    );
    const toPeers = routesOf(snapshot).filter(({ kind }) => kind === 'peer');
    expect(toPeers.map(({ table, prefix }) => `${table} ${prefix}`)).toEqual([
      '1 10.0.2.0/24',
      '0 10.0.2.0/24',
      '1 fd00:0:0:3::/64',
      '0 fd00:0:0:3::/64',
    ]);
    const fromTunnel = snapshot.routes.filter(({ table }) => table === snapshot.ports.at(-1)?.routeTable);
    expect(fromTunnel.map(({ prefix, kind }) => `${prefix} ${kind}`)).toEqual([
      '10.244.0.0/24 connected',
      'fd00::/64 connected',
      '10.244.0.1/32 local',
      'fd00::1/128 local',
      '10.244.0.2/32 port',
      'fd00::2/128 port',
      '192.0.2.7/32 port',
    ]);
  });

  it('costs well under a second of a thousand peers', () => {
    const peers = Array.from({ length: 1000 }, (_, id) => peer(id, true));
    let snapshot: ReturnType<typeof compile> | undefined;
    const cost = processorCost(() => {
      snapshot = compile(plan([], [], { cluster: { tunnel, peers } }));
    });
    expect(cost).toBeLessThan(250);
    expect(routesOf(snapshot!).filter(({ kind }) => kind === 'peer')).toHaveLength(4000);
  });
});
