/**
 * Pods of all nodes: this node's are written into the cluster store on its lease, those of the others are told to whoever
 * asks. So when a node dies its pods go with its lease.
 *
 * While the store is away what is known stays. What the store has lost stays for a minute, in which its node writes it
 * again. A node that the others reach and that reaches no store loses its lease, and its pods with it.
 */
import { isDeepStrictEqual } from 'node:util';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { podKeyOf, type ServicePod } from '../services/types.js';
import { Mirror, type MirrorChange } from '../store/mirror.js';
import type { Json, Lease, Store } from '../store/store.js';
import { CLUSTER_PODS, nodeOfPodKey, podRecord, podRecordKey, readPod } from './pod-records.js';

export interface PublishedPodsParts {
  /** The cluster store. */
  readonly store: Store;
  /** This node. */
  readonly node: string;
  /** What this node's presence is on; undefined: it has none now. */
  readonly lease: () => Lease | undefined;
  /** Of other nodes. */
  readonly listener: PodListener;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface PodListener {
  setPod(pod: ServicePod): void;
  /** @param key of podKeyOf */
  removePod(key: string): void;
}

/** A node that lives has written its pods again after so long (ms). */
const LOST_KEPT = 60_000;

export class PublishedPods {
  private readonly mirror: Mirror;
  /** By key of the record: what is to be there of this node. */
  private readonly own = new Map<string, ServicePod>();
  /** By key: what was written last, and on which lease. */
  private readonly written = new Map<string, { pod: ServicePod; lease: string }>();
  private readonly due = new Set<string>();
  /** Of other nodes, by key. */
  private readonly others = new Map<string, ServicePod>();
  /** Of these, what the store has lost. */
  private readonly lost = new Set<string>();
  private readonly backoff = new Backoff();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private working: Promise<void> | undefined;
  private retry: Timer | undefined;
  private forgetting: Timer | undefined;
  private stopped = false;

  constructor(private readonly parts: PublishedPodsParts) {
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.repeated = new RepeatedLog(parts.log);
    this.mirror = new Mirror(parts.store, {
      prefix: CLUSTER_PODS,
      keepsValues: false,
      clock: this.clock,
      onChange: (change) => this.changed(change),
      onSynced: () => this.synced(),
    });
  }

  /** Resolves when what the store holds is known and has been told. */
  start(): Promise<void> {
    return this.mirror.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.mirror.close();
    this.retry?.cancel();
    this.forgetting?.cancel();
    await this.working;
  }

  /** A pod of this node is this way from now on. */
  set(pod: ServicePod): void {
    const key = podRecordKey(pod);
    this.own.set(key, pod);
    this.plan(key);
  }

  /** @param pod of this node. */
  remove(pod: ServicePod): void {
    const key = podRecordKey(pod);
    if (this.own.delete(key)) this.plan(key);
  }

  /** The node's presence is on another lease now, or on one again. */
  leaseChanged(): void {
    for (const key of this.own.keys()) this.due.add(key);
    this.work();
  }

  private plan(key: string): void {
    this.due.add(key);
    this.work();
  }

  private work(): void {
    if (this.working || this.stopped || this.due.size === 0) return;
    this.retry?.cancel();
    this.working = this.writeAll().then(
      () => this.worked(),
      (error) => this.tryLater(error),
    );
  }

  private async writeAll(): Promise<void> {
    for (const key of this.due) {
      if (this.stopped) return;
      this.due.delete(key);
      try {
        await this.write(key);
      } catch (error) {
        this.due.add(key);
        throw error;
      }
    }
  }

  private worked(): void {
    this.working = undefined;
    this.backoff.reset();
    this.repeated.clear('pods');
    this.work();
  }

  private async write(key: string): Promise<void> {
    const pod = this.own.get(key);
    if (!pod) {
      this.written.delete(key);
      await this.parts.store.delete(key);
      return;
    }
    const lease = this.parts.lease();
    // leaseChanged brings it up again.
    if (!lease) return;
    const last = this.written.get(key);
    if (last?.lease === lease.id && isDeepStrictEqual(last.pod, pod)) return;
    // Whether a write that fails took place is not known.
    this.written.delete(key);
    await this.parts.store.put(key, podRecord(pod), undefined, lease);
    this.written.set(key, { pod, lease: lease.id });
  }

  private tryLater(error: unknown): void {
    this.working = undefined;
    const { code, message } = asPodwireError(error);
    this.repeated.warn('pods', { code, error: message }, 'pods cannot be told to other nodes');
    if (this.stopped) return;
    this.retry = this.clock.after(this.backoff.next(), () => this.work());
  }

  private changed({ key, value, reset }: MirrorChange): void {
    if (nodeOfPodKey(key) === this.parts.node) this.ownChanged(key, value === undefined);
    else this.otherChanged(key, value, reset);
  }

  private otherChanged(key: string, value: Json | undefined, reset: boolean): void {
    const pod = value === undefined ? undefined : readPod(key, value);
    if (pod) {
      this.lost.delete(key);
      if (isDeepStrictEqual(this.others.get(key), pod)) return;
      this.others.set(key, pod);
      this.parts.listener.setPod(pod);
    } else if (reset && this.others.has(key)) this.lost.add(key);
    else this.forget(key);
  }

  private ownChanged(key: string, isGone: boolean): void {
    const isWanted = this.own.has(key);
    if (isGone) this.written.delete(key);
    if (isGone === isWanted) this.plan(key);
  }

  private forget(key: string): void {
    const pod = this.others.get(key);
    if (!pod) return;
    this.others.delete(key);
    this.lost.delete(key);
    this.parts.listener.removePod(podKeyOf(pod));
  }

  private synced(): void {
    for (const key of this.own.keys()) this.due.add(key);
    this.work();
    if (this.lost.size === 0) return;
    this.forgetting?.cancel();
    this.forgetting = this.clock.after(LOST_KEPT, () => this.forgetLost());
  }

  /** Not while the store is away: `synced` begins anew. */
  private forgetLost(): void {
    if (!this.mirror.synced) return;
    for (const key of [...this.lost]) this.forget(key);
  }
}
