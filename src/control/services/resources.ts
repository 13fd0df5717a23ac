/**
 * Services, EndpointSlices, Namespaces and policies of the cluster: every node has them all, from one mirror of the cluster
 * store, and any may write them. What is known goes to listeners: what puts services and policies in force, and DNS.
 *
 *     cluster/services/NS/NAME          Service, with all that it was given
 *     cluster/endpointslices/NS/NAME    EndpointSlice, as applied
 *     cluster/namespaces/NAME           Namespace
 *     cluster/networkpolicies/NS/NAME, cluster/adminnetworkpolicies/NAME, cluster/baselineadminnetworkpolicies/NAME
 *
 * While the store is away everything stays as it is, and nothing can be written. The kinds are in resources-kind.ts, what
 * is peculiar to each in resources-services.ts, resources-slices.ts and resources-namespaces.ts; of policies nothing is.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import type { KeyedLock } from '../keyed-lock.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { parseAdminPolicy, parseBaselinePolicy } from '../model/admin-policy.js';
import { parseEndpointSlice } from '../model/endpoint-slice.js';
import { parseNamespace } from '../model/namespace.js';
import { parseNetworkPolicy } from '../model/network-policy.js';
import type {
  AdminNetworkPolicy,
  AnyPolicy,
  BaselineAdminNetworkPolicy,
  NetworkPolicy,
} from '../policies/types.js';
import { Mirror, type MirrorChange } from '../store/mirror.js';
import type { Store } from '../store/store.js';
import {
  ADMIN_POLICIES,
  BASELINE_POLICIES,
  NAMESPACES,
  NETWORK_POLICIES,
  RESOURCES,
  ResourcesCopy,
  SLICES,
} from './resources-copy.js';
import { type KindParts, StoredKind } from './resources-kind.js';
import type { ResourceListener } from './resources-listener.js';
import { NamespaceResources } from './resources-namespaces.js';
import { ServiceResources } from './resources-services.js';
import { SliceResources } from './resources-slices.js';
import { StoredResources } from './resources-stored.js';
import { NODE_PORTS, SERVICE_IPS, SERVICE_PORTS } from './service-claims.js';
import type { EndpointSlice, Namespace } from './types.js';

export type { ResourceListener };

export interface ResourcesParts {
  /** The cluster store. */
  readonly store: Store;
  /** This node's own store, where that is another. */
  readonly local: Store | undefined;
  /** uid of this node. */
  readonly node: string;
  readonly serviceCidrs: readonly string[];
  readonly lock: KeyedLock;
  readonly log: Logger;
  /** Resolves when what listeners were told is in force. */
  readonly settled: () => Promise<void>;
  /** Listeners were told all that the store holds. */
  readonly known?: () => void;
  /** Computed from selectors and pods. */
  readonly computedSlices: () => Iterable<EndpointSlice>;
  /** Pods of this node. */
  readonly pods: {
    /** NAMESPACE/NAME of those in it. */
    readonly list: (namespace?: string) => string[];
    readonly delete: (key: string) => Promise<unknown>;
  };
  readonly clock?: Clock;
}

/** How long a daemon that starts waits for the store to tell of services (ms). */
const START_WAIT = 3000;
/** How long a writer waits for its own change (ms). */
const SEEN_WITHIN = 5000;
const ROUND = 5000;

const KEYS = [...RESOURCES, SERVICE_IPS, NODE_PORTS, SERVICE_PORTS];

export class Resources {
  readonly services: ServiceResources;
  readonly slices: SliceResources;
  readonly namespaces: NamespaceResources;
  readonly networkPolicies: StoredResources<NetworkPolicy>;
  readonly adminPolicies: StoredResources<AdminNetworkPolicy>;
  readonly baselinePolicies: StoredResources<BaselineAdminNetworkPolicy>;
  private readonly listeners: ResourceListener[] = [];
  private readonly mirror: Mirror;
  private readonly copy: ResourcesCopy | undefined;
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;
  private readonly waiting = new Set<() => void>();
  private timer: Timer | undefined;
  private stopped = false;

  constructor(private readonly parts: ResourcesParts) {
    const { store, local, log } = parts;
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.repeated = new RepeatedLog(log);
    this.copy = local && new ResourcesCopy(local, log);
    this.services = new ServiceResources(parts, {
      ...this.common(),
      changed: (key, _before, after) => {
        if (after) this.tell((to) => to.setService?.(after.value));
        else this.tell((to) => to.removeService?.(key));
      },
      checkReachable: () => this.checkReachable(),
    });
    const slices = this.kind<EndpointSlice>('endpointslice', SLICES, parseEndpointSlice, {
      set: (to, slice) => to.setSlice?.(slice),
      remove: (to, key) => to.removeSlice?.(key),
    });
    this.slices = new SliceResources(parts, slices);
    const namespaces = this.kind<Namespace>('namespace', NAMESPACES, parseNamespace, {
      set: (to, namespace) => to.setNamespace?.(namespace),
      remove: (to, name) => to.removeNamespace?.(name),
    });
    this.networkPolicies = this.policies('NetworkPolicy', NETWORK_POLICIES, parseNetworkPolicy);
    this.adminPolicies = this.policies('AdminNetworkPolicy', ADMIN_POLICIES, parseAdminPolicy);
    this.baselinePolicies = this.policies(
      'BaselineAdminNetworkPolicy',
      BASELINE_POLICIES,
      parseBaselinePolicy,
    );
    this.namespaces = new NamespaceResources(
      parts,
      namespaces,
      [this.services, this.slices],
      [this.networkPolicies],
    );
    this.mirror = new Mirror(store, {
      prefix: 'cluster/',
      only: (key) => KEYS.some((prefix) => key.startsWith(prefix)),
      keepsValues: false,
      clock: this.clock,
      backoff: new Backoff(),
      onChange: (change) => this.take(change),
      onReset: () => log.warn('the cluster store has lost resources: they are written again'),
      onSynced: () => this.synced(),
      onError: ({ code, message }) =>
        this.repeated.warn('mirror', { code, error: message }, 'services and policies cannot be read'),
    });
  }

