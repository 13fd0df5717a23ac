/** How many bytes of heap a packet costs. */

const WARM_UP = 50_000;
const PACKETS = 50_000;
const TRIES = 7;
/** Of a try that leaves no doubt (bytes a packet). */
const NOTHING = 0.5;

/**
 * Runs `round`, which answers how many packets it moved, and watches the heap grow; the least of some tries, since
 * the compiler, and others in this process, allocate now and then. An object for each packet would show as 16
 * bytes or more; a garbage collection within a try, as a negative number, which does not count.
 */
export function bytesPerPacket(round: () => number): number {
  run(round, WARM_UP);
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least > NOTHING; tries++) {
    const before = process.memoryUsage().heapUsed;
    run(round, PACKETS);
    const growth = process.memoryUsage().heapUsed - before;
    if (growth >= 0) least = Math.min(least, growth / PACKETS);
  }
  return least;
}

function run(round: () => number, packets: number): void {
  for (let left = packets; left > 0; ) {
    const moved = round();
    if (moved === 0) throw new Error('no packet came back');
    left -= moved;
  }
}
