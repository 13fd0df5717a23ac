/**
 * Where addresses of services that are in no service prefix are among the services for the host's kernel: one address
 * of each family, before that of the node ports, at a port for each. Of its own, so that no node port is ever in the way.
 */
import { addressAt, familyOf, sizeOf } from '../cidr.js';

/** One of each prefix, in the same order; a prefix of fewer than eight addresses has none. */
export function externalFrontendAddresses(serviceCidrs: readonly string[]): string[] {
  return serviceCidrs
    .filter((cidr) => sizeOf(cidr) >= 8n)
    .map((cidr) => addressAt(cidr, familyOf(cidr) === 4 ? -3n : -2n));
}
