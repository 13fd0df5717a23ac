/**
 * The cluster store over the API, for the nodes that join this one (store/remote.ts is their side). Only the cluster's
 * keys are here; what else the store holds is this node's own.
 */
import { invalid, PodwireError } from '../errors.js';
import { checker } from '../model/schema.js';
import type { Store } from '../store/store.js';
import type { ApiRequest, Route } from './routes.js';
import { type LeaseRequest, STORE_SCHEMAS, type StorePut } from './store-schemas.js';
import { stateOf, watchStore } from './store-watch.js';
import { parseRevision, refusePlain } from './watch.js';

/** Keys that other nodes may read and write. */
const CLUSTER_KEYS = 'cluster/';
const LONGEST_KEY = 512;

export interface StoreRoutesOptions {
  /** undefined: this node keeps none. */
  readonly store: () => Store | undefined;
  /** Keys that may be reached begin with it; default `cluster/`. */
  readonly keys?: string;
}

const parsePut = checker<StorePut>(STORE_SCHEMAS.StorePut);
const parseLease = checker<LeaseRequest>(STORE_SCHEMAS.LeaseRequest);

export function storeRoutes(options: StoreRoutesOptions): Route[] {
  const access = new Access(options);
  return [...entryRoutes(access), ...leaseRoutes(access), watchRoute(access)];
}

/** What a request is allowed, and the store for it. */
class Access {
  private readonly keys: string;

  constructor(private readonly options: StoreRoutesOptions) {
    this.keys = options.keys ?? CLUSTER_KEYS;
  }

  /** @throws PodwireError NOT_FOUND */
  store(): Store {
    const store = this.options.store();
    if (store) return store;
    throw new PodwireError('NOT_FOUND', 'this node keeps no cluster store: ask the one that it joined');
  }

  /** The answer, with the store's name. */
  async answer(content: object): Promise<{ body: unknown }> {
    const { store } = await stateOf(this.store());
    return { body: { store, ...content } };
  }

  /** @throws PodwireError NOT_FOUND, INVALID */
  key({ params }: ApiRequest): string {
    const { key } = params;
    if (key.length > LONGEST_KEY) throw invalid('key', `is longer than ${LONGEST_KEY} characters`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (/[\x00-\x1f\x7f]/.test(key)) throw invalid('key', 'has control characters');
    return this.within(key);
  }

  prefix(query: URLSearchParams): string {
    return this.within(query.get('prefix') ?? this.keys);
  }

  private within(key: string): string {
    if (key.startsWith(this.keys)) return key;
    throw new PodwireError(
      'NOT_FOUND',
      `'${key}' is not among the keys ${this.keys}… that other nodes share`,
    );
  }
}

function entryRoutes(access: Access): Route[] {
  const path = '/v1/store/entries/:key';
  return [
    {
      method: 'GET',
      path: '/v1/store',
      summary: 'which store this is, and how far',
      answer: 'StoreInfo',
      handle: async () => ({ body: await stateOf(access.store()) }),
    },
    {
      method: 'GET',
      path: '/v1/store/entries',
      summary: 'entries of the cluster store, with its revision',
      query: { prefix: 'keys that begin with it' },
      answer: 'StoreListing',
      handle: async ({ query }) => access.answer(await access.store().list(access.prefix(query))),
    },
    {
      method: 'GET',
      path,
      summary: 'one entry; null where there is none',
      answer: 'StoreEntryAnswer',
      handle: async (request) =>
        access.answer({ entry: (await access.store().get(access.key(request))) ?? null }),
    },
    {
      method: 'PUT',
      path,
      summary: 'write an entry; with `expected`, only while it has that revision (0: while there is none)',
      body: 'StorePut',
      answer: 'StoreInfo',
      handle: async (request) => {
        const [store, key] = [access.store(), access.key(request)];
        const { value, expected, lease } = parsePut(request.body);
        const held = lease === undefined ? undefined : store.lease(lease, 0);
        return access.answer({ revision: await store.put(key, value, expected, held) });
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'delete an entry',
      query: { expected: 'only while it has this revision' },
      answer: 'StoreDeleted',
      handle: async (request) => {
        const expected = parseRevision(request.query.get('expected'), 'expected');
        const revision = await access.store().delete(access.key(request), expected);
        return access.answer({ revision: revision ?? null });
      },
    },
  ];
}

function leaseRoutes(access: Access): Route[] {
  const path = '/v1/store/leases/:id';
  return [
    {
      method: 'POST',
      path: '/v1/store/leases',
      summary: 'a lease: keys put with it are deleted when nobody renews it',
      body: 'LeaseRequest',
      answer: 'LeaseAnswer',
      handle: async ({ body }) => {
        const { id, ttlMs } = await access.store().grant(parseLease(body).ttlMs);
        return access.answer({ id, ttlMs });
      },
    },
    {
      method: 'POST',
      path: `${path}/renew`,
      summary: 'give a lease its whole time again',
      body: 'LeaseRequest',
      answer: 'LeaseAnswer',
      handle: async ({ params: { id }, body }) => {
        const { ttlMs } = parseLease(body);
        await access.store().lease(id, ttlMs).renew();
        return access.answer({ id, ttlMs });
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'end a lease now: its keys are deleted',
      answer: 'StoreInfo',
      handle: async ({ params: { id } }) => {
        await access.store().lease(id, 0).revoke();
        return { body: await stateOf(access.store()) };
      },
    },
  ];
}

function watchRoute(access: Access): Route {
  return {
    method: 'GET',
    path: '/v1/store/watch',
    summary: 'WebSocket: changes of the cluster store since a revision, in order, none missing',
    query: { prefix: 'keys that begin with it', revision: 'of a list; without it, changes from now on' },
    answer: 'StoreWatchMessage',
    stream: (query) => {
      const store = access.store();
      const range = { prefix: access.prefix(query), after: parseRevision(query.get('revision')) };
      return (channel) => watchStore(store, range, channel);
    },
    handle: refusePlain,
  };
}
