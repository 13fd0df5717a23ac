/**
 * The cluster as the store tells it: nodes, owners of subnets, who holds a lease. A mirror of the keys below
 * `cluster/`, taken apart; what the store has lost stays known until somebody deletes it or it falls silent.
 */
import type { Clock } from '../clock.js';
import type { PodwireError } from '../errors.js';
import { Mirror, type MirrorChange } from '../store/mirror.js';
import type { Store } from '../store/store.js';
import { KnownNodes } from './known-nodes.js';
import type { NodeCopy } from './local-copy.js';
import { Owners } from './owners.js';
import { CLUSTER, CLUSTER_ALIVE, CLUSTER_NODES, CLUSTER_SUBNETS } from './records.js';
import { ownerOfRecord } from './subnets.js';

export interface ViewListeners {
  /** Something of it is other than before. */
  readonly changed: () => void;
  /** The mirror is as the store is. */
  readonly synced: () => void;
  /** The store has lost its data. */
  readonly lost: () => void;
  readonly failed: (error: PodwireError) => void;
}

const OF_NODES = [CLUSTER_NODES, CLUSTER_SUBNETS, CLUSTER_ALIVE];

/** A change that was written is heard of within this time (ms), unless the store goes away. */
const SEEN_WITHIN = 5000;

export class ClusterView {
  readonly known = new KnownNodes();
  readonly owners = new Owners();
  private readonly alive = new Map<string, string>();
  private mirror: Mirror | undefined;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly listeners: ViewListeners) {}

  /** What was known when this node last ran: to begin with where the store is away. */
  seed(copies: readonly NodeCopy[]): void {
    for (const { node, revision, owned } of copies) {
      this.known.put(node.metadata.name, node as never, revision);
      for (const cidr of owned) this.owners.setAll(cidr, node.metadata.name);
    }
  }

  /** Lists and follows. Resolves when it has listed. */
  async follow(store: Store, clock?: Clock): Promise<void> {
    const mirror = new Mirror(store, {
      prefix: CLUSTER,
      // Services can be many, and are mirrored elsewhere.
      only: (key) => OF_NODES.some((prefix) => key.startsWith(prefix)),
      ...(clock && { clock }),
      onChange: (change) => this.take(change),
      onReset: () => this.listeners.lost(),
      onSynced: () => this.synced(),
      onError: (error) => this.listeners.failed(error),
    });
    this.mirror = mirror;
    await mirror.start();
  }

  close(): void {
    this.mirror?.close();
    for (const done of this.waiting) done();
  }

  /** uid of the daemon that holds the lease of that name. */
  holderOf(name: string): string | undefined {
    return this.alive.get(name);
  }

  /** Resolves when the change of this revision is known; after a while in any case. */
  seen(revision: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve();
      };
      const check = (): void => {
        if ((this.mirror?.revision ?? Number.POSITIVE_INFINITY) >= revision) done();
      };
      const timer = setTimeout(done, SEEN_WITHIN).unref();
      this.waiting.add(check);
      check();
    });
  }

  private take({ key, value, revision, reset }: MirrorChange): void {
    if (key.startsWith(CLUSTER_NODES)) {
      const name = key.slice(CLUSTER_NODES.length);
      if (value === undefined) this.known.remove(name, reset);
      else this.known.put(name, value, revision);
    } else if (key.startsWith(CLUSTER_SUBNETS)) this.takeSubnet(key, value, reset);
    else if (key.startsWith(CLUSTER_ALIVE)) {
      const name = key.slice(CLUSTER_ALIVE.length);
      const uid = (value as { uid?: unknown } | undefined)?.uid;
      if (typeof uid === 'string') this.alive.set(name, uid);
      else this.alive.delete(name);
    } else return;
    this.listeners.changed();
    for (const check of this.waiting) check();
  }

  private takeSubnet(key: string, value: MirrorChange['value'], reset: boolean): void {
    const { cidr, node } = ownerOfRecord(key, value);
    if (cidr === undefined) return;
    if (node === undefined) this.owners.remove(cidr, reset);
    else this.owners.set(cidr, node);
  }

  /** What was seeded and the store does not have is as good as lost with its data. */
  private synced(): void {
    const stored = this.mirror?.all;
    for (const { node } of this.known.list()) {
      const { name } = node.metadata;
      if (!stored?.has(CLUSTER_NODES + name)) this.known.remove(name, true);
    }
    this.listeners.synced();
    for (const check of this.waiting) check();
  }
}
