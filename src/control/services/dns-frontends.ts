/**
 * The way to the DNS server as data of services: port 53 of each gateway, and of the service addresses, leads to where it
 * listens on this node. So pods ask under their own address, and the server can be at any port.
 */
import { familyOf } from '../cidr.js';
import type { NameServer } from '../dns/ask.js';
import type { PlannedPort } from './planned.js';

/** Of LiveServices.setExtra. */
export const DNS_EXTRA = 'dns';

const DNS_PORT = 53;
const PROTOCOLS = ['UDP', 'TCP'] as const;
const FAMILIES = [4, 6] as const;

/** @param addresses where pods ask. @param listening where the server is, on podwire0. */
export function dnsFrontends(addresses: readonly string[], listening: readonly NameServer[]): PlannedPort[] {
  return FAMILIES.flatMap((family) => {
    const isOf = (address: string) => familyOf(address) === family;
    const frontends = [...new Set(addresses.filter(isOf))].map((address) => ({
      address,
      port: DNS_PORT,
      scope: 'cluster' as const,
    }));
    const backends = listening
      .filter(({ address }) => isOf(address))
      .map(({ address, port }) => ({
        name: `${address} ${port}`,
        address,
        port,
        local: true,
        cluster: 'active' as const,
        node: 'active' as const,
      }));
    if (frontends.length === 0 || backends.length === 0) return [];
    return PROTOCOLS.map((protocol) => ({
      name: `${DNS_EXTRA}:${protocol.toLowerCase()}${family === 4 ? '' : '/IPv6'}`,
      family: `IPv${family}` as const,
      protocol,
      frontends,
      backends,
    }));
  });
}
