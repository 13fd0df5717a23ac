/**
 * Time for control code that waits: monotonic, so that setting the machine's clock changes nothing, and given as
 * an argument, so that a test can let hours pass in a moment.
 */

export interface Timer {
  /** Afterwards it does not run. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Runs `action` once after `ms`. Does not keep the process alive. */
  after(ms: number, action: () => void): Timer;
}

/** setTimeout takes no more than this (2^31 - 1 ms). */
const LONGEST = 0x7fff_ffff;

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, action) => {
    const timer = setTimeout(action, Math.min(ms, LONGEST)).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
