/**
 * A watch of the store of another node, over WebSocket. Where the connection is lost it is made again, later each
 * time, and goes on after the last revision that was seen.
 */
import WebSocket, { type RawData } from 'ws';
import { connectionProblem } from '../api/connection-problem.js';
import type { Credentials } from '../api/credentials.js';
import type { StoreWatchMessage } from '../api/store-schemas.js';
import { Backoff } from '../backoff.js';
import { PodwireError } from '../errors.js';
import { isErrorCode } from './remote-caller.js';
import type { WatchOptions } from './store.js';

/** The server pings every 4 to 8 s; so long (ms) without anything of it means that it is gone. */
const SILENCE = 10_000;
const SHORTEST_BACKOFF = 100;
const LONGEST_BACKOFF = 5000;
const MOST_MESSAGE = 256 * 1024 * 1024;
const TRY_AGAIN_LATER = 1013;

export interface RemoteWatchContext {
  readonly url: string;
  readonly tls: Credentials | undefined;
  readonly timeoutMs: number;
  headers(): Record<string, string>;
  unreachable(reason: string): PodwireError;
  /** The first message names the store. @returns whether it is the one known */
  greeted(store: string): boolean;
  up(): void;
  down(error: PodwireError): void;
}

export class RemoteWatch {
  /** Everything up to here has been reported. */
  private seen: number;
  private socket: WebSocket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private watchdog: NodeJS.Timeout | undefined;
  private readonly backoff = new Backoff(SHORTEST_BACKOFF, LONGEST_BACKOFF);
  private ended = false;
  /** Why the watchdog ended the connection. */
  private silence: string | undefined;
  /** Until `open` has resolved. */
  private first: { resolve(): void; reject(error: PodwireError): void } | undefined;

  constructor(
    private readonly context: RemoteWatchContext,
    private readonly options: WatchOptions,
  ) {
    this.seen = options.after;
  }

  /** @throws PodwireError REVISION_TOO_OLD, STORE_UNREACHABLE, UNAUTHORIZED */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.first = { resolve, reject };
      this.connect();
    });
  }

  /** No call of the listeners after this. */
  close(): void {
    this.ended = true;
    clearTimeout(this.retry);
    clearTimeout(this.watchdog);
    this.socket?.terminate();
  }

  /** It cannot go on. */
  end(error: PodwireError): void {
    if (this.ended) return;
    this.close();
    if (this.first) this.first.reject(error);
    else this.options.onEnd?.(error);
  }

  private connect(): void {
    const { url, tls } = this.context;
    const query = new URLSearchParams({ prefix: this.options.prefix, revision: String(this.seen) });
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/store/watch?${query}`, {
      ...tls,
      headers: this.context.headers(),
      perMessageDeflate: false,
      // A message for each turn of the event loop, so that `open` has resolved before the first change is told.
      allowSynchronousEvents: false,
      maxPayload: MOST_MESSAGE,
    });
    this.socket = socket;
    let problem: PodwireError | undefined;
    socket.on('open', () => this.heard());
    socket.on('ping', () => this.heard());
    socket.on('message', (data) => this.message(socket, data));
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => {
      problem = this.refused(statusCode);
      socket.terminate();
    });
    socket.on('error', (error) => {
      problem ??= this.context.unreachable(connectionProblem(error, url).text);
    });
    socket.on('close', (code, reason) => this.closed(code, reason.toString(), problem));
    this.heard();
  }

  private refused(status: number): PodwireError {
    const { url } = this.context;
    if (status === 401)
      return new PodwireError('UNAUTHORIZED', `${url} does not accept the token of --token-file`);
    return this.context.unreachable(`${url} refuses to be watched, with status ${status}`);
  }

  private message(socket: WebSocket, data: RawData): void {
    if (this.ended || socket !== this.socket) return;
    this.heard();
    const { store, revision, changes } = JSON.parse(String(data)) as StoreWatchMessage;
    if (store !== undefined) this.greeted(store, revision);
    else this.report(revision, changes);
  }

  private greeted(store: string, revision: number): void {
    if (!this.context.greeted(store)) return; // ended, with every other watch
    if (revision < this.seen) {
      this.end(lostChanges(this.seen, revision));
      return;
    }
    this.backoff.reset();
    this.context.up();
    this.first?.resolve();
    this.first = undefined;
    this.heard();
  }

  private report(revision: number, changes: StoreWatchMessage['changes']): void {
    const after = this.seen;
    this.seen = Math.max(revision, after);
    for (const { key, revision, value, previous } of changes) {
      if (this.ended) return;
      if (revision > after) this.options.onChange({ key, revision, value, previous });
    }
  }

  private closed(code: number, reason: string, problem: PodwireError | undefined): void {
    if (this.ended) return;
    clearTimeout(this.watchdog);
    const told = code === TRY_AGAIN_LATER ? errorOf(reason) : undefined;
    if (told?.code === 'REVISION_TOO_OLD') {
      this.end(told);
      return;
    }
    const lost = this.context.unreachable(this.silence ?? `the connection to ${this.context.url} was lost`);
    const error = this.silence ? lost : (problem ?? told ?? lost);
    this.silence = undefined;
    this.context.down(error);
    if (this.first) this.end(error);
    else this.retry = setTimeout(() => this.connect(), this.backoff.next());
  }

  /** Something came from the server; if nothing does for too long, the connection is dead. */
  private heard(): void {
    clearTimeout(this.watchdog);
    if (this.ended) return;
    const limit = this.first ? this.context.timeoutMs : SILENCE;
    const { socket } = this;
    this.watchdog = setTimeout(() => {
      this.silence = `${this.context.url} was silent for ${limit} ms`;
      socket?.terminate();
    }, limit);
  }
}

function lostChanges(seen: number, revision: number): PodwireError {
  return new PodwireError(
    'REVISION_TOO_OLD',
    `the store is at revision ${revision}, and was at ${seen}: it has lost changes; list again`,
  );
}

/** `CODE: message` of a close frame. */
function errorOf(reason: string): PodwireError | undefined {
  const [, code, message] = /^([A-Z_]+): (.*)$/s.exec(reason) ?? [];
  return isErrorCode(code) ? new PodwireError(code, message) : undefined;
}
