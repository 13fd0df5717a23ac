/**
 * What the machine's monotonic clock showed when this thread's `performance.now()` showed 0 (ms). Threads of one
 * process count from different starts; the difference of two of these turns one's times into the other's.
 */
export function clockStart(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}
