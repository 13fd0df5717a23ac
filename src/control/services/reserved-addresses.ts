/** Addresses of the service prefixes that belong to podwire itself: services are not given them, and may not ask for them. */
import { dnsServiceAddresses } from './dns-address.js';
import { externalFrontendAddresses } from './external-frontends.js';
import { nodeFrontendAddresses } from './node-frontends.js';

/** By address, who has it. */
export function reservedAddresses(serviceCidrs: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ...nodeFrontendAddresses(serviceCidrs).map((ip): [string, string] => [ip, 'podwire’s node ports']),
    ...externalFrontendAddresses(serviceCidrs).map((ip): [string, string] => [
      ip,
      'podwire’s external addresses',
    ]),
    ...dnsServiceAddresses(serviceCidrs).map((ip): [string, string] => [ip, 'podwire’s DNS server']),
  ]);
}
