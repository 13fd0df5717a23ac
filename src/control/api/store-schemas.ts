/** Schemas of the bodies and answers of store-routes.ts, and the same as types. */
import { closed, type Schema } from '../model/schema.js';
import type { Json } from '../store/store.js';

/** Every answer names the store (`Listing.store`), so that a client notices another one behind the same address. */
interface OfStore {
  readonly store: string;
}
export interface StoreInfo extends OfStore {
  readonly revision: number;
}
export interface StoreEntryAnswer extends OfStore {
  /** null: there is none. */
  readonly entry: StoreEntry | null;
}
export interface StoreEntry {
  readonly key: string;
  readonly value: Json;
  readonly revision: number;
}
export interface StoreListing extends StoreInfo {
  readonly entries: readonly StoreEntry[];
}
export interface StorePut {
  readonly value: Json;
  readonly expected?: number;
  /** Id of the lease that the key is to live on. */
  readonly lease?: string;
}
export interface StoreDeleted extends OfStore {
  /** Of the deletion; null: there was nothing. */
  readonly revision: number | null;
}
export interface LeaseRequest {
  readonly ttlMs: number;
}
export interface LeaseAnswer extends OfStore {
  readonly id: string;
  readonly ttlMs: number;
}
/** A change without `value` is a deletion, one without `previous` a key that was not there. */
export interface StoreChange {
  readonly key: string;
  readonly revision: number;
  readonly value?: Json;
  readonly previous?: Json;
}
/**
 * A message of /v1/store/watch. The first one names the store and how far it is; later ones bring every change up to
 * their revision, sometimes none.
 */
export interface StoreWatchMessage extends Partial<OfStore> {
  readonly revision: number;
  readonly changes: readonly StoreChange[];
}

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };
/** Any JSON value. */
const value: Schema = {};
const store: Schema = { type: 'string', description: 'which store answers' };
const ttlMs: Schema = { type: 'integer', minimum: 1000, maximum: 86_400_000 };
const entry = closed({ key: text, value, revision: count }, ['key', 'value', 'revision']);

export const STORE_SCHEMAS = {
  StoreInfo: closed({ store, revision: count }, ['store', 'revision']),
  StoreEntryAnswer: closed({ store, entry: { anyOf: [entry, { type: 'null' }] } }, ['store', 'entry']),
  StoreListing: closed({ store, revision: count, entries: { type: 'array', items: entry } }, [
    'store',
    'revision',
    'entries',
  ]),
  StorePut: closed({ value, expected: count, lease: text }, ['value']),
  StoreDeleted: closed({ store, revision: { type: ['integer', 'null'] } }, ['store', 'revision']),
  LeaseRequest: closed({ ttlMs }, ['ttlMs']),
  LeaseAnswer: closed({ store, id: text, ttlMs: { type: 'number' } }, ['store', 'id', 'ttlMs']),
  StoreWatchMessage: closed(
    {
      store,
      revision: count,
      changes: {
        type: 'array',
        items: closed({ key: text, revision: count, value, previous: value }, ['key', 'revision']),
      },
    },
    ['revision', 'changes'],
  ),
} satisfies Record<string, Schema>;
