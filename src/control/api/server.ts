/**
 * The API's server: on the unix socket, and with --listen on TCP, where front.ts accepts and http-app.ts serves behind
 * a unix socket of its own. The same routes everywhere.
 *
 * Who may open the unix socket may do everything. What comes over TCP has shown its bearer token, its certificate, or
 * both.
 */
import { invalid } from '../errors.js';
import type { ListenAddress, ListenOptions, TlsFiles } from '../listen-options.js';
import type { Logger } from '../logger.js';
import { Front } from './front.js';
import { HttpApp } from './http-app.js';
import type { Route } from './routes.js';
import { INNER_SUFFIX, refuseLiveSocket } from './socket-file.js';
import { TokenFile } from './token-file.js';

export { refuseLiveSocket };

export interface TcpOptions {
  readonly address: ListenAddress;
  /** One of them at least: the bearer token, or TLS with a `ca` for client certificates. */
  readonly tokenFile?: string;
  readonly tls?: TlsFiles;
  /** Default 4096. */
  readonly mostConnections?: number;
}

/** What of the daemon's options is the server's on TCP. */
export function tcpOptions({ listen, tokenFile, tls }: ListenOptions): TcpOptions | undefined {
  return (
    listen && {
      address: listen,
      ...(tokenFile !== undefined && { tokenFile }),
      ...(tls !== undefined && { tls }),
    }
  );
}

export interface ApiServerOptions {
  /** Path of the unix socket. */
  readonly socket: string;
  readonly tcp?: TcpOptions | undefined;
  readonly routes: readonly Route[];
  readonly log: Logger;
}

export class ApiServer {
  private readonly local: HttpApp;
  private remote: HttpApp | undefined;
  private front: Front | undefined;

  private constructor(private readonly options: ApiServerOptions) {
    this.local = new HttpApp(options.routes, options.log);
  }

  /**
   * Call `refuseLiveSocket` first.
   * @throws PodwireError SOCKET_FAILED, LISTEN_FAILED, TLS_FAILED, INVALID; then nothing listens
   */
  static async listen(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    try {
      if (options.tcp) await server.listenTcp(options.tcp);
      server.local.listen(options.socket);
      return server;
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Of TCP; given where port 0 was asked for. */
  get port(): number | undefined {
    return this.front?.port;
  }

  /** Stops accepting; requests under way still get their answers. */
  stopAccepting(): void {
    this.front?.stopAccepting();
    this.local.stopAccepting();
    this.remote?.stopAccepting();
  }

  /** Closes every connection. */
  close(): void {
    this.stopAccepting();
    this.local.close();
    this.remote?.close();
    this.front?.close();
  }

  private async listenTcp({ address, tokenFile, tls, mostConnections }: TcpOptions): Promise<void> {
    const { socket, routes, log } = this.options;
    const token = tokenFile === undefined ? undefined : TokenFile.open(tokenFile, log);
    const served = tls?.cert === undefined ? undefined : tls;
    if (!token && served?.ca === undefined) {
      throw invalid(
        '--listen',
        'would let anybody in: there is neither a token nor a CA for client certificates',
      );
    }
    const inner = socket + INNER_SUFFIX;
    await refuseLiveSocket(inner);
    this.remote = new HttpApp(routes, log, token);
    this.remote.listen(inner);
    this.front = await Front.listen({ address, inner, log, tls: served, mostConnections });
    if (!served && !isLoopback(address.host)) {
      log.warn({ listen: address.host }, 'the API is on TCP without TLS: its token can be read on the way');
    }
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
