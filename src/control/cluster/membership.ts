/**
 * This node's membership: what it has agreed on with the others, its lease, and its subnets. What it has lost it
 * tells at once; then it leases others, as soon as the store lets it.
 */
import { Backoff } from '../backoff.js';
import { encloses, familyOf } from '../cidr.js';
import type { Clock, Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { DaemonOptions } from '../options.js';
import { ABSENT, type Json, type Lease, type Store } from '../store/store.js';
import { agreeOnConfig, type ClusterConfig } from './config.js';
import { type Identity, type IsAlive, refuseTakenName } from './publication.js';
import { CLUSTER_ALIVE, CLUSTER_CONFIG, CLUSTER_NODES } from './records.js';
import { NodeSession } from './session.js';
import { SubnetLeases } from './subnets.js';

export interface MembershipParts {
  readonly store: Store;
  readonly self: Identity;
  readonly options: DaemonOptions;
  /** What it had when it last ran. */
  readonly remembered: readonly string[] | undefined;
  readonly isAlive: IsAlive;
  /** These are not its own any more, from now on; it has what is left. */
  readonly lost: (lost: readonly string[], left: readonly string[], reason: string) => Promise<void>;
  /** It has others now. */
  readonly leased: (podCidrs: readonly string[]) => Promise<void>;
  /** Its presence is on another lease. */
  readonly leaseChanged: () => void;
  readonly log: Logger;
  readonly clock: Clock;
}

/** So long without its lease (ms), and others may have the subnets: quarantine of subnet-keeper.ts. */
const MAY_BE_TAKEN = 600_000;

/** A stop waits so long for the store (ms). */
const LEAVE_WITHIN = 2000;

/** uid of the daemon that holds the lease of that name. */
export async function aliveHolder(store: Store, name: string): Promise<string | undefined> {
  const value = (await store.get(CLUSTER_ALIVE + name))?.value as { uid?: unknown } | undefined;
  return typeof value?.uid === 'string' ? value.uid : undefined;
}

export class Membership {
  private cidrs: readonly string[] = [];
  private session: NodeSession | undefined;
  private unheldSince: number | undefined;
  private readonly backoff = new Backoff(500);
  private readonly repeated: RepeatedLog;
  private retry: Timer | undefined;
  private stopped = false;

  private constructor(
    private readonly parts: MembershipParts,
    readonly config: ClusterConfig,
    private readonly leases: SubnetLeases,
  ) {
    this.repeated = new RepeatedLog(parts.log);
  }

  /** @throws PodwireError CLUSTER_MISMATCH, NODE_NAME_TAKEN, SUBNET_TAKEN, SUBNETS_EXHAUSTED, STORE_UNREACHABLE */
  static async join(parts: MembershipParts): Promise<Membership> {
    const { store, self, options, isAlive, clock, log } = parts;
    const isAlone = async (): Promise<boolean> =>
      (await store.list(CLUSTER_NODES)).entries.every(({ key }) => key === CLUSTER_NODES + self.name);
    const config = await agreeOnConfig(store, options, isAlone);
    await refuseTakenName(store, self, isAlive);
    const errors = new RepeatedLog(log);
    const leases = new SubnetLeases({
      store,
      node: self.name,
      uid: self.uid,
      clusterCidrs: config.clusterCidrs,
      clock,
      onError: ({ code, message }) =>
        errors.warn('subnets', { code, error: message }, 'subnets cannot be looked after'),
    });
    const membership = new Membership(parts, config, leases);
    try {
      await membership.begin();
      return membership;
    } catch (error) {
      await membership.stop();
      throw error;
    }
  }

  get podCidrs(): readonly string[] {
    return this.cidrs;
  }

  /** What its presence is on. */
  get lease(): Lease | undefined {
    return this.session?.lease;
  }

  /** What is lost and not leased anew yet; undefined: all is held. */
  get missing(): string | undefined {
    const owned = new Set(this.leases.owned.map(({ cidr }) => cidr));
    const missing = this.cidrs.filter((cidr) => !owned.has(cidr));
    return missing.length === 0 ? undefined : missing.join(', ');
  }

  /** @throws PodwireError SUBNET_TAKEN, LEASE_EXPIRED where new pods cannot have addresses */
  checkHeld(): void {
    const { missing } = this;
    if (missing !== undefined) {
      throw new PodwireError(
        'SUBNET_TAKEN',
        `${missing} was lost to another node: no pod gets an address of it`,
      );
    }
    if (this.unheldSince !== undefined && this.parts.clock.now() - this.unheldSince > MAY_BE_TAKEN) {
      throw new PodwireError(
        'LEASE_EXPIRED',
        'this node has been without its lease for so long that other nodes may have its subnets: no pod gets an address',
      );
    }
  }

  /** @throws PodwireError SUBNET_TAKEN */
  claimFor(node: string, cidrs: readonly string[]): Promise<void> {
    return this.leases.claimFor(node, cidrs);
  }

  /** Of a node that has gone, whether it had a daemon or not. */
  releaseFor(node: string): Promise<void> {
    return this.leases.releaseFor(node);
  }

  /** Writes the configuration again where the store has lost it. */
  async keepConfig(): Promise<void> {
    const { store } = this.parts;
    if (await store.get(CLUSTER_CONFIG)) return;
    const value = JSON.parse(JSON.stringify(this.config)) as Json;
    await store.put(CLUSTER_CONFIG, value, ABSENT);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.retry?.cancel();
    this.leases.close();
    const left = this.session?.stop({ leave: true }).catch(() => {});
    // Where the store does not answer, the lease ends by itself.
    await Promise.race([left, new Promise((resolve) => setTimeout(resolve, LEAVE_WITHIN).unref())]);
  }

  private async begin(): Promise<void> {
    const { store, self, clock, log } = this.parts;
    this.session = await NodeSession.start({
      store,
      name: self.name,
      uid: self.uid,
      clock,
      onLost: ({ code, message }) => {
        this.unheldSince = clock.now();
        log.warn(
          { code, error: message },
          'lease lost: what this node has stays in use until another has it',
        );
      },
      onLease: () => this.parts.leaseChanged(),
      onRegained: () => {
        this.unheldSince = undefined;
        log.info('lease held again');
        this.leases.reassert().catch(() => {});
      },
    });
    await this.leases.start();
    await this.acquire();
    this.leases.onLost((cidr, why) => void this.lose(cidr, why));
  }

  /** What is asked for; else what it had, if it still can have that; else what is free. */
  private async acquire(): Promise<void> {
    const { options, remembered } = this.parts;
    const before = this.cidrs.length > 0 ? this.cidrs : remembered;
    this.cidrs = options.podCidrs
      ? await this.take(options.podCidrs)
      : ((before && this.isWhole(before) ? await this.tryTake(before) : undefined) ?? (await this.take()));
  }

  private async take(wanted?: readonly string[]): Promise<string[]> {
    const owned = await this.leases.acquire(wanted);
    return owned.map(({ cidr }) => cidr).sort((a, b) => familyOf(a) - familyOf(b));
  }

  private async tryTake(wanted: readonly string[]): Promise<string[] | undefined> {
    try {
      return await this.take(wanted);
    } catch (error) {
      const { code, message } = asPodwireError(error);
      if (code !== 'SUBNET_TAKEN') throw error;
      this.parts.log.warn({ podCIDRs: wanted, error: message }, 'earlier subnets cannot be had again');
      return undefined;
    }
  }

  /** One within each cluster CIDR. */
  private isWhole(cidrs: readonly string[]): boolean {
    const { clusterCidrs } = this.config;
    return (
      cidrs.length === clusterCidrs.length &&
      clusterCidrs.every((cluster) => cidrs.some((cidr) => encloses(cluster, cidr)))
    );
  }

  private async lose(cidr: string, why: string): Promise<void> {
    this.parts.log.error({ podCIDR: cidr, reason: why }, 'subnet lost');
    const left = this.leases.owned.map((owned) => owned.cidr);
    await this.parts.lost([cidr], left, why);
    this.leaseAnew();
  }

  private leaseAnew(): void {
    this.retry?.cancel();
    if (this.stopped) return;
    this.retry = this.parts.clock.after(0, async () => {
      try {
        if (this.missing === undefined) return;
        await this.acquire();
        await this.parts.leased(this.cidrs);
        this.backoff.reset();
      } catch (error) {
        const { code, message } = asPodwireError(error);
        this.repeated.warn('lease', { code, error: message }, 'no new subnets yet');
        this.retry = this.parts.clock.after(this.backoff.next(), () => this.leaseAnew());
      }
    });
  }
}
