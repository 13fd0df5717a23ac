/**
 * The resources of one kind that the cluster store holds, below one prefix: known here as the mirror tells them, written by
 * compare-and-swap. A record that cannot be read is as if it were not there, and harms no other.
 *
 * What the store has lost with its data stays known, and is written again: a deletion counts where somebody deleted.
 * What a call has written is known here when it returns.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta } from '../api/types.js';
import { asPodwireError, PodwireError } from '../errors.js';
import type { PutResult } from '../networks.js';
import { checkVersion, stampMeta } from '../records.js';
import type { MirrorChange } from '../store/mirror.js';
import { ABSENT, type Json, type Store } from '../store/store.js';

export interface Known<T> {
  readonly value: T;
  /** Of its record in the cluster store; ABSENT where the store has lost it. */
  readonly revision: number;
}

export interface KindParts<T> {
  /** As in messages: `service`. */
  readonly kind: string;
  readonly prefix: string;
  readonly store: Store;
  /** What a stored value is. @throws PodwireError */
  readonly parse: (value: unknown) => T;
  /** Resolves when a change of this revision is known here. */
  readonly seen: (revision: number) => Promise<void>;
  readonly changed: (key: string, before: T | undefined, after: Known<T> | undefined) => void;
  /** For the copy in this node's own store; of whole keys. */
  readonly copied: (key: string, value: T | undefined, revision: number) => void;
  readonly unreadable: (key: string, problem: string) => void;
  /** What was known stays where somebody has put in its place what this version cannot read: what it forbids stays forbidden. */
  readonly keepsUnreadable?: boolean;
}

/** What comes before a resource is written, and after that failed. */
export interface Steps<T> {
  /** @param given stamped. @returns the resource as it is to be stored */
  readonly prepare: (given: T, existing: T | undefined) => Promise<T>;
  /** It was not written: not unless `unsure`. */
  readonly failed: (full: T, unsure: boolean) => Promise<void>;
}

/** Attempts to write where others write at the same time. */
const ATTEMPTS = 10;
const PAUSE_MS = 50;

export class StoredKind<T extends { metadata: ObjectMeta }> {
  private readonly known = new Map<string, Known<T>>();
  /** Revisions of records that cannot be read. */
  private readonly broken = new Map<string, number>();
  private readonly lost = new Set<string>();

  constructor(private readonly parts: KindParts<T>) {}

  /** As in messages. */
  get word(): string {
    return this.parts.kind;
  }

  /** `cluster/services/`. */
  get prefix(): string {
    return this.parts.prefix;
  }

  get(key: string): Known<T> | undefined {
    return this.known.get(key);
  }

  /** Sorted by key. */
  list(namespace?: string): T[] {
    const keys = [...this.known.keys()].filter(
      (key) => namespace === undefined || key.startsWith(`${namespace}/`),
    );
    return keys.sort().map((key) => this.view(key));
  }

  all(): Iterable<Known<T>> {
    return this.known.values();
  }

  keys(): Iterable<string> {
    return this.known.keys();
  }

  /** @throws PodwireError NOT_FOUND */
  view(key: string): T {
    const known = this.known.get(key);
    if (!known) {
      const { kind, prefix } = this.parts;
      const [, plural] = prefix.split('/');
      throw new PodwireError('NOT_FOUND', `there is no ${kind} ${key}; 'podwire get ${plural}' lists them`);
    }
    const { value, revision } = known;
    return { ...value, metadata: { ...value.metadata, resourceVersion: String(revision) } };
  }

  /** @throws PodwireError CONFLICT, STORE_UNREACHABLE, and what `steps` throw */
  async put(key: string, given: T, steps?: Steps<T>): Promise<PutResult> {
    const { store, prefix, kind, seen } = this.parts;
    for (let attempt = 1; ; attempt++) {
      const existing = this.known.get(key);
      const expected = existing?.revision ?? this.broken.get(key) ?? ABSENT;
      checkVersion(`${kind} ${key}`, given.metadata, existing?.revision ?? 0);
      const stamped = { ...given, metadata: stampMeta(given.metadata, existing?.value.metadata) };
      const full = steps ? await steps.prepare(stamped, existing?.value) : stamped;
      if (isDeepStrictEqual(full, existing?.value) && !this.broken.has(key)) return 'unchanged';
      try {
        await seen(await store.put(prefix + key, asJson(full), expected));
        return existing ? 'configured' : 'created';
      } catch (error) {
        const isConflict = asPodwireError(error).code === 'CONFLICT';
        await steps?.failed(full, !isConflict);
        if (!isConflict || attempt >= ATTEMPTS) throw error;
        await this.catchUp(key, expected);
      }
    }
  }

