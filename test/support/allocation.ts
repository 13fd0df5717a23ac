/** What an operation leaves on the heap, for tests that hold it against nothing. */
import { PerformanceObserver } from 'node:perf_hooks';
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
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  await wait(5);
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage().heapUsed;
  const sum = repeat(times);
  const bytes = process.memoryUsage().heapUsed - before;
  await wait(5);
  observer.disconnect();
  return { bytes, collections, sum };
}
