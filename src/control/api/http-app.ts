/**
 * One server of uWebSockets.js on one unix socket, with the routes of the API. The one file that imports it.
 *
 * The socket's mode is 0600 from the moment it exists. With a token, only /healthz and /readyz may be asked without it.
 *
 * Limits, of uWebSockets.js where nothing is said: headers of 4 KiB (else 431), 10 seconds for a request's headers, a
 * body of at least 16 KiB a second and at most 1 MiB (else 413), 10 seconds between requests of a connection.
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
import { rmSync } from 'node:fs';
import { asPodwireError, PodwireError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Watch } from '../store/store.js';
import { isPublic } from './public-paths.js';
import { answer, checkQuery, errorReply, parseBody, Router } from './router.js';
import type { Reply, Route, Stream } from './routes.js';
import { socketFailed } from './socket-file.js';
import type { TokenFile } from './token-file.js';

const MOST_BODY = 1024 * 1024;
/** Of a body that is too large: so much is read and thrown away, so that its sender comes to read the answer. */
const MOST_DISCARDED = 8 * MOST_BODY;
/** A watcher that reads more slowly than this many bytes pile up is disconnected (RFC 6455 code 1013). */
const MOST_BACKLOG = 16 * 1024 * 1024;
/** A peer of a WebSocket that says nothing for so long (s) is gone; it is pinged after half of it. */
const SILENCE = 8;
const TRY_AGAIN_LATER = 1013;
const GOING_AWAY = 1001;
/** A close frame's reason (RFC 6455 section 5.5). */
const LONGEST_REASON = 123;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: '200 OK',
  201: '201 Created',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  409: '409 Conflict',
  410: '410 Gone',
  413: '413 Content Too Large',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};

interface Streaming {
  readonly stream: Stream;
  watch?: Watch;
  closed: boolean;
}

export class HttpApp {
  private readonly app: TemplatedApp = App();
  private readonly router: Router;
  private readonly sockets = new Set<WebSocket<Streaming>>();
  private listening: us_listen_socket | undefined;
  private path: string | undefined;
  private stopping = false;

  /** @param token what requests must show; undefined: nothing. */
  constructor(
    routes: readonly Route[],
    private readonly log: Logger,
    private readonly token?: TokenFile,
  ) {
    this.router = new Router(routes);
    for (const route of routes) if (route.stream) this.serveStream(route);
    this.app.any('/*', (response, request) => this.request(response, request));
  }

  /** @throws PodwireError SOCKET_FAILED */
  listen(path: string): void {
    const before = process.umask(0o177);
    try {
      this.app.listen_unix((listening) => {
        if (listening) this.listening = listening;
      }, path);
    } finally {
      process.umask(before);
    }
    if (!this.listening) throw socketFailed(path, 'cannot listen there');
    this.path = path;
  }

  stopAccepting(): void {
    this.stopping = true;
    if (this.listening) us_listen_socket_close(this.listening);
    this.listening = undefined;
    if (this.path !== undefined) rmSync(this.path, { force: true });
    this.path = undefined;
    for (const socket of this.sockets) socket.end(GOING_AWAY, 'the daemon is stopping');
  }

  close(): void {
    this.app.close();
  }

  private request(response: HttpResponse, request: HttpRequest): void {
    const gone = new AbortController();
    response.onAborted(() => gone.abort());
    const finish = (reply: Reply): void => {
      if (!gone.signal.aborted) response.cork(() => write(response, reply));
    };
    try {
      this.admit(request);
      const { route, params } = this.router.find(request.getCaseSensitiveMethod(), request.getUrl());
      const query = new URLSearchParams(request.getQuery());
      refuseLength(request.getHeader('content-length'));
      readBody(response, (text) => {
        if (text instanceof Error) return finish(errorReply(text, this.log));
        void this.handle(route, params, query, text, gone.signal).then(finish);
      });
    } catch (error) {
      finish(errorReply(error, this.log));
    }
  }

