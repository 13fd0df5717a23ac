/**
 * The API's server: HTTP and WebSocket on the unix socket. The one file that imports uWebSockets.js.
 *
 * The socket's mode is 0600 from the moment it exists. A socket file that nobody answers on is a dead daemon's
 * and is replaced; one that somebody answers on, or a file of another kind, is left alone.
 */

import {
  App,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  type us_socket_context_t,
  type WebSocket,
} from 'uWebSockets.js';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { asPodwireError, PodwireError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Watch } from '../store/store.js';
import { answer, errorReply, parseBody, Router } from './router.js';
import type { Reply, Route } from './routes.js';
import type { WatchEvent } from './types.js';
import { parseRevision } from './watch.js';

const MOST_BODY = 1024 * 1024;
/** sockaddr_un.sun_path, with its final 0. */
const LONGEST_PATH = 107;
/** A watcher that reads more slowly than this many bytes pile up is disconnected (RFC 6455 code 1013). */
const MOST_BACKLOG = 16 * 1024 * 1024;
const TRY_AGAIN_LATER = 1013;
const GOING_AWAY = 1001;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: '200 OK',
  201: '201 Created',
  400: '400 Bad Request',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  409: '409 Conflict',
  410: '410 Gone',
  413: '413 Content Too Large',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};

export interface ApiServerOptions {
  readonly socket: string;
  readonly routes: readonly Route[];
  /** Begins a watch of what /v1/watch reports. */
  readonly watch: (after: number | undefined, send: (event: WatchEvent) => void) => Promise<Watch>;
  readonly log: Logger;
}

interface Watcher {
  readonly after: number | undefined;
  watch?: Watch;
  closed: boolean;
}

export class ApiServer {
  private readonly app: TemplatedApp = App();
  private readonly router: Router;
  private readonly watchers = new Set<WebSocket<Watcher>>();
  private listening: us_listen_socket | undefined;
  private stopping = false;

  private constructor(private readonly options: ApiServerOptions) {
    this.router = new Router(options.routes);
    this.app.ws<Watcher>('/v1/watch', {
      maxBackpressure: MOST_BACKLOG,
      closeOnBackpressureLimit: true,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.upgrade(response, request, context),
      open: (socket) => void this.opened(socket),
      close: (socket) => this.closed(socket),
    });
    this.app.any('/*', (response, request) => this.request(response, request));
  }

  /** Call `refuseLiveSocket` first. @throws PodwireError SOCKET_FAILED */
  static listen(options: ApiServerOptions): ApiServer {
    const server = new ApiServer(options);
    const before = process.umask(0o177);
    try {
      server.app.listen_unix((listening) => {
        if (listening) server.listening = listening;
      }, options.socket);
    } finally {
      process.umask(before);
    }
    if (!server.listening) throw socketFailed(options.socket, 'cannot listen there');
    return server;
  }

  /** Stops accepting; requests under way still get their answers. */
  stopAccepting(): void {
    this.stopping = true;
    if (this.listening) us_listen_socket_close(this.listening);
    this.listening = undefined;
    rmSync(this.options.socket, { force: true });
    for (const socket of this.watchers) socket.end(GOING_AWAY, 'the daemon is stopping');
  }

  /** Closes every connection. */
  close(): void {
    this.app.close();
  }

  private request(response: HttpResponse, request: HttpRequest): void {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    const finish = (reply: Reply): void => {
      if (!aborted) response.cork(() => write(response, reply));
    };
    const { log } = this.options;
    try {
      if (this.stopping) throw new PodwireError('STOPPING', 'the daemon is stopping');
      const { route, params } = this.router.find(request.getCaseSensitiveMethod(), request.getUrl());
      const query = new URLSearchParams(request.getQuery());
      readBody(response, (text) => {
        if (text instanceof Error) return finish(errorReply(text, log));
        void this.handle(route, params, query, text).then(finish);
      });
    } catch (error) {
      finish(errorReply(error, log));
    }
  }

  private async handle(
    route: Route,
    params: Record<string, string>,
    query: URLSearchParams,
    text: string,
  ): Promise<Reply> {
    const { log } = this.options;
    try {
      return await answer(route, { params, query, body: parseBody(route, text) }, log);
    } catch (error) {
      return errorReply(error, log);
    }
  }

  private upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    try {
      const query = new URLSearchParams(request.getQuery());
      const watcher: Watcher = { after: parseRevision(query.get('revision')), closed: false };
      response.upgrade(
        watcher,
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    } catch (error) {
      write(response, errorReply(error, this.options.log));
    }
  }

  /** An error is told as the reason of the close frame, where it has 123 bytes (RFC 6455 section 5.5). */
  private async opened(socket: WebSocket<Watcher>): Promise<void> {
    const watcher = socket.getUserData();
    this.watchers.add(socket);
    try {
      const watch = await this.options.watch(watcher.after, (event) => {
        if (!watcher.closed) socket.send(JSON.stringify(event));
      });
      if (watcher.closed) watch.close();
      else watcher.watch = watch;
    } catch (error) {
      const { code, message } = asPodwireError(error);
      if (!watcher.closed) socket.end(TRY_AGAIN_LATER, `${code}: ${message}`.slice(0, 120));
    }
  }

  private closed(socket: WebSocket<Watcher>): void {
    const watcher = socket.getUserData();
    watcher.closed = true;
    watcher.watch?.close();
    this.watchers.delete(socket);
  }
}

/** Must be called at once: the data handler is only good in the request's own turn. */
function readBody(response: HttpResponse, done: (text: string | PodwireError) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let refused = false;
  response.onData((chunk, isLast) => {
    if (refused) return;
    size += chunk.byteLength;
    if (size > MOST_BODY) {
      refused = true;
      done(new PodwireError('BODY_TOO_LARGE', `the body is larger than ${MOST_BODY} bytes`));
      return;
    }
    chunks.push(Buffer.from(new Uint8Array(chunk))); // copied: the chunk is gone after this turn
    if (isLast) done(Buffer.concat(chunks).toString());
  });
}

function write(response: HttpResponse, { status = 200, headers = {}, body }: Reply): void {
  response.writeStatus(STATUS_TEXT[status] ?? String(status));
  response.writeHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
  response.end(`${JSON.stringify(body)}\n`, status === 413);
}

/**
 * Makes the socket's directory, and makes sure that its path is free or a dead daemon's.
 * @throws PodwireError SOCKET_IN_USE, SOCKET_FAILED
 */
export async function refuseLiveSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw socketFailed(path, `its path is longer than the ${LONGEST_PATH} bytes that a socket may have`);
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw socketFailed(path, error instanceof Error ? error.message : String(error));
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw socketFailed(path, 'the path is taken by a file that is no socket');
  if (await isAnswered(path)) {
    throw new PodwireError(
      'SOCKET_IN_USE',
      `${path}: another process answers there; stop it, or give --socket another path`,
    );
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function socketFailed(path: string, why: string): PodwireError {
  return new PodwireError('SOCKET_FAILED', `API socket ${path}: ${why}`);
}
