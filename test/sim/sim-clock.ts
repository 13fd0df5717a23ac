/**
 * The time of a simulated cluster: timers in the order of their time and, among equals, of their making. What those
 * of one step set off in promises is let run to its end before time goes on, so that a run depends on nothing but its
 * seed.
 */
import type { Clock, Timer } from '../../src/control/clock.js';
import { type Due, TimeQueue } from '../../src/dataplane/devices/underlay-queue.js';

interface Entry extends Due {
  readonly action: () => void;
  isCancelled: boolean;
}

export class SimClock implements Clock {
  private time = 0;
  private made = 0;
  private readonly timers = new TimeQueue<Entry>();

  now(): number {
    return this.time;
  }

  after(ms: number, action: () => void): Timer {
    const entry = { due: this.time + Math.max(0, ms), order: this.made++, action, isCancelled: false };
    this.timers.push(entry);
    return {
      cancel: () => {
        entry.isCancelled = true;
      },
    };
  }

  /** Lets it become `time`, and runs what is due by then. */
  async advance(time: number): Promise<void> {
    while (this.timers.nextDue <= time) {
      this.runDue(time);
      await settled();
    }
    this.time = time;
  }

  private runDue(time: number): void {
    while (this.timers.nextDue <= time) {
      const entry = this.timers.shift()!;
      if (entry.isCancelled) continue;
      this.time = Math.max(this.time, entry.due);
      entry.action();
    }
  }
}

/** Every promise that can go on has gone on: microtasks run before what setImmediate asks for. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
