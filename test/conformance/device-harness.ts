/** What the device conformance suite asks of whoever plugs in a device, and the frames that it sends through it. */
import { expect } from 'vitest';
import { Batch } from '../../src/dataplane/batch.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import type { OffloadFacts } from '../../src/dataplane/devices/memory.js';

export interface HarnessFrame {
  readonly bytes: Uint8Array;
  readonly facts?: OffloadFacts;
}

export interface DeviceHarness {
  readonly device: Device;
  /** The pool has at least 400 slots. */
  readonly context: DeviceContext;
  /** Makes the device receive these frames, in this order. */
  inject(frames: readonly HarnessFrame[]): void | Promise<void>;
  /** Frames that left the device since the last call, in order; frames that others sent are left out. */
  sent(): readonly HarnessFrame[] | Promise<readonly HarnessFrame[]>;
  /** Waits until I/O is at rest: what was injected can be received, and what was sent has left. */
  settle(): void | Promise<void>;
  /** Slots that the device itself holds at rest: reads that wait for a packet. 0 without it. */
  held?(): number;
  /** Makes the next sends fail, as an interface does that is down. */
  fail?(): void | Promise<void>;
  /** Without an allocation of its own, lets what was sent be received again. */
  turn?(): void;
  /** Closes the device, where the test has not, and all else. */
  close(): void | Promise<void>;
}

/** Reasons why a device cannot be asked some of it, which are printed, and how much of the rest. */
export interface Exceptions {
  /** No tests at all: a privilege or a program is missing. */
  readonly all?: string;
  /** The device carries no offload facts. */
  readonly offloads?: string;
  /** Bytes of the largest frame that can be made to arrive, where that is less than the largest there is. */
  readonly largest?: number;
  /** Its sends cannot be made to fail. */
  readonly fail?: string;
  /** Packets do not wait outside of the pool. */
  readonly starve?: string;
  /** It cannot be run in a circle without allocations around it. */
  readonly turn?: string;
}

/** A frame for nobody, of the local experimental EtherType 0x88b5 (IEEE 802), numbered and filled. */
export function numberedFrame(number: number, length = 60): HarnessFrame {
  const bytes = new Uint8Array(length);
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  for (let i = 14; i < length; i++) bytes[i] = (i * 31 + number) & 0xff;
  new DataView(bytes.buffer).setUint32(14, number);
  return { bytes };
}

export function numberedFrames(count: number): HarnessFrame[] {
  return Array.from({ length: count }, (_, number) => numberedFrame(number));
}

export function hex(frames: readonly HarnessFrame[]): string[] {
  return frames.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
}

/** A device under test with the steps that tests are made of. */
export class DeviceSession {
  constructor(readonly harness: DeviceHarness) {}

  get pool() {
    return this.harness.context.pool;
  }

  get port(): number {
    return this.harness.device.port;
  }

  /** Receives until nothing more comes. Answers the slots, which are the test's. */
  async receiveAll(): Promise<number[]> {
    const { harness } = this;
    const received: number[] = [];
    const batch = new Batch(this.pool.capacity);
    do {
      batch.clear();
      await harness.settle();
      const count = harness.device.receive(batch);
      expect(count).toBe(batch.count);
      expect(count).toBeLessThanOrEqual(harness.device.batchSize);
      received.push(...batch.slots.subarray(0, batch.count));
    } while (batch.count > 0);
    return received;
  }

  /** Injects and receives them. */
  async receive(frames: readonly HarnessFrame[]): Promise<number[]> {
    await this.harness.inject(frames);
    return this.receiveAll();
  }

  /** A slot of the pool with this frame, as an element would leave it. */
  slotWith({ bytes, facts }: HarnessFrame): number {
    const { pool } = this;
    const slot = pool.take();
    expect(slot).toBeGreaterThanOrEqual(0);
    pool.reset(slot, bytes.length, 99);
    pool.bytes.set(bytes, pool.at[slot]);
    pool.l3[slot] = pool.at[slot] + 14;
    pool.l3Length[slot] = bytes.length - 14;
    if (facts === undefined) return slot;
    pool.flags[slot] = facts.flags;
    pool.gsoType[slot] = facts.gsoType;
    pool.gsoSize[slot] = facts.gsoSize;
    pool.checksumStart[slot] = facts.checksumStart;
    pool.checksumOffset[slot] = facts.checksumOffset;
    pool.l4[slot] = pool.at[slot] + facts.checksumStart;
    return slot;
  }

  /** Sends slots with one call and waits until they have left. */
  async send(slots: readonly number[]): Promise<void> {
    const batch = new Batch(Math.max(1, slots.length));
    for (const slot of slots) batch.push(slot);
    this.harness.device.send(batch);
    expect(batch.count).toBe(0);
    await this.harness.settle();
  }

  frameOf(slot: number): HarnessFrame {
    const { pool } = this;
    return { bytes: pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]) };
  }

  release(slots: readonly number[]): void {
    for (const slot of slots) this.pool.release(slot);
  }

  /** Every slot is free, held by the device, or one of `owned` that the test has. */
  expectSlots(owned: number): void {
    const { pool, harness } = this;
    expect(pool.free + (harness.held?.() ?? 0) + owned).toBe(pool.capacity);
  }

  /** Packets and bytes sent, and drops of any reason, as the counters have them. */
  counts(): { sent: number; bytes: number; dropped: number } {
    const { counters } = this.harness.context;
    const sent = counters.port(this.port, 'txPackets');
    expect(counters.total('sent')).toBeGreaterThanOrEqual(sent);
    return { sent, bytes: counters.port(this.port, 'txBytes'), dropped: counters.total('dropped') };
  }
}
