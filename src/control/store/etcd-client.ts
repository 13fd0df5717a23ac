/**
 * Calls to etcd: each bounded in time, each failure one of podwire's.
 *
 * Of etcd3 only the plain calls are used. Its own retries, circuit breaker and watcher are not: a retried
 * compare-and-swap reports a conflict with itself, and the watcher resumes from the newest revision that it has heard
 * of rather than from the last change that it delivered. A call is tried again here only where it was never sent.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ClientClosedError, Etcd3, EtcdLeaseInvalidError, type IOptions, isRecoverableError } from 'etcd3';
import { invalid, PodwireError, unsupported } from '../errors.js';

export interface EtcdTls {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface EtcdClientOptions {
  /** `http://HOST:PORT`, or https for all; members of one cluster. */
  readonly urls: readonly string[];
  /** For https; without it the system's authorities are trusted. */
  readonly tls?: EtcdTls;
  /** No call takes longer (ms); 5,000. */
  readonly timeoutMs?: number;
}

/** What etcd3 takes with each call. */
export type CallOptions = Parameters<Etcd3['kv']['range']>[1];
type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

const DEFAULT_TIMEOUT = 5000;
const DEFAULT_PORT = 2379;
/** Between attempts of a call that was not sent (ms). */
const RETRY_AFTER = 100;
/** What gRPC says when there is no connection to send on, or another call's failure has just closed it. */
const NOT_SENT =
  /No connection established|Name resolution failed|Channel closed before call|channel has been (closed|shut down)/i;
/** gRPC statuses CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE. */
const TRANSIENT = new Set<unknown>([1, 2, 4, 13, 14]);
/** gRPC status OUT_OF_RANGE, in the server's words. */
const COMPACTED = /required revision has been compacted/;

const CHANNEL = {
  // A peer that has fallen silent is noticed on an idle watch too. etcd allows a ping each 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.max_receive_message_length': 256 << 20,
};

/** Runs what it is given, once. */
const ONCE = {
  execute: async (action: (context: object) => unknown) => action({}),
} as unknown as Policy;

export class EtcdClient {
  readonly timeoutMs: number;
  private readonly urls: readonly string[];
  private readonly etcd: Etcd3;
  private closed = false;

  /** @throws PodwireError INVALID, UNSUPPORTED */
  constructor(options: EtcdClientOptions) {
    this.urls = checkUrls(options.urls);
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT;
    const { tls } = options;
    if (tls && this.urls[0].startsWith('http:'))
      throw invalid('store', 'certificates are given, but the URL is http');
    this.etcd = new Etcd3({
      hosts: [...this.urls],
      grpcOptions: CHANNEL,
      faultHandling: { host: () => ONCE, global: ONCE },
      ...(tls && { credentials: { rootCertificate: tls.ca, privateKey: tls.key, certChain: tls.cert } }),
    });
  }

  /**
   * @param linger try for the whole time where nothing was sent; else each member once.
   * @throws PodwireError STORE_UNREACHABLE, STORE_FAILED, LEASE_EXPIRED, REVISION_TOO_OLD
   */
  async call<T>(linger: boolean, action: (etcd: Etcd3, options: CallOptions) => Promise<T>): Promise<T> {
    const end = performance.now() + this.timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const left = Math.max(1, end - performance.now());
      try {
        return await this.bounded(left, action(this.etcd, { deadline: Date.now() + left }));
      } catch (error) {
        const again = attempt < this.urls.length || (linger && performance.now() + RETRY_AFTER < end);
        if (this.closed || !again || !NOT_SENT.test(textOf(error))) throw this.translate(error);
        await delay(attempt < this.urls.length ? 1 : RETRY_AFTER * (0.5 + Math.random()));
      }
    }
  }

  close(): void {
    this.closed = true;
    this.etcd.close();
  }

  /** gRPC's deadline counts from the moment of sending; this one counts always. */
  private async bounded<T>(ms: number, call: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.unreachable(`no answer within ${Math.round(ms)} ms`)), ms);
    });
    try {
      return await Promise.race([call, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private translate(error: unknown): PodwireError {
    if (error instanceof PodwireError) return error;
    const text = textOf(error);
    if (error instanceof EtcdLeaseInvalidError) return leaseExpired(error);
    if (COMPACTED.test(text)) return tooOld('the changes are compacted', error);
    const lost = error instanceof ClientClosedError || NOT_SENT.test(text) || isTransient(error);
    return lost
      ? this.unreachable(text, error)
      : new PodwireError('STORE_FAILED', `etcd: ${text}`, undefined, error);
  }

  private unreachable(why: string, cause?: unknown): PodwireError {
    const message = `etcd at ${this.urls.join(', ')} does not answer: ${why}`;
    return new PodwireError('STORE_UNREACHABLE', message, undefined, cause);
  }
}

export function leaseExpired(cause?: unknown): PodwireError {
  const message = 'the lease has expired or was revoked: take a new one';
  return new PodwireError('LEASE_EXPIRED', message, undefined, cause);
}

export function tooOld(why: string, cause?: unknown): PodwireError {
  return new PodwireError('REVISION_TOO_OLD', `${why}: list again`, undefined, cause);
}

/** Errors of calls etcd3 has sorted out; those of streams are gRPC's own, with the status as their code. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return isRecoverableError(error) || ('code' in error && TRANSIENT.has(error.code));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function checkUrls(urls: readonly string[]): string[] {
  if (urls.length === 0) throw invalid('store', 'etcd= wants at least one URL');
  const checked = urls.map(checkUrl);
  if (new Set(checked.map((url) => url.split(':')[0])).size > 1) {
    throw invalid('store', 'http and https cannot be mixed');
  }
  return checked;
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid('store', `${text}: etcd's URL is http://HOST:PORT or https://HOST:PORT`);
  }
  if (url.username || url.password)
    throw unsupported('store', 'etcd with user and password; use client certificates');
  if (url.pathname !== '/' || url.search || url.hash)
    throw invalid('store', `${text}: nothing may follow the port`);
  // URL leaves out the port that is the scheme's own, and that is then what was meant.
  const given = /:(\d+)\/?$/.exec(text)?.[1];
  return `${url.protocol}//${url.hostname}:${given ?? DEFAULT_PORT}`;
}
