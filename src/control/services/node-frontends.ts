/**
 * Where node ports are among the services: the host's kernel hands what comes for a port of any of the node's own
 * addresses to this one address of each family, the last usable one of the service prefix.
 */
import { addressAt, familyOf, sizeOf } from '../cidr.js';

/** One of each prefix, in the same order; a prefix of fewer than four addresses has none. */
export function nodeFrontendAddresses(serviceCidrs: readonly string[]): string[] {
  return serviceCidrs
    .filter((cidr) => sizeOf(cidr) >= 4n)
    .map((cidr) => addressAt(cidr, familyOf(cidr) === 4 ? -2n : -1n));
}
