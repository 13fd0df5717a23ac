/**
 * A cluster on one machine: each node a daemon in a network namespace of its own, joined by a bridge that stands for
 * the underlay; pods in further namespaces.
 *
 *       pod "web"                            pod "db"
 *      ┌──────────┐                         ┌──────────┐
 *      │   eth0   │                         │   eth0   │
 *      └────┬─────┘                         └────┬─────┘
 *           │ TAP                                │ TAP
 *      ┌────┴─────┐   192.168.77.0/24       ┌────┴─────┐
 *      │ node k1  │u0 ┌────────────────┐  u0│ node k2  │
 *      │  daemon  ├───┤ br0 (the hub)  ├────┤  daemon  │
 *      └──────────┘.1 └───────┬────────┘ .2 └──────────┘
 *                             │ …
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachAnswer, Node, StatusAnswer } from '../../src/control/api/types.js';
import { DaemonBench, type RunningDaemon, until } from './daemon-support.js';

export const API_PORT = 7443;

export class ClusterNode {
  readonly bench = new DaemonBench();
  running: RunningDaemon | undefined;

  constructor(
    readonly name: string,
    /** Last octet of its underlay address. */
    readonly number: number,
  ) {}

  get address(): string {
    return `192.168.77.${this.number}`;
  }

  get url(): string {
    return `http://${this.address}:${API_PORT}`;
  }

  async start(flags: string[]): Promise<void> {
    this.running = await this.bench.start(['--name', this.name, '--underlay', this.address, ...flags]);
  }

  async kill(): Promise<void> {
    if (this.running) await this.bench.end(this.running, 'SIGKILL');
    this.running = undefined;
  }

  pod(name: string): Promise<AttachAnswer> {
    return this.bench.pod(name);
  }

  async status(): Promise<StatusAnswer> {
    return (await this.bench.call<StatusAnswer>('GET', '/v1/status')).body;
  }

  async nodes(): Promise<Node[]> {
    return (await this.bench.call<{ items: Node[] }>('GET', '/v1/nodes')).body.items;
  }

  async node(name: string): Promise<Node | undefined> {
    return (await this.nodes()).find(({ metadata }) => metadata.name === name);
  }

  /** Prefixes that lead to another node, of the default network. */
  async peerRoutes(): Promise<string[]> {
    const { routes } = (
      await this.bench.call<{ routes: { network: string; prefix: string; kind: string; dev: string }[] }>(
        'GET',
        '/v1/routes',
      )
    ).body;
    return routes
      .filter(({ kind, network }) => kind === 'peer' && network === 'default')
      .map(({ prefix, dev }) => `${prefix} ${dev}`)
      .sort();
  }

  /** Whether this node has live routes to all of these and no others. */
  sees(...names: string[]): Promise<boolean> {
    return until(async () => {
      const found = new Set((await this.peerRoutes()).map((route) => route.split(' node/')[1]));
      return found.size === names.length && names.every((name) => found.has(name));
    });
  }
}

/** A real etcd in the hub's namespace, at 192.168.77.254. */
export class HubEtcd {
  readonly url = 'http://192.168.77.254:2379';
  private child: ChildProcess | undefined;

  constructor(
    private readonly namespace: string,
    private readonly directory: string,
  ) {}

  /** @param data another name means that the data is lost */
  async start(data: string): Promise<void> {
    const peer = 'http://127.0.0.1:2380';
    const flags = [
      ['--data-dir', join(this.directory, data), '--name', 'hub', '--log-level', 'error'],
      ['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `hub=${peer}`],
    ].flat();
    this.child = spawn('nsenter', [`--net=/run/netns/${this.namespace}`, 'etcd', ...flags], {
      stdio: 'ignore',
    });
    const healthy = () => {
      const curl = [
        'netns',
        'exec',
        this.namespace,
        'etcdctl',
        '--endpoints',
        this.url,
        'endpoint',
        'health',
      ];
      return spawnSync('ip', curl, { stdio: 'ignore' }).status === 0;
    };
    if (!(await until(healthy))) throw new Error('etcd did not start');
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }
}

export class TestCluster {
  private readonly hub = new DaemonBench();
  private readonly made: ClusterNode[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-cluster-'));
  readonly token = join(this.directory, 'token');

  constructor() {
    writeFileSync(this.token, 'a-token-of-the-test\n');
    chmodSync(this.token, 0o600);
    const hub = this.hub.namespace('hub');
    execFileSync('ip', ['-n', hub, 'link', 'add', 'br0', 'type', 'bridge']);
    execFileSync('ip', ['-n', hub, 'link', 'set', 'br0', 'up']);
    execFileSync('ip', ['-n', hub, 'address', 'add', '192.168.77.254/24', 'dev', 'br0']);
  }

  /** Name of the hub's namespace; a server may run there, at 192.168.77.254. */
  get hubNamespace(): string {
    return this.hub.name('hub');
  }

  /** A host without a daemon yet. */
  host(name: string, number: number): ClusterNode {
    const node = new ClusterNode(name, number);
    this.made.push(node);
    const host = node.bench.namespace('host');
    const port = `p${number}`;
    const hub = this.hubNamespace;
    execFileSync('ip', ['-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'u0', 'netns', host]);
    execFileSync('ip', ['-n', hub, 'link', 'set', port, 'master', 'br0', 'up']);
    execFileSync('ip', ['-n', host, 'address', 'add', `${node.address}/24`, 'dev', 'u0']);
    execFileSync('ip', ['-n', host, 'link', 'set', 'u0', 'up']);
    return node;
  }

  get hosts(): readonly ClusterNode[] {
    return this.made;
  }

  /** Flags of a node that keeps the cluster's state. */
  server(node: ClusterNode): string[] {
    return ['--listen', `${node.address}:${API_PORT}`, '--token-file', this.token];
  }

  /** Flags of one that joins it. */
  joining(server: ClusterNode): string[] {
    return ['--join', server.url, '--token-file', this.token];
  }

  get log(): string {
    return this.made.map(({ name, bench }) => `${name}:\n${bench.log}`).join('\n');
  }

  async cleanup(): Promise<void> {
    for (const { bench } of this.made) await bench.cleanup();
    await this.hub.cleanup();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
