/**
 * How long to wait before the next attempt: twice as long after each failure, up to a limit, and never exactly
 * that, so that many nodes that lost the same thing do not return in one moment ("full jitter" from the half up).
 */
export class Backoff {
  private failures = 0;

  /** @param first, limit milliseconds. @param random in [0, 1), for tests. */
  constructor(
    private readonly first = 200,
    private readonly limit = 10_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait now. */
  next(): number {
    const whole = Math.min(this.limit, this.first * 2 ** this.failures);
    if (whole < this.limit) this.failures++;
    return whole / 2 + (whole / 2) * this.random();
  }

  /** It worked. */
  reset(): void {
    this.failures = 0;
  }
}
