/**
 * A node with services, over an engine in memory, judged by scapy.
 *
 *     ports 0 1 2   10.0.0.10 .11 .12, domain 0          peer 3  10.21.0.0/24  fd00:21::/64, behind the tunnel, port 9
 *     ports 3 4     10.0.1.13 .14, domain 1, MTU 1400
 *     port 5        the node, 10.0.0.15; beyond it the world; table 1, answers by table 2
 */
import { resolve } from 'node:path';
import type { ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import type { RouteSpec, Snapshot } from '../../../../src/dataplane/snapshot.js';
import { EngineHarness, type HarnessOptions } from '../../../support/engine-harness.js';
import { pythonWithScapy } from '../../../support/scapy.js';
import { ScapyProcess } from '../../../support/scapy-process.js';
import { networks } from '../../../support/snapshots.js';
import { TUNNEL_SNAPSHOT } from '../tunnel-fixture.js';

export const NODE = 5;
export const TUNNEL = 9;
/** The node's address on its LAN. */
export const LAN = '192.0.2.7';
/** Another node. */
export const OTHER = '192.0.2.8';
/** What the kernel turns the node's addresses into. */
export const NODE_FRONTENDS = '10.96.255.254';

const base = networks({ ports: [3, 2, 0] });

function routes(table: number): RouteSpec[] {
  return [
    ...base.routes.map((route) => ({ ...route, table })),
    { table, prefix: '10.96.0.0/16', kind: 'unreachable', services: 'address' },
    { table, prefix: `${NODE_FRONTENDS}/32`, kind: 'unreachable', services: 'node' },
    { table, prefix: 'fd00:96::/112', kind: 'unreachable', services: 'address' },
  ];
}

export const WORLD: Snapshot = {
  ...base,
  ports: [
    ...base.ports.map((port) => (port.id >= 3 ? { ...port, mtu: 1400 } : port)),
    {
      id: NODE,
      name: 'node',
      mac: '02:70:00:00:00:15',
      addresses: ['10.0.0.15', 'fd00:0:0:0::15'],
      attachment: { kind: 'domain', domain: 0 },
      routeTable: 1,
      returnTable: 2,
      mtu: 1500,
      guard: false,
    },
    ...TUNNEL_SNAPSHOT.ports
      .filter(({ id }) => id === TUNNEL)
      .map((port) => ({
        ...port,
        attachment: { kind: 'tunnel' as const, domain: 2 },
        routeTable: 3,
        returnTable: 0,
      })),
  ],
  domains: base.domains.map((domain) =>
    domain.id === 2 ? { ...domain, gateways: base.domains[0].gateways, vni: 1 } : domain,
  ),
  routes: [
    ...routes(0),
    { table: 0, prefix: `${LAN}/32`, kind: 'port', port: NODE, services: 'node' },
    { table: 0, prefix: '0.0.0.0/0', kind: 'port', port: NODE },
    { table: 0, prefix: '::/0', kind: 'port', port: NODE },
    ...routes(1),
    ...routes(2).filter(({ kind }) => kind !== 'unreachable'),
    { table: 2, prefix: '0.0.0.0/0', kind: 'port', port: NODE },
    { table: 2, prefix: '::/0', kind: 'port', port: NODE },
    ...base.routes.map((route) => ({ ...route, table: 3 })),
    { table: 3, prefix: `${LAN}/32`, kind: 'port', port: NODE, services: 'own' },
  ],
  neighbours: [
    ...base.neighbours,
    { domain: 0, address: '10.0.0.15', mac: '02:70:00:00:00:15', port: NODE },
    { domain: 0, address: 'fd00:0:0:0::15', mac: '02:70:00:00:00:15', port: NODE },
  ],
  tunnel: { port: TUNNEL, domain: 2 },
  peers: TUNNEL_SNAPSHOT.peers
    ?.filter(({ id }) => id === 3)
    .map((peer) => ({ ...peer, routedIn: [0, 1, 2], hosts: [`${OTHER}/32`], hostsRoutedIn: [0] })),
  translation: {
    nodePort: NODE,
    nodeAddresses: [LAN, '10.0.0.15', 'fd00:0:0:0::15'],
    masquerade: ['10.0.0.1', 'fd00:0:0:0::1'],
  },
};

export interface Facts {
  readonly sound: boolean;
  readonly text: string;
  readonly src: string;
  readonly dst: string;
  readonly ttl: number;
  readonly mac: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly flags?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly type?: number;
  readonly code?: number;
  readonly quote?: { src: string; dst: string; sport: number; dport: number };
}

export const python = pythonWithScapy();

/** `10.0.0.11:80 active`, `10.21.0.5:80`; on this node where the address is. */
export function service(id: number, more: Partial<ServiceSpec>, ...backends: string[]): ServiceSpec {
  return {
    id,
    name: `default/s${id}:80`,
    family: 'IPv4',
    protocol: 'TCP',
    frontends: [{ address: `10.96.0.${id}`, port: 80, scope: 'cluster' }],
    backends: backends.map((text) => {
      const [name, state = 'active'] = text.split(' ');
      const at = name.lastIndexOf(':');
      const local = /^(10\.0\.|fd00:0:)/.test(name);
      return {
        name,
        address: name.slice(0, at),
        port: Number(name.slice(at + 1)),
        local,
        cluster: state as 'active',
        ...(local && { node: state as 'active' }),
      };
    }),
    ...more,
  };
}

/** Starts slowly: once for all tests of a file. */
export function startJudge(): ScapyProcess | undefined {
  return python === undefined ? undefined : new ScapyProcess(python, resolve('test/support/packets.py'));
}

export class ServiceWorld {
  readonly harness: EngineHarness;
  private generation = 1;

  constructor(
    private readonly judge: ScapyProcess,
    options: HarnessOptions = {},
    snapshot: Snapshot = WORLD,
  ) {
    this.harness = new EngineHarness(snapshot, options);
  }

  /** Of the next snapshot or change. */
  protected next(): number {
    return ++this.generation;
  }

  change(changed: ServiceSpec[], removed: number[] = []): void {
    this.harness.engine.changeServices({ generation: this.next(), changed, removed });
  }

  /** Sends scapy's packet from a port to the router. */
  async send(port: number, expression: string): Promise<void> {
    const domain = port >= 3 && port < 5 ? 1 : 0;
    await this.sendTo(port, `02:70:00:00:ff:0${domain}`, expression);
  }

  async sendTo(port: number, mac: string, expression: string): Promise<void> {
    const source = port === NODE ? '02:70:00:00:00:15' : `02:70:00:00:00:1${port}`;
    const hex = await this.judge.ask<string>({ build: `Ether(src='${source}',dst='${mac}')/${expression}` });
    this.harness.inject(port, Buffer.from(hex, 'hex'));
    this.harness.run();
  }

  /** From the peer, through the tunnel. */
  async sendFromPeer(expression: string): Promise<void> {
    const frame = `Ether(src='02:70:00:00:fe:03',dst='02:70:00:00:ff:02')/${expression}`;
    const hex = await this.judge.ask<string>({ build: `VXLAN(flags=8,vni=1)/${frame}` });
    this.harness.inject(TUNNEL, Buffer.from(hex, 'hex'));
    this.harness.run();
  }

  /** What scapy reads of the packets that the port was given. */
  async read(port: number): Promise<Facts[]> {
    const skip = port === TUNNEL ? 8 : 0;
    const packets = this.harness
      .take(port)
      .map(({ bytes }) => Buffer.from(bytes.slice(skip)).toString('hex'));
    const facts: Facts[] = [];
    for (const hex of packets) facts.push(await this.judge.ask<Facts>({ read: hex }));
    return facts;
  }

  async readOne(port: number): Promise<Facts> {
    const all = await this.read(port);
    if (all.length !== 1)
      throw new Error(
        `port ${port} was given ${all.length} packets: ${JSON.stringify(all)}; drops ${JSON.stringify(this.harness.dropsByPort())}`,
      );
    return all[0];
  }
}
