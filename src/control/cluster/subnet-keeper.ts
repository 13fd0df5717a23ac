/**
 * Housekeeping of the subnets of nodes that have gone. Every node does it; compare-and-swap makes one of them succeed.
 *
 * A held subnet whose node has had no `cluster/alive/NODE` for the grace time goes into quarantine, and one that
 * has been in quarantine for the quarantine time is deleted, so that others may have it. Both times are counted by the
 * observer's own monotonic clock and from its own observation: dates in records decide nothing. Absence counts only
 * while this node sees the store, so that the store's return finds nobody condemned.
 */
import type { Clock, Timer } from '../clock.js';
import { asPodwireError, type PodwireError } from '../errors.js';
import type { Mirror } from '../store/mirror.js';
import type { Entry, Store } from '../store/store.js';
import { ALIVE } from './session.js';
import type { SubnetClaims } from './subnet-claims.js';
import { readSubnet, type SubnetRecord } from './subnet-records.js';

export interface KeeperTimes {
  /** A node's absence that is nothing yet: 60,000. */
  readonly graceMs?: number;
  /** Before others may have a subnet: 600,000. */
  readonly quarantineMs?: number;
  /** Between two looks: 5,000. */
  readonly sweepMs?: number;
}

interface KeeperParts extends KeeperTimes {
  readonly store: Store;
  readonly subnets: Mirror;
  readonly alive: Mirror;
  readonly claims: SubnetClaims;
  /** Its own subnets a node sees to itself. */
  readonly uid: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly onError: (error: PodwireError) => void;
}

/** What the observer waits for. */
interface Waiting {
  /** Of the record it is about; another one begins anew. */
  readonly revision: number;
  readonly until: number;
}

export class SubnetKeeper {
  private readonly waiting = new Map<string, Waiting>();
  private readonly graceMs: number;
  private readonly quarantineMs: number;
  private readonly sweepMs: number;
  private timer: Timer | undefined;
  private stopped = false;

  constructor(private readonly parts: KeeperParts) {
    this.graceMs = parts.graceMs ?? 60_000;
    this.quarantineMs = parts.quarantineMs ?? 600_000;
    this.sweepMs = parts.sweepMs ?? 5000;
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private schedule(): void {
    if (!this.stopped) this.timer = this.parts.clock.after(this.sweepMs, () => void this.run());
  }

  private async run(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      this.parts.onError(asPodwireError(error));
    }
    this.schedule();
  }

  private async sweep(): Promise<void> {
    const { store, subnets, alive } = this.parts;
    if (!store.health.connected || !subnets.synced || !alive.synced) {
      this.waiting.clear();
      return;
    }
    for (const key of this.waiting.keys()) if (!subnets.get(key)) this.waiting.delete(key);
    for (const entry of [...subnets.all.values()]) await this.look(entry);
  }

  private async look(entry: Entry): Promise<void> {
    const record = readSubnet(entry.value);
    if (!record || record.uid === this.parts.uid) return;
    if (record.state === 'quarantined') {
      if (this.isDue(entry, this.quarantineMs)) await this.free(entry);
    } else if (record.manual || this.isAlive(record, this.parts.alive.get(ALIVE + record.node))) {
      this.waiting.delete(entry.key);
    } else if (this.isDue(entry, this.graceMs)) {
      // The mirror of what is alive may be behind.
      if (this.isAlive(record, await this.parts.store.get(ALIVE + record.node))) return;
      await this.parts.claims.quarantine(entry);
    }
  }

  /** Whether what is to be waited for with this record has lasted long enough. */
  private isDue({ key, revision }: Entry, ms: number): boolean {
    const { clock, random = Math.random } = this.parts;
    const waiting = this.waiting.get(key);
    if (waiting?.revision === revision) return clock.now() >= waiting.until;
    // Not all nodes in the same moment.
    const until = clock.now() + ms * (1 + random() / 10);
    this.waiting.set(key, { revision, until });
    return false;
  }

  private isAlive(record: SubnetRecord, alive: Entry | undefined): boolean {
    return (alive?.value as { uid?: unknown } | undefined)?.uid === record.uid;
  }

  private async free({ key, revision }: Entry): Promise<void> {
    try {
      await this.parts.store.delete(key, revision);
    } catch (error) {
      if (asPodwireError(error).code !== 'CONFLICT') throw error;
    }
  }
}
