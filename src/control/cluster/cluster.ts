/**
 * This node's part in its cluster: joins, holds its subnets, publishes itself, and turns what the others publish into
 * peers and routes.
 *
 * A node without `--underlay` does all this too, in a cluster of one without a tunnel. A node that was in the cluster
 * before starts from what it last knew where the store does not answer, forwards, and joins again when it does.
 * While the store is away everything stays as it is.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeSpec, NodeStatus, StatusAnswer, StoreStatus } from '../api/types.js';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { AddressPlan } from '../network-overlap.js';
import type { DaemonOptions } from '../options.js';
import type { PlannedCluster, PlannedPeer, PlannedTunnel } from '../plan.js';
import type { Lease, Store } from '../store/store.js';
import { type ClusterConfig, configOf } from './config.js';
import { Liveness, type PeerProbes } from './liveness.js';
import { LocalCopy } from './local-copy.js';
import { aliveHolder, Membership } from './membership.js';
import { Nodes } from './nodes.js';
import { Pacer } from './pacer.js';
import { PeerIds } from './peer-ids.js';
import { findPeers, type PeersFound } from './peers.js';
import { type Identity, publishNode, ZONE_LABEL } from './publication.js';
import { isPassing, patiently, retrying, StoreLink, storeFields } from './store-link.js';
import { ClusterView } from './view.js';

export interface ClusterParts {
  readonly options: DaemonOptions;
  readonly self: Identity;
  /** MAC address of this node's VTEP. */
  readonly vtepMac: string;
  /** The cluster store; the same as `local` where this node keeps it. */
  readonly store: Store;
  /** This node's own store. */
  readonly local: Store;
  /** Its subnets when it last ran. */
  readonly remembered: readonly string[] | undefined;
  readonly probes: PeerProbes;
  /** Largest packet of a pod that reaches an underlay address whole. */
  readonly innerMtu: (address: string) => number;
  /** MTU of pods here. */
  readonly mtu: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface ClusterListeners {
  /** Peers or routes are other than before: publish. */
  readonly changed: () => Promise<void>;
  /** These underlay addresses are those of the peers now. */
  readonly addresses: (addresses: readonly string[]) => void;
  /** Only these of its subnets are still its own: what has addresses of others is to be closed. */
  readonly abandoned: (left: readonly string[], reason: string) => Promise<void>;
  /** It has new subnets. */
  readonly resubnetted: (reason: string) => Promise<void>;
  /** Remember these. */
  readonly remember: (podCidrs: readonly string[]) => Promise<void>;
  /** This is so of all nodes that are known; told again and again. */
  readonly nodes?: (nodes: readonly NodeWord[]) => void;
  /** `lease` is another one. */
  readonly leaseChanged?: () => void;
}

/** What services want to know of a node. */
export interface NodeWord {
  readonly name: string;
  /** Routes lead to it and its probe is answered, or it is this one. */
  readonly isLive: boolean;
  /** Of its label. */
  readonly zone: string | undefined;
}

export class Cluster implements AddressPlan {
  readonly nodes: Nodes;
  private readonly view: ClusterView;
  private readonly link: StoreLink;
  private readonly liveness: Liveness;
  private readonly ids = new PeerIds();
  private readonly pacer: Pacer;
  private readonly backoff = new Backoff();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private found: PeersFound = { peers: [], messages: new Map() };
  private told = new Map<string, string>();
  /** Peers that routes in force lead to. */
  private routed: ReadonlySet<number> = new Set();
  private tunnel: PlannedTunnel | undefined;
  private listeners: ClusterListeners | undefined;
  private membership: Membership | undefined;
  private publishing: Timer | undefined;
  private rejoining: Timer | undefined;
  private isPublishing = false;
  private isSaving = false;
  private stopped = false;

