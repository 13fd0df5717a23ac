/**
 * One node's way from the store to the data plane, of the daemon's own parts: ClusterView, Pacer, findPeers, compile,
 * Publisher, and a data plane worker.
 */

import { Pacer } from '../../src/control/cluster/pacer.js';
import { PeerIds } from '../../src/control/cluster/peer-ids.js';
import { findPeers } from '../../src/control/cluster/peers.js';
import { ClusterView } from '../../src/control/cluster/view.js';
import { compile } from '../../src/control/compile.js';
import { DEFAULT_NETWORK } from '../../src/control/model/network.js';
import type { Plan, PlannedPeer } from '../../src/control/plan.js';
import type { Store } from '../../src/control/store/store.js';
import { TableCompiler } from '../../src/dataplane/tables.js';
import { Dataplane } from '../../src/dataplane/worker/handle.js';

const ADDRESS = '192.168.255.1';
const MTU = 1450;

const HOME = {
  name: DEFAULT_NETWORK,
  mode: 'routed',
  sourceGuard: true,
  routeTable: 1,
  domains: [{ id: 0, cidrs: ['172.16.0.0/24'], gateways: ['172.16.0.1'] }],
} as const;

export class RouteFollower {
  /** Of the last time through: how long each step took (ms). */
  steps: Record<string, number> = {};
  private readonly ids = new PeerIds();
  private readonly pacer = new Pacer(() => this.program());
  private readonly view = new ClusterView({
    changed: () => this.pacer.change(),
    synced: () => this.pacer.change(),
    lost: () => {},
    failed: (error) => this.failed(error),
  });
  private generation = 0;
  private routes = 0;
  private inForceNow: readonly PlannedPeer[] = [];
  private readonly tables = new TableCompiler();
  private waiting: { isReached: () => boolean; resolve: () => void; reject: (error: Error) => void }[] = [];

  private constructor(
    private readonly dataplane: Dataplane,
    private readonly store: Store,
  ) {}

  static async start(store: Store): Promise<RouteFollower> {
    return new RouteFollower(await Dataplane.start({ io: 'poll', slots: 1024 }), store);
  }

  /** Follows the store; resolves when so many routes are in force. */
  async follow(routes: number): Promise<void> {
    const reached = this.reached(() => this.routes >= routes);
    await this.view.follow(this.store);
    await reached;
  }

  /** Resolves when the data plane has a route to this prefix of that node. */
  inForce(node: string, prefix: string): Promise<void> {
    return this.reached(() =>
      this.inForceNow.some(({ name, prefixes }) => name === node && prefixes.includes(prefix)),
    );
  }

  async stop(): Promise<void> {
    this.pacer.stop();
    this.view.close();
    await this.dataplane.stop();
  }

  private reached(isReached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ isReached, resolve, reject }));
  }

  private async program(): Promise<void> {
    try {
      await this.swap();
    } catch (error) {
      this.failed(error as Error);
      return;
    }
    for (const { resolve } of this.waiting.filter(({ isReached }) => isReached())) resolve();
    this.waiting = this.waiting.filter(({ isReached }) => !isReached());
  }

  private async swap(): Promise<void> {
    const times = [performance.now()];
    const lap = <T>(value: T): T => {
      times.push(performance.now());
      return value;
    };
    const peers = lap(this.peers());
    const snapshot = lap(compile(this.plan(peers)));
    const tables = lap(this.tables.compile(snapshot));
    lap(await this.dataplane.swap(tables));
    const [find, plan, build, post] = times.slice(1).map((time, index) => time - times[index]);
    this.steps = {
      'finding peers': find,
      'compiling the snapshot': plan,
      'building tables': build,
      'swapping them in': post,
    };
    this.inForceNow = peers;
    this.routes = peers.reduce((sum, { prefixes }) => sum + prefixes.length, 0);
  }

  private peers(): readonly PlannedPeer[] {
    const { known, owners } = this.view;
    return findPeers(
      {
        self: { name: 'self', address: ADDRESS },
        nodes: known.list().map(({ node }) => node),
        ownerOf: (cidr) => owners.ownerOf(cidr),
        isLive: () => true,
        innerMtu: () => MTU,
      },
      this.ids,
    ).peers;
  }

  private plan(peers: readonly PlannedPeer[]): Plan {
    return {
      generation: ++this.generation,
      networks: [HOME],
      node: undefined,
      pods: [],
      cluster: { tunnel: { port: 0, mac: '02:72:00:00:ff:01', vni: 1, mtu: MTU }, peers },
    };
  }

  private failed(error: Error): void {
    for (const { reject } of this.waiting) reject(error);
    this.waiting = [];
  }
}