  /** @throws PodwireError UNAUTHORIZED, STOPPING */
  private admit(request: HttpRequest): void {
    if (this.token && !isPublic(request.getUrl())) {
      const problem = this.token.refuses(request.getHeader('authorization'));
      if (problem !== undefined) throw new PodwireError('UNAUTHORIZED', problem);
    }
    if (this.stopping) throw new PodwireError('STOPPING', 'the daemon is stopping');
  }

  private async handle(
    route: Route,
    params: Record<string, string>,
    query: URLSearchParams,
    text: string,
    gone: AbortSignal,
  ): Promise<Reply> {
    try {
      return await answer(route, { params, query, body: parseBody(route, text), gone }, this.log);
    } catch (error) {
      return errorReply(error, this.log);
    }
  }

  private serveStream(route: Route): void {
    this.app.ws<Streaming>(route.path, {
      maxBackpressure: MOST_BACKLOG,
      closeOnBackpressureLimit: true,
      idleTimeout: SILENCE,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.upgrade(route, response, request, context),
      open: (socket) => void this.opened(socket),
      close: (socket) => this.closed(socket),
    });
  }

  private upgrade(
    route: Route,
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
  ): void {
    try {
      this.admit(request);
      const query = new URLSearchParams(request.getQuery());
      checkQuery(route, query);
      const stream = route.stream?.(query);
      if (!stream) throw new PodwireError('INTERNAL', `${route.path} has no stream`);
      const streaming: Streaming = { stream, closed: false };
      response.upgrade(
        streaming,
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    } catch (error) {
      write(response, errorReply(error, this.log));
    }
  }

  private async opened(socket: WebSocket<Streaming>): Promise<void> {
    const streaming = socket.getUserData();
    this.sockets.add(socket);
    const fail = (error: unknown): void => {
      const { code, message } = asPodwireError(error);
      if (!streaming.closed) socket.end(TRY_AGAIN_LATER, closeReason(`${code}: ${message}`));
    };
    try {
      const watch = await streaming.stream({
        send: (message) => {
          if (!streaming.closed) socket.send(JSON.stringify(message));
        },
        fail,
      });
      if (streaming.closed) watch.close();
      else streaming.watch = watch;
    } catch (error) {
      fail(error);
    }
  }

  private closed(socket: WebSocket<Streaming>): void {
    const streaming = socket.getUserData();
    streaming.closed = true;
    streaming.watch?.close();
    this.sockets.delete(socket);
  }
}

/** As much of the text as fits, in whole characters. */
function closeReason(text: string): string {
  let end = Math.min(text.length, LONGEST_REASON);
  while (Buffer.byteLength(text.slice(0, end)) > LONGEST_REASON) end--;
  return text.slice(0, end);
}

/** Before the first byte of the body. @throws PodwireError BODY_TOO_LARGE */
function refuseLength(header: string): void {
  if (Number(header) > MOST_DISCARDED) throw tooLarge();
}

/** Must be called at once: the data handler is only good in the request's own turn. */
function readBody(response: HttpResponse, done: (text: string | PodwireError) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let answered = false;
  response.onData((chunk, isLast) => {
    if (answered) return;
    size += chunk.byteLength;
    if (size > MOST_BODY) {
      chunks.length = 0;
      if (!isLast && size <= MOST_DISCARDED) return;
      answered = true;
      done(tooLarge());
      return;
    }
    chunks.push(Buffer.from(new Uint8Array(chunk))); // copied: the chunk is gone after this turn
    if (isLast) done(Buffer.concat(chunks).toString());
  });
}

function tooLarge(): PodwireError {
  return new PodwireError('BODY_TOO_LARGE', `the body is larger than ${MOST_BODY} bytes`);
}

/** Who may not be here, or sends too much, is not listened to any further. */
function write(response: HttpResponse, { status = 200, headers = {}, body }: Reply): void {
  response.writeStatus(STATUS_TEXT[status] ?? String(status));
  response.writeHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
  response.end(`${JSON.stringify(body)}\n`, status === 413 || status === 401);
}
