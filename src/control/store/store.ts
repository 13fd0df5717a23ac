/**
 * The Store seam: where cluster state lives. Every implementation passes test/conformance/store.ts.
 *
 * Keys are paths (`pods/default/web`), values JSON. One counter, the revision, numbers every change of the
 * whole store; an entry's revision is that of its last change. What a write returned has survived the
 * death of the process.
 *
 * A call that cannot reach the store fails with STORE_UNREACHABLE after a bounded time; whether a write took
 * place is then unknown, and compare-and-swap tells.
 */

import type { PodwireError } from '../errors.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Entry {
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}

export interface Change {
  readonly key: string;
  readonly revision: number;
  /** undefined: deleted. */
  readonly value: Json | undefined;
  /** What the key held before; undefined: nothing. */
  readonly previous: Json | undefined;
}

export interface Listing {
  /** Of the store when it was listed: a watch from here misses nothing. */
  readonly revision: number;
  /** Sorted by key. */
  readonly entries: readonly Entry[];
  /** Which data this is: another one says that the store has lost its own and begun anew. */
  readonly store?: string;
}

export interface Watch {
  /** No call of the listeners after this. */
  close(): void;
}

/**
 * Time to live of keys: they are deleted, each as a change, when it has not been renewed for so long. Time is the
 * store's own and monotonic: setting a clock does nothing to it. A store that was away gives every lease its
 * whole time again.
 */
export interface Lease {
  /** Opaque; valid in every session of the store: `Store.lease` makes a Lease of it again. */
  readonly id: string;
  readonly ttlMs: number;
  /** @throws PodwireError LEASE_EXPIRED, STORE_UNREACHABLE */
  renew(): Promise<void>;
  /** Ends it now; its keys are deleted. An expired one is no error. */
  revoke(): Promise<void>;
}

/** Whether the store answers at present. */
export interface StoreHealth {
  readonly connected: boolean;
  /** Why not, for people. */
  readonly reason?: string;
}

export interface WatchOptions {
  /** Keys that begin with it; '' for all. */
  readonly prefix: string;
  /** The first change reported is the first after this revision. */
  readonly after: number;
  /**
   * Each change once, in order of revision, none left out; never called before `watch` has resolved. Where one
   * revision has several changes (etcd ends a lease's keys in one), they come in one turn of the event loop.
   */
  readonly onChange: (change: Change) => void;
  /**
   * The watch has ended and cannot be resumed: REVISION_TOO_OLD (compacted, or the store has lost its data): list
   * again. A lost connection alone does not end a watch: the store takes it up again where it was.
   */
  readonly onEnd?: (error: PodwireError) => void;
}

/** As an expected revision: the key must not exist. */
export const ABSENT = 0;

export interface Store {
  get(key: string): Promise<Entry | undefined>;

  list(prefix: string): Promise<Listing>;

  /**
   * Writes, and returns the new revision. With `expected`, only where the entry still has that revision
   * (ABSENT: where there is none). With `lease`, the key lives no longer than that; without, an earlier lease
   * no longer holds it.
   * @throws PodwireError CONFLICT, LEASE_EXPIRED, STORE_UNREACHABLE
   */
  put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number>;

  /**
   * Deletes, and returns the revision of the deletion, or undefined where there was nothing.
   * @throws PodwireError CONFLICT
   */
  delete(key: string, expected?: number): Promise<number | undefined>;

  /** @throws PodwireError REVISION_TOO_OLD when changes after it are no longer kept */
  watch(options: WatchOptions): Promise<Watch>;

  /** @param ttlMs at least 1000; the store may round it up to whole seconds. */
  grant(ttlMs: number): Promise<Lease>;

  /** A lease granted before, perhaps in another session. Whether it still lives, `renew` tells. */
  lease(id: string, ttlMs: number): Lease;

  readonly health: StoreHealth;

  /** Called at each change of `health`. */
  onHealth(listener: (health: StoreHealth) => void): void;

  /** Ends every watch. Nothing else may be called afterwards. */
  close(): Promise<void>;
}
