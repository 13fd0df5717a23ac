import { describe, expect, it } from 'vitest';
import { Batch } from '../../../src/dataplane/batch.js';

describe('Batch', () => {
  it('keeps slots in order of arrival', () => {
    const batch = new Batch(3);
    for (const slot of [7, 0, 65_535]) batch.push(slot);
    expect(Array.from(batch.slots.subarray(0, batch.count))).toEqual([7, 0, 65_535]);
  });

  it('says when it is full', () => {
    const batch = new Batch(1);
    expect(batch.isFull).toBe(false);
    batch.push(4);
    expect(batch.isFull).toBe(true);
    batch.clear();
    expect([batch.isFull, batch.count]).toEqual([false, 0]);
  });
});
