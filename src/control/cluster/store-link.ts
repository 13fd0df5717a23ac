/**
 * The way to the cluster store: which one it is, whether it answers, and since when. Its loss and its return are
 * logged once each.
 */
import type { StoreStatus } from '../api/types.js';
import { asPodwireError, type PodwireError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { StoreChoice } from '../options.js';
import type { Store, StoreHealth } from '../store/store.js';

export class StoreLink {
  private connected: boolean;
  private reason: string | undefined;
  private since = new Date();

  constructor(
    readonly store: Store,
    private readonly choice: StoreChoice,
    private readonly log: Logger,
  ) {
    this.connected = store.health.connected;
    this.reason = store.health.reason;
    store.onHealth((health) => this.changed(health));
  }

  get status(): StoreStatus {
    const { connected, since, reason } = this;
    return {
      kind: this.choice.kind,
      connected,
      since: since.toISOString(),
      reason: connected ? null : (reason ?? 'it does not answer'),
    };
  }

  /** For people, where the store is away. */
  get trouble(): string | undefined {
    if (this.connected) return undefined;
    return `the cluster store does not answer: ${this.reason ?? 'no reason given'}`;
  }

  private changed({ connected, reason }: StoreHealth): void {
    this.reason = reason;
    if (connected === this.connected) return;
    const seconds = Math.round((Date.now() - this.since.getTime()) / 1000);
    this.connected = connected;
    this.since = new Date();
    const fields = storeFields(this.choice);
    if (connected) this.log.info({ ...fields, seconds }, 'store answers again');
    else this.log.warn({ ...fields, reason }, 'store lost: forwarding goes on with what is known');
  }
}

/** For the log: which store, and where. */
export function storeFields(choice: StoreChoice): Record<string, unknown> {
  const where = {
    embedded: {},
    remote: 'url' in choice ? { url: choice.url } : {},
    etcd: 'urls' in choice ? { urls: choice.urls } : {},
  };
  return { store: choice.kind, ...where[choice.kind] };
}

/** Whether the store may answer later: trying again makes sense. */
export function isPassing(error: unknown): boolean {
  return asPodwireError(error).code === 'STORE_UNREACHABLE';
}

/** How often a node that is new tries to reach the store before it gives up, and how long it waits between (ms). */
const ATTEMPTS = 10;
const PAUSE = 1000;

export interface Patience {
  /** Attempts; the last failure is thrown. */
  readonly attempts: number;
  readonly failed: (error: PodwireError, attempt: number) => void;
}

/** A node that knows the cluster does not wait; a new one tries for a while, and shows it. */
export function retrying(isKnown: boolean, log: Logger): Patience {
  return {
    attempts: isKnown ? 1 : ATTEMPTS,
    failed: ({ code, message }, attempt) =>
      log.warn({ code, error: message, attempt, of: ATTEMPTS }, 'cannot join the cluster yet'),
  };
}

/** Does it, again and again where the store does not answer. */
export async function patiently<T>(action: () => Promise<T>, patience: Patience): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!isPassing(error) || attempt >= patience.attempts) throw error;
      patience.failed(asPodwireError(error), attempt);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}
