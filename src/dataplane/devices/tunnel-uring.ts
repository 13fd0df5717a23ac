/**
 * The tunnel's UDP sockets over io_uring: datagrams of the tunnel in, datagrams out.
 *
 * Reads are those of a TAP (tap-uring.ts): one always waits in the kernel, and while packets come a round of
 * reads that do not wait follows it. A message may be several datagrams of one flow (UDP_GRO), which stay
 * together in one slot, and on the way out several in one slot become one message (UDP_SEGMENT). Where the
 * kernel refuses that, the datagrams are sent one by one, and if they are taken so, from then on.
 *
 * Sends never wait: they complete while they are submitted, and where a socket's buffer is full, the datagram is
 * dropped as tx-queue-full, as a network card's full queue would do. So an idle tunnel has nothing in flight but
 * its waiting read, a slot is free again after the cycle, and what a flow sends stays in order.
 *
 * Drops: too-big (the path's MTU, which is told to the listener), tx-queue-full (also more than MAX_SENDS in one
 * cycle), device-error (no route, the network's errors), port-down, malformed-tunnel (longer than any datagram).
 *
 * Without a socket to receive on, which another worker has, it sends only.
 *
 * Slots: each read in flight owns one, each send in flight one reference.
 */
import { closeFile } from '../../linux/libc.js';
import { UDP_MAX_PAYLOAD } from '../../linux/udp-abi.js';
import { MessageTable } from '../../linux/udp-message.js';
import { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { TunnelPort } from '../worker/driver.js';
import { ReadRound } from './read-round.js';
import type { TooBigNotices } from './too-big-notices.js';
import * as facts from './tunnel-facts.js';
import { OPERATION, type UringDevice, type UringQueue, userData } from './uring-device.js';

/** Sends of one cycle: half of what the completion queue holds. Reached by datagrams sent one by one only. */
const MAX_SENDS = 8192;

/** Reads of a round, and one that waits. */
const MAX_READS = DEVICE_BATCH + 1;

export class UringTunnel implements UringDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu = UDP_MAX_PAYLOAD;
  readonly offloads = 0;
  readonly carries = 'datagrams';
  readonly batchSize = DEVICE_BATCH;
  inFlight = 0;
  /** Whether several datagrams go to the kernel as one message. */
  segments: boolean;
  private readonly arrived = new Batch(2 * DEVICE_BATCH);
  private readonly round = new ReadRound();
  private isWaiting = false;
  private closing = false;
  private failed = false;
  /** Messages of reads; which are free, and which one belongs to a slot that is being read to. */
  private readonly reads: MessageTable;
  private readonly canRead: boolean;
  private readonly freeReads = new Uint8Array(MAX_READS);
  private freeReadCount = MAX_READS;
  private readonly readOf: Uint8Array;
  /** Messages of sends: one for each entry of the submission queue, since they end as they are taken from it. */
  private readonly sends: MessageTable;
  private nextSend = 0;
  /** Of slots that became several sends: sends in flight, references, and the last failure of one. */
  private readonly parts: Uint32Array;
  private readonly owners: Uint16Array;
  private readonly failures: Int32Array;

  /** @param firstSender the registered file of the first sender; the receiver's is the port's number. */
  constructor(
    private readonly tunnel: TunnelPort,
    private readonly context: DeviceContext,
    private readonly queue: UringQueue,
    private readonly firstSender: number,
    private readonly tooBig: TooBigNotices,
  ) {
    this.name = tunnel.name;
    this.port = tunnel.port;
    this.segments = tunnel.segments ?? true;
    this.canRead = tunnel.receiveFd !== undefined;
    this.reads = new MessageTable(MAX_READS, queue.address);
    this.sends = new MessageTable(queue.sq.entries, queue.address);
    for (let i = 0; i < MAX_READS; i++) this.freeReads[i] = i;
    const { capacity } = context.pool;
    this.readOf = new Uint8Array(capacity);
    this.parts = new Uint32Array(capacity);
    this.owners = new Uint16Array(capacity);
    this.failures = new Int32Array(capacity);
  }

  get hasArrived(): boolean {
    return this.arrived.count > 0;
  }

  get isStarved(): boolean {
    return this.canRead && !this.isWaiting && !this.closing && !this.failed;
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
    for (let i = 0; i < this.arrived.count; i++) this.context.pool.release(this.arrived.slots[i]);
    this.arrived.clear();
  }

  closeFiles(): void {
    const { receiveFd, sendFds } = this.tunnel;
    if (receiveFd !== undefined) closeFile(receiveFd);
    for (const fd of sendFds) closeFile(fd);
  }

  arm(): boolean {
    if (!this.canRead || this.closing || this.failed) return false;
    const reads = this.round.begin();
    for (let i = 1; i < reads; i++) this.read(OPERATION.READ_NOWAIT);
    // The waiting read goes last: it takes the packet that none of the others found, or waits for the next.
    if (!this.isWaiting) this.read(OPERATION.READ);
    return reads > 1;
  }

  readDone(operation: number, slot: number, result: number): boolean {
    const { pool, counters } = this.context;
    const index = this.readOf[slot];
    this.freeReads[this.freeReadCount++] = index;
    this.inFlight--;
    if (operation === OPERATION.READ) this.isWaiting = false;
    if (result >= 0 && !this.closing) {
      if (!this.reads.isTruncated(index)) {
        facts.readDatagram(pool, slot, result, this.port, this.reads, index);
        this.round.bring(result, facts.datagramsIn(pool, slot));
        this.arrived.push(slot);
        return true;
      }
      this.round.bring(result);
      counters.received(this.port, result);
      counters.dropped(this.port, DROP['malformed-tunnel']);
    }
    pool.release(slot);
    if (!facts.isReceiveFatal(result) || this.failed || this.closing) return true;
    this.failed = true;
    return false;
  }

  writeDone(operation: number, slot: number, result: number): void {
    this.inFlight--;
    if (operation === OPERATION.PART) {
      this.partDone(slot, result);
      return;
    }
    const isRetried = facts.isBundleRefused(result) && facts.isBundle(this.context.pool, slot);
    if (isRetried && !this.closing) this.sendParts(slot);
    else this.finish(slot, result);
  }

  private read(operation: number): void {
    const { pool } = this.context;
    if (this.freeReadCount === 0) return;
    const slot = pool.take();
    // With an empty pool the port goes without reads until its next turn; a waiting read keeps it alive.
    if (slot < 0) return;
    const index = this.freeReads[--this.freeReadCount];
    this.readOf[slot] = index;
    this.reads.aimToReceive(index, pool.at[slot], facts.RECEIVE_BYTES);
    const { sq } = this.queue;
    const low = this.reads.low(index);
    const high = this.reads.high(index);
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
    if (this.closing) this.drop(slot, DROP['port-down']);
    else if (!facts.isOfFamily(pool, slot, this.tunnel.family)) this.drop(slot, DROP['device-error']);
    else if (this.queue.queuedWrites >= MAX_SENDS) this.drop(slot, DROP['tx-queue-full']);
    else if (!facts.isBundle(pool, slot)) this.sendMessage(OPERATION.WRITE, slot, 0, pool.length[slot], 0);
    else if (this.segments && facts.fitsOneMessage(pool, slot)) {
      this.sendMessage(OPERATION.WRITE, slot, 0, pool.length[slot], pool.gsoSize[slot]);
    } else this.sendParts(slot);
  }

  /** Sends the datagrams of a slot one by one. */
  private sendParts(slot: number): void {
    const { pool } = this.context;
    const length = pool.length[slot];
    const size = pool.gsoSize[slot];
    const count = Math.ceil(length / size);
    if (this.queue.queuedWrites + count > MAX_SENDS) {
      this.drop(slot, DROP['tx-queue-full']);
      return;
    }
    this.parts[slot] += count;
    if (this.owners[slot]++ === 0) this.failures[slot] = 0;
    for (let from = 0; from < length; from += size) {
      this.sendMessage(OPERATION.PART, slot, from, Math.min(size, length - from), 0);
    }
  }

  private partDone(slot: number, result: number): void {
    if (result < 0) this.failures[slot] = result;
    if (--this.parts[slot] > 0) return;
    const failure = this.failures[slot];
    // Refused together and taken one by one: so it will be the next time. What cannot be sent at all says nothing.
    if (failure === 0 && facts.fitsOneMessage(this.context.pool, slot)) this.segments = false;
    for (let owners = this.owners[slot]; owners > 0; owners--) this.finish(slot, failure);
    this.owners[slot] = 0;
  }

  /** One reference of the slot has been sent, or not. */
  private finish(slot: number, result: number): void {
    const { pool, counters } = this.context;
    if (result >= 0) {
      counters.sent(this.port, pool.length[slot]);
      pool.release(slot);
      return;
    }
    const reason = facts.sendFailure(result);
    if (reason === DROP['too-big']) this.tooBig.note(pool.remote, slot * 4);
    this.drop(slot, reason);
  }

  private drop(slot: number, reason: number): void {
    this.context.counters.dropped(this.port, reason);
    this.context.pool.release(slot);
  }

  private sendMessage(operation: number, slot: number, from: number, length: number, segment: number): void {
    const { pool } = this.context;
    const { tunnel, sends } = this;
    const { sq } = this.queue;
    while (sq.space() === 0) this.queue.submitNow();
    const index = this.takeSend();
    facts.aimDatagram(pool, slot, tunnel.family, sends, index, pool.at[slot] + from, length, segment);
    const file = this.firstSender + facts.senderOf(pool, slot, tunnel.sendFds.length);
    sq.sendmsgNoWait(file, sends.low(index), sends.high(index), userData(operation, this.port, slot));
    this.inFlight++;
    this.queue.queuedWrites++;
  }

  /** The next message: from the first again where none is pending, so that the same few stay in the cache. */
  private takeSend(): number {
    if (this.queue.sq.pending() === 0) this.nextSend = 0;
    const index = this.nextSend++;
    if (this.nextSend === this.sends.count) this.nextSend = 0;
    return index;
  }
}
