/**
 * The embedded store: one LMDB file in the data directory, of a node of its own or of the daemon that others join.
 *
 * Databases: `entries` (key to value and revision), `changes` (revision to change, the last `history` of
 * them), `meta`, and those of embedded-leases.ts. A write is one LMDB transaction over all of them, on disk when
 * it returns, so that a daemon killed at any moment leaves the state before or after it, never between. The store
 * is in the process, so it always answers, and a watch never ends by itself.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, existsSync, openSync, readSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { type Clock, SYSTEM_CLOCK } from '../clock.js';
import { PodwireError } from '../errors.js';
import { EmbeddedLeases } from './embedded-leases.js';
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

/** Changes kept for watchers that come late. */
const DEFAULT_HISTORY = 10_000;
/**
 * Of what the file holds. A daemon of an earlier one must not have it: it would give the addresses of pods that it does
 * not know to others. 2: a pod has several interfaces (readPodRecord).
 */
const FORMAT = 2;
/** What is read, and from then on of FORMAT. */
const FIRST_FORMAT = 1;
/** MDB_MAGIC, in host byte order, behind the first page's header of 24 bytes (LMDB 1.0, struct MDB_meta). */
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
/** As much as a change of a few records takes. */
const PROBE = '-'.repeat(16 * 1024);
/** Past every key of a prefix: keys are printable. */
const LAST = '\u{10ffff}';

interface Stored {
  readonly value: Json;
  readonly revision: number;
}

interface Listener extends WatchOptions {
  /** Changes up to here have been reported. */
  seen: number;
}

export class EmbeddedStore implements Store {
  readonly health: StoreHealth = { connected: true };
  private readonly listeners = new Set<Listener>();
  private readonly leases: EmbeddedLeases;
  private delivery: NodeJS.Immediate | undefined;
  private failing = false;

  private constructor(
    private readonly root: RootDatabase,
    private readonly history: number,
    clock: Clock,
    private readonly entries = root.openDB<Stored, string>({ name: 'entries' }),
    private readonly changes = root.openDB<Change, number>({ name: 'changes' }),
    private readonly meta = root.openDB<number | string, string>({ name: 'meta' }),
  ) {
    this.leases = new EmbeddedLeases(root, clock, (id) => this.end(id));
  }

  /**
   * Opens or makes the file. One process at a time: the caller holds the data directory's lock.
   * @param options.history changes kept for watchers; default 10,000. @param options.clock for leases.
   * @throws PodwireError STORE_FAILED
   */
  static open(path: string, options: { history?: number; clock?: Clock } = {}): EmbeddedStore {
    checkFile(path);
    try {
      // Without overlapping sync a transaction is on disk when it returns.
      const root = open({ path, noSubdir: true, overlappingSync: false, encoding: 'json' });
      chmodSync(path, 0o600);
      const store = new EmbeddedStore(
        root,
        options.history ?? DEFAULT_HISTORY,
        options.clock ?? SYSTEM_CLOCK,
      );
      store.checkFormat(path);
      store.identify();
      return store;
    } catch (error) {
      if (error instanceof PodwireError) throw error;
      throw failed(`cannot open ${path}`, error);
    }
  }

  async get(key: string): Promise<Entry | undefined> {
    const stored = this.entries.get(key);
    return stored && { key, value: stored.value, revision: stored.revision };
  }

  async list(prefix: string): Promise<Listing> {
    const range = this.entries.getRange({ start: prefix, end: prefix + LAST });
    const entries = Array.from(range, ({ key, value: { value, revision } }) => ({ key, value, revision }));
    return { revision: this.revision(), entries, store: String(this.meta.get('identity')) };
  }

  async put(key: string, value: Json, expected?: number, lease?: Lease): Promise<number> {
    return this.write(() => {
      const before = this.expect(key, expected);
      if (lease) this.leases.require(lease.id);
      this.leases.attach(key, lease?.id);
      return this.record({ key, value, previous: before?.value });
    });
  }

  async delete(key: string, expected?: number): Promise<number | undefined> {
    return this.write(() => {
      const before = this.expect(key, expected);
      return before && this.remove(key, before);
    });
  }

  async watch(options: WatchOptions): Promise<Watch> {
    const oldest = this.revision() - this.changes.getCount();
    if (options.after < oldest) {
      throw new PodwireError(
        'REVISION_TOO_OLD',
        `changes since revision ${options.after} are no longer kept (from ${oldest} on they are): list again`,
      );
    }
    const listener = { ...options, seen: options.after };
    this.listeners.add(listener);
    this.deliverSoon();
    return { close: () => void this.listeners.delete(listener) };
  }

