/**
 * The device of benchmarks: what arrives comes from a FrameStore, over and over, and what is sent is counted and its
 * slot released.
 *
 * It stands for a TAP or the tunnel's sockets without the kernel. A packet that arrives is copied into a fresh slot,
 * as the kernel does it: so its headers are in the first-level cache, where the kernel's copy would have put them,
 * and the slots are the few that the pool uses over and over. This copy is in the time that is measured, though in
 * operation it is the kernel's: some 8 ns for a shortest frame. What it costs together with the rest of this file, which
 * a device in operation does as well, is a figure of its own (`of that: bench loop`). To keep frames in their slots and
 * write over what differs was weighed: of a shortest frame nearly everything differs between flows, and slots would be
 * as many as flows and never in a cache, which is not so in operation.
 */
import type { Batch } from '../../src/dataplane/batch.js';
import type { Device } from '../../src/dataplane/device.js';
import type { Engine } from '../../src/dataplane/engine.js';
import type { FrameStore } from './frame-store.js';

/** The first words of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff;

/** What a device receives: frames, or datagrams and whom each is from. */
export interface Arrivals {
  readonly frames: FrameStore;
  /** IPv4 addresses of the senders of datagrams, by frame. */
  readonly senders?: Int32Array;
}

export class BenchDevice implements Device {
  readonly name: string;
  private arrivals: Arrivals | undefined;
  private next = 0;

  constructor(
    private readonly engine: Engine,
    readonly port: number,
    readonly mtu: number,
    readonly carries: 'frames' | 'datagrams',
    readonly batchSize: number,
    readonly offloads = 0,
  ) {
    this.name = `bench${port}`;
  }

  /** What it receives from now on, from the first on; undefined: nothing. */
  receiveFrom(arrivals: Arrivals | undefined): void {
    this.arrivals = arrivals;
    this.next = 0;
  }

  receive(batch: Batch): number {
    const { arrivals } = this;
    if (arrivals === undefined) return 0;
    const { frames, senders } = arrivals;
    const count = Math.min(this.batchSize, this.engine.pool.free);
    let { next } = this;
    for (let i = 0; i < count; i++) {
      const slot = this.arrive(frames.places[next], frames.lengths[next]);
      if (senders !== undefined) this.setSender(slot, senders[next]);
      batch.push(slot);
      if (++next === frames.count) next = 0;
    }
    this.next = next;
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.engine;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      counters.sent(this.port, pool.length[slot]);
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    this.arrivals = undefined;
  }

  private arrive(from: number, length: number): number {
    const { pool, context } = this.engine;
    const slot = pool.take();
    context.checksum.copy(pool.at[slot], from, length);
    pool.reset(slot, length, this.port);
    return slot;
  }

  private setSender(slot: number, address: number): void {
    const { remote, remotePort } = this.engine.pool;
    remote[slot * 4] = 0;
    remote[slot * 4 + 1] = 0;
    remote[slot * 4 + 2] = MAPPED;
    remote[slot * 4 + 3] = address;
    remotePort[slot] = 4789;
  }
}
