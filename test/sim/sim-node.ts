/**
 * A node of a simulated cluster: a whole engine with a tunnel and pods in memory, and the control plane's own logic
 * from the store's watch to the tables: Mirror, KnownNodes, Owners, findPeers, compile, compileTables. In place of
 * the worker's thread and its messages, the engine is called directly.
 */
import { Backoff } from '../../src/control/backoff.js';
import { firstHost } from '../../src/control/cidr.js';
import type { Timer } from '../../src/control/clock.js';
import { KnownNodes } from '../../src/control/cluster/known-nodes.js';
import { Owners } from '../../src/control/cluster/owners.js';
import { Pacer } from '../../src/control/cluster/pacer.js';
import { PeerIds } from '../../src/control/cluster/peer-ids.js';
import { findPeers } from '../../src/control/cluster/peers.js';
import { CLUSTER_NODES } from '../../src/control/cluster/records.js';
import { NodeSession } from '../../src/control/cluster/session.js';
import { ownerOfRecord, SUBNETS, SubnetLeases } from '../../src/control/cluster/subnets.js';
import { compile } from '../../src/control/compile.js';
import { PodwireError } from '../../src/control/errors.js';
import { macOf, vtepMacOf } from '../../src/control/mac.js';
import { DEFAULT_NETWORK } from '../../src/control/model/network.js';
import type { PlannedPeer } from '../../src/control/plan.js';
import { Mirror, type MirrorChange } from '../../src/control/store/mirror.js';
import type { Json } from '../../src/control/store/store.js';
import type { Device } from '../../src/dataplane/device.js';
import { InMemoryDevice } from '../../src/dataplane/devices/memory.js';
import type { UnderlayDevice } from '../../src/dataplane/devices/underlay-device.js';
import { Engine } from '../../src/dataplane/engine.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import type { SimStore } from './sim-store.js';
import type { World } from './world.js';

const TUNNEL_PORT = 0;
const SLOTS = 128;
const INNER_MTU = 1450;
/** A node's life without a word from it, what is forgiven it, and before others may have its subnets (ms). */
const TTL = 6000;
const GRACE = 2000;
const QUARANTINE = 3000;
/** So long after its lease a node that does not reach the store may be sure that its subnets are still its own. */
const SURE = (GRACE + QUARANTINE) * 0.8;

const CLUSTER_CIDRS = ['10.128.0.0/16', 'fd00:10:244::/48'];

/** A pod: one life at one address. A pod that gets another address is another pod. */
export interface SimPod {
  readonly uid: string;
  readonly node: SimNode;
  readonly port: number;
  readonly mac: string;
  readonly ips: readonly string[];
  readonly device: InMemoryDevice;
}

export class SimNode {
  readonly engine: Engine;
  pods: SimPod[] = [];
  subnets: readonly string[] = [];
  isAlive = true;
  /** What is in force about each peer: where it is, which subnets are routed to it. */
  view = new Map<string, string>();
  generation = 0;
  private tunnel: UnderlayDevice;
  private devices: Device[] = [];
  private nextSweep = 0;
  private lives = 0;
  private turn: Promise<void> = Promise.resolve();
  private session: NodeSession | undefined;
  private readonly leases: SubnetLeases;
  private giveUp: Timer | undefined;
  private readonly mirror: Mirror;
  private readonly known = new KnownNodes();
  private readonly owners = new Owners();
  private readonly ids = new PeerIds();
  private readonly pacer: Pacer;

  constructor(
    private readonly world: World,
    readonly name: string,
    public address: string,
    private readonly store: SimStore,
    seed: number,
    private readonly random: () => number,
  ) {
    const { clock } = world;
    this.engine = new Engine({ slots: SLOTS, seed, checksum: wasmChecksum });
    this.engine.prober.onPeer = (id, isUp) => {
      world.log(`${name} sees ${this.ids.nameOf(id) ?? id} ${isUp ? 'up' : 'down'}`);
      this.changed();
    };
    this.tunnel = this.openTunnel();
    this.pacer = new Pacer(async () => {
      try {
        this.program();
      } catch (error) {
        world.broken(error);
      }
    }, clock);
    this.leases = new SubnetLeases({
      store,
      node: name,
      uid: name,
      clusterCidrs: CLUSTER_CIDRS,
      graceMs: GRACE,
      quarantineMs: QUARANTINE,
      sweepMs: GRACE,
      clock,
      random,
    });
    this.leases.onLost((cidr, why) => this.lost(`${cidr}: ${why}`));
    this.mirror = new Mirror(store, {
      prefix: 'cluster/',
      onChange: (change) => this.learn(change),
      onSynced: () => this.changed(),
      clock,
      backoff: new Backoff(200, 2000, random),
    });
  }

