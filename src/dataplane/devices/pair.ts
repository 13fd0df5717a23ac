/**
 * Pair: two devices joined back to back in memory. What one sends, the other receives.
 *
 * It is a veth pair of the switch's own: offload facts pass as they are, since nothing that needs a finished
 * packet lies between. Ends with one pool hand slots over; ends with two pools, as in a cluster simulated in
 * one process, copy. A packet that others hold too, or that has used its headroom, is copied in either case,
 * because the receiver may write to it.
 *
 * Bounded: `depth` packets wait at each end; more are dropped by the sender as tx-queue-full. Other drops:
 * no-slot (the receiver's pool is empty), port-down (either end is closed).
 */
import type { Batch } from '../batch.js';
import { DEVICE_BATCH, TX_QUEUE } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import { copyPacket, isAtStart, markReceived } from './packet-copy.js';
import { SlotRing } from './slot-ring.js';

export interface PairEndOptions {
  /** The engine that this end belongs to. */
  readonly context: DeviceContext;
  readonly port: number;
  /** Without it: `pair` and the port number. */
  readonly name?: string;
  /** Bytes of the largest network packet; 1500 without it. */
  readonly mtu?: number;
  /** Bits of OFFLOAD; without it none. */
  readonly offloads?: number;
  /** Frames without it. Datagrams keep their `remote`, which the pair takes for the sender's. */
  readonly carries?: 'frames' | 'datagrams';
  readonly batchSize?: number;
}

export interface PairOptions {
  readonly a: PairEndOptions;
  readonly b: PairEndOptions;
  /** Packets that wait at each end; TX_QUEUE without it. */
  readonly depth?: number;
}

export interface Pair {
  readonly a: PairDevice;
  readonly b: PairDevice;
}

export function createPair(options: PairOptions): Pair {
  const depth = options.depth ?? TX_QUEUE;
  const a = new PairDevice(options.a, depth);
  const b = new PairDevice(options.b, depth);
  a.connect(b);
  b.connect(a);
  return { a, b };
}

export class PairDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly carries: 'frames' | 'datagrams';
  readonly batchSize: number;
  private readonly context: DeviceContext;
  private readonly arrived: SlotRing;
  private peer: PairDevice | undefined;
  private isClosed = false;

  constructor(options: PairEndOptions, depth: number) {
    this.context = options.context;
    this.port = options.port;
    this.name = options.name ?? `pair${options.port}`;
    this.mtu = options.mtu ?? 1500;
    this.offloads = options.offloads ?? 0;
    this.carries = options.carries ?? 'frames';
    this.batchSize = options.batchSize ?? DEVICE_BATCH;
    this.arrived = new SlotRing(depth);
  }

  /** Names the other end, once. */
  connect(peer: PairDevice): void {
    this.peer = peer;
  }

  /** Packets that wait to be received here. */
  get waiting(): number {
    return this.arrived.count;
  }

  receive(batch: Batch): number {
    const { arrived, context, port } = this;
    const count = Math.min(arrived.count, this.batchSize, batch.capacity - batch.count);
    for (let i = 0; i < count; i++) {
      const slot = arrived.shift();
      markReceived(context.pool, slot, port);
      batch.push(slot);
    }
    return count;
  }

  send(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.transmit(batch.slots[i]);
    batch.clear();
  }

  /** Packets on their way to this end are lost without a count: they were sent, and never received. */
  close(): void {
    this.isClosed = true;
    while (this.arrived.count > 0) this.context.pool.release(this.arrived.shift());
  }

  private transmit(slot: number): void {
    const { pool, counters } = this.context;
    const length = pool.length[slot];
    const refusal = this.deliver(slot);
    if (refusal < 0) {
      counters.sent(this.port, length);
    } else {
      counters.dropped(this.port, refusal);
      pool.release(slot);
    }
  }

  /** Passes one packet to the peer and answers -1, or answers why not, with the slot still to be released. */
  private deliver(slot: number): number {
    const { peer } = this;
    const { pool } = this.context;
    if (peer === undefined || this.isClosed || peer.isClosed) return DROP['port-down'];
    if (peer.arrived.isFull) return DROP['tx-queue-full'];
    if (peer.context.pool === pool && !pool.isShared(slot) && isAtStart(pool, slot)) {
      peer.arrived.push(slot);
      return -1;
    }
    const copy = copyPacket(pool, slot, peer.context.pool);
    if (copy < 0) return DROP['no-slot'];
    peer.arrived.push(copy);
    pool.release(slot);
    return -1;
  }
}
