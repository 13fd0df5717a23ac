/**
 * Which processors the calling thread may run on. Benchmarks pin the switch and its load generators apart;
 * worker threads call this themselves, since affinity is a thread's own.
 */
import { check, libc, nativeArray } from './libc.js';

const MASK_WORDS = 32;
const MASK_BYTES = MASK_WORDS * 4;

/** Restricts the calling thread to these processors (0 … 1023); EINVAL when none of them exists. */
export function pinThread(cpus: readonly number[]): void {
  const mask = nativeArray(MASK_WORDS);
  for (const cpu of cpus) mask[cpu >> 5]! |= 1 << (cpu & 31);
  check(libc().schedSetAffinity(0, MASK_BYTES, mask), 'sched_setaffinity', cpus.join(','));
}

/** The processors the calling thread may run on, ascending. */
export function threadAffinity(): number[] {
  const mask = nativeArray(MASK_WORDS);
  check(libc().schedGetAffinity(0, MASK_BYTES, mask), 'sched_getaffinity');
  const cpus: number[] = [];
  for (let cpu = 0; cpu < MASK_WORDS * 32; cpu++) {
    if (mask[cpu >> 5]! & (1 << (cpu & 31))) cpus.push(cpu);
  }
  return cpus;
}
