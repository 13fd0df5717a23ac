import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Departures } from '../../../../src/dataplane/shaping/departures.js';

/** All that is due, as slots. */
function take(departures: Departures, now: number): number[] {
  const slots: number[] = [];
  for (let slot = departures.takeDue(now); slot >= 0; slot = departures.takeDue(now)) slots.push(slot);
  return slots;
}

describe('Departures', () => {
  it('lets go what is due, the earliest first, and says when the next one is', () => {
    const departures = new Departures(8);
    departures.add(3, 10, 300);
    departures.add(4, 11, 100);
    departures.add(5, 12, 200);
    expect(departures.untilNext(50)).toBe(50);
    expect(take(departures, 99)).toEqual([]);
    expect(take(departures, 200)).toEqual([4, 5]);
    expect([departures.untilNext(200), departures.untilNext(301), departures.held]).toEqual([100, 0, 1]);
    expect(take(departures, 300)).toEqual([3]);
    expect([departures.untilNext(300), departures.held]).toEqual([-1, 0]);
  });

  it('keeps the order of a queue, whatever is due when', () => {
    const departures = new Departures(8);
    departures.add(0, 10, 300);
    departures.add(1, 10, 100);
    departures.add(2, 10, 400);
    expect(take(departures, 299)).toEqual([]);
    expect(take(departures, 300)).toEqual([0, 1]);
    expect(take(departures, 400)).toEqual([2]);
  });

  it('goes on where 32 bits of microseconds turn round', () => {
    const departures = new Departures(4);
    const now = 0x7fff_fff0 | 0;
    departures.add(0, 1, (now + 100) | 0);
    departures.add(1, 2, (now + 10) | 0);
    expect(departures.untilNext(now)).toBe(10);
    expect(take(departures, (now + 50) | 0)).toEqual([1]);
    expect(take(departures, (now + 100) | 0)).toEqual([0]);
  });

  it('counts what waits by port', () => {
    const departures = new Departures(4);
    departures.add(0, 5 * 2, 10);
    departures.add(1, 5 * 2 + 1, 10);
    departures.add(2, 6 * 2, 10);
    expect([5, 6, 7].map((port) => departures.heldOf(port))).toEqual([2, 1, 0]);
    take(departures, 10);
    expect([5, 6, 7].map((port) => departures.heldOf(port))).toEqual([0, 0, 0]);
  });

  it('takes out what shall not stay, and lets a queue go at once', () => {
    const departures = new Departures(8);
    for (const slot of [0, 1, 2]) departures.add(slot, 10, 1000 + slot);
    for (const slot of [3, 4, 5]) departures.add(slot, 11, 2000 + slot);
    departures.revise(
      50,
      (slot) => slot !== 1 && slot !== 5,
      (queue) => queue === 11,
    );
    expect(departures.held).toBe(4);
    expect(take(departures, 50)).toEqual([3, 4]);
    expect(take(departures, 2000)).toEqual([0, 2]);
    departures.add(6, 11, 60);
    expect(take(departures, 60)).toEqual([6]);
  });

  it('lets everything go once, in order of time and of each queue', () => {
    const packet = fc.record({ queue: fc.integer({ min: 0, max: 5 }), due: fc.integer({ min: 0, max: 50 }) });
    const property = fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
      const departures = new Departures(60);
      for (const [slot, { queue, due }] of packets.entries()) departures.add(slot, queue, due);
      const left: number[] = [];
      for (let now = 0; now <= 50; now++) {
        for (const slot of take(departures, now)) {
          expect(packets[slot].due).toBeLessThanOrEqual(now);
          left.push(slot);
        }
      }
      expect([...left].sort((a, b) => a - b)).toEqual(packets.map((_, slot) => slot));
      for (const queue of [0, 1, 2, 3, 4, 5]) {
        const slots = left.filter((slot) => packets[slot].queue === queue);
        expect(slots).toEqual([...slots].sort((a, b) => a - b));
      }
    });
    fc.assert(property, { numRuns: 200 });
  });
});
