/**
 * The control side's handle on a data plane worker: starts it, gives it ports and snapshots, asks it.
 *
 * Requests are posted and announced through an eventfd, since the worker's event loop never runs; answers come
 * back as messages. Counters are read directly from shared memory.
 */
import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { closeEventfd, createEventfd, signalEventfd } from '../../linux/eventfd.js';
import { Counters } from '../counters.js';
import { PeerStates } from '../peer-states.js';
import type { TablesData } from '../tables.js';
import { clockStart } from './clock.js';
import type { TunnelPort } from './driver.js';
import type {
  Answer,
  Event,
  IoChoice,
  LearnedAnswer,
  Request,
  UsageAnswer,
  WorkerStart,
} from './messages.js';

/** Packets that may exist at once: 16 k slots of 64 KiB address space; only touched pages are memory. */
const DEFAULT_SLOTS = 16_384;

export interface DataplaneOptions {
  readonly io: IoChoice;
  /** Slots of the packet pool. */
  readonly slots?: number;
  /** Keys the hash tables; random unless given. */
  readonly seed?: number;
}

export interface TunnelSpecification {
  /** Number of its port. */
  readonly id: number;
  readonly name: string;
  /** What `openTunnelSockets` has opened. */
  readonly sockets: Omit<TunnelPort, 'port' | 'name'>;
}

/** An error of the worker, with its stable code. */
export class DataplaneError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'DataplaneError';
  }
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Dataplane {
  io: 'uring' | 'poll' = 'poll';
  ioReason = '';
  counters = new Counters();
  /** What probes have found out about each peer; a number is that of the last snapshot whose `swap` has resolved. */
  peerStates = new PeerStates();
  /** The interface of a port has vanished under it. */
  onPortDown: (id: number, reason: string) => void = () => {};
  /**
   * A peer has begun or ceased to be up, or one that was never up does not answer. What is told before `swap`
   * resolves is of the snapshot before.
   */
  onPeer: (id: number, isUp: boolean) => void = () => {};
  /** A datagram to this underlay address was too big for its path; at most once a second for each address. */
  onTooBig: (address: string) => void = () => {};
  /** The worker has ended: on request, or with an error. */
  onExit: (error?: Error) => void = () => {};
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private failure: Error | undefined;

  private constructor(
    private readonly worker: Worker,
    private readonly wakeFd: number,
  ) {
    worker.on('error', (error) => {
      this.failure = error;
    });
    worker.on('exit', () => this.ended());
  }

  /** Rejects with DataplaneError IO_URING_UNAVAILABLE where io_uring was asked for and cannot be had. */
  static async start(options: DataplaneOptions): Promise<Dataplane> {
    const wakeFd = createEventfd();
    const { io, slots = DEFAULT_SLOTS, seed = randomInt(2 ** 31) } = options;
    const start: WorkerStart = { io, slots, seed, wakeFd };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
    const dataplane = new Dataplane(worker, wakeFd);
    await dataplane.started();
    return dataplane;
  }

  /** Takes over an open TAP as port `id`. The port stays closed until a snapshot opens it. */
  async addPort(port: {
    id: number;
    name: string;
    fd: number;
    mtu: number;
    offloads: number;
  }): Promise<void> {
    const { id, ...tap } = port;
    await this.request({ type: 'add-port', tap: { port: id, ...tap } });
  }

  /**
   * Takes over the open sockets of a tunnel as port `id`, of which there is one at most. Where it rejects, the
   * sockets stay the caller's.
   */
  async addTunnel({ id, name, sockets }: TunnelSpecification): Promise<void> {
    const { family, receiveFd, sendFds, segments } = sockets;
    await this.request({
      type: 'add-tunnel',
      tunnel: { port: id, name, family, receiveFd, sendFds, segments },
    });
  }

  /** Resolves when nothing of the port is in flight and its descriptors are closed. */
  async removePort(id: number): Promise<void> {
    await this.request({ type: 'remove-port', port: id });
  }

  /** Resolves when the snapshot is in force. */
  async swap(tables: TablesData): Promise<void> {
    await this.request({ type: 'swap', tables });
  }

  async learned(): Promise<LearnedAnswer> {
    return (await this.request({ type: 'learned' })) as LearnedAnswer;
  }

  async usage(): Promise<UsageAnswer> {
    return (await this.request({ type: 'usage' })) as UsageAnswer;
  }

  /** Ends the worker and closes its descriptors; persistent interfaces stay. */
  async stop(): Promise<void> {
    const exited = new Promise<void>((resolve) => this.worker.once('exit', () => resolve()));
    await this.request({ type: 'stop' });
    await exited;
  }

  private request(request: Request): Promise<unknown> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
      signalEventfd(this.wakeFd);
    });
  }

  private started(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.worker.once('exit', () => reject(this.failure ?? new Error('the worker ended while starting')));
      this.worker.on('message', (message: Answer | Event) => {
        if (message.type === 'started') {
          this.io = message.io;
          this.ioReason = message.ioReason;
          this.counters = new Counters(message.counters);
          this.peerStates = new PeerStates(message.peerStates, message.clockStart - clockStart());
          resolve();
        } else if (message.type === 'start-failed') {
          this.failure = new DataplaneError(message.code, message.message);
          reject(this.failure);
        } else this.receive(message);
      });
    });
  }

  private receive(message: Exclude<Answer | Event, { type: 'started' | 'start-failed' }>): void {
    if (message.type === 'port-down') {
      this.onPortDown(message.port, message.reason);
      return;
    }
    if (message.type === 'path-mtu') {
      this.onTooBig(message.address);
      return;
    }
    if (message.type === 'peer') {
      this.onPeer(message.peer, message.isUp);
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.type === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(new DataplaneError(message.code, message.message));
  }

  private ended(): void {
    this.failure ??= new DataplaneError('DATAPLANE_STOPPED', 'the data plane has stopped');
    closeEventfd(this.wakeFd);
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
    const isOrderly = this.failure instanceof DataplaneError && this.failure.code === 'DATAPLANE_STOPPED';
    this.onExit(isOrderly ? undefined : this.failure);
  }
}
