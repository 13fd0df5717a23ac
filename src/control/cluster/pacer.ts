/**
 * Paces what follows from changes: the first change at once, those soon after it together a little later, and under
 * lasting change a few times a second only. No call while the one before is under way.
 */
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';

/** Between two calls (ms): the first time, doubled each time while change lasts, up to the second. */
const LEAST_GAP = 20;
const MOST_GAP = 320;
/** So long without a change, and the next one is a first one again (ms). */
const REST = 1000;

export class Pacer {
  private gap = LEAST_GAP;
  private ended = Number.NEGATIVE_INFINITY;
  private running = false;
  private again = false;
  private timer: Timer | undefined;
  private stopped = false;

  /** @param action tells of its failures itself. */
  constructor(
    private readonly action: () => Promise<void>,
    private readonly clock: Clock = SYSTEM_CLOCK,
  ) {}

  /** Something has changed. */
  change(): void {
    if (this.stopped || this.timer) return;
    if (this.running) {
      this.again = true;
      return;
    }
    const idle = this.clock.now() - this.ended;
    if (idle >= REST) this.gap = LEAST_GAP;
    if (idle >= this.gap) void this.run();
    else this.timer = this.clock.after(this.gap - idle, () => void this.run());
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    if (this.stopped) return;
    const since = this.clock.now() - this.ended;
    this.running = true;
    try {
      await this.action();
    } finally {
      this.running = false;
      this.ended = this.clock.now();
      this.gap = since >= REST ? LEAST_GAP : Math.min(this.gap * 2, MOST_GAP);
      if (this.again) {
        this.again = false;
        this.change();
      }
    }
  }
}
