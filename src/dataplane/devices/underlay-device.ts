/**
 * UnderlayDevice: a tunnel device on an in-memory underlay. Made by `Underlay.attach`.
 *
 * Bounded: `depth` messages wait to be received; more are lost, as at a socket whose buffer is full. They wait
 * outside of the pool, and stay there while it is empty. Drops: port-down once it is closed; too-big, above the
 * path's MTU. It allocates for each message.
 */
import type { Batch } from '../batch.js';
import { DEVICE_BATCH, TX_QUEUE } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import { FRAME_ROOM } from './packet-copy.js';
import { addressText, addressWords } from './remote.js';
import type { Underlay, UnderlayEnd, UnderlayMessage } from './underlay.js';

/** Payload of the largest datagram over IPv4, and what IP and UDP put before it. */
const LARGEST_PAYLOAD = 65_507;
const OUTER_IPV4 = 28;
const OUTER_IPV6 = 48;

/** The first of the dynamic ports, from which sources are numbered. */
const FIRST_SOURCE = 49_152;

export class UnderlayDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu = LARGEST_PAYLOAD;
  readonly offloads = 0;
  readonly carries = 'datagrams';
  readonly batchSize: number;
  readonly address: string;
  readonly udpPort: number;
  private readonly context: DeviceContext;
  private readonly sources: number;
  private readonly firstSource: number;
  private readonly depth: number;
  private readonly headers: number;
  private readonly onTooBig: (address: string) => void;
  private arrived: UnderlayMessage[] = [];
  private nextArrived = 0;
  private isClosed = false;

  constructor(
    private readonly underlay: Underlay,
    end: UnderlayEnd,
    private readonly detach: () => void,
  ) {
    this.context = end.context;
    this.port = end.port;
    this.address = addressText(addressWords(end.address));
    this.headers = this.address.includes(':') ? OUTER_IPV6 : OUTER_IPV4;
    this.udpPort = end.udpPort ?? 4789;
    this.name = end.name ?? `tunnel ${this.address}`;
    this.sources = end.sources ?? 16;
    this.firstSource = end.firstSource ?? FIRST_SOURCE;
    this.batchSize = end.batchSize ?? DEVICE_BATCH;
    this.depth = end.depth ?? TX_QUEUE;
    this.onTooBig = end.onTooBig ?? (() => {});
  }

  /** Messages that wait to be received. */
  get waiting(): number {
    return this.arrived.length - this.nextArrived;
  }

  /** What the underlay has brought. */
  arrive(message: UnderlayMessage): void {
    if (this.waiting < this.depth) this.arrived.push(message);
  }

  receive(batch: Batch): number {
    const { pool } = this.context;
    const count = Math.min(this.waiting, this.batchSize, batch.capacity - batch.count, pool.free);
    for (let i = 0; i < count; i++) batch.push(this.place(this.arrived[this.nextArrived++]));
    if (this.waiting === 0) {
      this.arrived = [];
      this.nextArrived = 0;
    }
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const refusal = this.transmit(slot);
      if (refusal < 0) counters.sent(this.port, pool.length[slot]);
      else counters.dropped(this.port, refusal);
      pool.release(slot);
    }
    batch.clear();
  }

  /** What has arrived is lost; what is on its way finds nobody. */
  close(): void {
    this.isClosed = true;
    this.arrived = [];
    this.nextArrived = 0;
    this.detach();
  }

  /** Gives a copy to the underlay and answers -1, or answers why not. */
  private transmit(slot: number): number {
    if (this.isClosed) return DROP['port-down'];
    const { pool } = this.context;
    const length = pool.length[slot];
    const gsoSize = pool.gsoSize[slot] < length ? pool.gsoSize[slot] : 0;
    const to = addressText(pool.remote, slot * 4);
    const largest = gsoSize === 0 ? length : gsoSize;
    if (length > LARGEST_PAYLOAD || largest + this.headers > this.underlay.pathMtu(this.address, to)) {
      this.onTooBig(to);
      return DROP['too-big'];
    }
    const at = pool.at[slot];
    this.underlay.take({
      from: this.address,
      to,
      fromPort: this.firstSource + ((pool.info[slot] >>> 0) % this.sources),
      toPort: pool.remotePort[slot],
      bytes: pool.bytes.slice(at, at + length),
      gsoSize,
      at: this.underlay.now,
    });
    return -1;
  }

  private place(message: UnderlayMessage): number {
    const { pool } = this.context;
    const slot = pool.take();
    const { bytes } = message;
    pool.reset(slot, Math.min(bytes.length, FRAME_ROOM), this.port);
    pool.bytes.set(bytes.length > FRAME_ROOM ? bytes.subarray(0, FRAME_ROOM) : bytes, pool.at[slot]);
    pool.gsoSize[slot] = message.gsoSize;
    pool.remote.set(addressWords(message.from), slot * 4);
    pool.remotePort[slot] = message.fromPort;
    return slot;
  }
}
