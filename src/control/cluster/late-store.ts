/**
 * A store that cannot be opened yet: every call fails with STORE_UNREACHABLE while it is tried again and again, and is
 * the opened store's from then on. So a node that knows the cluster starts while its store is away.
 */
import { Backoff } from '../backoff.js';
import { asPodwireError, PodwireError } from '../errors.js';
import type { Entry, Json, Lease, Listing, Store, StoreHealth, Watch, WatchOptions } from '../store/store.js';

export class LateStore implements Store {
  private inner: Store | undefined;
  private readonly listeners: ((health: StoreHealth) => void)[] = [];
  private readonly backoff = new Backoff(500, 5000);
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  /** @param reason why the first attempt failed. */
  constructor(
    private readonly open: () => Promise<Store>,
    private reason: string,
  ) {
    this.tryLater();
  }

  get health(): StoreHealth {
    return this.inner?.health ?? { connected: false, reason: this.reason };
  }

  onHealth(listener: (health: StoreHealth) => void): void {
    this.listeners.push(listener);
    this.inner?.onHealth(listener);
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.opened().get(key);
  }

  async list(prefix: string): Promise<Listing> {
    return this.opened().list(prefix);
  }

  async put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    return this.opened().put(key, value, expected, lease);
  }

  async delete(key: string, expected?: number): Promise<number | undefined> {
    return this.opened().delete(key, expected);
  }

  async watch(options: WatchOptions): Promise<Watch> {
    return this.opened().watch(options);
  }

  async grant(ttlMs: number): Promise<Lease> {
    return this.opened().grant(ttlMs);
  }

  lease(id: string, ttlMs: number): Lease {
    return this.opened().lease(id, ttlMs);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.inner?.close();
  }

  private opened(): Store {
    if (this.inner) return this.inner;
    throw new PodwireError('STORE_UNREACHABLE', this.reason);
  }

  private tryLater(): void {
    this.timer = setTimeout(() => void this.tryNow(), this.backoff.next()).unref();
  }

  private async tryNow(): Promise<void> {
    try {
      const store = await this.open();
      if (this.closed) return await store.close();
      this.inner = store;
      for (const listener of this.listeners) {
        store.onHealth(listener);
        listener(store.health);
      }
    } catch (error) {
      this.reason = asPodwireError(error).message;
      if (!this.closed) this.tryLater();
    }
  }
}
