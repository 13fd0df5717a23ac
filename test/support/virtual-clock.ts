/**
 * A clock that a test moves. Timers run in order of their time, one at a time, and what they set off (promises,
 * deliveries of the embedded store, which come by setImmediate) is let run to its end before time goes on.
 */
import type { Clock, Timer } from '../../src/control/clock.js';

/** Turns of the event loop that are let pass after each timer: a chain of store calls takes a few. */
const TURNS = 8;

interface Due {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class VirtualClock implements Clock {
  private time = 0;
  private order = 0;
  private readonly timers = new Set<Due>();

  now(): number {
    return this.time;
  }

  after(ms: number, action: () => void): Timer {
    const due = { at: this.time + Math.max(0, ms), order: this.order++, action };
    this.timers.add(due);
    return { cancel: () => void this.timers.delete(due) };
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (let next = this.next(end); next; next = this.next(end)) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.action();
      await settle();
    }
    this.time = end;
  }

  /** Lets time pass in which no timer could run, as when the process is stopped; they all come afterwards, late. */
  stall(ms: number): void {
    this.time += ms;
  }

  private next(end: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.timers) {
      if (due.at > end) continue;
      if (!first || due.at < first.at || (due.at === first.at && due.order < first.order)) first = due;
    }
    return first;
  }
}

/** Until everything that is under way without a timer has run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
