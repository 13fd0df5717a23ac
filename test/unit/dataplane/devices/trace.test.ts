import { describe, expect, it } from 'vitest';
import { Batch } from '../../../../src/dataplane/batch.js';
import { InMemoryDevice } from '../../../../src/dataplane/devices/memory.js';
import { DIRECTION, TraceDevice } from '../../../../src/dataplane/devices/trace.js';
import { frameOf, newContext, receiveFrames, sendFrames, slotWith } from './support.js';

describe('TraceDevice', () => {
  it('shows each packet once, in order, while its bytes are there', () => {
    const context = newContext();
    const { pool } = context;
    const inner = new InMemoryDevice({ context, port: 5 });
    const seen: string[] = [];
    const observer = {
      packet(direction: number, slot: number): void {
        seen.push(`${direction === DIRECTION.RECEIVED ? 'in' : 'out'} ${frameOf(pool, slot)}`);
      },
    };
    const device = new TraceDevice(inner, observer);
    inner.inject(Uint8Array.of(1));
    inner.inject(Uint8Array.of(2));
    expect(receiveFrames(device, pool)).toEqual(['01', '02']);
    sendFrames(device, pool, ['03', '04']);
    expect(seen).toEqual(['in 01', 'in 02', 'out 03', 'out 04']);
    expect(inner.take().map(({ bytes }) => bytes[0])).toEqual([3, 4]);
  });

  it('does not show again what waits in the batch already', () => {
    const context = newContext();
    const inner = new InMemoryDevice({ context, port: 5 });
    const seen: number[] = [];
    const device = new TraceDevice(inner, { packet: (_, slot) => seen.push(slot) });
    const batch = new Batch(8);
    batch.push(slotWith(context.pool, '01'));
    inner.inject(Uint8Array.of(2));
    expect(device.receive(batch)).toBe(1);
    expect(seen).toEqual([batch.slots[1]]);
  });

  it('stands for the device that it wraps', () => {
    const context = newContext();
    const inner = new InMemoryDevice({ context, port: 5, name: 'web', mtu: 1400, offloads: 3, batchSize: 7 });
    const { name, port, mtu, offloads, batchSize } = new TraceDevice(inner, { packet: () => undefined });
    expect({ name, port, mtu, offloads, batchSize }).toEqual({
      name: 'web',
      port: 5,
      mtu: 1400,
      offloads: 3,
      batchSize: 7,
    });
  });
});