  /** Of the switch, as its pods know it. */
  get gatewayMac(): string {
    return macOf(this.subnets.map(firstHost));
  }

  get vtep(): string {
    return vtepMacOf(this.name);
  }

  /** Takes subnets, these or any, and publishes itself, again and again until the store has said so. */
  async join(wanted?: readonly string[]): Promise<void> {
    // Both are rejected when the node is killed before they have listed.
    this.mirror.start().catch(() => {});
    const started = this.leases.start().catch(() => {});
    await this.inTurn(async () => {
      await this.patiently(async () => {
        this.session = await this.startSession();
      });
      await started;
      await this.acquire(wanted);
    });
  }

  /** Exchanges its subnets for these: its pods begin anew at new addresses. */
  moveTo(subnets: readonly string[]): Promise<void> {
    return this.inTurn(() => this.acquire(subnets));
  }

  async changeAddress(address: string): Promise<void> {
    this.tunnel.close();
    this.address = address;
    this.tunnel = this.openTunnel();
    this.engine.attach(this.tunnel);
    this.devices[0] = this.tunnel;
    this.program();
    await this.inTurn(() => this.patiently(() => this.write()));
  }

  kill(): void {
    this.isAlive = false;
    this.tunnel.close();
    this.mirror.close();
    this.leases.close();
    this.giveUp?.cancel();
    void this.session?.stop({ leave: false });
    this.pacer.stop();
    this.pods = [];
  }

  /** One turn of the worker's loop, where there is something to do. */
  poll(now: number): void {
    if (now >= this.nextSweep) this.sweep(now);
    while (this.isWaiting()) {
      this.engine.cycle(this.devices, this.devices.length, now);
      for (const pod of this.pods) for (const { bytes } of pod.device.take()) this.world.received(pod, bytes);
    }
  }

  private startSession(): Promise<NodeSession> {
    const { clock } = this.world;
    return NodeSession.start({
      store: this.store,
      name: this.name,
      uid: this.name,
      ttlMs: TTL,
      clock,
      random: this.random,
      onLost: () => {
        this.world.log(`${this.name} has lost its lease`);
        this.giveUp = clock.after(SURE, () => this.use([]));
      },
      onRegained: () => {
        this.world.log(`${this.name} has its lease again`);
        this.giveUp?.cancel();
        if (this.subnets.length === 0) void this.inTurn(() => this.acquire());
        else this.leases.reassert().catch(() => {});
      },
    });
  }

  private async acquire(wanted?: readonly string[]): Promise<void> {
    await this.patiently(async () => {
      const owned = await this.leases.acquire(wanted);
      if (this.isAlive) this.use(owned.map(({ cidr }) => cidr));
    });
    await this.patiently(() => this.write());
  }

  /** Another node has one of its subnets: none is used any more, and others are taken. */
  private lost(what: string): void {
    this.world.log(`${this.name} has lost ${what}`);
    if (!this.isAlive) return;
    this.use([]);
    void this.inTurn(() => this.acquire());
  }

  private sweep(now: number): void {
    const wait = this.engine.sweep(now);
    this.nextSweep = wait < 0 ? Number.POSITIVE_INFINITY : now + wait;
  }

  private isWaiting(): boolean {
    return this.tunnel.waiting > 0 || this.pods.some(({ device }) => device.waiting > 0);
  }

  private openTunnel(): UnderlayDevice {
    return this.world.underlay.attach({ context: this.engine, port: TUNNEL_PORT, address: this.address });
  }

