import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotRing } from '../../../../src/dataplane/devices/slot-ring.js';

describe('SlotRing', () => {
  it('behaves as a list of bounded length', () => {
    const steps = fc.array(fc.oneof(fc.nat(60_000), fc.constant('shift' as const)), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), steps, (capacity, steps) => {
        const ring = new SlotRing(capacity);
        const model: number[] = [];
        for (const step of steps) {
          if (step !== 'shift' && model.length < capacity) {
            ring.push(step);
            model.push(step);
          } else if (model.length > 0) {
            expect(ring.shift()).toBe(model.shift());
          }
          expect(ring.count).toBe(model.length);
          expect(ring.isFull).toBe(model.length === capacity);
        }
      }),
    );
  });
});
