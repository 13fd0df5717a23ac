/**
 * The tunnel's UDP sockets over poll, recvmsg and sendmsg, for kernels where io_uring is missing or forbidden.
 * Neither call waits; each message, which may be several datagrams (tunnel-uring.ts), costs one system call.
 *
 * Drops: as over io_uring.
 */
import { Errno } from '../../linux/errno.js';
import { closeFile } from '../../linux/libc.js';
import type { MessageIo } from '../../linux/message-io.js';
import { UDP_MAX_PAYLOAD } from '../../linux/udp-abi.js';
import type { MessageTable } from '../../linux/udp-message.js';
import type { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { TunnelPort } from '../worker/driver.js';
import { type PollDevice, WRITES_ONLY } from './poll-device.js';
import { ROUND_BYTES, weightOf } from './read-round.js';
import type { TooBigNotices } from './too-big-notices.js';
import * as facts from './tunnel-facts.js';

/** What became of one read. */
const READ = { NOTHING: 0, DROPPED: 1, PACKET: 2 } as const;

export class PollTunnel implements PollDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu = UDP_MAX_PAYLOAD;
  readonly offloads = 0;
  readonly carries = 'datagrams';
  readonly batchSize = DEVICE_BATCH;
  readonly pollFd: number;
  failure = 0;
  mayHaveMore = false;
  /** Whether several datagrams go to the kernel as one message. */
  segments: boolean;
  private isClosed = false;
  private roundBytes = 0;

  constructor(
    private readonly tunnel: TunnelPort,
    private readonly context: DeviceContext,
    private readonly io: MessageIo<MessageTable>,
    private readonly tooBig: TooBigNotices,
  ) {
    this.name = tunnel.name;
    this.port = tunnel.port;
    this.pollFd = tunnel.receiveFd ?? WRITES_ONLY;
    this.segments = tunnel.segments ?? true;
  }

  receive(batch: Batch): number {
    const first = batch.count;
    if (this.isClosed) return 0;
    this.roundBytes = 0;
    let reads = 0;
    let last: number = READ.PACKET;
    while (reads < DEVICE_BATCH && this.roundBytes < ROUND_BYTES && last !== READ.NOTHING) {
      last = this.readInto(batch);
      reads++;
    }
    this.mayHaveMore = last !== READ.NOTHING;
    return batch.count - first;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const result = this.transmit(slot);
      if (result >= 0) counters.sent(this.port, pool.length[slot]);
      else this.dropped(slot, result);
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    this.isClosed = true;
  }

  closeFiles(): void {
    const { receiveFd, sendFds } = this.tunnel;
    if (receiveFd !== undefined) closeFile(receiveFd);
    for (const fd of sendFds) closeFile(fd);
  }

  private readInto(batch: Batch): number {
    const { pool, counters } = this.context;
    const slot = pool.take();
    if (slot < 0) return READ.NOTHING;
    const { io, port } = this;
    const result = io.receive(this.pollFd, pool.at[slot], facts.RECEIVE_BYTES);
    if (result >= 0 && !io.message.isTruncated(0)) {
      facts.readDatagram(pool, slot, result, port, io.message, 0);
      batch.push(slot);
      this.roundBytes += weightOf(result, facts.datagramsIn(pool, slot));
      return READ.PACKET;
    }
    pool.release(slot);
    if (result >= 0) {
      counters.received(port, result);
      counters.dropped(port, DROP['malformed-tunnel']);
      return READ.DROPPED;
    }
    if (facts.isReceiveFatal(result)) this.failure = -result;
    return READ.NOTHING;
  }

  private dropped(slot: number, result: number): void {
    const { pool, counters } = this.context;
    const reason = facts.sendFailure(result);
    if (reason === DROP['too-big']) this.tooBig.note(pool.remote, slot * 4);
    counters.dropped(this.port, reason);
  }

  /** Bytes, or the negative errno of a send that failed. */
  private transmit(slot: number): number {
    const { pool } = this.context;
    if (this.isClosed) return -Errno.EBADF;
    if (!facts.isOfFamily(pool, slot, this.tunnel.family)) return -Errno.ENETUNREACH;
    if (!facts.isBundle(pool, slot)) return this.sendMessage(slot, 0, pool.length[slot], 0);
    if (!this.segments || !facts.fitsOneMessage(pool, slot)) return this.sendParts(slot);
    const result = this.sendMessage(slot, 0, pool.length[slot], pool.gsoSize[slot]);
    if (!facts.isBundleRefused(result)) return result;
    // Refused together and taken one by one: so it will be the next time. What cannot be sent at all says nothing.
    const parts = this.sendParts(slot);
    if (parts >= 0) this.segments = false;
    return parts;
  }

  /** Sends the datagrams of a slot one by one. */
  private sendParts(slot: number): number {
    const { pool } = this.context;
    const length = pool.length[slot];
    const size = pool.gsoSize[slot];
    let outcome = length;
    for (let from = 0; from < length; from += size) {
      const result = this.sendMessage(slot, from, Math.min(size, length - from), 0);
      if (result < 0) outcome = result;
    }
    return outcome;
  }

  private sendMessage(slot: number, from: number, length: number, segment: number): number {
    const { pool } = this.context;
    const { tunnel, io } = this;
    facts.aimDatagram(pool, slot, tunnel.family, io.message, 0, pool.at[slot] + from, length, segment);
    return io.send(tunnel.sendFds[facts.senderOf(pool, slot, tunnel.sendFds.length)]);
  }
}