  /** @returns as it was. @throws PodwireError NOT_FOUND, CONFLICT, STORE_UNREACHABLE */
  async delete(key: string): Promise<T> {
    const { store, prefix, seen } = this.parts;
    for (let attempt = 1; ; attempt++) {
      const view = this.view(key);
      const revision = this.known.get(key)?.revision ?? ABSENT;
      try {
        const deleted = await store.delete(prefix + key, revision === ABSENT ? undefined : revision);
        if (deleted !== undefined) await seen(deleted);
        if (this.known.get(key)?.revision === revision) this.apply(key, undefined);
        return view;
      } catch (error) {
        if (asPodwireError(error).code !== 'CONFLICT' || attempt >= ATTEMPTS) throw error;
        await this.catchUp(key, revision);
      }
    }
  }

  take({ key, value, revision, reset }: MirrorChange): void {
    const name = key.slice(this.parts.prefix.length);
    this.broken.delete(name);
    const known = this.known.get(name);
    if (value === undefined && reset && known) {
      this.lost.add(name);
      this.known.set(name, { ...known, revision: ABSENT });
      return;
    }
    const after = value === undefined ? undefined : this.read(name, value, revision);
    const isKept = value !== undefined && !after && this.parts.keepsUnreadable;
    if (isKept && known) this.known.set(name, { ...known, revision });
    else this.apply(name, after);
  }

  /** What was known when this node last ran. */
  seed(key: string, value: Json, revision: number): void {
    const known = this.read(key, value, revision);
    if (known) this.apply(key, known);
  }

  /** Forgets what was seeded and has been deleted meanwhile. @param isStored by whole key */
  keep(isStored: (key: string) => boolean): void {
    for (const key of [...this.known.keys()]) {
      if (!this.lost.has(key) && !isStored(this.parts.prefix + key)) this.apply(key, undefined);
    }
  }

  /** Writes what the store has lost. @throws PodwireError STORE_UNREACHABLE */
  async writeLost(): Promise<void> {
    const { store, prefix } = this.parts;
    for (const key of [...this.lost]) {
      const known = this.known.get(key);
      try {
        if (known && this.lost.has(key)) await store.put(prefix + key, asJson(known.value), ABSENT);
        this.lost.delete(key);
      } catch (error) {
        // Another node has written it, or somebody has made a new one.
        if (asPodwireError(error).code !== 'CONFLICT') throw error;
      }
    }
  }

  private apply(key: string, known: Known<T> | undefined): void {
    const before = this.known.get(key)?.value;
    this.lost.delete(key);
    if (known) this.known.set(key, known);
    else this.known.delete(key);
    if (before || known) this.parts.changed(key, before, known);
    this.parts.copied(this.parts.prefix + key, known?.value, known?.revision ?? ABSENT);
  }

  private read(key: string, value: Json, revision: number): Known<T> | undefined {
    try {
      const resource = this.parts.parse(value);
      const { namespace, name } = resource.metadata;
      const named = namespace === undefined ? name : `${namespace}/${name}`;
      if (named !== key) throw new PodwireError('INVALID', `its record names ${named}`);
      return { value: resource, revision };
    } catch (error) {
      this.broken.set(key, revision);
      this.parts.unreadable(key, asPodwireError(error).message);
      return undefined;
    }
  }

  /** Somebody else was first: what he wrote is known here soon. */
  private async catchUp(key: string, expected: number): Promise<void> {
    const found = await this.parts.store.get(this.parts.prefix + key);
    if (found && found.revision !== expected) await this.parts.seen(found.revision);
    else await pause(PAUSE_MS);
  }
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
