/**
 * The way out: a bounded queue for each port, emptied into its device once a cycle.
 *
 * `output` is the one place where a packet meets the port that it leaves through: what the device cannot take
 * whole is finished here (checksum completed, segments cut), since only here is it known. A full queue or a
 * missing port is a counted drop.
 */

import { GSO } from '../wire/virtio-net.js';
import { Batch } from './batch.js';
import { MAX_PORTS, TX_QUEUE } from './constants.js';
import type { Counters } from './counters.js';
import { type Device, OFFLOAD } from './device.js';
import { DROP } from './drop-reasons.js';
import { PACKET, type PacketPool } from './pool.js';
import type { Segmenter } from './segmenter.js';

/** Which offloads a device needs to take a GSO packet of this virtio type; its checksum is always partial. */
function offloadsFor(gsoType: number): number {
  switch (gsoType & ~GSO.ECN) {
    case GSO.TCPV4:
      return OFFLOAD.CHECKSUM | OFFLOAD.TSO4;
    case GSO.TCPV6:
      return OFFLOAD.CHECKSUM | OFFLOAD.TSO6;
    default:
      return OFFLOAD.CHECKSUM | OFFLOAD.USO;
  }
}

export class Egress {
  private readonly devices: (Device | undefined)[] = new Array(MAX_PORTS).fill(undefined);
  private readonly queues: (Batch | undefined)[] = new Array(MAX_PORTS).fill(undefined);
  private readonly offloads = new Uint8Array(MAX_PORTS);
  private readonly dirty = new Uint16Array(MAX_PORTS);
  private readonly isDirty = new Uint8Array(MAX_PORTS);
  private dirtyCount = 0;

  constructor(
    private readonly pool: PacketPool,
    private readonly counters: Counters,
    private readonly segmenter: Segmenter,
  ) {}

  attach(device: Device): void {
    this.devices[device.port] = device;
    this.queues[device.port] = new Batch(TX_QUEUE);
    this.offloads[device.port] = device.offloads;
  }

  /** Forgets the port; called between cycles, when its queue is empty. */
  detach(port: number): void {
    this.devices[port] = undefined;
    this.queues[port] = undefined;
  }

  device(port: number): Device | undefined {
    return this.devices[port];
  }

  /**
   * The queue of a port for whoever has finished its packets for that port's device; undefined where there is none. Valid until
   * the next `flush`, which sends what was pushed.
   */
  queueOf(port: number): Batch | undefined {
    const queue = this.queues[port];
    if (queue !== undefined) this.markDirty(port);
    return queue;
  }

  /** Takes one reference of `slot` and sends it out of `port`, finished as far as the device needs it. */
  output(slot: number, port: number): void {
    const queue = this.queues[port];
    if (queue === undefined) {
      this.drop(slot, DROP['port-down']);
      return;
    }
    const { pool } = this;
    const offloads = this.offloads[port];
    const gsoType = pool.gsoType[slot];
    const needed = gsoType === GSO.NONE ? 0 : offloadsFor(gsoType);
    if ((offloads & needed) !== needed) {
      this.segmenter.segment(slot, queue);
    } else {
      if ((pool.flags[slot] & PACKET.PARTIAL_CHECKSUM) !== 0 && (offloads & OFFLOAD.CHECKSUM) === 0) {
        this.segmenter.completeChecksum(slot);
      }
      this.enqueue(slot, queue);
    }
    this.markDirty(port);
  }

  /** Sends what is queued, each port's packets with one call. */
  flush(): void {
    for (let i = 0; i < this.dirtyCount; i++) {
      const port = this.dirty[i];
      this.isDirty[port] = 0;
      this.devices[port]?.send(this.queues[port]!);
    }
    this.dirtyCount = 0;
  }

  private enqueue(slot: number, queue: Batch): void {
    if (queue.isFull) this.drop(slot, DROP['tx-queue-full']);
    else queue.push(slot);
  }

  private markDirty(port: number): void {
    if (this.isDirty[port] === 1) return;
    this.isDirty[port] = 1;
    this.dirty[this.dirtyCount++] = port;
  }

  private drop(slot: number, reason: number): void {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
  }
}
