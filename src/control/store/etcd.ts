/**
 * The store in etcd 3.4 or later, for clusters that want more than one server for their state.
 *
 * Keys lie under a prefix, values are JSON, a revision is etcd's own, so it numbers changes outside the prefix too.
 * Every read is linearizable. What is not JSON under the prefix is not podwire's and is passed over.
 *
 * One key more, `IDENTITY`, holds a random value that names the data. etcd that has lost its data comes back with
 * the same cluster id and counts from 1 again; the missing or other identity, or a revision that has gone back,
 * tells. Then every watch ends with REVISION_TOO_OLD, and the store gets a new identity.
 *
 * podwire compacts nothing: give etcd `--auto-compaction-retention`.
 */
import { randomUUID } from 'node:crypto';
import type { Etcd3, ICompare, IEvent, IKeyValue, IRequestOp, ITxnResponse } from 'etcd3';
import { asPodwireError, invalid, PodwireError } from '../errors.js';
import { EtcdClient, type EtcdClientOptions, leaseExpired, tooOld } from './etcd-client.js';
import { EtcdHealth } from './etcd-health.js';
import { EtcdWatch } from './etcd-watch.js';
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
} from './store.js';

export interface EtcdStoreOptions extends EtcdClientOptions {
  /** Before every key; 'podwire/'. */
  readonly prefix?: string;
  /** Entries asked for at once; 5,000. */
  readonly page?: number;
}

/** Under the prefix; in no listing and no watch. */
const IDENTITY = '.identity';
const DEFAULT_PAGE = 5000;
/** Listings begun again because their pages were compacted meanwhile. */
const LIST_ATTEMPTS = 5;
const SHORTEST_LEASE = 1000;

type Call = Parameters<EtcdClient['call']>[1];

export class EtcdStore implements Store {
  private readonly watches = new Set<EtcdWatch>();
  private readonly state = new EtcdHealth(() => this.verify());
  private identity = '';
  /** The highest revision seen of this identity. */
  private newest = 0;

  private constructor(
    private readonly client: EtcdClient,
    private readonly prefix: string,
    private readonly page: number,
  ) {}

