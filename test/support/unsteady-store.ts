/**
 * A real store as one node sees it over a way that can break: while `away`, every call fails with
 * STORE_UNREACHABLE and changes are held back, to come in order afterwards. Another store may take its place, as when
 * the data are lost: watches end, as the seam says, and what is listed is the other's.
 */
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

export class UnsteadyStore implements Store {
  private current: Store;
  private broken = false;
  private readonly held: (() => void)[] = [];
  private readonly watches = new Map<WatchOptions, Watch>();
  private readonly listeners: ((health: StoreHealth) => void)[] = [];

  constructor(store: Store) {
    this.current = store;
  }

  get away(): boolean {
    return this.broken;
  }

  set away(away: boolean) {
    this.broken = away;
    for (const listener of this.listeners) listener(this.health);
    while (!this.broken && this.held.length > 0) this.held.shift()?.();
  }

  get health(): StoreHealth {
    return this.broken ? { connected: false, reason: 'cut off' } : { connected: true };
  }

  onHealth(listener: (health: StoreHealth) => void): void {
    this.listeners.push(listener);
  }

  /** From now on another store answers. */
  replace(store: Store): void {
    this.current = store;
    this.held.length = 0;
    for (const [options, watch] of [...this.watches]) {
      watch.close();
      this.watches.delete(options);
      const end = () => options.onEnd?.(new PodwireError('REVISION_TOO_OLD', 'the store has lost its data'));
      if (this.broken) this.held.push(end);
      else end();
    }
  }

  get(key: string): Promise<Entry | undefined> {
    return this.through(() => this.current.get(key));
  }

  list(prefix: string): Promise<Listing> {
    return this.through(() => this.current.list(prefix));
  }

  put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    return this.through(() => this.current.put(key, value, expected, lease));
  }

  delete(key: string, expected?: number): Promise<number | undefined> {
    return this.through(() => this.current.delete(key, expected));
  }

  watch(options: WatchOptions): Promise<Watch> {
    return this.through(async () => {
      const onChange = (change: Change): void => {
        if (this.broken) this.held.push(() => onChange(change));
        else if (this.watches.has(options)) options.onChange(change);
      };
      const watch = await this.current.watch({ ...options, onChange });
      this.watches.set(options, watch);
      const close = (): void => {
        this.watches.delete(options);
        watch.close();
      };
      return { close };
    });
  }

  grant(ttlMs: number): Promise<Lease> {
    return this.through(async () => {
      const { id } = await this.current.grant(ttlMs);
      return this.lease(id, ttlMs);
    });
  }

  lease(id: string, ttlMs: number): Lease {
    return {
      id,
      ttlMs,
      renew: () => this.through(() => this.current.lease(id, ttlMs).renew()),
      revoke: () => this.through(() => this.current.lease(id, ttlMs).revoke()),
    };
  }

  /** The store behind it belongs to the test. */
  async close(): Promise<void> {
    for (const watch of this.watches.values()) watch.close();
  }

  private async through<T>(call: () => Promise<T>): Promise<T> {
    if (this.broken) throw new PodwireError('STORE_UNREACHABLE', 'cut off');
    return call();
  }
}
