import { describe, expect, it } from 'vitest';
import { MAX_PORTS } from '../../../src/dataplane/constants.js';
import {
  Counters,
  CYCLES,
  type PortCounter,
  SummedCounters,
  TOTALS,
} from '../../../src/dataplane/counters.js';
import { DROP, DROP_MEANINGS, DROP_REASONS } from '../../../src/dataplane/drop-reasons.js';

describe('Counters', () => {
  it('counts packets and octets of a port, and of all', () => {
    const counters = new Counters();
    counters.received(3, 60);
    counters.received(3, 1514);
    counters.sent(4, 60);
    expect([counters.port(3, 'rxPackets'), counters.port(3, 'rxBytes')]).toEqual([2, 1574]);
    expect([counters.port(4, 'txPackets'), counters.port(4, 'txBytes')]).toEqual([1, 60]);
    expect([counters.port(3, 'txPackets'), counters.port(4, 'rxPackets')]).toEqual([0, 0]);
    expect([counters.total('received'), counters.total('sent')]).toEqual([2, 1]);
  });

  it('counts each event under its own name', () => {
    const counters = new Counters();
    counters.received(0, 1);
    for (let i = 0; i < 2; i++) counters.originated();
    counters.replicated(3);
    for (let i = 0; i < 4; i++) counters.joined();
    for (let i = 0; i < 5; i++) counters.consumed();
    for (let i = 0; i < 6; i++) counters.sent(0, 1);
    for (let i = 0; i < 7; i++) counters.dropped(0, 0);
    expect(TOTALS.map((total) => counters.total(total))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (let i = 0; i < 2; i++) counters.cycle(10);
    for (let i = 0; i < 3; i++) counters.suppressedError();
    for (let i = 0; i < 4; i++) counters.movedAddress();
    for (let i = 0; i < 5; i++) counters.unsharedAddress(2);
    for (let i = 0; i < 6; i++) counters.express(2);
    expect(CYCLES.map((name) => counters.cycleCounter(name))).toEqual([2, 20, 3, 4, 10, 12]);
  });

  it('keeps every reason of every port apart', () => {
    const counters = new Counters();
    const last = DROP_REASONS.length - 1;
    counters.dropped(0, last);
    counters.dropped(1, 0);
    counters.dropped(MAX_PORTS - 1, last);
    counters.received(1, 60);
    expect(counters.portDrops(0, last)).toBe(1);
    expect(counters.portDrops(1, 0)).toBe(1);
    expect(counters.portDrops(1, last)).toBe(0);
    expect(counters.portDrops(MAX_PORTS - 1, last)).toBe(1);
    expect(counters.port(1, 'rxPackets')).toBe(1);
    expect(counters.total('dropped')).toBe(3);
  });

  it('forgets one port without touching its neighbours or the totals', () => {
    const counters = new Counters();
    for (const port of [1, 2, 3]) {
      counters.received(port, 60);
      counters.dropped(port, DROP['device-error']);
    }
    counters.clearPort(2);
    expect([1, 2, 3].map((port) => counters.port(port, 'rxPackets'))).toEqual([1, 0, 1]);
    expect([1, 2, 3].map((port) => counters.portDrops(port, DROP['device-error']))).toEqual([1, 0, 1]);
    expect(counters.total('dropped')).toBe(3);
  });

  it('keeps drops of ports that are gone, before and after their number is another’s', () => {
    const counters = new Counters();
    counters.dropped(1, 3);
    counters.dropped(2, 3);
    counters.dropped(2, 4);
    expect(counters.goneDrops(3, new Set([1, 2]))).toBe(0);
    expect(counters.goneDrops(3, new Set([1]))).toBe(1);
    counters.clearPort(2);
    counters.dropped(2, 3);
    expect([3, 4].map((reason) => counters.goneDrops(reason, new Set([1, 2])))).toEqual([1, 1]);
    expect(new SummedCounters([counters, counters]).goneDrops(4, new Set([1]))).toBe(2);
  });

  it('is read by whoever has its buffer', () => {
    const counters = new Counters();
    const reader = new Counters(counters.shared);
    counters.received(9, 100);
    expect([reader.total('received'), reader.port(9, 'rxBytes')]).toEqual([1, 100]);
  });
});

describe('SummedCounters', () => {
  it('reads what several have counted as one', () => {
    const engines = [new Counters(), new Counters(), new Counters()];
    const sum = new SummedCounters(engines);
    expect(TOTALS.map((total) => sum.total(total))).toEqual(TOTALS.map(() => 0));
    engines[0].received(3, 60);
    engines[1].received(3, 100);
    engines[2].received(4, 7);
    engines[2].sent(3, 1000);
    for (const counters of engines) counters.dropped(3, DROP['too-big']);
    engines[0].cycle(5);
    engines[2].cycle(7);
    expect(['rxPackets', 'rxBytes', 'txBytes'].map((name) => sum.port(3, name as PortCounter))).toEqual([
      2, 160, 1000,
    ]);
    expect([sum.portDrops(3, DROP['too-big']), sum.portDrops(4, DROP['too-big'])]).toEqual([3, 0]);
    expect([sum.total('received'), sum.total('sent'), sum.total('dropped')]).toEqual([3, 1, 3]);
    expect([sum.cycleCounter('cycles'), sum.cycleCounter('cyclePackets')]).toEqual([2, 12]);
  });
});

describe('drop reasons', () => {
  it('have each a name of their own, a number and a meaning', () => {
    expect(new Set(DROP_REASONS).size).toBe(DROP_REASONS.length);
    expect(DROP_REASONS.map((name) => DROP[name])).toEqual(DROP_REASONS.map((_, number) => number));
    expect(DROP_MEANINGS).toHaveLength(DROP_REASONS.length);
    expect(DROP_MEANINGS.every((meaning) => meaning.length > 10)).toBe(true);
  });
});
