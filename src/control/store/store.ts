/**
 * The Store seam: where cluster state lives. Every implementation passes test/conformance/store.ts.
 *
 * Keys are paths (`pods/default/web`), values JSON. One counter, the revision, numbers every change of the
 * whole store; an entry's revision is that of its last change. What a write returned has survived the
 * death of the process.
 */

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
}

export interface Watch {
  /** No call of the listener after this. */
  close(): void;
}

export interface WatchOptions {
  /** Keys that begin with it; '' for all. */
  readonly prefix: string;
  /** The first change reported is the first after this revision. */
  readonly after: number;
  /** Each change once, in order of revision, none left out; never called before `watch` has resolved. */
  readonly onChange: (change: Change) => void;
}

/** As an expected revision: the key must not exist. */
export const ABSENT = 0;

export interface Store {
  get(key: string): Promise<Entry | undefined>;

  list(prefix: string): Promise<Listing>;

  /**
   * Writes, and returns the new revision. With `expected`, only where the entry still has that revision
   * (ABSENT: where there is none).
   * @throws PodwireError CONFLICT
   */
  put(key: string, value: Json, expected?: number): Promise<number>;

  /**
   * Deletes, and returns the revision of the deletion, or undefined where there was nothing.
   * @throws PodwireError CONFLICT
   */
  delete(key: string, expected?: number): Promise<number | undefined>;

  /** @throws PodwireError REVISION_TOO_OLD when changes after it are no longer kept */
  watch(options: WatchOptions): Promise<Watch>;

  /** Ends every watch. Nothing else may be called afterwards. */
  close(): Promise<void>;
}
