/**
 * A prefix of the store, kept in memory: listed once, then followed by a watch.
 *
 * When the watch ends (its changes are compacted, or the store has lost its data) the prefix is listed again and
 * the difference is told as changes, so that a listener sees one unbroken series. While the store is away the
 * mirror keeps what it knows.
 *
 * A listing from a store that went back, or that is not the same one any more, is a loss of data: `onReset`
 * comes first, with all that was known, then the difference, each change with `reset: true`. A listener for whom a
 * deletion is to be trusted only when somebody deleted, keeps what it has, or writes it again.
 */
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import type { Change, Entry, Json, Listing, Store, Watch } from './store.js';

export interface MirrorChange {
  readonly key: string;
  /** undefined: it is no longer there. */
  readonly value: Json | undefined;
  /** What the mirror held before. */
  readonly previous: Json | undefined;
  /** Of the change; of the listing where it was found missing there. */
  readonly revision: number;
  /** Found after a loss of data: nobody need have written this. */
  readonly reset: boolean;
}

export interface MirrorOptions {
  /** Keys that begin with it; '' for all. Changes carry whole keys. */
  readonly prefix: string;
  /** Of these, which ones; default: all. */
  readonly only?: (key: string) => boolean;
  /** false: whoever listens keeps them, the mirror keeps null in their place. Default true. */
  readonly keepsValues?: boolean;
  readonly onChange?: (change: MirrorChange) => void;
  /** The store has lost its data. @param known what the mirror held, of which the changes that follow take away. */
  readonly onReset?: (known: ReadonlyMap<string, Entry>) => void;
  /** After each listing, its differences told: the mirror is as the store is. */
  readonly onSynced?: () => void;
  /** An attempt to list or watch has failed; another one follows. */
  readonly onError?: (error: PodwireError) => void;
  readonly clock?: Clock;
  readonly backoff?: Backoff;
}

export class Mirror {
  private entries = new Map<string, Entry>();
  private at = 0;
  /** Of the store that was listed last. */
  private identity: string | undefined;
  private listed = false;
  private following = false;
  private closed = false;
  private watch: Watch | undefined;
  private retry: Timer | undefined;
  private waiting: { resolve: () => void; reject: (error: PodwireError) => void } | undefined;
  private readonly clock: Clock;
  private readonly backoff: Backoff;

  constructor(
    private readonly store: Store,
    private readonly options: MirrorOptions,
  ) {
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.backoff = options.backoff ?? new Backoff();
  }

  /** Resolves when it has listed and watches, however long that takes. @throws PodwireError STOPPING after `close` */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      void this.sync();
    });
  }

  /** Everything known, by key. */
  get all(): ReadonlyMap<string, Entry> {
    return this.entries;
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  /** Up to here it knows every change. */
  get revision(): number {
    return this.at;
  }

  /** Whether a watch is on: false while it lists again, and while the store cannot be reached for that. */
  get synced(): boolean {
    return this.following;
  }

  close(): void {
    this.closed = true;
    this.following = false;
    this.watch?.close();
    this.retry?.cancel();
    this.waiting?.reject(new PodwireError('STOPPING', 'closed before the store could be listed'));
    this.waiting = undefined;
  }

  private async sync(): Promise<void> {
    try {
      await this.listAndWatch();
    } catch (error) {
      if (!this.closed) this.tryAgain(asPodwireError(error));
    }
  }

  private async listAndWatch(): Promise<void> {
    const listing = await this.store.list(this.options.prefix);
    if (this.closed) return;
    this.take(listing);
    const watch = await this.store.watch({
      prefix: this.options.prefix,
      after: listing.revision,
      onChange: (change) => this.changed(change),
      onEnd: (error) => this.ended(error),
    });
    if (this.closed) return watch.close();
    this.watch = watch;
    this.following = true;
    this.backoff.reset();
    this.options.onSynced?.();
    this.waiting?.resolve();
    this.waiting = undefined;
  }

  private tryAgain(error: PodwireError): void {
    this.options.onError?.(error);
    this.retry?.cancel();
    this.retry = this.clock.after(this.backoff.next(), () => void this.sync());
  }

  private ended(error: PodwireError): void {
    if (this.closed) return;
    this.following = false;
    this.watch = undefined;
    this.tryAgain(error);
  }

  private changed({ key, value, revision }: Change): void {
    this.at = revision;
    if (this.isWanted(key)) this.apply(key, value, revision, false);
  }

  private take(listing: Listing): void {
    const reset = this.listed && (listing.revision < this.at || listing.store !== this.identity);
    const entries = listing.entries.filter(({ key }) => this.isWanted(key));
    const found = new Set(entries.map(({ key }) => key));
    const gone = [...this.entries.keys()].filter((key) => !found.has(key));
    if (reset) this.options.onReset?.(new Map(this.entries));
    this.at = listing.revision;
    this.identity = listing.store;
    this.listed = true;
    for (const { key, value, revision } of entries) {
      if (reset || this.entries.get(key)?.revision !== revision) this.apply(key, value, revision, reset);
    }
    for (const key of gone) this.apply(key, undefined, listing.revision, reset);
  }

  private isWanted(key: string): boolean {
    return this.options.only?.(key) ?? true;
  }

  private apply(key: string, value: Json | undefined, revision: number, reset: boolean): void {
    const previous = this.entries.get(key)?.value;
    if (value === undefined) this.entries.delete(key);
    else this.entries.set(key, { key, value: this.options.keepsValues === false ? null : value, revision });
    this.options.onChange?.({ key, value, previous, revision, reset });
  }
}
