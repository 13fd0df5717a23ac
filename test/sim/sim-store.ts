/**
 * A cluster store on virtual time: one server, and a Store for each node that reaches it late, or not at all while
 * a partition lasts. A call that cannot reach it fails after a while, and whether a write took place is then
 * unknown, as the seam says; a watch is taken up again where it was.
 */
import type { Clock, Timer } from '../../src/control/clock.js';
import { PodwireError } from '../../src/control/errors.js';
import type {
  Change,
  Entry,
  Json,
  Lease,
  Listing,
  Store,
  StoreHealth,
  Watch,
  WatchOptions,
} from '../../src/control/store/store.js';

/** How long a client waits for an answer, and between attempts to take up a watch (ms). */
const PATIENCE = 1000;
const RETRY = 100;

interface HeldLease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  timer: Timer;
}

export class SimStoreServer {
  revision = 0;
  readonly entries = new Map<string, Entry>();
  readonly changes: Change[] = [];
  private readonly leases = new Map<string, HeldLease>();
  private readonly leaseOf = new Map<string, string>();
  private readonly listeners = new Set<() => void>();
  private granted = 0;

  constructor(private readonly clock: Clock) {}

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  list(prefix: string): Listing {
    const entries = [...this.entries.values()].filter(({ key }) => key.startsWith(prefix));
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { revision: this.revision, entries, store: 'simulated' };
  }

  put(key: string, value: Json, expected: number | undefined, lease: string | undefined): number {
    this.expect(key, expected);
    const held = lease === undefined ? undefined : this.need(lease);
    this.detach(key);
    if (held && lease !== undefined) {
      held.keys.add(key);
      this.leaseOf.set(key, lease);
    }
    return this.write(key, value);
  }

  delete(key: string, expected: number | undefined): number | undefined {
    this.expect(key, expected);
    if (!this.entries.has(key)) return undefined;
    this.detach(key);
    return this.write(key, undefined);
  }

  grant(ttlMs: number): string {
    const id = `lease${++this.granted}`;
    this.leases.set(id, { ttlMs, keys: new Set(), timer: this.expiry(id, ttlMs) });
    return id;
  }

  renew(id: string): void {
    const held = this.need(id);
    held.timer.cancel();
    held.timer = this.expiry(id, held.ttlMs);
  }

  revoke(id: string): void {
    const held = this.leases.get(id);
    if (!held) return;
    held.timer.cancel();
    this.leases.delete(id);
    for (const key of [...held.keys].sort()) {
      this.leaseOf.delete(key);
      this.write(key, undefined);
    }
  }

  private expiry(id: string, ttlMs: number): Timer {
    return this.clock.after(ttlMs, () => this.revoke(id));
  }

  private need(id: string): HeldLease {
    const held = this.leases.get(id);
    if (!held) throw new PodwireError('LEASE_EXPIRED', `lease ${id} has ended`);
    return held;
  }

  private expect(key: string, expected: number | undefined): void {
    if (expected === undefined || (this.entries.get(key)?.revision ?? 0) === expected) return;
    throw new PodwireError('CONFLICT', `${key} has changed`);
  }

  private detach(key: string): void {
    const lease = this.leaseOf.get(key);
    if (lease === undefined) return;
    this.leases.get(lease)?.keys.delete(key);
    this.leaseOf.delete(key);
  }

  private write(key: string, value: Json | undefined): number {
    const previous = this.entries.get(key)?.value;
    const revision = ++this.revision;
    if (value === undefined) this.entries.delete(key);
    else this.entries.set(key, { key, value, revision });
    this.changes.push({ key, revision, value, previous });
    for (const listener of this.listeners) listener();
    return revision;
  }
}

export interface SimLink {
  /** How long a message takes, decided for each (ms). */
  readonly delay: () => number;
  readonly isCut: () => boolean;
}

export class SimStore implements Store {
  readonly health: StoreHealth = { connected: true };
  private readonly watches = new Set<Watch>();

  constructor(
    private readonly server: SimStoreServer,
    private readonly clock: Clock,
    private readonly link: SimLink,
  ) {}

  get(key: string): Promise<Entry | undefined> {
    return this.call(() => this.server.entries.get(key));
  }

  list(prefix: string): Promise<Listing> {
    return this.call(() => this.server.list(prefix));
  }

  put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    return this.call(() => this.server.put(key, value, expected, lease?.id));
  }

  delete(key: string, expected?: number): Promise<number | undefined> {
    return this.call(() => this.server.delete(key, expected));
  }

  async watch(options: WatchOptions): Promise<Watch> {
    await this.call(() => undefined);
    return this.follow(options);
  }

  async grant(ttlMs: number): Promise<Lease> {
    return this.lease(await this.call(() => this.server.grant(ttlMs)), ttlMs);
  }

  lease(id: string, ttlMs: number): Lease {
    return {
      id,
      ttlMs,
      renew: () => this.call(() => this.server.renew(id)),
      revoke: () => this.call(() => this.server.revoke(id)),
    };
  }

  onHealth(): void {}

  async close(): Promise<void> {
    for (const watch of this.watches) watch.close();
  }

  /** There, done, and back: each way may be cut, and then nothing is heard of it. */
  private call<T>(action: () => T): Promise<T> {
    const { clock, link } = this;
    return new Promise((resolve, reject) => {
      const tooLate = clock.after(PATIENCE, () =>
        reject(new PodwireError('STORE_UNREACHABLE', 'the store does not answer')),
      );
      clock.after(link.delay(), () => {
        if (link.isCut()) return;
        const answer = attempt(action);
        clock.after(link.delay(), () => {
          if (link.isCut()) return;
          tooLate.cancel();
          if ('value' in answer) resolve(answer.value);
          else reject(answer.error);
        });
      });
    });
  }

  private follow({ prefix, after, onChange }: WatchOptions): Watch {
    const { clock, link, server } = this;
    let at = after;
    let timer: Timer | undefined;
    const pump = (): void => {
      timer = undefined;
      if (link.isCut()) {
        timer = clock.after(RETRY, pump);
        return;
      }
      // Revisions are numbered from 1 without a gap, and nothing is compacted.
      const news = server.changes.slice(at);
      at = server.revision;
      for (const change of news) if (change.key.startsWith(prefix)) onChange(change);
    };
    const stir = (): void => {
      timer ??= clock.after(link.delay(), pump);
    };
    const ignore = server.onChange(stir);
    const watch = {
      close: () => {
        ignore();
        timer?.cancel();
        this.watches.delete(watch);
      },
    };
    this.watches.add(watch);
    // What has changed since the listing; not before `watch` has resolved.
    timer = clock.after(0, pump);
    return watch;
  }
}

function attempt<T>(action: () => T): { value: T } | { error: unknown } {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}
