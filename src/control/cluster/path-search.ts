/**
 * Which size passes a path whole, by asking the other end: RFC 8899's idea with ICMP echo. It finds black holes,
 * where packets over some size vanish and nobody says so, because ICMP is filtered on the way.
 *
 * First a small request: without an answer nothing can be said. Then one of the full size, which is usually all.
 * Only where that stays away is the size searched, by halving. A size counts as too large after three losses,
 * so a path that drops one packet in ten is misjudged once in a thousand times, until it is looked at again.
 */

/** Asks for an answer to a packet of this size; the round trip in microseconds, or undefined. */
export type Ask = (size: number, timeoutMs: number) => Promise<number | undefined>;

const ATTEMPTS = 3;
const FIRST_TIMEOUT_MS = 1000;
const LEAST_TIMEOUT_MS = 100;
/** Of round trips, that a further answer is waited for. */
const PATIENCE = 4;
/** ICMP may make the size smaller while it is searched; no more often than this. */
const MOST_ROUNDS = 4;

/**
 * @param smallest a size that every path of the family carries.
 * @param ceiling the largest that is possible as far as the kernel knows; asked again, as ICMP may have told it.
 * @returns the largest size that passes; undefined: no answer to anything.
 */
export async function searchPath(
  ask: Ask,
  smallest: number,
  ceiling: () => number,
): Promise<number | undefined> {
  const rtt = await insist(ask, smallest, FIRST_TIMEOUT_MS);
  if (rtt === undefined) return undefined;
  const timeout = Math.min(Math.max((rtt / 1000) * PATIENCE, LEAST_TIMEOUT_MS), FIRST_TIMEOUT_MS);
  let largest = ceiling();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (largest <= smallest) return smallest;
    if ((await insist(ask, largest, timeout)) !== undefined) return largest;
    const told = ceiling();
    if (told >= largest) return halve(ask, smallest, largest, timeout);
    largest = told;
  }
  return largest;
}

/** @param passes a size that passes. @param fails one that does not. */
async function halve(ask: Ask, passes: number, fails: number, timeoutMs: number): Promise<number> {
  let [low, high] = [passes, fails];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((await insist(ask, middle, timeoutMs)) === undefined) high = middle;
    else low = middle;
  }
  return low;
}

async function insist(ask: Ask, size: number, timeoutMs: number): Promise<number | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const micros = await ask(size, timeoutMs);
    if (micros !== undefined) return micros;
  }
  return undefined;
}