  /** @throws PodwireError INVALID, UNSUPPORTED, STORE_UNREACHABLE, STORE_FAILED */
  static async open(options: EtcdStoreOptions): Promise<EtcdStore> {
    const store = new EtcdStore(
      new EtcdClient(options),
      options.prefix ?? 'podwire/',
      options.page ?? DEFAULT_PAGE,
    );
    try {
      await store.identify();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  get health(): StoreHealth {
    return this.state.current;
  }

  onHealth(listener: (health: StoreHealth) => void): void {
    this.state.listen(listener);
  }

  async get(key: string): Promise<Entry | undefined> {
    const { header, kvs } = await this.call((etcd, options) =>
      etcd.kv.range({ key: this.keyOf(key) }, options),
    );
    this.saw(header.revision);
    return kvs.map((kv) => this.entryOf(kv)).find((entry) => entry !== undefined);
  }

  async list(prefix: string): Promise<Listing> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.listOnce(prefix);
      } catch (error) {
        if (asPodwireError(error).code !== 'REVISION_TOO_OLD' || attempt === LIST_ATTEMPTS) throw error;
      }
    }
  }

  async put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    const put = { key: this.keyOf(key), value: Buffer.from(JSON.stringify(value)), lease: lease?.id ?? '0' };
    const { header } = await this.write(key, expected, { request_put: put });
    return this.saw(header.revision);
  }

  async delete(key: string, expected?: number): Promise<number | undefined> {
    const remove = { request_delete_range: { key: this.keyOf(key) } };
    const { header, responses } = await this.write(key, expected, remove);
    const revision = this.saw(header.revision);
    return responses[0].response_delete_range.deleted === '0' ? undefined : revision;
  }

  async watch(options: WatchOptions): Promise<Watch> {
    const { identity } = this;
    const newest = await this.verify();
    if (identity !== this.identity || options.after > newest) throw tooOld(LOST);
    if (options.after < newest) await this.refuseCompacted(options.after + 1);
    const watch = new EtcdWatch(
      {
        call: (action) => this.call(action, false),
        verify: () => this.verify(),
        range: (prefix) => this.rangeOf(prefix),
        changeOf: (event) => this.changeOf(event),
        saw: (revision) => this.saw(revision),
        broke: () => this.state.suspect(),
        ended: (ended) => void this.watches.delete(ended),
      },
      options,
    );
    this.watches.add(watch);
    try {
      await watch.start();
    } catch (error) {
      watch.close();
      throw error;
    }
    return watch;
  }

  async grant(ttlMs: number): Promise<Lease> {
    if (!(ttlMs >= SHORTEST_LEASE && Number.isFinite(ttlMs))) {
      throw invalid('ttlMs', `${ttlMs}: must be at least ${SHORTEST_LEASE}`);
    }
    const request = { TTL: Math.ceil(ttlMs / 1000) };
    const { ID, TTL } = await this.call((etcd, options) => etcd.leaseClient.leaseGrant(request, options));
    return this.lease(ID, Number(TTL) * 1000);
  }

  lease(id: string, ttlMs: number): Lease {
    return { id, ttlMs, renew: () => this.renew(id), revoke: () => this.revoke(id) };
  }

  async close(): Promise<void> {
    this.state.close();
    for (const watch of this.watches) watch.close();
    this.client.close();
  }

  /** A call whose outcome says whether the store is there. */
  private async call<T>(
    action: (etcd: Etcd3, options: Parameters<Call>[1]) => Promise<T>,
    linger = this.health.connected,
  ): Promise<T> {
    try {
      const result = await this.client.call(linger, action);
      this.state.succeeded();
      return result;
    } catch (error) {
      this.state.failed(asPodwireError(error));
      throw error;
    }
  }

  private async write(
    key: string,
    expected: number | undefined,
    operation: IRequestOp,
  ): Promise<ITxnResponse> {
    const compare: ICompare[] =
      expected === undefined
        ? []
        : [{ key: this.keyOf(key), target: 'Mod', result: 'Equal', mod_revision: expected }];
    const failure = [{ request_range: { key: this.keyOf(key), keys_only: true } }];
    const answer = await this.call((etcd, options) =>
      etcd.kv.txn({ compare, success: [operation], failure }, options),
    );
    if (answer.succeeded) return answer;
    const actual = answer.responses[0].response_range.kvs[0]?.mod_revision ?? 'none';
    throw new PodwireError(
      'CONFLICT',
      `${key} has revision ${actual}, not ${expected || 'none'}: it has changed; read it again`,
    );
  }

  private async listOnce(prefix: string): Promise<Listing> {
    const { key: first, range_end } = this.rangeOf(prefix);
    const identity = { request_range: { key: this.keyOf(IDENTITY) } };
    const page = { request_range: { key: first, range_end, limit: this.page } };
    const floor = this.newest;
    const { header, responses } = await this.call((etcd, options) =>
      etcd.kv.txn({ success: [identity, page] }, options),
    );
    const revision = Number(header.revision);
    const [named, { response_range: found }] = responses;
    await this.check(named.response_range.kvs[0], revision, floor);
    const kvs = [...found.kvs];
    for (let { more } = found; more; ) {
      const key = Buffer.concat([kvs[kvs.length - 1].key, Buffer.of(0)]);
      const next = await this.call((etcd, options) =>
        etcd.kv.range({ key, range_end, limit: this.page, revision: header.revision }, options),
      );
      kvs.push(...next.kvs);
      more = next.more;
    }
    const entries = kvs.map((kv) => this.entryOf(kv)).filter((entry) => entry !== undefined);
    return { revision, entries, store: this.identity };
  }

  /** The store's revision now. @throws PodwireError REVISION_TOO_OLD where it has lost its data */
  private async verify(): Promise<number> {
    const floor = this.newest;
    const { header, kvs } = await this.call((etcd, options) =>
      etcd.kv.range({ key: this.keyOf(IDENTITY) }, options),
    );
    const revision = Number(header.revision);
    await this.check(kvs[0], revision, floor);
    return revision;
  }

  /** @param floor newest revision known when the question was sent: an answer from behind it is of other data. */
  private async check(found: IKeyValue | undefined, revision: number, floor: number): Promise<void> {
    if (found?.value.toString() === this.identity && revision >= floor) {
      this.saw(revision);
      return;
    }
    await this.lost(found);
    throw tooOld(LOST);
  }

  /** Names the data anew where nobody has done it yet, and ends every watch. */
  private async lost(found: IKeyValue | undefined): Promise<void> {
    const before = this.identity;
    await this.identify(found?.value.toString() === before ? found : undefined);
    if (this.identity === before) return;
    for (const watch of [...this.watches]) watch.end(tooOld(LOST));
  }

  /** @param replace the identity that the data must not keep: it has gone back to an older state. */
  private async identify(replace?: IKeyValue): Promise<void> {
    const key = this.keyOf(IDENTITY);
    const { header, succeeded, responses } = await this.call((etcd, options) => {
      const mine = Buffer.from(randomUUID());
      return etcd.kv.txn(
        {
          compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: replace?.mod_revision ?? '0' }],
          success: [{ request_put: { key, value: mine } }, { request_range: { key } }],
          failure: [{ request_range: { key } }],
        },
        options,
      );
    });
    const identity = responses[succeeded ? 1 : 0].response_range.kvs[0]?.value.toString() ?? '';
    if (identity === this.identity) return;
    this.identity = identity;
    this.newest = Number(header.revision);
  }

  private async refuseCompacted(revision: number): Promise<void> {
    await this.call((etcd, options) => etcd.kv.range({ key: this.keyOf(IDENTITY), revision }, options));
  }

  private async renew(id: string): Promise<void> {
    await this.call(async (etcd, options) => {
      const stream = await etcd.leaseClient.leaseKeepAlive(options);
      try {
        await new Promise<void>((resolve, reject) => {
          stream.on('data', ({ TTL }) => (Number(TTL) > 0 ? resolve() : reject(leaseExpired())));
          stream.on('error', reject);
          stream.on('end', () => reject(new PodwireError('STORE_UNREACHABLE', 'etcd has ended the stream')));
          stream.write({ ID: id });
        });
      } finally {
        stream.end();
      }
    });
  }

  private async revoke(id: string): Promise<void> {
    try {
      await this.call((etcd, options) => etcd.leaseClient.leaseRevoke({ ID: id }, options));
    } catch (error) {
      if (asPodwireError(error).code !== 'LEASE_EXPIRED') throw error;
    }
  }

  private saw(revision: number | string): number {
    const number = Number(revision);
    this.newest = Math.max(this.newest, number);
    return number;
  }

  private keyOf(key: string): Buffer {
    return Buffer.from(this.prefix + key);
  }

  /** From the prefix up to the first key behind it: its last octet, which is no 0xff in UTF-8, plus 1. */
  private rangeOf(prefix: string): { key: Buffer; range_end: Buffer } {
    const key = this.keyOf(prefix);
    const range_end = Buffer.from(key);
    range_end[range_end.length - 1]++;
    return { key, range_end };
  }

  private entryOf({ key, value, mod_revision }: IKeyValue): Entry | undefined {
    const name = key.toString().slice(this.prefix.length);
    const json = parse(value);
    if (name === IDENTITY || json === undefined) return undefined;
    return { key: name, value: json, revision: Number(mod_revision) };
  }

  private changeOf({ type, kv, prev_kv }: IEvent): Change | undefined {
    const key = kv.key.toString().slice(this.prefix.length);
    if (key === IDENTITY) return undefined;
    return {
      key,
      revision: Number(kv.mod_revision),
      value: type === 'Put' ? parse(kv.value) : undefined,
      previous: prev_kv ? parse(prev_kv.value) : undefined,
    };
  }
}

const LOST = 'the store has lost its data, or gone back to older data';

function parse(value: Buffer): Json | undefined {
  try {
    return JSON.parse(value.toString()) as Json;
  } catch {
    return undefined;
  }
}