  private constructor(
    private readonly parts: ClusterParts,
    private readonly copy: LocalCopy | undefined,
    private config: ClusterConfig,
    private subnets: readonly string[],
  ) {
    const { log, self, probes } = parts;
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.repeated = new RepeatedLog(log);
    this.link = new StoreLink(parts.store, parts.options.store, log);
    this.pacer = new Pacer(() => this.refresh(), this.clock);
    this.view = new ClusterView({
      // Not amid a listing, of which the rest is told in the same turn.
      changed: () => queueMicrotask(() => this.pacer.change()),
      synced: () => this.pacer.change(),
      lost: () => log.warn(storeFields(parts.options.store), 'store has lost its data: it is written again'),
      failed: ({ code, message }) =>
        this.repeated.warn('mirror', { code, error: message }, 'cluster state cannot be read'),
    });
    this.liveness = new Liveness(
      probes,
      (id) => this.found.peers.find((peer) => peer.id === id),
      log,
      () => this.pacer.change(),
    );
    this.nodes = new Nodes({
      store: parts.store,
      known: this.view.known,
      self: self.name,
      holderOf: (address, except) => this.holderOf(address, except),
      statusOf: (name) => this.statusOf(name),
      isAlive: async (name) => this.view.holderOf(name) !== undefined,
      claim: (node) => this.member().claimFor(node.metadata.name, node.spec.podCIDRs),
      release: (name) => this.member().releaseFor(name),
      seen: (revision) => this.view.seen(revision),
    });
  }

  /**
   * Joins, or begins with what is remembered.
   * @throws PodwireError STORE_UNREACHABLE, CLUSTER_MISMATCH, NODE_NAME_TAKEN, SUBNET_TAKEN, SUBNETS_EXHAUSTED, …
   */
  static async join(parts: ClusterParts): Promise<Cluster> {
    const { options, remembered, log } = parts;
    const copy = parts.store === parts.local ? undefined : await LocalCopy.open(parts.local);
    const known = remembered && copy?.knownConfig;
    const cluster = new Cluster(parts, copy, known ?? configOf(options), remembered ?? []);
    try {
      await patiently(() => cluster.enter(), retrying(known !== undefined, log));
    } catch (error) {
      if (!known || !isPassing(error)) {
        await cluster.stop();
        throw error;
      }
      cluster.view.seed(copy?.nodes ?? []);
      const fields = {
        ...storeFields(options.store),
        podCIDRs: remembered,
        error: asPodwireError(error).message,
      };
      log.warn(fields, 'store does not answer: this node starts with what it last knew of the cluster');
    }
    return cluster;
  }

  get podCidrs(): readonly string[] {
    return this.subnets;
  }

  get clusterCidrs(): readonly string[] {
    return this.config.clusterCidrs;
  }

  get serviceCidrs(): readonly string[] {
    return this.config.serviceCidrs;
  }

  get vni(): number {
    return this.config.vni;
  }

  get underlay(): string | undefined {
    return this.parts.options.underlay;
  }

  /** What this node's presence in the cluster is on; undefined: it has none at present. */
  get lease(): Lease | undefined {
    return this.membership?.lease;
  }

  /** Whether it can be reached. */
  isNodeLive(name: string): boolean {
    if (name === this.parts.self.name) return true;
    const peer = this.peerNamed(name);
    return peer !== undefined && this.routed.has(peer.id);
  }

  get storeStatus(): StoreStatus {
    return this.link.status;
  }

  /** What does not work at present, though forwarding goes on. */
  get degraded(): string | undefined {
    if (!this.membership) return this.link.trouble ?? 'this node has not joined the cluster again yet';
    const { missing } = this.membership;
    return missing === undefined ? this.link.trouble : `${missing} was lost to another node`;
  }

  /** What compile needs of the cluster. */
  get planned(): PlannedCluster | undefined {
    return this.tunnel && { tunnel: this.tunnel, peers: this.found.peers };
  }

  peersView(): StatusAnswer['peers'] {
    return this.found.peers.map(({ id, name, address }) => ({
      name,
      address,
      state: this.stateOf(id),
      rttMicros: this.liveness.rttMicros(id),
    }));
  }

  /** @throws PodwireError where new pods cannot have addresses, since the subnets may be another node's */
  checkHeld(): void {
    this.membership?.checkHeld();
  }

  /** From now on this node is part of the cluster. The data plane runs. */
  async start(listeners: ClusterListeners, tunnel: PlannedTunnel | undefined): Promise<void> {
    this.listeners = listeners;
    this.tunnel = tunnel;
    await listeners.remember(this.subnets);
    await this.copy?.saveConfig(this.config);
    if (this.membership) await this.publishSelf();
    else this.rejoin();
    await this.refresh();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.pacer.stop();
    this.publishing?.cancel();
    this.rejoining?.cancel();
    this.view.close();
    await this.membership?.stop();
  }

  /** The path to a peer carries larger or smaller packets than before. */
  pathChanged(): void {
    this.pacer.change();
  }

