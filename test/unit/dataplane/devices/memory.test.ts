import { describe, expect, it } from 'vitest';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import {
  frameOf,
  newContext,
  receiveFrames,
  receiveSlots,
  sendFrames,
  sendSlots,
  slotWith,
} from './support.js';

const FACTS = {
  flags: PACKET.PARTIAL_CHECKSUM,
  gsoType: 1,
  gsoSize: 1448,
  checksumStart: 34,
  checksumOffset: 16,
};

describe('InMemoryDevice', () => {
  it('hands in what was injected, with its facts', () => {
    const context = newContext();
    const device = new InMemoryDevice({ context, port: 5 });
    device.inject(Buffer.from('0a0b', 'hex'), FACTS);
    const [slot] = receiveSlots(device, context.pool);
    const { flags, gsoType, gsoSize, checksumStart, checksumOffset, port } = context.pool;
    expect(frameOf(context.pool, slot)).toBe('0a0b');
    expect([flags[slot], gsoType[slot], gsoSize[slot]]).toEqual([PACKET.PARTIAL_CHECKSUM, 1, 1448]);
    expect([checksumStart[slot], checksumOffset[slot], port[slot]]).toEqual([34, 16, 5]);
  });

  it('keeps the bytes as they were when they were injected', () => {
    const context = newContext();
    const device = new InMemoryDevice({ context, port: 5 });
    const bytes = Uint8Array.of(1, 2);
    device.inject(bytes);
    bytes[0] = 9;
    expect(receiveFrames(device, context.pool)).toEqual(['0102']);
  });

  it('hands out what was sent, once, with its facts', () => {
    const context = newContext();
    const device = new InMemoryDevice({ context, port: 5 });
    const slot = slotWith(context.pool, '0a0b');
    context.pool.flags[slot] = FACTS.flags;
    context.pool.gsoType[slot] = FACTS.gsoType;
    context.pool.gsoSize[slot] = FACTS.gsoSize;
    context.pool.checksumStart[slot] = FACTS.checksumStart;
    context.pool.checksumOffset[slot] = FACTS.checksumOffset;
    sendSlots(device, [slot]);
    expect(device.take()).toEqual([{ bytes: Uint8Array.of(10, 11), ...FACTS }]);
    expect(device.take()).toEqual([]);
  });

  it('lets packets wait for a batch, and for slots', () => {
    const context = newContext(3);
    const device = new InMemoryDevice({ context, port: 5, batchSize: 2 });
    for (const byte of [1, 2, 3, 4, 5]) device.inject(Uint8Array.of(byte));
    const slots = receiveSlots(device, context.pool);
    expect(slots.length).toBe(2);
    expect(receiveFrames(device, context.pool)).toEqual(['03']);
    for (const slot of slots) context.pool.release(slot);
    expect(device.waiting).toBe(2);
    expect(receiveFrames(device, context.pool)).toEqual(['04', '05']);
    expect(device.waiting).toBe(0);
    device.inject(Uint8Array.of(6));
    expect(receiveFrames(device, context.pool)).toEqual(['06']);
  });

  it('takes frames up to the size of a slot', () => {
    const context = newContext(2);
    const device = new InMemoryDevice({ context, port: 5 });
    expect(() => device.inject(new Uint8Array(65_603))).toThrow(RangeError);
    const first = context.pool.take();
    const last = context.pool.take();
    context.pool.release(last);
    device.inject(new Uint8Array(65_602).fill(0xee));
    expect(receiveSlots(device, context.pool)).toEqual([last]);
    expect(context.pool.at[last] + context.pool.length[last]).toBe(context.pool.end(last));
    context.pool.release(first);
  });

  it('forgets what waits when it is closed', () => {
    const context = newContext();
    const device = new InMemoryDevice({ context, port: 5 });
    device.inject(Uint8Array.of(1));
    device.close();
    expect(device.waiting).toBe(0);
    sendFrames(device, context.pool, ['02']);
    expect(device.take()).toEqual([]);
  });
});
