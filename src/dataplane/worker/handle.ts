/**
 * The control side's handle on the data plane: one worker thread, or several that share the ports.
 *
 * Each port is read by one worker, its owner, and written by all, through descriptors of their own. A flow comes in
 * at one port, so one worker takes its packets, and their order stays. Every worker has the same snapshot; what they
 * learn from packets they tell one another (gossip.ts). The tunnel is the first worker's, which is also the one that
 * probes peers. The end of one worker is the end of all. decisions/0032 says why it is so.
 */
import { randomInt } from 'node:crypto';
import { duplicate } from '../../linux/duplicate.js';
import { closeFile } from '../../linux/libc.js';
import { DEFAULT_FLOWS } from '../connections.js';
import { type CounterReader, SummedCounters } from '../counters.js';
import { FlowReader } from '../flows/flow-reader.js';
import { FlowRows } from '../flows/flow-rows.js';
import type { PeerStates } from '../peer-states.js';
import { DenialReader } from '../policy/denial-reader.js';
import type { PolicyChanges } from '../policy-spec.js';
import type { ServiceChanges } from '../service-spec.js';
import type { TablesData } from '../tables.js';
import { clockStart } from './clock.js';
import type { TunnelPort } from './driver.js';
import { mergeLearned } from './learned-answer.js';
import type { IoChoice, LearnedAnswer, Request, UsageAnswer } from './messages.js';
import { PortOwners } from './port-owners.js';
import { stepsOf } from './service-steps.js';
import { type StartedWorkers, startWorkers } from './start-workers.js';
import type { WorkerEvent, WorkerHandle } from './worker-handle.js';

export { DataplaneError } from './worker-handle.js';

/** Packets that may exist at once in a worker: 16 k slots of 64 KiB address space; only touched pages are memory. */
const DEFAULT_SLOTS = 16_384;

/** The worker that reads the tunnel and probes peers. */
const PROBING = 0;

export interface DataplaneOptions {
  readonly io: IoChoice;
  /** Threads that forward; default 1. */
  readonly workers?: number;
  /** Slots of each worker's packet pool. */
  readonly slots?: number;
  /** Keys the hash tables; random unless given. */
  readonly seed?: number;
  /** Connections that are known at most, all workers together; default DEFAULT_FLOWS. */
  readonly maxFlows?: number;
}

export interface TapSpecification {
  /** Number of its port. */
  readonly id: number;
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  readonly offloads: number;
}

export interface RawSpecification extends TapSpecification {
  /** The VLAN that the socket was opened for. */
  readonly vlan?: number;
}

export interface TunnelSpecification {
  /** Number of its port. */
  readonly id: number;
  readonly name: string;
  /** What `openTunnelSockets` has opened. */
  readonly sockets: Omit<TunnelPort, 'port' | 'name' | 'receiveFd'> & { readonly receiveFd: number };
}

/** The request that gives a worker a port, with descriptors of its own. */
type AddRequest = (fds: readonly number[], reads: boolean) => Request;

export class Dataplane {
  readonly io: 'uring' | 'poll';
  readonly ioReason: string;
  readonly counters: CounterReader;
  /** What probes have found out about each peer; a number is that of the last snapshot whose `swap` has resolved. */
  readonly peerStates: PeerStates;
  /** Connections, of all workers. Its `now` is `flowTime()`. */
  readonly flows: FlowReader;
  /** The same for a file; `tracked`, by port: 1 where answers to translated connections may come in. Good after `stop` too. */
  readonly flowRows: FlowRows;
  readonly tracked: Uint8Array;
  /** What policies have refused, in all workers. Its `now` is `flowTime()`. */
  readonly denials: DenialReader;
  /** The interface of a port has vanished under it. */
  onPortDown: (id: number, reason: string) => void = () => {};
  /**
   * A peer has begun or ceased to be up, or one that was never up does not answer. What is told before `swap`
   * resolves is of the snapshot before.
   */
  onPeer: (id: number, isUp: boolean) => void = () => {};
  /** A datagram to this underlay address was too big for its path; each worker tells it once a second at most. */
  onTooBig: (address: string) => void = () => {};
  /** The data plane has ended: on request, or with the error of a worker, after which it is of no use. */
  onExit: (error?: Error) => void = () => {};
  private readonly workers: readonly WorkerHandle[];
  private readonly owners: PortOwners;
  private failure: Error | undefined;
  /** Snapshots and changes, one after the other; and the generation of the last one in force. */
  private last: Promise<unknown> = Promise.resolve();
  private generation = 0;

