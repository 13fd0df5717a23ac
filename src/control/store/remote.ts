/**
 * The store of another node, over its API (api/store-routes.ts): what a daemon with --join uses.
 *
 * Whether the other side answers is learnt from every call and watch. While it does not, and nothing else asks, a
 * small request is sent again and again, so that `health` tells when it is back.
 *
 * Every answer names the store. Where the name is another than before, the revisions known here mean nothing any more:
 * every watch ends, and its owner lists again.
 */
import type { Credentials } from '../api/credentials.js';
import type {
  LeaseAnswer,
  StoreDeleted,
  StoreEntryAnswer,
  StoreInfo,
  StoreListing,
} from '../api/store-schemas.js';
import { Backoff } from '../backoff.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { RemoteCaller } from './remote-caller.js';
import { RemoteWatch } from './remote-watch.js';
import type { Entry, Json, Lease, Listing, Store, StoreHealth, Watch, WatchOptions } from './store.js';

export interface RemoteStoreOptions {
  /** `https://10.0.0.1:7443`. */
  readonly url: string;
  /** Bearer token, or where to ask for it each time. */
  readonly token?: string | (() => string);
  /** For https: the CA of the server, and this client's certificate and key. */
  readonly tls?: Credentials;
  /** For a call (ms); default 5000. */
  readonly timeoutMs?: number;
}

const CALL_TIMEOUT = 5000;
const SHORTEST_PROBE = 100;
const LONGEST_PROBE = 5000;

export class RemoteStore implements Store {
  private readonly caller: RemoteCaller;
  private readonly watches = new Set<RemoteWatch>();
  private readonly listeners: ((health: StoreHealth) => void)[] = [];
  private readonly backoff = new Backoff(SHORTEST_PROBE, LONGEST_PROBE);
  private current: StoreHealth = { connected: false, reason: 'not asked yet' };
  /** Name of the store that answers. */
  private known: string | undefined;
  private probe: NodeJS.Timeout | undefined;
  private closed = false;

  private constructor(private readonly options: RemoteStoreOptions) {
    const { url, token, tls, timeoutMs = CALL_TIMEOUT } = options;
    const address = {
      url,
      ...(token !== undefined && { token: typeof token === 'string' ? () => token : token }),
      ...(tls && { tls }),
    };
    this.caller = new RemoteCaller(address, timeoutMs);
  }

  /**
   * Asks once. A store that cannot be reached now is opened all the same: `health` says so, and it is asked again.
   * @throws PodwireError UNAUTHORIZED, and what else the other side answers
   */
  static async open(options: RemoteStoreOptions): Promise<RemoteStore> {
    const store = new RemoteStore(options);
    try {
      await store.call<StoreInfo>('GET', '');
    } catch (error) {
      if (asPodwireError(error).code === 'STORE_UNREACHABLE') return store;
      await store.close();
      throw error;
    }
    return store;
  }

  async get(key: string): Promise<Entry | undefined> {
    const { entry } = await this.call<StoreEntryAnswer>('GET', entryPath(key));
    return entry ?? undefined;
  }

  async list(prefix: string): Promise<Listing> {
    const path = `/entries?${new URLSearchParams({ prefix })}`;
    const { revision, entries, store } = await this.call<StoreListing>('GET', path);
    return { revision, entries, store };
  }

  async put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    const body = { value, expected, lease: lease?.id };
    return (await this.call<StoreInfo>('PUT', entryPath(key), body)).revision;
  }

  async delete(key: string, expected?: number): Promise<number | undefined> {
    const query = expected === undefined ? '' : `?expected=${expected}`;
    const { revision } = await this.call<StoreDeleted>('DELETE', `${entryPath(key)}${query}`);
    return revision ?? undefined;
  }

  async watch(options: WatchOptions): Promise<Watch> {
    const watch: RemoteWatch = new RemoteWatch(
      {
        url: this.options.url,
        tls: this.options.tls,
        timeoutMs: this.options.timeoutMs ?? CALL_TIMEOUT,
        headers: () => this.caller.headers(),
        unreachable: (reason) => this.caller.unreachable(reason),
        greeted: (store) => this.answered(store),
        up: () => this.up(),
        down: (error) => this.down(error),
      },
      { ...options, onEnd: (error) => this.ended(watch, options, error) },
    );
    this.watches.add(watch);
    try {
      await watch.open();
    } catch (error) {
      this.watches.delete(watch);
      throw error;
    }
    return {
      close: () => {
        watch.close();
        this.watches.delete(watch);
      },
    };
  }

  async grant(ttlMs: number): Promise<Lease> {
    const answer = await this.call<LeaseAnswer>('POST', '/leases', { ttlMs });
    return this.lease(answer.id, answer.ttlMs);
  }

  lease(id: string, ttlMs: number): Lease {
    const path = `/leases/${encodeURIComponent(id)}`;
    return {
      id,
      ttlMs,
      renew: async () => void (await this.call<LeaseAnswer>('POST', `${path}/renew`, { ttlMs })),
      revoke: async () => void (await this.call<StoreInfo>('DELETE', path)),
    };
  }

  get health(): StoreHealth {
    return this.current;
  }

  onHealth(listener: (health: StoreHealth) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.probe);
    for (const watch of this.watches) watch.close();
    this.watches.clear();
    this.caller.close();
  }

  private async call<T extends { store: string }>(method: string, path: string, body?: unknown): Promise<T> {
    try {
      const answer = await this.caller.call<T>(method, `/v1/store${path}`, body);
      this.answered(answer.store);
      this.up();
      return answer;
    } catch (error) {
      const problem = asPodwireError(error);
      if (problem.code === 'STORE_UNREACHABLE' || problem.code === 'UNAUTHORIZED') this.down(problem);
      else this.up();
      throw problem;
    }
  }

  /** @returns whether it is the store that answered before. */
  private answered(store: string): boolean {
    const before = this.known;
    this.known = store;
    if (before === undefined || before === store) return true;
    const error = new PodwireError(
      'REVISION_TOO_OLD',
      `another store answers at ${this.options.url} than before: list again`,
    );
    for (const watch of [...this.watches]) watch.end(error);
    return false;
  }

  private ended(watch: RemoteWatch, { onEnd }: WatchOptions, error: PodwireError): void {
    this.watches.delete(watch);
    onEnd?.(error);
  }

  private up(): void {
    clearTimeout(this.probe);
    this.probe = undefined;
    this.backoff.reset();
    if (!this.current.connected) this.tell({ connected: true });
  }

  private down({ message }: PodwireError): void {
    if (this.closed) return;
    this.probe ??= setTimeout(() => {
      this.probe = undefined;
      this.call('GET', '').catch(() => {}); // `down` has been told, and asks again
    }, this.backoff.next());
    if (this.current.connected || this.current.reason !== message) {
      this.tell({ connected: false, reason: message });
    }
  }

  private tell(health: StoreHealth): void {
    this.current = health;
    for (const listener of this.listeners) listener(health);
  }
}

function entryPath(key: string): string {
  return `/entries/${encodeURIComponent(key)}`;
}
