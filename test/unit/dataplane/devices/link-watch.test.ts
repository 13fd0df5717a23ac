import { describe, expect, it } from 'vitest';
import { LinkWatch } from '../../../../src/dataplane/devices/link-watch.js';

class Link {
  looks = 0;
  is: 'up' | 'down' | 'gone' = 'down';
  constructor(readonly port: number) {}
  state(): 'up' | 'down' | 'gone' {
    this.looks++;
    return this.is;
  }
}

function watched() {
  const clock = { now: 0 };
  const told: number[] = [];
  const watch = new LinkWatch(
    (port) => told.push(port),
    () => clock.now,
  );
  return { clock, told, watch };
}

describe('LinkWatch', () => {
  it('leaves a wait as it is while nobody is suspected', () => {
    const { watch } = watched();
    expect(watch.isActive).toBe(false);
    expect([watch.limit(-1), watch.limit(7)]).toEqual([-1, 7]);
  });

  it('tells once of a link that is gone', () => {
    const { clock, told, watch } = watched();
    const link = new Link(3);
    watch.suspect(link);
    link.is = 'gone';
    clock.now = 1000;
    watch.look();
    watch.look();
    expect(told).toEqual([3]);
    expect(watch.isActive).toBe(false);
  });

  it('looks soon, then less and less often, but once a second', () => {
    const { clock, told, watch } = watched();
    const link = new Link(3);
    watch.suspect(link);
    const times: number[] = [];
    for (; clock.now < 10_000; clock.now++) {
      const before = link.looks;
      watch.look();
      if (link.looks > before) times.push(clock.now);
      expect(watch.limit(-1)).toBeGreaterThan(0);
    }
    expect(times[0]).toBeLessThanOrEqual(10);
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b));
    expect(gaps.at(-1)).toBe(1000);
    expect(told).toEqual([]);
  });

  it('bounds a wait by the next look', () => {
    const { clock, watch } = watched();
    watch.suspect(new Link(3));
    clock.now = 100;
    watch.look();
    const next = watch.limit(-1);
    expect(next).toBeGreaterThan(0);
    expect([watch.limit(next + 5), watch.limit(1)]).toEqual([next, 1]);
    clock.now += next + 50;
    expect(watch.limit(-1)).toBe(0);
  });

  it('forgets a link that is up again', () => {
    const { clock, told, watch } = watched();
    const link = new Link(3);
    watch.suspect(link);
    link.is = 'up';
    clock.now = 100;
    watch.look();
    link.is = 'gone';
    clock.now = 5000;
    watch.look();
    expect([link.looks, told, watch.isActive]).toEqual([1, [], false]);
  });

  it('forgets a link that is closed', () => {
    const { clock, told, watch } = watched();
    const link = new Link(3);
    watch.suspect(link);
    watch.clear(3);
    link.is = 'gone';
    clock.now = 5000;
    watch.look();
    expect([link.looks, told, watch.isActive]).toEqual([0, [], false]);
  });
});