  private constructor({ workers, ioReason, connections }: StartedWorkers) {
    this.workers = workers;
    this.owners = new PortOwners(workers.length);
    this.io = workers[0].io;
    this.ioReason = ioReason;
    const counters = workers.map((worker) => worker.counters);
    this.counters = counters.length === 1 ? counters[0] : new SummedCounters(counters);
    this.peerStates = workers[PROBING].peerStates;
    this.flows = new FlowReader(connections.flows);
    this.flowRows = new FlowRows(connections.flows);
    this.tracked = new Uint8Array(connections.tracked);
    this.denials = new DenialReader(connections.denials);
    for (const worker of workers) worker.onEvent = (event) => this.hear(event);
    this.watch();
  }

  /** Rejects with DataplaneError IO_URING_UNAVAILABLE where io_uring was asked for and cannot be had. */
  static async start(options: DataplaneOptions): Promise<Dataplane> {
    const { io, workers = 1, slots = DEFAULT_SLOTS, maxFlows = DEFAULT_FLOWS } = options;
    const { seed = randomInt(2 ** 31) } = options;
    return new Dataplane(await startWorkers({ io, workers, slots, seed, maxFlows }));
  }

  /**
   * Takes over an open TAP as port `id`. The port stays closed until a snapshot opens it. Where it rejects, the
   * descriptor stays the caller's.
   */
  async addPort({ id, fd, ...tap }: TapSpecification): Promise<void> {
    const owner = this.owners.choose(id);
    await this.addToAll(id, owner, [fd], ([own], reads) => ({
      type: 'add-port',
      tap: { ...tap, port: id, fd: own, reads },
    }));
  }

  /**
   * Takes over an open packet socket (control/host/raw.ts) as port `id`: an interface of the host, or a TAP whose
   * reader is a virtual machine. Otherwise as `addPort`; `onPortDown` tells when the interface is deleted.
   */
  async addRaw({ id, fd, ...raw }: RawSpecification): Promise<void> {
    const owner = this.owners.choose(id);
    await this.addToAll(id, owner, [fd], ([own], reads) => ({
      type: 'add-raw',
      raw: { ...raw, port: id, fd: own, reads },
    }));
  }

  /**
   * Takes over the open sockets of a tunnel as port `id`, of which there is one at most. Where it rejects, the
   * sockets stay the caller's.
   */
  async addTunnel({ id, name, sockets }: TunnelSpecification): Promise<void> {
    const { family, receiveFd, sendFds, segments } = sockets;
    this.owners.give(id, PROBING);
    await this.addToAll(id, PROBING, sendFds, (own, reads) => ({
      type: 'add-tunnel',
      tunnel: {
        ...{ port: id, name, family, segments },
        receiveFd: reads ? receiveFd : undefined,
        sendFds: own,
      },
    }));
  }

  /**
   * Resolves when nothing of the port is in flight and its descriptors are closed. First at its owner: then no more
   * is learned at the port when the others forget what they were told of it.
   */
  async removePort(id: number): Promise<void> {
    const request: Request = { type: 'remove-port', port: id };
    const owner = this.owners.of(id);
    await this.tell(this.workers[owner], request);
    await Promise.all(this.others(owner).map((worker) => this.tell(worker, request)));
    this.owners.release(id);
  }

  /**
   * Resolves when the snapshot is in force everywhere: with the worker that probes last, so that nothing is told of
   * its peers before.
   */
  swap(tables: TablesData): Promise<void> {
    return this.inOrder(async () => {
      const request: Request = { type: 'swap', tables };
      await Promise.all(this.others(PROBING).map((worker) => this.tell(worker, request)));
      await this.tell(this.workers[PROBING], request);
      this.generation = tables.generation;
    });
  }

  /**
   * Resolves when what is different about services is in force everywhere. A large change comes into force in steps, and packets are
   * forwarded between them. Where it rejects, an unknown part of it is in force.
   */
  changeServices(changes: ServiceChanges): Promise<void> {
    return this.inOrder(async () => {
      for (const step of stepsOf(changes, this.generation)) {
        await this.ask({ type: 'services', changes: step });
      }
      this.generation = changes.generation;
    });
  }

