/** What a process costs, as /proc has it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { WORKERS } from './netns-workers.js';

/** Time that all threads of a process have had a processor for (ms); those that have ended do not count. */
export function processorTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds);
  });
  return times.reduce((sum, time) => sum + time, 0) / 1e6;
}

/** The share of one processor that a process has within the next `ms`: 1 is all of it. */
export async function processorShare(pid: number, ms: number): Promise<number> {
  const before = processorTime(pid);
  const begun = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (processorTime(pid) - before) / (performance.now() - begun);
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
