/**
 * InMemoryDevice: a device whose other side is the program itself: `inject` makes a packet arrive, `take`
 * hands out what was sent. For golden cases, fuzzing and tests; it allocates for each packet it sends.
 *
 * Unbounded on the program's side, which holds the packets as arrays of its own. While the pool is empty,
 * injected packets wait, as they would in the kernel's queue. Drops: port-down, after `close`.
 */
import type { Batch } from '../batch.js';
import { DEVICE_BATCH } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import { FRAME_ROOM } from './packet-copy.js';

/** What virtio's header would say of a packet: the facts of the pool under the same names. */
export interface OffloadFacts {
  /** Bits of PACKET. */
  readonly flags: number;
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export interface TakenPacket extends OffloadFacts {
  /** The frame from its destination MAC address on: a copy. */
  readonly bytes: Uint8Array;
}

export interface InMemoryOptions {
  readonly context: DeviceContext;
  readonly port: number;
  /** Without it: `memory` and the port number. */
  readonly name?: string;
  /** Bytes of the largest network packet; 1500 without it. */
  readonly mtu?: number;
  /** Bits of OFFLOAD; without it none. */
  readonly offloads?: number;
  readonly batchSize?: number;
}

const NO_OFFLOAD: OffloadFacts = { flags: 0, gsoType: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };

export class InMemoryDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly batchSize: number;
  private readonly context: DeviceContext;
  private arriving: TakenPacket[] = [];
  private nextArriving = 0;
  private left: TakenPacket[] = [];
  private isClosed = false;

  constructor(options: InMemoryOptions) {
    this.context = options.context;
    this.port = options.port;
    this.name = options.name ?? `memory${options.port}`;
    this.mtu = options.mtu ?? 1500;
    this.offloads = options.offloads ?? 0;
    this.batchSize = options.batchSize ?? DEVICE_BATCH;
  }

  /**
   * Makes a frame arrive at the next `receive`. Facts not given are 0. The bytes are copied.
   * @throws RangeError where the frame is longer than a slot, which no parser ever gets to see.
   */
  inject(bytes: Uint8Array, facts: Partial<OffloadFacts> = {}): void {
    if (bytes.length > FRAME_ROOM) {
      throw new RangeError(`a frame of ${bytes.length} bytes does not fit a slot of ${FRAME_ROOM}`);
    }
    this.arriving.push({ ...NO_OFFLOAD, ...facts, bytes: bytes.slice() });
  }

  /** Everything sent since the last call, in order. */
  take(): TakenPacket[] {
    const { left } = this;
    this.left = [];
    return left;
  }

  /** Frames injected and not yet received. */
  get waiting(): number {
    return this.arriving.length - this.nextArriving;
  }

  receive(batch: Batch): number {
    const count = Math.min(
      this.waiting,
      this.batchSize,
      batch.capacity - batch.count,
      this.context.pool.free,
    );
    for (let i = 0; i < count; i++) batch.push(this.arrive(this.arriving[this.nextArriving++]));
    if (this.waiting === 0) {
      this.arriving = [];
      this.nextArriving = 0;
    }
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (this.isClosed) counters.dropped(this.port, DROP['port-down']);
      else {
        this.left.push(this.copyOut(slot));
        counters.sent(this.port, pool.length[slot]);
      }
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    this.isClosed = true;
    this.arriving = [];
    this.nextArriving = 0;
  }

  private arrive(packet: TakenPacket): number {
    const { pool } = this.context;
    const slot = pool.take();
    pool.reset(slot, packet.bytes.length, this.port);
    pool.bytes.set(packet.bytes, pool.at[slot]);
    pool.flags[slot] = packet.flags;
    pool.gsoType[slot] = packet.gsoType;
    pool.gsoSize[slot] = packet.gsoSize;
    pool.checksumStart[slot] = packet.checksumStart;
    pool.checksumOffset[slot] = packet.checksumOffset;
    return slot;
  }

  private copyOut(slot: number): TakenPacket {
    const { pool } = this.context;
    const at = pool.at[slot];
    return {
      bytes: pool.bytes.slice(at, at + pool.length[slot]),
      flags: pool.flags[slot],
      gsoType: pool.gsoType[slot],
      gsoSize: pool.gsoSize[slot],
      checksumStart: pool.checksumStart[slot],
      checksumOffset: pool.checksumOffset[slot],
    };
  }
}
