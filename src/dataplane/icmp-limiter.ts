/**
 * IcmpLimiter: how many ICMP errors the switch sends (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).
 *
 * One token bucket for each destination and one for all, with the rates of the Linux kernel (limiter.ts). All
 * error elements of an engine share one limiter. Errors of path MTU discovery pass the destination's bucket by,
 * as in Linux: a host needs one for each of its peers, and without them its connections hang.
 *
 * Bounds: 1,024 destinations; a new one takes over the debt of the bucket that it displaces.
 */
import { DestinationBuckets, ICMP_RATE, TokenBuckets } from './tables/limiter.js';

const DESTINATIONS = 1024;

export class IcmpLimiter {
  private readonly all = new TokenBuckets(1, ICMP_RATE.allPerSecond, ICMP_RATE.allBurst);
  private readonly destinations: DestinationBuckets;

  /** @param seed of the table of destinations, so that nobody can choose colliding ones. */
  constructor(seed: number) {
    const { perDestinationPerSecond, perDestinationBurst } = ICMP_RATE;
    this.destinations = new DestinationBuckets(
      DESTINATIONS,
      perDestinationPerSecond,
      perDestinationBurst,
      seed,
    );
  }

  /** Takes a token for an error to an IPv4 address. */
  take4(domain: number, address: number, now: number): boolean {
    return this.destinations.take4(domain, address, now) && this.takeAny(now);
  }

  /** Takes a token for an error to an IPv6 address, given as its four words. */
  take6(domain: number, w0: number, w1: number, w2: number, w3: number, now: number): boolean {
    return this.destinations.take6(domain, w0, w1, w2, w3, now) && this.takeAny(now);
  }

  /** Takes a token of the common bucket only. */
  takeAny(now: number): boolean {
    return this.all.take(0, now);
  }
}
