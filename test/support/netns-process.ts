/** What a process costs, as /proc has it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { WORKERS } from './netns-workers.js';

/** Time that all threads of a process have had a processor for (ms); those that have ended do not count. */
export function processorTime(pid: number): number {
  const times = readdirSync(`/proc/${pid}/task`).map((thread) => threadTime(pid, thread));
  return times.reduce((sum, time) => sum + time, 0) / 1e6;
}

/** ns. A thread may end between listing and looking. */
function threadTime(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  } catch {
    return 0;
  }
}

/** The share of one processor that a process has within the next `ms`: 1 is all of it. */
export async function processorShare(pid: number, ms: number): Promise<number> {
  const before = processorTime(pid);
  const begun = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (processorTime(pid) - before) / (performance.now() - begun);
}

/** The share of the first such window in which it is below `limit`; the least of six where it never is. */
export async function restingShare(pid: number, ms: number, limit: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let window = 0; window < 6 && least >= limit; window++) {
    least = Math.min(least, await processorShare(pid, ms));
  }
  return least;
}

/** How many TAPs a process has open: each of its workers has a descriptor of each. */
export function openTaps(pid: number, workers = WORKERS): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => isTun(`/proc/${pid}/fd/${fd}`)).length / workers;
}

/** A descriptor may be closed between listing and looking. */
function isTun(path: string): boolean {
  try {
    return readlinkSync(path) === '/dev/net/tun';
  } catch {
    return false;
  }
}
