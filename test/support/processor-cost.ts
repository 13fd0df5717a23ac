/**
 * What work costs, in processor time of this process: a busy machine makes work last longer, and costs it hardly more.
 * The least of some rounds, so that what is compiled or collected once does not count.
 */
const ROUNDS = 3;

/** ms, of all threads: collecting the heap is part of the work. */
export function processorCost(work: () => void, rounds = ROUNDS): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
