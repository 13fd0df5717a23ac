/**
 * The API's front on TCP: accepts connections, ends TLS, and passes the bytes to the server's inner unix socket and
 * back. The server there does HTTP; so there is one of it, and its limits hold for every way in.
 *
 * Why not uWebSockets.js itself: its TLS asks for client certificates but lets a client without one in, and it says
 * of a port that cannot be had only that it cannot (docs/decisions/0027). Certificates are read again when their
 * files change, for connections made from then on.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { PodwireError } from '../errors.js';
import type { ListenAddress, TlsFiles } from '../listen-options.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { credentialPaths, loadCredentials } from './credentials.js';
import { FileSignature } from './file-signature.js';

/** A node takes a few watches and requests at a time. */
const MOST_CONNECTIONS = 4096;
/** Each takes three descriptors: half of all that this process may have are left for pods and devices. */
const SHARE_OF_DESCRIPTORS = 1 / 6;
const HANDSHAKE_TIMEOUT = 10_000;
/** A client that takes nothing of what waits for it for so long (ms) is disconnected. */
const STUCK_AFTER = 20_000;
/** What a client still sends after its answer is thrown away for so long (ms), so that it can read the answer. */
const LINGER = 1000;

export interface FrontOptions {
  readonly address: ListenAddress;
  /** Plain TCP without it; with a `ca`, clients must have a certificate of it. */
  readonly tls?: TlsFiles | undefined;
  /** Path of the unix socket to pass bytes to. */
  readonly inner: string;
  readonly log: Logger;
  /** Default 4096, or what a low limit of open files allows. */
  readonly mostConnections?: number | undefined;
}

export class Front {
  private readonly open = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** Where it listens; the port is given where 0 was asked for. */
    readonly port: number,
  ) {}

  /** @throws PodwireError TLS_FAILED, LISTEN_FAILED */
  static async listen(options: FrontOptions): Promise<Front> {
    const server = options.tls
      ? tlsServer(options.tls, options.log)
      : createTcpServer({ allowHalfOpen: true });
    server.maxConnections = options.mostConnections ?? mostConnections();
    const port = await listening(server, options.address);
    const front = new Front(server, port);
    const log = new RepeatedLog(options.log);
    server.on('drop', () =>
      log.warn('drop', { most: server.maxConnections }, 'too many connections to the API'),
    );
    server.on('error', (error) => log.warn('error', { error: error.message }, 'the API cannot accept'));
    server.on(options.tls ? 'secureConnection' : 'connection', (outer: Socket) => {
      front.open.add(outer);
      outer.once('close', () => front.open.delete(outer));
      join(outer, connect({ path: options.inner, allowHalfOpen: true }));
    });
    return front;
  }

  stopAccepting(): void {
    this.server.close();
  }

  close(): void {
    this.server.close();
    for (const socket of this.open) socket.destroy();
  }
}

function mostConnections(): number {
  const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Math.min(
    MOST_CONNECTIONS,
    Math.floor(Number(limit ?? 0) * SHARE_OF_DESCRIPTORS) || MOST_CONNECTIONS,
  );
}

function tlsServer(files: TlsFiles, log: Logger): TlsServer {
  const server = createTlsServer({
    ...loadCredentials(files),
    requestCert: files.ca !== undefined,
    rejectUnauthorized: files.ca !== undefined,
    minVersion: 'TLSv1.2',
    allowHalfOpen: true,
  });
  const refusals = new RepeatedLog(log);
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    // A certificate that is not accepted comes as a reset connection, with the reason beside it.
    const reason = socket.authorizationError ?? (error.code === 'ECONNRESET' ? undefined : error.message);
    const kind = String(socket.authorizationError ?? error.code);
    socket.destroy();
    if (reason) refusals.warn(kind, { error: String(reason) }, 'TLS client refused');
  });
  limitHandshakes(server);
  renewWhenChanged(server, files, log);
  return server;
}

/** Node's own limit begins again with every byte that comes. */
function limitHandshakes(server: TlsServer): void {
  const timers = new Map<string, NodeJS.Timeout>();
  const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket) => {
    const peer = peerOf(socket);
    const timer = setTimeout(() => {
      if (timers.get(peer) === timer) timers.delete(peer);
      socket.destroy();
    }, HANDSHAKE_TIMEOUT).unref();
    timers.set(peer, timer);
  });
  server.on('secureConnection', (socket) => {
    const peer = peerOf(socket);
    clearTimeout(timers.get(peer));
    timers.delete(peer);
  });
}

/** The files are looked at when somebody connects. */
function renewWhenChanged(server: TlsServer, files: TlsFiles, log: Logger): void {
  const signature = new FileSignature(credentialPaths(files));
  server.on('connection', () => {
    if (!signature.hasChanged()) return;
    try {
      server.setSecureContext(loadCredentials(files));
      log.info('certificates read again');
    } catch (error) {
      log.warn({ error: String(error) }, 'certificates not read again: the last ones stay in force');
    }
  });
}

function listening(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message;
      reject(new PodwireError('LISTEN_FAILED', `--listen ${host} port ${port}: ${why}`, '--listen', error));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.removeAllListeners('error');
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** Passes bytes both ways, no faster than they are taken, until one side is done. */
function join(outer: Socket, inner: Socket): void {
  outer.setNoDelay(true);
  inner.pipe(outer, { end: false });
  outer.on('data', (chunk: Buffer) => {
    outer.pause();
    afterNextPoll(() => {
      if (inner.writable) inner.write(chunk, () => outer.resume());
      else outer.resume(); // thrown away: closing with unread input would reset the connection, answer and all
    });
  });
  outer.once('end', () => inner.end());
  outer.setTimeout(STUCK_AFTER, () => {
    if (outer.writableLength > 0) outer.destroy();
  });
  const finish = (): void => {
    outer.end(() => setTimeout(() => outer.destroy(), LINGER).unref());
  };
  inner.once('end', finish);
  inner.once('close', finish);
  inner.on('error', () => {}); // `close` follows
  outer.on('error', () => {});
  outer.once('close', () => inner.destroy());
}

/**
 * The server closes after some answers (a body too large, a wrong token) without reading on. A write to a closed
 * socket destroys it with what is still to be read from it; so the event loop looks for an answer before each write.
 */
function afterNextPoll(action: () => void): void {
  setImmediate(() => setImmediate(action));
}
