/**
 * Fault: a device behind a bad link. Loses, repeats, delays, reorders and damages packets in either direction,
 * determined by a seed and by the clock that it is given; everything else is up to the device that it wraps.
 *
 * Nothing is lost to the counters: a packet lost on its way out counts as sent, since the link took it; a second
 * one is counted as replicated; packets lost on their way in were never received. Packets come out of the link
 * in `receive` and `send`, whichever comes first after their time: where the engine sleeps in between, `nextDue`
 * tells when to call. A damaged bit in a packet with a partial checksum goes unnoticed, as it would in a host.
 *
 * Bounded: `depth` packets in each direction. Out: more are dropped as tx-queue-full. In: more stay in the device.
 */
import { Batch } from '../batch.js';
import { TX_QUEUE } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { DROP } from '../drop-reasons.js';
import { FATE, type FaultRates, Impairment, NO_FAULTS } from './impairment.js';
import { SeededRandom } from './seeded-random.js';

export interface FaultOptions {
  readonly context: DeviceContext;
  /** The time that delays are counted in (ms): an engine's context, or a simulation's own. */
  readonly clock: { readonly now: number };
  readonly seed: number;
  /** For packets into the switch; what is left out is 0. */
  readonly receive?: Partial<FaultRates>;
  /** For packets out of the switch. */
  readonly send?: Partial<FaultRates>;
  /** Packets under way in each direction; at least two batches. */
  readonly depth?: number;
}

export class FaultDevice implements Device {
  readonly name: string;
  readonly port: number;
  readonly mtu: number;
  readonly offloads: number;
  readonly carries: 'frames' | 'datagrams' | undefined;
  readonly batchSize: number;
  private readonly context: DeviceContext;
  private readonly clock: { readonly now: number };
  private readonly inward: Impairment;
  private readonly outward: Impairment;
  /** What moves between the link and the device, within one call. */
  private readonly moving: Batch;
  private isClosed = false;

  constructor(
    private readonly device: Device,
    options: FaultOptions,
  ) {
    const { context, clock, seed } = options;
    this.name = device.name;
    this.port = device.port;
    this.mtu = device.mtu;
    this.offloads = device.offloads;
    this.carries = device.carries;
    this.batchSize = device.batchSize;
    this.context = context;
    this.clock = clock;
    const depth = Math.max(options.depth ?? TX_QUEUE, 2 * device.batchSize);
    this.moving = new Batch(depth);
    const { pool } = context;
    // A generator for each direction, so that traffic in one does not change what happens in the other.
    const into = { ...NO_FAULTS, ...options.receive };
    const out = { ...NO_FAULTS, ...options.send };
    this.inward = new Impairment(pool, new SeededRandom(2 * seed), into, depth);
    this.outward = new Impairment(pool, new SeededRandom(2 * seed + 1), out, depth);
  }

  /** When the next packet under way is due (ms), or Infinity. */
  get nextDue(): number {
    return Math.min(this.inward.nextDue, this.outward.nextDue);
  }

  receive(batch: Batch): number {
    this.flush();
    const { inward, clock, moving } = this;
    if (inward.room >= 2 * this.batchSize && !this.isClosed) {
      this.device.receive(moving);
      for (let i = 0; i < moving.count; i++) inward.admit(moving.slots[i], clock.now);
      moving.clear();
    }
    return inward.release(batch, clock.now, Math.min(this.batchSize, batch.capacity - batch.count));
  }

  send(batch: Batch): void {
    if (this.isClosed) {
      this.device.send(batch);
      return;
    }
    for (let i = 0; i < batch.count; i++) this.transmit(batch.slots[i]);
    batch.clear();
    this.flush();
  }

  /** Packets under way are lost: inward without a count, outward as port-down. */
  close(): void {
    const { pool, counters } = this.context;
    this.isClosed = true;
    for (let slot = this.inward.takeFirst(); slot >= 0; slot = this.inward.takeFirst()) pool.release(slot);
    for (let slot = this.outward.takeFirst(); slot >= 0; slot = this.outward.takeFirst()) {
      counters.dropped(this.port, DROP['port-down']);
      pool.release(slot);
    }
    this.device.close();
  }

  private transmit(slot: number): void {
    const { outward, context, port } = this;
    const { pool, counters } = context;
    if (outward.room === 0) {
      counters.dropped(port, DROP['tx-queue-full']);
      pool.release(slot);
      return;
    }
    const length = pool.length[slot];
    const fate = outward.admit(slot, this.clock.now);
    if (fate === FATE.LOST) counters.sent(port, length);
    else if (fate === FATE.TWO) counters.replicated(1);
  }

  /** Sends what is due. */
  private flush(): void {
    const { moving } = this;
    if (this.outward.release(moving, this.clock.now, moving.capacity) > 0) this.device.send(moving);
  }
}
