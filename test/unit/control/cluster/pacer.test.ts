/** How changes are paced, in virtual time. */
import { describe, expect, it } from 'vitest';
import type { Clock, Timer } from '../../../../src/control/clock.js';
import { Pacer } from '../../../../src/control/cluster/pacer.js';

class VirtualClock implements Clock {
  private time = 0;
  private timers: { at: number; action: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, action: () => void): Timer {
    const timer = { at: this.time + ms, action };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** Lets time pass, and what follows from it happen. */
  async pass(ms: number): Promise<void> {
    await settle();
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = next.at;
      next.action();
      await settle();
    }
    this.time = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

function paced(action: () => Promise<void> = async () => {}) {
  const clock = new VirtualClock();
  const calls: number[] = [];
  const pacer = new Pacer(() => {
    calls.push(clock.now());
    return action();
  }, clock);
  return { clock, calls, pacer };
}

describe('Pacer', () => {
  it('acts at the first change at once', async () => {
    const { calls, pacer } = paced();
    pacer.change();
    expect(calls).toEqual([0]);
  });

  it('acts once for what comes soon after it', async () => {
    const { clock, calls, pacer } = paced();
    for (let change = 0; change < 10; change++) {
      pacer.change();
      await clock.pass(1);
    }
    await clock.pass(1000);
    expect(calls).toEqual([0, 20]);
  });

  it('acts a few times a second under lasting change, and not less', async () => {
    const { clock, calls, pacer } = paced();
    for (let change = 0; change < 10_000; change++) {
      pacer.change();
      await clock.pass(1);
    }
    const last = calls.filter((at) => at >= 9000);
    expect(last.length).toBeGreaterThanOrEqual(3);
    expect(last.length).toBeLessThanOrEqual(4);
  });

  it('acts at once again after a rest', async () => {
    const { clock, calls, pacer } = paced();
    for (let change = 0; change < 2000; change++) {
      pacer.change();
      await clock.pass(1);
    }
    await clock.pass(3000);
    calls.length = 0;
    pacer.change();
    expect(calls).toEqual([5000]);
    await clock.pass(5);
    pacer.change();
    await clock.pass(100);
    expect(calls).toEqual([5000, 5020]);
  });

  it('never acts twice at a time, and does not forget what changed meanwhile', async () => {
    let done: () => void = () => {};
    const { clock, calls, pacer } = paced(() => new Promise((resolve) => (done = resolve)));
    pacer.change();
    pacer.change();
    await clock.pass(500);
    expect(calls).toEqual([0]);
    done();
    await settle();
    await clock.pass(500);
    expect(calls).toHaveLength(2);
  });

  it('does nothing more once it is stopped', async () => {
    const { clock, calls, pacer } = paced();
    pacer.change();
    await settle();
    pacer.change();
    pacer.stop();
    await clock.pass(1000);
    pacer.change();
    expect(calls).toEqual([0]);
  });
});
