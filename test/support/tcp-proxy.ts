/** A TCP proxy on the loopback that can cut, stall and delay what passes, to stand for a bad network. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  private readonly pairs = new Set<[Socket, Socket]>();
  private server: Server | undefined;
  private stalled = false;
  /** Milliseconds that each piece is held. */
  delay = 0;
  /** Connections so far. */
  accepted = 0;

  private constructor(
    private target: number,
    readonly port: number,
  ) {}

  static async to(target: number): Promise<TcpProxy> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    const proxy = new TcpProxy(target, port);
    await proxy.open();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sends connections made from now on elsewhere. */
  aim(target: number): void {
    this.target = target;
  }

  /** Resets every connection; new ones are accepted. */
  cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.resetAndDestroy();
    this.pairs.clear();
  }

  /** From now on nothing passes, and nothing is closed: a network that swallows. */
  stall(): void {
    this.stalled = true;
    for (const pair of this.pairs) for (const socket of pair) socket.pause();
  }

  resume(): void {
    this.stalled = false;
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  /** Refuses connections, as a machine does where nobody listens. */
  async close(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    this.cut();
    await closed;
  }

  async open(): Promise<void> {
    this.server = createServer((socket) => this.join(socket)).listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  private join(near: Socket): void {
    this.accepted++;
    const far = connect(this.target, '127.0.0.1');
    const pair: [Socket, Socket] = [near, far];
    this.pairs.add(pair);
    this.pass(near, far, pair);
    this.pass(far, near, pair);
    if (this.stalled) for (const socket of pair) socket.pause();
  }

  private pass(from: Socket, to: Socket, pair: [Socket, Socket]): void {
    from.on('data', (chunk) => {
      if (this.delay === 0) to.write(chunk);
      else setTimeout(() => to.writable && to.write(chunk), this.delay);
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.pairs.delete(pair);
      to.destroy();
    });
  }
}
