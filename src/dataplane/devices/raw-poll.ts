/**
 * An interface of the host over poll, recvmsg and sendmsg, for kernels where io_uring is missing or forbidden. Neither
 * call waits; each frame costs one. Otherwise as over io_uring (raw-uring.ts), with the same drops.
 */
import { Errno } from '../../linux/errno.js';
import { closeFile } from '../../linux/libc.js';
import type { MessageIo } from '../../linux/message-io.js';
import { VNET_HEADER_BYTES } from '../../linux/packet-abi.js';
import type { PacketMessages } from '../../linux/packet-message.js';
import { type LinkState, linkState } from '../../linux/packet-socket.js';
import type { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import type { RawPort } from '../worker/driver.js';
import type { LinkWatch } from './link-watch.js';
import { type PollDevice, WRITES_ONLY } from './poll-device.js';
import * as facts from './raw-facts.js';
import { ROUND_BYTES, weightOf } from './read-round.js';

/** What became of one read. */
const READ = { NOTHING: 0, DROPPED: 1, PACKET: 2 } as const;

export class PollRaw implements PollDevice {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize = DEVICE_BATCH;
  readonly pollFd: number;
  failure = 0;
  mayHaveMore = false;
  private readonly fd: number;
  private readonly vlan: number;
  private isClosed = false;
  private roundBytes = 0;

  constructor(
    raw: RawPort,
    private readonly context: DeviceContext,
    private readonly io: MessageIo<PacketMessages>,
    private readonly watch: LinkWatch,
  ) {
    this.name = raw.name;
    this.port = raw.port;
    this.mtu = raw.mtu;
    this.offloads = raw.offloads;
    this.fd = raw.fd;
    this.vlan = raw.vlan ?? facts.NO_VLAN;
    this.pollFd = raw.reads ? raw.fd : WRITES_ONLY;
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
    for (let i = 0; i < batch.count; i++) this.transmit(batch.slots[i]);
    batch.clear();
  }

  close(): void {
    this.isClosed = true;
    this.watch.clear(this.port);
  }

  closeFiles(): void {
    closeFile(this.fd);
  }

  state(): LinkState {
    return linkState(this.fd);
  }

  private readInto(batch: Batch): number {
    const { pool } = this.context;
    const slot = pool.take();
    if (slot < 0) return READ.NOTHING;
    const { message } = this.io;
    const result = this.io.receive(this.fd, facts.receiveAt(pool, slot), facts.RECEIVE_BYTES);
    if (result > VNET_HEADER_BYTES && !message.isTruncated(0)) {
      facts.readFrame(pool, slot, result, this.port, this.vlan, message.tag(0));
      batch.push(slot);
      this.roundBytes += weightOf(result, 1);
      return READ.PACKET;
    }
    pool.release(slot);
    return this.afterNoPacket(result);
  }

  private afterNoPacket(result: number): number {
    if (result > VNET_HEADER_BYTES) return this.lose(result, DROP.oversize);
    if (facts.isUnspeakable(result)) return this.lose(0, DROP['bad-offload']);
    if (facts.isDown(result)) this.watch.suspect(this);
    else if (facts.isReceiveFatal(result)) this.failure = -result;
    return READ.NOTHING;
  }

  /** A packet came and could not be taken; there may be more behind it. */
  private lose(bytes: number, reason: number): number {
    const { counters } = this.context;
    counters.received(this.port, bytes);
    counters.dropped(this.port, reason);
    return READ.DROPPED;
  }

  private transmit(slot: number): void {
    const { pool, counters } = this.context;
    const refused = facts.refusal(pool, slot, this.vlan);
    const result = this.isClosed ? -Errno.EBADF : refused >= 0 ? 0 : this.write(slot);
    if (result > 0) counters.sent(this.port, pool.length[slot]);
    else counters.dropped(this.port, result < 0 ? facts.sendFailure(result) : refused);
    pool.release(slot);
  }

  private write(slot: number): number {
    facts.aimFrame(this.context.pool, slot, this.vlan, this.io.message, 0);
    return this.io.send(this.fd);
  }
}
