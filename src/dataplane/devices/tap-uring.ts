/**
 * A TAP device over io_uring.
 *
 * One read always waits in the kernel, so an idle port costs one slot and no time. When packets come, further
 * reads are queued that do not wait (RWF_NOWAIT): as many as lately found a packet, and twice as many after
 * all of them did. So a busy port moves a whole batch with one system call, and a quiet one does not pay for
 * readers that the kernel would wake for nothing.
 *
 * Slots: each read in flight owns one, each write in flight one reference.
 */
import type { SubmissionQueue } from '../../linux/io-uring-submission.js';
import type { MemoryAddress } from '../../linux/memory.js';
import { LENGTH as VIRTIO_LENGTH } from '../../wire/virtio-net.js';
import { Batch } from '../batch.js';
import { DEVICE_BATCH, MAX_FRAME } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { TapPort } from '../worker/driver.js';
import { isFatal, writeFailure } from './tap-errors.js';
import { readFacts, writeFacts } from './virtio-facts.js';

/** What a completion belongs to: in the upper bits of its user data, above port (12 bits) and slot (16). */
export const OPERATION = { READ: 0, READ_NOWAIT: 1, WRITE: 2, CONTROL: 3 } as const;

const READ_BYTES = MAX_FRAME + VIRTIO_LENGTH;

/** Bytes that one round of reads should bring at most, so that they are still in the cache when written. */
const ROUND_BYTES = 1 << 19;

export function userData(operation: number, port: number, slot: number): number {
  return (operation << 28) | (port << 16) | slot;
}

/** What the device needs of its driver. */
export interface UringQueue {
  readonly sq: SubmissionQueue;
  readonly address: MemoryAddress;
  /** Writes prepared in this cycle: each completes while it is submitted. */
  queuedWrites: number;
  /** Makes room in the submission queue. */
  submitNow(): void;
}

export class UringTap implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize = DEVICE_BATCH;
  /** Requests in flight: closing ends when it is 0. */
  inFlight = 0;
  closing = false;
  /** The interface has vanished: nothing more will be read. */
  failed = false;
  private readonly arrived = new Batch(DEVICE_BATCH * 2);
  private isWaiting = false;
  /** Reads of the last round, how many of them brought a packet, and how many bytes. */
  private asked = 0;
  private brought = 0;
  private broughtBytes = 0;

  constructor(
    readonly tap: TapPort,
    private readonly context: DeviceContext,
    private readonly queue: UringQueue,
  ) {
    this.name = tap.name;
    this.port = tap.port;
    this.mtu = tap.mtu;
    this.offloads = tap.offloads;
  }

  get hasArrived(): boolean {
    return this.arrived.count > 0;
  }

  receive(batch: Batch): number {
    const { arrived } = this;
    const count = arrived.count;
    for (let i = 0; i < count; i++) batch.push(arrived.slots[i]);
    arrived.clear();
    return count;
  }

  send(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.write(batch.slots[i]);
    batch.clear();
  }

  close(): void {
    this.closing = true;
    for (let i = 0; i < this.arrived.count; i++) this.context.pool.release(this.arrived.slots[i]);
    this.arrived.clear();
  }

  /** No read is in flight, for want of a slot: to be armed again soon. */
  get isStarved(): boolean {
    return !this.isWaiting && !this.closing && !this.failed;
  }

  /** Queues the reads of the next round. Answers whether one of them ends at once, with a packet or without. */
  arm(): boolean {
    if (this.closing || this.failed) return false;
    const round = this.nextRound();
    this.asked = 0;
    this.brought = 0;
    this.broughtBytes = 0;
    for (let i = 1; i < round; i++) this.read(OPERATION.READ_NOWAIT);
    // The waiting read goes last: it takes the packet that none of the others found, or waits for the next.
    if (!this.isWaiting) this.read(OPERATION.READ);
    return round > 1;
  }

  /** A read has ended with `result` (bytes, or a negative errno). Answers false when the interface is gone. */
  readDone(operation: number, slot: number, result: number): boolean {
    this.inFlight--;
    if (operation === OPERATION.READ) this.isWaiting = false;
    if (result > VIRTIO_LENGTH && !this.closing) {
      readFacts(this.context.pool, slot, result, this.port);
      this.arrived.push(slot);
      this.brought++;
      this.broughtBytes += result;
      return true;
    }
    this.context.pool.release(slot);
    if (!isFatal(result) || this.failed || this.closing) return true;
    this.failed = true;
    return false;
  }

  writeDone(slot: number, result: number): void {
    const { pool, counters } = this.context;
    this.inFlight--;
    if (result >= 0) counters.sent(this.port, pool.length[slot]);
    else counters.dropped(this.port, writeFailure(result));
    pool.release(slot);
  }

  /** Reads of the next round, the waiting one included. A round that brought nothing is followed by that alone. */
  private nextRound(): number {
    if (this.brought === 0) return 1;
    const fullRound = this.brought >= this.asked;
    const wish = fullRound ? this.brought * 2 : this.brought + 1;
    const most = Math.max(2, (ROUND_BYTES * this.brought) / this.broughtBytes) | 0;
    return Math.min(wish, most, DEVICE_BATCH);
  }

  private read(operation: number): void {
    const { pool } = this.context;
    const slot = pool.take();
    // With an empty pool the port goes without reads until its next turn; a waiting read keeps it alive.
    if (slot < 0) return;
    const { sq, address } = this.queue;
    const at = pool.at[slot] - VIRTIO_LENGTH;
    const data = userData(operation, this.port, slot);
    const low = address.low(at);
    const high = address.high(at);
    if (operation === OPERATION.READ) {
      while (!sq.read(this.port, low, high, READ_BYTES, data)) this.queue.submitNow();
      this.isWaiting = true;
    } else {
      while (!sq.readNoWait(this.port, low, high, READ_BYTES, data)) this.queue.submitNow();
    }
    this.asked++;
    this.inFlight++;
  }

  private write(slot: number): void {
    const { pool } = this.context;
    if (this.closing) {
      this.context.counters.dropped(this.port, DROP['port-down']);
      pool.release(slot);
      return;
    }
    writeFacts(pool, slot);
    const { sq, address } = this.queue;
    const at = pool.at[slot] - VIRTIO_LENGTH;
    const bytes = pool.length[slot] + VIRTIO_LENGTH;
    const data = userData(OPERATION.WRITE, this.port, slot);
    while (!sq.write(this.port, address.low(at), address.high(at), bytes, data)) this.queue.submitNow();
    this.inFlight++;
    this.queue.queuedWrites++;
  }
}