  /**
   * Resolves when what is different about policies is in force everywhere. Each worker takes it whole, between two packets: half of it may
   * allow what neither the old nor the new policies do. Where it rejects because of what is in it, nothing has changed.
   */
  changePolicies(changes: PolicyChanges): Promise<void> {
    return this.inOrder(async () => {
      await this.ask({ type: 'policies', changes });
      this.generation = changes.generation;
    });
  }

  /** Takes up connections that an earlier daemon knew, all opened at one port that was added. Resolves with how many. */
  async restoreFlows(port: number, rows: Int32Array): Promise<number> {
    const owner = this.workers[this.owners.of(port)];
    return (await this.tell(owner, { type: 'restore-flows', rows })) as number;
  }

  /** While not all services were told, connections that an earlier daemon knew keep their backends. */
  async setServicesWhole(isWhole: boolean): Promise<void> {
    await this.ask({ type: 'services-whole', isWhole });
  }

  /** The time of flows (ms, modulo 2^32). */
  flowTime(): number {
    return (performance.now() + clockStart()) | 0;
  }

  async learned(): Promise<LearnedAnswer> {
    return mergeLearned((await this.ask({ type: 'learned' })) as LearnedAnswer[]);
  }

  /** Of all pools together. */
  async usage(): Promise<UsageAnswer> {
    const answers = (await this.ask({ type: 'usage' })) as UsageAnswer[];
    return answers.reduce((sum, { slots, free, inFlight, held }) => ({
      slots: sum.slots + slots,
      free: sum.free + free,
      inFlight: sum.inFlight + inFlight,
      held: sum.held + held,
    }));
  }

  /** Ends the workers and closes their descriptors; persistent interfaces stay. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.workers.map((worker) => worker.stop()));
    if (this.failure !== undefined) throw this.failure;
  }

  /** First to those that only write, each with duplicates of the descriptors; then to the owner. */
  private async addToAll(id: number, owner: number, fds: readonly number[], add: AddRequest): Promise<void> {
    const writers = this.others(owner);
    try {
      await Promise.all(writers.map((worker) => this.addWriter(worker, fds, add)));
      await this.tell(this.workers[owner], add(fds, true));
    } catch (error) {
      const request: Request = { type: 'remove-port', port: id };
      await Promise.allSettled(writers.map((worker) => this.tell(worker, request)));
      this.owners.release(id);
      throw error;
    }
  }

  /** The duplicates are the worker's where it takes the port, else they are closed. */
  private async addWriter(worker: WorkerHandle, fds: readonly number[], add: AddRequest): Promise<void> {
    const own: number[] = [];
    try {
      for (const fd of fds) own.push(duplicate(fd));
      await this.tell(worker, add(own, false));
    } catch (error) {
      own.forEach(closeFile);
      throw error;
    }
  }

  /** After what was asked for before is in force, or has failed. */
  private inOrder(step: () => Promise<void>): Promise<void> {
    const result = this.last.then(step);
    this.last = result.catch(() => undefined);
    return result;
  }

  private others(worker: number): readonly WorkerHandle[] {
    return this.workers.filter((_, index) => index !== worker);
  }

  private ask(request: Request): Promise<unknown[]> {
    return Promise.all(this.workers.map((worker) => this.tell(worker, request)));
  }

  /** Where a worker has died, it is the reason why another one, which was stopped, does not answer. */
  private async tell(worker: WorkerHandle, request: Request): Promise<unknown> {
    try {
      return await worker.request(request);
    } catch (error) {
      throw this.failure ?? error;
    }
  }

  private hear(event: WorkerEvent): void {
    if (event.type === 'port-down') this.onPortDown(event.port, event.reason);
    else if (event.type === 'path-mtu') this.onTooBig(event.address);
    else this.onPeer(event.peer, event.isUp);
  }

  private watch(): void {
    for (const { exited } of this.workers) {
      void exited.then((error) => {
        if (error !== undefined) this.fail(error);
      });
    }
    void Promise.all(this.workers.map(({ exited }) => exited)).then(() => {
      if (this.failure === undefined) this.onExit();
    });
  }

  /** A worker has ended with an error: the first such is told, and the others go as well. */
  private fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const worker of this.workers) worker.stop().catch(() => undefined);
    this.onExit(error);
  }
}