  private async enter(): Promise<void> {
    const { options, self, store, remembered, log } = this.parts;
    const membership = await Membership.join({
      store,
      self,
      options,
      remembered,
      isAlive: this.isOtherAlive,
      lost: async (_lost, left, reason) => this.listeners?.abandoned(left, reason),
      leased: (podCidrs) => this.moved(podCidrs, 'it was lost to another node'),
      leaseChanged: () => this.listeners?.leaseChanged?.(),
      log,
      clock: this.clock,
    });
    this.membership = membership;
    this.config = membership.config;
    if (!this.listeners) this.subnets = membership.podCidrs;
    await this.view.follow(store, this.clock);
    log.info(
      { ...storeFields(options.store), podCIDRs: this.subnets, nodes: this.view.known.list().length },
      'joined the cluster',
    );
  }

  /** Whether another daemon than this one is the node of that name, by the store's word. */
  private readonly isOtherAlive = async (name: string): Promise<boolean> => {
    const holder = await aliveHolder(this.parts.store, name);
    return holder !== undefined && holder !== this.parts.self.uid;
  };

  /** After a start without the store. */
  private rejoin(): void {
    if (this.stopped) return;
    this.rejoining = this.clock.after(this.backoff.next(), async () => {
      try {
        await this.enter();
      } catch (error) {
        const { code, message } = asPodwireError(error);
        this.repeated.warn('rejoin', { code, error: message }, 'cannot join the cluster yet');
        this.rejoin();
        return;
      }
      this.repeated.clear('rejoin');
      this.backoff.reset();
      const podCidrs = this.membership?.podCidrs ?? this.subnets;
      if (!isDeepStrictEqual(podCidrs, this.subnets))
        await this.moved(podCidrs, 'another node took it meanwhile');
      await this.copy?.saveConfig(this.config);
      await this.publishSelf();
      this.pacer.change();
    });
  }

  private async moved(podCidrs: readonly string[], reason: string): Promise<void> {
    this.subnets = podCidrs;
    await this.listeners?.remember(podCidrs);
    await this.listeners?.resubnetted(reason);
    this.parts.log.info({ podCIDRs: podCidrs }, 'subnets leased');
    await this.publishSelf();
  }

  private member(): Membership {
    if (this.membership) return this.membership;
    throw new PodwireError('STORE_UNREACHABLE', this.degraded ?? 'this node has not joined the cluster yet');
  }

  private get ownSpec(): NodeSpec {
    const { underlay, tunnelPort } = this.parts.options;
    return {
      podCIDRs: [...this.subnets],
      ...(underlay !== undefined && { underlay: { address: underlay, port: tunnelPort } }),
      vtepMAC: this.parts.vtepMac,
    };
  }

  /** Makes the store say of this node what is so; later, where it does not answer now. */
  private async publishSelf(): Promise<void> {
    this.publishing?.cancel();
    this.publishing = undefined;
    if (this.stopped || this.isPublishing || !this.membership) return;
    this.isPublishing = true;
    const { store, self, options } = this.parts;
    try {
      await this.membership.keepConfig();
      const revision = await publishNode(
        store,
        self,
        { spec: this.ownSpec, zone: options.zone },
        this.isOtherAlive,
      );
      await this.view.seen(revision);
      this.repeated.clear('publish');
      this.backoff.reset();
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('publish', { code, error: message }, 'this node cannot publish itself yet');
      this.publishing = this.clock.after(this.backoff.next(), () => void this.publishSelf());
    } finally {
      this.isPublishing = false;
    }
  }

  private isPublished(): boolean {
    const own = this.view.known.get(this.parts.self.name);
    if (!own || this.view.known.isLost(this.parts.self.name)) return false;
    const { uid, labels } = own.node.metadata;
    if (uid !== this.parts.self.uid || labels?.[ZONE_LABEL] !== this.parts.options.zone) return false;
    return isDeepStrictEqual(own.node.spec, this.ownSpec);
  }

