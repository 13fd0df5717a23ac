/**
 * The control side's handle on one worker thread: starts it, asks it, hears from it.
 *
 * Requests are posted and announced through an eventfd, since the worker's event loop never runs; answers come
 * back as messages, in the order of the requests. Counters are read directly from shared memory.
 */
import { Worker } from 'node:worker_threads';
import { closeEventfd, createEventfd, signalEventfd } from '../../linux/eventfd.js';
import { Counters } from '../counters.js';
import { PeerStates } from '../peer-states.js';
import { clockStart } from './clock.js';
import type { Answer, Event, Request, WorkerStart } from './messages.js';

/** An error of a worker, with its stable code. */
export class DataplaneError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'DataplaneError';
  }
}

/** What a worker tells unasked once it has started. */
export type WorkerEvent = Exclude<Event, { type: 'started' | 'start-failed' }>;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class WorkerHandle {
  io: 'uring' | 'poll' = 'poll';
  ioReason = '';
  counters = new Counters();
  peerStates = new PeerStates();
  onEvent: (event: WorkerEvent) => void = () => {};
  /** Resolves when the thread has ended: on request, or with an error. */
  readonly exited: Promise<Error | undefined>;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private failure: Error | undefined;

  private constructor(
    private readonly worker: Worker,
    private readonly wakeFd: number,
  ) {
    worker.on('error', (error) => {
      this.failure ??= error;
    });
    this.exited = new Promise((resolve) => worker.on('exit', () => resolve(this.ended())));
  }

  /** Rejects with DataplaneError IO_URING_UNAVAILABLE where io_uring was asked for and cannot be had. */
  static async start(settings: Omit<WorkerStart, 'wakeFd'>): Promise<WorkerHandle> {
    const wakeFd = createEventfd();
    const workerData: WorkerStart = { ...settings, wakeFd };
    const handle = new WorkerHandle(
      new Worker(new URL('./worker.js', import.meta.url), { workerData }),
      wakeFd,
    );
    await handle.started();
    return handle;
  }

  request(request: Request): Promise<unknown> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
      signalEventfd(this.wakeFd);
    });
  }

  /** Ends the thread, which closes its descriptors. */
  async stop(): Promise<void> {
    await this.request({ type: 'stop' });
    await this.exited;
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

  private receive(message: Answer | WorkerEvent): void {
    if (message.type !== 'answer' && message.type !== 'failure') {
      this.onEvent(message);
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.type === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(new DataplaneError(message.code, message.message));
  }

  /** Answers the error that it has ended with, if any. */
  private ended(): Error | undefined {
    const error = this.failure;
    this.failure ??= new DataplaneError('DATAPLANE_STOPPED', 'the data plane has stopped');
    closeEventfd(this.wakeFd);
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
    return error;
  }
}
