/** What an operation leaves on the heap, for tests that hold it against nothing. */
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

const COUNT = 1_000_000;
/** Rounds of it before, each a fiftieth. */
const ROUNDS = 20;
/** What the measurement itself may leave. */
export const SLACK = 256 * 1024;

export interface Run {
  bytes: number;
  collections: number;
  /** Sum of the results, so that no operation can be optimized away. */
  sum: number;
}

/** So many of it, once V8 has compiled it. */
export async function measure(operation: (i: number) => number, times = COUNT): Promise<Run> {
  const repeat = (count: number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = (sum + operation(i)) | 0;
    return sum;
  };
  // Until V8 has compiled it: unoptimized code boxes numbers.
  for (let i = 0; i < ROUNDS; i++) {
    repeat(times / 50);
    await wait(1);
  }
  const begun: number[] = [];
  const observer = new PerformanceObserver((list) => {
    begun.push(...list.getEntries().map(({ startTime }) => startTime));
  });
  await wait(5);
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage().heapUsed;
  const start = performance.now();
  const sum = repeat(times);
  const end = performance.now();
  const bytes = process.memoryUsage().heapUsed - before;
  await wait(5);
  observer.disconnect();
  // Not those of the moment before and after, which are the test runner's own.
  const collections = begun.filter((time) => time >= start && time <= end).length;
  return { bytes, collections, sum };
}
