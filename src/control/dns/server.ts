/**
 * Listens for DNS over UDP and TCP on given addresses, each with sockets of its own, so that answers come from the
 * address that was asked. It is started in the network namespace of its caller.
 *
 * A datagram is answered with at most 1232 bytes, 512 without EDNS; what does not fit is cut between records and says so,
 * and the client comes again over TCP. Not cut to nothing: some resolvers without TCP are content with a part (musl
 * before 1.2.4). What one client may ask is bounded in clients.ts, what a connection may in tcp.ts.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { PodwireError } from '../errors.js';
import { Answerer, type AnswererOptions, type DnsCounters } from './answerer.js';
import type { NameServer } from './ask.js';
import { udpLimit } from './reply.js';
import type { Resolver } from './resolver.js';
import { TcpClient } from './tcp.js';

export const SERVER_LIMITS = { connections: 512, connectionsOfClient: 32 } as const;

/** Room for what comes while the process does something else (bytes). */
const RECEIVE_BUFFER = 1024 * 1024;

/** How often another port is chosen where TCP had it and UDP has not. */
const TRIES = 8;

interface Place extends NameServer {
  readonly udp: UdpSocket;
  readonly tcp: Server;
}

export class DnsServer {
  private places: readonly Place[] = [];
  private readonly connections = new Map<Socket, string>();
  private readonly answerer: Answerer;

  constructor(resolver: Resolver, options: AnswererOptions = {}) {
    this.answerer = new Answerer(resolver, options);
  }

  get counters(): Readonly<DnsCounters> {
    return this.answerer.counters;
  }

  /** With the ports that were chosen. */
  get listening(): NameServer[] {
    return this.places.map(({ address, port }) => ({ address, port }));
  }

  /**
   * Both sockets of an address, or neither. Port 0 chooses one.
   * @returns where it listens. @throws PodwireError DNS_LISTEN_FAILED.
   */
  async listen({ address, port }: NameServer, tries = TRIES): Promise<NameServer> {
    const tcp = await this.listenTcp(address, port).catch((error: unknown) => {
      throw listenFailed(address, port, error);
    });
    const bound = tcp.address();
    const chosen = bound !== null && typeof bound === 'object' ? bound.port : port;
    try {
      const udp = await this.listenUdp(address, chosen);
      this.places = [...this.places, { address, port: chosen, udp, tcp }];
      return { address, port: chosen };
    } catch (error) {
      tcp.close();
      if (port === 0 && tries > 1) return this.listen({ address, port }, tries - 1);
      throw listenFailed(address, chosen, error);
    }
  }

  /** Takes no more questions there; connections that it has go on. */
  async leave(given: readonly NameServer[]): Promise<void> {
    const isGiven = (place: NameServer) =>
      given.some(({ address, port }) => address === place.address && port === place.port);
    const left = this.places.filter(isGiven);
    this.places = this.places.filter((place) => !isGiven(place));
    for (const { tcp } of left) tcp.close();
    await Promise.all(left.map(({ udp }) => new Promise<void>((done) => udp.close(() => done()))));
  }

  async close(): Promise<void> {
    for (const socket of this.connections.keys()) socket.destroy();
    const closed = this.places
      .flatMap(({ udp, tcp }) => [udp, tcp])
      .map((one) => new Promise<void>((done) => one.close(() => done())));
    this.places = [];
    await Promise.all(closed);
  }

  private listenTcp(address: string, port: number): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: isIPv6(address) }, () => {
        server.off('error', reject);
        // A connection that was gone before it could be accepted ends nothing.
        server.on('error', () => undefined);
        resolve(server);
      });
    });
  }

  private listenUdp(address: string, port: number): Promise<UdpSocket> {
    const ipv6 = isIPv6(address);
    const socket = createSocket({
      type: ipv6 ? 'udp6' : 'udp4',
      ipv6Only: ipv6,
      recvBufferSize: RECEIVE_BUFFER,
    });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        // Of an answer that could not be sent the client hears nothing, and asks again.
        socket.on('error', () => undefined);
        socket.on('message', (message, client) =>
          this.answerDatagram(socket, message, client.address, client.port),
        );
        resolve(socket);
      });
    });
  }

  private answerDatagram(socket: UdpSocket, message: Buffer, address: string, port: number): void {
    // Nobody asks from port 0, and nothing can be sent there.
    if (port === 0) return;
    this.answerer.answer(message, address, udpLimit, (answer) => {
      if (answer && this.places.some(({ udp }) => udp === socket))
        socket.send(answer, port, address, () => undefined);
    });
  }

  private accept(socket: Socket): void {
    const address = socket.remoteAddress;
    const same = [...this.connections.values()].filter((other) => other === address).length;
    const full =
      this.connections.size >= SERVER_LIMITS.connections || same >= SERVER_LIMITS.connectionsOfClient;
    if (address === undefined || full) {
      socket.destroy();
      return;
    }
    this.connections.set(socket, address);
    socket.on('close', () => this.connections.delete(socket));
    new TcpClient(socket, address, this.answerer);
  }
}

function listenFailed(address: string, port: number, error: unknown): PodwireError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PodwireError('DNS_LISTEN_FAILED', `DNS on ${address} port ${port}: ${reason}`, undefined, error);
}
