/**
 * PcapDevice: receives what is in a capture, and writes what it sends to another.
 *
 * A replay drives its clock by the capture's: `nextTime` says when the next packet came, and `until` holds back
 * packets that came later. What is sent is stamped with the device's `time`, the moment of the packet received
 * last, unless the replay sets it; so the same input gives the same file, octet for octet. The format has no
 * room for offload facts, so the device takes finished packets only.
 *
 * Without a capture it receives nothing; without a writer what it sends is counted and forgotten. While the pool
 * is empty, packets stay in the capture. Drops: device-error (the file takes no more), port-down.
 */
import type { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import { copyBytes } from './packet-copy.js';
import type { Capture } from './pcap-capture.js';
import type { PcapWriter } from './pcap-writer.js';

export interface PcapDeviceOptions {
  readonly context: DeviceContext;
  readonly port: number;
  readonly capture?: Capture;
  /** Becomes the device's, which closes it. */
  readonly writer?: PcapWriter;
  /** Without it: `pcap` and the port number. */
  readonly name?: string;
  /** Bytes of the largest network packet; 65,535 without it. */
  readonly mtu?: number;
  readonly batchSize?: number;
}

export class PcapDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads = 0;
  readonly batchSize: number;
  /** Packets captured after this moment (microseconds since 1970) stay where they are. */
  until = Number.POSITIVE_INFINITY;
  /** What the next packets sent are stamped with (microseconds since 1970). */
  time = 0;
  private readonly context: DeviceContext;
  private readonly writer: PcapWriter | undefined;
  private capture: Capture | undefined;
  private next = 0;
  private isClosed = false;

  constructor(options: PcapDeviceOptions) {
    this.context = options.context;
    this.port = options.port;
    this.capture = options.capture;
    this.writer = options.writer;
    this.name = options.name ?? `pcap${options.port}`;
    this.mtu = options.mtu ?? 65_535;
    this.batchSize = options.batchSize ?? DEVICE_BATCH;
  }

  /** Packets of the capture not yet received. */
  get waiting(): number {
    return this.capture === undefined ? 0 : this.capture.count - this.next;
  }

  /** When the next packet was captured (microseconds since 1970), or Infinity after the last. */
  get nextTime(): number {
    return this.waiting === 0 ? Number.POSITIVE_INFINITY : this.capture!.time[this.next];
  }

  /** Receives this capture from its first packet on, instead of what is left of the one before. */
  replay(capture: Capture): void {
    this.capture = this.isClosed ? undefined : capture;
    this.next = 0;
  }

  receive(batch: Batch): number {
    const limit = Math.min(
      this.waiting,
      this.batchSize,
      batch.capacity - batch.count,
      this.context.pool.free,
    );
    let count = 0;
    while (count < limit && this.capture!.time[this.next] <= this.until) {
      batch.push(this.arrive(this.capture!));
      count++;
    }
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const refusal = this.write(slot);
      if (refusal < 0) counters.sent(this.port, pool.length[slot]);
      else counters.dropped(this.port, refusal);
      pool.release(slot);
    }
    batch.clear();
  }

  /** @throws PcapError PCAP_WRITE_FAILED where not all that was sent is in the file. */
  close(): void {
    this.isClosed = true;
    this.capture = undefined;
    this.writer?.close();
  }

  private arrive(capture: Capture): number {
    const { pool } = this.context;
    const index = this.next++;
    const slot = pool.take();
    const length = capture.length[index];
    copyBytes(capture.view, capture.at[index], pool.view, pool.at[slot], length);
    pool.reset(slot, length, this.port);
    this.time = capture.time[index];
    return slot;
  }

  /** Answers -1, or the number of a drop reason. */
  private write(slot: number): number {
    if (this.isClosed) return DROP['port-down'];
    const { pool } = this.context;
    const { writer, time } = this;
    if (writer === undefined || writer.append(pool.view, pool.at[slot], pool.length[slot], time)) return -1;
    return DROP['device-error'];
  }
}
