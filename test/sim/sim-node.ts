/**
 * A node of a simulated cluster: a whole engine with a tunnel and pods in memory, and the control plane's own logic
 * from the store's watch to the tables: Mirror, KnownNodes, Owners, findPeers, compile, compileTables. In place of
 * the worker's thread and its messages, the engine is called directly.
 */
import { Backoff } from '../../src/control/backoff.js';
import { firstHost } from '../../src/control/cidr.js';
import { KnownNodes } from '../../src/control/cluster/known-nodes.js';
import { Owners } from '../../src/control/cluster/owners.js';
import { Pacer } from '../../src/control/cluster/pacer.js';
import { PeerIds } from '../../src/control/cluster/peer-ids.js';
import { findPeers } from '../../src/control/cluster/peers.js';
import { CLUSTER_NODES } from '../../src/control/cluster/records.js';
import { compile, type PlannedPeer } from '../../src/control/compile.js';
import { PodwireError } from '../../src/control/errors.js';
import { macOf, vtepMacOf } from '../../src/control/mac.js';
import { DEFAULT_NETWORK } from '../../src/control/model/network.js';
import { Mirror, type MirrorChange } from '../../src/control/store/mirror.js';
import { ABSENT, type Json, type Lease } from '../../src/control/store/store.js';
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
const SUBNETS = 'cluster/subnets/';
/** For so long a node's subnets are its own without a word from it (ms). */
export const LEASE_TTL = 6000;
/** Below this part of it, as seen from the node, which began to count earlier, it still uses them. */
const SURE = 0.9;

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
  private lease: Lease | undefined;
  /** When the last renewal that succeeded was asked for. */
  private renewed = 0;
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
    random: () => number,
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

  /** Takes its subnets and publishes itself, again and again until the store has said so. */
  async join(subnets: readonly string[]): Promise<void> {
    // Rejected when the node is killed before it has listed.
    this.mirror.start().catch(() => {});
    await this.inTurn(async () => {
      await this.patiently(() => this.take(subnets));
      this.keepLease();
      await this.patiently(() => this.write());
    });
  }

  /** Gives its subnets back and takes others: its pods begin anew at new addresses. */
  async moveTo(subnets: readonly string[]): Promise<void> {
    await this.inTurn(async () => {
      let old: readonly string[] = [];
      await this.patiently(async () => {
        old = await this.take(subnets);
      });
      await this.patiently(() => this.write());
      await this.patiently(async () => {
        for (const cidr of old) await this.store.delete(SUBNETS + cidr);
      });
      if (this.isAlive) this.world.freed(old);
    });
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

  /** Makes these subnets its own, on its lease, and uses them. Answers those that it used before. */
  private async take(subnets: readonly string[]): Promise<readonly string[]> {
    const asked = this.world.now;
    if (this.lease === undefined) {
      this.lease = await this.store.grant(LEASE_TTL);
      this.renewed = asked;
    }
    for (const cidr of subnets) {
      const found = await this.store.get(SUBNETS + cidr);
      const owner = (found?.value as { node: string } | undefined)?.node;
      if (owner === this.name) continue;
      await this.store.put(SUBNETS + cidr, { node: this.name }, ABSENT, this.lease);
    }
    const before = this.subnets;
    if (this.isAlive) this.use(subnets);
    return before;
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
      const cidr = key.slice(SUBNETS.length);
      if (value === undefined) this.owners.remove(cidr, reset);
      else this.owners.set(cidr, (value as { node: string }).node);
    }
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

  private keepLease(): void {
    this.world.clock.after(LEASE_TTL / 10, () =>
      this.renew().catch((error: unknown) => this.world.broken(error)),
    );
  }

  /** A node whose lease may have ended stops using its subnets, and begins anew. */
  private async renew(): Promise<void> {
    if (!this.isAlive) return;
    const asked = this.world.now;
    let isEnded = false;
    try {
      await this.lease?.renew();
      this.renewed = asked;
    } catch (error) {
      isEnded = (error as { code?: string }).code === 'LEASE_EXPIRED';
    }
    if (!this.isAlive) return;
    if (isEnded || this.world.now - this.renewed >= LEASE_TTL * SURE) {
      this.world.log(`${this.name} has lost its lease`);
      this.world.freed(this.subnets);
      this.use([]);
      this.lease = undefined;
      const next = this.world.nextSubnets();
      await this.inTurn(async () => {
        await this.patiently(() => this.take(next));
        await this.patiently(() => this.write());
      });
    }
    this.keepLease();
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
