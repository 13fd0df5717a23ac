/**
 * A TAP device over poll, read and write, for kernels where io_uring is missing or forbidden. Its descriptor
 * does not block; each packet costs one system call. A TAP that another worker reads is only written to.
 */
import { Errno } from '../../linux/errno.js';
import { closeFile } from '../../linux/libc.js';
import type { MemoryIo } from '../../linux/poll.js';
import { LENGTH as VIRTIO_LENGTH } from '../../wire/virtio-net.js';
import type { Batch } from '../batch.js';
import { DEVICE_BATCH, MAX_FRAME } from '../constants.js';
import type { DeviceContext } from '../device.js';
import type { TapPort } from '../worker/driver.js';
import { type PollDevice, WRITES_ONLY } from './poll-device.js';
import { isFatal, writeFailure } from './tap-errors.js';
import { readFacts, writeFacts } from './virtio-facts.js';

const READ_BYTES = MAX_FRAME + VIRTIO_LENGTH;

export class PollTap implements PollDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize = DEVICE_BATCH;
  readonly pollFd: number;
  failure = 0;
  mayHaveMore = false;
  private closed = false;
  private readonly fd: number;

  constructor(
    tap: TapPort,
    private readonly context: DeviceContext,
    private readonly io: MemoryIo,
  ) {
    this.name = tap.name;
    this.port = tap.port;
    this.mtu = tap.mtu;
    this.offloads = tap.offloads;
    this.fd = tap.fd;
    this.pollFd = tap.reads ? tap.fd : WRITES_ONLY;
  }

  receive(batch: Batch): number {
    let count = 0;
    if (this.closed) return count;
    while (count < DEVICE_BATCH && this.readInto(batch)) count++;
    this.mayHaveMore = count === DEVICE_BATCH;
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const result = this.closed ? -Errno.EBADFD : this.write(slot);
      if (result >= 0) counters.sent(this.port, pool.length[slot]);
      else counters.dropped(this.port, writeFailure(result));
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    this.closed = true;
  }

  closeFiles(): void {
    closeFile(this.fd);
  }

  private readInto(batch: Batch): boolean {
    const { pool } = this.context;
    const slot = pool.take();
    if (slot < 0) return false;
    const result = this.io.readAt(this.fd, pool.at[slot] - VIRTIO_LENGTH, READ_BYTES);
    if (result <= VIRTIO_LENGTH) {
      pool.release(slot);
      if (isFatal(result)) this.failure = -result;
      return false;
    }
    readFacts(pool, slot, result, this.port);
    batch.push(slot);
    return true;
  }

  private write(slot: number): number {
    const { pool } = this.context;
    writeFacts(pool, slot);
    return this.io.writeAt(this.fd, pool.at[slot] - VIRTIO_LENGTH, pool.length[slot] + VIRTIO_LENGTH);
  }
}
