/**
 * A TAP device over io_uring.
 *
 * One read always waits in the kernel, so an idle port costs one slot and no time. When packets come, further
 * reads are queued that do not wait (RWF_NOWAIT): as many as lately found a packet, and twice as many after
 * all of them did. So a busy port moves a whole batch with one system call, and a quiet one does not pay for
 * readers that the kernel would wake for nothing. A TAP that another worker reads has no read at all.
 *
 * Slots: each read in flight owns one, each write in flight one reference.
 */
import { closeFile } from '../../linux/libc.js';
import { LENGTH as VIRTIO_LENGTH } from '../../wire/virtio-net.js';
import { Batch } from '../batch.js';
import { DEVICE_BATCH, MAX_FRAME } from '../constants.js';
import type { DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { TapPort } from '../worker/driver.js';
import { ReadRound } from './read-round.js';
import { isFatal, writeFailure } from './tap-errors.js';
import { OPERATION, type UringDevice, type UringQueue, userData } from './uring-device.js';
import { readFacts, writeFacts } from './virtio-facts.js';

const READ_BYTES = MAX_FRAME + VIRTIO_LENGTH;

export class UringTap implements UringDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize = DEVICE_BATCH;
  inFlight = 0;
  closing = false;
  /** The interface has vanished: nothing more will be read. */
  failed = false;
  private readonly arrived = new Batch(DEVICE_BATCH * 2);
  private isWaiting = false;
  private readonly round = new ReadRound();

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

  get isStarved(): boolean {
    return this.tap.reads && !this.isWaiting && !this.closing && !this.failed;
  }

  arm(): boolean {
    if (!this.tap.reads || this.closing || this.failed) return false;
    const reads = this.round.begin();
    for (let i = 1; i < reads; i++) this.read(OPERATION.READ_NOWAIT);
    // The waiting read goes last: it takes the packet that none of the others found, or waits for the next.
    if (!this.isWaiting) this.read(OPERATION.READ);
    return reads > 1;
  }

  readDone(operation: number, slot: number, result: number): boolean {
    this.inFlight--;
    if (operation === OPERATION.READ) this.isWaiting = false;
    if (result > VIRTIO_LENGTH && !this.closing) {
      readFacts(this.context.pool, slot, result, this.port);
      this.arrived.push(slot);
      this.round.bring(result);
      return true;
    }
    this.context.pool.release(slot);
    if (!isFatal(result) || this.failed || this.closing) return true;
    this.failed = true;
    return false;
  }

  writeDone(_operation: number, slot: number, result: number): void {
    const { pool, counters } = this.context;
    this.inFlight--;
    if (result >= 0) counters.sent(this.port, pool.length[slot]);
    else counters.dropped(this.port, writeFailure(result));
    pool.release(slot);
  }

  closeFiles(): void {
    closeFile(this.tap.fd);
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
    this.round.ask();
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