  async grant(ttlMs: number): Promise<Lease> {
    const id = this.write(() => this.leases.add(ttlMs));
    this.leases.start(id, ttlMs);
    return this.lease(id, ttlMs);
  }

  lease(id: string, ttlMs: number): Lease {
    return {
      id,
      ttlMs,
      renew: async () => this.leases.renew(id),
      revoke: async () => this.end(id),
    };
  }

  /**
   * Tries again to write where the last write failed, as on a full disk: else whoever waits for the store before he
   * writes would wait for ever. @throws PodwireError STORE_FAILED
   */
  checkWritable(): void {
    if (this.failing) this.write(() => this.meta.putSync('probe', PROBE));
  }

  /** Nothing to tell: see `health`. */
  onHealth(): void {}

  async close(): Promise<void> {
    this.leases.close();
    this.listeners.clear();
    await this.root.close();
  }

  private checkFormat(path: string): void {
    const format = Number(this.meta.get('format') ?? FORMAT);
    if (format < FIRST_FORMAT || format > FORMAT) {
      throw new PodwireError(
        'STORE_FAILED',
        `${path} is of format ${format}; this podwire reads ${FIRST_FORMAT} to ${FORMAT}: start the version that wrote it, or a later one`,
      );
    }
    if (this.meta.get('format') !== FORMAT) this.meta.putSync('format', FORMAT);
  }

  private identify(): void {
    if (this.meta.get('identity') === undefined) this.meta.putSync('identity', randomUUID());
  }

  private revision(): number {
    return Number(this.meta.get('revision') ?? 0);
  }

  private expect(key: string, expected: number | undefined): Stored | undefined {
    const stored = this.entries.get(key);
    const actual = stored?.revision ?? 0;
    if (expected !== undefined && expected !== actual) {
      throw new PodwireError(
        'CONFLICT',
        `${key} has revision ${actual || 'none'}, not ${expected || 'none'}: it has changed; read it again`,
      );
    }
    return stored;
  }

  private remove(key: string, before: Stored): number {
    this.leases.attach(key, undefined);
    return this.record({ key, value: undefined, previous: before.value });
  }

  private end(lease: string): void {
    this.write(() => {
      for (const key of this.leases.keysOf(lease)) {
        const before = this.entries.get(key);
        if (before) this.remove(key, before);
      }
      this.leases.remove(lease);
    });
    this.leases.stop(lease);
  }

  /** Inside a transaction. */
  private record(change: Omit<Change, 'revision'>): number {
    const revision = this.revision() + 1;
    if (change.value === undefined) this.entries.removeSync(change.key);
    else this.entries.putSync(change.key, { value: change.value, revision });
    this.changes.putSync(revision, { ...change, revision });
    this.changes.removeSync(revision - this.history);
    this.meta.putSync('revision', revision);
    return revision;
  }

  private write<T>(action: () => T): T {
    try {
      const result = this.root.transactionSync(action);
      this.failing = false;
      this.deliverSoon();
      return result;
    } catch (error) {
      if (error instanceof PodwireError) throw error;
      this.failing = true;
      throw failed('cannot write', error);
    }
  }

  /** Never from within the caller's own call, so that it has its answer before its listener has the change. */
  private deliverSoon(): void {
    this.delivery ??= setImmediate(() => {
      this.delivery = undefined;
      for (const listener of this.listeners) this.deliver(listener);
    });
  }

  private deliver(listener: Listener): void {
    for (const { value: change } of this.changes.getRange({ start: listener.seen + 1 })) {
      if (!this.listeners.has(listener)) return;
      listener.seen = change.revision;
      if (change.key.startsWith(listener.prefix)) listener.onChange(change);
    }
  }
}

/** lmdb crashes the process on a file that is not its own, so that is found out before. */
function checkFile(path: string): void {
  if (!existsSync(path)) return;
  const head = Buffer.alloc(MAGIC_AT + 4);
  const file = openSync(path, 'r');
  const length = readSync(file, head);
  closeSync(file);
  if (length === 0 || (length === head.length && head.readUInt32LE(MAGIC_AT) === MAGIC)) return;
  throw new PodwireError(
    'STORE_FAILED',
    `${path} is damaged or no store of podwire's; move it away to start without state, or restore a copy`,
  );
}

function failed(what: string, error: unknown): PodwireError {
  const detail = error instanceof Error ? error.message : String(error);
  return new PodwireError('STORE_FAILED', `${what}: ${detail}`, undefined, error);
}
