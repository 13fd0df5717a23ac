/**
 * Trace: a device that shows an observer every packet which passes through the one that it wraps.
 *
 * The observer looks at the packet in its slot, while the slot is certainly a packet's: after it was received
 * and before it is sent. It must neither write to the slot nor keep its number; what it wants later it copies.
 * Whether a packet shown as leaving was then sent or dropped, the counters tell.
 */
import type { Batch } from '../batch.js';
import type { Device } from '../device.js';

export const DIRECTION = {
  /** Into the switch. */
  RECEIVED: 0,
  /** Out of the switch. */
  SENT: 1,
} as const;

export interface PacketObserver {
  /** @param direction one of DIRECTION. */
  packet(direction: number, slot: number): void;
}

export class TraceDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly carries: 'frames' | 'datagrams' | undefined;
  readonly batchSize: number;

  constructor(
    private readonly device: Device,
    private readonly observer: PacketObserver,
  ) {
    this.name = device.name;
    this.port = device.port;
    this.mtu = device.mtu;
    this.offloads = device.offloads;
    this.carries = device.carries;
    this.batchSize = device.batchSize;
  }

  receive(batch: Batch): number {
    const first = batch.count;
    const count = this.device.receive(batch);
    for (let i = first; i < batch.count; i++) this.observer.packet(DIRECTION.RECEIVED, batch.slots[i]);
    return count;
  }

  send(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.observer.packet(DIRECTION.SENT, batch.slots[i]);
    this.device.send(batch);
  }

  close(): void {
    this.device.close();
  }
}
