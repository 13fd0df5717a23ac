/**
 * This node's presence in the cluster: `cluster/alive/NAME` on a lease that is renewed three times in its life.
 *
 * The lease counts as held for its time since the last renewal was sent, on this process's own monotonic time; then
 * `onLost` is called, whatever the store may say, and `onRegained` when store and key are found to be ours again.
 * The key names the daemon's uid, which the data directory keeps, and this run of it: a daemon that starts again takes
 * the key over from its earlier run, and one that finds a later run in its place has lost it and does not fight.
 */
import { randomUUID } from 'node:crypto';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { ABSENT, type Entry, type Lease, type Store } from '../store/store.js';

export interface SessionOptions {
  readonly store: Store;
  readonly name: string;
  /** Of this node's data directory. */
  readonly uid: string;
  /** 15,000. */
  readonly ttlMs?: number;
  /** How long a start waits for another daemon's key of this name to end; a third more than the time to live. */
  readonly patienceMs?: number;
  /** Others may take this node for dead from now on. */
  readonly onLost?: (error: PodwireError) => void;
  readonly onRegained?: () => void;
  /** `lease` is another one now: what this node has on it must be written again. */
  readonly onLease?: () => void;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

export const ALIVE = 'cluster/alive/';
const DEFAULT_TTL = 15_000;
/** Between looks at another daemon's key (ms). */
const LOOK_AGAIN = 500;

export class NodeSession {
  private readonly ttlMs: number;
  private readonly key: string;
  private readonly clock: Clock;
  private readonly run = randomUUID();
  private readonly backoff: Backoff;
  private granted: Lease | undefined;
  /** Lease that the key was last written on. */
  private writtenOn: string | undefined;
  private isHeld = false;
  /** Until then the lease lives, whatever happens. */
  private until = 0;
  private stopped = false;
  private next: Timer | undefined;
  private expiry: Timer | undefined;
  private working: Promise<void> = Promise.resolve();

  private constructor(private readonly options: SessionOptions) {
    this.ttlMs = options.ttlMs ?? DEFAULT_TTL;
    this.key = ALIVE + options.name;
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.backoff = new Backoff(this.ttlMs / 60, this.ttlMs / 10, options.random);
  }

  /** @throws PodwireError NODE_NAME_TAKEN, STORE_UNREACHABLE */
  static async start(options: SessionOptions): Promise<NodeSession> {
    const session = new NodeSession(options);
    await session.begin();
    return session;
  }

  /** Whether the lease can be relied on now. */
  get held(): boolean {
    return this.isHeld && this.clock.now() < this.until;
  }

  /** What the node's key is on, for what is to go with it; undefined: on none, as far as is known. */
  get lease(): Lease | undefined {
    return this.granted?.id === this.writtenOn ? this.granted : undefined;
  }

  /** @param leave the key is deleted now; else it ends with its lease, unless this node returns before. */
  async stop({ leave }: { leave: boolean }): Promise<void> {
    this.stopped = true;
    this.isHeld = false;
    this.next?.cancel();
    this.expiry?.cancel();
    await this.working;
    if (leave) await this.granted?.revoke();
  }

  private async begin(): Promise<void> {
    const { patienceMs = (this.ttlMs * 4) / 3 } = this.options;
    const deadline = this.clock.now() + patienceMs;
    for (;;) {
      try {
        await this.hold(true);
        break;
      } catch (error) {
        const { code } = asPodwireError(error);
        const passing = code === 'NODE_NAME_TAKEN' || code === 'CONFLICT' || code === 'LEASE_EXPIRED';
        if (!passing || this.clock.now() >= deadline) {
          await this.granted?.revoke().catch(() => {});
          throw error;
        }
      }
      await new Promise<void>((resolve) => this.clock.after(LOOK_AGAIN, resolve));
    }
    this.schedule(this.ttlMs / 3);
  }

  private schedule(ms: number): void {
    if (!this.stopped) this.next = this.clock.after(ms, () => this.work());
  }

  private work(): void {
    this.working = this.hold(false).then(
      () => {
        this.backoff.reset();
        this.schedule(this.ttlMs / 3);
      },
      (error) => {
        const known = asPodwireError(error);
        if (known.code === 'NODE_NAME_TAKEN') this.lose(known);
        this.schedule(this.backoff.next());
      },
    );
  }

  /** Renews the lease, or takes a new one, and sees to the key. */
  private async hold(takeOver: boolean): Promise<void> {
    const sent = this.clock.now();
    if (sent >= this.until) this.loseByTime();
    if (this.granted) await this.renew(this.granted);
    this.granted ??= await this.options.store.grant(this.ttlMs);
    this.expireAt(sent + this.granted.ttlMs);
    await this.write(this.granted, takeOver);
    if (this.isHeld || this.stopped || this.clock.now() >= this.until) return;
    this.isHeld = true;
    if (!takeOver) this.options.onRegained?.();
  }

  private async renew(lease: Lease): Promise<void> {
    try {
      await lease.renew();
    } catch (error) {
      this.forget(error);
    }
  }

  private async write(lease: Lease, takeOver: boolean): Promise<void> {
    const { store, uid } = this.options;
    const found = await store.get(this.key);
    const mine = found !== undefined && field(found, 'run') === this.run;
    if (mine && this.writtenOn === lease.id) return;
    if (found && !mine) this.refuseOther(found, takeOver);
    try {
      await store.put(this.key, { uid, run: this.run }, found?.revision ?? ABSENT, lease);
    } catch (error) {
      this.forget(error);
      throw error;
    }
    this.writtenOn = lease.id;
    this.options.onLease?.();
  }

  private refuseOther(found: Entry, takeOver: boolean): void {
    const { name, uid } = this.options;
    const same = field(found, 'uid') === uid;
    if (same && takeOver) return;
    throw new PodwireError(
      'NODE_NAME_TAKEN',
      same
        ? `a second daemon runs as node ${name} on a copy of this one's data directory: end one of them`
        : `another node named ${name} is alive in the cluster: give this one another --name, or end that one`,
    );
  }

  /** An expired lease; any other error is thrown. */
  private forget(error: unknown): void {
    const known = asPodwireError(error);
    if (known.code !== 'LEASE_EXPIRED') throw error;
    this.granted = undefined;
    this.lose(known);
  }

  private expireAt(time: number): void {
    this.until = time;
    this.expiry?.cancel();
    if (!this.stopped) this.expiry = this.clock.after(time - this.clock.now(), () => this.loseByTime());
  }

  private loseByTime(): void {
    const message = `not renewed for ${this.ttlMs / 1000} s: the store does not answer`;
    this.lose(new PodwireError('LEASE_EXPIRED', message));
  }

  private lose(error: PodwireError): void {
    if (!this.isHeld || this.stopped) return;
    this.isHeld = false;
    this.options.onLost?.(error);
  }
}

function field({ value }: Entry, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