  private async refresh(): Promise<void> {
    const { known, owners } = this.view;
    const { options, self, innerMtu } = this.parts;
    known.dropSilent((name) => this.isNameUp(name) || name === self.name);
    owners.keep((name) => known.get(name) !== undefined);
    if (options.underlay !== undefined) {
      this.found = findPeers(
        {
          self: { name: self.name, address: options.underlay },
          nodes: known.list().map(({ node }) => node),
          ownerOf: (cidr) => owners.ownerOf(cidr),
          isLive: (id) => this.liveness.isUp(id),
          innerMtu,
        },
        this.ids,
      );
    }
    this.tellProblems();
    this.liveness.keep(new Set(this.found.peers.map(({ name }) => name)));
    try {
      this.listeners?.addresses(this.found.peers.map(({ address }) => address));
      const live = new Set(this.found.peers.filter((peer) => peer.live).map(({ id }) => id));
      // Who is gone is told before, who has come after routes lead there.
      this.routed = new Set([...this.routed].filter((id) => live.has(id)));
      this.tellNodes();
      await this.listeners?.changed();
      this.routed = live;
      this.tellNodes();
      void this.saveCopy();
      if (this.listeners && this.membership && !this.publishing && !this.isPublishing && !this.isPublished())
        void this.publishSelf();
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('refresh', { code, error: message }, 'what the cluster says cannot be put in force');
    }
  }

  private tellNodes(): void {
    const routed = new Set(this.found.peers.flatMap(({ id, name }) => (this.routed.has(id) ? [name] : [])));
    const nodes = this.view.known.list().map(({ node: { metadata } }) => ({
      name: metadata.name,
      isLive: metadata.name === this.parts.self.name || routed.has(metadata.name),
      zone: metadata.labels?.[ZONE_LABEL],
    }));
    this.listeners?.nodes?.(nodes);
  }

  /** Behind what is in force, and never two at a time: what changes meanwhile comes with the next. */
  private async saveCopy(): Promise<void> {
    if (!this.copy || this.isSaving) return;
    this.isSaving = true;
    const { known, owners } = this.view;
    try {
      const changed = await this.copy.saveNodes(known.list(), ({ spec, metadata }) =>
        spec.podCIDRs.filter((cidr) => owners.ownerOf(cidr) === metadata.name),
      );
      if (changed && !this.stopped) this.pacer.change();
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn(
        'copy',
        { code, error: message },
        'what is known of the cluster cannot be written down',
      );
    } finally {
      this.isSaving = false;
    }
  }

  /** Once for each node and reason. */
  private tellProblems(): void {
    const messages = new Map([...this.view.known.problems, ...this.found.messages]);
    for (const [node, reason] of messages) {
      if (this.told.get(node) !== reason) this.parts.log.warn({ node, reason }, 'node not used as it asks');
    }
    this.told = messages;
  }

  /** `up` once routes lead there too. */
  private stateOf(id: number): 'up' | 'down' | 'unknown' {
    const state = this.liveness.stateOf(id);
    return state === 'up' && !this.routed.has(id) ? 'unknown' : state;
  }

  private peerNamed(name: string): PlannedPeer | undefined {
    return this.found.peers.find((peer) => peer.name === name);
  }

  private isNameUp(name: string): boolean {
    const peer = this.peerNamed(name);
    return peer !== undefined && this.liveness.isUp(peer.id);
  }

  private holderOf(address: string, except: string): string | undefined {
    if (address === this.underlay) return 'this node';
    const holder = this.view.known
      .list()
      .find(({ node: { metadata, spec } }) => spec.underlay?.address === address && metadata.name !== except);
    return holder && `node ${holder.node.metadata.name}`;
  }

  private statusOf(name: string): NodeStatus {
    const { self, mtu } = this.parts;
    const managed = this.view.known.get(name)?.node.managed ?? 'daemon';
    if (name === self.name) return { state: 'self', rttMicros: null, mtu, managed };
    const peer = this.peerNamed(name);
    const message = this.found.messages.get(name) ?? this.absence(name);
    const lastSeen = peer && this.liveness.lastSeen(peer.id);
    return {
      state: peer ? this.stateOf(peer.id) : 'unknown',
      rttMicros: peer ? this.liveness.rttMicros(peer.id) : null,
      ...(lastSeen !== undefined && { lastSeen }),
      mtu: peer ? Math.min(peer.mtu, mtu) : mtu,
      managed,
      ...(message !== undefined && { message }),
    };
  }

  private absence(name: string): string | undefined {
    const { known } = this.view;
    if (known.isLost(name)) return 'the store has lost its record; it is used while it answers';
    if (known.get(name)?.node.managed === 'manual' || this.view.holderOf(name) !== undefined)
      return undefined;
    return 'its daemon has not renewed its lease';
  }
}
