/**
 * The service addresses at which pods find DNS: the tenth of each service prefix, where Kubernetes' installers have theirs (10.96.0.10). Every
 * node's own server answers there. They are never given to a service.
 */
import { addressAt, sizeOf } from '../cidr.js';

const TENTH = 10n;

/** IPv4 first, as the prefixes are; none of a prefix that is too small. */
export function dnsServiceAddresses(serviceCidrs: readonly string[]): string[] {
  // The last one is reserved as well, and the one after it a broadcast address.
  return serviceCidrs.filter((cidr) => sizeOf(cidr) > TENTH + 2n).map((cidr) => addressAt(cidr, TENTH));
}
