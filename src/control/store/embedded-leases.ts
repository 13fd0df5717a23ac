/**
 * Leases of the embedded store: which there are, how long they still live, and which keys each holds.
 *
 * Stored are the lease with its time to live, and for each key that has one its lease; the time that is left is
 * in memory only. So a store that is opened again gives every lease its whole time. The same holds after the
 * process has stood still (stopped, or the machine suspended): a timer that comes far too late means that nobody
 * could have renewed.
 */
import { randomUUID } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import type { Clock, Timer } from '../clock.js';
import { invalid, PodwireError } from '../errors.js';

/** Shortest time to live (ms). */
export const SHORTEST_LEASE = 1000;
/** A timer this late (ms) says that the process stood still. */
const STOOD_STILL = 1000;
/** Where the keys of an expired lease could not be deleted: again after this time (ms). */
const RETRY_AFTER = 1000;

interface Live {
  readonly ttlMs: number;
  deadline: number;
  timer: Timer;
}

export class EmbeddedLeases {
  private readonly live = new Map<string, Live>();
  private readonly stored: Database<number, string>;
  /** Key to lease. */
  private readonly holders: Database<string, string>;

  /** @param end deletes the keys of a lease that is over, and the lease; throws where it cannot. */
  constructor(
    root: RootDatabase,
    private readonly clock: Clock,
    private readonly end: (id: string) => void,
  ) {
    this.stored = root.openDB<number, string>({ name: 'leases' });
    this.holders = root.openDB<string, string>({ name: 'leased' });
    for (const { key, value } of this.stored.getRange()) this.start(key, value);
  }

  /** Inside a transaction; `start` follows it. @throws PodwireError INVALID */
  add(ttlMs: number): string {
    if (!(ttlMs >= SHORTEST_LEASE && Number.isFinite(ttlMs))) {
      throw invalid('ttlMs', `${ttlMs}: must be at least ${SHORTEST_LEASE}`);
    }
    const id = randomUUID();
    this.stored.putSync(id, ttlMs);
    return id;
  }

  /** Inside a transaction, with its keys; `stop` follows it. */
  remove(id: string): void {
    this.stored.removeSync(id);
  }

  start(id: string, ttlMs: number): void {
    const lease: Live = { ttlMs, deadline: 0, timer: { cancel: () => {} } };
    this.live.set(id, lease);
    this.arm(id, lease, ttlMs);
  }

  stop(id: string): void {
    this.live.get(id)?.timer.cancel();
    this.live.delete(id);
  }

  /** @throws PodwireError LEASE_EXPIRED */
  renew(id: string): void {
    const lease = this.require(id);
    lease.timer.cancel();
    this.arm(id, lease, lease.ttlMs);
  }

  /** @throws PodwireError LEASE_EXPIRED */
  require(id: string): Live {
    const lease = this.live.get(id);
    if (lease) return lease;
    throw new PodwireError('LEASE_EXPIRED', `lease ${id} has expired or was revoked: take a new one`);
  }

  /** Sorted. Looks at every key that has a lease: a few for each node. */
  keysOf(id: string): readonly string[] {
    return [...this.holders.getRange()].filter(({ value }) => value === id).map(({ key }) => key);
  }

  /** Inside a transaction: from now on the key has this lease, or none. */
  attach(key: string, id: string | undefined): void {
    if (id !== undefined) this.holders.putSync(key, id);
    else if (this.holders.get(key) !== undefined) this.holders.removeSync(key);
  }

  close(): void {
    for (const id of this.live.keys()) this.stop(id);
  }

  private arm(id: string, lease: Live, ms: number): void {
    lease.deadline = this.clock.now() + ms;
    lease.timer = this.clock.after(ms, () => this.due(id, lease));
  }

  private due(id: string, lease: Live): void {
    const late = this.clock.now() - lease.deadline;
    if (late > STOOD_STILL) this.arm(id, lease, lease.ttlMs);
    // A timer may come a little early; one for more than setTimeout's longest comes in parts.
    else if (late < -1) this.arm(id, lease, -late);
    else this.over(id, lease);
  }

  private over(id: string, lease: Live): void {
    try {
      this.end(id);
    } catch {
      this.arm(id, lease, RETRY_AFTER);
    }
  }
}