  /** These subnets are its own from now on; whoever lived in others is gone. */
  private use(subnets: readonly string[]): void {
    for (const { port } of this.pods) this.engine.detach(port);
    this.subnets = subnets;
    this.lives++;
    const count = subnets.length === 0 ? 0 : this.world.podsPerNode;
    this.pods = Array.from({ length: count }, (_, index) => this.makePod(index));
    this.devices = [this.tunnel, ...this.pods.map(({ device }) => device)];
    for (const device of this.devices) this.engine.attach(device);
    this.program();
  }

  private makePod(index: number): SimPod {
    const port = TUNNEL_PORT + 1 + index;
    const ips = this.subnets.map((cidr) => firstHost(cidr).replace(/1$/, String(10 + index)));
    const device = new InMemoryDevice({ context: this.engine, port, mtu: INNER_MTU });
    return { uid: `${this.name}/${this.lives}/${index}`, node: this, port, mac: macOf(ips), ips, device };
  }

  private learn({ key, value, revision, reset }: MirrorChange): void {
    if (key.startsWith(CLUSTER_NODES)) {
      const name = key.slice(CLUSTER_NODES.length);
      if (value === undefined) this.known.remove(name, reset);
      else this.known.put(name, value, revision);
    } else if (key.startsWith(SUBNETS)) {
      const { cidr = '', node } = ownerOfRecord(key, value);
      if (node === undefined) this.owners.remove(cidr, reset);
      else this.owners.set(cidr, node);
    } else return;
    this.changed();
  }

  private changed(): void {
    this.world.stir();
    this.pacer.change();
  }

  private program(): void {
    if (!this.isAlive) return;
    const { world, engine } = this;
    const { peers } = findPeers(
      {
        self: { name: this.name, address: this.address },
        nodes: this.known.list().map(({ node }) => node),
        ownerOf: (cidr) => this.owners.ownerOf(cidr),
        isLive: (id) => engine.prober.states.isUp(id),
        innerMtu: () => INNER_MTU,
      },
      this.ids,
    );
    const snapshot = compile({
      generation: ++this.generation,
      networks: [
        {
          name: DEFAULT_NETWORK,
          mode: 'routed',
          sourceGuard: true,
          routeTable: 1,
          domains: [{ id: 0, cidrs: this.subnets, gateways: this.subnets.map(firstHost) }],
        },
      ],
      node: undefined,
      pods: this.pods.map(({ port, uid, mac, ips }) => ({
        id: port,
        name: uid,
        network: DEFAULT_NETWORK,
        domain: 0,
        mac,
        ips,
        mtu: INNER_MTU,
      })),
      cluster: { tunnel: { port: TUNNEL_PORT, mac: this.vtep, vni: 1, mtu: INNER_MTU }, peers },
    });
    engine.swap(compileTables(snapshot));
    this.nextSweep = 0;
    this.view = new Map(peers.filter(({ live }) => live).map((peer) => [peer.name, viewOf(peer)]));
    world.programmed(this);
  }

  private async write(): Promise<void> {
    const record = {
      metadata: { name: this.name, uid: this.name, creationTimestamp: '2020-01-01T00:00:00.000Z' },
      spec: {
        podCIDRs: [...this.subnets],
        underlay: { address: this.address, port: 4789 },
        vtepMAC: this.vtep,
      },
      managed: 'daemon',
    };
    await this.store.put(CLUSTER_NODES + this.name, record as unknown as Json);
  }

  /** One thing after the other. */
  private inTurn(action: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(action).catch((error: unknown) => this.world.broken(error));
    return this.turn;
  }

  private async patiently(action: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await action();
        return;
      } catch (error) {
        if (!(error instanceof PodwireError)) throw error;
        if (!this.isAlive) return;
        this.world.log(`${this.name} tries again: ${error.message}`);
        await new Promise<void>((resolve) => void this.world.clock.after(500, resolve));
      }
    }
  }
}

/** What a node must know of another to send to it. */
export function viewOf({
  address,
  mac,
  prefixes,
}: Pick<PlannedPeer, 'address' | 'mac' | 'prefixes'>): string {
  return `${address} ${mac} ${prefixes.join(' ')}`;
}
