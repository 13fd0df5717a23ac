/** Packets in and out of a pool, for tests of devices. */
import { Batch } from '../../../../src/dataplane/batch.js';
import { Counters } from '../../../../src/dataplane/counters.js';
import type { Device, DeviceContext } from '../../../../src/dataplane/device.js';
import { PacketPool } from '../../../../src/dataplane/pool.js';

export function newContext(slots = 64): DeviceContext {
  return { pool: new PacketPool(slots), counters: new Counters() };
}

/** A slot with this frame, of port 9. */
export function slotWith(pool: PacketPool, frame: string): number {
  const slot = pool.take();
  const bytes = Buffer.from(frame, 'hex');
  pool.reset(slot, bytes.length, 9);
  pool.bytes.set(bytes, pool.at[slot]);
  return slot;
}

export function frameOf(pool: PacketPool, slot: number): string {
  return Buffer.from(pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot])).toString('hex');
}

export function sendSlots(device: Device, slots: readonly number[]): void {
  const batch = new Batch(Math.max(1, slots.length));
  for (const slot of slots) batch.push(slot);
  device.send(batch);
}

export function sendFrames(device: Device, pool: PacketPool, frames: readonly string[]): void {
  sendSlots(
    device,
    frames.map((frame) => slotWith(pool, frame)),
  );
}

/** One call of `receive`. */
export function receiveSlots(device: Device, pool: PacketPool): number[] {
  const batch = new Batch(pool.capacity);
  device.receive(batch);
  return [...batch.slots.subarray(0, batch.count)];
}

/** The frames of one call of `receive`, whose slots go back to the pool. */
export function receiveFrames(device: Device, pool: PacketPool): string[] {
  return receiveSlots(device, pool).map((slot) => {
    const frame = frameOf(pool, slot);
    pool.release(slot);
    return frame;
  });
}
