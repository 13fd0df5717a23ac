/**
 * One watch of a prefix in etcd, over as many streams as it takes.
 *
 * A stream that breaks is opened again from the change after the last one delivered. Before anything of a new stream
 * is delivered, the store is asked whether it still has the data that the watch began with: etcd would take a start
 * that lies in its future without a word, and wait.
 */
import type { Etcd3, IEvent, IWatchResponse } from 'etcd3';
import { Backoff } from '../backoff.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { tooOld } from './etcd-client.js';
import type { Change, Watch, WatchOptions } from './store.js';

/** What the watch needs of its store. */
export interface WatchHost {
  call<T>(action: (etcd: Etcd3) => Promise<T>): Promise<T>;
  /** Asks for the store's identity; ends every watch where it is another. */
  verify(): Promise<unknown>;
  range(prefix: string): { readonly key: Buffer; readonly range_end: Buffer };
  /** undefined: not a key of podwire's. */
  changeOf(event: IEvent): Change | undefined;
  saw(revision: number): void;
  /** A stream has broken. */
  broke(): void;
  ended(watch: EtcdWatch): void;
}

type Stream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

export class EtcdWatch implements Watch {
  private stream: Stream | undefined;
  /** What the stream has brought before it could be trusted; undefined: deliver at once. */
  private held: IWatchResponse[] | undefined;
  /** Every change up to here has been delivered. */
  private seen: number;
  /** Numbers the attempts to open a stream: an older one that succeeds late is of no use. */
  private attempt = 0;
  private opening = false;
  /** `start` has resolved, so that `onEnd` may be called. */
  private started = false;
  private over = false;
  private retry: NodeJS.Timeout | undefined;
  private readonly backoff = new Backoff(100, 2000);

  constructor(
    private readonly host: WatchHost,
    private readonly options: WatchOptions,
  ) {
    this.seen = options.after;
  }

  /** The first stream. Nothing is delivered before the caller has had its answer. @throws PodwireError */
  async start(): Promise<void> {
    await this.open();
    this.started = true;
    setImmediate(() => this.release());
  }

  close(): void {
    this.over = true;
    clearTimeout(this.retry);
    this.drop();
    this.host.ended(this);
  }

  end(error: PodwireError): void {
    if (this.over) return;
    this.close();
    if (this.started) this.options.onEnd?.(error);
  }

  private async open(): Promise<void> {
    const attempt = ++this.attempt;
    this.opening = true;
    try {
      const stream = await this.host.call((etcd) => this.connect(etcd, attempt));
      await this.host.verify();
      if (this.over || stream !== this.stream) throw broken('while it was begun');
    } catch (error) {
      this.drop();
      throw error;
    } finally {
      this.opening = false;
    }
  }

  /** Resolves when etcd has made the watch. */
  private async connect(etcd: Etcd3, attempt: number): Promise<Stream> {
    const stream = await etcd.watchClient.watch();
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        reject(error);
        this.broken(stream);
      };
      stream.on('error', failed);
      stream.on('end', () => failed(broken('by etcd')));
      if (this.over || attempt !== this.attempt) {
        cancel(stream);
        return reject(broken('by us'));
      }
      this.stream = stream;
      this.held = [];
      stream.on('data', (response) => {
        if (!response.created) this.received(stream, response);
        else if (response.canceled) failed(broken(`by etcd: ${response.cancel_reason}`));
        else resolve(stream);
      });
      const range = this.host.range(this.options.prefix);
      stream.write({ create_request: { ...range, start_revision: this.seen + 1, prev_kv: true } });
    });
  }

  private received(stream: Stream, response: IWatchResponse): void {
    if (stream !== this.stream) return;
    if (this.held) this.held.push(response);
    else this.deliver(response);
  }

  /** The stream can be trusted: delivers what it has brought, and from now on what it brings. */
  private release(): void {
    if (this.opening || this.over) return;
    const held = this.held ?? [];
    this.held = undefined;
    for (const response of held) if (!this.over) this.deliver(response);
  }

  private deliver(response: IWatchResponse): void {
    if (response.canceled) this.canceled(response);
    const { seen } = this;
    for (const event of response.events) {
      const revision = Number(event.kv.mod_revision);
      if (revision <= seen) continue;
      this.seen = revision;
      this.host.saw(revision);
      const change = this.host.changeOf(event);
      if (change) this.options.onChange(change);
      if (this.over) return;
    }
  }

  private canceled({ compact_revision }: IWatchResponse): void {
    this.drop();
    if (Number(compact_revision) > 0) this.end(tooOld(`changes since revision ${this.seen} are compacted`));
    else this.again();
  }

  private broken(stream: Stream): void {
    if (stream !== this.stream) return;
    this.stream = undefined;
    this.host.broke();
    // An attempt that is under way finds out by itself.
    if (!this.opening) this.again();
  }

  private again(): void {
    if (this.over) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.reopen(), this.backoff.next()).unref();
  }

  private async reopen(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      const known = asPodwireError(error);
      if (known.code === 'REVISION_TOO_OLD') this.end(known);
      else this.again();
      return;
    }
    this.backoff.reset();
    this.release();
  }

  private drop(): void {
    const { stream } = this;
    this.stream = undefined;
    if (stream) cancel(stream);
  }
}

/** Ended first: etcd3 takes the error of a stream that can still be written to for the failure of its host. */
function cancel(stream: Stream): void {
  stream.end();
  stream.cancel();
}

function broken(how: string): PodwireError {
  return new PodwireError('STORE_UNREACHABLE', `the watch was ended ${how}`);
}
