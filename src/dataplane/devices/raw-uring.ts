/**
 * An interface of the host over io_uring: a packet socket (src/linux/packet-socket.ts), whose frames are a port's.
 *
 * Reads are those of a TAP (tap-uring.ts): one always waits in the kernel, and while frames come a round of reads that
 * do not wait follows it. They are messages, since the VLAN tag that the kernel took out comes beside the frame. Sends
 * never wait, as those of the tunnel: where the socket's buffer or the interface's queue is full, the frame is dropped.
 *
 * An interface that goes down and comes up again goes on; one that is deleted is told as down for good (link-watch.ts).
 * A device that another worker reads only sends.
 *
 * Drops: tx-queue-full, too-big (the interface's MTU is smaller than it was), port-down, device-error, vlan-in-vlan;
 * of what was received: oversize (more than 64 KiB, as with BIG TCP), bad-offload.
 *
 * Slots: each read in flight owns one, each send in flight one reference.
 */
import { closeFile } from '../../linux/libc.js';
import { VNET_HEADER_BYTES } from '../../linux/packet-abi.js';
import { PacketMessages } from '../../linux/packet-message.js';
import { type LinkState, linkState } from '../../linux/packet-socket.js';
import { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { RawPort } from '../worker/driver.js';
import type { LinkWatch } from './link-watch.js';
import * as facts from './raw-facts.js';
import { ReadRound } from './read-round.js';
import { OPERATION, type UringDevice, type UringQueue, userData } from './uring-device.js';

/** Reads of a round, and one that waits. */
const MAX_READS = DEVICE_BATCH + 1;

export class UringRaw implements UringDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize = DEVICE_BATCH;
  inFlight = 0;
  private readonly vlan: number;
  private readonly arrived = new Batch(2 * DEVICE_BATCH);
  private readonly round = new ReadRound();
  private isWaiting = false;
  private closing = false;
  private failed = false;
  /** Messages of reads; which are free, and which one belongs to a slot that is being read to. */
  private readonly reads: PacketMessages;
  private readonly freeReads = new Uint8Array(MAX_READS);
  private freeReadCount = MAX_READS;
  private readonly readOf: Uint8Array;
  /** Messages of sends: one for each entry of the submission queue, since they end as they are taken from it. */
  private readonly sends: PacketMessages;
  private nextSend = 0;

  constructor(
    private readonly raw: RawPort,
    private readonly context: DeviceContext,
    private readonly queue: UringQueue,
    private readonly watch: LinkWatch,
  ) {
    this.name = raw.name;
    this.port = raw.port;
    this.mtu = raw.mtu;
    this.offloads = raw.offloads;
    this.vlan = raw.vlan ?? facts.NO_VLAN;
    this.reads = new PacketMessages(MAX_READS, queue.address);
    this.sends = new PacketMessages(queue.sq.entries, queue.address);
    for (let i = 0; i < MAX_READS; i++) this.freeReads[i] = i;
    this.readOf = new Uint8Array(context.pool.capacity);
  }

  get hasArrived(): boolean {
    return this.arrived.count > 0;
  }

  get isStarved(): boolean {
    return this.raw.reads && !this.isWaiting && !this.closing && !this.failed;
  }

  receive(batch: Batch): number {
    const { arrived } = this;
    const count = arrived.count;
    for (let i = 0; i < count; i++) batch.push(arrived.slots[i]);
    arrived.clear();
    return count;
  }

  send(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.transmit(batch.slots[i]);
    batch.clear();
  }

  close(): void {
    this.closing = true;
    this.watch.clear(this.port);
    for (let i = 0; i < this.arrived.count; i++) this.context.pool.release(this.arrived.slots[i]);
    this.arrived.clear();
  }

  closeFiles(): void {
    closeFile(this.raw.fd);
  }

  state(): LinkState {
    return linkState(this.raw.fd);
  }

  arm(): boolean {
    if (!this.raw.reads || this.closing || this.failed) return false;
    const reads = this.round.begin();
    for (let i = 1; i < reads; i++) this.read(OPERATION.READ_NOWAIT);
    // The waiting read goes last: it takes the packet that none of the others found, or waits for the next.
    if (!this.isWaiting) this.read(OPERATION.READ);
    return reads > 1;
  }

  readDone(operation: number, slot: number, result: number): boolean {
    const { pool } = this.context;
    const index = this.readOf[slot];
    this.freeReads[this.freeReadCount++] = index;
    this.inFlight--;
    if (operation === OPERATION.READ) this.isWaiting = false;
    if (result > VNET_HEADER_BYTES && !this.closing && !this.reads.isTruncated(index)) {
      facts.readFrame(pool, slot, result, this.port, this.vlan, this.reads.tag(index));
      this.arrived.push(slot);
      this.round.bring(result);
      return true;
    }
    pool.release(slot);
    return this.closing || this.failed || this.goesOn(result);
  }

  writeDone(_operation: number, slot: number, result: number): void {
    this.inFlight--;
    if (result < 0) {
      this.drop(slot, facts.sendFailure(result));
      return;
    }
    this.context.counters.sent(this.port, this.context.pool.length[slot]);
    this.context.pool.release(slot);
  }

  /** After a read that brought no packet: whether more will come. */
  private goesOn(result: number): boolean {
    if (result > VNET_HEADER_BYTES) this.lose(result, DROP.oversize);
    else if (facts.isUnspeakable(result)) this.lose(0, DROP['bad-offload']);
    else if (facts.isDown(result)) this.watch.suspect(this);
    else if (facts.isReceiveFatal(result)) {
      this.failed = true;
      return false;
    }
    return true;
  }

  /** A packet came and could not be taken; there may be more behind it. */
  private lose(bytes: number, reason: number): void {
    const { counters } = this.context;
    counters.received(this.port, bytes);
    counters.dropped(this.port, reason);
    this.round.bring(bytes);
  }

  private read(operation: number): void {
    const { pool } = this.context;
    if (this.freeReadCount === 0) return;
    const slot = pool.take();
    // With an empty pool the port goes without reads until its next turn; a waiting read keeps it alive.
    if (slot < 0) return;
    const { reads } = this;
    const index = this.freeReads[--this.freeReadCount];
    this.readOf[slot] = index;
    reads.aimToReceive(index, facts.receiveAt(pool, slot), facts.RECEIVE_BYTES);
    const { sq } = this.queue;
    const low = reads.low(index);
    const high = reads.high(index);
    const data = userData(operation, this.port, slot);
    if (operation === OPERATION.READ) {
      while (!sq.recvmsg(this.port, low, high, data)) this.queue.submitNow();
      this.isWaiting = true;
    } else {
      while (!sq.recvmsgNoWait(this.port, low, high, data)) this.queue.submitNow();
    }
    this.round.ask();
    this.inFlight++;
  }

  private transmit(slot: number): void {
    const { pool } = this.context;
    const { sends } = this;
    const { sq } = this.queue;
    const reason = this.closing ? DROP['port-down'] : facts.refusal(pool, slot, this.vlan);
    if (reason >= 0) {
      this.drop(slot, reason);
      return;
    }
    while (sq.space() === 0) this.queue.submitNow();
    const index = this.takeSend();
    facts.aimFrame(pool, slot, this.vlan, sends, index);
    const data = userData(OPERATION.WRITE, this.port, slot);
    sq.sendmsgNoWait(this.port, sends.low(index), sends.high(index), data);
    this.inFlight++;
    this.queue.queuedWrites++;
  }

  private drop(slot: number, reason: number): void {
    this.context.counters.dropped(this.port, reason);
    this.context.pool.release(slot);
  }

  /** The next message: from the first again where none is pending, so that the same few stay in the cache. */
  private takeSend(): number {
    if (this.queue.sq.pending() === 0) this.nextSend = 0;
    const index = this.nextSend++;
    if (this.nextSend === this.sends.count) this.nextSend = 0;
    return index;
  }
}