  /** Is told at once of what is known, and of each change from then on. */
  listen(listener: ResourceListener): void {
    this.listeners.push(listener);
    for (const { value } of this.namespaces.kind.all()) listener.setNamespace?.(value);
    for (const { value } of this.services.kind.all()) listener.setService?.(value);
    for (const { value } of this.slices.kind.all()) listener.setSlice?.(value);
    for (const { kind } of [this.networkPolicies, this.adminPolicies, this.baselinePolicies]) {
      for (const { value } of kind.all()) listener.setPolicy?.(value);
    }
  }

  /** Resolves when what the store holds is known, or after a while where it does not answer. */
  async start(): Promise<void> {
    for (const [key, { value, revision }] of (await this.copy?.load()) ?? []) {
      const kind = this.kindOf(key);
      kind?.seed(key.slice(kind.prefix.length), value, revision);
    }
    const following = this.mirror.start().catch((error) => {
      if (asPodwireError(error).code !== 'STOPPING') throw error;
    });
    await Promise.race([following, pause(START_WAIT, undefined, { ref: false })]);
    this.later();
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    this.mirror.close();
    for (const done of [...this.waiting]) done();
    await this.copy?.stop();
  }

  /** Whether it is known what there is: by the store, or by this node's copy of it. */
  get isKnown(): boolean {
    return this.mirror.synced || this.copy?.isWhole === true;
  }

  /** Puts right what is amiss in the store. */
  async round(): Promise<void> {
    if (!this.mirror.synced) return;
    try {
      for (const kind of this.kinds()) await kind.writeLost();
      this.repeated.clear('lost');
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('lost', { code, error: message }, 'lost resources not written again yet');
    }
    await this.services.repair.round();
  }

  private kinds(): StoredKind<never>[] {
    const { services, slices, namespaces, networkPolicies, adminPolicies, baselinePolicies } = this;
    // Namespaces first, and policies before what they hold for.
    const all = [namespaces, networkPolicies, adminPolicies, baselinePolicies, services, slices];
    return all.map(({ kind }) => kind) as unknown as StoredKind<never>[];
  }

  private kindOf(key: string): StoredKind<never> | undefined {
    return this.kinds().find(({ prefix }) => key.startsWith(prefix));
  }

  private policies<T extends AnyPolicy>(
    kind: T['kind'],
    prefix: string,
    parse: (value: unknown) => T,
  ): StoredResources<T> {
    const stored = this.kind<T>(kind.toLowerCase(), prefix, parse, {
      set: (to, policy) => to.setPolicy?.(policy),
      remove: (to, key) => to.removePolicy?.(kind, key),
      keepsUnreadable: true,
    });
    return new StoredResources(this.parts, stored);
  }

  private kind<T extends Namespace | EndpointSlice | AnyPolicy>(
    name: string,
    prefix: string,
    parse: (value: unknown) => T,
    tell: {
      set: (to: ResourceListener, value: T) => void;
      remove: (to: ResourceListener, key: string) => void;
      keepsUnreadable?: boolean;
    },
  ): StoredKind<T> {
    return new StoredKind<T>({
      ...this.common(),
      kind: name,
      prefix,
      parse,
      keepsUnreadable: tell.keepsUnreadable ?? false,
      changed: (key, before, after) => {
        if (after) this.tell((to) => tell.set(to, after.value));
        else this.tell((to) => tell.remove(to, key));
        if (prefix === NAMESPACES && before && !after) this.namespaces.wasDeleted(key);
      },
    });
  }

  private common(): Pick<KindParts<object>, 'store' | 'seen' | 'copied' | 'unreadable'> {
    const { store, log } = this.parts;
    return {
      store,
      seen: (revision) => this.seen(revision),
      copied: (key, value, revision) => this.copy?.set(key, value, revision),
      unreadable: (key, problem) => log.warn({ key, problem }, 'record of the cluster store not used'),
    };
  }

  private tell(what: (to: ResourceListener) => void): void {
    for (const listener of this.listeners) what(listener);
  }

  /** Before anything is chosen: what others have must be known. */
  private checkReachable(): void {
    if (this.mirror.synced) return;
    throw new PodwireError(
      'STORE_UNREACHABLE',
      'the cluster store does not answer: services cannot be changed',
    );
  }

  private take(change: MirrorChange): void {
    const kind = this.kindOf(change.key);
    if (kind) kind.take(change);
    else this.services.repair.claimChanged(change.key, change.value);
    for (const check of [...this.waiting]) check();
  }

  private synced(): void {
    for (const kind of this.kinds()) kind.keep((key) => this.mirror.get(key) !== undefined);
    this.repeated.clear('mirror');
    this.copy?.completed(this.mirror.revision);
    this.parts.known?.();
    for (const check of [...this.waiting]) check();
    void this.round();
  }

  private later(): void {
    if (this.stopped) return;
    this.timer = this.clock.after(ROUND, () => void this.round().finally(() => this.later()));
  }

  /** Resolves when the change of this revision is known; after a while in any case. */
  private seen(revision: number): Promise<void> {
    if (this.mirror.revision >= revision || this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve();
      };
      const check = (): void => {
        if (this.mirror.revision >= revision || this.stopped) done();
      };
      const timer = setTimeout(done, SEEN_WITHIN).unref();
      this.waiting.add(check);
    });
  }
}
