/**
 * Whether etcd answers: told by the calls that are made anyway, and by a probe where there are none. While it does
 * not, the probe goes on with growing pauses.
 */
import { Backoff } from '../backoff.js';
import type { PodwireError } from '../errors.js';
import type { StoreHealth } from './store.js';

/** Without any call for so long (ms), a probe is sent. */
const QUIET = 5000;

export class EtcdHealth {
  current: StoreHealth = { connected: true };
  private readonly listeners: ((health: StoreHealth) => void)[] = [];
  private readonly backoff = new Backoff(200, 5000);
  private timer: NodeJS.Timeout | undefined;
  private probing = false;
  private closed = false;

  /** @param probe any call whose outcome is reported here. */
  constructor(private readonly probe: () => Promise<unknown>) {
    this.schedule(QUIET);
  }

  listen(listener: (health: StoreHealth) => void): void {
    this.listeners.push(listener);
  }

  succeeded(): void {
    this.backoff.reset();
    this.schedule(QUIET);
    if (!this.current.connected) this.change({ connected: true });
  }

  failed(error: PodwireError): void {
    if (error.code !== 'STORE_UNREACHABLE') return;
    if (this.current.connected) this.change({ connected: false, reason: error.message });
    this.schedule(this.backoff.next());
  }

  /** Something looks wrong: finds out now. */
  suspect(): void {
    this.schedule(0);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private change(health: StoreHealth): void {
    if (this.closed) return;
    this.current = health;
    for (const listener of this.listeners) listener(health);
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => void this.run(), ms).unref();
  }

  private async run(): Promise<void> {
    if (this.probing) return;
    this.probing = true;
    // Its outcome has been reported by the call itself, and that has set the timer again.
    await this.probe().catch(() => {});
    this.probing = false;
  }
}
